"""A 10-layer sigmoid network on the digits.

Why it is here: each sigmoid shrinks the signal and its gradient about fourfold, so that after ten
layers nothing is left, unless the weights make up for it and centre the mean.
"""

from __future__ import annotations

from functools import partial

from ..core.problem import Problem
from .digits import digits_problem
from .networks import mlp
from .registry import ProblemRow, registry

NAME = "digits-mlp-sigmoid"


def build() -> Problem:
    return digits_problem(NAME, partial(mlp, "Sigmoid"), images=False, steps=600)


registry.add(
    ProblemRow(
        name=NAME,
        summary="10-layer sigmoid network on the digits: PyTorch's default weights do not train it",
        architecture="9 × (Linear 64 → 64, Sigmoid), then Linear 64 → 10; 38,090 parameters",
        build=build,
    )
)
