"""Lathe and its peers in turns, each in a process of its own; called by run.sh.

Works: train10m, train135m (tokens/s and peak memory against PyTorch), tokenizer (training against
tokenizers, encoding against tiktoken); those of inference.py against llama.cpp. Prints a table, and
one JSON line a row into --json:
{"work", "isa", "lathe", "peer", "peer_name", "ratio", "unit", "lathe_spread", "peer_spread", "rounds"}.
lathe, peer: medians over the rounds; spread: (largest - smallest) / median. ratio is lathe / peer for
speeds (above 1 Lathe is faster), and for memory and times (below 1 Lathe needs less).
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import sys
import tempfile
import time

import inference
import isa
from measure import Series, Table, run_child

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]

# What is tried before the rounds, by what the processor multiplies. The first tries of PyTorch on a
# processor without AVX512-BF16 leave bf16 out: it runs there at a hundredth of f32.
F32_MODES = (
    ["--mode", "eager-fp32"],
    ["--mode", "compile-fp32"],
    ["--mode", "compile-fp32", "--attention", "written-out"],
)
BF16_MODES = (
    ["--mode", "eager-bf16"],
    ["--mode", "compile-bf16"],
    ["--mode", "compile-bf16", "--chunked-loss"],
    ["--mode", "compile-bf16", "--attention", "written-out"],
)
# name -> (config, tokens a step, warm-up steps, timed steps)
SHAPES = {"10m": ("bench_10m.toml", 4096, 3, 8), "135m": ("bench_135m.toml", 2048, 1, 4)}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("works", nargs="+", choices=("train10m", "train135m", "tokenizer", *inference.WORKS))
    parser.add_argument("--lathe", default=str(ROOT / "build/release/lathe"))
    parser.add_argument("--python", required=True, help="the python of setup.sh")
    parser.add_argument("--text", help="English text, 20 MB or more")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--vocab", type=int, default=32000, help="tokenizer work: size to train")
    parser.add_argument("--peer-mode", help="skip the search, for example '--mode eager-fp32'")
    parser.add_argument("--set", action="append", default=[], help="passed on to lathe train")
    parser.add_argument("--llama", help="folder of llama.cpp's programs, by setup_llama.sh")
    parser.add_argument("--models", help="folder for the GGUF files that are made")
    parser.add_argument("--model", action="append", help="a GGUF file in their place (repeatable)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="of inference")
    parser.add_argument("--json", help="append the rows to this file")
    return parser.parse_args()


def lathe_train(options, shape, folder, *more):
    """(tokens/s of the median step after the warm-up, peak bytes) of one run of Lathe."""
    config, step_tokens, warmup, steps = SHAPES[shape]
    out = folder / f"run_{time.time_ns()}"
    command = [options.lathe, "train", ROOT / "configs" / config, "--out", out]
    settings = [f"train.tokens={step_tokens * (warmup + steps)}",
                f"tokenizer.path={folder / 'tok.json'}", f"data.train={folder / 'text.txt'}"]
    for setting in [*settings, *options.set, *more]:
        command += ["--set", setting]
    _, _, peak = run_child([str(c) for c in command])
    speeds = []
    for line in (out / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        if "tokens_per_second" in record:
            speeds.append(record["tokens_per_second"])
    if len(speeds) < warmup + steps:
        raise SystemExit(f"{out}: expected {warmup + steps} steps with tokens_per_second, "
                         f"got {len(speeds)}")
    return statistics.median(speeds[warmup:]), peak


def torch_train(options, shape, mode, steps=None):
    _, _, warmup, timed = SHAPES[shape]
    command = [options.python, "-B", str(HERE / "train_torch.py"), "--shape", shape, *mode]
    command += ["--warmup", str(warmup), "--steps", str(steps or timed)]
    output, _, peak = run_child(command)
    record = json.loads(output.splitlines()[-1])
    return record["tokens_per_second"], max(peak, record["peak_rss_bytes"])


def best_torch_mode(options, shape):
    if options.peer_mode:
        return options.peer_mode.split()
    tried = []
    for mode in BF16_MODES if isa.machine() == "avx512-bf16" else F32_MODES:
        speed, peak = torch_train(options, shape, mode, steps=3)
        tried.append((speed, mode))
        print(f"  torch {' '.join(mode)}: {speed:.0f} tokens/s, {peak / 1e9:.2f} GB", flush=True)
    return max(tried)[1]


def prepare_training_text(options, folder):
    """A text and a small tokenizer: the model's vocabulary comes from its config."""
    target = folder / "text.txt"
    if options.text:
        with open(options.text, "rb") as source:
            text = source.read(20_000_000)
        target.write_bytes(text[: text.rfind(b"\n") + 1])
    else:
        import sample_text

        sample_text.write(target, 8_000_000)
    run_child([options.lathe, "tokenizer", "train", str(target), "--vocab", "8192",
               "--out", str(folder / "tok.json")])


def compare_training(options, shape, table, folder):
    if not (folder / "tok.json").exists():
        prepare_training_text(options, folder)
    mode = best_torch_mode(options, shape)
    runs = {"": [], " int8": ["train.compute=int8"], " recompute": ["train.recompute=true"]}
    ours = {name: (Series(), Series()) for name in runs}
    theirs = (Series(), Series())
    for index in range(options.rounds):
        for name, settings in runs.items():
            speed, peak = lathe_train(options, shape, folder, *settings)
            ours[name][0].add(speed)
            ours[name][1].add(peak)
        for series, value in zip(theirs, torch_train(options, shape, mode)):
            series.add(value)
        speeds = ", ".join(f"lathe{name} {ours[name][0].values[-1]:.0f}" for name in runs)
        print(f"  round {index + 1}: {speeds}, torch {theirs[0].values[-1]:.0f} tokens/s", flush=True)
    peer = "torch " + " ".join(mode)
    for name, (speed, peak) in ours.items():
        table.add(f"train{shape}{name}", "tokens/s", speed, theirs[0], peer)
        table.add(f"train{shape}{name} peak memory", "bytes", peak, theirs[1], peer)


def peer_tokenizer(options, work, *rest, cpus=None):
    command = [options.python, "-B", str(HERE / "tokenizer_peers.py"), work, *map(str, rest)]
    output, _, _ = run_child(command, cpus)
    return [json.loads(line) for line in output.splitlines()]


def ids_of(text):
    return [int(number) for number in re.findall(r"\d+", text)]


def compare_tokenizers(options, table, folder):
    if not options.text:
        raise SystemExit("tokenizer: --text FILE is needed, real text of 20 MB or more")
    size = os.path.getsize(options.text)
    ours, theirs = Series(), Series()
    lathe_file, peer_file = folder / "lathe_tok.json", folder / "peer_tok.json"
    for _ in range(options.rounds):
        command = [options.lathe, "tokenizer", "train", options.text]
        command += ["--vocab", str(options.vocab), "--out", str(lathe_file)]
        ours.add(size / run_child(command)[1] / 1e6)
        (peer,) = peer_tokenizer(options, "train", options.text, "--vocab", options.vocab,
                                 "--save", peer_file)
        theirs.add(peer["mb_per_second"])
    merges = [json.loads(f.read_text())["model"]["merges"] for f in (lathe_file, peer_file)]
    print("  same merges as tokenizers:", merges[0] == merges[1])
    table.add("tokenizer training", "MB/s", ours, theirs, peer["peer"])
    compare_encoding(options, table, folder)


def compare_encoding(options, table, folder):
    """One thread each. Lathe's time is that of the whole command, start and output included."""
    sample, tokenizer = folder / "sample.txt", folder / "peer_tok.json"
    with open(options.text, "rb") as source:
        text = source.read(20_000_000).decode("utf-8", "ignore").encode()
    sample.write_bytes(text)
    cpu = {min(os.sched_getaffinity(0))}
    ours, theirs = Series(), Series()
    for _ in range(options.rounds):
        command = [options.lathe, "tokenizer", "encode", "--tokenizer", str(tokenizer), str(sample)]
        with open(folder / "ids.txt", "w", encoding="utf-8") as out:
            ours.add(len(text) / run_child(command, cpu, out)[1] / 1e6)
        lines = peer_tokenizer(options, "encode", sample, "--tokenizer", tokenizer, "--threads", 1,
                               "--ids", folder / "ids.u32", "--only", "tiktoken", cpus=cpu)
        theirs.add(lines[0]["mb_per_second"])
    peer_ids = memoryview((folder / "ids.u32").read_bytes()).cast("I").tolist()
    same = ids_of((folder / "ids.txt").read_text()) == peer_ids
    print("  same ids as tiktoken:", same)
    table.add("tokenizer encoding, 1 thread", "MB/s", ours, theirs, lines[0]["peer"])


def main():
    options = arguments()
    if not os.access(options.lathe, os.X_OK):
        raise SystemExit(f"{options.lathe}: not built; cmake --preset release, then ninja")
    if set(options.works) & set(inference.WORKS) and not options.llama:
        raise SystemExit("--llama: the folder of llama.cpp's programs is needed")
    table = Table(options.json)
    with tempfile.TemporaryDirectory(prefix="lathe_bench_") as folder:
        folder = pathlib.Path(folder)
        for work in options.works:
            print(f"{work}:", flush=True)
            if work == "tokenizer":
                compare_tokenizers(options, table, folder)
            elif work in inference.WORKS:
                inference.compare_inference(options, work, table)
            else:
                compare_training(options, work.removeprefix("train"), table, folder)
    table.show()


if __name__ == "__main__":
    sys.exit(main())
