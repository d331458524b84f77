#!/usr/bin/env python3
"""Counts the instructions of five fixed pieces of work (counted.cpp) with callgrind and compares them
with counts.json.

  check.py COUNTED            exit status 1 where a count is off by more than 3%, 77 where it cannot
                              be compared: no valgrind, or another compiler or C library
  check.py COUNTED --update   writes counts.json; commit it with the change that explains it

Times depend on who else uses the machine; these numbers do not, so a slow-down is seen at once. They are
those of one thread on the AVX2 kernels (callgrind knows no AVX-512), and of nothing but the work itself.
"""
import concurrent.futures
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
COUNTS = HERE / "counts.json"
TOLERANCE = 0.03
SKIPPED = 77


def skip(why):
    print(f"SKIPPED: instruction counts were NOT compared: {why}", flush=True)
    sys.exit(SKIPPED)


def facts(program):
    """(what the counts depend on, names of the works), as the program says."""
    lines = subprocess.run([program], check=True, text=True, capture_output=True).stdout.splitlines()
    pairs = [line.split(" ", 1) for line in lines]
    made_by = {key: value for key, value in pairs if key != "work"}
    return made_by, [value for key, value in pairs if key == "work"]


def count(program, work):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--toggle-collect=counted_work",
             f"--callgrind-out-file={folder}/out", program, work],
            text=True, capture_output=True, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"{work}: valgrind ended with {done.returncode}\n{done.stderr[-3000:]}")
    if int(found.group(1)) == 0:
        sys.exit(f"{work}: nothing was counted; is counted_work() still a function of its own?")
    return int(found.group(1))


def compare(works, counts, known):
    wrong = 0
    for work in works:
        if work not in known:
            print(f"{work:<20} {counts[work]:>13}  is not in counts.json")
            wrong += 1
            continue
        change = counts[work] / known[work] - 1
        off = abs(change) > TOLERANCE
        wrong += off
        print(f"{work:<20} {counts[work]:>13}  {change:+.2%}{'  OUT OF BOUNDS' if off else ''}")
    for work in set(known) - set(works):
        print(f"{work:<20} is in counts.json only")
        wrong += 1
    return wrong


def main():
    program = sys.argv[1]
    update = "--update" in sys.argv[2:]
    if not shutil.which("valgrind"):
        skip("valgrind is missing (tools/install_packages.sh brings it)")
    made_by, works = facts(program)
    known = json.loads(COUNTS.read_text()) if COUNTS.exists() else {"made_by": made_by, "counts": {}}
    if not update and known["made_by"] != made_by:
        skip(f"they were made by {known['made_by']}, this is {made_by}")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        counts = dict(zip(works, pool.map(lambda work: count(program, work), works)))
    if update:
        COUNTS.write_text(json.dumps({"made_by": made_by, "counts": counts}, indent=2) + "\n")
    wrong = compare(works, counts, counts if update else known["counts"])
    if wrong:
        sys.exit(f"{wrong} of {len(works)} counts are off by more than {TOLERANCE:.0%}. If that is "
                 f"meant: {sys.argv[0]} {program} --update, and commit counts.json")


if __name__ == "__main__":
    main()
