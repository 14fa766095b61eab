"""ConvS2S: variances that make up for dropout and for gated linear units."""

from __future__ import annotations

from typing import Annotated, Literal

from ..core.errors import OptionError
from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .framework_rules import fixed
from .scaling import variance_scaling

CITATION = (
    "Gehring et al. 2017, Convolutional sequence to sequence learning, arXiv:1705.03122, sec. 3.5; "
    "fairseq/models/fconv.py"
)
Dropout = Annotated[float, "share of the inputs that dropout sets to zero, in [0, 1)"]
Feeds = Annotated[
    Literal["auto", "glu", "linear"],
    "what the layer's output feeds: glu has four times the variance; auto takes kernels for glu",
]


def convs2s(fans: Fans, *, dropout: Dropout = 0.1, feeds: Feeds = "auto") -> Fill:
    """N(0, √((1−p)/fan_in)), and N(0, √(4(1−p)/fan_in)) before a gated linear unit.

    A gate passes a quarter of the variance, dropout with rescaling adds 1/(1−p).

    Raises:
        OptionError: dropout outside [0, 1).
    """
    if not 0 <= dropout < 1:
        raise OptionError(
            f"dropout={dropout!r}",
            where="convs2s",
            expected="a share in [0, 1)",
            cause="a percentage or the share kept was passed" if dropout >= 1 else "",
        )
    kernel = fans.layout is not None and bool(fans.layout.spatial)
    gated = feeds == "glu" or (feeds == "auto" and kernel)
    fill = variance_scaling(fans, scale=(4 if gated else 1) * (1 - dropout), distribution="normal")
    return fill.because(f"{fill.reason}, {'before a gate' if gated else 'no gate'}, dropout {dropout:g}")


registry.add(
    SchemeRow(
        name="convs2s",
        aliases=("fconv",),
        law=convs2s,
        summary="LeCun's variance less what dropout's rescaling adds, and four times that before a gated "
        "linear unit.",
        formula="N(0, √(c·(1 − p)/fan_in)), c = 4 before a GLU, else 1, p the dropout; tables N(0, 0.1)",
        citation=CITATION,
        evidence="verified in source",
        differences=(
            "fairseq only; there every such layer is then weight-normalised, its magnitude set to this norm.",
            "The paper writes p for the share kept, fairseq (1 − dropout).",
        ),
        avoid="ReLU and GELU networks: the factors are those of a gated linear unit.",
        use="convolutional sequence models with dropout, gated linear units and weight normalisation.",
        suits=("glu", "cnn", "dropout", "weight norm"),
        unsuited=("relu", "gelu"),
        see=("lecun_normal", "he_normal"),
        known=(
            Known((256, 64), "oi", "std", 0.1185854123, source="√(0.9/64)"),
            Known((3, 64, 256), "kio", "std", 0.1369306394, source="√(3.6/192)"),
            Known((256, 64), "oi", "std", 0.25, (("dropout", 0.0), ("feeds", "glu")), source="√(4/64)"),
        ),
        roles={
            "embedding": fixed(Fill.normal(0.0, 0.1, reason="fairseq's tables: N(0, 0.1)", citation=CITATION))
        },
    )
)
