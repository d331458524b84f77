"""A GGUF model through Lathe and through llama.cpp.

forced      GGUF [--model M]    llama.cpp writes 128 tokens after each of 20 prompts, always the likeliest.
                                Then each of its settings, and Lathe (on M, or on GGUF itself), reads these
                                texts and names the likeliest token of every place: how often any two agree.
                                --f32: only f32 products and an f32 cache (for F32 files)
perplexity  GGUF TEXT           by llama-perplexity and by lathe perplexity
types       F32.gguf [TEXT]     lathe convert and llama-quantize write each of --types from the same file: types and
                                bytes of every tensor; with TEXT also llama.cpp's perplexity of both files, which must be
                                the same, and Lathe's of its file (within 0.3%)
kl          F32.gguf TEXT       llama-quantize writes each of --types (by default all that Lathe multiplies) with every
                                matrix in it, of a width that is no multiple of 256 after widening by zeros. What
                                rounding activations costs: KL, nats a token, of Lathe's results and of llama.cpp's
                                from products of the same weights in f32, over --chunks of 512 tokens as
                                llama-perplexity scores them. Fails where Lathe's is the larger

Needs llama-cpp-python 0.3.36 (forced, kl) and gguf (types, kl) in the environment, and --llama, the folder of
llama.cpp's programs (perplexity, types, kl).

    python gguf_model.py forced SmolLM2-135M-Instruct.Q4_1.gguf --lathe build/release/lathe
"""
import argparse
import collections
import ctypes
import itertools
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import isa
from real_model import PROMPTS

TYPES = ("q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q4_k_s", "q4_k_m", "q5_k_s", "q5_k_m", "q6_k")
KL_TYPES = ("q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_nl", "mxfp4")
F32_CACHE = {"type_k": 0, "type_v": 0}
ROUNDED = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"}  # without a search for scales


@ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
def SILENT(level, text, data):
    """Takes llama.cpp's messages."""


class Llama:
    """llama.cpp with one setting; logits of given ids."""

    def __init__(self, file, threads, **settings):
        import llama_cpp as api
        self.api = api
        api.llama_log_set(SILENT, None)
        api.llama_backend_init()
        self.model = api.llama_model_load_from_file(str(file).encode(), api.llama_model_default_params())
        parameters = api.llama_context_default_params()
        parameters.n_ctx = 1024
        parameters.n_threads = parameters.n_threads_batch = threads
        for name, value in settings.items():
            setattr(parameters, name, value)
        self.context = self.model and api.llama_init_from_model(self.model, parameters)
        if not self.context:
            raise SystemExit(f"llama.cpp does not open {file}")
        self.vocabulary = api.llama_model_get_vocab(self.model)
        self.size = api.llama_vocab_n_tokens(self.vocabulary)

    def close(self):
        self.api.llama_free(self.context)
        self.api.llama_model_free(self.model)

    def tokenize(self, text):
        raw = text.encode()
        ids = (self.api.llama_token * (len(raw) + 2))()
        count = self.api.llama_tokenize(self.vocabulary, raw, len(raw), ids, len(ids), True, False)
        return list(ids[:count])

    def logits(self, ids, position):
        """Logits [len(ids), size] of ids that begin at a position; 0 forgets what was before."""
        import numpy
        if position == 0:
            self.api.llama_memory_clear(self.api.llama_get_memory(self.context), True)
        batch = self.api.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position + i, 1
            batch.seq_id[i][0], batch.logits[i] = 0, 1
        if self.api.llama_decode(self.context, batch) != 0:
            raise SystemExit("llama_decode failed")
        pointer = ctypes.cast(self.api.llama_get_logits(self.context), ctypes.POINTER(ctypes.c_float))
        out = numpy.ctypeslib.as_array(pointer, (len(ids), self.size)).copy()
        self.api.llama_batch_free(batch)
        return out

    def greedy(self, ids, count):
        ids, rows = list(ids), self.logits(ids, 0)
        for _ in range(count):
            ids.append(int(rows[-1].argmax()))
            rows = self.logits(ids[-1:], len(ids) - 1)
        return ids


def lathe_best(options, texts, how):
    """The likeliest id before each token of each text."""
    lines = "".join(json.dumps({"ids": ids}) + "\n" for _, ids in texts)
    command = [options.lathe, "score", options.model or options.file, "-", "--top", "1", *how.split()]
    out = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout
    return [json.loads(line)["top"] for line in out.splitlines()]


def forced(options):
    settings = {"defaults": {}, "flash attention": {"flash_attn_type": 1},
                "no flash attention": {"flash_attn_type": 0}, "micro-batch 1": {"n_ubatch": 1},
                "f32 cache": F32_CACHE}
    if options.f32:
        settings = {"f32 cache": F32_CACHE, "and micro-batch 1": F32_CACHE | {"n_ubatch": 1}}
    writer = Llama(options.file, options.threads, **next(iter(settings.values())))
    texts = []
    for prompt in PROMPTS[: options.prompts]:
        # A model without words for it begins anywhere.
        ids = writer.tokenize(prompt) or [0]
        texts.append((len(ids), writer.greedy(ids, options.tokens)))
        print(f"{len(texts)} of {options.prompts} texts written", end="\r", file=sys.stderr, flush=True)
    columns = {"its text": [token for start, ids in texts for token in ids[start:]]}
    for name, setting in settings.items():
        reader = Llama(options.file, options.threads, **setting)
        columns[name] = [int(best) for start, ids in texts
                         for best in reader.logits(ids, 0).argmax(1)[start - 1 : -1]]
    theirs = list(columns)
    for how in ("--compute f32",) if options.f32 else ("", "--exact"):
        best = lathe_best(options, texts, how)
        columns[f"Lathe {how}".strip()] = [row[0][0] for (start, _), top in zip(texts, best)
                                        for row in top[start:]]
    print(f"{len(texts)} texts, {len(columns['its text'])} tokens; agreement in %")
    for name in theirs[1:]:  # a setting that repeats another one says nothing new
        twin = next((other for other in theirs if other in columns and other != name
                     and columns[other] == columns[name]), None)
        if twin:
            print(f"  {name} is {twin} throughout")
            del columns[name]
    theirs = [name for name in theirs if name in columns]
    agree = {}
    for a, b in itertools.combinations(columns, 2):
        agree[a, b] = 100 * sum(x == y for x, y in zip(columns[a], columns[b], strict=True)) / len(columns[a])
        print(f"  {a:20} {b:20} {agree[a, b]:8.3f}")
    among = [value for (a, b), value in agree.items() if b in theirs] or [100.0]
    bar = 99.5 if options.f32 else sum(among) / len(among)
    print(f"llama.cpp's results with each other: mean {sum(among) / len(among):.3f}, least {min(among):.3f}")
    good = True
    for name in columns:
        if name not in theirs:
            ours = [agree[other, name] for other in theirs]
            mean = sum(ours) / len(ours)
            good &= mean >= bar
            print(f"{name} with them: mean {mean:.3f}, least {min(ours):.3f} (asked: mean {bar:.3f})")
    return good


def peer_perplexity(options, file, text):
    command = [f"{options.llama}/llama-perplexity", "-m", str(file), "-f", text, "-c", "512", "-t", str(options.threads)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, errors="replace")
    return float(re.search(r"Final estimate: PPL = ([\d.]+)", run.stdout + run.stderr)[1])


def lathe_perplexity(options, model, text):
    command = [options.lathe, "perplexity", model, text, "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["perplexity"]


def perplexity(options):
    theirs = peer_perplexity(options, options.file, options.text)
    ours = lathe_perplexity(options, options.model or options.file, options.text)
    print(f"llama.cpp {theirs:.4f}, Lathe {ours:.4f}: {ours / theirs - 1:+.3%}")
    return abs(ours / theirs - 1) < 0.003


def tensors(file):
    import gguf
    return {tensor.name: (gguf.GGMLQuantizationType(tensor.tensor_type).name, tensor.data.tobytes())
            for tensor in gguf.GGUFReader(file).tensors}


def types(options):
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for name in options.types or TYPES:
            ours, theirs = (pathlib.Path(folder) / f"{who}.gguf" for who in ("lathe", "llama"))
            subprocess.run([options.lathe, "convert", options.file, ours, "--type", name], check=True,
                           capture_output=True)
            subprocess.run([f"{options.llama}/llama-quantize", options.file, theirs, name.upper()], check=True,
                           capture_output=True)
            a, b = tensors(ours), tensors(theirs)
            other = {n: (a[n][0], b[n][0]) for n in a if n not in b or a[n][0] != b[n][0]}
            counts = {}
            for n in a.keys() - other.keys():
                equal, total = counts.get(a[n][0], (0, 0))
                counts[a[n][0]] = (equal + (a[n][1] == b[n][1]), total + 1)
            good &= not other and a.keys() == b.keys()
            good &= all(equal == total for kind, (equal, total) in counts.items() if kind in ROUNDED)
            report = ", ".join(f"{kind} {equal} of {total}" for kind, (equal, total) in sorted(counts.items()))
            print(f"{name:7} bytes equal: {report}; other types: {other or 'none'}", flush=True)
            if options.text:
                figures = [peer_perplexity(options, file, options.text) for file in (ours, theirs)]
                own = lathe_perplexity(options, ours, options.text)
                print(f"        perplexity of Lathe's file by llama.cpp {figures[0]:.4f}, of its own file {figures[1]:.4f} "
                      f"({figures[0] / figures[1] - 1:+.3%}); of Lathe's file by Lathe {own:.4f} "
                      f"({own / figures[0] - 1:+.3%})", flush=True)
                good &= figures[0] == figures[1] and abs(own / figures[0] - 1) < 0.003
            ours.unlink()
            theirs.unlink()
    return good


def widened(source, target):
    """Writes a Llama whose width is a multiple of 256: the same function, with zeros appended."""
    import gguf
    import numpy
    reader = gguf.GGUFReader(source)
    names = {field: f"llama.{field}" for field in ("embedding_length", "attention.head_count",
             "attention.head_count_kv", "attention.layer_norm_rms_epsilon")}
    width, heads, keys, epsilon = (reader.fields[name].contents() for name in names.values())
    new = -(-width // 256) * 256
    if new == width:
        return source
    share, head = width / new, width // heads
    sizes = {width: new, keys * head: keys * new // heads}
    values = dict(zip(names.values(), (new, new // head, keys * new // width, epsilon * share)))
    if new % head or keys * new % width:
        raise SystemExit(f"{source}: no whole number of heads fills a width of {new}")
    writer = gguf.GGUFWriter(target, "llama")
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            kind = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, values.get(name, field.contents()), field.types[0], kind)
    for tensor in reader.tensors:
        data = numpy.pad(tensor.data, [(0, sizes.get(n, n) - n) for n in tensor.data.shape])
        writer.add_tensor(tensor.name, data * numpy.float32(share**0.5) if data.ndim == 1 else data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def log_softmax(logits):
    import numpy
    x = logits.astype(numpy.float64)
    x -= x.max(1, keepdims=True)
    return x - numpy.log(numpy.exp(x).sum(1, keepdims=True))


def divergences(exact, readers, chunks):
    """KL(exact || reader) of each scored place, and the perplexity of exact."""
    import numpy
    rows, nll = {name: [] for name in readers}, []
    for ids in chunks:
        half = len(ids) // 2
        p = log_softmax(exact.logits(ids, 0)[half:-1])
        nll.extend(-p[numpy.arange(len(p)), ids[half + 1 :]])
        for name, reader in readers.items():
            q = log_softmax(reader.logits(ids, 0)[half:-1])
            rows[name].extend((numpy.exp(p) * (p - q)).sum(1))
    return {name: numpy.array(row) for name, row in rows.items()}, float(numpy.exp(numpy.mean(nll)))


def exact_divergence(options, exact, file, ids):
    """Mean KL of Lathe's exact products from those of llama.cpp, on a short text."""
    import numpy
    theirs = log_softmax(exact.logits(ids, 0))[:-1]
    ours = numpy.empty_like(theirs)
    command = [options.lathe, "--threads", str(options.threads), "score", file, "-", "--exact", "--top", str(exact.size)]
    out = subprocess.run(command, input=json.dumps({"ids": ids}), capture_output=True, text=True, check=True).stdout
    for row, top in zip(ours, json.loads(out)["top"][1:], strict=True):
        best = numpy.array(top)
        row[best[:, 0].astype(int)] = best[:, 1]
    return float((numpy.exp(theirs) * (theirs - log_softmax(ours))).sum(1).mean())


def kl(options):
    good = True
    quantize = f"{options.llama}/llama-quantize"
    print(f"{isa.machine()}, {options.threads} threads; KL in nats a token; llama.cpp as by default, and with an f32\n"
          "cache without flash attention; chance: two standard errors of these two's difference; exact: Lathe's\n"
          "f32 products from llama.cpp's")
    print("type        Lathe    llama.cpp   ratio   f32 cache   ratio     chance      exact")
    with tempfile.TemporaryDirectory() as folder:
        wide, file, f32 = (pathlib.Path(folder) / f"{name}.gguf" for name in ("wide", "quantised", "f32"))
        source = widened(options.file, wide)
        for name in options.types or KL_TYPES:
            kind = "mxfp4_moe" if name == "mxfp4" else name
            for command in (["--pure", source, file, kind.upper()], ["--allow-requantize", file, f32, "F32"]):
                subprocess.run([quantize, *command], check=True, capture_output=True)
            kinds = collections.Counter(kind for kind, _ in tensors(file).values())
            exact = Llama(f32, options.threads, **F32_CACHE, flash_attn_type=0)
            readers = {"llama": Llama(file, options.threads),
                       "llama_f32_cache": Llama(file, options.threads, **F32_CACHE, flash_attn_type=0)}
            ids = exact.tokenize(pathlib.Path(options.text).read_text().removesuffix("\n"))
            chunks = [ids[i : i + 512] for i in range(0, len(ids) - 511, 512)][: options.chunks]
            if exact.api.llama_vocab_get_add_bos(exact.vocabulary):
                for chunk in chunks:
                    chunk[0] = exact.api.llama_vocab_bos(exact.vocabulary)
            rows, value = divergences(exact, readers, chunks)
            theirs, count = {name: float(row.mean()) for name, row in rows.items()}, len(rows["llama"])
            command = [options.lathe, "--threads", str(options.threads), "perplexity", file, options.text, "--kl",
                       "--json", "--chunks", str(len(chunks))]
            ours = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            if ours["scored_tokens"] != count or abs(math.log(ours["perplexity"] / value)) > 0.1:
                raise SystemExit(f"Lathe scored {ours}, llama.cpp {count} tokens with perplexity {value}")
            row = {"type": name, "tensors": kinds, "places": count, "perplexity": value,
                   "lathe_perplexity": ours["perplexity"], "lathe": ours["kl"]} | theirs
            row["chance"] = float(2 * (rows["llama"] - rows["llama_f32_cache"]).std() / count**0.5)
            row["exact"] = exact_divergence(options, exact, file, chunks[0][:32])
            good &= row["lathe"] <= min(theirs.values()) + row["chance"]
            print(f"{name:6} {row['lathe']:10.3e} {row['llama']:12.3e} {row['lathe'] / row['llama']:7.3f} "
                  f"{row['llama_f32_cache']:11.3e} {row['lathe'] / row['llama_f32_cache']:7.3f} "
                  f"{row['chance']:10.1e} {row['exact']:10.1e}")
            print(json.dumps(row), flush=True)
            for model in (exact, *readers.values()):
                model.close()
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("work", choices=("forced", "perplexity", "types", "kl"))
    parser.add_argument("file")
    parser.add_argument("text", nargs="?")
    parser.add_argument("--model", help="what Lathe opens instead of the file")
    parser.add_argument("--lathe", default="build/release/lathe")
    parser.add_argument("--llama", help="folder of llama.cpp's programs")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--types", nargs="+")
    parser.add_argument("--chunks", type=int, default=9)
    parser.add_argument("--f32", action="store_true")
    options = parser.parse_args()
    works = {"forced": forced, "perplexity": perplexity, "types": types, "kl": kl}
    sys.exit(0 if works[options.work](options) else 1)


if __name__ == "__main__":
    main()
