"""Nothing or little drawn: bilinear interpolation, sinusoids, curves, the arcsine law."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .needs import shaped
from .scaling import fan

VASWANI = "Vaswani et al. 2017, Attention is all you need, arXiv:1706.03762, sec. 3.5"


def bilinear_upsampling(fans: Fans) -> Fill:
    """∏ (1 − |k/f − c|) over a kernel's axes, on the diagonal of its channels."""
    reason = "bilinear interpolation of each channel by itself"
    return Fill.indexed("bilinear", shape=fans.shape, layout=fans.layout, reason=reason)


def sinusoidal_positions(
    fans: Fans | None,
    *,
    base: Annotated[float, "wavelengths go from 2π to 2π·base"] = 10000.0,
    order: Annotated[
        Literal["interleaved", "halves"], "sine and cosine in turn, or first all sines"
    ] = "interleaved",
) -> Fill:
    """sin and cos of position/base^(2i/d)."""
    reason = f"sines and cosines of positions, base {base:g}, {order}"
    turn = 1.0 if order == "interleaved" else 0.0
    return Fill.indexed("sinusoidal", base, turn, **shaped(fans), reason=reason)


def linspace(
    fans: Fans | None,
    *,
    first: Annotated[float, "value at the beginning of the last axis"] = 3.0,
    last: Annotated[float, "value at its end"] = 6.0,
    power: Annotated[float, "1 is a straight line"] = 1.0,
) -> Fill:
    """first + (last − first)·(n/(N − 1))^power along the last axis."""
    reason = f"from {first:g} to {last:g} along the last axis"
    return Fill.indexed("power", first, last, power, **shaped(fans), reason=reason)


def arcsine(fans: Fans) -> Fill:
    """a·cos(πU), a = √(2·Var), Var = 2/(fan_in + fan_out)."""
    a = 2 / math.sqrt(fan(fans, "fan_in") + fan(fans, "fan_out"))
    return Fill.mapped("arcsine", gain=a, reason=f"±{a:.6g}·cos(πU): Glorot's variance at the law's two ends")


registry.add(
    SchemeRow(
        name="bilinear_upsampling",
        aliases=("bilinear",),
        law=bilinear_upsampling,
        summary="A transposed convolution that starts as bilinear interpolation.",
        formula="∏ (1 − |k/f − c|), f = ⌈size/2⌉, c = (2f − 1 − f mod 2)/(2f); channel to channel",
        citation="Caffe, BilinearFiller; Long, Shelhamer, Darrell 2015, arXiv:1411.4038",
        evidence="recalled",
        differences=("Caffe's filler writes every channel pair and is used with one group per channel.",),
        avoid="convolutions that mix channels: all but the diagonal is 0.",
        use="a transposed convolution that upsamples each channel by itself and may learn to do better.",
        suits=("upsampling", "deterministic", "cnn"),
        see=("dirac",),
        known=(
            Known((1, 1, 4, 4), "iohw", "high", 0.5625, source="(3/4)²"),
            Known((1, 1, 4, 4), "iohw", "mean", 0.25, source="each output sums to 1 of 4 phases: 4/16"),
        ),
    )
)
registry.add(
    SchemeRow(
        name="sinusoidal_positions",
        aliases=("sinusoidal",),
        law=sinusoidal_positions,
        summary="Positions as sines and cosines of wavelengths from 2π to 2π·base.",
        formula="sin(p·base^(−2i/d)), cos(p·base^(−2i/d))",
        citation=VASWANI,
        evidence="recalled",
        differences=('tensor2tensor and fairseq write first all sines, then all cosines: order="halves".',),
        avoid="tables that are looked up by anything but a position.",
        use="fixed or initial tables of positions in transformers.",
        suits=("positions", "transformer", "vit", "embedding", "deterministic", "bounded"),
        see=("fourier_features",),
        known=(Known((1, 8), "oi", "mean", 0.5, source="position 0: four sines 0, four cosines 1"),),
        elementwise=True,
    )
)
registry.add(
    SchemeRow(
        name="linspace",
        law=linspace,
        summary="A straight line or a power along the last axis: forget gates of xLSTM, decays of RWKV.",
        formula="first + (last − first)·(n/(N − 1))^power",
        citation="Beck et al. 2024, xLSTM, arXiv:2405.04517; transformers, models/xlstm (3 to 6 over heads)",
        evidence="verified in source",
        differences=("xLSTM's input gates have bias −10: constant(-10).",),
        avoid="matrices: every row is the same.",
        use="vectors whose entries stand for different time scales: decays, forget gates.",
        suits=("gate", "ssm", "lstm", "deterministic", "bias"),
        unsuited=("mlp", "cnn", "transformer"),
        see=("xlstm_gates", "s4d_imaginary"),
        known=(Known((4, 5), "oi", "mean", 4.5, source="the middle of 3 … 6"),),
        elementwise=True,
    )
)
registry.add(
    SchemeRow(
        name="arcsine",
        law=arcsine,
        summary="Glorot's variance, with most weights near the two ends of the interval.",
        formula="√(4/(fan_in + fan_out))·cos(πU)",
        citation="an arcsine law of Glorot's variance, as third parties have it",
        evidence="second-hand",
        differences=("No framework has it.",),
        avoid="anything that is not an experiment.",
        use="experiments on the shape of the law: its variance is Glorot's, its values crowd at the bounds.",
        suits=("experiment", "bounded", "mlp"),
        see=("xavier_uniform",),
        known=(Known((256, 64), "oi", "std", 0.0790569415, source="√(2/320), Xavier's"),),
    )
)
