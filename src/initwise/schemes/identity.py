"""Identity maps: what goes in comes out."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry

Factor = Annotated[float, "what stands on the diagonal"]
Centre = Annotated[
    Literal["upper", "lower"], "of an even kernel: index k//2, as torch has it, or (k−1)//2, as JAX"
]


def identity(fans: Fans, *, gain: Factor = 1.0) -> Fill:
    """w[o, i] = gain if o = i, else 0; in a kernel, at its centre (then it is `dirac`)."""
    spatial = fans.layout is not None and bool(fans.layout.spatial)
    law = "dirac" if spatial else "identity"
    fill = Fill.matrix(law, gain, shape=fans.shape, layout=fans.layout)
    return fill.because(f"each output repeats one input, times {gain:g}")


def dirac(fans: Fans, *, centre: Centre = "upper") -> Fill:
    """1 at the kernel's centre for equal channels, per group; a matrix without kernel: identity."""
    return dataclasses.replace(identity(fans, gain=1.0), low_centre=centre == "lower")


registry.add(
    SchemeRow(
        name="identity",
        aliases=("eye",),
        law=identity,
        summary="Each output repeats one input.",
        formula="w[o, i] = gain · [o = i]",
        citation="torch/nn/init.py, eye_; keras/src/initializers/constant_initializers.py, Identity; "
        "haiku/_src/initializers.py, Identity; Le, Jaitly, Hinton 2015, arXiv:1504.00941 (recurrent matrices "
        "with ReLU)",
        evidence="verified in source",
        differences=(
            "torch's eye_ and Keras' Identity take matrices only, torch without a gain; here a kernel "
            "gets it at its centre.",
            "Haiku's Identity fails above two axes (it calls a method that arrays do not have).",
        ),
        avoid="plain stacks that must learn different units: the rows differ only by their inputs.",
        use="recurrent matrices of ReLU networks, and square maps that are to start by changing nothing.",
        suits=("deterministic", "rnn", "relu", "recurrent matrix", "isometry", "long memory"),
        unsuited=("lstm", "gru"),
        see=("irnn", "dirac", "orthogonal"),
        known=(
            Known((64, 64), "oi", "mean", 0.015625, source="64 ones among 64² entries"),
            Known(
                (64, 64), "oi", "gain", 0.01, (("gain", 0.01),), source="the short memory of Le et al. 2015"
            ),
            Known((64, 64), "oi", "std", 0.1240195927, source="√(1/64 · 63/64)"),
        ),
    )
)

registry.add(
    SchemeRow(
        name="dirac",
        law=dirac,
        summary="A convolution that hands its input through: one at the kernel's centre.",
        formula="W[o, i, k//2] = [o = i], within each group",
        citation="Zagoruyko and Komodakis 2017, DiracNets, arXiv:1706.00388; torch/nn/init.py, dirac_",
        evidence="verified in source",
        differences=(
            "torch only, for 3 to 5 axes; here a matrix gets the identity.",
            "The centre of an even kernel is k//2 in torch and here, (k−1)//2 in JAX's delta_orthogonal: "
            'centre="lower".',
        ),
        avoid="plain stacks that must learn different units: the rows differ only by their inputs.",
        use="convolutions that are to start by changing nothing: DiracNets, layers put into a trained net.",
        suits=("deterministic", "cnn", "deep", "isometry"),
        unsuited=("mlp", "transformer", "rnn"),
        see=("delta_orthogonal", "identity"),
        known=(Known((8, 8, 3, 3), "oihw", "mean", 0.0138888889, source="8 ones among 576"),),
    )
)
