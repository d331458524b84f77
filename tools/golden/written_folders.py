"""Does transformers open what Lathe writes? Every golden case, through `lathe convert`.

python tools/golden/written_folders.py PATH_OF_LATHE [CASE...]

Each network of families.py is saved by transformers, converted by Lathe into a folder, and into a GGUF
file and back into a folder. transformers opens both, must find each tensor and no other, and must
compute the logits of the original. Exit status: 0 equal, 1 different.
"""

import pathlib
import subprocess
import sys
import tempfile

import families

LIMIT = 1e-5  # largest difference over largest magnitude


def problem_of(folder, ids, expected):
    import torch
    from transformers import AutoModelForCausalLM

    model, info = AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32, output_loading_info=True)
    found = {key: value for key, value in info.items() if value}
    if found:
        return str(found)
    with torch.no_grad():
        logits = model.eval()(torch.tensor([ids])).logits[0]
    worst = float((logits - expected).abs().max() / expected.abs().max())
    return None if worst <= LIMIT else f"logits differ by {worst:.2g}"


def check(lathe, case, work):
    import torch

    ids = families.ids_of(families.TOKENS)
    model, _ = families.build(case, torch.float32)
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits[0]
    model.save_pretrained(work / "source")
    for target, source in (("folder", "source"), ("model.gguf", "source"), ("back", "model.gguf")):
        done = subprocess.run([lathe, "convert", work / source, work / target], capture_output=True, text=True)
        if done.returncode != 0:
            yield f"{source} -> {target}: {done.stderr.strip()}"
            return
    for target in ("folder", "back"):
        problem = problem_of(work / target, ids, expected)
        if problem:
            yield f"{target}: {problem}"


def main(lathe, cases):
    import transformers

    transformers.logging.set_verbosity_error()
    problems = 0
    for case in cases or families.CASES:
        with tempfile.TemporaryDirectory() as work:
            for problem in check(lathe, case, pathlib.Path(work)):
                problems += 1
                print(f"{case}: {problem}", flush=True)
    print(f"{len(cases or families.CASES)} networks, {problems} problem(s)")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
