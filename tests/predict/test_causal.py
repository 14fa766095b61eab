"""Causal attention is predicted the same, whoever makes the mask; torch's own is made once per shape."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

import initwise
from initwise.core.errors import ForwardError
from initwise.predict import causal

LENGTH = 12


class Attention(nn.Module):
    """Two layers of causal attention, by torch's flag or by a mask."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.packed = nn.ModuleList(nn.Linear(16, 48) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        for packed in self.packed:
            q, k, v = (part.unflatten(-1, (2, 8)).transpose(1, 2) for part in packed(x).chunk(3, -1))
            x = x + self.attended(q, k, v).transpose(1, 2).flatten(2)
        return x

    def attended(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.how == "flag":
            return scaled_dot_product_attention(q, k, v, is_causal=True)
        if self.how == "both":
            return scaled_dot_product_attention(q, k, v, torch.zeros(LENGTH, LENGTH), is_causal=True)
        mask = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
        return scaled_dot_product_attention(q, k, v, mask)


def predicted(how: str) -> list[tuple[float | None, ...]]:
    signals = initwise.check(lambda: Attention(how), f"f32[2,{LENGTH},16]", mode="predict")
    assert not any(layer.verdict == "unpredicted" for layer in signals.layers)
    return [(layer.forward_rms, layer.gradient_rms, layer.weight_gradient_rms) for layer in signals.layers]


def test_flag_and_mask_say_the_same() -> None:
    assert predicted("flag") == predicted("mask")


def test_the_mask_is_made_once_for_all_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Tensor] = []
    ours = causal.Causal._mask

    def noted(self: causal.Causal, query: Tensor, key: Tensor) -> Tensor:
        made.append(ours(self, query, key))
        return made[-1]

    monkeypatch.setattr(causal.Causal, "_mask", noted)
    predicted("flag")
    assert len(made) == 2
    assert made[0] is made[1]
    upper = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
    assert torch.equal(made[0] == -torch.inf, upper)
    assert not made[0][~upper].any()


def test_a_mask_beside_the_flag_is_refused_as_torch_does() -> None:
    with pytest.raises(ForwardError, match="is_causal"):
        predicted("both")


def test_the_collector_is_left_as_it_was() -> None:
    before = gc.get_threshold()
    predicted("flag")
    assert gc.get_threshold() == before
    with pytest.raises(ForwardError):
        predicted("both")
    assert gc.get_threshold() == before
