"""Sizes that nothing but the step size decides: weights before a norm, and embeddings before norms.

The forward pass does not see what a norm divides by: the scale of a weight in front of one only says how
far a step of the optimiser turns it. At rate η a step of Adam moves every entry by about η, so it turns the
weight by η/σ; a gradient through the norm falls as 1/σ, so a step of SGD turns it by η/σ² (van Laarhoven
2017, arXiv:1706.05350). A row of an embedding is moved whole, whatever its width. So where the rate is known,

    std of a weight before a norm = η/TURN · He's gain,    std of an embedding = η/ROW

(Adam), bounded, and the first in proportion to √(η/SGD_RATE) for SGD. TURN and ROW were found on problems of
width 16 to 96 at rates from 3e-4 to 3e-2 (docs/decisions/0026); at Adam's 1e-3 and a width of 1,600 TURN
gives He's own scale, and ROW at 4e-4, what GPT-2's size was trained with, gives its std of 0.02.
"""

from __future__ import annotations

import math

TURNED = "van Laarhoven 2017, arXiv:1706.05350"
TURN = 0.04
"""Adam: η·√fan_in at which weights before a norm have He's scale."""
SGD_RATE = 3e-2
"""SGD with momentum .9: the rate at which they do."""
ROW = 0.02
"""Adam: share of an embedding's std by which one step moves it."""
LEAST, MOST = 0.1, 3.0
"""Bounds of the factor on weights before norms."""
LEAST_ROW, MOST_ROW = 0.02, 1.0
"""Bounds of an embedding's std: GPT-2's, and unit variance."""


def before_norm(rate: float, optimizer: str, fan_in: float) -> float:
    """What He's scale is multiplied by before a norm; 1 where the rate or the optimizer is not known.

    Args:
        rate: the learning rate η, 0 if not known.
        optimizer: "adam" or "sgd" (momentum .9), else nothing is known.
        fan_in: inputs of one unit.
    """
    if not rate > 0 or optimizer not in ("adam", "sgd"):
        return 1.0
    wanted = rate * math.sqrt(fan_in) / TURN if optimizer == "adam" else math.sqrt(rate / SGD_RATE)
    return min(max(wanted, LEAST), MOST)


def of_rows(rate: float, optimizer: str, usual: float) -> float:
    """The std of an embedding before norms; `usual` unless the rate is known and Adam's."""
    if not rate > 0 or optimizer != "adam":
        return usual
    return min(max(rate / ROW, LEAST_ROW), MOST_ROW)
