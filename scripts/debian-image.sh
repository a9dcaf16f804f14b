#!/bin/sh
# Writes a minimal Debian root file system to the tar named, unless it is there: `debian-image.sh bookworm.tar`.
# It takes mmdebstrap a quarter of a minute or more. What the host trusts and how it reaches packages goes along:
# its apt settings, and the certificates added to /usr/local/share/ca-certificates.
set -eu
target=$1
[ -s "$target" ] && exit 0
tmp=$target.$$.tmp
trap 'rm -f "$tmp"' EXIT
mmdebstrap --quiet --variant=essential --format=tar --include=apt,ca-certificates \
  --customize-hook='
    for file in /etc/apt/apt.conf.d/99*; do [ ! -e "$file" ] || cp "$file" "$1/etc/apt/apt.conf.d/"; done
    for file in /usr/local/share/ca-certificates/*.crt; do
      [ ! -e "$file" ] || cp "$file" "$1/usr/local/share/ca-certificates/"
    done
    chroot "$1" update-ca-certificates >/dev/null 2>&1
    rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*' \
  bookworm "$tmp"
mv "$tmp" "$target"
