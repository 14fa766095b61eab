"""ZerO: identities where the width does not grow, Hadamard matrices where it does; nothing is drawn."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from ..core.fill import Fill
from ..core.layout import Fans
from ..core.shaped import matrix_sizes
from .base import Known, SchemeRow, registry

Constant = Annotated[
    Literal["code", "paper"],
    "c of the Hadamard matrix: code is 2^(−m/2); paper is 2^(−(m−1)/2), as two re-implementations report "
    "the printed formula (second-hand)",
]


def zero_hadamard(
    fans: Fans, *, gain: Annotated[float, "a factor on the matrix"] = 1.0, constant: Constant = "code"
) -> Fill:
    """gain · I (out ≤ in), else gain · c · the first out rows and in columns of the Sylvester matrix.

    Zhao et al. 2021, algorithm 1. In a kernel, at its centre; per group.
    """
    grows, words = False, "an identity, or Hadamard where the width grows"
    if fans.shape:
        rows, columns, _ = matrix_sizes(fans.shape, fans.layout)
        grows, m = rows > columns, (rows - 1).bit_length()
        words = (
            f"{columns} inputs spread over {rows} outputs by Hadamard's matrix of order 2^{m}"
            if grows
            else f"each of {rows} outputs repeats one of {columns} inputs"
        )
    factor = math.sqrt(2) if grows and constant == "paper" else 1.0
    fill = Fill.matrix("hadamard", gain * factor, shape=fans.shape, layout=fans.layout)
    return fill.because(words)


registry.add(
    SchemeRow(
        name="zero_hadamard",
        aliases=("hadamard",),
        law=zero_hadamard,
        summary="Zeros and ones: weights pass their input on, wider layers spread it by Hadamard's matrix.",
        formula="out ≤ in: I; else 2^(−m/2) · I(out×2^m) · H(2^m) · I(2^m×in), m = ⌈log2 out⌉",
        citation="Zhao, Schäfer, Anandkumar 2021, arXiv:2110.12661, algorithm 1; "
        "jiaweizzhao/ZerO-initialization, example_mnist.ipynb",
        evidence="verified in source",
        differences=(
            "The authors' code has c = 2^(−m/2): orthonormal columns if out is a power of two. The printed "
            'formula is reported as 2^(−(m−1)/2): constant="paper".',
            "The paper sets the last layer of residual branches by a rule of its own; here it gets this law "
            "unless a rule names it.",
            "The paper writes ZerO; that is no name here, since `zero` is zeros: case alone decides nothing.",
        ),
        avoid="plain stacks without skip connections: nothing is random, and what the inputs do not tell "
        "apart stays equal. It is for ResNets with BatchNorm and for transformers.",
        use="ResNets with BatchNorm and transformers whose runs are to start the same without a seed.",
        suits=("deterministic", "resnet", "transformer", "cnn", "batchnorm", "norm"),
        unsuited=("plain", "mlp"),
        see=("identity", "dirac"),
        known=(
            Known((64, 64), "oi", "mean", 0.015625, source="64 ones among 64²"),
            Known((8, 4), "oi", "std", 0.3423265984, source="±2^(−3/2), 32 of them, their sum 8·2^(−3/2)"),
            Known((8, 4, 3, 3), "oihw", "mean", 0.0098209275, source="8·2^(−3/2) over 288 entries"),
            Known(
                (8, 4), "oi", "gain", 2**0.5, (("constant", "paper"),), source="2^(−(m−1)/2) over 2^(−m/2)"
            ),
        ),
    )
)
