#!/usr/bin/env bash
# What int8 does to a run: validation bits per byte of a recipe trained with train.compute = f32 and
# int8_f32, the same seeds, one table.
#
#   bench/int8_runs.sh configs/books_10m.toml [--set key=value ...]
#
# LATHE: the program (build/release/lathe). SEEDS: "1 2 3". OUT: a folder for the runs, which are kept;
# one that has finished is not repeated.
set -euo pipefail
recipe=$1
shift
lathe=${LATHE:-build/release/lathe}
out=${OUT:-runs/int8}
for seed in ${SEEDS:-1 2 3}; do
  for compute in f32 int8_f32; do
    run=$out/${compute}_$seed
    resume=()
    [[ -d $run ]] && resume=(--resume)
    "$lathe" train "$recipe" --out "$run" "${resume[@]}" --set "seed=$seed" \
      --set "train.compute=$compute" "$@" > /dev/null
  done
done
python3 - "$out" ${SEEDS:-1 2 3} <<'END'
import json, pathlib, sys

def last(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row["valid_bpb"] for row in rows if row.get("valid_bpb") is not None][-1]

out, seeds = pathlib.Path(sys.argv[1]), sys.argv[2:]
print("| seed | f32 | int8 | difference |\n|---|---|---|---|")
total = 0
for seed in seeds:
    f32, int8 = (last(out / f"{compute}_{seed}") for compute in ("f32", "int8_f32"))
    total += int8 / f32 - 1
    print(f"| {seed} | {f32:.4f} | {int8:.4f} | {100 * (int8 / f32 - 1):+.2f}% |")
print(f"| mean | | | {100 * total / len(seeds):+.2f}% |")
END
