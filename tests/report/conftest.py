"""One sample of every record, small enough to read and odd enough to matter."""

from __future__ import annotations

import math
from typing import Any

import pytest

from initwise.core.fill import Fill
from initwise.core.matches import Match, Matches
from initwise.core.picture import Picture
from initwise.core.plan import Plan
from initwise.core.records import (
    Advice,
    Arm,
    Candidate,
    Explanation,
    Finding,
    LayerSignal,
    Ledger,
    LedgerEntry,
    Race,
    Signals,
)

HE = Fill.normal(
    0.0, math.sqrt(2 / 64), reason="fan_in 64, gain √2 of relu: std = √(2/64)", citation="He et al., 2015"
)
ZERO = Fill.constant(0.0, reason="biases start at zero")
LONG = "vision.encoder.layers.11.attention.output.dense.projection.weight"
EVIL = '<script>alert("x")</script> & co'


def _plan() -> Plan:
    return Plan(
        "he_normal",
        (("features.0.weight", HE), ("features.0.bias", ZERO), (LONG, HE)),
        (("temperature", "a bare parameter: only an explicit rule touches it"),),
    )


def _signals() -> Signals:
    layers = (
        LayerSignal("features.0", "Linear", (32, 64), 0.71, 0.01, 3e-6, 2e-6, 0.0, 0.004, 0.31),
        LayerSignal("features.1", "Sigmoid", (32, 64), 0.52, 0.5, 1.1e-4, math.nan, 0.0, math.nan, 0.97),
        LayerSignal(
            LONG,
            "NonDynamicallyQuantizableLinear",
            (32, 10),
            1234.5,
            -0.02,
            0.0104,
            0.02,
            0.25,
            1.0,
            1.0,
            verdict="collapsed",
            reason="different inputs give the same output (cosine 1.00)",
        ),
    )
    findings = (
        Finding(LONG, "collapsed", "different inputs give the same output (cosine 1.00)", 1.0),
        Finding("features.0", "vanishing", "its gradient is 3e-06 of the last layer's", 3e-6),
    )
    return Signals("measure", layers, findings, 2.3026, "random inputs stand in for data")


def _ranking() -> tuple[Candidate, ...]:
    return (
        Candidate(
            "rule_b",
            "ok",
            "flat forward and backward, set on the data",
            1.02,
            0.98,
            0.1,
            0.3121,
            0.0043,
            3e-3,
            1.0,
        ),
        Candidate("lsuv", "ok", "", 0.97, 0.88, 0.2, 0.3142, 0.0041, 0.01, 1.0),
        Candidate("he_normal", "ok", "the gradient shrinks", 1.1, 8e-4, 2.0, 0.61, 0.02, 0.01, 0.33),
        Candidate("zeros", "symmetric", "all units of a layer are identical", 0.0, 0.0),
    )


def _race() -> Race:
    arms = (
        Arm("rule_b", 3e-3, 0, "finished", 300, ((100, 0.4), (300, 0.31)), 0.97),
        Arm("he_normal", 0.01, 0, "eliminated", 100, ((100, 0.61),), 0.71),
        Arm("zeros", 3e-3, 0, "failed", 0, (), error="ValueError: boom"),
    )
    return Race("digits", "rule_b", ("rule_b", "lsuv"), _ranking(), arms, 300, 0.0912, 12.34)


def _advice() -> Advice:
    return Advice(
        "rule_b",
        _plan(),
        ("Signal and gradient stay flat over all layers.", "It has the lowest validation loss of the race."),
        _ranking(),
        ("rule_b", "lsuv"),
        3e-3,
        "high",
        14.2,
        _signals(),
        _race(),
        "import initwise\ninitwise.init_(model, initwise.choose(model, example), seed=0)",
    )


def _ledger() -> Ledger:
    entries = (
        LedgerEntry(LONG, (64, 64), "float32", "filled", HE, 0.0, HE.std, 3e-4, 0.1771, HE.reason),
        LedgerEntry("features.0.bias", (64,), "float32", "filled", ZERO, 0.0, 0.0, 0.0, 0.0, ZERO.reason),
        LedgerEntry(
            "head.weight", (10, 64), "float32", "tied", reason="the same tensor as features.0.weight"
        ),
        LedgerEntry("scale", (), "bfloat16", "frozen", reason="requires_grad is False"),
    )
    return Ledger("he_normal", 7, entries, "0123456789abcdef" * 4)


def _explanation() -> Explanation:
    return Explanation(
        "he_normal",
        "Normal with the variance that keeps a ReLU signal's size from layer to layer.",
        "N(0, 2 / fan_in)",
        (("fan_in", "64"), ("std", "0.177")),
        ("torch: not truncated", "keras: truncated at two sigmas, corrected"),
        "saturating activations: use Xavier",
        "He et al., 2015, arXiv:1502.01852, eq. 10",
        "verified in source",
        "ReLU networks without norms.",
        ("he_uniform", "xavier_normal"),
        ("2010 xavier_normal", "2015 he_normal, he_uniform"),
        Picture(
            "density",
            "Density of one weight",
            (-0.5, -0.25, 0.0, 0.25, 0.5),
            (("density", (0.0, 1.0, 2.0, 1.0, 0.0)),),
            (("−σ", -0.2), ("0", 0.0), ("σ", 0.2)),
            "A triangle.",
        ),
    )


def _matches() -> Matches:
    he = Match("scheme", "he_normal", 2.0, ("relu", "cnn"), (), (), "ReLU networks without norms.", "tanh.")
    xavier = Match("scheme", "xavier_normal", -1.0, ("cnn",), ("relu",), (), "tanh.", "deep ReLU networks.")
    gpt = Match("recipe", "gpt2", 0.5, ("cnn",), (), ("relu",), "Every matrix N(0, 0.02).")
    understood = (("ReLU", "relu"), ("conv nets", "cnn"))
    unknown = (("gleu", "glu"), ("blorp", ""))
    hints = ("initwise explain he_normal",)
    return Matches("ReLU conv nets, gleu blorp", understood, unknown, (he, gpt), (xavier,), 3, hints)


@pytest.fixture(scope="session")
def samples() -> dict[str, Any]:
    return {
        "matches": _matches(),
        "plan": _plan(),
        "signals": _signals(),
        "race": _race(),
        "advice": _advice(),
        "ledger": _ledger(),
        "explanation": _explanation(),
    }
