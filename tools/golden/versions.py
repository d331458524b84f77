"""What made a fixture: the scripts' hash and the libraries' versions."""

import hashlib
import pathlib

SCRIPTS = ("batches.py", "models.py", "ops.py", "versions.py")


def script_hash():
    """SHA-256 over names and contents of the generating scripts, in the order of SCRIPTS."""
    digest = hashlib.sha256()
    for name in SCRIPTS:
        digest.update(name.encode() + b"\0")
        digest.update(pathlib.Path(__file__).with_name(name).read_bytes() + b"\0")
    return digest.hexdigest()


def library_versions():
    import numpy
    import torch
    import transformers

    return {
        "torch": torch.__version__.split("+")[0],
        "transformers": transformers.__version__,
        "numpy": numpy.__version__,
    }


def stamp():
    return {"script_sha256": script_hash(), **library_versions()}
