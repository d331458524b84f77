"""Writes tests/golden/tokenizer: what `tokenizers` trains, and the ids it and `tiktoken` give.

python tools/golden/tokenizer.py            (writes)
python tools/golden/tokenizer.py --check    (ctest label golden-regen)

Exit status of --check: 0 equal, 1 different, 77 the libraries are not installed in these versions.

Made with tokenizers 0.23.3 and tiktoken 0.14.0. The text to train on is made here, from words with a
fixed generator; nothing is anybody else's.
"""

import argparse
import hashlib
import json
import pathlib
import random
import sys

try:
    import tiktoken
    import tokenizers
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
except ImportError as missing:
    print(f"skipped: {missing}; install tools/golden/requirements.txt")
    sys.exit(77)

VERSIONS = ("0.23.3", "0.14.0")
FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/tokenizer"
PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "gpt4": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
            r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
             r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
             r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}"
             r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
OTHER_PATTERNS = [r"[\p{Han}]+|\p{L}+|[^\s]", r"\p{Lu}\p{Ll}*|\d+|\s", r"[^\S\n]+|[\D]", r"(?<=a)b|x*|.",
                  r"^a|b$|\n", r"[一-龥]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s+"]
SPECIAL = ["<|endoftext|>", "<|user|>"]
KINDS = [
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", " \t\n\r ", "'\".,;:!?()[]{}<>/\\|@#$%&*-_=+~`",
    "\u017f\u212a\u0130\u0131\u00df\u01c5\u02b0\u05d0\u4e00\u0301\u0323\u0345\u0591\u0c3e\u200d\ufe0f\u00a0\u2003\u2028"
    "\u0085\u180e\u3000\u200b\u00b2\u2160\u0660\U0001f600\U0001d7ce\U00010400\ufffd\u00e9\u0939\u093f\u0e01\u1100\u1161"
    "\u11a8\uac00\u088f\ua7cf\U00011de1"]
PHRASES = ["hello", " the", "World", "ing ", "été", "Привет", "你好", "<|endoftext|>", "<|user|>", "   ", "\r\n",
           "\n\n", "1234", "'s", "'LL", "'\u017f", "'re", "'Ve", "it's", "CAN'T"]


def random_text(draw, length):
    out = []
    for _ in range(length):
        kind = draw.random()
        if kind < 0.6:
            out.append(draw.choice(KINDS[draw.choice([0, 0, 0, 1, 2, 3])]) * draw.choice([1, 1, 1, 2, 3]))
        elif kind < 0.75:
            out.append(draw.choice(KINDS[4]))
        elif kind < 0.9:
            out.append(draw.choice(PHRASES))
        else:
            c = draw.randrange(0x20, 0x11000 if draw.random() < 0.7 else 0x110000)
            out.append(chr(c) if not 0xD800 <= c < 0xE000 else "?")
    return "".join(out)


def training_lines(draw):
    """Lines of made-up words whose frequencies fall off as in a language, and some repetitions."""
    syllables = ["ka", "lo", "min", "tar", "es", "u", "phi", "ran", "do", "ven", "is", "che", "öl", "ный", "語"]
    words = ["".join(draw.choices(syllables, k=draw.choice([1, 2, 2, 3]))) for _ in range(150)]
    lines = []
    for _ in range(80):
        picked = [words[min(149, int(draw.paretovariate(0.8)) - 1)] for _ in range(draw.randrange(3, 12))]
        if draw.random() < 0.3:
            picked[0] = picked[0].capitalize()
        if draw.random() < 0.2:
            picked.append(draw.choice(["aaaa", "abababa", "aaab", "12345", "it's", "--", "don't"]))
        lines.append(" ".join(picked) + draw.choice([".\n", "\n", "!\n", "  \n", "\n\n"]))
    return lines


def train(name, lines, vocab, min_frequency):
    tok = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=name == "gpt2")
    tok.pre_tokenizer = byte_level if name == "gpt2" else pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PATTERNS[name]), "isolated"), byte_level])
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=vocab, min_frequency=min_frequency, special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return tok


def piece_sizes(pattern, text):
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    return [len(piece.encode()) for piece, _ in split.pre_tokenize_str(text)]


def check_with_tiktoken(pattern, texts):
    encoding = tiktoken.Encoding("pieces", pat_str=pattern, special_tokens={},
                                 mergeable_ranks={bytes([i]): i for i in range(256)})
    for text in texts:
        if bytes(encoding.encode_ordinary(text)) != text.encode():
            sys.exit("tiktoken drops text")


def ids_of(tok, text, parse_special):
    tok.encode_special_tokens = not parse_special
    return tok.encode(text, add_special_tokens=False).ids


def render():
    draw = random.Random(20261123)
    lines = training_lines(draw)
    texts = [random_text(draw, draw.choice([2, 8, 25])) for _ in range(90)]
    files = {}
    trained = {}
    for name, vocab, min_frequency in [("gpt2", 420, 0), ("gpt4", 2000, 3)]:
        tok = train(name, lines, vocab, min_frequency)
        files[f"{name}.json"] = tok.to_str(pretty=True)
        trained[name] = {"vocab_size": vocab, "min_frequency": min_frequency,
                         "ids": [ids_of(tok, t, False) for t in texts],
                         "ids_with_special": [ids_of(tok, t, True) for t in texts]}
    for pattern in PATTERNS.values():
        check_with_tiktoken(pattern, texts)
    cases = {
        "made_with": {"tokenizers": tokenizers.__version__, "tiktoken": tiktoken.__version__,
                      "script_sha256": hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()},
        "lines": lines, "special": SPECIAL, "texts": texts, "trained": trained,
        "pieces": {name: [piece_sizes(pattern, t) for t in texts] for name, pattern in PATTERNS.items()},
        "other_patterns": [{"pattern": p, "pieces": [piece_sizes(p, t) for t in texts[:40]]}
                           for p in OTHER_PATTERNS],
        "nfc": [[t, tokenizers.normalizers.NFC().normalize_str(t)] for t in nfc_texts(draw)],
    }
    files["cases.json"] = "{\n" + ",\n".join(
        json.dumps(k) + ": " + json.dumps(v, ensure_ascii=True, separators=(",", ":"))
        for k, v in cases.items()) + "\n}\n"
    return files


def nfc_texts(draw):
    pool = [*range(0x300, 0x370), *range(0x41, 0x5B), *range(0x1100, 0x1110), *range(0x1161, 0x1176),
            *range(0x11A7, 0x11C3), 0xAC00, 0x591, 0x5B0, 0x1E9B, 0x212B, 0x340, 0x344, 0x958, 0x2ADC, 0xFB1D,
            0x11938, 0xF900, 0x9FE]
    return ["".join(chr(draw.choice(pool)) for _ in range(6)) for _ in range(60)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    found = (tokenizers.__version__, tiktoken.__version__)
    if found != VERSIONS:
        print(f"skipped: expected tokenizers and tiktoken {VERSIONS}, got {found}")
        sys.exit(77)
    files = render()
    for name, text in files.items():
        path = FOLDER / name
        if not arguments.check:
            path.write_text(text)
        elif path.read_text() != text:
            sys.exit(f"{path} differs")


if __name__ == "__main__":
    main()
