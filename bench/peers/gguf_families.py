"""The golden networks of every family (tools/golden/families.py) as GGUF files, through llama.cpp and Lathe.

    python gguf_families.py [CASE...] --lathe build/release/lathe

transformers saves each network, `lathe convert` writes the GGUF file, both programs compute the
log-probabilities of every next token of the same 48 ids in f32 (llama.cpp with an f32 cache and without
flash attention). Printed: the largest difference over the largest magnitude, and at how many of the 48
places both name the same token. Fails where
that difference is above LIMIT, or GELU_LIMIT where llama.cpp looks GELU up in a table of f16 values.
What llama.cpp does not have is listed in LACKS and taken out of the network before (the first line of
such a case says what it is and what happens with it left in).
"""
import argparse
import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools/golden"))

import families  # noqa: E402
from gguf_model import Llama  # noqa: E402

LIMIT, GELU_LIMIT = 1e-4, 5e-4

FULL, SLIDING = families.FULL, families.SLIDING
# case: (what llama.cpp lacks or fixes for the architecture, the values to give it instead)
LACKS = {
    "gpt2_inner": ("GELU by erf, scale by layer", dict(activation_function="gelu_new", scale_attn_by_inverse_layer_idx=False)),
    "gpt2_unscaled": ("unscaled attention, ReLU", dict(scale_attn_weights=True, activation_function="gelu_new")),
    "gpt_neox_half": ("attention without biases", dict(attention_bias=True)),
    "gpt_neox_whole": ("dynamic scaling", dict(rope_parameters={"rope_type": "default", "rope_theta": 10000.0,
                                                               "partial_rotary_factor": 1.0})),
    "llama_head_dim": ("GELU in llama", dict(hidden_act="silu")),
    "llama_dynamic": ("dynamic scaling", dict(rope_parameters={"rope_type": "default", "rope_theta": 10000.0})),
    "llama_yarn_mscale": ("betas of YaRN in llama, its bounds not rounded", dict(rope_parameters=families.ROPE["yarn"] | {
        "mscale": 0.7, "mscale_all_dim": 1.2})),
    "mistral_window": ("windows in llama", dict(sliding_window=None)),
    "qwen2_window": ("windows in qwen2", dict(use_sliding_window=False)),
    "qwen2_layers": ("windows in qwen2", dict(use_sliding_window=False, layer_types=[FULL, FULL])),
    "qwen3_bias": ("biases in qwen3", dict(attention_bias=False)),
    "qwen3_window": ("windows in qwen3", dict(use_sliding_window=False)),
    "phi3_partial": ("windows in phi3", dict(sliding_window=None)),
    "phi3_window": ("windows in phi3", dict(sliding_window=None)),
    "gemma2_caps": ("scale other than the head's, the first layer full",
                    dict(query_pre_attn_scalar=24, layer_types=[SLIDING, FULL])),
    "gemma2_no_caps": ("biases, SiLU, no caps, an untied head in gemma2", dict(
        attention_bias=False, tie_word_embeddings=True, hidden_activation="gelu_pytorch_tanh", attn_logit_softcapping=50.0,
        final_logit_softcapping=30.0)),
    "gemma3_text_linear": ("scale other than the head's", dict(query_pre_attn_scalar=32)),
    "gemma3_text_yarn": ("llama3's scaling, scaling of window layers", dict(rope_parameters={
        FULL: {"rope_type": "linear", "rope_theta": 500000.0, "factor": 8.0},
        SLIDING: {"rope_type": "default", "rope_theta": 10000.0}})),
    "olmo2_bias": ("biases in olmo2", dict(attention_bias=False)),
    "smollm3_layers": ("windows, layers without RoPE other than every fourth",
                       dict(no_rope_layers=[1, 1, 1], use_sliding_window=False)),
    "smollm3_interval": ("biases in smollm3, another interval", dict(no_rope_layer_interval=4, attention_bias=False)),
}


def ours(lathe, file, ids):
    import numpy
    line = json.dumps({"ids": ids}) + "\n"
    command = [lathe, "score", file, "-", "--top", str(families.VOCAB), "--compute", "f32"]
    out = subprocess.run(command, input=line, capture_output=True, text=True, check=True).stdout
    rows = numpy.zeros((len(ids) - 1, families.VOCAB))
    for row, best in zip(rows, json.loads(out)["top"][1:], strict=True):
        for token, value in best:
            row[token] = value
    return rows


def theirs(file, ids):
    import numpy
    rows = Llama(file, 1, type_k=0, type_v=0, flash_attn_type=0).logits(ids, 0)[:-1].astype(float)
    rows -= rows.max(1, keepdims=True)
    return rows - numpy.log(numpy.exp(rows).sum(1, keepdims=True))


def one(case, options, work):
    """(worst difference, places that agree) or what went wrong."""
    import torch
    model, _ = families.build(case, torch.float32)
    with contextlib.redirect_stderr(io.StringIO()):
        model.save_pretrained(work / "source")
    file = work / "model.gguf"
    done = subprocess.run([options.lathe, "convert", work / "source", file], capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip()
    ids = families.ids_of(families.TOKENS)
    mine = ours(options.lathe, file, ids)
    try:
        its = theirs(file, ids)
    except SystemExit:
        return "llama.cpp does not open it"
    return float(abs(mine - its).max() / abs(its).max()), int((mine.argmax(1) == its.argmax(1)).sum())


def limit_of(case):
    kind, values = families.CASES[case]
    gelu = kind in ("gpt2", "gpt_neox") or kind.startswith("gemma")
    return GELU_LIMIT if gelu else LIMIT


def check(case, options, note=""):
    with tempfile.TemporaryDirectory() as folder:
        result = one(case, options, pathlib.Path(folder))
    measured = isinstance(result, tuple)
    equal = measured and result[0] <= limit_of(case)
    shown = f"{result[0]:.1e}, {result[1]} of {families.TOKENS - 1}" if measured else result
    print(f"{case:20} {shown}{note or ('' if equal else '  DIFFERENT')}", flush=True)
    return equal


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--lathe", default="build/release/lathe")
    options = parser.parse_args()
    good = True
    for case in options.cases or list(families.CASES):
        if case in LACKS:
            reason, instead = LACKS[case]
            check(case, options, f"  llama.cpp has not: {reason}")
            kind, values = families.CASES[case]
            families.CASES[case] = kind, values | instead
        good &= check(case, options)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
