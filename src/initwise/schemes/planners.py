"""Schemes of a whole model: what they do lives in the room that can see models."""

from __future__ import annotations

from typing import Annotated, Literal

from ..core.errors import UnsupportedError
from ..core.fill import Fill
from ..core.layout import Fans
from .base import SchemeRow, registry


def auto(
    fans: Fans | None,
    *,
    method: Annotated[
        Literal["calibrated", "analytic"],
        "calibrated passes data once; analytic needs no data, its example may be shapes",
    ] = "calibrated",
    loss: Annotated[
        Literal["classification", "regression", "unknown", "guessed"],
        "decides how large the output starts; guessed: from the model",
    ] = "guessed",
    lr: Annotated[float, "the learning rate that will be used, 0 if not known"] = 0.0,
    optimizer: Annotated[str, "the optimizer that the rate is for"] = "adam",
) -> Fill:
    """What `choose` chooses without a race."""
    raise UnsupportedError("scheme 'auto' decides for a whole model")


def rule(fans: Fans | None) -> Fill:
    """One of the automatic rules."""
    raise UnsupportedError("the rules decide for a whole model")


def lsuv(fans: Fans | None) -> Fill:
    """Orthogonal weights scaled layer by layer to unit variance."""
    raise UnsupportedError("scheme 'lsuv' decides for a whole model")


registry.add(
    SchemeRow(
        name="auto",
        aliases=("rule_b",),
        law=auto,
        summary="Rule B, the automatic rule: for every activation found in the model an input variance q at "
        "which neither signal nor gradient fades over the depth, residual branches scaled by their number, "
        "then one data pass that sets each layer to its target.",
        formula="per layer: std √(q/E[φ²])/√fan_in, φ the activation before it, q that of the one after it",
        citation="initwise.choose; Schoenholz et al. 2017, arXiv:1611.01232 (depth and χ₁)",
        evidence="computed",
        differences=("No framework has it.",),
        avoid="models that cannot run on an example.",
        use="a model of your own whose activations, branches and norms no named law was made for, "
        "with an example to run it on.",
        suits=(
            "any activation",
            "mlp",
            "cnn",
            "resnet",
            "transformer",
            "rnn",
            "without norm",
            "norm",
            "deep",
            "very deep",
            "relu",
            "tanh",
            "gelu",
            "silu",
            "sigmoid",
            "elu",
            "leaky relu",
            "calibrated on data",
        ),
        see=("rule_a", "rule_a2", "lsuv", "edge_of_chaos"),
        planner="initwise.choose.planners:auto_plan",
    )
)

registry.add(
    SchemeRow(
        name="rule_a2",
        law=rule,
        summary="Rule A2: as rule B (`auto`), without the data pass; its example may be shapes.",
        formula="per layer: std √(q/E[φ²])/√fan_in, φ the activation before it, q that of the one after it",
        citation="docs/decisions/0007; Schoenholz et al. 2017, arXiv:1611.01232 (depth and χ₁)",
        evidence="computed",
        differences=("No framework has it.",),
        avoid="models that cannot run on an example.",
        use="what auto is for, when no batch is like the data but its shapes are known.",
        suits=(
            "any activation",
            "mlp",
            "cnn",
            "resnet",
            "transformer",
            "relu",
            "tanh",
            "gelu",
            "silu",
            "sigmoid",
            "without norm",
            "norm",
            "deep",
            "very deep",
        ),
        see=("auto", "rule_a", "edge_of_chaos"),
        planner="initwise.choose.planners:rule_a2_plan",
    )
)

registry.add(
    SchemeRow(
        name="rule_a",
        law=rule,
        summary="Rule A: gains that keep the second moment at 1 after every activation found in the model, "
        "residual branch ends divided by the root of their number, orthogonal where it is deep; its example "
        "may be shapes.",
        formula="per layer: std 1/√E[φ(z)²]/√fan_in, z ~ N(0, 1), φ the activation before it",
        citation="docs/decisions/0007; He et al. 2015, arXiv:1502.01852 (the condition), for any φ",
        evidence="computed",
        differences=("No framework has it.",),
        avoid="deep tanh and sigmoid networks: the signal keeps its size there, the gradient does not.",
        use="models without deep saturating activations of whose input the shapes are known and no data: it "
        "runs the model once to see its layers.",
        suits=(
            "any activation",
            "mlp",
            "cnn",
            "resnet",
            "transformer",
            "relu",
            "gelu",
            "silu",
            "leaky relu",
            "without norm",
            "norm",
            "deep",
        ),
        see=("auto", "rule_a2", "variance_scaling"),
        planner="initwise.choose.planners:rule_a_plan",
    )
)

registry.add(
    SchemeRow(
        name="lsuv",
        aliases=("layer_sequential_unit_variance",),
        law=lsuv,
        summary="Orthogonal weights, then each layer in forward order scaled until its output has variance 1 "
        "on one batch.",
        formula="W ← W / std(layer's output), repeated until |std − 1| ≤ 0.1",
        citation="ducha-aiki/LSUV-pytorch, LSUV.py; Mishkin and Matas 2015, All you need is a good "
        "init, arXiv:1511.06422, algorithm 1",
        evidence="verified in source",
        differences=(
            "The authors' code takes orthogonal matrices from an SVD without sign fix, in module order; "
            "here from QR with the sign fixed, in execution order.",
        ),
        avoid="batches that do not look like the data.",
        use="convolutional and fully connected networks without norms whose activations no formula "
        "covers, with a typical batch.",
        suits=(
            "calibrated on data",
            "mlp",
            "cnn",
            "without norm",
            "deep",
            "any activation",
            "relu",
            "tanh",
            "isometry",
        ),
        see=("auto", "orthogonal"),
        planner="initwise.choose.planners:lsuv_plan",
    )
)
