"""Checks the twin against Hugging Face: golden llama fixtures as a dump, their AdamW losses as truth.

python golden_dump.py          trains both llama fixtures for ten steps and compares the losses
"""

import json
import pathlib
import subprocess
import sys
import tempfile

from safetensors.numpy import load_file, save_file

import dump

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parents[1] / "tests/golden/models"
LIMIT = 1e-5  # relative; transformers' eager attention and the fused kernel round differently


def write_dump(name, folder):
    note = json.loads((MODELS / f"{name}.json").read_text())
    tensors = load_file(MODELS / f"{name}.safetensors")
    config, adamw, groups = note["config"], note["adamw"], note["groups"]
    step_count, rows, width = tensors["train.ids"].shape
    manifest = {
        "format": 1, "rows": rows, "width": width, "steps": step_count,
        "vocab": config["vocab_size"],
        "config": {
            "kind": "llama", "layers": config["num_hidden_layers"], "width": config["hidden_size"],
            "heads": config["num_attention_heads"], "kv_heads": config["num_key_value_heads"],
            "hidden": config["intermediate_size"], "vocab": config["vocab_size"],
            "tied": config["tie_word_embeddings"], "norm_eps": config["rms_norm_eps"],
            "rope_theta": config["rope_parameters"]["rope_theta"],
        },
        "optimizer": {
            "kind": "adamw", "betas": adamw["betas"], "eps": adamw["eps"],
            "weight_decay": adamw["weight_decay"], "clip": note["training"]["adamw"]["clip"],
            "decay": groups["decay"], "no_decay": groups["no_decay"],
        },
        "lrs": [adamw["lr"]] * step_count,
        "valid": {"rows": rows, "batches": step_count, "bytes": 1000, "at_steps": [0, step_count]},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    names = {"tokens": "ids", "targets": "targets", "positions": "positions",
             "document_starts": "document_start", "weights": "weights"}
    batches = [{p: tensors[f"train.{n}"][i] for p, n in names.items()} for i in range(step_count)]
    dump.write_split(folder, "train", batches)
    dump.write_split(folder, "valid", batches)
    parameters = groups["decay"] + groups["no_decay"]
    save_file({k: tensors[k] for k in parameters}, folder / "init.safetensors")
    return note["training"]["adamw"]["losses"]


def main():
    failed = False
    for name in ("llama", "llama_tied"):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            truth = write_dump(name, folder)
            for options in (["--eager"], ["--eager", "--micro-rows", "2", "--attention", "written-out"]):
                out = folder / "losses.jsonl"
                command = [sys.executable, HERE / "train_run_torch.py", folder, "--out", out]
                subprocess.run([*command, "--threads", "1", *options], check=True)
                lines = [json.loads(line) for line in out.read_text().splitlines()]
                losses = [line["loss"] for line in lines if "loss" in line]
                worst = max(abs(a - b) / b for a, b in zip(losses, truth, strict=True))
                failed |= not worst <= LIMIT
                print(name, *options, "worst relative difference", worst)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
