# Everything starts here; `make help` lists it. The first step of each target installs what is missing,
# the rest runs under the Node 24 that the npm packages bring along.

RUN = @PATH="$(CURDIR)/node_modules/.bin:$$PATH"

.PHONY: help setup demo test check format generate build emulator clean
.DEFAULT_GOAL := help

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: setup ## Show the main job from end to end; CONTEXT=<kube context> uses that cluster, KEEP=1 leaves it running
	$(RUN) CONTEXT='$(CONTEXT)' KEEP='$(KEEP)' node scripts/demo.ts

test: setup ## Run all tests; the last line counts them
	$(RUN) node scripts/test.ts

check: setup ## Check format, lint, types and generated files
	$(RUN) node scripts/check.ts

format: setup ## Format all files
	$(RUN) prettier --write --log-level=warn .

generate: setup ## Write the files that are generated from the source: CRDs and reference pages
	$(RUN) node scripts/generate.ts

build: setup ## Bundle the operator and the emulator into dist/
	$(RUN) node scripts/build.ts

emulator: setup ## Run a local Lakebase; ARGS="..." are its arguments
	$(RUN) node src/emulator/main.ts $(ARGS)

clean: ## Remove what was built or installed in this folder
	@rm -rf dist node_modules .lakebranch

setup:
	@sh scripts/setup.sh
