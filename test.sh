#!/bin/bash
# Installs what is missing, builds, and runs every test; ctest's summary is the last thing printed.
#
#   ./test.sh [--asan | --tsan | --dev] [arguments for ctest]
#
# For example: ./test.sh -R tokenize      ./test.sh --asan      ./test.sh -L journey
set -euo pipefail
cd "$(dirname "$0")"

preset=release
case "${1:-}" in
  --asan | --tsan | --dev) preset=${1#--}; shift ;;
esac

tools/install_packages.sh
cmake --preset "$preset" -DLATHE_TESTS=ON
cmake --build --preset "$preset"

run=()
# ThreadSanitizer of g++ 12 cannot place its shadow memory under the widest address randomisation.
[ "$preset" = tsan ] && run=(setarch "$(uname -m)" -R)
exec "${run[@]}" ctest --test-dir "build/$preset" --output-on-failure "$@"
