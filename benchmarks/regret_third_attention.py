"""Networks of the third set that attend."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# a decoder in GPT's manner


class CausalSelfAttention(nn.Module):
    """One layer for queries, keys and values; torch's own attention."""

    def __init__(self, n_embd: int, n_head: int) -> None:
        super().__init__()
        self.n_head = n_head
        self.c_attn = nn.Linear(n_embd, 3 * n_embd, bias=False)
        self.c_proj = nn.Linear(n_embd, n_embd, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        split = (t.unflatten(-1, (self.n_head, -1)).transpose(1, 2) for t in self.c_attn(x).chunk(3, -1))
        y = functional.scaled_dot_product_attention(*split, is_causal=True)
        return self.c_proj(y.transpose(1, 2).flatten(-2))  # type: ignore[no-any-return]


class SquaredReluBlock(nn.Module):
    """Norms first; max(0, ·)² in the MLP (arXiv 2109.08668)."""

    def __init__(self, n_embd: int, n_head: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(n_embd), nn.LayerNorm(n_embd)
        self.attn = CausalSelfAttention(n_embd, n_head)
        self.c_fc = nn.Linear(n_embd, 4 * n_embd, bias=False)
        self.c_proj = nn.Linear(4 * n_embd, n_embd, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.c_proj(functional.relu(self.c_fc(self.ln_2(x))).square())  # type: ignore[no-any-return]


class MelodyGpt(nn.Module):
    """Matrices drawn as normals of .02, those that end a branch by √(2·layers) smaller, as GPT-2's are."""

    def __init__(self, kinds: int = 12, length: int = 12, n_embd: int = 24, n_layer: int = 2) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(kinds, n_embd), nn.Embedding(length, n_embd)
        self.h = nn.ModuleList(SquaredReluBlock(n_embd, 4) for _ in range(n_layer))
        self.ln_f, self.lm_head = nn.LayerNorm(n_embd), nn.Linear(n_embd, kinds, bias=False)
        for name, p in self.named_parameters():
            if p.dim() > 1:
                std = 0.02 / (2 * n_layer) ** 0.5 if name.endswith("c_proj.weight") else 0.02
                nn.init.normal_(p, std=std)

    def forward(self, idx: Tensor) -> Tensor:
        x = self.wte(idx) + self.wpe.weight
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))  # type: ignore[no-any-return]


# a decoder in Llama's manner


def rotate(x: Tensor, base: float = 500.0) -> Tensor:
    """Complex pairs of halves turned by place · base^(−i/half) (arXiv 2104.09864)."""
    half = x.shape[-1] // 2
    angle = torch.outer(torch.arange(x.shape[-2]).float(), base ** (-torch.arange(half) / half))
    cos, sin = angle.cos().repeat(1, 2), angle.sin().repeat(1, 2)
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


class GroupedAttention(nn.Module):
    """Four heads of queries, normed, on two of keys and values; rotary places, causal (arXiv 2305.13245)."""

    def __init__(self, dim: int, n_heads: int, n_kv_heads: int) -> None:
        super().__init__()
        self.size, self.rep = dim // n_heads, n_heads // n_kv_heads
        self.wq = nn.Linear(dim, n_heads * self.size, bias=False)
        self.wk = nn.Linear(dim, n_kv_heads * self.size, bias=False)
        self.wv = nn.Linear(dim, n_kv_heads * self.size, bias=False)
        self.wo = nn.Linear(n_heads * self.size, dim, bias=False)
        self.q_norm, self.k_norm = nn.RMSNorm(self.size), nn.RMSNorm(self.size)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (w(x).unflatten(-1, (-1, self.size)) for w in (self.wq, self.wk, self.wv))
        q, k, v = self.q_norm(q).transpose(1, 2), self.k_norm(k).transpose(1, 2), v.transpose(1, 2)
        k, v = rotate(k).repeat_interleave(self.rep, 1), v.repeat_interleave(self.rep, 1)
        y = functional.scaled_dot_product_attention(rotate(q), k, v, is_causal=True)
        return self.wo(y.transpose(1, 2).flatten(-2))  # type: ignore[no-any-return]


class RoundLayer(nn.Module):
    """RMSNorm first, grouped attention, SwiGLU."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.attention_norm, self.ffn_norm = nn.RMSNorm(dim), nn.RMSNorm(dim)
        self.attention = GroupedAttention(dim, 4, 2)
        self.w1, self.w3 = nn.Linear(dim, hidden, bias=False), nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        y = self.ffn_norm(x)
        return x + self.w2(functional.silu(self.w1(y)) * self.w3(y))  # type: ignore[no-any-return]


class RoundLlama(nn.Module):
    """Tokens, two layers, a norm, a head of its own."""

    def __init__(self, kinds: int = 10, dim: int = 24, layers: int = 2) -> None:
        super().__init__()
        self.tok_embeddings = nn.Embedding(kinds, dim)
        self.layers = nn.Sequential(*(RoundLayer(dim, 40) for _ in range(layers)))
        self.norm, self.output = nn.RMSNorm(dim), nn.Linear(dim, kinds, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.output(self.norm(self.layers(self.tok_embeddings(tokens))))  # type: ignore[no-any-return]


# encoders


class MoodEncoder(nn.Module):
    """torch's encoder, norms last: its layers are copies, alike when they start. The mean is read."""

    def __init__(self, kinds: int = 10, length: int = 6, d_model: int = 24, layers: int = 2) -> None:
        super().__init__()
        self.embed = nn.Embedding(kinds, d_model)
        self.positions = nn.Parameter(0.1 * torch.randn(length, d_model))
        layer = nn.TransformerEncoderLayer(d_model, 4, 2 * d_model, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.classify = nn.Linear(d_model, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.encoder(self.embed(tokens) + self.positions)
        return self.classify(x.mean(1))  # type: ignore[no-any-return]


class PeakDetector(nn.Module):
    """Strided convolutions, then three learned queries through torch's decoder layers (arXiv 2005.12872)."""

    def __init__(self, d_model: int = 16, layers: int = 2, queries: int = 3) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            *(nn.Conv1d(1, 12, 5, 2, 2), nn.ReLU(), nn.Conv1d(12, d_model, 3, 2, 1), nn.ReLU())
        )
        self.pos = nn.Parameter(torch.rand(6, d_model))
        self.query = nn.Parameter(torch.rand(queries, d_model))
        self.decoder = nn.ModuleList(
            nn.TransformerDecoderLayer(d_model, 2, 32, dropout=0.0, batch_first=True) for _ in range(layers)
        )
        self.box = nn.Sequential(nn.Linear(d_model, d_model), nn.ReLU(), nn.Linear(d_model, 2))

    def forward(self, x: Tensor) -> Tensor:
        memory = self.backbone(x).transpose(1, 2) + self.pos
        found = self.query.expand(x.shape[0], -1, -1)
        for layer in self.decoder:
            found = layer(found, memory)
        return self.box(found)  # type: ignore[no-any-return]


class FeatureTokenizer(nn.Module):
    """Each column a token: x_j·W_j + b_j, plain parameters; a class token first (arXiv 2106.11959)."""

    def __init__(self, columns: int, d_token: int) -> None:
        super().__init__()
        bound = d_token**-0.5
        self.weight = nn.Parameter(torch.empty(columns, d_token).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(columns, d_token).uniform_(-bound, bound))
        self.cls = nn.Parameter(torch.empty(d_token).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        tokens = x[..., None] * self.weight + self.bias
        return torch.cat([self.cls.expand(x.shape[0], 1, -1), tokens], 1)


class FtTransformer(nn.Module):
    """Tokens of columns through torch's encoder layers, norms first; the class token is read."""

    def __init__(self, columns: int = 8, d_token: int = 16, layers: int = 2) -> None:
        super().__init__()
        self.tokenizer = FeatureTokenizer(columns, d_token)
        self.blocks = nn.Sequential(
            *(
                nn.TransformerEncoderLayer(
                    d_token, 2, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
                )
                for _ in range(layers)
            )
        )
        self.head = nn.Sequential(nn.LayerNorm(d_token), nn.ReLU(), nn.Linear(d_token, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.tokenizer(x))[:, 0])  # type: ignore[no-any-return]
