#!/usr/bin/env python3
"""Writes lathe/text/tokenize/unicode_tables.inc: what a letter, a digit or a space is.

    python3 -m venv /tmp/v && /tmp/v/bin/pip install unicodedata2==16.0.0 tokenizers==0.23.3 tiktoken==0.14.0
    /tmp/v/bin/python tools/gen_unicode_tables.py            # writes the table
    /tmp/v/bin/python tools/gen_unicode_tables.py --check    # fails when the committed one differs

General categories come from unicodedata2 (Unicode 16.0.0) and are compared, code point by code
point, with what the regular expressions of `tokenizers` and `tiktoken` match: the table is useful
only while the three agree. Three facts are taken from `tokenizers` itself, because it mixes Unicode
versions: the scripts, its Digits splitter (a later Unicode) and its NFC (an earlier one).
"""
import argparse
import pathlib
import sys

import tiktoken
import tokenizers
import unicodedata2
from tokenizers import Regex, normalizers, pre_tokenizers

UNICODE = "16.0.0"
TARGET = pathlib.Path(__file__).resolve().parent.parent / "lathe/text/tokenize/unicode_tables.inc"
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
TEXT = "".join(map(chr, CODE_POINTS))
BLOCK = 128
CATEGORIES = ["Cn", "Cc", "Cf", "Co", "Cs", "Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Me", "Mn", "Nd", "Nl",
              "No", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So", "Zl", "Zp", "Zs"]
CONTROL_SPACE = len(CATEGORIES)  # the Cc characters that \s matches
SCRIPTS = ["Arabic", "Cyrillic", "Devanagari", "Greek", "Han", "Hangul", "Hebrew", "Hiragana",
           "Katakana", "Latin", "Thai"]


def matched_by_tokenizers(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    return set(CODE_POINTS) - {ord(ch) for piece, _ in split.pre_tokenize_str(TEXT) for ch in piece}


def matched_by_tiktoken(pattern):
    ranks = {bytes([i]): i for i in range(256)}
    encoding = tiktoken.Encoding("probe", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return set(map(ord, bytes(encoding.encode_ordinary(TEXT)).decode()))


def categories():
    codes = [CATEGORIES.index(unicodedata2.category(chr(c))) for c in range(0x110000)]
    for c in matched_by_tokenizers(r"\s"):
        if codes[c] == CATEGORIES.index("Cc"):
            codes[c] = CONTROL_SPACE
        elif CATEGORIES[codes[c]][0] != "Z":
            sys.exit(f"U+{c:04X} is a space to tokenizers and {CATEGORIES[codes[c]]} to Unicode")
    return codes


def compare_with_peers(codes):
    for name in ["L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "N", "P", "S"]:
        ours = {c for c in CODE_POINTS
                if codes[c] < CONTROL_SPACE and CATEGORIES[codes[c]].startswith(name)}
        for peer, matched in (("tokenizers", matched_by_tokenizers), ("tiktoken", matched_by_tiktoken)):
            theirs = matched(r"\p{%s}" % name)
            if ours != theirs:
                sys.exit(f"\\p{{{name}}}: {len(ours ^ theirs)} code points differ from {peer}")
    space = {c for c in CODE_POINTS if codes[c] == CONTROL_SPACE or CATEGORIES[codes[c]][0] == "Z"}
    if space != matched_by_tiktoken(r"\s"):
        sys.exit("\\s differs from tiktoken")


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def extra_digits(codes):
    """What the Digits splitter takes for a digit although Unicode 16 does not."""
    joined = "a" + "a".join(map(chr, CODE_POINTS)) + "a"
    pieces = pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str(joined)
    found = {ord(piece) for piece, _ in pieces if len(piece) == 1} - {ord("a")}
    ours = {c for c in CODE_POINTS if codes[c] < CONTROL_SPACE and CATEGORIES[codes[c]][0] == "N"}
    if ours - found:
        sys.exit("Digits does not take every \\p{N}")
    return found - ours


def normalization():
    """(combining classes, canonical decompositions, compositions) as tokenizers applies them."""
    nfd, nfc = normalizers.NFD(), normalizers.NFC()
    classes, parts, pairs = {}, {}, {}
    for c in CODE_POINTS:
        ccc = unicodedata2.combining(chr(c))
        mark = 0x334 if ccc > 1 else 0x345  # of class 1, of class 240: both swap with the other
        text = "a" + (chr(c) + chr(mark) if ccc > 1 else chr(mark) + chr(c))
        # A mark that the normaliser does not know stays where it is.
        if ccc and nfd.normalize_str(text) == unicodedata2.normalize("NFD", text) != text:
            classes[c] = ccc
        decomposed = nfd.normalize_str(chr(c))
        if decomposed != chr(c) and not 0xAC00 <= c < 0xD7A4:
            parts[c] = [ord(ch) for ch in decomposed]
            raw = unicodedata2.decomposition(chr(c)).split()
            if len(raw) == 2 and nfc.normalize_str("".join(chr(int(x, 16)) for x in raw)) == chr(c):
                pairs[(int(raw[0], 16), int(raw[1], 16))] = c
    return classes, parts, pairs


def numbers(values, per_line=24):
    values = list(values)
    lines = [",".join(map(str, values[i:i + per_line])) for i in range(0, len(values), per_line)]
    return ",\n".join(lines)


def render():
    codes = categories()
    compare_with_peers(codes)
    blocks, index = {}, []
    for start in range(0, 0x110000, BLOCK):
        block = tuple(codes[start:start + BLOCK])
        index.append(blocks.setdefault(block, len(blocks)))
    out = [f"// Generated by tools/gen_unicode_tables.py: Unicode {UNICODE} (unicodedata2 "
           f"{unicodedata2.unidata_version}, tokenizers",
           f"// {tokenizers.__version__}, tiktoken {tiktoken.__version__}). Do not edit.", "// clang-format off",
           f"inline constexpr char kUnicodeVersion[] = \"{UNICODE}\";",
           "enum Category : std::uint8_t {" + ", ".join("k" + name for name in CATEGORIES) +
           ", kControlSpace, kCategories};",
           "inline constexpr const char* kCategoryNames[] = {" +
           ", ".join(f'"{name}"' for name in CATEGORIES) + ', "Cc"};',
           f"inline constexpr int kBlockShift = {BLOCK.bit_length() - 1};",
           f"inline constexpr std::uint16_t kBlockIndex[{len(index)}] = {{", numbers(index, 30), "};",
           f"inline constexpr std::uint8_t kBlocks[{len(blocks) * BLOCK}] = {{",
           numbers((v for block in blocks for v in block), 40), "};"]
    tables = {"ExtraDigit": extra_digits(codes)}
    for script in SCRIPTS:
        tables[script] = matched_by_tokenizers(r"\p{%s}" % script)
    for name, points in tables.items():
        flat = ranges(points)
        out += [f"inline constexpr CodeRange k{name}Ranges[{len(flat)}] = {{",
                ",\n".join(",".join(f"{{{a},{b}}}" for a, b in flat[i:i + 8]) for i in range(0, len(flat), 8)),
                "};"]
    out += ["inline constexpr Script kScripts[] = {",
            ",\n".join(f'{{"{s}", k{s}Ranges}}' for s in SCRIPTS), "};"]
    classes, parts, pairs = normalization()
    out += ["// code point, combining class", f"inline constexpr std::uint32_t kCombining[{len(classes)}][2] = {{",
            numbers((f"{{{c},{v}}}" for c, v in classes.items()), 10), "};",
            "// code point, then its full canonical decomposition, zero-filled",
            f"inline constexpr std::uint32_t kDecompositions[{len(parts)}][5] = {{",
            numbers(("{" + ",".join(map(str, ([c] + p + [0] * 4)[:5])) + "}" for c, p in parts.items()), 4), "};",
            "// first, second, composed", f"inline constexpr std::uint32_t kCompositions[{len(pairs)}][3] = {{",
            numbers((f"{{{a},{b},{c}}}" for (a, b), c in sorted(pairs.items())), 6), "};"]
    if max(map(len, parts.values())) > 4:
        sys.exit("a decomposition is longer than four")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed table")
    arguments = parser.parse_args()
    if unicodedata2.unidata_version != UNICODE:
        sys.exit(f"expected unicodedata2 {UNICODE}, got {unicodedata2.unidata_version}")
    text = render()
    if arguments.check:
        sys.exit(0 if TARGET.read_text() == text else f"{TARGET} differs from what this script makes")
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
