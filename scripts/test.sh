#!/bin/sh
# Sets up, then runs every test: real runc, overlayfs, nftables and the docker CLI, so as root.
# Arguments are passed on to node's test runner (test files, --test-name-pattern=...).
set -eu
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
  echo 'The tests run real containers: run them as root' >&2
  exit 1
fi
# Debian's docker CLI is a client of its own beside the docker that comes first on the PATH.
EXTRA_PACKAGES='/usr/bin/docker:docker.io docker-compose:docker-compose skopeo:skopeo podman:podman buildah:buildah docker-registry:docker-registry openssl:openssl mmdebstrap:mmdebstrap xz:xz-utils bzip2:bzip2 mkfs.ext4:e2fsprogs zstd:zstd setfattr:attr setcap:libcap2-bin iptables:iptables unshare:util-linux zsh:zsh fish:fish'
# Debian's docker.io brings the CLI that the tests drive us with; its daemon stays off, now and after a reboot.
policy=/usr/sbin/policy-rc.d
units=''
[ -e /usr/bin/docker ] || units='docker.service docker.socket'
[ -z "$units" ] || command -v containerd >/dev/null 2>&1 || units="$units containerd.service"
if [ -n "$units" ] && [ ! -e "$policy" ]; then
  made_policy=$policy
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
fi
. scripts/setup.sh
# shellcheck disable=SC2086
if [ -n "$units" ] && [ -d /run/systemd/system ]; then systemctl disable --quiet --now $units; fi
node=$PWD/node_modules/node/bin/node
PATH=$PWD/node_modules/.bin:$PATH
export PATH
# Every test file is a process of its own: with it they find their modules stripped and compiled.
NODE_COMPILE_CACHE=$PWD/node_modules/.cache/tests
export NODE_COMPILE_CACHE
if [ $# -eq 0 ]; then
  set -- 'src/**/*.test.ts' 'test/architecture.test.ts' 'test/integration/*.test.ts' 'test/e2e/*.test.ts' 'test/stress/*.test.ts'
  leaks=test/leaks.test.ts
else
  leaks=''
fi
GANTRY_TEST_BEFORE=$(mktemp)
export GANTRY_TEST_BEFORE
trap 'rm -f "$GANTRY_TEST_BEFORE" ${made_policy:+"$made_policy"}' EXIT
"$node" --disable-warning=ExperimentalWarning test/support/kernel-state.ts >"$GANTRY_TEST_BEFORE"
code=0
"$node" --disable-warning=ExperimentalWarning --test --test-concurrency=2 --test-timeout=600000 "$@" || code=$?
# Last and alone: nothing may be left behind.
if [ -n "$leaks" ]; then "$node" --disable-warning=ExperimentalWarning --test "$leaks" || code=$?; fi
exit "$code"
