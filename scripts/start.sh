#!/bin/sh
# The main job, from a clean clone: sets up, builds an image from a Dockerfile, runs it, asks it for a page.
set -eu
cd "$(dirname "$0")/.."
. scripts/setup.sh
gantry=$PWD/bin/gantry

echo 'Engine: starting it if none answers'
"$gantry" version --format 'Engine: Gantry, serving Docker API {{.Server.APIVersion}}'

if ! "$gantry" image inspect busybox >/dev/null 2>&1; then
  echo 'Base image: busybox, made from busybox-static without a network'
  sh scripts/busybox-image.sh | "$gantry" import -c 'CMD ["sh"]' - busybox >/dev/null
fi

echo 'Image: building examples/hello'
"$gantry" build -q -t hello examples/hello >/dev/null

"$gantry" rm -f hello >/dev/null 2>&1 || true
# Port 8080 if it is free, else whichever is.
"$gantry" run -d --name hello -p 8080:8080 hello >/dev/null 2>&1 || {
  "$gantry" rm -f hello >/dev/null 2>&1 || true
  "$gantry" run -d --name hello -p 8080 hello >/dev/null
}
address=127.0.0.1:$("$gantry" port hello 8080 | sed -n '1s/.*://p')

page=''
for _ in 1 2 3 4 5 6 7 8 9 10; do
  page=$(busybox wget -q -O - "http://$address/" 2>/dev/null) && break
  sleep 0.3
done
case $page in
  *'Hello from a container'*) echo "Container: hello answers on http://$address/" ;;
  *) echo "The container does not answer on http://$address/; see: bin/gantry logs hello" >&2; exit 1 ;;
esac

cat <<END

It works. From here:
  bin/gantry ps                        what runs
  bin/gantry logs hello                what it printed
  bin/gantry exec -it hello sh         a shell in it
  bin/gantry rm -f hello               stop and remove it
  bin/gantry run --rm busybox echo hi  another one
  docker -H unix:///run/gantry/gantry.sock ps    the docker CLI, unchanged
END
