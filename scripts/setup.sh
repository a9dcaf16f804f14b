#!/bin/sh
# Installs what is missing to run Gantry from a checkout: system packages, then Node 24 and the libraries (npm ci).
# Sourced by start.sh and test.sh with the extra packages they need in EXTRA_PACKAGES ("program:package" words).
set -eu
cd "$(dirname "$0")/.."

missing=''
reasons=''
lacks() { # package why
  missing="$missing $1"
  reasons="$reasons  $1 ($2)
"
}
need() { # program package why
  command -v "$1" >/dev/null 2>&1 || lacks "$2" "$3"
}
PATH=$PATH:/usr/sbin:/sbin
export PATH
need runc runc 'runs containers'
need conmon conmon 'keeps a container'"'"'s output and exit code'
need nft nftables 'publishes ports, NAT'
need ip iproute2 'container networks'
need tar tar 'packs and unpacks layers'
need ps procps 'gantry top'
# Most machines have the package busybox, whose program finds no libc in an image; apt puts the static one in its place.
if ! busybox=$(command -v busybox) || ldd "$busybox" >/dev/null 2>&1; then
  lacks busybox-static 'the built-in base image'
fi
need tini-static tini 'run --init'
for word in ${EXTRA_PACKAGES:-}; do need "${word%%:*}" "${word#*:}" 'the tests'; done

if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ]; then
    printf 'Missing system packages:%s\nInstall them as root: apt-get install%s\n' "$missing" "$missing" >&2
    exit 1
  fi
  if ! command -v apt-get >/dev/null 2>&1; then
    printf 'Missing system packages (Debian names):%s\nThere is no apt-get here: install them by hand.\n' "$missing" >&2
    exit 1
  fi
  printf 'Installing missing system packages:\n%s' "$reasons"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  # shellcheck disable=SC2086
  if ! { apt-get update -q && apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    rm -f "$log"
    printf 'Could not install:%s\nInstall these packages, then run this again.\n' "$missing" >&2
    exit 1
  fi
  rm -f "$log"
fi

# npm ci, which also builds, unless node_modules is already what the lock file says.
stamp=node_modules/.gantry-lock
if ! [ -x node_modules/node/bin/node ] || ! cmp -s package-lock.json "$stamp"; then
  echo 'Installing Node 24 and the libraries (npm ci)'
  npm ci --no-audit --no-fund --loglevel=error
  cp package-lock.json "$stamp"
fi
sh scripts/build.sh
