#!/bin/sh
# Installs the Debian 12 packages that Lathe needs and that are missing; needs no network when none
# is. As root, or through sudo.
#
#   tools/install_packages.sh            to build, test and format
#   tools/install_packages.sh --build    to build the program only (what demo.sh needs)
#   tools/install_packages.sh --bench    also the opponents of bench/
# docs/decisions/0004-dependencies.md says what each is for.
set -eu

build="g++ cmake ninja-build pkg-config git ca-certificates mawk gzip
  libfmt-dev libspdlog-dev nlohmann-json3-dev libtomlplusplus-dev libcli11-dev libsimdjson-dev
  libsqlite3-dev libpcre2-dev libutf8proc-dev zlib1g-dev liblzma-dev libzstd-dev libssl-dev libedit-dev
  libcurl4-openssl-dev libminizip-dev"
test="ccache libgtest-dev libsimde-dev python3 clang-format-16 qemu-user valgrind"
bench="libbenchmark-dev libdnnl-dev"

case "${1:-}" in
  "") wanted="$build $test" ;;
  --build) wanted=$build ;;
  --bench) wanted="$build $test $bench" ;;
  *) echo "usage: $0 [--build | --bench]" >&2; exit 2 ;;
esac

if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
  echo "install_packages: this is no Debian system; install the equivalents of:" $wanted >&2
  exit 1
fi
missing=
for package in $wanted; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
  echo "install_packages: everything is installed"
  exit 0
fi

as_root=
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo > /dev/null; then
    echo "install_packages: missing:$missing; run this as root, or install sudo" >&2
    exit 1
  fi
  as_root=sudo
fi
echo "install_packages: installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() {
  if ! $as_root env DEBIAN_FRONTEND=noninteractive "$@" > "$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "install_packages: '$*' failed" >&2
    exit 1
  fi
}
run apt-get update
run apt-get install --yes --no-install-recommends $missing
echo "install_packages: done"
