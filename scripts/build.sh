#!/bin/sh
# Bundles src into dist, which bin/gantry runs as long as nothing in src is newer: a start then takes half the time, and
# the daemon has 16 MiB less to hold. What an earlier build made stays: a daemon of it may still load a part.
set -eu
cd "$(dirname "$0")/.."
if ! [ -d src ] || ! [ -x node_modules/.bin/esbuild ]; then exit 0; fi
if [ -f dist/cli/main.js ] && [ -z "$(find src package.json -newer dist/cli/main.js -print -quit)" ]; then exit 0; fi
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
node_modules/.bin/esbuild src/cli/main.ts --bundle --splitting --packages=external \
  --platform=node --target=node24 --format=esm --outdir="$new" --log-level=warning
find src -name '*.json' -exec cp {} "$new" \; # Data, read from beside the module.
mkdir -p dist/cli
# The parts first, which have their digests in their names, then what names them.
find "$new" -type f ! -name main.js -exec cp {} dist/cli/ \;
cp "$new/main.js" dist/cli/main.js.new
mv dist/cli/main.js.new dist/cli/main.js
