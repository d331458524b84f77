"""Random Unicode strings through many tokenizers: Lathe's ids against those of Hugging Face tokenizers.

python tokenizer_random.py BUILD/bench/tokenizer_ids [--count 100000] [--only NAME] [--extra FILE...]

Tokenizers of every kind are trained here on text made here, so nothing has to be downloaded; --extra
adds tokenizer.json files. Prints one JSON line a tokenizer and fails where ids differ.
"""

import argparse
import array
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = GPT4.replace(r"\p{N}{1,3}", r"\p{N}")
QWEN35 = QWEN2.replace(r"?\p{L}+", r"?[\p{L}\p{M}]+").replace(r"\s\p{L}\p{N}", r"\s\p{L}\p{M}\p{N}")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
TEKKEN = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*|\p{{N}}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
O200K = TEKKEN.replace(f"{LOWER}+|", f"{LOWER}+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|").replace(
    f"{LOWER}*|", f"{LOWER}*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|").replace(r"|\p{N}|", r"|\p{N}{1,3}|")
NO_HAN_UPPER, NO_HAN_LOWER = UPPER[:-1] + r"&&[^\p{Han}]]", LOWER[:-1] + r"&&[^\p{Han}]]"
KIMI = r"[\p{Han}]+|" + O200K.replace(UPPER, NO_HAN_UPPER).replace(LOWER, NO_HAN_LOWER).replace(r"[\r\n/]*", r"[\r\n]*")
ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", " \t\n\r\u00a0\u2003\u3000\u0085\u2028",
    "'\".,;:!?()[]{}<>/\\|@#$%&*-_=+~`", "éèüñçøåÉÈÜÑßœæ", "абвгдежзиклмнопрстуАБВГД", "αβγδεζηθικλμ", "你好世界的是不我有他这中大来上",
    "あいうえおかきくけこアイウエオ", "가나다라마바사한국어", "กขคงจฉเแโ่้", "हिन्दीकखगघा्", "אבגדה", "العربيةابت", "😀👍🏽👩‍👩‍👧🇩🇪❤️",
    "\u0301\u0323\u0345\u0591\u0c3e\u200d\ufe0f\u200b\u00ad\ufeff\u2060", "ﬁﬂ①②ⅣΩ㎏ﷺ½¼²³ﾊﾟ", "\u017f\u212a\u0130\u0131\u01c5\u02b0\u1e9e\u03c2",
    "\u0000\u0001\u001b\u007f\u0600\u06dd\u070f\u1100\u1161\u11a8\u0d4e", "▁_Ġ`´¨",
]
PHRASES = ["hello", " the", "World", "ing ", "été", "Привет", "你好", "<s>", "</s>", "<|x|>", "<mask>", "[CLS]", "NEW", "   ", "\r\n",
           "\n\n", "1234", "'s", "'LL", "'\u017f", "'re", "it's", "CAN'T", "e\u0301", "\u1112\u1161\u11ab", "▁▁", "``", "''", "don't"]


def random_text(draw):
    out = []
    for _ in range(draw.choice([1, 2, 3, 5, 8, 13, 21])):
        kind = draw.random()
        if kind < 0.55:
            out.append("".join(draw.choices(draw.choice(ALPHABETS), k=draw.randint(1, 5))))
        elif kind < 0.75:
            out.append(draw.choice(PHRASES))
        elif kind < 0.85:
            out.append(draw.choice(" a\u0301\n7!") * draw.randint(1, 6))
        else:
            c = draw.randrange(draw.choice([0x250, 0x3000, 0x110000]))
            out.append(chr(c) if not 0xD800 <= c < 0xE000 else "x")
    return "".join(out)


def corpus(draw):
    words = ["".join(draw.choices(a, weights=[1 / (1 + i) for i in range(len(a))], k=draw.randint(1, 7)))
             for a in ALPHABETS[:3] * 8 + [x for x in ALPHABETS if x not in ALPHABETS[:4]] for _ in range(40)]
    for _ in range(3000):
        yield " ".join(draw.choices(words + PHRASES[:12], k=12))


def byte_level(pre=None, normalizer=None, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not pre)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*pre, last]) if pre else last
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=["<|x|>", "<s>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    return tokenizer, trainer


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def char_bpe(normalizer=None, pre=None, special=("<unk>", "<s>", "</s>"), bytes_too=True, train_by=None, **model):
    """Trained with a pre-tokenizer, then used with another or none, as files from SentencePiece are."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", **model))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = train_by or pre_tokenizers.Metaspace()
    listed = list(special) + ([f"<0x{i:02X}>" for i in range(256)] if bytes_too else [])
    trainer = trainers.BpeTrainer(vocab_size=1400, special_tokens=listed, show_progress=False,
                                  limit_alphabet=200,
                                  continuing_subword_prefix=model.get("continuing_subword_prefix") or "",
                                  end_of_word_suffix=model.get("end_of_word_suffix") or "")
    return tokenizer, trainer, pre


def unigram(normalizer=None, pre=None, **options):
    tokenizer = Tokenizer(models.Unigram())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre or pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=900, special_tokens=["<unk>", "<s>", "</s>", "<mask>"],
                                      unk_token="<unk>", show_progress=False, **options)
    return tokenizer, trainer


def word_piece(normalizer, pre=None, **model):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", **model))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre or pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=900, special_tokens=["[UNK]", "[CLS]", "[SEP]"],
                                        show_progress=False)
    return tokenizer, trainer


def word_level(normalizer, pre):
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre
    return tokenizer, trainers.WordLevelTrainer(vocab_size=900, special_tokens=["<unk>"], show_progress=False)


def charsmap():
    """A precompiled charsmap of a few rules, as a double array of darts."""
    rules = {"\u00a0": " ", "\u3000": " ", "ﬁ": "fi", "①": "1", "½": "1\u20442", "\u200b": "", "\u00ad": "", "e\u0301": "é",
             "é": "E", "A": "a", "\u0301": "", "ﾊ": "ハ", "㎏": "kg", "\n": " "}
    keys = {k.encode(): v.encode() for k, v in rules.items()}
    values, offsets = b"", {}
    for key, value in keys.items():
        offsets[key] = len(values)
        values += value + b"\0"
    units, used = [0] * (1 << 16), {0}

    def place(position, prefix):
        below = sorted({k[len(prefix)] for k in keys if k.startswith(prefix) and len(k) > len(prefix)})
        labels = ([0] if prefix in keys else []) + below
        offset = 1
        while any((position ^ offset ^ label) in used for label in labels):
            offset += 1
        units[position] |= offset << 10 | (1 << 8 if prefix in keys else 0)
        used.update(position ^ offset ^ label for label in labels)
        if prefix in keys:
            units[position ^ offset] = 1 << 31 | offsets[prefix]
        for label in below:
            units[position ^ offset ^ label] |= label
            place(position ^ offset ^ label, prefix + bytes([label]))

    place(0, b"")
    trie = struct.pack(f"<{max(used) + 256}I", *units[:max(used) + 256])
    return struct.pack("<I", len(trie)) + trie + values


def tokenizers_of_every_kind():
    n, p = normalizers, pre_tokenizers
    llama = n.Sequence([n.Prepend("▁"), n.Replace(" ", "▁")])
    bert = n.BertNormalizer()
    return {
        "gpt2": lambda: byte_level(), "llama3": lambda: byte_level([split(GPT4)], ignore_merges=True),
        "qwen2": lambda: byte_level([split(QWEN2)], n.NFC()), "qwen35": lambda: byte_level([split(QWEN35)], n.NFC()),
        "smollm": lambda: byte_level([p.Digits(True), p.ByteLevel(add_prefix_space=False, use_regex=False)][:1] +
                                     [split(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")]),
        "tekken": lambda: byte_level([split(TEKKEN)], ignore_merges=True), "o200k": lambda: byte_level([split(O200K)]),
        "gpt2_nfkc": lambda: byte_level(None, n.Sequence([n.NFKC(), n.Lowercase()])),
        "deepseek": lambda: byte_level([split(r"\p{N}{1,3}"), split("[一-龥\u3040-ゟ゠-ヿ]+"), split(
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
            r"|\s*[\r\n]+|\s+(?!\S)|\s+")]),
        "kimi": lambda: byte_level([split(KIMI)]),
        "tiny_aya": lambda: byte_level([split(r"\d{1,3}(?=(?:\d{3})*\b)"), split(O200K)]),
        "borders": lambda: byte_level([split(r"\b[\w&&[^\d_]]+\b|\B[^\W\s]\B|[[a-f]\h]+|\w\b|(?i:\bS)|\W\B")]),
        "behaviors": lambda: byte_level([split(r"\d", "merged_with_previous"), split("[a-c]", "merged_with_next"),
                                         split(r"\p{L}", "contiguous"), split(" ", "removed")]),
        "punctuation": lambda: byte_level([p.Punctuation("contiguous"), p.Digits(False)]),
        "llama2": lambda: char_bpe(llama, None, byte_fallback=True, fuse_unk=True),
        "llama2_first": lambda: char_bpe(None, p.Metaspace(prepend_scheme="first", split=False), byte_fallback=True, fuse_unk=True),
        "gemma": lambda: char_bpe(n.Replace(" ", "▁"), p.Split(" ", "merged_with_previous"), byte_fallback=True, fuse_unk=True),
        "no_bytes": lambda: char_bpe(llama, None, bytes_too=False, fuse_unk=True),
        "no_fuse": lambda: char_bpe(llama, None, bytes_too=False, fuse_unk=False),
        "few_bytes": lambda: char_bpe(llama, None, special=["<unk>", "<s>"] + [f"<0x{i:02X}>" for i in range(0xC0, 0xE5)] + [
            f"<0x{i:02X}>" for i in range(0x80, 0xC0)], bytes_too=False, byte_fallback=True),
        "gpt1": lambda: char_bpe(n.Sequence([n.NFD(), n.StripAccents(), n.Lowercase()]), p.BertPreTokenizer(),
                                 bytes_too=False, train_by=p.BertPreTokenizer(), end_of_word_suffix="</w>"),
        "bpe_prefix": lambda: char_bpe(None, p.Whitespace(), bytes_too=False, train_by=p.Whitespace(),
                                       continuing_subword_prefix="##"),
        "metaspace_never": lambda: char_bpe(n.Strip(), p.Metaspace(prepend_scheme="never"), bytes_too=False),
        "t5": lambda: unigram(n.Precompiled(charsmap()), p.Sequence([p.WhitespaceSplit(), p.Metaspace()])),
        "xlm": lambda: unigram(n.Sequence([n.Precompiled(charsmap()), n.Replace(Regex(" {2,}"), " ")]), p.Metaspace(prepend_scheme="first")),
        "albert": lambda: unigram(n.Sequence([n.Replace("``", '"'), n.Replace("''", '"'), n.NFKD(), n.StripAccents(), n.Lowercase()])),
        "unigram_nmt": lambda: unigram(n.Sequence([n.Nmt(), n.NFKC()]), p.Metaspace(split=False)),
        "unigram_scripts": lambda: unigram(None, p.Sequence([p.UnicodeScripts(), p.Metaspace(prepend_scheme="first")])),
        "bert": lambda: word_piece(bert), "bert_cased": lambda: word_piece(n.BertNormalizer(lowercase=False)),
        "bert_accents": lambda: word_piece(n.BertNormalizer(strip_accents=False, clean_text=False), p.Whitespace(), max_input_chars_per_word=6),
        "words": lambda: word_level(n.NFD(), p.Whitespace()),
        "delimiter": lambda: word_level(None, p.Sequence([p.CharDelimiterSplit("a"), p.Punctuation("merged_with_next")])),
        "fixed": lambda: word_level(n.ByteLevel(), p.FixedLength(3)),
    }


def with_added_tokens(tokenizer):
    """Every combination of flags, on tokens that the texts hold."""
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True), AddedToken("</s>", rstrip=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("NEW", single_word=True, normalized=False), AddedToken("éT", normalized=True),
                          AddedToken("\n\n", normalized=False), AddedToken("ing ", lstrip=True, normalized=True, single_word=True),
                          AddedToken("World", normalized=True, rstrip=True)])
    return tokenizer


def make(factory, draw):
    made = factory()
    tokenizer, trainer = made[:2]
    tokenizer.train_from_iterator(corpus(draw), trainer)
    if len(made) == 3:
        tokenizer.pre_tokenizer = made[2]
    return tokenizer


def lathe_ids(program, path, texts, folder):
    strings, out = folder / "texts.bin", folder / "ids.bin"
    with open(strings, "wb") as file:
        for text in texts:
            data = text.encode()
            file.write(struct.pack("<I", len(data)) + data)
    done = subprocess.run([program, path, strings, out], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{path}: {done.stderr}")
    numbers = array.array("I", out.read_bytes())
    lists, at = [], 0
    while at < len(numbers):
        lists.append(list(numbers[at + 1:at + 1 + numbers[at]]))
        at += 1 + numbers[at]
    return lists


def compare(name, path, options, folder):
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding(), tokenizer.no_truncation()
    draw = random.Random(f"texts {name}")
    texts = [random_text(draw) for _ in range(options.count)]
    theirs = [e.ids for start in range(0, len(texts), 5000)
              for e in tokenizer.encode_batch_fast(texts[start:start + 5000], add_special_tokens=False)]
    ours = lathe_ids(options.program, path, texts, folder)
    wrong = [i for i in range(len(texts)) if ours[i] != theirs[i]]
    print(json.dumps({"tokenizer": name, "texts": len(texts), "ids": sum(map(len, theirs)), "differ": len(wrong)}), flush=True)
    for i in wrong[:options.show]:
        print(f"  {ascii(texts[i])}\n    tokenizers {[tokenizer.id_to_token(t) for t in theirs[i]]} {theirs[i]}\n"
              f"    lathe      {[tokenizer.id_to_token(t) for t in ours[i]]} {ours[i]}", flush=True)
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="bench/tokenizer_ids of a build")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--only", action="append")
    parser.add_argument("--extra", action="append", default=[])
    parser.add_argument("--show", type=int, default=3, help="print so many texts that differ")
    parser.add_argument("--keep", help="a folder to leave the tokenizers in")
    options = parser.parse_args()
    equal = True
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(options.keep or temporary)
        folder.mkdir(exist_ok=True)
        for name, factory in tokenizers_of_every_kind().items():
            for added in ("", "+added"):
                if options.only and name + added not in options.only:
                    continue
                tokenizer = make(factory, random.Random(1))
                path = folder / f"{name}{added}.json"
                (with_added_tokens(tokenizer) if added else tokenizer).save(str(path))
                equal &= compare(name + added, path, options, folder)
        for path in options.extra:
            equal &= compare(pathlib.Path(path).name, pathlib.Path(path), options, folder)
    sys.exit(not equal)


if __name__ == "__main__":
    main()
