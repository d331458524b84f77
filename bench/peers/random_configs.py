"""Random configurations of every family: networks that transformers makes, opened by Lathe.

    python random_configs.py [--lathe build/release/lathe] [--count 100] [--seed 1] [--family llama]

Each network has random weights and settings (heads, widths, windows, scalings, biases, tying, v4 or
v5 keys of config.json), is saved as a Hugging Face folder in one or several shards, and reads random
ids. Log-probabilities of all words at all places must agree with transformers in f32 within 1e-4 of
the largest, and Lathe's greedy text must be the same up to ties. (With "longrope" transformers writes
it without a cache: with one, all families but phi3 keep keys turned by frequencies of a shorter text,
where Lathe turns them anew.) What transformers itself refuses is counted apart.
"""
import argparse
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")
TOLERANCE, TIE, TOKENS, GREEDY = 1e-4, 1e-3, 40, 24
FULL, SLIDING = "full_attention", "sliding_attention"
FAMILIES = ("gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "phi3", "gemma2", "gemma3_text", "olmo2",
            "smollm3")


def scaling(r, pairs, context):
    kind = r.choice(("linear", "dynamic", "llama3", "yarn", "longrope", "default", "default"))
    theta = r.choice((1e4, 5e5, 1e6))
    if kind == "default":
        return {"rope_type": "default", "rope_theta": theta}, context
    rope = {"rope_type": kind, "rope_theta": theta, "factor": r.choice((2.0, 3.5, 8.0))}
    if kind == "dynamic":
        context = r.choice((16, 32, context))
    if kind in ("llama3", "yarn", "longrope"):
        rope["original_max_position_embeddings"] = r.choice((16, 32))
    if kind == "llama3":
        rope |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    if kind == "yarn":
        if r.random() < 0.5:
            rope |= {"beta_fast": r.choice((16.0, 32.0)), "beta_slow": r.choice((1.0, 2.0))}
        if r.random() < 0.3:
            rope["attention_factor"] = r.uniform(0.7, 1.3)
    if kind == "longrope":
        rope |= {"short_factor": [1 + r.random() for _ in range(pairs)],
                 "long_factor": [1 + 4 * r.random() for _ in range(pairs)]}
        if r.random() < 0.5:
            rope["attention_factor"] = r.uniform(0.9, 1.3)
    return rope, context


def layer_types(r, layers):
    return [r.choice((FULL, SLIDING)) for _ in range(layers)]


def draw(r, family):
    layers, heads = r.randint(1, 3), r.choice((1, 2, 3, 4, 6))
    head = r.choice((8, 16, 24, 32))
    context, vocab = r.choice((64, 128)), r.choice((64, 97, 200))
    act = r.choice(("silu", "silu", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu"))
    if family == "gpt2":
        values = {"vocab_size": vocab, "n_embd": heads * head, "n_layer": layers, "n_head": heads,
                  "n_positions": context, "activation_function": r.choice(("gelu_new", "gelu", "relu")),
                  "scale_attn_weights": r.random() < 0.8, "scale_attn_by_inverse_layer_idx": r.random() < 0.3,
                  "tie_word_embeddings": r.random() < 0.5, "layer_norm_epsilon": r.choice((1e-5, 1e-6)),
                  "initializer_range": 0.15}
        if r.random() < 0.3:
            values["n_inner"] = r.choice((48, 100))
        return values
    kv = r.choice([k for k in range(1, heads + 1) if heads % k == 0])
    rope, context = scaling(r, head // 2, context)
    values = {"vocab_size": vocab, "hidden_size": heads * head, "num_hidden_layers": layers,
              "num_attention_heads": heads, "num_key_value_heads": kv,
              "intermediate_size": r.choice((48, 72, 96, 130)), "max_position_embeddings": context,
              "hidden_act": act, "tie_word_embeddings": r.random() < 0.5, "rope_parameters": rope,
              "initializer_range": r.choice((0.05, 0.15))}
    if family == "gpt_neox":
        del values["num_key_value_heads"]
        if rope["rope_type"] == "longrope":
            values["rope_parameters"] = rope = {"rope_type": "default", "rope_theta": 1e4}
        rope["partial_rotary_factor"] = r.choice((0.25, 0.5, 1.0))
        values |= {"use_parallel_residual": r.random() < 0.6, "attention_bias": r.random() < 0.7,
                   "layer_norm_eps": r.choice((1e-5, 1e-6)), "hidden_act": r.choice(("gelu", "gelu_new", "relu"))}
        return values
    values["rms_norm_eps"] = r.choice((1e-5, 1e-6))
    window = r.choice((5, 9, 16))
    if family in ("llama", "mistral", "qwen3", "gemma2", "gemma3_text") and r.random() < 0.5:
        values["head_dim"] = head  # transformers' own default is another one for some
        values["hidden_size"] = r.choice((heads * head, 48, 64))
    if family in ("qwen3", "gemma2", "gemma3_text"):
        values["head_dim"] = head
    if family == "llama":
        values |= {"attention_bias": r.random() < 0.3, "mlp_bias": r.random() < 0.3}
    if family == "mistral":
        values["sliding_window"] = r.choice((None, window))
    if family in ("qwen2", "qwen3") and r.random() < 0.6:
        values |= {"use_sliding_window": True, "sliding_window": window}
        if r.random() < 0.5:
            values["max_window_layers"] = r.randint(0, layers)
        else:
            values["layer_types"] = layer_types(r, layers)
    if family == "qwen3":
        values["attention_bias"] = r.random() < 0.3
    if family == "phi3":
        values["sliding_window"] = r.choice((None, window))
        if rope["rope_type"] not in ("default", "longrope"):
            values["rope_parameters"] = rope = {"rope_type": "default", "rope_theta": 1e4}
        if rope["rope_type"] == "longrope":
            values["original_max_position_embeddings"] = rope["original_max_position_embeddings"]
            rope.pop("attention_factor", None)
            rope.pop("factor", None)
        values["pad_token_id"] = 0
    if family in ("gemma2", "gemma3_text"):
        values |= {"query_pre_attn_scalar": r.choice((8, head, 40)), "sliding_window": window,
                   "hidden_activation": r.choice(("gelu_pytorch_tanh", "gelu"))}
        values.pop("hidden_act")
        values["attention_bias"] = r.random() < 0.3
    if family == "gemma2":
        values |= {"attn_logit_softcapping": r.choice((None, 5.0, 50.0)),
                   "final_logit_softcapping": r.choice((None, 4.0, 30.0))}
    if family == "gemma3_text":
        types = layer_types(r, layers)
        values["layer_types"] = types
        values["rope_parameters"] = {FULL: rope, SLIDING: {"rope_type": "default", "rope_theta": 1e4}}
        if rope["rope_type"] == "longrope":
            values["rope_parameters"][FULL] = {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0}
    if family == "olmo2":
        values["attention_bias"] = r.random() < 0.3
    if family == "smollm3":
        values |= {"no_rope_layers": [r.randint(0, 1) for _ in range(layers)],
                   "attention_bias": r.random() < 0.3, "mlp_bias": r.random() < 0.3}
        if r.random() < 0.4:
            values |= {"use_sliding_window": True, "sliding_window": window,
                       "layer_types": layer_types(r, layers)}
    return values


def rotary(values):
    rope = values.get("rope_parameters", {})
    return rope.get(FULL, rope).get("rope_type")


def old_keys(folder):
    """config.json as transformers 4 wrote it: rope_theta, rope_scaling and torch_dtype."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    rope = config.get("rope_parameters")
    if not rope or FULL in rope or "partial_rotary_factor" in rope:
        return False
    del config["rope_parameters"]
    config["rope_theta"] = rope.pop("rope_theta")
    if rope.get("rope_type") != "default":
        config["rope_scaling"] = rope
    config["torch_dtype"] = config.pop("dtype", "float32")
    config["transformers_version"] = "4.44.0"
    path.write_text(json.dumps(config))
    return True


def lathe(options, arguments, text):
    run = subprocess.run([options.lathe, *arguments], input=text, capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.strip().splitlines()[-1] if run.stderr else f"status {run.returncode}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def compare(options, r, family, folder):
    """None, or what is wrong."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    values = draw(r, family) | {"bos_token_id": None, "eos_token_id": None}
    values.setdefault("pad_token_id", None)
    torch.manual_seed(r.randrange(1 << 30))
    try:
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **values)).eval()
        with torch.no_grad():
            for name, p in model.named_parameters():
                if p.dim() == 1:
                    p.add_(torch.randn_like(p) * 0.1)
            ids = torch.tensor([[r.randrange(values["vocab_size"]) for _ in range(TOKENS)]])
            # As Lathe scores: the last token is only named. With "dynamic" the length counts.
            theirs = model(ids[:, :-1]).logits[0].double().log_softmax(-1)
            prompt = ids[:, :8]
            text = model.generate(prompt, max_new_tokens=GREEDY, do_sample=False, eos_token_id=None,
                                  use_cache=rotary(values) != "longrope", attention_mask=torch.ones_like(prompt))[0].tolist()
        model.save_pretrained(folder, max_shard_size=r.choice(("20KB", "10GB")))
    except Exception as error:  # whatever transformers makes of a drawn configuration
        return f"REFUSED {type(error).__name__}: {error}"
    old = r.random() < 0.4 and old_keys(folder)
    note = f" (v4 keys)" if old else ""
    vocab = values["vocab_size"]
    line = json.dumps({"ids": ids[0].tolist()}) + "\n"
    try:
        top = lathe(options, ["score", str(folder), "-", "--top", str(vocab), "--compute", "f32"], line)[0]["top"]
        request = json.dumps({"ids": text[:8], "tokens": GREEDY}) + "\n"
        own = lathe(options, ["generate", str(folder), "--jsonl", "-", "--temp", "0", "--ignore-end",
                              "--compute", "f32"], request)[0]["ids"]
    except RuntimeError as error:
        return f"{error}{note} {json.dumps(values)}"
    worst = 0.0
    for t in range(1, TOKENS):
        row = theirs[t - 1]
        for word, logprob in top[t]:
            worst = max(worst, abs(logprob - row[word].item()) / max(1.0, row.abs().max().item()))
    if not worst < TOLERANCE or math.isnan(worst):
        return f"log-probabilities differ by {worst:.2g}{note} {json.dumps(values)}"
    for i, (a, b) in enumerate(zip(own, text[8:])):
        if a == b:
            continue
        with torch.no_grad():
            best = model(torch.tensor([text[: 8 + i]])).logits[0, -1].topk(2).values
        if best[0] - best[1] > TIE:
            return f"greedy text parts at token {i}{note} {json.dumps(values)}"
        break
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--lathe", default="build/release/lathe")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--family", choices=FAMILIES, action="append")
    options = parser.parse_args()
    import torch
    from transformers.utils import logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    wrong = refused = 0
    for i in range(options.count):
        r = random.Random(f"{options.seed} {i}")
        family = (options.family or FAMILIES)[i % len(options.family or FAMILIES)]
        with tempfile.TemporaryDirectory() as folder:
            found = compare(options, r, family, pathlib.Path(folder))
        if found and found.startswith("REFUSED"):
            refused += 1
            print(f"{i} {family}: transformers: {found[8:][:150]}", flush=True)
        elif found:
            wrong += 1
            print(f"{i} {family}: WRONG: {found}", flush=True)
    good = options.count - wrong - refused
    print(f"{good} of {options.count} agree, {wrong} do not, {refused} are refused by transformers")
    sys.exit(1 if wrong or not good else 0)


if __name__ == "__main__":
    main()
