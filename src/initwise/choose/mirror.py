"""Mirrored units: for chains whose activation has no plain working point, or one that is far from linear.

Rows of a weight in pairs ±a make units in pairs ±z. If the next weights are A = [Q, −Q] over these pairs,
they see

    Q·(φ(z) − φ(−z)),

twice the odd part of φ. The mean of φ is gone, exactly, in every draw and without data, and for ReLU, leaky
ReLU, softplus, SiLU and GELU what is left is *linear*: φ(z) − φ(−z) = c·z. With Q orthogonal such a chain
is an isometry at the start, forward and backward, at any depth and width ("looks linear", Balduzzi et al.
2017, arXiv:1702.08591, section 3.2). For the others, sigmoid say, it is the chain of an odd function,
tanh(z/2), whose working point is found as tanh's is.

The price: a layer starts with half as many directions as it has units. The pairs part at the first step,
since at every input the two have different slopes. So it is used where plain draws lose more (`pays`).
Which are the pairs is known only if each half goes to a half of the next weights' inputs.
"""

from __future__ import annotations

import functools

import numpy as np

from ..activations import activation
from .facts import Structure, WeightFacts
from .operating import DRIFT, PLAIN_Q, Array, OperatingPoint, grid, known, operating_point, point_of_function

HELPLESS = 5
"""Chains longer than this start with mirrored units, if no plain point lets signal and gradient through."""
MIRRORED = 10
"""Chains longer than this do, if the best plain point is far from linear, or faint."""
LINEAR = 0.9
"""Largest linear share (`linear_share`) that is far from linear: ReLU's is 0.73, SELU's 0.97 at q = 1."""
FAINT = 0.1
"""Smallest q of a plain working point: below, units are so nearly linear that training is long in finding out
that they bend (SiLU in 30 layers: 0.02). Pairs are linear together and bend each for itself, at q = 1."""
ODD = 1e-9
"""A function is odd if φ(z) + φ(−z) is below this share of its values."""
BALDUZZI = "Balduzzi et al. 2017, arXiv:1702.08591"


def mirrors(facts: WeightFacts, structure: Structure) -> bool:
    """May, and should, the outputs of this weight come in pairs ±z?"""
    if not (_pairs(facts) and pays(facts.feeds, facts.chain)) or facts.outputs % 2 or facts.outputs < 4:
        return False
    after = structure.consumers(facts.name)
    if not after or not all(_takes_pairs(weight, facts) for weight in after):
        return False
    return mirrored_point(facts.feeds, facts.chain) is not None


@functools.lru_cache(maxsize=1024)
def pays(name: str, depth: int) -> bool:
    """Is a chain of `depth` layers better off with pairs ±z?

    Yes in chains of some length, where no plain working point lets signal and gradient through; in deep ones
    also where the best plain one is faint, or far from linear, so that inputs grow alike layer by layer. In
    others half of the directions are too high a price.
    """
    if depth <= HELPLESS or not known(name) or activation(name).gated:
        return False
    plain = operating_point(name, depth, biased=False)
    if not (plain.within_budget and plain.drift <= DRIFT):
        return True
    return depth > MIRRORED and (plain.q < FAINT or linear_share(name, plain.q) < LINEAR)


def linear_share(name: str, q: float) -> float:
    """Share of the variance of φ(z), z ~ N(0, q), that is linear in z: Cov(φ, z)²/(q·Var φ)."""
    z, weights = grid()
    value = np.asarray(activation(name).elementwise(np.sqrt(q) * z), np.float64)
    variance = float(weights @ value**2) - float(weights @ value) ** 2
    return float(weights @ (value * z)) ** 2 / variance


def _pairs(facts: WeightFacts) -> bool:
    plain = not (facts.gate or facts.attention or facts.normed_output or facts.tied) and facts.uses == 1
    return plain and facts.role in ("stem", "hidden") and facts.outputs > 0


def _takes_pairs(facts: WeightFacts, before: WeightFacts) -> bool:
    """Is the first half of this weight's inputs the first half of the outputs before?"""
    plain = not (facts.gate or facts.attention or facts.tied) and facts.uses == 1
    if not plain or facts.role not in ("hidden", "head") or facts.source != "activation":
        return False
    # flattening keeps the halves where channels come first
    flat = facts.outputs_first and before.outputs_first and facts.inputs % before.outputs == 0
    return facts.inputs == before.outputs or (flat and facts.inputs > 0)


@functools.lru_cache(maxsize=1024)
def mirrored_point(name: str, depth: int) -> OperatingPoint | None:
    """The largest q ≤ 1 at which `depth` mirrored layers keep signal and gradient.

    None for an activation that is odd already, that is even, or that has no such point. `second`,
    `slope_second` and `growth` are half of those of φ(z) − φ(−z), so that entries of std gain/√fan_in
    over all inputs, twins included, keep q.
    """
    if not known(name) or activation(name).gated:
        return None
    phi = activation(name).elementwise

    def odd(z: Array) -> Array:
        difference: Array = (np.asarray(phi(z), np.float64) - np.asarray(phi(-z), np.float64)) / np.sqrt(2)
        return difference

    z, _ = grid()
    values = np.asarray(phi(z), np.float64)
    if np.abs(values + values[::-1]).max() <= ODD * np.abs(values).max():
        return None
    steepest = float(np.abs(np.gradient(odd(z), z)).max())
    for q in PLAIN_Q:
        point = point_of_function(name, depth, odd, steepest, q=q, mirrored=True)
        if point is not None and point.within_budget and point.drift <= DRIFT:
            return point
    return None
