"""Speed of tokenizers and tiktoken on a text file; prints JSON lines.

python tokenizer_peers.py train FILE --vocab 32000 --save tok.json
python tokenizer_peers.py encode FILE --tokenizer tok.json [--ids ids.u32]

Encoding takes the text in pieces of about 4,000 characters, cut where no pre-tokeniser joins the two
sides, so that the ids of all pieces in a row are the ids of the whole text. Times leave out starting
Python and reading the file. One thread each, except where "threads" says otherwise.
"""

import argparse
import array
import hashlib
import json
import os
import re
import resource
import time

GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
PIECE = 4000


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", choices=("train", "encode"))
    parser.add_argument("file")
    parser.add_argument("--vocab", type=int, default=32000)
    parser.add_argument("--save", help="where training writes its tokenizer.json")
    parser.add_argument("--tokenizer", help="the tokenizer.json to encode with")
    parser.add_argument("--ids", help="write tiktoken's ids there, little-endian 32-bit")
    parser.add_argument("--limit", type=int, default=20_000_000, help="bytes of the file to encode")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="threads of tokenizers in training and batch encoding")
    parser.add_argument("--only", help="encode with this peer alone: tiktoken or tokenizers")
    parser.add_argument("--rounds", type=int, default=3, help="encode so often, report the median")
    return parser.parse_args()


def report(**values):
    values["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(values), flush=True)


def train(options):
    import tokenizers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=options.vocab,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    size = os.path.getsize(options.file)
    began = time.perf_counter()
    tokenizer.train([options.file], trainer)
    seconds = time.perf_counter() - began
    if options.save:
        tokenizer.save(options.save)
    report(work="tokenizer-train", peer=f"tokenizers {tokenizers.__version__}", bytes=size,
           vocab=tokenizer.get_vocab_size(), threads=options.threads, seconds=round(seconds, 3),
           mb_per_second=round(size / seconds / 1e6, 3))


def pieces_of(text):
    """Cuts after a single newline between two non-blank characters."""
    cuts, last = [], 0
    for match in re.finditer(r"(?<=\S)\n(?=\S)", text):
        if match.end() - last >= PIECE:
            cuts.append(text[last : match.end()])
            last = match.end()
    cuts.append(text[last:])
    return cuts


def pattern_of(description):
    """The regular expression of a tokenizer.json's pre-tokeniser."""
    pre = description["pre_tokenizer"]
    for part in pre.get("pretokenizers", [pre]):
        if part["type"] == "Split":
            return part["pattern"]["Regex"]
        if part["type"] == "ByteLevel" and part.get("use_regex", True):
            return GPT2_PATTERN
    raise SystemExit(f"tokenizer.json: no known pre-tokeniser in {pre['type']}")


def as_tiktoken(path):
    import tiktoken

    with open(path, encoding="utf-8") as file:
        description = json.load(file)
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [b for b in range(256) if b not in printable]
    byte_of = {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(hidden)}
    added = {t["content"] for t in description.get("added_tokens", [])}
    vocab = description["model"]["vocab"]
    ranks = {bytes(byte_of[c] for c in k): v for k, v in vocab.items() if k not in added}
    return tiktoken.Encoding("peer", pat_str=pattern_of(description), mergeable_ranks=ranks,
                             special_tokens={})


def timed(rounds, function):
    """(median seconds, last result)"""
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)[rounds // 2], result


def flat_ids(lists):
    ids = array.array("I")
    for part in lists:
        ids.extend(part)
    return ids


def encode(options):
    import tiktoken
    import tokenizers

    with open(options.file, "rb") as file:
        text = file.read(options.limit).decode("utf-8", "ignore")
    size, pieces = len(text.encode()), pieces_of(text)
    hugging = tokenizers.Tokenizer.from_file(options.tokenizer)
    fast = as_tiktoken(options.tokenizer)
    one_by_one = lambda: [hugging.encode(p, add_special_tokens=False).ids for p in pieces]
    batch = lambda: [
        e.ids for e in hugging.encode_batch_fast(pieces, add_special_tokens=False)
    ]
    works = (
        ("tiktoken", tiktoken, 1, lambda: [fast.encode_ordinary(p) for p in pieces]),
        ("tokenizers", tokenizers, 1, one_by_one),
        ("tokenizers", tokenizers, options.threads, batch),
    )
    for name, module, threads, run in works:
        if options.only and options.only != name:
            continue
        seconds, lists = timed(options.rounds if name == "tiktoken" else 1, run)
        ids = flat_ids(lists)
        if options.ids and name == "tiktoken":
            with open(options.ids, "wb") as out:
                ids.tofile(out)
        report(work="tokenizer-encode", peer=f"{name} {module.__version__}", threads=threads,
               bytes=size, ids=len(ids), ids_sha256=hashlib.sha256(ids.tobytes()).hexdigest(),
               seconds=round(seconds, 3), mb_per_second=round(size / seconds / 1e6, 2))


def main():
    options = arguments()
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if options.threads > 1 else "false"
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    train(options) if options.work == "train" else encode(options)


if __name__ == "__main__":
    main()
