#!/bin/sh
# Writes a minimal Debian root file system to the tar named, unless it is there: `debian-image.sh bookworm.tar`.
# It takes mmdebstrap about a minute. The host's apt sources and certificates are used, so a mirror works too.
set -eu
target=$1
[ -s "$target" ] && exit 0
tmp=$target.$$.tmp
trap 'rm -f "$tmp"' EXIT
mmdebstrap --quiet --variant=essential --include=apt,ca-certificates --mode=root \
  --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*' \
  bookworm "$tmp"
mv "$tmp" "$target"
