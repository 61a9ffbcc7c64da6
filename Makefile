# Everything starts here; `make help` lists it. The first step of each target installs what is missing,
# the rest runs under the Node 24 that the npm packages bring along.

RUN = @PATH="$(CURDIR)/node_modules/.bin:$$PATH"

.PHONY: help setup demo test e2e images chaos check format generate build emulator mutation bench bench-restore clean
.DEFAULT_GOAL := help

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

demo: setup ## Show the main job from end to end; CONTEXT=<kube context> uses that cluster, KEEP=1 leaves it running
	$(RUN) CONTEXT='$(CONTEXT)' KEEP='$(KEEP)' node scripts/demo.ts

test: setup ## Run all tests; the last line counts them
	$(RUN) node scripts/test.ts

e2e: setup ## Install the images and the chart on kind and tell the whole story; E2E_CONTEXT=<kube context> uses that cluster
	$(RUN) E2E_CONTEXT='$(E2E_CONTEXT)' E2E_REGISTRY='$(E2E_REGISTRY)' node scripts/e2e.ts

chaos: setup ## Break everything at random for long; SEED=1 OPS=10000 say how, WITHOUT=kill leaves out
	$(RUN) SEED='$(SEED)' OPS='$(OPS)' SETTLE='$(SETTLE)' WITHOUT='$(WITHOUT)' node scripts/chaos.ts

check: setup ## Check format, lint, types and generated files
	$(RUN) node scripts/check.ts

format: setup ## Format all files
	$(RUN) prettier --write --log-level=warn .

generate: setup ## Write the files that are generated from the source: CRDs and reference pages
	$(RUN) node scripts/generate.ts

build: setup ## Bundle the operator, the emulator and the kubectl plugin into dist/
	$(RUN) node scripts/build.ts

images: setup ## Build lakebranch:dev and lakebranch-emulator:dev with Docker; TAG and NODE_IMAGE choose the tag and the base
	$(RUN) TAG='$(TAG)' NODE_IMAGE='$(NODE_IMAGE)' ARCHITECTURES='$(ARCHITECTURES)' node scripts/images.ts

bench: setup ## Measure what docs/benchmarks.md records, about 25 minutes; ROWS=one,many picks rows, RECORD=1 writes them down
	$(RUN) ROWS='$(ROWS)' OUT='$(OUT)' RECORD='$(RECORD)' node scripts/bench.ts

bench-restore: setup ## Measure restores on real databases of SIZES=63,1000 megabytes; RECORD=1 writes the figures down
	$(RUN) ROWS=restore SIZES='$(SIZES)' OUT='$(OUT)' RECORD='$(RECORD)' node scripts/bench.ts

emulator: setup ## Run a local Lakebase; ARGS="..." are its arguments
	$(RUN) node src/emulator/main.ts $(ARGS)

mutation: setup ## Plant small faults in the deciding code, one by one, and name those that no test notices; ONLY=<part of a path>, SHARD=1/4, UNIT=1
	$(RUN) ONLY='$(ONLY)' SHARD='$(SHARD)' UNIT='$(UNIT)' node scripts/mutation.ts

.PHONY: test-versions
test-versions: setup ## Run the integration tests as earlier versions of Kubernetes; VERSIONS="1.34 1.35", FILES="crds kit" choose
	$(RUN) sh -c 'for version in $(or $(VERSIONS),1.33 1.34 1.35); do echo "Kubernetes $$version"; LAKEBRANCH_TEST_EMULATED_VERSION=$$version vitest run --project integration $(FILES) || exit; done'

clean: ## Remove what was built or installed in this folder
	@rm -rf dist node_modules .lakebranch

setup:
	@sh scripts/setup.sh
