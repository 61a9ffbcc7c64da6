#!/bin/sh
# The first step of every make target: are the tools there, and are the npm packages installed?
# Plain sh, because Node itself may be what is missing.
set -eu

fail() {
  printf '%s\n' "$1" >&2
  exit 1
}

command -v node >/dev/null 2>&1 || fail "Node.js is missing: install Node.js 20 or newer with npm, then run make again."
version=$(node --version)
major=${version#v}
major=${major%%.*}
[ "$major" -ge 20 ] || fail "Node.js $version is too old: install Node.js 20 or newer, then run make again."
command -v npm >/dev/null 2>&1 || fail "npm is missing: install it beside Node.js $version, then run make again."

exec node "$(dirname "$0")/setup.mjs"
