"""Constants that papers and frameworks print for an activation, to be held against the computed ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..core.codec import JsonMixin
from .moments import Moments

Keep = Literal["second_moment", "variance", "gradient"]
KEEPS: tuple[Keep, ...] = ("second_moment", "variance", "gradient")
"""What a gain can keep: E[φ²] forward, Var[φ] forward, the gradient's second moment backward."""


@dataclass(frozen=True)
class Published(JsonMixin):
    """A gain somebody printed.

    Attributes:
        source: where it stands.
        gain: the constant, a factor on 1/√fan.
        kind: "exact", "rounded", "empirical" (found by trying), "sampled" (a Monte Carlo estimate),
            "fitted", or "convention" (chosen, not meant to keep anything).
        keeps: the computed gain to compare it with.
    """

    source: str
    gain: float
    kind: str
    keeps: str = "second_moment"

    def computed(self, moments: Moments) -> float:
        """The gain of an activation with these moments that keeps the same."""
        return {
            "second_moment": moments.gain,
            "variance": moments.centred_gain,
            "gradient": moments.backward_gain,
        }[self.keeps]

    def deviation(self, moments: Moments) -> float:
        """By how much it is off, relative to the computed gain: 0.05 is 5 % too much."""
        return self.gain / self.computed(moments) - 1


def torch_gain(gain: float, kind: str) -> Published:
    """What torch.nn.init.calculate_gain returns."""
    return Published("torch.nn.init.calculate_gain", gain, kind)


def nfnet(gain: float) -> Published:
    """What NFNets multiply by (deepmind-research nfnets/base.py, timm nfnet.py)."""
    return Published("NFNets", gain, "sampled", "variance")


def stylegan2(gain: float) -> Published:
    """The default gain of StyleGAN2's bias_act (torch_utils/ops/bias_act.py)."""
    return Published("StyleGAN2 bias_act", gain, "convention")


def unit_scaling() -> Published:
    """unit-scaling's scale of GELU and SiLU at mult = 1 (unit_scaling/functional.py): one fit for both."""
    relu, weight = math.sqrt(2 / (1 - 1 / math.pi)), 1 / 1.25
    return Published("unit-scaling", 2 ** (1 - weight) * relu**weight, "fitted", "variance")
