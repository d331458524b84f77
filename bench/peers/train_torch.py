"""Speed of one training step of PyTorch on this CPU; prints one JSON line.

python train_torch.py --shape 10m --mode compile-bf16
Modes: eager-fp32, compile-fp32, eager-bf16, compile-bf16 (bf16 = autocast over f32 weights).
A step: forward, backward, gradient clipping at 1.0, fused AdamW. Causal attention, one document a row.
tokens_per_second is that of the median step after the warm-up. On a machine that others use as well,
--threads 1 and cpu_seconds still compare two modes.
"""

import argparse
import contextlib
import json
import os
import resource
import statistics
import time

SHAPES = {
    "10m": (dict(layers=6, width=320, heads=5, kv_heads=5, hidden=864, vocab=8192), 512, 8),
    "135m": (dict(layers=30, width=576, heads=9, kv_heads=3, hidden=1536, vocab=49152), 1024, 2),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="10m")
    parser.add_argument("--mode", default="compile-bf16",
                        choices=[f"{a}-{b}" for a in ("eager", "compile") for b in ("fp32", "bf16")])
    parser.add_argument("--rows", type=int, help="rows a step")
    parser.add_argument("--micro-rows", type=int, help="rows a micro-batch, all of them by default")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--compile-mode", default="default",
                        help="torch.compile's mode, for example max-autotune-no-cudagraphs")
    parser.add_argument("--chunked-loss", action="store_true",
                        help="torch's linear_cross_entropy in chunks")
    parser.add_argument("--attention", choices=("fused", "written-out"), default="fused",
                        help="PyTorch's kernel, or matrix products that torch.compile may fuse")
    parser.add_argument("--f32-precision", choices=("highest", "high", "medium"), default="highest",
                        help="torch.set_float32_matmul_precision")
    return parser.parse_args()


def training_flops(config, parameters, rows, tokens):
    """6 a parameter and token, and causal attention: 12 L C T a token, halved by the mask."""
    return rows * tokens * (6 * parameters + 6 * config.layers * config.width * tokens)


def make_step(torch, model, options, batch):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    run = model
    if options.mode.startswith("compile"):
        run = torch.compile(model, mode=options.compile_mode)
    half = options.mode.endswith("bf16")
    context = lambda: torch.autocast("cpu", torch.bfloat16) if half else contextlib.nullcontext()
    count = batch.shape[0] * (batch.shape[1] - 1)

    def step():
        total = 0.0
        for part in batch.split(options.micro_rows):
            with context():
                loss = run(part[:, :-1], part[:, 1:]) / count
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return total

    return step


def main():
    options = arguments()
    import torch

    import llama_torch

    torch.set_num_threads(options.threads)
    torch.set_float32_matmul_precision(options.f32_precision)
    torch.manual_seed(0)
    shape, context, rows = SHAPES[options.shape]
    config = llama_torch.Config(**shape)
    options.rows = options.rows or rows
    options.micro_rows = options.micro_rows or options.rows
    model = llama_torch.Llama(
        config, context, options.chunked_loss, options.attention == "written-out"
    )
    torch.nn.init.normal_(model.model.embed_tokens.weight, std=0.02)
    batch = torch.randint(0, config.vocab, (options.rows, context + 1))
    step = make_step(torch, model, options, batch)
    began = time.perf_counter()
    for _ in range(options.warmup):
        loss = step()
    warmup = time.perf_counter() - began
    times, work = [], []
    for _ in range(options.steps):
        began, worked = time.perf_counter(), time.process_time()
        loss = step()
        times.append(time.perf_counter() - began)
        work.append(time.process_time() - worked)
    parameters = sum(p.numel() for p in model.parameters())
    median = statistics.median(times)
    flops = training_flops(config, parameters, options.rows, context)
    print(json.dumps({
        "peer": f"torch {torch.__version__}", "shape": options.shape, "mode": options.mode,
        "compile_mode": options.compile_mode, "chunked_loss": options.chunked_loss,
        "attention": options.attention, "f32_precision": options.f32_precision, "threads": options.threads,
        "rows": options.rows, "micro_rows": options.micro_rows, "context": context,
        "parameters": parameters, "isa": torch.backends.cpu.get_cpu_capability(),
        "tokens_per_second": round(options.rows * context / median, 1),
        "gflops": round(flops / median / 1e9, 1),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "warmup_seconds": round(warmup, 1), "step_seconds": [round(t, 3) for t in times],
        "cpu_seconds": [round(t, 3) for t in work],
        "loss": loss,
    }), flush=True)


if __name__ == "__main__":
    main()
