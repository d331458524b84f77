"""Golden fixtures of all model families: tiny models of Hugging Face transformers in many settings.

python tools/golden/families.py [OUT]      (default OUT: tests/golden/families)
python tools/golden/families.py --check    compares with the committed files

Weights are a formula of (name, index), the same here and in tests/golden/families_test.cpp, with few
enough bits to be exact in bf16 and f16; so the fixtures hold configurations and results only.
tests/golden/README.md lists what is inside.
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")

SKIP = 77
ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "tests/golden/families"
VOCAB, TOKENS, PROMPT, GREEDY = 64, 48, 8, 64
MASK = (1 << 64) - 1

ROPE = {
    "linear": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
    "dynamic": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 3.0},
    "llama3": {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    },
    "yarn": {
        "rope_type": "yarn",
        "rope_theta": 10000.0,
        "factor": 4.0,
        "original_max_position_embeddings": 32,
    },
}


def longrope(half, **more):
    return {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0 + 0.125 * i for i in range(half)],
        "long_factor": [1.5 + 0.5 * i for i in range(half)],
        "original_max_position_embeddings": 32,
    } | more


def small(**changes):
    return {
        "vocab_size": VOCAB,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 96,
        "max_position_embeddings": 128,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    } | changes


def neox(**changes):
    values = small(layer_norm_eps=1e-5) | changes
    del values["num_key_value_heads"]
    return values


def gpt2(**changes):
    return {
        "vocab_size": VOCAB,
        "n_embd": 64,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 128,
        "bos_token_id": None,
        "eos_token_id": None,
    } | changes


FULL, SLIDING = "full_attention", "sliding_attention"

# name -> (model_type, arguments of its configuration)
CASES = {
    "gpt2": ("gpt2", gpt2()),
    "gpt2_untied": ("gpt2", gpt2(tie_word_embeddings=False, n_head=2, n_layer=3)),
    "gpt2_inner": (
        "gpt2",
        gpt2(n_inner=80, activation_function="gelu", scale_attn_by_inverse_layer_idx=True),
    ),
    "gpt2_unscaled": ("gpt2", gpt2(scale_attn_weights=False, activation_function="relu")),
    "gpt_neox": ("gpt_neox", neox()),
    "gpt_neox_serial": ("gpt_neox", neox(use_parallel_residual=False, tie_word_embeddings=True)),
    "gpt_neox_half": (
        "gpt_neox",
        neox(
            rope_parameters=ROPE["linear"] | {"partial_rotary_factor": 0.5},
            attention_bias=False,
            hidden_act="gelu_new",
        ),
    ),
    "gpt_neox_whole": (
        "gpt_neox",
        neox(
            rope_parameters=ROPE["dynamic"] | {"partial_rotary_factor": 1.0},
            max_position_embeddings=32,
        ),
    ),
    "llama": ("llama", small(num_key_value_heads=4)),
    "llama_gqa_tied": ("llama", small(tie_word_embeddings=True, rms_norm_eps=1e-5)),
    "llama_mqa_bias": ("llama", small(num_key_value_heads=1, attention_bias=True, mlp_bias=True)),
    "llama_head_dim": ("llama", small(head_dim=24, hidden_act="gelu")),
    "llama_linear": ("llama", small(rope_parameters=ROPE["linear"])),
    "llama_dynamic": ("llama", small(rope_parameters=ROPE["dynamic"], max_position_embeddings=32)),
    "llama_llama3": ("llama", small(rope_parameters=ROPE["llama3"], tie_word_embeddings=True)),
    "llama_yarn": ("llama", small(rope_parameters=ROPE["yarn"])),
    "llama_yarn_mscale": (
        "llama",
        small(
            head_dim=32,
            rope_parameters=ROPE["yarn"]
            | {
                "mscale": 0.7,
                "mscale_all_dim": 1.2,
                "truncate": False,
                "beta_fast": 16.0,
                "beta_slow": 2.0,
            },
        ),
    ),
    "llama_yarn_factor": (
        "llama",
        small(rope_parameters=ROPE["yarn"] | {"attention_factor": 0.9}),
    ),
    "llama_longrope": ("llama", small(rope_parameters=longrope(8, attention_factor=1.1))),
    "mistral": ("mistral", small(sliding_window=None)),
    "mistral_window": ("mistral", small(sliding_window=12)),
    "mistral_head_dim": ("mistral", small(head_dim=32, tie_word_embeddings=True)),
    "qwen2": ("qwen2", small(tie_word_embeddings=True)),
    "qwen2_window": (
        "qwen2",
        small(
            num_hidden_layers=3,
            use_sliding_window=True,
            sliding_window=9,
            max_window_layers=1,
            num_key_value_heads=1,
        ),
    ),
    "qwen2_layers": (
        "qwen2",
        small(
            use_sliding_window=True,
            sliding_window=7,
            layer_types=[SLIDING, FULL],
            rope_parameters=ROPE["yarn"],
        ),
    ),
    "qwen3": ("qwen3", small(head_dim=32, tie_word_embeddings=True)),
    "qwen3_bias": ("qwen3", small(head_dim=16, attention_bias=True, num_key_value_heads=4)),
    "qwen3_window": (
        "qwen3",
        small(
            head_dim=16,
            use_sliding_window=True,
            sliding_window=10,
            max_window_layers=1,
            rope_parameters=ROPE["linear"],
        ),
    ),
    "phi3": ("phi3", small(num_key_value_heads=4)),
    "phi3_longrope": (
        "phi3",
        small(rope_parameters=longrope(8), original_max_position_embeddings=32),
    ),
    "phi3_partial": (
        "phi3",
        small(
            sliding_window=11,
            rope_parameters=longrope(4) | {"partial_rotary_factor": 0.5},
            original_max_position_embeddings=32,
            tie_word_embeddings=True,
        ),
    ),
    "phi3_window": ("phi3", small(sliding_window=8, num_key_value_heads=1)),
    "gemma2": (
        "gemma2",
        small(head_dim=16, query_pre_attn_scalar=16, sliding_window=8, num_hidden_layers=3),
    ),
    "gemma2_caps": (
        "gemma2",
        small(
            head_dim=24,
            query_pre_attn_scalar=40,
            sliding_window=6,
            attn_logit_softcapping=2.0,
            final_logit_softcapping=3.0,
            layer_types=[FULL, SLIDING],
            num_key_value_heads=1,
        ),
    ),
    "gemma2_no_caps": (
        "gemma2",
        small(
            head_dim=16,
            query_pre_attn_scalar=16,
            attn_logit_softcapping=None,
            final_logit_softcapping=None,
            attention_bias=True,
            tie_word_embeddings=False,
            hidden_activation="silu",
        ),
    ),
    "gemma3_text": (
        "gemma3_text",
        small(head_dim=16, query_pre_attn_scalar=16, sliding_window=8, num_hidden_layers=7),
    ),
    "gemma3_text_linear": (
        "gemma3_text",
        small(
            head_dim=32,
            query_pre_attn_scalar=24,
            sliding_window=5,
            layer_types=[SLIDING, FULL],
            final_logit_softcapping=4.0,
            num_key_value_heads=1,
            rope_parameters={
                FULL: {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
                SLIDING: {"rope_type": "default", "rope_theta": 5000.0},
            },
        ),
    ),
    "gemma3_text_yarn": (
        "gemma3_text",
        small(
            head_dim=16,
            query_pre_attn_scalar=16,
            sliding_window=10,
            layer_types=[FULL, SLIDING, SLIDING],
            num_hidden_layers=3,
            tie_word_embeddings=False,
            rope_parameters={
                FULL: ROPE["llama3"],
                SLIDING: {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0},
            },
        ),
    ),
    "olmo2": ("olmo2", small(num_key_value_heads=4)),
    "olmo2_gqa_tied": ("olmo2", small(tie_word_embeddings=True, rms_norm_eps=1e-6)),
    "olmo2_bias": (
        "olmo2",
        small(attention_bias=True, num_key_value_heads=1, rope_parameters=ROPE["yarn"]),
    ),
    "smollm3": ("smollm3", small(num_hidden_layers=4)),
    "smollm3_layers": (
        "smollm3",
        small(
            num_hidden_layers=3,
            no_rope_layers=[0, 1, 0],
            use_sliding_window=True,
            sliding_window=9,
            tie_word_embeddings=False,
        ),
    ),
    "smollm3_interval": (
        "smollm3",
        small(no_rope_layer_interval=2, attention_bias=True, rope_parameters=ROPE["yarn"]),
    ),
}

# Folders as save_pretrained leaves them: name -> (case, dtype, largest shard)
FOLDERS = {
    "llama_sharded_bf16": ("llama_gqa_tied", "bfloat16", "60KB"),
    "gpt2_f16": ("gpt2", "float16", "5GB"),
}


def mix(x):
    """SplitMix64's finaliser."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def name_hash(name):
    """FNV-1a."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def draw(name, count, bits):
    """Whole numbers from -2^(bits-1) up to 2^(bits-1) - 1."""
    import numpy as np

    start, half = name_hash(name), 1 << (bits - 1)
    return np.array(
        [(mix((start + i) & MASK) >> (64 - bits)) - half for i in range(count)], dtype=np.float64
    )


def weights_of(name, shape, one_plus):
    """The formula: vectors in [0.75, 1.25) or around 0, matrices in [-0.25, 0.25)."""
    import numpy as np

    count = int(np.prod(shape))
    if len(shape) == 1 and name.endswith("weight"):
        values = (0.0 if one_plus else 1.0) + draw(name, count, 5) / 64
    elif len(shape) == 1:
        values = draw(name, count, 5) / 64
    else:
        values = draw(name, count, 8) / 512
    return values.astype(np.float32).reshape(shape)


def ids_of(count):
    return [mix(1000 + i) % VOCAB for i in range(count)]


def stored_name(name, kind):
    """As the Hub has it: transformers 5 renames the head of gpt_neox on loading."""
    return name.replace("lm_head.", "embed_out.") if kind == "gpt_neox" else name


def build(case, dtype):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kind, values = CASES[case]
    config = AutoConfig.for_model(kind, **json.loads(json.dumps(values)))
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    one_plus = kind.startswith("gemma")
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.from_numpy(weights_of(stored_name(name, kind), tuple(p.shape), one_plus)))
    return model.to(dtype).eval(), config


def saved_config(config):
    with tempfile.TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        return json.loads((pathlib.Path(folder) / "config.json").read_text())


def old_config(config, kind):
    """The same in the words of transformers 4: all keys, rope_theta and rope_scaling at the top."""
    values = config.to_dict()
    for key in ("transformers_version", "_name_or_path", "id2label", "label2id", "architectures"):
        values.pop(key, None)
    rope = values.pop("rope_parameters", None)
    if kind == "gpt2" or rope is None:
        return values
    full = rope.get(FULL, rope)
    if kind == "gemma3_text":
        values["rope_local_base_freq"] = rope[SLIDING]["rope_theta"]
        if rope[SLIDING]["rope_type"] != "default":
            return None  # 4.x cannot say it
    scaling = {k: v for k, v in full.items() if k not in ("rope_theta", "partial_rotary_factor")}
    values["rope_theta"] = full["rope_theta"]
    values["rope_scaling"] = None if full["rope_type"] == "default" else scaling
    if kind == "gpt_neox":
        values["rotary_emb_base"] = values.pop("rope_theta")
        values["rotary_pct"] = full["partial_rotary_factor"]
    elif "partial_rotary_factor" in full:
        values["partial_rotary_factor"] = full["partial_rotary_factor"]
    if values["rope_scaling"]:  # older still: "type"
        values["rope_scaling"]["type"] = values["rope_scaling"].pop("rope_type")
    return values


def greedy(model, prompt):
    """64 tokens, and how far the best logit was above the second one each time."""
    import torch

    out = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        do_sample=False,
        max_new_tokens=GREEDY,
        min_new_tokens=GREEDY,
        output_logits=True,
        return_dict_in_generate=True,
        pad_token_id=0,
    )
    best = [torch.topk(step[0], 2).values for step in out.logits]
    return out.sequences[0, len(prompt) :].tolist(), [float(b[0] - b[1]) for b in best]


def gradients(model, ids, kind):
    """Of the mean loss of predicting each next id: for each parameter its length and its product
    with a vector drawn from its name."""
    import torch

    logits = model(torch.tensor([ids])).logits[0]
    loss = torch.nn.functional.cross_entropy(logits[:-1].float(), torch.tensor(ids[1:]))
    loss.backward()
    found = {}
    for own_name, p in model.named_parameters():
        name = stored_name(own_name, kind)
        g = p.grad.double()
        v = torch.from_numpy(draw("probe." + name, p.numel(), 8)).reshape(p.shape)
        found[name] = [float(g.norm()), float((g * v).sum())]
    return float(loss), found


def one_case(case):
    import torch

    ids = ids_of(TOKENS)
    model, config = build(case, torch.float32)
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].numpy()
        half, _ = build(case, torch.bfloat16)
        halved = half(torch.tensor([ids])).logits[0].float().numpy()
    loss, grads = gradients(model, ids, CASES[case][0])
    model, _ = build(case, torch.float32)  # dynamic scaling remembers the longest text
    tokens, gaps = greedy(model, ids[:PROMPT])
    note = {
        "config": saved_config(config),
        "old_config": old_config(config, CASES[case][0]),
        "greedy": tokens,
        "gaps": [round(g, 6) for g in gaps],
        "loss": loss,
        "gradients": grads,
    }
    return logits, halved, note


def save_folder(name, out):
    import torch

    case, dtype, shard = FOLDERS[name]
    model, _ = build(case, getattr(torch, dtype))
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, max_shard_size=shard)


def main(out):
    import numpy as np
    import torch
    import transformers
    from safetensors.numpy import save_file

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    out.mkdir(parents=True, exist_ok=True)
    tensors, notes = {}, {}
    for case in CASES:
        logits, halved, notes[case] = one_case(case)
        tensors[case + ".logits"] = logits.astype(np.float32)
        tensors[case + ".bf16"] = halved.astype(np.float16)  # probabilities are compared
        print(f"{case}: smallest gap {min(notes[case]['gaps']):.2g}")
    save_file(tensors, out / "families.safetensors")
    versions = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
    whole = {"made_with": versions, "ids": ids_of(TOKENS), "prompt": PROMPT, "cases": notes}
    (out / "families.json").write_text(json.dumps(whole, sort_keys=True) + "\n")
    for name in FOLDERS:
        save_folder(name, out)


def differences(fresh):
    import numpy as np
    from safetensors.numpy import load_file

    old, new = (load_file(folder / "families.safetensors") for folder in (COMMITTED, fresh))
    if sorted(old) != sorted(new):
        yield "cases"
    for key in sorted(set(old) & set(new)):
        limit = 1e-5 if key.endswith(".logits") else 2e-2
        worst = np.abs(old[key].astype("f8") - new[key]).max() / np.abs(old[key]).max()
        if not worst <= limit:
            yield f"{key} differs by {worst:.2g}"
    notes = [json.loads((f / "families.json").read_text())["cases"] for f in (COMMITTED, fresh)]
    for case in notes[0]:
        for key in ("config", "old_config"):
            if notes[0][case][key] != notes[1].get(case, {}).get(key):
                yield f"{case}: {key}"


def check():
    import check as common

    reason = common.installed_as_required()
    if reason:
        print("skipped:", reason)
        return SKIP
    with tempfile.TemporaryDirectory() as folder:
        main(pathlib.Path(folder))
        problems = list(differences(pathlib.Path(folder)))
    print("\n".join(problems) or "fixtures equal")
    return 1 if problems else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(check())
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else COMMITTED)
