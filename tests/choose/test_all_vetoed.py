"""Where the model itself makes every candidate look broken, the answer is still what is known to learn."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from initwise import choose


class Elman(nn.Module):
    """A recurrence that fades by itself: what reaches its first steps does not depend on the head."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Parameter(torch.full((12,), 0.01))
        self.head = nn.Linear(12, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = x[:, 0]
        for t in range(1, x.shape[1]):
            h = torch.tanh(self.inner * h + x[:, t])
        out: Tensor = self.head(h)
        return out


def test_zeros_is_not_chosen_where_every_other_candidate_is_vetoed() -> None:
    x = torch.randn(16, 30, 12, generator=torch.Generator().manual_seed(0))
    advice = choose(Elman(), x, candidates="all")
    verdicts = {one.name: one.verdict for one in advice.ranking}
    assert set(verdicts.values()) == {"vanishing", "symmetric"}
    assert verdicts["zeros"] == "symmetric"
    assert advice.name == "rule_b"
    assert advice.confidence == "low"
    assert any("Every candidate was vetoed" in reason for reason in advice.reasons)
