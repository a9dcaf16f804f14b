#!/bin/sh
# Types, lint rules, format and import order, unused code.
set -eu
cd "$(dirname "$0")/.."
if ! [ -x node_modules/node/bin/node ]; then npm ci --no-audit --no-fund --loglevel=error; fi
PATH=$PWD/node_modules/.bin:$PATH
echo 'types';  tsc --noEmit
echo 'lint';   eslint --cache --cache-location node_modules/.cache/eslint src test
echo 'format and import order'; biome check .
echo 'unused code'; knip
