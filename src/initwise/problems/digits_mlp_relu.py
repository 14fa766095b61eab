"""A 10-layer ReLU network on the digits.

Why it is here: each ReLU passes half of the signal's power, so that weights of variance 1/fan lose
a thousandfold over ten layers, and weights of variance 2/fan lose nothing.
"""

from __future__ import annotations

from functools import partial

from ..core.problem import Problem
from .digits import digits_problem
from .networks import mlp
from .registry import ProblemRow, registry

NAME = "digits-mlp-relu"


def build() -> Problem:
    return digits_problem(NAME, partial(mlp, "ReLU"), images=False, steps=600)


registry.add(
    ProblemRow(
        name=NAME,
        summary="10-layer ReLU network on the digits: trains with most weights, best with the right ones",
        architecture="9 × (Linear 64 → 64, ReLU), then Linear 64 → 10; 38,090 parameters",
        build=build,
    )
)
