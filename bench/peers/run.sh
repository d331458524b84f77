#!/usr/bin/env bash
# Lathe against its peers, in turns: run.sh [train10m] [train135m] [tokenizer] [options of compare.py]
# Without a work it runs all three. LATHE_PEERS: folder of the peers' environment (default
# ~/.cache/lathe-peers). LATHE_BENCH_TEXT: English text of 20 MB or more, needed by `tokenizer`.
# LATHE_BENCH_ROUNDS: rounds (3). Rows go to the table and, as JSON lines, to build/bench/peers.jsonl.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
works=()
while [[ $# -gt 0 && $1 != --* ]]; do
  works+=("$1")
  shift
done
if [[ ${#works[@]} -eq 0 ]]; then
  works=(train10m train135m tokenizer)
fi
python=$("$here/setup.sh" | tail -n 1)
mkdir -p "$root/build/bench"
export TORCHINDUCTOR_CACHE_DIR=${TORCHINDUCTOR_CACHE_DIR:-$(dirname "$(dirname "$python")")/inductor}
text=()
if [[ -n ${LATHE_BENCH_TEXT:-} ]]; then
  text=(--text "$LATHE_BENCH_TEXT")
fi
exec "$python" -B "$here/compare.py" "${works[@]}" --python "$python" "${text[@]}" \
  --rounds "${LATHE_BENCH_ROUNDS:-3}" --json "$root/build/bench/peers.jsonl" "$@"
