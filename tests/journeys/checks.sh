# What journeys begin with and count with; sourced by them, with the path of the program as $1. They
# run in $work, a folder of their own, which goes when they end; $root is the repository. Everything
# printed by the last command of check, shows and refused is in out.txt.
lathe=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0
checks=0

fail() {  # fail WHAT [PRINTED]
  failures=$((failures + 1))
  printf 'FAILED: %s\n  %s\n' "$1" "${2-$(tail -n 6 out.txt)}"
}
check() {  # check WHAT COMMAND...: the command must succeed
  checks=$((checks + 1))
  "${@:2}" > out.txt 2>&1 || fail "$1"
}
shows() {  # shows WHAT PATTERN COMMAND...: it must succeed and print the pattern
  checks=$((checks + 1))
  "${@:3}" > out.txt 2>&1 && grep -qE -- "$2" out.txt || fail "$1: expected '$2'"
}
refused() {  # refused STATUS PATTERN COMMAND...: it must fail so, and say so
  local got
  checks=$((checks + 1))
  "${@:3}" > out.txt 2>&1
  got=$?
  [ "$got" = "$1" ] && grep -qE -- "$2" out.txt ||
    fail "${*:3}: status $got, expected $1; expected to find: $2"
}
expect() {  # expect STATUS PATTERN COMMAND...: the same without out.txt, and with nothing to read
  local text got
  checks=$((checks + 1))
  text=$("${@:3}" 2>&1 < /dev/null)
  got=$?
  [ "$got" = "$1" ] && grep -qE -- "$2" <<< "$text" ||
    fail "${*:3}: status $got, expected $1; expected to find: $2" "$text"
}
finish() {  # the last line of a journey: its status
  echo "$checks checks, $failures failed"
  [ "$failures" = 0 ]
}
