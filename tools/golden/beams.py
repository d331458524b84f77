"""Golden fixture of beam search: what transformers finds on the tiny models of tests/golden/models.

python tools/golden/beams.py [OUT]      (default OUT: tests/golden/beams.json)

Each case: model, prompt, settings of generate(num_beams=...), and all returned sequences (new ids,
a stop id included) with their scores. Cases whose order hangs on less than 1e-4 are left out: there
rounding decides.
"""

import hashlib
import json
import pathlib
import random
import sys

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

import versions

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "tests/golden/models"
CASES = 24
CLEAR = 1e-4


def load(name):
    facts = dict(json.loads((MODELS / f"{name}.json").read_text())["config"])
    config = AutoConfig.for_model(facts.pop("model_type"), **facts)
    model = AutoModelForCausalLM.from_config(config).float().eval()
    stored = {k: v for k, v in load_file(MODELS / f"{name}.safetensors").items()}
    wanted = model.state_dict()
    model.load_state_dict({k: stored[k] for k in wanted if k in stored}, strict=False)
    model.tie_weights()
    return model


def search(model, case):
    ids = torch.tensor([case["prompt"]])
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        num_beams=case["width"],
        num_return_sequences=case["width"],
        max_new_tokens=case["tokens"],
        length_penalty=case["length_penalty"],
        early_stopping=case["early_stopping"],
        eos_token_id=case["stop_ids"] or None,
        pad_token_id=96,
        do_sample=False,
        output_scores=True,
        return_dict_in_generate=True,
    )
    beams = []
    for row, score in zip(out.sequences.tolist(), out.sequences_scores.tolist(), strict=True):
        new = row[len(case["prompt"]) :]
        for at, token in enumerate(new):
            if token in case["stop_ids"]:
                new = new[: at + 1]
                break
        beams.append({"ids": new[: case["tokens"]], "score": score})
    return beams


def main(out):
    torch.set_num_threads(1)
    rng = random.Random(7)
    cases = []
    for name in ("llama", "llama_tied", "gpt2"):
        model = load(name)
        for _ in range(CASES):
            case = {
                "model": name,
                "prompt": [rng.randrange(97) for _ in range(rng.randrange(1, 9))],
                "width": rng.choice([1, 2, 3, 5]),
                "tokens": rng.choice([1, 4, 9, 14]),
                "length_penalty": rng.choice([1.0, 1.0, 0.0, 2.0, -0.5]),
                "early_stopping": rng.choice([False, False, True]),
                "stop_ids": sorted(rng.sample(range(97), rng.choice([0, 1, 8, 20]))),
            }
            if case["width"] == 1:
                case["width"] = 2
            case["beams"] = search(model, case)
            scores = [b["score"] for b in case["beams"]]
            if all(a - b > CLEAR for a, b in zip(scores, scores[1:])):
                cases.append(case)
    made = {k: v for k, v in versions.stamp().items() if k != "script_sha256"}
    made["script_sha256"] = hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()
    text = ",\n".join(json.dumps(c) for c in cases)
    pathlib.Path(out).write_text(f'{{"made_with": {json.dumps(made)}, "cases": [\n{text}\n]}}\n')
    stopped = sum(b["ids"][-1] in c["stop_ids"] for c in cases for b in c["beams"])
    print(f"{len(cases)} cases, {stopped} beams end at a stop id")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ROOT / "tests/golden/beams.json")
