"""Golden fixtures of single operations in f64: inputs, outputs and gradients.

python tools/golden/ops.py [OUT]      (default OUT: tests/golden; writes ops.safetensors and ops.json)

Every operation is written out here in plain tensor arithmetic and, where PyTorch or transformers has
the same operation, compared with it before anything is saved. Names are "<case>.<tensor>";
"<case>.d_<tensor>" is the gradient of sum(out * d_out). ops.json holds the attributes of each case.
"""

import json
import math
import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers.activations import ACT2FN
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

import versions


class Cases:
    """Collects cases; random inputs come from one generator, so their order is part of the format."""

    def __init__(self):
        self.tensors = {}
        self.attributes = {}
        self.generator = torch.Generator().manual_seed(7)

    def random(self, *shape, scale=1.0):
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64) * scale

    def add(self, case, function, inputs, constants=None, **attributes):
        """Runs function(*inputs), draws an output gradient and stores everything."""
        leaves = {k: v.clone().requires_grad_(True) for k, v in inputs.items()}
        out = function(*leaves.values())
        d_out = self.random(*out.shape) if out.ndim else torch.ones((), dtype=torch.float64)
        (out * d_out).sum().backward()
        save = dict(inputs) | (constants or {}) | {"out": out.detach(), "d_out": d_out}
        save |= {f"d_{k}": v.grad for k, v in leaves.items()}
        for key, value in save.items():
            value = value.reshape(1) if value.ndim == 0 else value
            self.tensors[f"{case}.{key}"] = value.contiguous().clone()
        self.attributes[case] = attributes
        return out.detach()


def agree(what, ours, theirs, tolerance=1e-12):
    """Stops when our formula and the library's differ."""
    worst = (ours - theirs).abs().max().item()
    if not worst <= tolerance:
        raise SystemExit(f"{what}: our formula differs from the library's by {worst}")


def rope(x, positions, theta):
    """x [B,T,H,D]: the halves of the head are the two coordinates that turn together."""
    half = x.shape[-1] // 2
    frequency = theta ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = (positions.double()[:, :, None] * frequency)[:, :, None, :]
    first, second = x[..., :half], x[..., half:]
    turned = (first * angle.cos() - second * angle.sin(), second * angle.cos() + first * angle.sin())
    return torch.cat(turned, dim=-1)


def rope_cases(cases):
    positions = torch.tensor([[0, 1, 2, 0, 1], [0, 7, 100, 1023, 2]])
    for name, theta in (("rope", 10000.0), ("rope_theta_500k", 500000.0)):
        x = cases.random(2, 5, 3, 8)
        constants = {"positions": positions.int()}
        ours = cases.add(name, lambda t: rope(t, positions, theta), {"x": x}, constants, theta=theta)
        frequency = theta ** (-torch.arange(0, 8, 2, dtype=torch.float64) / 8)
        angle = torch.cat([positions.double()[..., None] * frequency] * 2, dim=-1)
        heads_first = x.transpose(1, 2)
        theirs, _ = apply_rotary_pos_emb(heads_first, heads_first, angle.cos(), angle.sin())
        agree(name, ours, theirs.transpose(1, 2))


def gelu_new(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def activation_cases(cases):
    grid = torch.cat([torch.linspace(-12, 12, 49, dtype=torch.float64), cases.random(15)])
    ours = cases.add("gelu_new", gelu_new, {"x": grid})
    agree("gelu_new", ours, ACT2FN["gelu_new"](grid))
    ours = cases.add("gelu_erf", lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))), {"x": grid})
    agree("gelu_erf", ours, F.gelu(grid))
    ours = cases.add("silu", lambda x: x / (1 + torch.exp(-x)), {"x": grid})
    agree("silu", ours, F.silu(grid))
    gate, up = cases.random(4, 19, scale=3), cases.random(4, 19)
    swiglu = lambda g, u: g / (1 + torch.exp(-g)) * u
    ours = cases.add("swiglu", swiglu, {"gate": gate, "up": up})
    agree("swiglu", ours, F.silu(gate) * up)


def norm_cases(cases):
    eps = 1e-5
    x, weight, bias = cases.random(5, 37, scale=2) + 0.5, cases.random(37), cases.random(37)

    def rms(t, w):
        return t / torch.sqrt((t * t).mean(-1, keepdim=True) + eps) * w

    def layer(t, w, b):
        centred = t - t.mean(-1, keepdim=True)
        return centred / torch.sqrt((centred * centred).mean(-1, keepdim=True) + eps) * w + b

    ours = cases.add("rms_norm", rms, {"x": x, "weight": weight}, eps=eps)
    agree("rms_norm", ours, F.rms_norm(x, (37,), weight, eps))
    inputs = {"x": x, "weight": weight, "bias": bias}
    ours = cases.add("layer_norm", layer, inputs, eps=eps)
    agree("layer_norm", ours, F.layer_norm(x, (37,), weight, bias, eps))


def softmax_case(cases):
    x = cases.random(4, 29, scale=5)
    x[1] += 700  # exp alone would overflow f32
    x[2, 3] = 60

    def soft(t):
        e = torch.exp(t - t.max(-1, keepdim=True).values)
        return e / e.sum(-1, keepdim=True)

    agree("softmax", cases.add("softmax", soft, {"x": x}), F.softmax(x, -1))


def cross_entropy_cases(cases):
    """out = sum of weight x (lse - logit[target] + z x lse^2) over rows with a target, over W."""
    logits = cases.random(9, 31, scale=3)
    logits[4] *= 20
    targets = torch.tensor([0, 30, -1, 5, 7, -1, 12, 12, 3])
    weights = torch.tensor([1, 0.5, 1, 1, 0, 0, 0.25, 1, 1], dtype=torch.float64)
    used = torch.where(targets >= 0, weights, torch.zeros_like(weights))

    def loss(z):
        def run(t):
            lse = torch.logsumexp(t, -1)
            each = lse - t.gather(1, targets.clamp(min=0)[:, None])[:, 0] + z * lse**2
            return (used * each).sum() / used.sum()

        return run

    constants = {"targets": targets.int(), "weights": weights}
    ours = cases.add("cross_entropy", loss(0.0), {"logits": logits}, constants, z=0.0)
    cases.add("cross_entropy_z", loss(1e-2), {"logits": logits}, constants, z=1e-2)
    each = F.cross_entropy(logits, targets, reduction="none", ignore_index=-1)
    agree("cross_entropy", ours, (each * used).sum() / used.sum())


def attention(q, k, v, document_start):
    """q [B,T,H,D], k and v [B,T,K,D]: query head h reads kv head h / (H / K); scale 1/sqrt(D)."""
    heads, kv_heads, tokens = q.shape[2], k.shape[2], q.shape[1]
    column = torch.arange(tokens)
    seen = column[None, None, :] <= column[None, :, None]
    seen = seen & (document_start[:, :, None] == document_start[:, None, :])
    out = []
    for h in range(heads):
        group = h * kv_heads // heads
        scores = q[:, :, h] @ k[:, :, group].transpose(1, 2) / math.sqrt(q.shape[-1])
        scores = scores.masked_fill(~seen, -math.inf)
        out.append(torch.softmax(scores, -1) @ v[:, :, group])
    return torch.stack(out, dim=2)


def attention_cases(cases):
    # 150 columns cross two borders of a block of 64 keys, also when counted from a document's start.
    shapes = {"attention": (2, 11, 4, 2, 8), "attention_long": (1, 150, 2, 1, 8)}
    starts = {
        "attention": torch.tensor([[0, 0, 0, 3, 3, 3, 3, 7, 7, 7, 10], [0] * 11]),
        "attention_long": torch.tensor([[0] * 17 + [17] * 133]),
    }
    for name, (batch, tokens, heads, kv_heads, size) in shapes.items():
        inputs = {
            "q": cases.random(batch, tokens, heads, size, scale=1.5),
            "k": cases.random(batch, tokens, kv_heads, size, scale=1.5),
            "v": cases.random(batch, tokens, kv_heads, size),
        }
        start = starts[name]
        run = lambda q, k, v: attention(q, k, v, start)
        ours = cases.add(name, run, inputs, {"document_start": start.int()})
        column = torch.arange(tokens)
        mask = (start[:, :, None] == start[:, None, :]) & (column[:, None] >= column[None, :])
        parts = [t.transpose(1, 2) for t in inputs.values()]
        theirs = F.scaled_dot_product_attention(*parts, mask[:, None], enable_gqa=True)
        agree(name, ours, theirs.transpose(1, 2))


def main(out):
    torch.set_num_threads(1)
    cases = Cases()
    for part in (
        rope_cases,
        activation_cases,
        norm_cases,
        softmax_case,
        cross_entropy_cases,
        attention_cases,
    ):
        part(cases)
    out.mkdir(parents=True, exist_ok=True)
    save_file(cases.tensors, out / "ops.safetensors")
    note = {"cases": cases.attributes, "made_with": versions.stamp()}
    (out / "ops.json").write_text(json.dumps(note, indent=1, sort_keys=True) + "\n")
    print(len(cases.attributes), "operation cases")


if __name__ == "__main__":
    root = pathlib.Path(__file__).resolve().parents[2]
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "tests/golden")
