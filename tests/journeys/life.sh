#!/bin/bash
# The first whole life on a small scale: text -> tokenizer -> training -> stop, kill and resume ->
# generation and scores; and what happens when folders are locked, full or read-only.
#   life.sh PATH_OF_LATHE
set -u
. "$(dirname "$0")/checks.sh"
export LATHE_HOME=$work/home

same() { cmp -s "$1" "$2"; }

# Our own documents are the text: it is there, it is ours, and nobody else's licence is in it.
cat "$root"/*.md "$root"/docs/*.md "$root"/docs/*/*.md > train.txt
head -c 20000 train.txt > valid.txt
check 'tokenizer' "$lathe" tokenizer train train.txt --vocab 400 --out tok.json
cat > tiny.toml << 'EOF'
seed = 5
[model]
layers = 2
width = 32
heads = 2
kv_heads = 1
[tokenizer]
path = "tok.json"
[data]
train = [{path = "train.txt", split = "paragraph"}]
valid = [{path = "valid.txt", split = "paragraph"}]
[train]
context = 33
batch_tokens = 528
micro_tokens = 132
tokens = 15840
evaluate_every = 10
evaluate_tokens = 1000
sample_every = 10
sample_tokens = 8
[optimizer]
lr = 5e-3
[checkpoint]
every_steps = 4
EOF

check 'training' "$lathe" train tiny.toml --out run
for file in config.toml metrics.jsonl run.json loss.svg checkpoints/step-00000030/manifest.json; do
  check "$file exists" test -s "run/$file"
done
check 'TensorBoard events exist' sh -c 'ls run/events.out.tfevents.*'
check 'a best checkpoint is kept' sh -c 'ls -d run/checkpoints/best-*'
check 'the loss fell' python3 - << 'EOF'
import json
rows = [json.loads(line) for line in open("run/metrics.jsonl")]
assert len(rows) == 30, len(rows)
assert rows[-1]["loss"] < rows[0]["loss"] - 0.5, (rows[0]["loss"], rows[-1]["loss"])
assert all(k in rows[-1] for k in ("step", "tokens", "loss", "lr", "tokens_per_second", "valid_bpb"))
EOF
check 'the run is listed' sh -c "'$lathe' runs list | grep -q run"
check 'the run is listed as JSON' sh -c "'$lathe' runs list --json | grep -q finished"
refused 2 'holds a run already' "$lathe" train tiny.toml --out run
refused 2 'optimizer.lr: was 0.005, now 0.01' "$lathe" train tiny.toml --out run --resume --set optimizer.lr=0.01

# The same run again is the same to the bit, and so is one that is stopped and killed on the way.
check 'a second run' "$lathe" train tiny.toml --out again --threads 1 --set train.micro_tokens=528
check 'equal bits from other threads and micro-batches' \
  same run/checkpoints/step-00000030/weights.safetensors again/checkpoints/step-00000030/weights.safetensors
check 'verify-resume' "$lathe" verify-resume tiny.toml --steps 10 --kills 4 --out verify
"$lathe" train tiny.toml --out stopped --set train.tokens=5280000 > stopped.txt 2>&1 &
pid=$!
for _ in $(seq 200); do grep -q 'step' stopped.txt && break; sleep 0.05; done
refused 7 "in use|locked|held by|process $pid" "$lathe" train tiny.toml --out stopped --resume
kill -INT $pid
wait $pid
status=$?
checks=$((checks + 1))
if [ $status != 130 ] || ! grep -q 'go on with: lathe train' stopped.txt; then
  failures=$((failures + 1))
  printf 'FAILED: Ctrl-C: status %s\n%s\n' $status "$(tail -n 4 stopped.txt)"
fi
check 'what Ctrl-C saved is a checkpoint' "$lathe" score stopped - <<< '{"ids": [1, 2, 3]}'

# In int8: the same promises, and the type is part of the run.
int8=(--set train.compute=int8_f32 --set train.tokens=5280)
check 'training in int8' "$lathe" train tiny.toml --out int8 "${int8[@]}"
check 'once more in int8' "$lathe" train tiny.toml --out int8_again --threads 1 --set train.micro_tokens=528 "${int8[@]}"
check 'equal bits from other threads and micro-batches, in int8' \
  same int8/checkpoints/step-00000010/weights.safetensors int8_again/checkpoints/step-00000010/weights.safetensors
check 'verify-resume in int8' "$lathe" verify-resume tiny.toml --steps 6 --kills 2 --out verify_int8 "${int8[@]}"
refused 5 'was trained in int8_f32, this session computes in f32' "$lathe" train tiny.toml --out int8 --resume \
  --set train.compute=f32 --set train.tokens=5280
check 'a plan in int8' sh -c "'$lathe' plan tiny.toml --set train.compute=int8_f32 | grep -q 'in int8_f32'"
check 'what was trained in int8 is served in f32' "$lathe" generate int8 -p 'The ' -n 5

# Speaking.
check 'generate' "$lathe" generate run -p 'The ' -n 20 --seed 3
cp out.txt first.txt
check 'generate again' "$lathe" generate run -p 'The ' -n 20 --seed 3
cp out.txt second.txt
check 'equal seeds, equal text' same first.txt second.txt
check 'score' sh -c "printf '%s\n%s\n' '{\"text\": \"The tape\"}' '{\"ids\": [5, 6, 7]}' | '$lathe' score run - --top 2 > scores.jsonl"
check 'scores are log-probabilities' python3 - << 'EOF'
import json, math
rows = [json.loads(line) for line in open("scores.jsonl")]
assert len(rows) == 2 and rows[1]["ids"] == [5, 6, 7]
for row in rows:
    assert row["logprobs"][0] is None and len(row["logprobs"]) == len(row["ids"])
    assert all(-20 < x < 0 for x in row["logprobs"][1:])
    assert all(len(t) == 2 and t[0][1] >= t[1][1] for t in row["top"][1:])
EOF
refused 2 'from 0 to 399' "$lathe" score run - <<< '{"ids": [1, 400]}'
check 'plan' "$lathe" plan tiny.toml --json
check 'training starts from weights' "$lathe" train tiny.toml --out next --set model.weights=run \
  --set train.tokens=1056
refused 2 'model.layers: the recipe asks for 3' "$lathe" train tiny.toml --out other \
  --set model.weights=run --set model.layers=3

# Nowhere to write.
if [ "$(id -u)" = 0 ] && mkdir full && mount -t tmpfs -o size=900k tmpfs full 2> /dev/null; then
  refused 7 'No space left on device' "$lathe" train tiny.toml --out full/run --set checkpoint.every_steps=1 --set checkpoint.keep=50
  check 'a full disk leaves a valid checkpoint' bash -c "rm -rf full/run/cache; '$lathe' score full/run - <<< '{\"ids\": [1, 2]}'"
  umount full
else
  echo 'SKIPPED: a full disk (needs root and tmpfs)'
fi
cp -r run broken
printf x | dd of=broken/checkpoints/step-00000030/weights.safetensors bs=1 seek=5000 conv=notrunc 2> /dev/null
check 'a damaged checkpoint is passed over' \
  bash -c "'$lathe' score broken - 2>&1 <<< '{\"ids\": [1, 2]}' | grep -q 'not a valid checkpoint'"

finish
