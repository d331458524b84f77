#!/bin/bash
# The first session, from nothing: installs what is missing, builds the program, fetches 17 MB of
# English, trains a tokenizer and a small model for about two minutes, and lets it speak.
# At most ten minutes on two cores, most of it compiling.
set -euo pipefail
cd "$(dirname "$0")"
begun=$SECONDS
say() { printf '\n== %s (%d s so far)\n' "$1" $((SECONDS - begun)); }

say "packages"
tools/install_packages.sh --build

say "building build/release/lathe"
cmake --preset release -DLATHE_TESTS=OFF > /dev/null
cmake --build --preset release --target lathe
lathe=build/release/lathe

say "text"
tools/fetch_default_data.sh
data=build/data/english
out=build/demo
rm -rf "$out"
mkdir -p "$out"

say "tokenizer"
$lathe tokenizer train "$data/train.jsonl" --vocab 2048 --out "$out/tokenizer.json"

say "training (configs/demo.toml)"
$lathe train configs/demo.toml --out "$out/run"

say "a sample"
prompt="And the king said"
sample=$($lathe generate "$out/run" -p "$prompt" -n 120 --temp 0.8 --top-p 0.95 --seed 1)
printf '%s\n' "$sample"

say "what was made"
$lathe --version
cat << EOF

  $out/tokenizer.json   a byte-level BPE tokenizer of 2,048 tokens
  $out/run              the model, its checkpoints, metrics.jsonl and a plot of the loss
EOF
$lathe runs show "$out/run" | sed '/^last steps$/,$d'
cat << EOF

Try next:
  $lathe generate $out/run -p "In the beginning" -n 200
  $lathe plan configs/demo.toml --set train.tokens=2e7
  $lathe train configs/demo.toml --out build/demo/longer --set train.tokens=5e6
EOF
