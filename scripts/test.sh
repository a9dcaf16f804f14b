#!/bin/sh
# Sets up, then runs every test: real runc, overlayfs, nftables and the docker CLI, so as root.
# Arguments are passed on to node's test runner (test files, --test-name-pattern=...).
set -eu
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
  echo 'The tests run real containers: run them as root' >&2
  exit 1
fi
EXTRA_PACKAGES='docker:docker.io docker-compose:docker-compose skopeo:skopeo mmdebstrap:mmdebstrap xz:xz-utils zstd:zstd setfattr:attr setcap:libcap2-bin iptables:iptables unshare:util-linux'
# Debian's docker.io brings the CLI that the tests drive us with; its daemon stays off.
policy=/usr/sbin/policy-rc.d
if ! command -v docker >/dev/null 2>&1 && [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
. scripts/setup.sh
node=$PWD/node_modules/node/bin/node
PATH=$PWD/node_modules/.bin:$PATH
export PATH
if [ $# -eq 0 ]; then
  set -- 'src/**/*.test.ts' 'test/architecture.test.ts' 'test/integration/*.test.ts' 'test/e2e/*.test.ts'
  leaks=test/leaks.test.ts
else
  leaks=''
fi
code=0
"$node" --disable-warning=ExperimentalWarning --test --test-concurrency=2 --test-timeout=600000 "$@" || code=$?
# Last and alone: nothing may be left behind.
if [ -n "$leaks" ]; then "$node" --disable-warning=ExperimentalWarning --test "$leaks" || code=$?; fi
exit "$code"
