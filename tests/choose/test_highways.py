"""Highways: gates that carry the stream are neither residual branches nor their ends."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402

from initwise.choose.planners import study  # noqa: E402


def test_a_highway_written_as_a_difference_has_one_sum_a_layer_and_no_gate_ends_a_branch() -> None:
    class Highway(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.transform = nn.Linear(16, 16), nn.Linear(16, 16)

        def forward(self, x: Tensor) -> Tensor:
            return x + torch.sigmoid(self.gate(x)) * (torch.tanh(self.transform(x)) - x)

    model = nn.Sequential(nn.Linear(16, 16), Highway(), Highway(), nn.Linear(16, 4))
    found = study(model, torch.randn(8, 16)).structure
    assert found.adds == 2
    assert [found[f"1.{name}.weight"].role for name in ("gate", "transform")] == ["hidden", "hidden"]
    assert found.steadied
