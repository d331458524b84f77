"""Which instruction set counts on this machine, in the words of the tables."""

import os


def machine():
    """avx512-bf16, avx512, avx2 or other: what the processor has."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        flags = next((line for line in file if line.startswith("flags")), "").split()
    if "avx512f" in flags:
        return "avx512-bf16" if "avx512_bf16" in flags else "avx512"
    return "avx2" if "avx2" in flags else "other"


def in_use():
    """The same, with the lower set that LATHE_ISA forces on Lathe."""
    forced = os.environ.get("LATHE_ISA")
    return f"{machine()} (lathe: {forced})" if forced else machine()
