#!/usr/bin/env python3
"""Lines of C++ a folder, and what is larger than the house likes (STYLE.md).

  tools/size_report.py            the table, then files over 400 lines and functions over 40
  tools/size_report.py --check    exit status 1 where a file is over 600 lines or a function over 80

A function is a block whose opening line has a closing parenthesis before its brace. Good enough for
clang-formatted sources; the bodies of tests do not count.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOFT_FILE, HARD_FILE = 400, 600
SOFT_FUNCTION, HARD_FUNCTION = 40, 80
OPENS = re.compile(r"^(?!\s*(namespace|class|struct|enum|extern|union)\b).*\)[^;=]*\{$")


def sources():
    for top in ("lathe", "tests", "bench", "tools"):
        for file in sorted((ROOT / top).rglob("*")):
            if file.suffix in (".h", ".cpp", ".inc", ".cu"):
                yield file


def balance(line):
    """How many braces this line leaves open, those in strings and comments aside."""
    line = re.sub(r'R"\(.*?\)"', "", line)
    line = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])\'|//.*', "", line)
    return line.count("{") - line.count("}")


def functions(lines):
    """(first line, length) of every outermost function body."""
    at = 0
    while at < len(lines):
        line = lines[at]
        indent = len(line) - len(line.lstrip())
        if indent <= 4 and OPENS.match(line) and not line.lstrip().startswith("TEST"):
            end, depth = at, balance(line)
            while depth > 0 and end + 1 < len(lines):
                end += 1
                depth += balance(lines[end])
            yield at + 1, end - at + 1
            at = end
        at += 1


def main():
    check = "--check" in sys.argv[1:]
    folders, long_files, long_functions, broken = {}, [], [], 0
    for file in sources():
        lines = file.read_text(errors="replace").splitlines()
        name = file.relative_to(ROOT).as_posix()
        is_test = name.endswith("_test.cpp") or name.startswith("tests/")
        entry = folders.setdefault(file.parent.relative_to(ROOT).as_posix(), [0, 0, 0])
        entry[0] += 1
        entry[2 if is_test else 1] += len(lines)
        generated = "made by" in "\n".join(lines[:3]).lower() or file.suffix == ".inc"
        if len(lines) > SOFT_FILE and not generated:
            long_files.append((len(lines), name))
            broken += len(lines) > HARD_FILE
        for first, length in functions(lines):
            if length > SOFT_FUNCTION:
                long_functions.append((length, f"{name}:{first}"))
                broken += length > HARD_FUNCTION
    print(f"{'folder':40} {'files':>6} {'lines':>7} {'tests':>7}")
    for folder, (files, code, tests) in sorted(folders.items()):
        print(f"{folder:40} {files:6} {code:7} {tests:7}")
    totals = [sum(column) for column in zip(*folders.values())]
    print(f"{'all':40} {totals[0]:6} {totals[1]:7} {totals[2]:7}")
    for title, rows, hard in (
        (f"files over {SOFT_FILE} lines", long_files, HARD_FILE),
        (f"functions over {SOFT_FUNCTION} lines", long_functions, HARD_FUNCTION),
    ):
        print(f"\n{title} ({hard} is the limit): {len(rows)}")
        for length, name in sorted(rows, reverse=True):
            print(f"  {length:5}  {name}{'   OVER THE LIMIT' if length > hard else ''}")
    return 1 if check and broken else 0


if __name__ == "__main__":
    sys.exit(main())
