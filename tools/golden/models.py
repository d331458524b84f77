"""Golden fixtures of whole models: tiny random gpt2 and llama of Hugging Face transformers.

python tools/golden/models.py [OUT]      (default OUT: tests/golden/models)

For each model it writes NAME.safetensors and NAME.json; tests/golden/README.md lists what is inside.
PyTorch computes in f32 on one thread; the same computation in f64 tells how far f32 itself is off.
"""

import json
import pathlib
import sys

import numpy as np
import torch
import torch.optim._muon as torch_muon
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

import batches
import versions

STEPS = 10
CLIP = 1.0
LOOSE_CLIP = 3.0  # some steps stay under it, so that leaving a gradient alone is tested too
ADAMW = {"lr": 1e-2, "betas": [0.9, 0.95], "eps": 1e-8, "weight_decay": 0.1}
MUON = {
    "lr": 0.02,
    "momentum": 0.95,
    "nesterov": True,
    "weight_decay": 0.1,
    "ns_coefficients": [3.4445, -4.7750, 2.0315],
    "ns_steps": 5,
    "eps": 1e-7,
}
DATA_SEED = 1000


def _llama_config(**changes):
    values = {
        "vocab_size": batches.VOCAB,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 88,
        "max_position_embeddings": 64,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "tie_word_embeddings": False,
        "attention_dropout": 0.0,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    return LlamaConfig(**(values | changes))


def _gpt2_config():
    return GPT2Config(
        vocab_size=batches.VOCAB,
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_positions=64,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=None,
        eos_token_id=None,
    )


MODELS = {
    "gpt2": lambda: GPT2LMHeadModel(_gpt2_config()),
    "llama": lambda: LlamaForCausalLM(_llama_config()),
    "llama_tied": lambda: LlamaForCausalLM(
        _llama_config(num_key_value_heads=1, tie_word_embeddings=True)
    ),
}


def build(name, dtype=torch.float32):
    """The model with weights large enough that no part of it hides behind a tiny activation."""
    model = MODELS[name]()
    model.set_attn_implementation("eager")
    generator = torch.Generator().manual_seed(20 + list(MODELS).index(name))
    with torch.no_grad():
        for key, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if p.ndim == 2:
                p.copy_(noise * (0.4 if is_embedding(key) else p.shape[-1] ** -0.5))
            elif key.endswith("bias"):
                p.copy_(noise * 0.1)
            else:
                p.copy_(1 + noise * 0.2)
    return model.train().to(dtype)


def is_embedding(key):
    return "embed_tokens" in key or "wte" in key or "wpe" in key


def forward(model, batch):
    """Logits [B,T,V] with positions and documents stated outright."""
    dtype = next(model.parameters()).dtype
    return model(
        input_ids=torch.from_numpy(batch["ids"]).long(),
        position_ids=torch.from_numpy(batch["positions"]).long(),
        attention_mask=batches.additive_mask(batch["document_start"], dtype),
        use_cache=False,
    ).logits


def loss_of(logits, batch):
    """Sum of weight x cross entropy over tokens with a target, divided once by the sum of weights."""
    targets = torch.from_numpy(batch["targets"]).long().reshape(-1)
    weights = torch.from_numpy(batch["weights"]).to(torch.float32).reshape(-1)
    wide = logits.double() if logits.dtype == torch.float64 else logits.float()
    each = torch.nn.functional.cross_entropy(
        wide.reshape(-1, wide.shape[-1]), targets.clamp(min=0), reduction="none"
    )
    weights = torch.where(targets >= 0, weights, torch.zeros_like(weights)).to(each.dtype)
    return (weights * each).sum() / weights.sum()


def check_masks(name, model, batch):
    """Stops when a token of another document, or a later one, can move a logit."""
    with torch.no_grad():
        before = forward(model, batch)
    for row, column in [(0, 0), (0, batches.TOKENS - 1), (1, 5), (2, 3)]:
        changed = {k: v.copy() for k, v in batch.items()}
        changed["ids"][row, column] = (changed["ids"][row, column] + 1) % batches.VOCAB
        with torch.no_grad():
            after = forward(model, changed)
        moved = (after != before).any(-1).numpy()
        allowed = np.zeros_like(moved)
        same = batch["document_start"][row] == batch["document_start"][row, column]
        allowed[row] = same & (np.arange(batches.TOKENS) >= column)
        if (moved & ~allowed).any() or not moved[row, column] or moved.sum() < allowed.sum():
            raise SystemExit(f"{name}: the mask leaks or blocks at row {row}, column {column}")


def decay_groups(model):
    """Names with and without weight decay: matrices decay, embeddings and 1-D tensors do not."""
    names = [(key, p) for key, p in model.named_parameters()]
    decay = [key for key, p in names if p.ndim >= 2 and not is_embedding(key)]
    return {"decay": decay, "no_decay": [key for key, _ in names if key not in decay]}


def muon_names(model):
    """Hidden matrices: every 2-D parameter that is neither an embedding nor the output head."""
    return [k for k in decay_groups(model)["decay"] if not k.startswith("lm_head")]


def make_adamw(model, leave_out=()):
    named = dict(model.named_parameters())
    groups = decay_groups(model)
    pick = lambda which: [named[k] for k in groups[which] if k not in leave_out]
    settings = {"lr": ADAMW["lr"], "betas": tuple(ADAMW["betas"]), "eps": ADAMW["eps"]}
    parts = [
        {"params": pick("decay"), "weight_decay": ADAMW["weight_decay"]},
        {"params": pick("no_decay"), "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in parts if g["params"]], **settings)


def make_muon(model, adjust):
    named = dict(model.named_parameters())
    chosen = muon_names(model)
    settings = MUON | {"ns_coefficients": tuple(MUON["ns_coefficients"]), "adjust_lr_fn": adjust}
    return [torch.optim.Muon([named[k] for k in chosen], **settings), make_adamw(model, chosen)]


def newton_schulz_f32(grad, coefficients, steps, eps):
    """PyTorch's Newton-Schulz with its matrices in the gradient's type instead of bf16."""
    a, b, c = coefficients
    x = grad.clone()
    wide = x.size(0) <= x.size(1)
    x = x if wide else x.T
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x if wide else x.T


def train(name, make_optimizers, dtype=torch.float32, autocast=False, clip=CLIP):
    """Ten steps: the loss before each update and the gradient norm before clipping."""
    model = build(name, dtype)
    optimizers = make_optimizers(model)
    losses, norms = [], []
    for step in range(STEPS):
        batch = batches.make_batch(DATA_SEED + step)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = forward(model, batch)
        loss = loss_of(logits, batch)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), clip).item())
        losses.append(loss.item())
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return {"clip": clip, "losses": losses, "gradient_norms": norms}


def all_trainings(name):
    adamw = lambda model: [make_adamw(model)]
    runs = {
        "adamw": train(name, adamw),
        "adamw_f64": train(name, adamw, torch.float64),
        "adamw_loose_clip": train(name, adamw, clip=LOOSE_CLIP),
        "adamw_bf16_autocast": train(name, adamw, autocast=True),
    }
    in_bf16 = torch_muon._zeropower_via_newtonschulz
    for adjust in ("original", "match_rms_adamw"):
        pair = lambda model: make_muon(model, adjust)
        runs[f"muon_{adjust}"] = train(name, pair)
        torch_muon._zeropower_via_newtonschulz = newton_schulz_f32
        runs[f"muon_{adjust}_f32"] = train(name, pair)
        runs[f"muon_{adjust}_f64"] = train(name, pair, torch.float64)
        torch_muon._zeropower_via_newtonschulz = in_bf16
    return runs


def one_pass(name, dtype):
    """Weights, logits, loss and gradients of the first batch."""
    model = build(name, dtype)
    batch = batches.make_batch(DATA_SEED - 1)
    if dtype == torch.float32:
        check_masks(name, model, batch)
    logits = forward(model, batch)
    loss = loss_of(logits, batch)
    loss.backward()
    named = dict(model.named_parameters())
    return {
        "weights": {k: p.detach() for k, p in named.items()},
        "logits": logits.detach(),
        "loss": loss.detach(),
        "gradients": {k: p.grad for k, p in named.items()},
    }


def worst_relative(got, truth):
    """Largest difference over the largest magnitude: the measure of every tolerance here."""
    return ((got.double() - truth).abs().max() / truth.abs().max()).item()


def tensors_of(single):
    """What goes into the safetensors file."""
    out = {k: v.contiguous() for k, v in single["weights"].items()}
    out |= {f"grad.{k}": v.contiguous() for k, v in single["gradients"].items()}
    out["logits"] = single["logits"].contiguous()
    out["loss"] = single["loss"].reshape(1)
    for k, v in batches.make_batch(DATA_SEED - 1).items():
        out[k] = torch.from_numpy(v)
    steps = [batches.make_batch(DATA_SEED + step) for step in range(STEPS)]
    for k in steps[0]:
        out[f"train.{k}"] = torch.from_numpy(np.stack([s[k] for s in steps]))
    return out


def describe(name, single, truth):
    """What goes into the JSON file beside it."""
    model = build(name)
    gradients = {
        k: worst_relative(g, truth["gradients"][k]) for k, g in single["gradients"].items()
    }
    return {
        "config": model.config.to_dict(),
        "steps": STEPS,
        "adamw": ADAMW,
        "muon": MUON,
        "groups": decay_groups(model) | {"muon": muon_names(model)},
        "loss": single["loss"].item(),
        "loss_f64": truth["loss"].item(),
        "f32_against_f64": {
            "logits": worst_relative(single["logits"], truth["logits"]),
            "gradients": max(gradients.values()),
        },
        "training": all_trainings(name),
        "made_with": versions.stamp(),
    }


def main(out):
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        single = one_pass(name, torch.float32)
        note = describe(name, single, one_pass(name, torch.float64))
        save_file(tensors_of(single), out / f"{name}.safetensors")
        (out / f"{name}.json").write_text(json.dumps(note, indent=1, sort_keys=True) + "\n")
        print(name, "loss", note["loss"], "last AdamW loss", note["training"]["adamw"]["losses"][-1])


if __name__ == "__main__":
    root = pathlib.Path(__file__).resolve().parents[2]
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "tests/golden/models")
