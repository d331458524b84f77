#!/usr/bin/env python3
"""Checks the house against its two kinds of lists.

1. LAYERS: every `#include "lathe/..."` of a file in lathe/ must be allowed by the line of the most
   specific folder that holds the file. A folder may always include itself (with its subfolders that
   have no line of their own) and base. An entry names a folder (with its subfolders) or one header.
   Programs and tests under tests/, bench/ and tools/ may include everything.
2. `<name>_list.inc`: where a folder has one, each line MACRO(name) must have a file of that name
   below the folder (name.cpp, or a file in which the name is defined), and each name once.

Exit status 1 and a line for each breach.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CODE = ROOT / "lathe"
INCLUDE = re.compile(r'^\s*#\s*include\s+"(lathe/[^"]+)"')
ENTRY = re.compile(r"^\s*[A-Z][A-Z_]*\(\s*([A-Za-z_][A-Za-z0-9_]*)")


def read_layers():
    """folder -> list of what it may include."""
    layers = {}
    for number, line in enumerate((ROOT / "LAYERS").read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        folder, _, allowed = line.partition(":")
        folder = folder.strip()
        if folder in layers:
            sys.exit(f"LAYERS:{number}: '{folder}' stands there twice")
        layers[folder] = allowed.split()
    return layers


def layer_of(path, layers):
    """The most specific folder of LAYERS that holds this path (relative to lathe/), or None."""
    folders = [f for f in layers if path == f or path.startswith(f + "/")]
    return max(folders, key=len, default=None)


def is_allowed(target, entries):
    return any(target == e or target.startswith(e + "/") for e in entries)


def check_includes(layers):
    problems = []
    for file in sorted(CODE.rglob("*")):
        if file.suffix not in (".h", ".cpp", ".inc", ".cu"):
            continue
        path = file.relative_to(CODE).as_posix()
        layer = layer_of(path, layers)
        if layer is None:
            problems.append(f"lathe/{path}: its folder has no line in LAYERS")
            continue
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(1)[len("lathe/"):]
            where = f"lathe/{path}:{number}"
            if not (CODE / target).exists():
                problems.append(f"{where}: includes lathe/{target}, which is not there")
            elif layer_of(target, layers) not in (layer, "base") and not is_allowed(
                target, layers[layer]
            ):
                problems.append(
                    f"{where}: {layer} may not include lathe/{target} "
                    f"(LAYERS allows: base {' '.join(layers[layer])})"
                )
    return problems


def check_allowed_exist(layers):
    return [
        f"LAYERS: {folder} may include '{entry}', which is not there"
        for folder, entries in layers.items()
        for entry in entries
        if not (CODE / entry).exists()
    ]


def defined_below(folder, name):
    """True where some source below the folder has the name as a word outside the list itself."""
    if any(folder.rglob(f"{name}.cpp")):
        return True
    word = re.compile(rf"\b{name}\b|\bregister_{name}\b")
    return any(
        word.search(file.read_text(errors="replace"))
        for file in folder.rglob("*.cpp")
        if not file.name.endswith("_test.cpp")
    )


def check_lists():
    problems = []
    for inc in sorted(CODE.rglob("*_list.inc")):
        where = inc.relative_to(ROOT).as_posix()
        seen = set()
        for number, line in enumerate(inc.read_text().splitlines(), 1):
            match = ENTRY.match(line.split("//")[0])
            if not match:
                continue
            name = match.group(1)
            if name in seen:
                problems.append(f"{where}:{number}: {name} stands there twice")
            seen.add(name)
            if not defined_below(inc.parent, name):
                problems.append(f"{where}:{number}: {name} has no source file in this folder")
    return problems + check_verbs()


def check_verbs():
    """Every file of app/cli that registers a verb must be in the list."""
    folder = CODE / "app" / "cli"
    listed = (folder / "verb_list.inc").read_text() if folder.exists() else ""
    problems = []
    for file in sorted(folder.glob("*.cpp")):
        for name in re.findall(r"^void register_(\w+)\(CLI::App&", file.read_text(), re.MULTILINE):
            if f"({name})" not in listed:
                problems.append(f"{file.relative_to(ROOT)}: verb {name} is not in verb_list.inc")
    return problems


def main():
    layers = read_layers()
    problems = check_includes(layers) + check_allowed_exist(layers) + check_lists()
    for problem in problems:
        print(problem)
    print(f"layers and lists: {len(problems)} problem(s), {len(layers)} layers")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
