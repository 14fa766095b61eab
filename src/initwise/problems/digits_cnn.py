"""A plain 10-layer convolutional network on the digits.

Why it is here: no normalisation and no shortcuts, so that the weights alone must carry the signal
through the convolutions, as in VGG and its like.
"""

from __future__ import annotations

from ..core.problem import Problem
from .digits import digits_problem
from .networks import cnn
from .registry import ProblemRow, registry

NAME = "digits-cnn"


def build() -> Problem:
    return digits_problem(NAME, cnn, images=True)


registry.add(
    ProblemRow(
        name=NAME,
        summary="plain 10-layer ReLU CNN on the digits: no normalisation to repair a bad start",
        architecture="10 × (Conv 3 × 3, 16 channels, ReLU), the second with stride 2, mean, Linear 16 → 10",
        build=build,
    )
)
