#!/bin/bash
# What a model is for, with a tiny one made on the spot: texts, batches, beams, perplexity, and a
# conversation through a pipe, under Ctrl-C, and on a terminal.   speak.sh PATH_OF_LATHE
set -u
. "$(dirname "$0")/checks.sh"
export LATHE_HOME=$work/home

talk() {  # talk LINES [OPTIONS]: what chat prints, notes included
  printf '%b' "$1" | "$lathe" chat run --seed 5 "${@:2}" 2>&1
}
json() { python3 -c "import json,sys; rows=[json.loads(l) for l in open('$1')]; $2"; }

cat "$root"/*.md "$root"/docs/*.md "$root"/docs/*/*.md > train.txt
head -c 20000 train.txt > valid.txt
"$lathe" tokenizer train train.txt --vocab 400 --out tok.json > out.txt 2>&1 || fail tokenizer
cat > tiny.toml << 'END'
seed = 5
[model]
layers = 2
width = 32
heads = 2
[tokenizer]
path = "tok.json"
[data]
train = [{path = "train.txt", split = "paragraph"}]
valid = [{path = "valid.txt", split = "paragraph"}]
[train]
context = 257
batch_tokens = 1028
micro_tokens = 1028
tokens = 20560
[optimizer]
lr = 1e-2
[checkpoint]
every_steps = 100
END
"$lathe" train tiny.toml --out run > out.txt 2>&1 || fail train

# Texts.
shows 'a file' '^ *The ' "$lathe" generate run -f <(printf 'The ') -n 5
shows 'standard input' 'tape' bash -c "printf 'The tape' | '$lathe' generate run -n 3"
check 'JSON' bash -c "'$lathe' generate run -p 'The ' -n 12 --json --samples 3 --seed 7 --ignore-end > s.jsonl"
check 'JSON tells all' json s.jsonl "
assert [r['seed'] for r in rows] == [7, 8, 9], rows
assert all(len(r['ids']) == r['new_tokens'] == 12 and r['stop'] == 'length' for r in rows)
assert rows[0]['text'] != rows[1]['text'] and rows[1]['cached_tokens'] > 0"
check 'a seed of its own' bash -c "'$lathe' generate run -p 'The ' -n 12 --json --seed 8 --ignore-end > one.jsonl"
check 'a sample is repeated by its seed' python3 -c "
import json
s = [json.loads(l) for l in open('s.jsonl')]; one = json.loads(open('one.jsonl').read())
assert s[1]['ids'] == one['ids'] and s[1]['text'] == one['text']"
check 'greedy' bash -c "'$lathe' generate run -p 'The ' -n 12 --json --temp 0 --ignore-end > greedy.jsonl"
first=$(json greedy.jsonl "print(rows[0]['ids'][0])")
check 'a forbidden token' bash -c "'$lathe' generate run -p 'The ' -n 12 --json --temp 0 --logit-bias $first=never > never.jsonl"
check 'does not come' json never.jsonl "assert $first not in rows[0]['ids']"
refused 2 'expected ID=NUMBER' "$lathe" generate run -p x --logit-bias a=1
refused 2 "there is no 'top_kk'" "$lathe" generate run -p x --samplers top_kk
shows 'another order' . "$lathe" generate run -p x -n 3 --samplers 'temperature;top-p'
check 'every sampler at once' "$lathe" generate run -p 'The ' -n 8 --typical 0.9 --top-n-sigma 2 \
  --xtc-probability 0.5 --dynatemp-range 0.3 --repeat-penalty 1.1 --dry-multiplier 0.8 --min-keep 2
check 'mirostat' "$lathe" generate run -p 'The ' -n 8 --mirostat 2 --mirostat-ent 4
check 'beams' bash -c "'$lathe' generate run -p 'The ' -n 8 --beams 4 --samples 4 --json > beams.jsonl"
check 'beams come by score' json beams.jsonl "
scores = [r['score'] for r in rows]
assert len(rows) == 4 and scores == sorted(scores, reverse=True), scores"
for cache in auto f32 bf16 q8_0; do
  check "a cache of $cache" bash -c "'$lathe' perplexity run valid.txt --context 128 --chunks 6 --json \
    --compute f32 --cache-type $cache >> caches.jsonl"
done
check 'what it rounds hardly matters' json caches.jsonl "
p = [r['perplexity'] for r in rows]
assert p[0] == p[1] and p[2] != p[1] and p[3] != p[1], p
assert all(abs(x / p[1] - 1) < 0.01 for x in p), p"
refused 2 'cache-type' "$lathe" generate run -p x --cache-type q4_0
stop=$(json greedy.jsonl "t=rows[0]['text']; print(t[3:6])")
check 'stop' "$lathe" generate run -p 'The ' -n 12 --json --temp 0 --ignore-end --stop "$stop"
checks=$((checks + 1))
grep -q '"stop":"stop_text"\|"stop": "stop_text"' out.txt || fail 'a stop string ends the text'

# Batches.
printf '%s\n' '{"prompt": "The ", "id": 1, "tokens": 4}' '{"ids": [5, 6, 7], "temperature": 0}' \
  '{"promt": "x"}' '{"prompt": "A", "temperature": 1000}' '' \
  '{"messages": [{"role": "user", "content": "Hi"}], "tokens": 3}' > in.jsonl
refused 2 '2 of 5 lines could not be answered' "$lathe" generate run --jsonl in.jsonl -n 6
"$lathe" generate run --jsonl in.jsonl -n 6 > answers.jsonl 2> /dev/null
check 'a batch' json answers.jsonl "
assert len(rows) == 5 and rows[0]['id'] == 1 and rows[0]['new_tokens'] <= 4
assert 'prompt' in rows[2]['error'] and rows[2]['line'] == 3 and 'temperature' in rows[3]['error']
assert 'text' in rows[1] and 'text' in rows[4]

assert rows[0]['prompt_tokens'] == $(json greedy.jsonl "print(rows[0]['prompt_tokens'])"), 'a prompt is read as with -p'
assert rows[4]['prompt_tokens'] > rows[0]['prompt_tokens']"

# A model without tokenizer speaks in ids.
check 'a folder' "$lathe" convert run bare
rm -f bare/tokenizer*.json
printf '%s\n' '{"ids": [5, 6, 7]}' '{"prompt": "The "}' > bare.jsonl
refused 2 '1 of 2 lines could not be answered' "$lathe" generate bare --jsonl bare.jsonl -n 6
"$lathe" generate bare --jsonl bare.jsonl -n 6 --temp 0 --ignore-end > answers.jsonl 2> /dev/null
check 'ids without words' json answers.jsonl "
assert len(rows[0]['ids']) == 6 and 'text' not in rows[0] and 'tokenizer' in rows[1]['error']"
refused 3 'give tokens' "$lathe" generate bare -p 'The '

# Perplexity.
check 'perplexity' bash -c "'$lathe' perplexity run valid.txt --context 64 --chunks 9 --json > p.json"
check 'perplexity counts by the protocol' json p.json "
r = rows[0]
assert r['chunks'] == 9 and r['scored_tokens'] == 9 * 31 and 1 < r['perplexity'] < 400 and r['error'] > 0"
refused 2 'at least 512 tokens' bash -c "printf 'short' > short.txt; '$lathe' perplexity run short.txt --context 256"

# Speed.
check 'speed' bash -c "'$lathe' bench run -p 16 -n 4 -d 0,8 --batch 1,2 -r 2 --json > speed.jsonl"
check 'speed counts' json speed.jsonl "
works = [r['work'] for r in rows]
assert works == ['load', 'pp16', 'tg4', 'tg4 x2', 'pp16 @ d8', 'tg4 @ d8', 'tg4 @ d8 x2', 'encode'], works
assert all(r['value'] > 0 and len(r['samples']) == 2 and r['isa'] for r in rows)
assert all(0 < r['share_of_compute'] < 1 and r['gflops'] > 0 for r in rows[1:-1])"
shows 'speed as a table' '^tg4 .*tokens/s.*% of' "$lathe" bench run --only decode -n 4 -r 1
refused 2 'everything not in' "$lathe" bench run --only everything
refused 3 'nowhere' "$lathe" bench nowhere
refused 6 'cache of tg4 @ d16000000 x4096' "$lathe" bench run --only decode -n 4 -d 16000000 --batch 4096
refused 3 'no-text' "$lathe" bench run --only encode --text no-text
shows 'speed of training a recipe' '^train .*T257' "$lathe" bench --only train --train tiny.toml -r 1

# What a step consists of.
check 'a quantised model' "$lathe" convert run small.gguf --type q8_0
shows 'norm, quantisation, products and gate are one op' \
  ' rms_norm[+]linears_quantised[+]gated +[0-9]+ ' "$lathe" explain --plan small.gguf
shows 'a residual is added by its product' ' linear_quantised[+]add +[0-9]+ ' \
  "$lathe" explain --plan small.gguf --rows 3 --depth 9
check 'the plan of a prompt' bash -c "'$lathe' explain --plan run --tokens 20 --json | tr -d '\n' > plan.json"
check 'the plan adds up' json plan.json "
step = rows[0]['graphs'][0]
assert step['ops'] and abs(sum(op['flops'] for op in step['ops']) - step['flops']) < 1
assert all(op['share'] >= 0 and op['limit'] in ('FLOP/s', 'bytes/s') for op in step['ops'])"

# A conversation.
talk 'Hello\nAnd then?\n/tokens\n' -n 12 > a.txt
talk 'Hello\nAnd then?\n/tokens\n' -n 12 > b.txt
check 'equal seeds, equal conversations' cmp a.txt b.txt
shows 'tokens are counted' '[0-9]+ of 256|257 tokens of context are used' cat a.txt
shows 'no template is said' 'no chat template' cat a.txt
shows 'commands go on' 'taken back; 2 messages' \
  talk 'One\nTwo\n/undo\n/retry\n/set temperature 0\n/set\n/history\n/quit\nnever\n' -n 5
shows 'a wrong command is named' "there is no /undu; did you mean '/undo'" talk '/undu\n'
shows 'a wrong value is named' 'temperature' talk '/set temperature much\n'
check 'saved' talk 'Hello\n/system Be brief.\n/save talk.json\n' -n 5
check 'saved as JSON' python3 -c "
import json
m = json.load(open('talk.json'))['messages']
assert [x['role'] for x in m] == ['system', 'user', 'assistant'], m"
shows 'loaded' '^user: Hello' talk '/load talk.json\n/history\n'
shows 'a file that is no conversation' 'in.jsonl' talk '/load in.jsonl\n'
shows 'cleared' '^0 of ' talk 'Hello\n/clear\n/tokens\n' -n 5
shows 'nothing is cut' 'the context is full: .*/undo or /clear' \
  talk 'one two three four five six seven eight nine ten eleven twelve\n' --context 24
shows 'an answer ends where the context does' 'the context of 40 tokens is full' \
  talk 'Hi\n' --context 40 --logit-bias 0=never
shows 'a template' '.' talk 'Hi\n' -n 4 --template <(printf '%s' \
  '{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}')

# Ctrl-C stops the answer and not the program.
mkfifo pipe
end=$(python3 -c "import json; print(json.load(open('tok.json'))['added_tokens'][0]['id'])")
"$lathe" chat run --seed 5 --temp 3 --top-k 0 --min-p 0 --top-p 1 --context 200000 -n 199000 --logit-bias "$end=never" < pipe > stopped.txt 2>&1 &
chat=$!
exec 3> pipe
echo 'Tell me all' >&3
for _ in $(seq 100); do [ "$(wc -c < stopped.txt)" -gt 400 ] && break; sleep 0.1; done
kill -INT $chat
for _ in $(seq 100); do grep -q '(stopped)' stopped.txt && break; sleep 0.1; done
echo '/tokens' >&3
exec 3>&-
wait $chat
status=$?
checks=$((checks + 1))
cp stopped.txt out.txt
[ $status = 0 ] && grep -q '(stopped)' stopped.txt && grep -q 'tokens of context are used' stopped.txt ||
  fail "Ctrl-C: status $status"

# A terminal: editing, and the ways to leave.
cat > terminal.py << 'END'
import os, pty, select, signal, sys, time

def talk(steps):
    """Runs chat on a terminal; each step waits for a text, then types."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(sys.argv[1], [sys.argv[1], "chat", "run", "--seed", "5", "-n", "4"])
    seen = ""
    def wait_for(text):
        nonlocal seen
        end = time.time() + 60
        while text not in seen:
            if time.time() > end or not select.select([fd], [], [], 60)[0]:
                raise SystemExit(f"waited for {text!r} in {seen!r}")
            try:
                seen += os.read(fd, 4096).decode(errors="replace")
            except OSError:
                break
        seen = seen[seen.find(text) + len(text):]
    for text, keys in steps:
        wait_for(text)
        time.sleep(0.3)  # the prompt is there a moment before the editor listens
        os.write(fd, keys.encode())
    deadline = time.time() + 60
    while True:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                if not os.read(fd, 4096):
                    pass
            except OSError:
                pass
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.time() > deadline:
            os.kill(pid, signal.SIGKILL)
            raise SystemExit(f"did not leave; {seen!r}")

# Backspace, a completed command, Ctrl-D at an empty line.
assert talk([("> ", "Hex\x7fllo\n"), ("left", ""), ("> ", "/tok\t\n"), ("are used", ""), ("> ", "\x04")]) == 0
# Ctrl-C at an empty line asks, a second one leaves.
assert talk([("> ", "\x03"), ("once more", ""), ("> ", "\x03")]) == 0
# Between the two a line was typed: it stays. Then /quit.
assert talk([("> ", "\x03"), ("once more", ""), ("> ", "/tokens\n"), ("are used", ""), ("> ", "\x03"), ("once more", ""), ("> ", "/quit\n")]) == 0
END
check 'a terminal' python3 terminal.py "$lathe"

finish
