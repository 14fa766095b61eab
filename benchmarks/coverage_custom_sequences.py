"""Recurrences, attention by hand, scans, Fourier transforms: name → (constructor, example)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

Built = Callable[[], nn.Module]
TOKENS = "f32[8,16,48]"


class Stacked(nn.Module):
    """torch's recurrent layers, several at once, both ways, projected."""

    def __init__(self, kind: Callable[..., nn.Module], time_first: bool = False, **options: Any) -> None:
        super().__init__()
        self.time_first, self.first = time_first, nn.Linear(48, 48)
        self.core = kind(48, 48, batch_first=not time_first, **options)
        size = options.get("proj_size", 48) * (2 if options.get("bidirectional") else 1)
        self.last = nn.Linear(size, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        found = self.core(h.transpose(0, 1) if self.time_first else h)[0]
        return self.last(found.transpose(0, 1) if self.time_first else found)


class Final(nn.Module):
    """The last hidden state of an LSTM, as classifiers take it."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.core, self.last = (
            nn.Embedding(200, 48),
            nn.LSTM(48, 48, batch_first=True),
            nn.Linear(48, 5),
        )

    def forward(self, ids: Tensor) -> Tensor:
        _, (state, _) = self.core(self.words(ids))
        return self.last(state[-1])


class Packed(nn.Module):
    """A GRU on packed sequences of known lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.core, self.last = nn.GRU(48, 48, batch_first=True), nn.Linear(48, 10)
        self.register_buffer("lengths", torch.tensor([16, 14, 12, 10, 8, 8, 6, 4]))

    def forward(self, x: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, self.lengths, batch_first=True)
        found, _ = nn.utils.rnn.pad_packed_sequence(self.core(packed)[0], batch_first=True)
        return self.last(found)


class ByHand(nn.Module):
    """An LSTM as equations: orthogonal recurrent weights, a forget bias of 1."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.inner = nn.Parameter(torch.empty(48, 4 * width))
        self.own, self.bias = (
            nn.Parameter(torch.empty(width, 4 * width)),
            nn.Parameter(torch.zeros(4 * width)),
        )
        nn.init.xavier_uniform_(self.inner)
        for n in range(4):
            nn.init.orthogonal_(self.own[:, n * width : (n + 1) * width])
        with torch.no_grad():
            self.bias[width : 2 * width] = 1
        self.last, self.width = nn.Linear(width, 10), width

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(x.shape[0], self.width)
        for step in range(x.shape[1]):
            i, f, g, o = (x[:, step] @ self.inner + h @ self.own + self.bias).chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return self.last(h)


class Translating(nn.Module):
    """An encoder's state into a decoder that feeds on its own result."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.cell, self.out = (
            nn.GRU(48, 32, batch_first=True),
            nn.GRUCell(24, 32),
            nn.Linear(32, 24),
        )

    def forward(self, x: Tensor) -> Tensor:
        state = self.encode(x)[1][0]
        word, words = x.new_zeros(x.shape[0], 24), []
        for _ in range(4):
            state = self.cell(word, state)
            word = self.out(state)
            words.append(word)
        return torch.stack(words, 1)


class Hands(nn.Module):
    """Attention by matrix products, masked_fill and softmax."""

    def __init__(self, heads: int = 4, causal: bool = True) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.q, self.k, self.v, self.o = (nn.Linear(48, 48) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        b, t, d = x.shape
        q, k, v = (p(x).view(b, t, self.heads, -1).transpose(1, 2) for p in (self.q, self.k, self.v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(d // self.heads)
        if self.causal:
            later = torch.triu(torch.ones(t, t, dtype=torch.bool), 1)
            scores = scores.masked_fill(later, float("-inf"))
        return x + self.o((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, d))


class Einsum(nn.Module):
    """The same by einsum, weights as parameters of three axes."""

    def __init__(self, heads: int = 4) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Parameter(torch.randn(48, heads, 12) / math.sqrt(48)) for _ in range(3))
        self.o = nn.Parameter(torch.randn(heads, 12, 48) / math.sqrt(48))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (torch.einsum("btd,dhk->bhtk", x, w) for w in (self.q, self.k, self.v))
        share = torch.softmax(torch.einsum("bhtk,bhsk->bhts", q, k) / math.sqrt(12), -1)
        return torch.einsum("bhts,bhsk,hkd->btd", share, v, self.o)


class Linear(nn.Module):
    """Linear attention (Katharopoulos et al. 2020): elu + 1, keys times values first."""

    def __init__(self, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.q, self.k, self.v, self.o = (nn.Linear(48, 48) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = F.elu(self.q(x)) + 1, F.elu(self.k(x)) + 1, self.v(x)
        if self.causal:
            state = (k[..., :, None] * v[..., None, :]).cumsum(1)
            found = torch.einsum("btk,btkd->btd", q, state)
            total = (q * k.cumsum(1)).sum(-1, keepdim=True)
        else:
            found = q @ (k.transpose(1, 2) @ v)
            total = (q * k.sum(1, keepdim=True)).sum(-1, keepdim=True)
        return self.o(found / (total + 1e-6))


class Scan(nn.Module):
    """A state-space model (Gu & Dao 2023), its scan a loop: exp(ΔA)·h + ΔB·x."""

    def __init__(self, width: int = 32, states: int = 8) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(48, 2 * width), nn.Linear(width, 48)
        self.rate, self.both = nn.Linear(width, width), nn.Linear(width, 2 * states, bias=False)
        nn.init.constant_(self.rate.bias, -3.0)
        self.log = nn.Parameter(torch.log(torch.arange(1.0, states + 1)).repeat(width, 1))
        self.skip = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        u, gate = self.first(x).chunk(2, -1)
        u = F.silu(u)
        step, (b, c) = F.softplus(self.rate(u)), self.both(u).chunk(2, -1)
        decay = torch.exp(step[..., None] * -torch.exp(self.log))
        push = step[..., None] * b[:, :, None] * u[..., None]
        state, found = torch.zeros_like(push[:, 0]), []
        for t in range(x.shape[1]):
            state = decay[:, t] * state + push[:, t]
            found.append((state * c[:, t, None]).sum(-1))
        y = torch.stack(found, 1) + u * self.skip
        return self.last(y * F.silu(gate))


class Diagonal(nn.Module):
    """A linear recurrence of fixed rates (S4D-like), as a convolution by FFT."""

    def __init__(self, length: int = 16) -> None:
        super().__init__()
        self.rate, self.mix = nn.Parameter(torch.rand(48)), nn.Linear(48, 48)
        self.register_buffer("steps", torch.arange(float(length)))

    def forward(self, x: Tensor) -> Tensor:
        t = x.shape[1]
        kernel = torch.exp(-F.softplus(self.rate)[None] * self.steps[:, None])
        found = torch.fft.rfft(x, n=2 * t, dim=1) * torch.fft.rfft(kernel, n=2 * t, dim=0)
        return self.mix(torch.fft.irfft(found, n=2 * t, dim=1)[:, :t])


class Fnet(nn.Module):
    """FNet (Lee-Thorp et al. 2021): the real part of a transform over tokens and channels."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(48), nn.LayerNorm(48)
        self.mlp = nn.Sequential(nn.Linear(48, 96), nn.GELU(), nn.Linear(96, 48))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(x + torch.fft.fft2(x).real)
        return self.norm2(x + self.mlp(x))


class Spectral(nn.Module):
    """A Fourier neural operator's layer (Li et al. 2020): complex weights on the lowest modes."""

    def __init__(self, modes: int = 6) -> None:
        super().__init__()
        self.modes, self.first, self.last = modes, nn.Linear(48, 32), nn.Linear(32, 10)
        self.weight = nn.Parameter(torch.randn(32, 32, modes, 2) / 32)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x).transpose(1, 2)
        found = torch.fft.rfft(h)
        low = torch.einsum("bim,iom->bom", found[..., : self.modes], torch.view_as_complex(self.weight))
        out = torch.zeros(*low.shape[:2], found.shape[-1], dtype=low.dtype)
        out[..., : self.modes] = low
        return self.last(F.gelu(torch.fft.irfft(out, n=h.shape[-1]) + h).transpose(1, 2))


class Rotary(nn.Module):
    """Positions as complex rotations (Su et al. 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(48, 48) for _ in range(3))
        angles = torch.outer(torch.arange(16.0), 10000 ** (-torch.arange(24) / 24))
        self.register_buffer("turn", torch.polar(torch.ones_like(angles), angles))

    def turned(self, x: Tensor) -> Tensor:
        pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
        return torch.view_as_real(pairs * self.turn).flatten(-2)

    def forward(self, x: Tensor) -> Tensor:
        q, k = self.turned(self.q(x)), self.turned(self.k(x))
        return (q @ k.transpose(1, 2) / 48**0.5).softmax(-1) @ self.v(x)


class Mean(nn.Module):
    """A running mean by cumsum, and products by cumprod."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.gate, self.last = nn.Linear(48, 32), nn.Linear(48, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        count = torch.arange(1, x.shape[1] + 1)[:, None]
        mean = self.first(x).cumsum(1) / count
        return self.last(mean * self.gate(x).sigmoid().cumprod(1))


SEQUENCES: dict[str, tuple[Built, Any]] = {
    "RNN, two layers": (lambda: Stacked(nn.RNN, num_layers=2), TOKENS),
    "RNN of ReLU, time first": (lambda: Stacked(nn.RNN, True, nonlinearity="relu"), TOKENS),
    "GRU, two layers": (lambda: Stacked(nn.GRU, num_layers=2), TOKENS),
    "GRU, both ways": (lambda: Stacked(nn.GRU, bidirectional=True), TOKENS),
    "LSTM, two layers, dropout": (lambda: Stacked(nn.LSTM, num_layers=2, dropout=0.1), TOKENS),
    "LSTM, both ways": (lambda: Stacked(nn.LSTM, bidirectional=True), TOKENS),
    "LSTM, time first": (lambda: Stacked(nn.LSTM, True), TOKENS),
    "LSTM, projected": (lambda: Stacked(nn.LSTM, proj_size=24), TOKENS),
    "LSTM, its last state": (Final, "i64[8,16]<200"),
    "GRU, packed sequences": (Packed, TOKENS),
    "LSTM by hand": (ByHand, TOKENS),
    "encoder and decoder": (Translating, TOKENS),
    "attention by hand, causal": (Hands, TOKENS),
    "attention by hand": (lambda: Hands(causal=False), TOKENS),
    "attention by einsum": (Einsum, TOKENS),
    "linear attention": (lambda: Linear(False), TOKENS),
    "linear attention, causal": (lambda: Linear(True), TOKENS),
    "state space, a loop": (Scan, TOKENS),
    "state space by FFT": (Diagonal, TOKENS),
    "FNet": (Fnet, TOKENS),
    "Fourier neural operator": (Spectral, TOKENS),
    "rotary, complex": (Rotary, TOKENS),
    "cumsum and cumprod": (Mean, TOKENS),
}
