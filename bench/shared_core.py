"""Whether threads pay off, or at least cost nothing, when another process holds a core.

    python3 bench/shared_core.py MODEL [--lathe build/release/lathe] [--rounds 7]

A busy process is bound to the last core this one may use. Then `lathe bench` decodes and reads a
prompt in turns, with all threads and with one. Prints, for each row, the medians and their ratio; asked
is 0.95 or more. One JSON line a row, too: {"work", "isa", "lathe", "peer", "peer_name", "ratio", "unit"}.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys


def rows_of(options, threads):
    """name -> tokens/s of the median repetition."""
    command = [options.lathe, "bench", options.model, "--only", "prefill,decode", "-n", "64"]
    command += ["-p", "256", "--batch", "1,8", "-r", "3", "--threads", str(threads), "--json"]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    rows = [json.loads(line) for line in out.stdout.splitlines()]
    return {row["work"]: row["tokens_per_second"] for row in rows if row.get("tokens_per_second")}, rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--lathe", default="build/release/lathe")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("shared_core.py: two cores are needed, this process may use one")
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"],
                            preexec_fn=lambda: os.sched_setaffinity(0, {cores[-1]}))
    try:
        speeds = {}
        for index in range(options.rounds):
            for threads in (len(cores), 1):
                found, rows = rows_of(options, threads)
                for work, speed in found.items():
                    speeds.setdefault(work, {}).setdefault(threads, []).append(speed)
            print(f"round {index + 1} of {options.rounds}", file=sys.stderr)
    finally:
        busy.kill()
    isa = next((row["isa"] for row in rows if "isa" in row), "unknown")
    for work, by_threads in speeds.items():
        many, one = (statistics.median(by_threads[n]) for n in (len(cores), 1))
        print(f"{work:<12}{len(cores)} threads {many:8.1f}, one {one:8.1f} tokens/s: {many / one:.2f}")
        print(json.dumps({"work": f"{work}, a core is taken", "isa": isa, "lathe": many, "peer": one,
                          "peer_name": "lathe --threads 1", "ratio": many / one, "unit": "tokens/s"}))


if __name__ == "__main__":
    sys.exit(main())
