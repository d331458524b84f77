#!/bin/bash
# On a processor without AVX2 the program must end with a message, not an illegal instruction.
# Emulated with qemu-user; status 77 (skipped) where that is not installed.  old_processor.sh LATHE
set -u
if ! command -v qemu-x86_64 > /dev/null; then
  echo "SKIPPED: qemu-x86_64 is not installed (apt-get install qemu-user)" >&2
  exit 77
fi
if [ -n "${LATHE_SANITIZED:-}" ]; then
  echo "SKIPPED: the emulator has no room for the shadow memory of a sanitizer" >&2
  exit 77
fi
for processor in Nehalem SandyBridge Penryn; do
  text=$(qemu-x86_64 -cpu "$processor" "$1" --version 2>&1)
  status=$?
  echo "$processor: status $status: $text"
  [ "$status" = 5 ] && grep -q 'lacks AVX2' <<< "$text" || exit 1
done
text=$(qemu-x86_64 -cpu max "$1" --version 2>&1) || { echo "max: $text"; exit 1; }
grep -q 'instruction set: avx2' <<< "$text"
