"""Whether threads pay off, or at least cost nothing, when another process holds a core.

    python3 bench/shared_core.py MODEL [--lathe build/release/lathe] [--rounds 7] [--json FILE]

A busy process is bound to the last core this one may use. Then `lathe bench` decodes and reads a
prompt in turns, with all threads and with one. Prints the table of bench/peers, in which the peer is
Lathe with one thread; a ratio of 0.95 or more is asked.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "peers"))
from measure import Series, Table, run_child


def speeds(options, threads):
    """work -> tokens/s of the median repetition."""
    command = [options.lathe, "bench", options.model, "--only", "prefill,decode", "-n", "64"]
    command += ["-p", "256", "--batch", "1,8", "-r", "3", "--threads", str(threads), "--json"]
    rows = [json.loads(line) for line in run_child(command)[0].splitlines()]
    return {row["work"]: row["tokens_per_second"] for row in rows if row.get("tokens_per_second")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--lathe", default="build/release/lathe")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", help="append the rows to this file")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("shared_core.py: two cores are needed, this process may use one")
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"],
                            preexec_fn=lambda: os.sched_setaffinity(0, {cores[-1]}))
    found = {}  # work -> all threads, one
    try:
        for index in range(options.rounds):
            for place, threads in enumerate((len(cores), 1)):
                for work, speed in speeds(options, threads).items():
                    found.setdefault(work, (Series(), Series()))[place].add(speed)
            print(f"round {index + 1} of {options.rounds}", file=sys.stderr)
    finally:
        busy.kill()
    table = Table(options.json)
    for work, (many, one) in found.items():
        table.add(f"{work}, a core is taken", "tokens/s", many, one, "lathe --threads 1")
    table.show()


if __name__ == "__main__":
    sys.exit(main())
