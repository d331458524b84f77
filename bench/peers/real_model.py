"""A real model through Lathe and through its peers: the same weights, the same ids.

greedy    HF_FOLDER MODEL  transformers (f32) writes 128 tokens after each of 20 prompts, always the
                           likeliest; Lathe scores them. A token is the same where it is Lathe's
                           likeliest too; where it is not, the gap of the two is shown. Then Lathe
                           writes 128 tokens itself, which must be the same up to such a tie.
logits    HF_FOLDER MODEL  start to first logits: seconds and peak memory of both, in turns

HF_FOLDER: what transformers opens; MODEL: what Lathe opens (the same folder, a GGUF file, ...).

    python real_model.py greedy smollm2/ SmolLM2-135M-Instruct.Q4_1.gguf --lathe build/release/lathe
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

PROMPTS = [
    "The capital of France is", "Once upon a time there was a girl who", "def fibonacci(n):",
    "Water boils at", "The three branches of government are", "To make bread you need",
    "In 1492", "Q: What is 17 plus 25?\nA:", "The mitochondria is", "Dear Sir or Madam,\n",
    "SELECT name FROM users WHERE", "Photosynthesis is the process by which",
    "1, 1, 2, 3, 5, 8,", "Die Hauptstadt von Deutschland ist", "The opposite of hot is",
    "import numpy as np\n\n", "Shakespeare wrote", "<html>\n<head>\n", "The moon goes round",
    "A list of fruits: apple,",
]
TIE = 1e-3  # gaps below this are ties


def continuations(options):
    """Ids of each prompt and of what transformers adds, likeliest token first."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    torch.set_num_threads(options.threads)
    model = AutoModelForCausalLM.from_pretrained(options.folder, dtype=torch.float32)
    model.generation_config.eos_token_id = None
    tokenizer = AutoTokenizer.from_pretrained(options.folder)
    texts = []
    for prompt in PROMPTS[: options.prompts]:
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        # Without an end token the text simply goes on, as with lathe generate --ignore-end.
        with torch.no_grad():
            out = model.generate(ids, max_new_tokens=options.tokens, do_sample=False,
                                 eos_token_id=None, repetition_penalty=1.0)
        texts.append((ids.shape[1], out[0].tolist()))
    return texts


def lathe_scores(options, texts):
    lines = "".join(json.dumps({"ids": ids}) + "\n" for _, ids in texts)
    command = [options.lathe, "score", options.model, "-", "--top", "2", "--compute", options.compute]
    out = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def lathe_texts(options, texts):
    """What Lathe itself adds to the prompts."""
    lines = "".join(json.dumps({"ids": ids[:start], "tokens": options.tokens}) + "\n"
                    for start, ids in texts)
    command = [options.lathe, "generate", options.model, "--jsonl", "-", "--temp", "0", "--ignore-end",
               "--compute", options.compute]
    out = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout
    return [json.loads(line)["ids"] for line in out.splitlines()]


def greedy(options):
    texts = continuations(options)
    differ = ties = same = written = wrong = 0
    rows = zip(texts, lathe_scores(options, texts), lathe_texts(options, texts), PROMPTS)
    for (start, ids), scores, own, prompt in rows:
        notes, tied = [], set()
        for i in range(start, len(ids)):
            best, second = scores["top"][i]
            if best[1] - second[1] < TIE:
                tied.add(i)
            if best[0] == ids[i]:
                continue
            gap = best[1] - scores["logprobs"][i]
            ties += gap < TIE
            differ += gap >= TIE
            notes.append(f"token {i - start}: gap {gap:.2g}")
        same += not notes
        parts = next((i for i in range(start, len(ids)) if own[i - start] != ids[i]), None)
        written += parts is None
        if parts is not None:
            wrong += parts not in tied
            notes.append(f"own text parts at token {parts - start}"
                         + (", a tie" if parts in tied else ", NOT a tie"))
        print(f"{'same' if not notes else '; '.join(notes):40} {prompt!r}")
    print(f"{same} of {len(texts)} texts of {options.tokens} tokens the same, {ties} tokens are ties "
          f"(gap below {TIE}), {differ} differ; of Lathe's own texts {written} the same, {wrong} part "
          "where there is no tie")
    return differ == 0 and wrong == 0


FIRST_LOGITS = """
import sys, torch
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
with torch.no_grad():
    print(model(torch.tensor([[504, 2365, 6354]])).logits[0, -1, :3])
"""


def child(command, text=None):
    """(seconds, peak bytes) of a command."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    if text:
        process.stdin.write(text.encode())
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{command}: status {status}")
    return time.perf_counter() - begun, usage.ru_maxrss * 1024


def logits(options):
    rows = {"lathe": [], "transformers": []}
    for _ in range(options.rounds):
        rows["lathe"].append(child([options.lathe, "score", options.model, "-"],
                                   '{"ids": [504, 2365, 6354]}\n'))
        rows["transformers"].append(child([sys.executable, "-c", FIRST_LOGITS, options.folder]))
    for name, runs in rows.items():
        seconds, peak = (statistics.median(column) for column in zip(*runs))
        print(f"{name:14} {seconds:8.3f} s {peak / 1e6:8.1f} MB")
    ratio = [statistics.median(column) for column in zip(*rows["transformers"])]
    ours = [statistics.median(column) for column in zip(*rows["lathe"])]
    print(f"{ratio[0] / ours[0]:.1f}x as fast, {ours[1] / ratio[1]:.2f}x the memory")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("work", choices=("greedy", "logits"))
    parser.add_argument("folder")
    parser.add_argument("model")
    parser.add_argument("--lathe", default="build/release/lathe")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--compute", default="f32", help="type of Lathe's products (greedy)")
    options = parser.parse_args()
    sys.exit(0 if {"greedy": greedy, "logits": logits}[options.work](options) else 1)


if __name__ == "__main__":
    main()
