#!/bin/sh
# The stress tests in full size, one at a time: half an hour. Arguments are test files; default all.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- test/stress/*.test.ts test/integration/crash.test.ts
GANTRY_STRESS=full
export GANTRY_STRESS
exec sh scripts/test.sh --test-concurrency=1 --test-timeout=7200000 "$@"
