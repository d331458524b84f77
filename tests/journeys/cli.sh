#!/bin/bash
# The program's manners: exit statuses, messages, suggestions, closed pipes.   cli.sh PATH_OF_LATHE
set -u
. "$(dirname "$0")/checks.sh"

expect 0 'commit' "$lathe" --version
expect 0 'instruction set: avx2 in use' env LATHE_ISA=avx2 "$lathe" --version
expect 0 'warning: LATHE_ISA=mmx: expected' env LATHE_ISA=mmx "$lathe" --version
expect 0 'warning: LATHE_THREADS=many: expected 1 to 256' env LATHE_THREADS=many "$lathe" --version
expect 0 '"libraries"' "$lathe" version --json
expect 0 'threads: 3' "$lathe" version --threads 3
expect 0 'Usage' "$lathe" --help
expect 2 'Usage' "$lathe"
expect 2 "no verb 'trian'; did you mean 'train'" "$lathe" trian
expect 2 "no option '--jsn'; did you mean '--json'" "$lathe" version --jsn
expect 2 'expected 1 to 256, got 0' "$lathe" --threads 0 version
expect 2 'FILE' "$lathe" train
expect 3 "'none.toml': No such file" "$lathe" train none.toml
expect 0 'train.context' "$lathe" explain train
expect 3 "did you mean 'train.context'" "$lathe" explain train.contxt
printf '[train]\ncontxt = 3\ntokens = "many"\n' > wrong.toml
expect 2 "wrong.toml:2:1: unknown key 'train.contxt'; did you mean 'train.context'" \
  "$lathe" train wrong.toml
expect 2 'wrong.toml:3:10: train.tokens: expected an integer, found string "many"' \
  "$lathe" train wrong.toml
printf '[model]\nvocab = 50\nlayers = 2\nwidth = 32\nheads = 2\n[train]\ncontext = 16\nbatch_tokens = 64\n' \
  > step.toml
expect 0 'linear +[0-9]+ ' "$lathe" explain --plan step.toml
expect 0 '"predicted_seconds"' "$lathe" explain --plan step.toml --set train.recompute=true --json
expect 2 '--rows, --depth and --tokens are for models' "$lathe" explain --plan step.toml --rows 3
printf 'seed = 1\n' > right.toml
expect 2 "--set optimizer.lrr=1: unknown key" "$lathe" train right.toml --set optimizer.lrr=1
expect 2 'expected key=value' "$lathe" train right.toml --set seed
expect 7 'standard output: No space left' bash -c "'$lathe' --version > /dev/full"
expect 0 '^lathe' bash -c "set -o pipefail; '$lathe' --version | cat"
expect 0 '^(0|141)$' bash -c "'$lathe' explain --json | exec 0<&-; echo \${PIPESTATUS[0]}"

# Every verb of the list is described in the README, and prints help.
for verb in $(sed -n 's/^LATHE_VERB(\(.*\))$/\1/p' "$root/lathe/app/cli/verb_list.inc" | tr _ -); do
  expect 0 "lathe $verb" cat "$root/README.md"
  expect 0 'Usage: lathe' "$lathe" "$verb" --help
done

finish
