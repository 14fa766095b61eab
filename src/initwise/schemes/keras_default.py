"""What Keras' layers draw."""

from __future__ import annotations

from ..core.fill import Fill
from ..core.layout import Fans, recounted
from ..core.parameter import ParameterInfo
from .base import Known, Scheme, SchemeRow, registry
from .framework_rules import fixed, forget_one, rotation
from .roles import constant, keep
from .torch_default import whole
from .xavier import xavier_uniform

CITATION = "keras/src/layers (Keras 3), each layer's default initializers"


def keras_default(fans: Fans) -> Fill:
    """U(±√(6/(fan_in + fan_out))) with Keras' fans: Dense and convolutions."""
    return xavier_uniform(recounted(fans, "keras") if fans.layout is not None else fans)


def _gates(scheme: Scheme, info: ParameterInfo) -> Fill:
    """An RNN's input kernel is one matrix to Keras; attention's projections are three layers."""
    return scheme.fill(whole(info) if info.fan_hidden else info.fans)


registry.add(
    SchemeRow(
        name="keras_default",
        aliases=("keras",),
        law=keras_default,
        summary="Keras' defaults: Glorot's uniform law, biases zero, orthogonal recurrent matrices, the "
        "forget gate open.",
        formula="U(±√(6/(fan_in + fan_out))); tables U(±0.05); recurrent orthogonal; forget bias 1",
        citation=CITATION,
        evidence="verified in source",
        differences=(
            "Keras' fans: a grouped or strided convolution's fan_out is not divided, a transposed one's are "
            "swapped.",
            "All gates of an RNN are one matrix to Keras, for Glorot's law and for the orthogonal one.",
            "torch has two recurrent biases that add: the forget gate's 1 goes into the first.",
            "Keras' PReLU starts at slope 0. Tokens and bare parameters are left as they are.",
        ),
        avoid="deep ReLU networks without normalisation.",
        use="comparing with, or porting, what Keras' layers start from; tanh networks, LSTMs and GRUs.",
        suits=("keras", "mlp", "cnn", "lstm", "gru", "rnn", "tanh", "norm", "shallow"),
        unsuited=("very deep",),
        see=("torch_default", "xavier_uniform"),
        known=(
            Known((64, 256), "io", "high", 0.1369306394, source="√(6/320)"),
            Known((3, 3, 32, 128), "hwio", "high", 0.0645497224, source="√(6/1440)"),
            Known((128, 8, 3, 3), "oihw", "high", 0.0700140042, groups=4, source="√(6/(72 + 1152))"),
        ),
        roles={
            "weight": _gates,
            "recurrent": rotation,
            "recurrent_bias": forget_one,
            "embedding": fixed(
                Fill.uniform(-0.05, 0.05, reason="Keras' tables: U(±0.05)", citation=CITATION)
            ),
            "slope": constant(0.0, "Keras' PReLU starts at slope 0", CITATION),
            "token": keep,
        },
    )
)
