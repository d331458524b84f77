"""Lathe and llama.cpp in turns on the same GGUF files, with the same number of threads.

prefill   pp512           llama-bench
decode    tg128           llama-bench, from an empty context
batched   tg64 x8, x16    llama-batched-bench, behind prompts of 128 tokens
depth     pp4096, and tg64 behind 4096 tokens    llama-bench
load      from the start of the program to the first token of its text, the file being in the system's
          cache: wall time of `lathe generate -n 1` and `llama-completion -n 1`; in seconds
"""

import itertools
import json
import os
import statistics

from measure import Series, run_child
from models import Models

WORKS = ("prefill", "decode", "batched", "depth", "load")
REPETITIONS = 2  # in each round, after each program's own warm-up


def files_of(options, work):
    if options.model:
        return options.model
    models = Models(options.lathe, options.models)
    if work == "depth":
        return [models.smol("Q8_0")]
    if work in ("batched", "load"):
        return [models.smol("Q8_0"), models.wide("Q4_K_M")]
    return [models.smol("Q8_0"), models.smol("Q4_0"), models.smol("BF16"), models.wide("Q4_K_M")]


def json_lines(output):
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


class Rows:
    """What one work measures of a file: names of rows, and how each program gives their figures."""

    def __init__(self, options, file):
        self.options, self.file, self.threads = options, str(file), str(options.threads)

    def lathe_bench(self, *arguments):
        command = [self.options.lathe, "bench", self.file, "--threads", self.threads, "--json",
                   "-r", str(REPETITIONS), *map(str, arguments)]
        return [row["value"] for row in json_lines(run_child(command)[0])]

    def llama_bench(self, flash, *arguments):
        command = [f"{self.options.llama}/llama-bench", "-m", self.file, "-t", self.threads,
                   "-fa", str(flash), "-r", str(REPETITIONS), "-o", "jsonl", *map(str, arguments)]
        return [sum(row["samples_ts"]) / len(row["samples_ts"])
                for row in json_lines(run_child(command)[0])]


class Prefill(Rows):
    names, unit, tokens = ("pp512",), "tokens/s", 512

    def lathe(self):
        return self.lathe_bench("--only", "prefill", "-p", self.tokens)

    def llama(self, flash):
        return self.llama_bench(flash, "-p", self.tokens, "-n", 0)


class Decode(Rows):
    names, unit = ("tg128",), "tokens/s"

    def lathe(self):
        return self.lathe_bench("--only", "decode", "-n", 128, "--batch", 1)

    def llama(self, flash):
        return self.llama_bench(flash, "-p", 0, "-n", 128)


class Batched(Rows):
    names, unit = ("tg64 x8", "tg64 x16"), "tokens/s"

    def lathe(self):
        return self.lathe_bench("--only", "decode", "-n", 64, "-d", 128, "--batch", "8,16")

    def llama(self, flash):
        command = [f"{self.options.llama}/llama-batched-bench", "-m", self.file, "-t", self.threads,
                   "-npp", "128", "-ntg", "64", "-npl", "8,16", "-c", "4096", "-fa",
                   "on" if flash else "off", "--output-format", "jsonl"]
        return [row["speed_tg"] for row in json_lines(run_child(command)[0])]


class LongPrefill(Prefill):
    names, tokens = ("pp4096",), 4096


class Depth(Rows):
    """llama.cpp's cache is f16; Lathe's is f32, as in training, or bf16, which is as large. A q8_0 cache
    stands beside llama.cpp's with flash attention, which it needs, and its f16 cache without."""
    names = tuple("tg64 @ d4096" + kind for kind in ("", ", bf16 cache", ", q8_0 cache"))
    unit = "tokens/s"

    def lathe(self):
        behind = ("--only", "decode", "-n", 64, "-d", 4096, "--batch", 1)
        return sum((self.lathe_bench(*behind, "--cache-type", kind) for kind in ("auto", "bf16", "q8_0")), [])

    def llama(self, flash):
        behind = ("-p", 0, "-n", 64, "-d", 4096)
        f16 = self.llama_bench(flash, *behind)
        return f16 * 2 + (self.llama_bench(flash, *behind, "-ctk", "q8_0", "-ctv", "q8_0") if flash else f16)


class Load(Rows):
    names, unit = ("start to first token",), "s"

    def lathe(self):
        return self.seconds([self.options.lathe, "generate", self.file, "-p", "Hello", "-n", "1",
                             "--threads", self.threads])

    def llama(self, flash):
        return self.seconds([f"{self.options.llama}/llama-completion", "-m", self.file, "-p", "Hello",
                             "-n", "1", "-t", self.threads, "-c", "512", "-no-cnv", "--no-warmup",
                             "-fa", "on" if flash else "off"])

    def seconds(self, command):
        return [statistics.median(run_child(command)[1] for _ in range(3))]


KINDS = {"prefill": (Prefill,), "decode": (Decode,), "batched": (Batched,), "depth": (LongPrefill, Depth),
         "load": (Load,)}


def best_setting(rows):
    """Flash attention off or on (0, 1): whichever llama.cpp is faster with; of several rows, with the
    sum of what it gains."""
    tried = {flash: rows.llama(flash) for flash in (0, 1)}
    for flash, values in tried.items():
        print(f"  llama.cpp -fa {flash}: {', '.join(f'{v:.4g}' for v in values)} {rows.unit}",
              flush=True)
    gain = sum(on / off for on, off in zip(tried[1], tried[0])) / len(rows.names)
    faster = gain < 1 if rows.unit == "s" else gain > 1
    return int(faster)


def compare_inference(options, work, table):
    for file, kind in itertools.product(files_of(options, work), KINDS[work]):
        rows = kind(options, file)
        model = os.path.basename(rows.file).removesuffix(".gguf")
        print(f"  {model}", flush=True)
        flash = best_setting(rows)
        ours, theirs = ([Series() for _ in rows.names] for _ in range(2))
        for _ in range(options.rounds):
            for series, values in ((ours, rows.lathe()), (theirs, rows.llama(flash))):
                if len(values) != len(series):
                    raise SystemExit(f"{work}: expected {len(series)} figures, got {len(values)}")
                for one, value in zip(series, values):
                    one.add(value)
        for name, a, b in zip(rows.names, ours, theirs):
            table.add(f"{name} {model}", rows.unit, a, b, f"llama.cpp -fa {flash}")
