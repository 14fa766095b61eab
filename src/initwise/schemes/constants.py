"""Constant laws: zeros, ones, constant(value)."""

from __future__ import annotations

from typing import Annotated

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .flavors import Flavor

FILES = "torch/nn/init.py; keras/src/initializers/constant_initializers.py; jax/_src/nn/initializers.py"
_SYMMETRY = (
    "hidden weight matrices: all units of a layer compute the same and get the same gradient, so they "
    "stay the same; with zeros the gradient itself is zero."
)


def constant(fans: Fans | None, *, value: Annotated[float, "what every element is"] = 0.0) -> Fill:
    """Every element is `value`."""
    return Fill.constant(value, reason=f"every element is {value:g}")


def zeros(fans: Fans | None) -> Fill:
    """Every element is 0."""
    return constant(fans, value=0.0)


def ones(fans: Fans | None) -> Fill:
    """Every element is 1."""
    return constant(fans, value=1.0)


registry.add(
    SchemeRow(
        name="zeros",
        aliases=("zero",),
        law=zeros,
        summary="Every weight is zero.",
        formula="w = 0",
        citation=f"{FILES}; Rumelhart, Hinton, Williams 1986, Nature 323 (why symmetry must be broken)",
        evidence="verified in source",
        differences=("All frameworks agree.",),
        avoid=_SYMMETRY + " Right for biases, a last layer of a residual branch, an output layer.",
        use="biases, the last matrix of a residual branch, an output head, B of an adapter.",
        suits=("bias", "head", "residual branch", "adapter", "deterministic"),
        unsuited=("mlp", "cnn", "rnn", "transformer"),
        see=("zero_branch", "constant", "ones"),
        known=(
            Known((256, 64), "oi", "mean", 0.0, source="torch's zeros_"),
            Known((256, 64), "oi", "std", 0.0, source="one value has no spread"),
        ),
        elementwise=True,
    )
)

registry.add(
    SchemeRow(
        name="ones",
        aliases=("one",),
        law=ones,
        summary="Every weight is one.",
        formula="w = 1",
        citation=f"{FILES}; torch/nn/modules/batchnorm.py; Ioffe and Szegedy 2015, arXiv:1502.03167 "
        "(a norm's gain)",
        evidence="verified in source",
        differences=("All frameworks agree. Norms that compute 1 + w (Gemma) need zeros instead.",),
        avoid=_SYMMETRY + " Right for a norm's gain.",
        use="a norm's gain, a state space's skip factor: factors that start by doing nothing.",
        suits=("norm gain", "deterministic"),
        unsuited=("mlp", "cnn", "rnn", "transformer"),
        see=("zeros", "constant"),
        known=(
            Known((256, 64), "oi", "mean", 1.0, source="torch's ones_"),
            Known((256, 64), "oi", "std", 0.0, source="one value has no spread"),
        ),
        elementwise=True,
    )
)

registry.add(
    SchemeRow(
        name="constant",
        aliases=("const",),
        law=constant,
        summary="Every weight is the same number.",
        formula="w = value",
        citation=f"{FILES}; lasagne/init.py, Constant; Rumelhart, Hinton, Williams 1986, Nature 323 (why "
        "symmetry must be broken)",
        evidence="verified in source",
        differences=("torch demands the value; Keras and Lasagne default to 0, as here.",),
        avoid=_SYMMETRY + " Right for gates, LayerScale and priors.",
        use="gates, LayerScale factors and priors: numbers that a design prescribes.",
        suits=("gate", "bias", "norm gain", "deterministic", "residual branch"),
        unsuited=("mlp", "cnn", "rnn", "transformer"),
        see=("zeros", "ones"),
        known=(
            Known((256, 64), "oi", "mean", 0.25, (("value", 0.25),), source="torch.nn.PReLU's first slope"),
        ),
        elementwise=True,
        flavors=(
            Flavor("torch", "torch.nn.init.constant_(tensor, val)", required=("value",)),
            Flavor("keras", "keras.initializers.Constant(0.0)"),
            Flavor("jax", "jax.nn.initializers.constant(value)", required=("value",)),
            Flavor("flax", "flax.linen.initializers.constant(value)", required=("value",)),
            Flavor("haiku", "hk.initializers.Constant(constant)", required=("value",)),
            Flavor("lasagne", "lasagne.init.Constant(0.0)"),
        ),
    )
)
