"""Highways: gates that carry the stream are neither residual branches nor their ends."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402

from initwise.choose.planners import plan_a2, study  # noqa: E402
from initwise.choose.rules import CARRY  # noqa: E402


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


class Mix(nn.Module):
    """A highway layer, written one of five ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way, self.gate, self.new = way, nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        t, h = torch.sigmoid(self.gate(x)), torch.tanh(self.new(x))
        if self.way == "sum":
            return t * h + (1 - t) * x
        if self.way == "turned":
            return (1 - t) * h + t * x
        if self.way == "difference":
            return x + t * (h - x)
        return torch.lerp(x, h, t) if self.way == "lerp" else t * h


@pytest.mark.parametrize(
    ("way", "carry"), [("sum", -1), ("turned", 1), ("difference", -1), ("lerp", -1), ("gated", 0)]
)
def test_a_highways_gate_starts_by_carrying_the_stream_on(way: str, carry: int) -> None:
    model = nn.Sequential(nn.Linear(16, 16), Mix(way), Mix(way), nn.Linear(16, 4))
    case = study(model, torch.randn(8, 16))
    assert [case.structure[f"{k}.gate.weight"].carry for k in (1, 2)] == [carry, carry]
    assert case.structure["1.new.weight"].carry == 0
    bias = plan_a2(case)["2.gate.bias"]
    assert bias.mean == carry * CARRY
    if carry:
        assert "1505.00387" in bias.citation


def test_a_hand_written_gru_keeps_the_biases_of_its_gates_at_zero() -> None:
    class Cell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.new, self.head = nn.Linear(16, 8), nn.Linear(16, 8), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            h = x.new_zeros(len(x), 8)
            for t in range(x.shape[1]):
                both = torch.cat([x[:, t], h], -1)
                z = torch.sigmoid(self.gate(both))
                h = (1 - z) * h + z * torch.tanh(self.new(both))
            out: Tensor = self.head(h)
            return out

    assert plan_a2(study(Cell(), torch.randn(4, 5, 8)))["gate.bias"].mean == 0
