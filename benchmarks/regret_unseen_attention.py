"""Networks of the unseen set that attend, and those that read sets and graphs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def heads_of(x: Tensor, heads: int) -> Tensor:
    """(n, places, width) → (n, heads, places, width / heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(-2, -3)


def attend(q: Tensor, k: Tensor, v: Tensor, causal: bool = False) -> Tensor:
    """softmax(q·kᵀ/√d)·v, heads joined again."""
    logits = q @ k.mT / math.sqrt(q.shape[-1])
    if causal:
        future = torch.full(logits.shape[-2:], -1e9).triu(1)
        logits = logits + future
    return (logits.softmax(-1) @ v).transpose(-2, -3).flatten(-2)


def rope(x: Tensor) -> Tensor:
    """Neighbouring pairs turned by place · 1000^(−2i/d) (arXiv 2104.09864)."""
    places, size = x.shape[-2:]
    angle = torch.outer(torch.arange(places), 1000.0 ** (-torch.arange(0, size, 2) / size))
    even, odd = x[..., ::2], x[..., 1::2]
    turned = [even * angle.cos() - odd * angle.sin(), even * angle.sin() + odd * angle.cos()]
    return torch.stack(turned, -1).flatten(-2)


class LlamaDecoderLayer(nn.Module):
    """RMSNorm first, rotary attention, SwiGLU, no biases (arXiv 2302.13971)."""

    def __init__(self, hidden_size: int, heads: int, intermediate: int) -> None:
        super().__init__()
        self.heads = heads
        self.input_layernorm = nn.RMSNorm(hidden_size)
        self.post_attention_layernorm = nn.RMSNorm(hidden_size)
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (
            nn.Linear(hidden_size, hidden_size, bias=False) for _ in range(4)
        )
        self.gate_up_proj = nn.Linear(hidden_size, 2 * intermediate, bias=False)
        self.down_proj = nn.Linear(intermediate, hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.input_layernorm(x)
        q, k, v = (heads_of(w(y), self.heads) for w in (self.q_proj, self.k_proj, self.v_proj))
        x = x + self.o_proj(attend(rope(q), rope(k), v, causal=True))
        gate, up = self.gate_up_proj(self.post_attention_layernorm(x)).chunk(2, -1)
        return x + self.down_proj(functional.silu(gate) * up)  # type: ignore[no-any-return]


def llama_sums(layers: int = 2, kinds: int = 5, width: int = 24) -> nn.Module:
    """A decoder of three heads."""
    body = [LlamaDecoderLayer(width, 3, 40) for _ in range(layers)]
    head = nn.Linear(width, kinds, bias=False)
    return nn.Sequential(nn.Embedding(kinds, width), *body, nn.RMSNorm(width), head)


class GptBlock(nn.Module):
    """Norms first, one layer for queries, keys and values, GELU."""

    def __init__(self, n_embd: int, n_head: int) -> None:
        super().__init__()
        self.n_head = n_head
        self.ln_1, self.ln_2 = nn.LayerNorm(n_embd), nn.LayerNorm(n_embd)
        self.c_attn, self.c_proj = nn.Linear(n_embd, 3 * n_embd), nn.Linear(n_embd, n_embd)
        self.c_fc, self.mlp_proj = nn.Linear(n_embd, 4 * n_embd), nn.Linear(4 * n_embd, n_embd)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (heads_of(part, self.n_head) for part in self.c_attn(self.ln_1(x)).chunk(3, -1))
        x = x + self.c_proj(attend(q, k, v, causal=True))
        return x + self.mlp_proj(functional.gelu(self.c_fc(self.ln_2(x))))  # type: ignore[no-any-return]


class PhraseGpt(nn.Module):
    """Tokens and learned places through the blocks; the table of tokens is the head too."""

    def __init__(self, vocab: int = 20, block_size: int = 15, n_embd: int = 24, n_layer: int = 2) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab, n_embd), nn.Embedding(block_size, n_embd)
        self.h = nn.ModuleList(GptBlock(n_embd, 2) for _ in range(n_layer))
        self.ln_f = nn.LayerNorm(n_embd)

    def forward(self, idx: Tensor) -> Tensor:
        x = self.wte(idx) + self.wpe(torch.arange(idx.shape[-1]))
        for block in self.h:
            x = block(x)
        return functional.linear(self.ln_f(x), self.wte.weight)


class PostNormLayer(nn.Module):
    """norm(x + attention), norm(x + MLP) (arXiv 1706.03762)."""

    def __init__(self, d_model: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(d_model, d_model) for _ in range(4))
        self.up, self.down = nn.Linear(d_model, 2 * d_model), nn.Linear(2 * d_model, d_model)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (heads_of(w(x), self.heads) for w in (self.q, self.k, self.v))
        x = self.norm1(x + self.out(attend(q, k, v)))
        return self.norm2(x + self.down(torch.relu(self.up(x))))  # type: ignore[no-any-return]


def twin_finder(layers: int = 2, width: int = 32) -> nn.Module:
    """No places: what a token is decides."""
    body = [PostNormLayer(width, 2) for _ in range(layers)]
    return nn.Sequential(nn.Embedding(14, width), *body, nn.Linear(width, 2))


class Perceiver(nn.Module):
    """Four learned latents attend to the inputs twice, the same layer, an MLP between (arXiv 2103.03206)."""

    def __init__(self, columns: int = 2, width: int = 24, latents: int = 4) -> None:
        super().__init__()
        self.latents = nn.Parameter(0.5 * torch.randn(latents, width))
        self.embed = nn.Linear(columns, width)
        self.norm_q, self.norm_kv, self.norm_m = (nn.LayerNorm(width) for _ in range(3))
        self.to_q, self.to_kv = nn.Linear(width, width, bias=False), nn.Linear(width, 2 * width, bias=False)
        self.to_out = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.readout = nn.Linear(latents * width, 2)

    def forward(self, x: Tensor) -> Tensor:
        k, v = self.to_kv(self.norm_kv(self.embed(x))).chunk(2, -1)
        z = self.latents.expand(x.shape[0], -1, -1)
        for _ in range(2):
            q = self.to_q(self.norm_q(z))
            z = z + self.to_out(attend(heads_of(q, 2), heads_of(k, 2), heads_of(v, 2)))
            z = z + self.mlp(self.norm_m(z))
        return self.readout(z.flatten(-2))  # type: ignore[no-any-return]


class GraphAttention(nn.Module):
    """Neighbours weighed by leaky(a·Wx_i + b·Wx_j) (arXiv 1710.10903), then the mean of neighbours beside."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.lin = nn.Linear(before, width)
        self.att_src, self.att_dst = nn.Linear(width, 1, bias=False), nn.Linear(width, 1, bias=False)
        self.own = nn.Linear(before, width)

    def forward(self, x: Tensor, near: Tensor) -> Tensor:
        h = self.lin(x)
        score = functional.leaky_relu(self.att_dst(h) + self.att_src(h).mT, 0.2)
        weight = score.masked_fill(near == 0, -1e9).softmax(-1)
        return functional.elu(self.own(x) + weight @ h)


class Energy(nn.Module):
    """Two layers of graph attention, one that adds neighbours up, and the nodes' sum."""

    def __init__(self, nodes: int = 10, features: int = 3, width: int = 24) -> None:
        super().__init__()
        self.nodes = nodes
        self.one, self.two = GraphAttention(features, width), GraphAttention(width, width)
        self.added = nn.Linear(2 * width, width)
        self.out = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        near, h = x[..., : self.nodes], x[..., self.nodes :]
        own = near + torch.eye(self.nodes)
        h = self.two(self.one(h, own), own)
        h = functional.elu(self.added(torch.cat([h, near @ h], -1)))
        return self.out(h.sum(-2))  # type: ignore[no-any-return]


class SageEnergy(nn.Module):
    """x_i and the mean of its neighbours through one layer each (arXiv 1706.02216), three times."""

    def __init__(self, nodes: int = 10, features: int = 2, width: int = 24) -> None:
        super().__init__()
        self.nodes, sizes = nodes, (features, width, width)
        self.self_ = nn.ModuleList(nn.Linear(size, width) for size in sizes)
        self.near_ = nn.ModuleList(nn.Linear(size, width, bias=False) for size in sizes)
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        near, h = x[..., : self.nodes], x[..., self.nodes :]
        near = near / near.sum(-1, keepdim=True).clamp(min=1)
        for own, others in zip(self.self_, self.near_, strict=True):
            h = torch.relu(own(h) + others(near @ h))
        return self.head(h)[..., 0]  # type: ignore[no-any-return]


class MaxSet(nn.Module):
    """Each point through leaky layers, the maximum over points, two layers more."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.phi = nn.Sequential(
            *(nn.Linear(2, width), nn.LeakyReLU(), nn.Linear(width, width), nn.LeakyReLU()),
            nn.Linear(width, width),
        )
        self.rho = nn.Sequential(nn.Linear(width, width), nn.LeakyReLU(), nn.Linear(width, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.rho(self.phi(x).max(-2).values)  # type: ignore[no-any-return]
