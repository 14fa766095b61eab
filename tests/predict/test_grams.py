"""What queries, keys and values of the same tokens have in common, where those tokens are means of others."""

import math

import numpy as np
import torch
from torch import nn

from initwise import check

WIDTH, TOKENS, SEEDS = 48, 32, 6


class Attention(nn.Module):
    """One head, causal, on a stream of small numbers behind a norm in parts."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))
        for layer in (self.q, self.k, self.v, self.o):
            nn.init.normal_(layer.weight, std=0.1)
        self.register_buffer("mask", torch.full((TOKENS, TOKENS), -math.inf).triu(1))

    def forward(self, x):
        h = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        scores = self.q(h) @ self.k(h).transpose(1, 2) / WIDTH**0.5
        return x + self.o(torch.softmax(scores + self.mask, -1) @ self.v(h))


def build():
    first = nn.Linear(WIDTH, WIDTH, bias=False)
    nn.init.normal_(first.weight, std=0.03)
    return nn.Sequential(first, *[Attention() for _ in range(3)])


def test_means_of_tokens_do_not_stray_as_tokens_do():
    """A sum over tokens averages their strays; queries had many times their gradient before."""
    measured = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        rows = {row.name: row for row in check(build(), f"f32[4,{TOKENS},{WIDTH}]", seed=seed).layers}
        measured.append(rows["3.q"].gradient_rms ** 2)
    rows = {row.name: row for row in check(build, f"f32[4,{TOKENS},{WIDTH}]", mode="predict").layers}
    assert abs(math.log(rows["3.q"].gradient_rms ** 2 / np.mean(measured))) < 0.3
