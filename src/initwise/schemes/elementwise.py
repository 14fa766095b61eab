"""Laws that need no fans: uniform, normal, truncated normal, the textbook's random normal."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from ..core.errors import FillError
from ..core.fill import Fill, truncated_moments
from ..core.layout import Fans
from ..core.numbers import deviation
from .base import Known, SchemeRow, registry
from .flavors import Flavor, haiku, jax_and_flax, keras, lasagne, plain, sonnet, torch

Mean = Annotated[float, "mean of the normal, before any bounds"]
Std = Annotated[float, "standard deviation of the normal, before any bounds"]
Bounds = Annotated[
    Literal["sigma", "weight"],
    "sigma counts low and high in parent stds from the mean; weight takes them as weight values",
]
Correct = Annotated[bool, "widen the parent so that the std after truncation is `std`"]

_BLIND = (
    "deep networks: it knows neither fan nor activation, so the signal grows or dies by a factor per layer."
)


def uniform(
    fans: Fans | None,
    *,
    low: Annotated[float, "smallest value"] = -0.05,
    high: Annotated[float, "largest value, not reached"] = 0.05,
    mean: Annotated[float, "middle of the interval, if `std` is given"] = 0.0,
    std: Annotated[
        float | None, "its std instead of low and high: mean ± √3·std, Lasagne's Uniform(std=…)"
    ] = None,
) -> Fill:
    """U[low, high); mean (low+high)/2, std (high-low)/√12. With `std`: mean ± √3·std."""
    if std is not None:
        half = math.sqrt(3) * deviation("uniform", std)
        low, high = mean - half, mean + half
    reason = f"uniform between {low:g} and {high:g}, whatever the fans"
    return Fill.uniform(low, high, reason=reason)


def normal(
    fans: Fans | None,
    *,
    mean: Mean = 0.0,
    std: Std = 0.05,
    low: Annotated[float, "values at or below are redrawn"] = -math.inf,
    high: Annotated[float, "values at or above are redrawn"] = math.inf,
) -> Fill:
    """N(mean, std), values outside the open interval (low, high) redrawn, never clamped."""
    if math.isinf(low) and math.isinf(high) and low < high:
        return Fill.normal(mean, std, reason=f"normal, mean {mean:g}, std {std:g}, whatever the fans")
    reason = f"normal, mean {mean:g}, std {std:g}, redrawn outside ({low:g}, {high:g})"
    return Fill.truncated_normal(mean, std, low, high, reason=reason)


def textbook_normal(fans: Fans | None) -> Fill:
    """N(0, 0.1), values outside the open interval (-1, 1) redrawn."""
    return normal(fans, mean=0.0, std=0.1, low=-1.0, high=1.0)


def truncated_normal(
    fans: Fans | None,
    *,
    mean: Mean = 0.0,
    std: Std = 0.05,
    low: Annotated[float, "lower bound, counted as `bounds` says"] = -2.0,
    high: Annotated[float, "upper bound, counted as `bounds` says"] = 2.0,
    bounds: Bounds = "sigma",
    correct: Correct = False,
) -> Fill:
    """N(mean, std) redrawn until low < w < high.

    Args:
        mean, std: of the parent normal; with `correct`, `std` is the one after truncation.
        low, high: in sigmas of the parent, or in weight units.

    Raises:
        FillError: std ≤ 0, empty bounds, bounds without probability, or (correct) bounds so near
            that no normal between them has this std.
    """
    if bounds == "sigma" and not low < high:
        raise FillError(
            f"truncated_normal: empty bounds ({low:g}, {high:g}) in sigmas", expected="low < high"
        )
    parent = _parent(mean, std, low, high, bounds) if correct else std
    a, b = (mean + low * parent, mean + high * parent) if bounds == "sigma" else (low, high)
    fill = Fill.truncated_normal(mean, parent, a, b)
    kind = "std after truncation" if correct else "parent std"
    return fill.because(f"{kind} {std:g}, redrawn outside ({a:g}, {b:g}), std {fill.std:.6g}")


def _parent(mean: float, std: float, low: float, high: float, bounds: str) -> float:
    """The parent std whose truncation to the bounds has this std."""
    if not 0 < std < math.inf or not low < high:
        return std  # Fill.truncated_normal says what is wrong
    if bounds == "sigma":
        realised = truncated_moments(low, high)
        return std / realised[1] if realised else std
    return _bisect(mean, std, low, high)


def _bisect(mean: float, std: float, low: float, high: float) -> float:
    """Solve realised std = `std` for the parent's, bounds fixed in weight units."""

    def realised(parent: float) -> float:
        moments = truncated_moments((low - mean) / parent, (high - mean) / parent)
        return moments[1] * parent if moments else 0.0

    below, above = std, std * 1e4
    if realised(above) < std:
        raise FillError(
            f"truncated_normal: no normal between {low!r} and {high!r} has std {std!r}",
            expected=f"a std below that of the uniform, {(high - low) / math.sqrt(12):.6g}",
        )
    for _ in range(200):
        middle = math.sqrt(below * above)
        below, above = (middle, above) if realised(middle) < std else (below, middle)
    return above


registry.add(
    SchemeRow(
        name="uniform",
        aliases=("random_uniform",),
        law=uniform,
        summary="All values between two bounds are equally likely.",
        formula="U[low, high), mean (low + high)/2, std (high − low)/√12",
        citation="torch/nn/init.py, uniform_; keras/src/initializers/random_initializers.py, RandomUniform; "
        "jax/_src/nn/initializers.py; haiku/_src/initializers.py; lasagne/init.py, Uniform; "
        "Rumelhart, Hinton, Williams 1986, Nature 323 (small random weights)",
        evidence="verified in source",
        differences=(
            "Keras defaults to ±0.05, as here; torch to [0, 1); Lasagne to ±0.01.",
            "JAX's uniform(scale) is one-sided: [0, scale).",
            "Lasagne's Uniform(std=…, mean=…) is mean ± √3·std; without std it warns: not Glorot's.",
        ),
        avoid=_BLIND,
        use="laws that a paper states by its bounds: the last layers of DDPG, U(±0.003).",
        suits=("bounded", "shallow", "rl", "embedding", "teaching"),
        unsuited=("very deep", "without norm"),
        see=("normal", "uniform_scaling"),
        known=(
            Known((256, 64), "oi", "std", 0.5773502692, (("low", -1.0), ("high", 1.0)), source="1/√3"),
            Known((256, 64), "oi", "mean", 0.5, (("low", 0.0), ("high", 1.0)), source="torch's [0, 1)"),
            Known((256, 64), "oi", "std", 0.2886751346, (("low", 0.0), ("high", 1.0)), source="1/√12"),
            Known((256, 64), "oi", "std", 0.2886751346, (("flavor", "torch"),), source="[0, 1)"),
            Known((256, 64), "oi", "mean", 0.005, (("flavor", "jax"),), source="JAX's [0, 0.01), one-sided"),
            Known((256, 64), "oi", "low", -0.01, (("flavor", "lasagne"),), source="Lasagne's ±0.01"),
            Known(
                (256, 64),
                "oi",
                "high",
                0.5173205081,
                (("flavor", "lasagne"), ("std", 0.01), ("mean", 0.5)),
                source="mean + √3·std",
            ),
        ),
        elementwise=True,
        flavors=plain(
            (
                torch("uniform_(a=0, b=1)", low=0.0, high=1.0),
                keras("RandomUniform(-0.05, 0.05)", low=-0.05, high=0.05),
                *jax_and_flax("uniform(scale=0.01)", low=0.0, high=0.01),
                haiku("RandomUniform(0, 1)", low=0.0, high=1.0),
                sonnet("RandomUniform(0, 1)", low=0.0, high=1.0),
                lasagne("Uniform(range=0.01)", low=-0.01, high=0.01),
            )
        ),
    )
)

registry.add(
    SchemeRow(
        name="normal",
        aliases=("random_normal", "gaussian"),
        law=normal,
        summary="A normal law with a fixed std; with bounds, values outside are drawn again.",
        formula="N(mean, std), redrawn until low < w < high",
        citation="torch/nn/init.py, normal_; keras/src/initializers/random_initializers.py, RandomNormal; "
        "jax/_src/nn/initializers.py; haiku/_src/initializers.py; lasagne/init.py, Normal; transformers; "
        "Megatron-LM, megatron/core/utils.py; Krizhevsky et al. 2012, ImageNet Classification with Deep "
        "CNNs, "
        "sec. 5 (std 0.01)",
        evidence="verified in source",
        differences=(
            "Default std: Keras 0.05, as here; torch and Haiku 1; JAX and Lasagne 0.01; Hugging Face and "
            "Megatron 0.02.",
        ),
        avoid=_BLIND,
        use="laws that a paper states as a number, N(0, 0.02) above all, and vectors that have no fans.",
        suits=("transformer", "language model", "embedding", "encoder", "gan", "shallow", "teaching"),
        unsuited=("very deep", "without norm"),
        see=("truncated_normal", "variance_scaling", "textbook_normal"),
        known=(
            Known(
                (256, 64), "oi", "std", 0.02, (("flavor", "huggingface"),), source="initializer_range = 0.02"
            ),
            Known((256, 64), "oi", "std", 1.0, (("flavor", "torch"),), source="torch's N(0, 1)"),
            Known((256, 64), "oi", "std", 0.01, (("flavor", "jax"),), source="jax's default"),
            Known((256, 64), "oi", "mean", 1.0, (("mean", 1.0), ("std", 0.02)), source="DCGAN's norm gain"),
            Known(
                (256, 64),
                "oi",
                "std",
                0.5395600937,
                (("std", 1.0), ("low", -1.0), ("high", 1.0)),
                source="std of N(0,1) within one sigma",
            ),
        ),
        elementwise=True,
        flavors=plain(
            (
                torch("normal_(mean=0, std=1)", std=1.0),
                keras("RandomNormal(0, 0.05)", std=0.05),
                *jax_and_flax("normal(stddev=0.01)", std=0.01),
                haiku("RandomNormal(stddev=1)", std=1.0),
                sonnet("RandomNormal(0, 1)", std=1.0),
                lasagne("Normal(std=0.01, mean=0)", std=0.01),
                Flavor("huggingface", "normal_(std=initializer_range=0.02)", settings={"std": 0.02}),
                Flavor("megatron", "init_method_normal(sigma=0.02)", settings={"std": 0.02}),
            )
        ),
    )
)

registry.add(
    SchemeRow(
        name="textbook_normal",
        aliases=("textbook",),
        law=textbook_normal,
        summary="The textbook's random normal: std 0.1, values in (−1, 1) by drawing again, not clamping.",
        formula="N(0, 0.1) redrawn until −1 < w < 1",
        citation="the project's founding textbook; Lasagne's recurrent gates use N(0, 0.1)",
        evidence="computed",
        differences=("The bounds are ten sigmas away: the std is 0.1 to machine precision.",),
        avoid=_BLIND + " Its output variance grows as 0.01 · fan_in.",
        use="exercises: it is the law that textbooks draw, and shows what a law without fans does.",
        suits=("teaching", "shallow", "mlp"),
        unsuited=("deep", "very deep", "without norm"),
        see=("normal", "truncated_normal"),
        known=(
            Known((256, 64), "oi", "std", 0.1, source="Lasagne's gates: N(0, 0.1); ±10 sigmas cut nothing"),
            Known((256, 64), "oi", "low", -1.0, source="the textbook's open interval (−1, 1)"),
            Known((256, 64), "oi", "high", 1.0, source="the textbook's open interval (−1, 1)"),
            Known((256, 64), "oi", "scale", 0.1, source="the textbook's std"),
        ),
        elementwise=True,
    )
)

registry.add(
    SchemeRow(
        name="truncated_normal",
        aliases=("trunc_normal",),
        law=truncated_normal,
        summary="A normal law without its tails: values outside the bounds are drawn again.",
        formula="N(mean, std) redrawn until low < w < high; at ±2 sigmas the std becomes 0.8796·std",
        citation="torch/nn/init.py, trunc_normal_; keras/src/initializers/random_initializers.py, "
        "TruncatedNormal; jax/_src/nn/initializers.py; haiku/_src/initializers.py; Robert 1995, "
        "arXiv:0907.4010",
        evidence="verified in source",
        differences=(
            "TensorFlow, JAX, Keras and Haiku count the bounds in sigmas, as here; torch and timm in weight "
            'units: bounds="weight".',
            "torch's trunc_normal_(std=0.02) keeps its bounds at ±2, a hundred sigmas: it truncates nothing.",
            "None of them corrects the std for the lost tails (0.8796 of the parent's at ±2 sigmas); "
            "variance-scaling laws in Keras and JAX do. correct=True does it here.",
            "torch before 2.12 clamps instead of redrawing: values exactly at the bounds, many sigmas out.",
            "Default std: Keras 0.05, as here; JAX 0.01; torch and Haiku 1.",
        ),
        avoid=_BLIND,
        use="laws that a paper states as a number with its bounds: BERT's and ViT's N(0, 0.02) cut at ±2σ.",
        suits=("vit", "encoder", "transformer", "embedding", "post-norm", "shallow", "bounded"),
        unsuited=("very deep", "without norm"),
        see=("normal", "textbook_normal"),
        known=(
            Known(
                (256, 64), "oi", "std", 0.8796256610, (("std", 1.0),), source="√(1 − 2·2·φ(2)/(2Φ(2) − 1))"
            ),
            Known(
                (256, 64),
                "oi",
                "std",
                0.9865783926,
                (("std", 1.0), ("low", -3.0), ("high", 3.0)),
                source="√(1 − 2·3·φ(3)/(2Φ(3) − 1))",
            ),
            Known(
                (256, 64),
                "oi",
                "std",
                0.02,
                (("std", 0.02), ("bounds", "weight")),
                source="torch: ±2 is a hundred sigmas",
            ),
            Known((256, 64), "oi", "std", 0.02, (("std", 0.02), ("correct", True)), source="by definition"),
            Known(
                (256, 64),
                "oi",
                "high",
                0.0454738894,
                (("std", 0.02), ("correct", True)),
                source="2.2736938 std",
            ),
            Known((256, 64), "oi", "std", 0.8796256610, (("flavor", "haiku"),), source="TNrel(1; 2)"),
            Known((256, 64), "oi", "std", 0.0087962566, (("flavor", "jax"),), source="0.8796·0.01"),
            Known(
                (256, 64), "oi", "std", 0.02, (("flavor", "torch"), ("std", 0.02)), source="±2 is 100 sigmas"
            ),
        ),
        elementwise=True,
        flavors=plain(
            (
                torch("trunc_normal_(mean=0, std=1, a=-2, b=2)", std=1.0, bounds="weight"),
                Flavor(
                    "timm", "timm trunc_normal_(std=1, a=-2, b=2)", settings={"std": 1.0, "bounds": "weight"}
                ),
                keras("TruncatedNormal(0, 0.05)", std=0.05),
                *jax_and_flax("truncated_normal(stddev=0.01)", std=0.01),
                haiku("TruncatedNormal(stddev=1)", std=1.0),
                sonnet("TruncatedNormal(0, 1)", std=1.0),
            )
        ),
    )
)
