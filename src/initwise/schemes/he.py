"""He et al. 2015: variance 2/fan, for ReLU."""

from __future__ import annotations

from typing import Annotated

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .flavors import TRUNCATED, Flavor, edm, haiku, jax_and_flax, keras, lasagne, torch
from .scaling import Direction, Normal, variance_scaling

PAPER = "He, Zhang, Ren, Sun 2015, Delving Deep into Rectifiers, arXiv:1502.01852"
Slope = Annotated[float, "slope of the leaky ReLU on the negative side; 0 is the ReLU"]
Scale = Annotated[float, "variance times the fan at slope 0; 2 is He's law, 1 what Lasagne and EDM call so"]

_DEPTHWISE = (
    "torch counts a grouped convolution's fan_out without dividing by the groups: std too small by "
    '√groups. Here the true fan; flavor="torch" gives torch\'s.',
    "torch and Keras swap the fans of a transposed convolution; here the true ones.",
)
_AVOID = (
    "tanh, sigmoid and linear layers (twice the variance they need), and GELU or SiLU, whose own gain "
    'initwise.gain("gelu") computes.'
)


def he_normal(
    fans: Fans,
    *,
    mode: Direction = "fan_in",
    negative_slope: Slope = 0.0,
    distribution: Normal = "normal",
    scale: Scale = 2.0,
) -> Fill:
    """N(0, √(2/((1+a²)·fan))). He et al. 2015, eq. 10 (fan_in), 14 (fan_out), 15 (slope a)."""
    scale = scale / (1 + negative_slope**2)
    return variance_scaling(fans, scale=scale, mode=mode, distribution=distribution)


def he_fan_out(fans: Fans, *, distribution: Normal = "normal") -> Fill:
    """N(0, √(2/fan_out)). He et al. 2015, eq. 14."""
    return he_normal(fans, mode="fan_out", distribution=distribution)


def he_uniform(
    fans: Fans, *, mode: Direction = "fan_in", negative_slope: Slope = 0.0, scale: Scale = 2.0
) -> Fill:
    """U(±√(6/((1+a²)·fan))): the variance of `he_normal`, bounded."""
    scale = scale / (1 + negative_slope**2)
    return variance_scaling(fans, scale=scale, mode=mode, distribution="uniform")


registry.add(
    SchemeRow(
        name="he_normal",
        aliases=("kaiming_normal", "he", "kaiming"),
        law=he_normal,
        summary="A ReLU halves the second moment, so the variance is doubled: 2 over the fan.",
        formula="N(0, √(scale / ((1 + a²) · fan))), scale 2 and fan_in unless told otherwise",
        citation=f"torch/nn/init.py, kaiming_normal_; keras/src/initializers/random_initializers.py; "
        f"jax/_src/nn/initializers.py; {PAPER}, eq. 10, 14 and 15",
        evidence="verified in source",
        differences=(
            "torch: a plain normal, as here. Keras, JAX and Haiku: a truncated one of the same std, no value "
            "beyond 2.27 std.",
            "Lasagne's HeNormal() and EDM's \"kaiming_normal\" have gain 1, so variance 1/fan_in.",
            "torch reads the slope only with nonlinearity='leaky_relu'.",
            *_DEPTHWISE,
        ),
        avoid=_AVOID,
        use="ReLU and leaky ReLU networks without norms, plain or convolutional, deep ones too.",
        suits=("relu", "cnn", "mlp", "leaky relu", "without norm", "deep", "plain", "autoencoder", "gnn"),
        unsuited=("tanh", "sigmoid", "linear", "selu", "gelu", "silu"),
        see=("he_uniform", "he_fan_out", "xavier_normal", "lecun_normal", "variance_scaling"),
        known=(
            Known((256, 64), "oi", "std", 0.1767766953, source="√(2/64)"),
            Known((256, 64), "oi", "std", 0.1767766953, (("flavor", "keras"),), source="Keras"),
            Known((256, 64), "oi", "high", 0.4019361943, (("flavor", "keras"),), source="Keras, JAX"),
            Known((64, 256), "io", "scale", 0.2009680971, (("flavor", "jax"),), source="before truncation"),
            Known((256, 64), "oi", "std", 0.125, (("flavor", "lasagne"),), source="HeNormal(): 1/√64"),
            Known((7, 7, 96, 1), "hwbo", "std", 0.0206196525, (("flavor", "keras"),), source="√(2/4704)"),
            Known((96, 1, 7, 7), "oihw", "std", 0.2020305089, (("flavor", "torch"),), 96, source="√(2/49)"),
            Known((128, 32, 3, 3), "oihw", "std", 0.0833333333, source="√(2/288)"),
            Known((128, 32, 3, 3), "oihw", "std", 0.0416666667, (("mode", "fan_out"),), source="√(2/1152)"),
            Known(
                (128, 8, 3, 3),
                "oihw",
                "std",
                0.0833333333,
                (("mode", "fan_out"),),
                groups=4,
                source="√(2/288)",
            ),
            Known(
                (128, 8, 3, 3),
                "oihw",
                "std",
                0.0416666667,
                (("mode", "fan_out"), ("flavor", "torch")),
                groups=4,
                source="torch, √(2/1152)",
            ),
            Known(
                (64, 32, 4, 4),
                "iohw",
                "std",
                0.0883883476,
                stride=(2, 2),
                source="√(2/256), mean over positions",
            ),
            Known(
                (64, 32, 4, 4),
                "iohw",
                "std",
                0.0625,
                (("flavor", "torch"),),
                stride=(2, 2),
                source="torch, √(2/512)",
            ),
            Known((256, 64), "oi", "std", 0.1733438113, (("negative_slope", 0.2),), source="√(2/1.04/64)"),
        ),
        flavors=(
            torch("kaiming_normal_(nonlinearity='relu')"),
            keras("HeNormal()", **TRUNCATED),
            *jax_and_flax("he_normal()", **TRUNCATED),
            haiku("VarianceScaling(2.0, 'fan_in', 'truncated_normal')", **TRUNCATED),
            lasagne("HeNormal()", scale=1.0),
            edm("kaiming_normal", scale=1.0),
        ),
    )
)

registry.add(
    SchemeRow(
        name="he_fan_out",
        aliases=("msra", "msra_fill", "kaiming_fan_out"),
        law=he_fan_out,
        summary="He's variance by the fan-out: keeps the gradient's variance; torchvision's ResNets use it.",
        formula="N(0, √(2 / fan_out))",
        citation=f"fvcore/nn/weight_init.py, c2_msra_fill; torchvision, models/resnet.py; {PAPER}, eq. 14",
        evidence="verified in source",
        differences=(
            "Detectron's c2_msra_fill and torchvision's ResNet are this law with torch's fan_out.",
            *_DEPTHWISE,
        ),
        avoid="networks without normalisation whose widths change a lot: the forward signal drifts.",
        use="convolutional networks with BatchNorm, where the forward size is taken care of and the "
        "gradient's is not.",
        suits=("batchnorm", "resnet", "relu", "cnn", "norm", "deep"),
        unsuited=("without norm", "tanh", "sigmoid"),
        see=("he_normal",),
        known=(
            Known((128, 32, 3, 3), "oihw", "std", 0.0416666667, source="√(2/1152)"),
            Known((96, 1, 7, 7), "oihw", "std", 0.2020305089, groups=96, source="timm and TPU rule, √(2/49)"),
            Known(
                (96, 1, 7, 7),
                "oihw",
                "std",
                0.0206196525,
                (("flavor", "torch"),),
                groups=96,
                source="torch, √(2/4704)",
            ),
            Known((96, 1, 7, 7), "oihw", "std", 0.2020305089, (("flavor", "timm"),), 96, source="√(2/49)"),
        ),
        flavors=(
            torch("kaiming_normal_(mode='fan_out', nonlinearity='relu')"),
            Flavor("detectron2", "fvcore c2_msra_fill", "torch", note="torchvision's ResNets have the same."),
            Flavor(
                "timm",
                "timm _init_weight_goog",
                "timm",
                note="as TPU EfficientNet: groups divided, strides not",
            ),
        ),
    )
)

registry.add(
    SchemeRow(
        name="he_uniform",
        aliases=("kaiming_uniform",),
        law=he_uniform,
        summary="He's variance with bounded values.",
        formula="U(±√(3 · scale / ((1 + a²) · fan))), scale 2 and fan_in unless told otherwise",
        citation=f"torch/nn/init.py, kaiming_uniform_; keras/src/initializers/random_initializers.py; "
        f"jax/_src/nn/initializers.py; {PAPER}, eq. 10, 14 and 15",
        evidence="verified in source",
        differences=(
            "torch's Linear and Conv layers call kaiming_uniform_ with a=√5, which is U(±1/√fan_in): a sixth "
            'of He\'s variance. See "torch_default".',
            "Lasagne's HeUniform() and EDM's \"kaiming_uniform\" have gain 1: U(±√(3/fan_in)).",
            *_DEPTHWISE,
        ),
        avoid=_AVOID,
        use="ReLU and leaky ReLU networks without norms when no weight shall be an outlier.",
        suits=(
            "relu",
            "cnn",
            "mlp",
            "leaky relu",
            "without norm",
            "deep",
            "plain",
            "autoencoder",
            "gnn",
            "bounded",
        ),
        unsuited=("tanh", "sigmoid", "linear", "selu", "gelu", "silu"),
        see=("he_normal", "he_fan_out", "xavier_uniform", "lecun_uniform"),
        known=(
            Known((256, 64), "oi", "high", 0.3061862178, source="√(6/64)"),
            Known(
                (256, 64), "oi", "high", 0.125, (("negative_slope", 5**0.5),), source="torch's a=√5, 1/√64"
            ),
            Known((256, 64), "oi", "high", 0.2165063509, (("flavor", "lasagne"),), source="√(3/64)"),
            Known((256, 64), "oi", "high", 0.2165063509, (("flavor", "edm"),), source="√(3/64)"),
        ),
        flavors=(
            torch("kaiming_uniform_(nonlinearity='relu')"),
            keras("HeUniform()"),
            *jax_and_flax("he_uniform()"),
            haiku("VarianceScaling(2.0, 'fan_in', 'uniform')"),
            lasagne("HeUniform()", scale=1.0),
            edm("kaiming_uniform", scale=1.0),
        ),
    )
)
