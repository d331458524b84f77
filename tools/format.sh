#!/bin/sh
# Formats the C++ sources with clang-format 16; with --check only tells what differs (status 1).
# Status 77 where clang-format 16 is missing, which CTest shows as a skipped test.
set -eu
cd "$(dirname "$0")/.."

tool=
for candidate in clang-format-16 clang-format; do
  if command -v "$candidate" > /dev/null && "$candidate" --version | grep -q 'version 16\.'; then
    tool=$candidate
    break
  fi
done
if [ -z "$tool" ]; then
  echo "SKIPPED: clang-format 16 is not installed (apt-get install clang-format-16)" >&2
  exit 77
fi

list() { find lathe tests bench tools \( -name '*.h' -o -name '*.cpp' \) -print0; }
if [ "${1:-}" = --check ]; then
  list | xargs -0 "$tool" --dry-run -Werror
  echo "every source is formatted as .clang-format says"
else
  list | xargs -0 "$tool" -i
fi
