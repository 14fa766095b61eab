"""Glorot and Bengio 2010: variance 2/(fan_in + fan_out), between forward and backward."""

from __future__ import annotations

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .flavors import TRUNCATED, Flavor, edm, haiku, jax_and_flax, keras, lasagne, torch
from .scaling import Gain, Mode, Normal, squared, variance_scaling

PAPER = "Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks"
_FUSED = (
    "torch's xavier_* on a fused query-key-value matrix sees three times the fan_out: bound smaller by √2. "
    "Here each part by its own fans."
)
_AVOID = "deep ReLU networks without normalisation: the signal halves per layer; he_normal fits those."


def xavier_normal(
    fans: Fans, *, gain: Gain = 1.0, mode: Mode = "fan_avg", distribution: Normal = "normal"
) -> Fill:
    """N(0, gain·√(2/(fan_in + fan_out))). Glorot and Bengio 2010, eq. 12."""
    return variance_scaling(fans, scale=squared(gain), mode=mode, distribution=distribution)


def xavier_uniform(fans: Fans, *, gain: Gain = 1.0, mode: Mode = "fan_avg") -> Fill:
    """U(±gain·√(6/(fan_in + fan_out))). Glorot and Bengio 2010, eq. 16."""
    return variance_scaling(fans, scale=squared(gain), mode=mode, distribution="uniform")


registry.add(
    SchemeRow(
        name="xavier_normal",
        aliases=("glorot_normal", "xavier", "glorot"),
        law=xavier_normal,
        summary="Variance between what keeps the forward signal and what keeps the gradient, for "
        "activations that are linear near zero.",
        formula="N(0, gain · √(2 / (fan_in + fan_out)))",
        citation=f"torch/nn/init.py, xavier_normal_; keras/src/initializers/random_initializers.py; "
        f"jax/_src/nn/initializers.py; lasagne/init.py; {PAPER}, eq. 12",
        evidence="verified in source",
        differences=(
            "torch and Lasagne: a plain normal, as here. Keras, JAX and Haiku: a truncated one of that std.",
            "The paper proposes the uniform law; the normal one has its variance.",
            _FUSED,
        ),
        avoid=_AVOID,
        use="tanh and linear networks, and transformers' matrices when both directions count alike.",
        suits=("tanh", "sigmoid", "linear", "mlp", "autoencoder", "gnn", "transformer", "cnn", "shallow"),
        unsuited=("relu", "leaky relu"),
        see=("xavier_uniform", "lecun_normal", "he_normal"),
        known=(
            Known((256, 64), "oi", "std", 0.0790569415, source="√(2/320)"),
            Known((64, 256), "io", "std", 0.0790569415, source="Keras: same layer, other storage"),
            Known((128, 32, 3, 3), "oihw", "std", 0.0372677996, source="√(2/1440)"),
            Known(
                (128, 32, 3, 3), "oihw", "std", 0.0372677996, (("flavor", "lasagne"),), source="GlorotNormal"
            ),
            Known((256, 64), "oi", "std", 0.1118033989, (("gain", 2**0.5),), source="√(4/320)"),
        ),
        flavors=(
            torch("xavier_normal_()"),
            keras("GlorotNormal()", **TRUNCATED),
            *jax_and_flax("glorot_normal()", **TRUNCATED),
            haiku("VarianceScaling(1.0, 'fan_avg', 'truncated_normal')", **TRUNCATED),
            lasagne("GlorotNormal()"),
            edm("xavier_normal"),
        ),
    )
)

registry.add(
    SchemeRow(
        name="xavier_uniform",
        aliases=("glorot_uniform",),
        law=xavier_uniform,
        summary="Glorot's variance with bounded values: the law of the paper itself.",
        formula="U(±gain · √(6 / (fan_in + fan_out)))",
        citation=f"torch/nn/init.py, xavier_uniform_; keras/src/initializers/random_initializers.py; "
        f"jax/_src/nn/initializers.py; lasagne/init.py; {PAPER}, eq. 16",
        evidence="verified in source",
        differences=(
            "The same everywhere but for the fans; torch multiplies by a gain, as here.",
            "Caffe2's and Detectron's XavierFill is U(±√(3/fan_in)): that is lecun_uniform.",
            "Lasagne's docstring gives √(6/(fan_in+fan_out)) for gain='relu'; its code √(12/…).",
            _FUSED,
        ),
        avoid=_AVOID,
        use="tanh and linear networks, transformers in fairseq's style, graph networks; Keras' default.",
        suits=(
            "tanh",
            "sigmoid",
            "transformer",
            "vit",
            "mlp",
            "gnn",
            "linear",
            "autoencoder",
            "cnn",
            "shallow",
            "keras",
            "bounded",
        ),
        unsuited=("relu", "leaky relu"),
        see=("xavier_normal", "he_uniform", "lecun_uniform"),
        known=(
            Known((256, 64), "oi", "high", 0.1369306394, source="√(6/320)"),
            Known((128, 32, 3, 3), "oihw", "high", 0.0645497224, source="√(6/1440)"),
            Known(
                (2304, 768),
                "oi",
                "high",
                0.0625,
                parts=(("q", 768), ("k", 768), ("v", 768)),
                source="√(6/1536), each matrix",
            ),
            Known((2304, 768), "oi", "high", 0.0441941738, source="torch on the fused tensor, √(6/3072)"),
            Known(
                (2304, 768),
                "oi",
                "high",
                0.0441941738,
                (("flavor", "torch"),),
                parts=(("q", 768), ("k", 768), ("v", 768)),
                source="the same, told by the layout",
            ),
            Known((256, 64), "oi", "high", 0.2165063509, (("flavor", "caffe2"),), source="√(3/64)"),
            Known((7, 7, 96, 1), "hwbo", "high", 0.0355297145, (("flavor", "keras"),), source="√(6/4753)"),
            Known((7, 7, 96, 1), "hwbo", "high", 0.2474358297, source="√(6/98)"),
        ),
        flavors=(
            torch("xavier_uniform_()"),
            keras("GlorotUniform()"),
            *jax_and_flax("glorot_uniform()"),
            haiku("VarianceScaling(1.0, 'fan_avg', 'uniform')"),
            lasagne("GlorotUniform()"),
            edm("xavier_uniform"),
            Flavor(
                "caffe2",
                "Caffe2 XavierFill, fvcore c2_xavier_fill",
                "torch",
                {"mode": "fan_in"},
                note="It is lecun_uniform, not Glorot's law.",
            ),
        ),
    )
)
