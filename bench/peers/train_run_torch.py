"""The PyTorch twin of a Lathe training run: same weights, batches, schedule and groups, in f32.

python train_run_torch.py DUMP --out losses.jsonl        (DUMP: see README.md)

One JSON line a step: step, tokens, loss (nats per target), lr, gradient_norm, tokens_per_second; and
one line a validation: step, valid_loss, valid_bpb.
"""

import argparse
import json
import math
import os
import resource
import time

import torch
from safetensors.torch import load_file, save_file

import dump
import llama_torch


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dump")
    parser.add_argument("--out", required=True)
    parser.add_argument("--save", help="write the final weights to this safetensors file")
    parser.add_argument("--steps", type=int, help="stop early")
    parser.add_argument("--micro-rows", type=int, help="rows a micro-batch, all of them by default")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--eager", action="store_true", help="without torch.compile")
    parser.add_argument("--bf16", action="store_true", help="bf16 autocast instead of f32")
    parser.add_argument("--attention", choices=("fused", "written-out"), default="fused")
    return parser.parse_args()


def refuse_what_differs(manifest):
    """The twin is a llama under AdamW with heads that fill the width, and nothing else."""
    config, optimizer = manifest["config"], manifest["optimizer"]
    if config["kind"] != "llama" or optimizer["kind"] != "adamw":
        raise SystemExit(f"manifest.json: expected llama and adamw, got {config['kind']} and "
                         f"{optimizer['kind']}")
    if config.get("head_size", config["width"] // config["heads"]) * config["heads"] != config["width"]:
        raise SystemExit("manifest.json: heads x head_size is not the width")


def build(source, options):
    m = source.manifest
    refuse_what_differs(m)
    known = llama_torch.Config.__dataclass_fields__
    config = llama_torch.Config(**{k: v for k, v in m["config"].items() if k in known})
    splits = [s for s in (source.train, source.valid) if s is not None]
    positions = 1 + max(int(s.arrays["positions"].max()) for s in splits)
    model = llama_torch.Llama(config, positions, written_out=options.attention == "written-out")
    model.load_state_dict(load_file(source.weights_path), strict=True)
    return model


def make_optimizer(model, settings):
    named = dict(model.named_parameters())
    listed = settings["decay"] + settings["no_decay"]
    if sorted(listed) != sorted(named):
        raise SystemExit(f"decay groups: differ by {sorted(set(listed) ^ set(named))}")
    groups = [
        {"params": [named[k] for k in settings["decay"]], "weight_decay": settings["weight_decay"]},
        {"params": [named[k] for k in settings["no_decay"]], "weight_decay": 0.0},
    ]
    groups = [g for g in groups if g["params"]]
    betas = tuple(settings["betas"])
    return torch.optim.AdamW(groups, lr=0.0, betas=betas, eps=settings["eps"], fused=True)


def document_mask(starts):
    """Bool [B,1,T,T]: true where t and s lie in one document and s <= t."""
    column = torch.arange(starts.shape[1])
    same = starts[:, :, None] == starts[:, None, :]
    return (same & (column[:, None] >= column[None, :]))[:, None]


def inputs_of(batch, rows):
    """What Llama.forward takes, for some rows of a batch."""
    part = {k: torch.from_numpy(v[rows]) for k, v in batch.items()}
    return (
        part["tokens"].long(),
        part["targets"].long(),
        part["positions"].long(),
        document_mask(part["document_starts"]),
        part.get("weights"),
    )


def target_weight(batch):
    supervised = batch["targets"] >= 0
    return float((batch["weights"] * supervised).sum() if "weights" in batch else supervised.sum())


class Twin:
    def __init__(self, source, options):
        self.source, self.options = source, options
        self.model = build(source, options)
        self.run = self.model if options.eager else torch.compile(self.model)
        self.optimizer = make_optimizer(self.model, source.manifest["optimizer"])
        self.clip = source.manifest["optimizer"]["clip"]

    def sum_of_losses(self, batch, rows):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.options.bf16):
            return self.run(*inputs_of(batch, rows))

    def step(self, index):
        began = time.perf_counter()
        batch = self.source.train.batch(index)
        rows, weight, total = len(batch["tokens"]), target_weight(batch), 0.0
        micro = self.options.micro_rows or rows
        for first in range(0, rows, micro):
            loss = self.sum_of_losses(batch, slice(first, first + micro)) / weight
            loss.backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip).item()
        lr = self.source.manifest["lrs"][index]
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        seconds = time.perf_counter() - began
        size = batch["tokens"].size
        return {"step": index + 1, "tokens": (index + 1) * size, "loss": total, "lr": lr,
                "gradient_norm": norm, "tokens_per_second": round(size / seconds, 1)}

    @torch.no_grad()
    def validate(self, step):
        total, weight = 0.0, 0.0
        for index in range(self.source.valid.count):
            batch = self.source.valid.batch(index)
            total += self.sum_of_losses(batch, slice(None)).item()
            weight += target_weight(batch)
        size = self.source.manifest["valid"]["bytes"]
        return {"step": step, "valid_loss": total / weight, "valid_bpb": total / math.log(2) / size}


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    source = dump.Dump(options.dump)
    twin = Twin(source, options)
    at = set(source.manifest["valid"]["at_steps"]) if source.valid else set()
    steps = min(options.steps or source.train.count, source.train.count)
    with open(options.out, "w", encoding="utf-8") as out:
        def write(record):
            out.write(json.dumps(record) + "\n")
            out.flush()

        if 0 in at:
            write(twin.validate(0))
        for index in range(steps):
            write(twin.step(index))
            if index + 1 in at:
                write(twin.validate(index + 1))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        write({"peak_rss_bytes": peak, "torch": torch.__version__, "threads": options.threads})
    if options.save:
        save_file({k: p.detach() for k, p in twin.model.named_parameters()}, options.save)


if __name__ == "__main__":
    main()
