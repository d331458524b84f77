"""Makes every golden fixture afresh and compares it with the committed one.

python tools/golden/check.py        (ctest label golden-regen)

Exit status: 0 equal, 1 different, 77 the libraries named in requirements.txt are not installed.
Processors sum in different orders, hence tolerances: they are those between two machines with the
same PyTorch, a tenth of what Lathe is held to.
"""

import json
import pathlib
import sys
import tempfile

SKIP = 77
ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "tests/golden"
F32 = 1e-5  # largest difference over largest magnitude
F64 = 1e-12
LOSSES = {"bf16": 2e-3, "muon_original": 3e-4, "muon_match_rms_adamw": 3e-4}  # bf16 inside


def complain(problems, what):
    problems.append(what)
    print("different:", what)


def compare_tensors(path, fresh, problems):
    import numpy as np
    from safetensors.numpy import load_file

    old, new = load_file(path), load_file(fresh)
    if sorted(old) != sorted(new):
        return complain(problems, f"{path.name}: names {sorted(set(old) ^ set(new))}")
    for key, a in old.items():
        b = new[key]
        if a.dtype != b.dtype or a.shape != b.shape:
            complain(problems, f"{path.name}: {key} has another type or shape")
        elif a.dtype.kind in "iu":
            if not np.array_equal(a, b):
                complain(problems, f"{path.name}: {key} holds other integers")
        else:
            limit = F64 if a.dtype == np.float64 else F32
            worst = np.abs(a.astype("f8") - b).max() / max(np.abs(a).max(), 1e-30)
            if not worst <= limit:
                complain(problems, f"{path.name}: {key} differs by {worst:.2g}, limit {limit}")


def loss_limit(run):
    if "bf16" in run:
        return LOSSES["bf16"]
    return LOSSES.get(run, F32)


def compare_notes(path, fresh, problems):
    old, new = json.loads(path.read_text()), json.loads(fresh.read_text())
    for key in ("config", "groups", "adamw", "muon", "cases", "steps"):
        if old.get(key) != new.get(key):
            complain(problems, f"{path.name}: {key}")
    if old["made_with"]["script_sha256"] != new["made_with"]["script_sha256"]:
        complain(problems, f"{path.name}: made by another version of the scripts")
    for run, was in old.get("training", {}).items():
        now = new["training"].get(run, {"losses": []})
        pairs = list(zip(was["losses"], now["losses"], strict=False))
        worst = max((abs(a - b) / abs(a) for a, b in pairs), default=float("inf"))
        if len(pairs) != old["steps"] or not worst <= loss_limit(run):
            complain(problems, f"{path.name}: losses of {run} differ by {worst:.2g}")


def installed_as_required():
    """A sentence when the libraries are missing or others, else None."""
    import importlib.metadata as metadata

    for line in (ROOT / "tools/golden/requirements.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        name, wanted = line.split("==")
        try:
            have = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            return f"{name} {wanted} is not installed"
        if have != wanted:
            return f"{name} is {have}, the fixtures were made with {wanted}"
    return None


def main():
    reason = installed_as_required()
    if reason:
        print("skipped:", reason)
        return SKIP
    import models
    import ops

    problems = []
    with tempfile.TemporaryDirectory() as folder:
        fresh = pathlib.Path(folder)
        ops.main(fresh)
        models.main(fresh / "models")
        names = {p.relative_to(fresh) for p in fresh.rglob("*.safetensors")}
        committed = {p.relative_to(COMMITTED) for p in COMMITTED.rglob("*.safetensors")}
        for name in {p for p in committed if p.parts[0] != "families"} - names:  # families.py --check
            complain(problems, f"{name} is made by no script")
        for name in sorted(names):
            note = name.with_suffix(".json")
            if not (COMMITTED / name).exists() or not (COMMITTED / note).exists():
                complain(problems, f"{name} is not committed")
                continue
            compare_tensors(COMMITTED / name, fresh / name, problems)
            compare_notes(COMMITTED / note, fresh / note, problems)
    print("fixtures differ:" if problems else "fixtures equal:", len(problems), "problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
