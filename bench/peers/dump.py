"""The batch dump that Lathe writes and train_run_torch.py trains on; README.md defines it."""

import json
import pathlib

import numpy as np

PARTS = ("tokens", "targets", "positions", "document_starts")


class Split:
    """The batches of one split, mapped: batch(i) gives a dict of int32 [rows, width] arrays."""

    def __init__(self, folder, split, shape):
        self.arrays = {}
        for part in PARTS:
            self.arrays[part] = self._map(folder / f"{split}_{part}.i32", "<i4", shape)
        weights = folder / f"{split}_weights.f32"
        if weights.exists():
            self.arrays["weights"] = self._map(weights, "<f4", shape)
        self.count = shape[0]

    @staticmethod
    def _map(path, kind, shape):
        expected = 4 * int(np.prod(shape))
        if path.stat().st_size != expected:
            raise SystemExit(f"{path}: expected {expected} bytes, got {path.stat().st_size}")
        return np.memmap(path, dtype=kind, mode="r", shape=shape)

    def batch(self, index):
        return {part: np.array(array[index]) for part, array in self.arrays.items()}


class Dump:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.manifest = json.loads((self.folder / "manifest.json").read_text())
        m = self.manifest
        if len(m["lrs"]) != m["steps"]:
            raise SystemExit(f"{folder}: {m['steps']} steps but {len(m['lrs'])} learning rates")
        self.train = Split(self.folder, "train", (m["steps"], m["rows"], m["width"]))
        self.valid = None
        if m.get("valid") and m["valid"]["batches"]:
            shape = (m["valid"]["batches"], m["valid"]["rows"], m["width"])
            self.valid = Split(self.folder, "valid", shape)

    @property
    def weights_path(self):
        return self.folder / "init.safetensors"


def write_split(folder, split, batches):
    """batches: a list of dicts with PARTS (and maybe weights), all [rows, width]."""
    for part in batches[0]:
        kind, ending = ("<f4", "f32") if part == "weights" else ("<i4", "i32")
        stacked = np.stack([b[part] for b in batches]).astype(kind)
        stacked.tofile(pathlib.Path(folder) / f"{split}_{part}.{ending}")
