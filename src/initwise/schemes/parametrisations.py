"""Parametrisations: an initialization and the factors in forward pass and learning rate it belongs to."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from ..core.errors import OptionError
from ..core.fill import Fill
from ..core.layout import Fans
from ..core.parameter import ParameterInfo
from .base import Known, Scheme, SchemeRow, registry
from .needs import Site, otherwise, positive
from .scaling import fan

YANG = "Yang et al. 2022, Tensor programs V, arXiv:2203.03466, tables 3 and 8"
NTK = "Jacot, Gabriel, Hongler 2018, arXiv:1806.07572; neural_tangents, stax/linear.py"
INPUTS = frozenset({"embedding", "position", "token_type", "patch", "label", "class_token", "mask_token"})

RATES = {
    "adam": {"input": 0, "hidden": -1, "output": 0, "vector": 0},
    "sgd": {"input": 1, "hidden": 0, "output": 1, "vector": 1},
}
"""Exponents of m = width/base_width in the learning rate, by optimizer and kind of parameter.

They belong to a head whose output is multiplied by 1/m (the paper's table 8; table 3 has no multiplier, a
smaller head and -1 for both). One step changes the output by (1/m)·Σ_k ΔW_k·h_k over m times as many terms:
ΔW = η·sign under Adam makes that go as η; under SGD ΔW = η·G, and G has the 1/m too, so η must go as m.
"""


def mup_kind(at: Site) -> str:
    """ "input", "hidden", "output" or "vector": which axes of a parameter grow with the width."""
    if at.role not in ("weight", "recurrent", "embedding", "token"):
        return "vector"
    if at.role in ("embedding", "token") or at.part in INPUTS:
        return "input"
    if at.part == "head":
        return "output"
    if not at.part and at.position in ("first", "last"):
        return "input" if at.position == "first" else "output"
    return "hidden"


def mup_learning_rate(kind: str, m: float, optimizer: str = "adam") -> float:
    """The factor on the base model's learning rate.

    Args:
        kind: as `mup_kind` says. m: width/base_width. optimizer: "adam" (and AdamW) or "sgd".

    >>> mup_learning_rate("hidden", 4), mup_learning_rate("input", 4, "sgd")
    (0.25, 4)
    """
    if optimizer not in RATES:
        raise OptionError(f"optimizer {optimizer!r}", where="mup", legal=RATES, given=optimizer)
    return m ** RATES[optimizer][kind]


def mup_scaling(
    fans: Fans | None,
    at: Site,
    *,
    base_width: Annotated[float, "width of the model whose learning rate is carried over"] = 256.0,
    std: Annotated[float | None, "std at the base width; None is 1/√fan_in there"] = None,
    readout: Annotated[Literal["zeros", "scaled"], "the head: 0, or as at the base width"] = "zeros",
    optimizer: Annotated[Literal["adam", "sgd"], "whose learning rates the reasons state"] = "adam",
) -> Fill | None:
    """Hidden matrices over √m; tables and inputs as at the base width; the head 0 or as there."""
    m, kind = at.d / positive("mup_scaling", base_width=base_width), mup_kind(at)
    rate = f"{optimizer}: learning rate × {mup_learning_rate(kind, m, optimizer):.4g}"
    if kind == "vector":
        fill = otherwise("zeros", fans, at)
        return fill and fill.because(f"{fill.reason}; {rate}")
    if kind == "output" and readout == "zeros":
        return Fill.constant(0.0, reason=f"the readout starts at 0; output × 1/{m:g}; {rate}")
    count = fan(fans, "fan_in") if fans is not None and kind != "input" else 1.0
    if kind == "input":
        small = std if std is not None else 1.0 if at.role != "weight" or fans is None else fans.fan_in**-0.5
    elif kind == "hidden":
        small = std / math.sqrt(m) if std is not None else count**-0.5
    else:
        # at the base width the head has 1/√fan_in of that width; the output multiplier 1/m does the rest
        small = std if std is not None else math.sqrt(m / count)
    return Fill.normal(0.0, small, reason=f"{kind}, m = {m:g}: std {small:.6g}; {rate}")


def ntk(fans: Fans | None) -> Fill:
    """N(0, 1), with y = (σ_w/√fan_in)·Wx + σ_b·b in the forward pass."""
    return Fill.normal(0.0, 1.0, reason="the forward pass divides by √fan_in")


def _unit_bias(scheme: Scheme, info: ParameterInfo) -> Fill:
    return Fill.normal(0.0, 1.0, reason="the forward pass multiplies it by σ_b", citation=NTK)


def ntk_standard(
    fans: Fans,
    *,
    sigma_w: Annotated[float, "σ_w"] = 1.0,
    sigma_b: Annotated[float, "σ_b, of biases"] = 0.0,
) -> Fill:
    """N(0, σ_w/√fan_in)."""
    std = positive("ntk_standard", sigma_w=sigma_w) / math.sqrt(fan(fans, "fan_in"))
    return Fill.normal(0.0, std, reason=f"{sigma_w:g}/√{fans.fan_in:g}")


def _standard_bias(scheme: Scheme, info: ParameterInfo) -> Fill:
    sigma = float(dict(scheme.options)["sigma_b"] or 0.0)
    return Fill.normal(0.0, sigma, reason=f"σ_b = {sigma:g}", citation=NTK)


def unit_scaling(fans: Fans | None) -> Fill:
    """N(0, 1); operations carry the scales."""
    return Fill.normal(0.0, 1.0, reason="operations carry the scales, so that all tensors have unit variance")


def equalized_learning_rate(
    fans: Fans | None, *, lr_mult: Annotated[float, "the layer's learning-rate multiplier"] = 1.0
) -> Fill:
    """N(0, 1/lr_mult), with W·lr_mult/√fan_in in the forward pass."""
    std = 1 / positive("equalized_learning_rate", lr_mult=lr_mult)
    return Fill.normal(0.0, std, reason=f"1/{lr_mult:g}; the forward pass multiplies by {lr_mult:g}/√fan_in")


AT = (("width", 1024),)
registry.add(
    SchemeRow(
        name="mup_scaling",
        aliases=("maximal_update",),
        law=mup_scaling,
        needs=("part", "width"),
        summary="The maximal update parametrisation: what was tuned on a narrow model holds for a wide one. "
        "Each reason states the parameter's learning rate.",
        formula="m = d/base_width: hidden std/√m (1/√fan_in); inputs, tables unchanged; head 0, its output "
        "× 1/m. Learning rates, Adam: hidden 1/m, all else 1; SGD: hidden 1, "
        "all else m",
        citation=f"{YANG} (recalled, with the learning rates); microsoft/mup, init.py and README "
        "(hidden std over "
        "√m, readout 0)",
        evidence="recalled",
        differences=(
            "The mup package compares with a base model's shapes and rescales once; here the width is read "
            "from shapes and base_width is an option.",
            "Attention's logits must be divided by d_h, not by √d_h (the package: 8·q·k/d_h).",
            "Megatron and nanoGPT-mup, with residual outputs over √(2Lm): the recipe mup.",
        ),
        avoid="training with one learning rate for everything: half of the scheme is its learning rates.",
        use="tuning learning rates on a narrow model and training a wide one, with muP's rates and "
        "multipliers in place.",
        suits=("width transfer", "language model", "transformer", "mlp", "theory"),
        see=("ntk", "spectral_orthogonal", "unit_scaling"),
        known=(
            Known((1024, 1024), "oi", "std", 1 / 32, at=(*AT, ("part", "mlp.up")), source="1/√1024"),
            Known(
                (1024, 1024),
                "oi",
                "std",
                0.01,
                (("std", 0.02),),
                at=(*AT, ("part", "mlp.up")),
                source="0.02/√4",
            ),
            Known(
                (50, 1024), "oi", "std", 0.0, at=(*AT, ("part", "head")), source="mup, README: zero readout"
            ),
        ),
    )
)
registry.add(
    SchemeRow(
        name="ntk",
        aliases=("neural_tangent",),
        law=ntk,
        summary="The neural tangent parametrisation: unit weights and biases, scales in the forward pass.",
        formula="N(0, 1), biases too; y = (σ_w/√fan_in)·Wx + σ_b·b",
        citation=NTK,
        evidence="verified in source",
        differences=("The library's text says the scale has out_dim; its code uses the input's width.",),
        avoid="layers that do not divide by √fan_in in their forward pass.",
        use="infinite-width theory, and networks whose forward pass divides by √fan_in.",
        suits=("theory", "mlp", "cnn", "width transfer"),
        see=("ntk_standard", "mup_scaling", "equalized_learning_rate"),
        known=(Known((256, 64), "oi", "std", 1.0, source="stax: N(0, 1)"),),
        elementwise=True,
        roles={"bias": _unit_bias},
    )
)
registry.add(
    SchemeRow(
        name="ntk_standard",
        law=ntk_standard,
        summary="The standard parametrisation as the neural tangent library has it.",
        formula="N(0, σ_w/√fan_in), biases N(0, σ_b)",
        citation=NTK,
        evidence="verified in source",
        differences=("The library also splits the width into s parts, with a factor 1/√s; not here.",),
        avoid="choosing σ_w by hand for a deep network: edge_of_chaos finds it.",
        use="comparing finite networks with the neural tangent kernel in the usual parametrisation.",
        suits=("theory", "mlp", "cnn", "reproduce"),
        see=("ntk", "edge_of_chaos"),
        known=(Known((256, 64), "oi", "std", 0.125, source="1/√64"),),
        roles={"bias": _standard_bias},
    )
)
registry.add(
    SchemeRow(
        name="unit_scaling",
        law=unit_scaling,
        summary="Unit weights; every operation carries the scale that keeps its output at variance 1.",
        formula="N(0, 1), biases 0",
        citation="Blake, Orr, Luschi 2023, arXiv:2303.11257; unit_scaling/_modules.py",
        evidence="verified in source",
        differences=("u-μP is the same law with muP's learning rates.",),
        avoid="layers that carry no scales.",
        use="training in 8 or 16 bits with a library whose operations carry the scales.",
        suits=("low precision", "transformer", "language model", "width transfer"),
        see=("ntk", "mup_scaling"),
        known=(Known((256, 64), "oi", "std", 1.0, source="unit_scaling: N(0, 1)"),),
        elementwise=True,
    )
)
registry.add(
    SchemeRow(
        name="equalized_learning_rate",
        law=equalized_learning_rate,
        summary="StyleGAN's layers: unit weights, He's scale in the forward pass, so that all learn alike.",
        formula="N(0, 1/lr_mult); the forward pass multiplies by lr_mult/√fan_in",
        citation="Karras et al. 2018, arXiv:1710.10196, sec. 4.1; stylegan2-ada-pytorch, networks.py",
        evidence="verified in source",
        differences=("Activations carry the gain √2 there, for relu, lrelu and swish.",),
        avoid="layers that do not rescale: do not divide by √fan_in a second time.",
        use="StyleGAN's layers and others that multiply by He's scale in the forward pass.",
        suits=("gan", "cnn", "mlp", "relu", "leaky relu"),
        unsuited=("transformer",),
        see=("ntk", "unit_scaling"),
        known=(Known((256, 64), "oi", "std", 100.0, (("lr_mult", 0.01),), source="the mapping network's"),),
        elementwise=True,
    )
)
