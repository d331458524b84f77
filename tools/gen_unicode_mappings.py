#!/usr/bin/env python3
"""Writes lathe/text/tokenize/unicode_mappings.inc: what the normalizers and pre-tokenizers of
`tokenizers` do with each character.

    python3 -m venv /tmp/v && /tmp/v/bin/pip install tokenizers==0.23.3 regex==2026.11.15
    /tmp/v/bin/python tools/gen_unicode_mappings.py            # writes the table (two minutes)
    /tmp/v/bin/python tools/gen_unicode_mappings.py --check    # fails when the committed one differs

`tokenizers` mixes the Unicode versions of a dozen libraries, so every fact is asked of `tokenizers`
itself, one code point at a time. Only the classes of grapheme clusters come from elsewhere (`regex`)
and are then compared with what its Precompiled normalizer joins.
"""
import argparse
import pathlib
import struct
import sys

import regex
import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

TARGET = pathlib.Path(__file__).resolve().parent.parent / "lathe/text/tokenize/unicode_mappings.inc"
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
HANGUL = range(0xAC00, 0xD7A4)
GRAPHEME_CLASSES = ["Control", "Extend", "ZWJ", "Regional_Indicator", "Prepend", "SpacingMark", "L", "V", "T",
                    "LV", "LVT"]


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def where(holds):
    return {c for c in CODE_POINTS if holds(chr(c))}


def bert(**flags):
    options = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**options, **flags}).normalize_str


def with_added(**flags):
    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.add_tokens([AddedToken("a", normalized=False, **flags)])
    return tokenizer


def sets():
    punctuation = pre_tokenizers.Punctuation("isolated")
    bert_words = pre_tokenizers.BertPreTokenizer()
    words = pre_tokenizers.Whitespace()
    spaces = pre_tokenizers.WhitespaceSplit()
    single, left = with_added(single_word=True), with_added(lstrip=True)
    clean, chinese, unaccented = bert(clean_text=True), bert(handle_chinese_chars=True), bert(strip_accents=True)
    nmt, decomposed = normalizers.Nmt().normalize_str, normalizers.NFD().normalize_str
    marks = normalizers.StripAccents().normalize_str
    strip = normalizers.Strip().normalize_str
    pieces = lambda cutter, text: len(cutter.pre_tokenize_str(text))
    white = where(lambda c: pieces(spaces, "a" + c + "a") == 2)
    found = {
        "White": white,
        "WordChar": where(lambda c: pieces(words, "a" + c) == 1) - where(lambda c: pieces(words, c) == 0),
        "WordNeighbour": where(lambda c: 1 not in single.encode(c + "a").ids),
        "Punctuation": where(lambda c: pieces(punctuation, "a" + c) == 2),
        "Control": where(lambda c: clean(c) == ""),
        "Chinese": where(lambda c: chinese(c) != c),
        "NonspacingMark": where(lambda c: decomposed(c) == c and unaccented(c) == ""),
        "CombiningMark": where(lambda c: marks(c) == ""),
        "NmtRemoved": where(lambda c: nmt(c) == ""),
        "NmtSpace": where(lambda c: nmt(c) == " ") - {32},
    }
    same_as_white = {
        "Strip": where(lambda c: strip("a" + c) == "a"), 
        "clean_text": where(lambda c: clean(c) == " ") | white & found["Control"],
        "lstrip": where(lambda c: len(left.encode(c + "a").ids) == 1),
        "Whitespace": where(lambda c: pieces(words, c) == 0),
    }
    for name, points in same_as_white.items():
        if points != white:
            sys.exit(f"{name}: other spaces than WhitespaceSplit: {sorted(points ^ white)[:20]}")
    if where(lambda c: pieces(bert_words, "a" + c) == 2) - white != found["Punctuation"]:
        sys.exit("BertPreTokenizer has another punctuation than Punctuation")
    for c in CODE_POINTS:
        if nmt(chr(c)) not in (chr(c), "", " "):
            sys.exit(f"Nmt: U+{c:04X} becomes something else")
    return found


def script_classes():
    """{code point: number of its script}, 0 for characters that join any script."""
    cutter = pre_tokenizers.UnicodeScripts()
    joined = lambda a, b: len(cutter.pre_tokenize_str(chr(a) + chr(b))) == 1
    representatives, classes = [], {}
    for c in CODE_POINTS:
        if joined(0x30, c) and joined(0x41, c):  # neither a script nor common to all
            classes[c] = 0
            continue
        if c - 1 in classes and classes[c - 1] > 0 and joined(c - 1, c):
            classes[c] = classes[c - 1]
            continue
        known = [i for i, r in enumerate(representatives) if joined(r, c)]
        if not known:
            representatives.append(c)
            known = [len(representatives) - 1]
        classes[c] = known[0] + 1
    return classes


def charsmap_of_every_byte():
    """A precompiled charsmap in which each byte is a key of its own with the value 'b'."""
    units = [0] * 1024
    units[0] = 256 << 10
    for byte in range(1, 256):
        node = 256 ^ byte
        leaf = 512 ^ byte
        units[node] = byte | 1 << 8 | (node ^ leaf) << 10
        units[leaf] = 1 << 31
    trie = struct.pack("<1024I", *units)
    return struct.pack("<I", len(trie)) + trie + b"b\0"


def grapheme_classes():
    text = "".join(map(chr, CODE_POINTS))
    find = lambda pattern: set(map(ord, regex.findall(pattern, text)))
    found = {"G" + name.replace("_", ""): find(r"\p{GCB=%s}" % name) for name in GRAPHEME_CLASSES}
    found["GPictographic"] = find(r"\p{Extended_Pictographic}")
    found["GLinker"], found["GConsonant"] = find(r"\p{InCB=Linker}"), find(r"\p{InCB=Consonant}")
    count = normalizers.Precompiled(charsmap_of_every_byte()).normalize_str
    joins = lambda s: len(count(s)) == 1
    # `regex` may know a later Unicode: of the marks, what tokenizers joins is what counts.
    extends = where(lambda c: joins("a" + c))
    found["GSpacingMark"] &= extends
    found["GExtend"] = extends - found["GSpacingMark"] - found["GZWJ"]
    compare = {
        "control": (where(lambda c: len(c.encode()) < 4 and not joins(c + "\u0301")),
                    {c for c in found["GControl"] | {10, 13} if c < 0x10000}),
        "prepending": (where(lambda c: len(c.encode()) < 5 and joins(c + "a")), found["GPrepend"]),
    }
    for name, (theirs, ours) in compare.items():
        if theirs != ours:
            sys.exit(f"{name} characters of graphemes differ: {[hex(c) for c in sorted(theirs ^ ours)]}")
    return found


def numbers(values, per_line=24):
    values = list(values)
    lines = [",".join(map(str, values[i:i + per_line])) for i in range(0, len(values), per_line)]
    return ",\n".join(lines)


def mapping(name, pairs):
    """Rows {code point, place in the pool, length} and the pool of code points."""
    pool, rows = [], []
    for c, text in pairs:
        rows.append(f"{{{c},{len(pool)},{len(text)}}}")
        pool += map(ord, text)
    return [f"inline constexpr std::uint32_t k{name}Rows[{len(rows)}][3] = {{", numbers(rows, 8), "};",
            f"inline constexpr std::uint32_t k{name}Pool[{len(pool)}] = {{", numbers(pool), "};"]


def render():
    out = ["// Generated by tools/gen_unicode_mappings.py (tokenizers "
           f"{tokenizers.__version__}, regex {regex.__version__}).",
           "// Do not edit.", "// clang-format off"]
    for name, points in (sets() | grapheme_classes()).items():
        flat = ranges(points)
        out += [f"inline constexpr CodeRange k{name}Ranges[{len(flat)}] = {{",
                ",\n".join(",".join(f"{{{a},{b}}}" for a, b in flat[i:i + 8]) for i in range(0, len(flat), 8)), "};"]
    lower = normalizers.Lowercase().normalize_str
    nfd, nfkd = normalizers.NFD().normalize_str, normalizers.NFKD().normalize_str
    changed = lambda f, but: [(c, f(chr(c))) for c in CODE_POINTS if c not in HANGUL and f(chr(c)) != but(chr(c))]
    out += mapping("Lowercase", changed(lower, lambda c: c))
    out += ["// full compatibility decompositions where they are not the canonical ones"]
    out += mapping("Compatibility", changed(nfkd, nfd))
    classes = script_classes()
    rows, last = [], None
    for c in CODE_POINTS:
        if classes[c] != last:
            rows.append(f"{{{c},{classes[c]}}}")
            last = classes[c]
    out += ["// first code point of a run, number of its script (0: joins any)",
            f"inline constexpr std::uint32_t kScriptRuns[{len(rows)}][2] = {{", numbers(rows, 10), "};"]
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed table")
    arguments = parser.parse_args()
    text = render()
    if arguments.check:
        sys.exit(0 if TARGET.read_text() == text else f"{TARGET} differs from what this script makes")
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
