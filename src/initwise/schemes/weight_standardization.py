"""Networks without norms whose layers standardise their own weights: NF-Nets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from ..core.errors import OptionError
from ..core.fill import Fill
from ..core.layout import Fans
from ..core.parameter import ParameterInfo
from .base import Known, Scheme, SchemeRow, registry
from .needs import SCALARS, Base, Site, otherwise, positive
from .scaling import fan

BROCK = "Brock, De, Smith 2021, arXiv:2101.08692; Brock et al. 2021, arXiv:2102.06171"
SOURCE = "deepmind-research, nfnets/base.py"


def scaled_weight_standardization(fans: Fans) -> Fill:
    """N(0, 1/√fan_in); the forward pass makes gain·(w − mean)/√(var·fan_in) of each output's weights."""
    count = fan(fans, "fan_in")
    return Fill.normal(
        0.0,
        count**-0.5,
        reason=f"1/√{count:g}; the forward pass divides by each output's √(var·{count:g}): the scale is "
        f"lost there, "
        "a gain here would have no effect",
    )


def _gain(scheme: Scheme, info: ParameterInfo) -> Fill | None:
    if info.name.rpartition(".")[2] != "gain":
        return None
    return Fill.constant(1.0, reason="a standardised layer's gain starts at 1", citation=SOURCE)


def nfnet_signal(depths: Sequence[int], alpha: float = 0.2) -> tuple[tuple[float, float], ...]:
    """(expected std, β) of each block's input, block after block, β = 1/std the factor before its branch.

    Args:
        depths: number of blocks of each stage. alpha: what a branch is multiplied by.

    A stage's first block normalises its shortcut too, so that the variance starts anew at 1 there; each
    block then adds α².

    >>> [round(std, 4) for std, beta in nfnet_signal((2, 2))]
    [1.0, 1.0198, 1.0392, 1.0198]
    """
    found, variance = [], 1.0
    for depth in depths:
        for block in range(depth):
            found.append((math.sqrt(variance), 1 / math.sqrt(variance)))
            variance = (1.0 if block == 0 else variance) + alpha**2
    return tuple(found)


def nfnet_blocks(
    fans: Fans | None,
    at: Site,
    *,
    alpha: Annotated[float, "α, what a branch is multiplied by; > 0"] = 0.2,
    skip_gain: Annotated[float, "scalar at the end of each branch"] = 0.0,
    stages: Annotated[str, 'blocks of each stage, "1, 2, 6, 3", to tell each block\'s β in the reasons'] = "",
    base: Base = "scaled_weight_standardization",
) -> Fill | None:
    """skip_gain 0, heads N(0, 0.01), all else as `base`; the reasons tell β = 1/expected std."""
    positive("nfnet_blocks", alpha=alpha)
    depths = _depths(stages)
    if at.part in SCALARS and at.role in ("bare", "token"):
        return Fill.constant(skip_gain, reason=f"skip_gain: a branch starts at {skip_gain:g} of itself")
    if at.part == "head" and at.matrix:
        return Fill.normal(0.0, 0.01, reason="a head of std 0.01")
    fill = otherwise(base, fans, at)
    signal = nfnet_signal(depths, alpha)
    if fill is None or not at.matrix or at.block is None or at.block >= len(signal):
        return fill
    std, beta = signal[at.block]
    return fill.because(
        f"{fill.reason}; block {at.block}: expected std {std:.6g}, β = {beta:.6g}, α = {alpha:g}"
    )


def _depths(stages: str) -> tuple[int, ...]:
    words = [word.strip() for word in stages.split(",") if word.strip()]
    if not all(word.isdecimal() and int(word) for word in words):
        raise OptionError(
            f"stages={stages!r}", where="scheme 'nfnet_blocks'", expected='numbers of blocks: "1, 2, 6, 3"'
        )
    return tuple(int(word) for word in words)


registry.add(
    SchemeRow(
        name="scaled_weight_standardization",
        aliases=("scaled_ws", "weight_standardization"),
        law=scaled_weight_standardization,
        summary="Raw weights of layers that standardise them in the forward pass: their scale hardly "
        "matters.",
        formula="N(0, 1/√fan_in); forward ŵ = gain·(w − mean)/√(max(var·fan_in, 1e-4)) per output; gain "
        "1, biases 0",
        citation=f"{SOURCE}; timm, layers/std_conv.py; {BROCK}",
        evidence="verified in source",
        differences=(
            "1/√fan_in is already in the forward pass: He's or any other fan law on top of it changes "
            "nothing but "
            "how fast the weights turn. A gain for the activation belongs into the forward pass too (γ).",
            "timm folds γ into the layer's scale: γ/√fan_in.",
        ),
        avoid="layers that do not standardise: there it is LeCun's law. With them: counting fans or gains "
        "twice.",
        use="convolutions behind scaled weight standardisation, as in NF-Nets.",
        suits=("weight norm", "cnn", "resnet", "without norm"),
        see=("nfnet_blocks", "lecun_normal"),
        known=(
            Known((64, 32, 3, 3), "oihw", "std", 0.0589255651, source="1/√288"),
            Known((96, 1, 7, 7), "oihw", "std", 0.1428571429, groups=96, source="1/√49"),
        ),
        roles={"bare": _gain},
    )
)
registry.add(
    SchemeRow(
        name="nfnet_blocks",
        aliases=("nf_resnet_signal",),
        law=nfnet_blocks,
        needs=("part", "block", "depth"),
        touches=SCALARS,
        summary="Blocks without norms: branches start at 0, their inputs are divided by the std they will "
        "have.",
        formula="out = α·skip_gain·f(β·act(x)·γ) + shortcut, skip_gain 0, β = 1/√(1 + i·α²), i blocks "
        "into the stage",
        citation=f"{BROCK}; deepmind-research, nfnets/nf_resnet.py, nfnet.py",
        evidence="verified in source",
        differences=(
            "α, β and γ are constants of the model, not parameters: it must have them; `stages` makes the "
            "reasons "
            "tell β. A stage's first block is divided by the std that the last stage ends with.",
            "γ is 1/std of the activation of a standard normal: initwise.explain of an activation has it.",
        ),
        avoid="a convolution of zeros at a branch's end beside skip_gain 0: then neither would ever move.",
        use="NF-ResNets and NF-Nets, with skip_gain.",
        suits=("weight norm", "resnet", "without norm", "cnn", "very deep", "residual branch"),
        unsuited=("batchnorm", "plain"),
        see=("scaled_weight_standardization", "skipinit_gain"),
        known=(
            Known(
                (),
                "",
                "mean",
                0.0,
                at=(("part", "residual_scale"), ("block", 0)),
                source="nfnets/nfnet.py: skip_gain 0",
            ),
            Known(
                (64, 32, 3, 3),
                "oihw",
                "std",
                0.0589255651,
                at=(("part", "conv"), ("block", 0)),
                source="1/√288",
            ),
            Known(
                (1000, 2048),
                "oi",
                "std",
                0.01,
                at=(("part", "head"),),
                source="nfnets/nfnet.py: a head of 0.01",
            ),
        ),
    )
)
