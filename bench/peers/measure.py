"""Runs programs in turns and keeps their figures: what the comparisons of this folder share."""

import json
import os
import statistics
import subprocess
import tempfile
import time

import isa


def run_child(command, cpus=None, stdout=subprocess.PIPE):
    """(output, wall seconds, peak resident bytes) of a command; stops when it fails."""
    pin = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=errors,
                                 text=True, preexec_fn=pin)
        output = child.stdout.read() if child.stdout else ""
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            errors.seek(0)
            tail = "".join(errors.readlines()[-20:])
            raise SystemExit(f"{' '.join(map(str, command))}: exit {child.returncode}\n{tail}")
    return output, seconds, usage.ru_maxrss * 1024


class Series:
    """The figures of one program over the rounds."""

    def __init__(self):
        self.values = []

    def add(self, value):
        self.values.append(value)

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def spread(self):
        return (max(self.values) - min(self.values)) / self.median


def digits(value):
    return float(f"{value:.6g}")


class Table:
    def __init__(self, path):
        self.path, self.rows = path, []

    def add(self, work, unit, lathe, peer, peer_name):
        row = {
            "work": work, "isa": isa.in_use(), "lathe": digits(lathe.median),
            "peer": digits(peer.median), "peer_name": peer_name,
            "ratio": round(lathe.median / peer.median, 3), "unit": unit,
            "lathe_spread": round(lathe.spread, 3), "peer_spread": round(peer.spread, 3),
            "rounds": len(lathe.values),
        }
        self.rows.append(row)
        if self.path:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

    def show(self):
        head = ("work", "unit", "lathe", "peer", "ratio", "spreads", "peer name")
        lines = [head]
        for r in self.rows:
            spreads = f"{r['lathe_spread']:.0%} {r['peer_spread']:.0%}"
            lines.append((r["work"], r["unit"], f"{r['lathe']:g}", f"{r['peer']:g}",
                          f"{r['ratio']:.2f}", spreads, r["peer_name"]))
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        print(f"instruction set: {isa.in_use()}, {len(os.sched_getaffinity(0))} threads")
        for line in lines:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
