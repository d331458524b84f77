"""Llama in plain PyTorch, as fast as PyTorch runs it on a CPU: the peer of Lathe's training loop.

Parameters carry Hugging Face names, so that weights travel both ways by name.
"""

import dataclasses

import torch
import torch.nn.functional as F
from torch import nn


@dataclasses.dataclass
class Config:
    layers: int
    width: int
    heads: int
    kv_heads: int
    hidden: int
    vocab: int
    tied: bool = True
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5

    @property
    def head_size(self):
        return self.width // self.heads


class Norm(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.width))
        self.eps = config.norm_eps

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


def written_out_attention(q, k, v, mask):
    """The T x T matrix and all: more memory, yet torch.compile may run it faster than the kernel."""
    tokens = q.shape[2]
    if mask is None:
        mask = torch.ones(tokens, tokens, dtype=torch.bool, device=q.device).tril()
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    return torch.softmax(scores.float().masked_fill(~mask, -1e30), dim=-1).to(v.dtype) @ v


class Attention(nn.Module):
    def __init__(self, config, written_out):
        super().__init__()
        self.config = config
        self.written_out = written_out
        kv_width = config.kv_heads * config.head_size
        self.q_proj = nn.Linear(config.width, config.width, bias=False)
        self.k_proj = nn.Linear(config.width, kv_width, bias=False)
        self.v_proj = nn.Linear(config.width, kv_width, bias=False)
        self.o_proj = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x, turn, mask):
        batch, tokens, width = x.shape
        heads, kv_heads, size = self.config.heads, self.config.kv_heads, self.config.head_size
        split = lambda y, n: y.view(batch, tokens, n, size).transpose(1, 2)
        q = turn(split(self.q_proj(x), heads))
        k = turn(split(self.k_proj(x), kv_heads))
        v = split(self.v_proj(x), kv_heads)
        if kv_heads != heads:  # repeating beats enable_gqa, which leaves the fused CPU kernel
            k, v = (y.repeat_interleave(heads // kv_heads, dim=1) for y in (k, v))
        if self.written_out:
            y = written_out_attention(q, k, v, mask)
        else:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        return self.o_proj(y.transpose(1, 2).reshape(batch, tokens, width))


class Mlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gate_proj = nn.Linear(config.width, config.hidden, bias=False)
        self.up_proj = nn.Linear(config.width, config.hidden, bias=False)
        self.down_proj = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config, written_out):
        super().__init__()
        self.self_attn = Attention(config, written_out)
        self.mlp = Mlp(config)
        self.input_layernorm = Norm(config)
        self.post_attention_layernorm = Norm(config)

    def forward(self, x, turn, mask):
        x = x + self.self_attn(self.input_layernorm(x), turn, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, config, written_out):
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab, config.width)
        self.layers = nn.ModuleList(Layer(config, written_out) for _ in range(config.layers))
        self.norm = Norm(config)


def rotation(cosine, sine):
    """The function that turns [B,H,T,D] by angles whose cosines and sines broadcast to it."""

    def turn(x):
        first, second = x.chunk(2, dim=-1)
        return (x * cosine + torch.cat((-second, first), dim=-1) * sine).to(x.dtype)

    return turn


class Llama(nn.Module):
    """forward(ids, targets, ...) gives the sum of weight x cross entropy over targets >= 0.

    weights None: 1 each. positions None: every row counts from 0. mask None: causal; else bool [B,1,T,T], true = seen.
    chunked_loss takes PyTorch's linear_cross_entropy in chunks: less memory, other speed.
    written_out computes attention from matrix products instead of PyTorch's fused kernel.
    """

    def __init__(self, config, context, chunked_loss=False, written_out=False):
        super().__init__()
        self.config = config
        self.chunked_loss = chunked_loss
        self.model = Body(config, written_out)
        self.lm_head = None if config.tied else nn.Linear(config.width, config.vocab, bias=False)
        half = torch.arange(0, config.head_size, 2, dtype=torch.float32) / config.head_size
        angle = torch.outer(torch.arange(context, dtype=torch.float32), config.rope_theta**-half)
        angle = torch.cat((angle, angle), dim=-1)
        self.register_buffer("cosine", angle.cos(), persistent=False)
        self.register_buffer("sine", angle.sin(), persistent=False)

    def head_weight(self):
        return self.model.embed_tokens.weight if self.lm_head is None else self.lm_head.weight

    def forward(self, ids, targets, positions=None, mask=None, weights=None):
        tokens = ids.shape[1]
        if positions is None:
            turn = rotation(self.cosine[:tokens], self.sine[:tokens])
        else:
            turn = rotation(self.cosine[positions][:, None], self.sine[positions][:, None])
        x = self.model.embed_tokens(ids)
        for layer in self.model.layers:
            x = layer(x, turn, mask)
        x, flat = self.model.norm(x).flatten(0, 1), targets.reshape(-1)
        if self.chunked_loss and weights is None:
            options = nn.LinearCrossEntropyOptions(allow_retain_graph=True)
            weight = self.head_weight().to(x.dtype)
            return F.linear_cross_entropy(
                x, weight, flat, reduction="sum", ignore_index=-1, options=options
            )
        logits = F.linear(x, self.head_weight()).float()
        if weights is None:
            return F.cross_entropy(logits, flat, reduction="sum", ignore_index=-1)
        each = F.cross_entropy(logits, flat, reduction="none", ignore_index=-1)
        return (each * weights.reshape(-1)).sum()
