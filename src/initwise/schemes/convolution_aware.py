"""Convolution-aware filters: orthonormal in the Fourier domain, then scaled to He's variance."""

from __future__ import annotations

import math
from typing import Annotated

from ..core.errors import OptionError
from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .orthogonal import orthogonal
from .scaling import fan


def convolution_aware(
    fans: Fans,
    *,
    eps_std: Annotated[float, "std of the noise added to each tap, before scaling; ≥ 0"] = 0.05,
) -> Fill:
    """Filters whose spectra are orthonormal among the inputs, scaled to Var = 2/fan_in over the tensor."""
    if not 0 <= eps_std < math.inf:
        raise OptionError(f"eps_std={eps_std!r}", where="scheme 'convolution_aware'", expected="a std ≥ 0")
    if fans.layout is None or not fans.layout.spatial:
        return orthogonal(fans).because("no kernel axes: an orthogonal matrix")
    std = math.sqrt(2 / fan(fans, "fan_in"))
    fill = Fill.whole("convolution_aware", eps_std, gain=std, shape=fans.shape, layout=fans.layout)
    return fill.because(
        f"orthonormal spectra, then scaled as one tensor to std √(2/{fans.fan_in:g}) = {std:.6g}"
    )


registry.add(
    SchemeRow(
        name="convolution_aware",
        aliases=("convaware", "cai"),
        law=convolution_aware,
        summary="Kernels of one output that are orthonormal to each other in the Fourier domain, at He's "
        "variance.",
        formula="w = √(2/fan_in) · x/std(x), x = F⁻¹(rows of an orthogonal matrix) + N(0, eps_std)",
        citation="Aghajanyan 2017, Convolution aware initialization, arXiv:1702.06295; keras-contrib, "
        "initializers/convaware.py",
        evidence="verified in source",
        differences=(
            "keras-contrib only. It takes eigenvectors of a symmetrised normal matrix, which are nearly "
            "Haar's; "
            "here they are Haar's. What else differs: docs/notes/whole-laws.md.",
            "keras-contrib returns (…, filters, inputs) where Keras stores (…, inputs, filters): right "
            "only if "
            "both are equal.",
            "Outputs with more inputs than coefficients get several orthonormal sets.",
        ),
        avoid="sharded tensors that fit no memory: every shard makes the whole one.",
        use="plain convolutional networks with ReLU whose kernels are to start different from one another.",
        suits=("experiment", "cnn", "relu"),
        unsuited=("transformer", "depthwise"),
        see=("he_normal", "delta_orthogonal", "orthogonal"),
        known=(
            Known((64, 32, 3, 3), "oihw", "std", 0.0833333333, source="√(2/288), exactly, over the tensor"),
            Known((64, 32, 5), "oik", "std", 0.1118033989, source="√(2/160)"),
            Known((64, 64), "oi", "std", 0.125, source="no kernel: orthogonal, 1/√64"),
        ),
    )
)
