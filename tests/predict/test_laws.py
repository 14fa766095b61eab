"""Every scheme that can be filled without data, predicted and measured on a small network of each kind."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from initwise import check, scheme, schemes
from initwise.core.errors import InitwiseError
from initwise.predict.laws import AVERAGED
from initwise.predict.rules.contraction import ONE_SIDED

SEEDS = 10
APPROXIMATION = 0.2
"""|ln| of mean squares that the prediction's approximations may make on networks this small and deep."""


def mlp() -> nn.Module:
    layers = [layer for _ in range(3) for layer in (nn.Linear(64, 64), nn.Tanh())]
    return nn.Sequential(*layers, nn.Linear(64, 12))


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(8, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1, stride=2),
        nn.Flatten(),
        nn.Linear(64 * 16, 12),
    )


MODELS = {"mlp": (mlp, "f32[32,64]"), "cnn": (cnn, "f32[16,8,8,8]")}


def filled(name: str) -> object:
    """The scheme, with what it has no default for."""
    given = {"class_prior_bias": {"rates": ",".join(["0.0833"] * 12)}}
    return scheme(name, **given.get(name, {}))


@cache
def numbers(name: str, kind: str, mode: str, seed: int = 0) -> dict[str, tuple[float, ...]]:
    build, example = MODELS[kind]
    torch.manual_seed(0)
    signals = check(build(), example, plan=filled(name), mode=mode, seed=seed)
    return {
        row.name: (row.forward_rms**2, row.gradient_rms**2, row.weight_gradient_rms**2)
        for row in signals.layers
    } | {"note": signals.note}  # type: ignore[dict-item]


def fillable(name: str, kind: str) -> bool:
    """Do the scheme's roles exist in this model, and is it all that it needs?"""
    build, example = MODELS[kind]
    try:
        check(build(), example, plan=filled(name))
    except InitwiseError:
        return False
    return True


WITHOUT_DATA = [row.name for row in schemes() if not row.planner and not row.arrays]


@pytest.mark.parametrize("kind", ["mlp", pytest.param("cnn", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", WITHOUT_DATA)
def test_a_schemes_prediction_is_what_is_measured_or_says_what_it_averages(name: str, kind: str) -> None:
    if not fillable(name, kind):
        build, example = MODELS[kind]
        with pytest.raises(InitwiseError):
            check(build(), example, plan=filled(name), mode="predict")
        return
    predicted = numbers(name, kind, "predict")
    if any(said in str(predicted["note"]) for said in (*AVERAGED.split("{}")[1:], ONE_SIDED)):
        return
    drawn = [numbers(name, kind, "measure", seed) for seed in range(SEEDS)]
    for layer, mine in predicted.items():
        if layer != "note":
            _compare(layer, mine, np.array([one[layer] for one in drawn]))


def _compare(layer: str, mine: tuple[float, ...], drawn: np.ndarray) -> None:
    for what, number, theirs in zip(("forward", "gradient", "weight gradient"), mine, drawn.T, strict=True):
        mean = theirs.mean()
        assert math.isnan(number) == math.isnan(mean), (layer, what)
        if math.isnan(mean) or max(mean, number) < 1e-25:
            continue
        # the mean of SEEDS lognormal-like numbers, 4 standard errors of their logarithm's mean
        spread = float(np.std(np.log(np.maximum(theirs, 1e-300)), ddof=1))
        allowed = 4.5 * spread / math.sqrt(SEEDS) + APPROXIMATION
        assert abs(math.log(max(number, 1e-300) / max(mean, 1e-300))) < allowed, (layer, what, number, mean)
