#!/bin/bash
# Lets libFuzzer search for inputs that break a parser, under the address and undefined-behaviour
# sanitizers. Needs clang-16 and libclang-rt-16-dev (Debian).
#
#   tools/fuzz.sh                     the names of the targets
#   tools/fuzz.sh gguf [SECONDS=600]  one of them; what it learns stays in build/fuzz/corpus/gguf
#
# A finding is written to build/fuzz/findings; put it into tests/fuzz/corpus/NAME with the fix.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# = 0 ]; then
  for target in tests/fuzz/*_fuzz.cpp; do basename "$target" _fuzz.cpp; done
  exit 0
fi
name=$1 seconds=${2:-600}
[ -e "tests/fuzz/${name}_fuzz.cpp" ] || { echo "fuzz.sh: no target $name" >&2; exit 2; }

cmake --preset fuzz > /dev/null
cmake --build --preset fuzz --target "fuzz_$name"
mkdir -p "build/fuzz/corpus/$name" build/fuzz/findings
exec "build/fuzz/tests/fuzz_$name" -max_total_time="$seconds" -max_len=65536 -timeout=10 \
  -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="build/fuzz/findings/$name-" \
  "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name"
