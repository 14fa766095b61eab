"""Sparse matrices: each unit starts with a few weights, the rest are exactly zero."""

from __future__ import annotations

from typing import Annotated, Literal

from ..core.errors import FillError
from ..core.fill import Fill
from ..core.layout import Fans
from ..core.shaped import Sparsity, matrix_sizes
from .base import Known, SchemeRow, registry

Share = Annotated[float, "a fraction: of weights zeroed (flavor torch) or kept (flavor lasagne)"]
Std = Annotated[float, "of the weights that are not zero"]
Flavor = Annotated[
    Literal["torch", "lasagne"],
    "torch: ⌈sparsity·n⌉ of the n weights that leave each input are zero; "
    "lasagne: ⌊sparsity·n⌋ of the n weights that enter each output are kept",
]


def sparse(fans: Fans, *, sparsity: Share = 0.1, std: Std = 0.01, flavor: Flavor = "torch") -> Fill:
    """N(0, std) with an exact number of zeros for each input (torch) or output (Lasagne).

    A kernel is taken as the matrix (out, in·field).
    """
    rule = Sparsity("zero", sparsity, "input") if flavor == "torch" else Sparsity("keep", sparsity, "output")
    return _filled(fans, std, rule)


def martens_sparse(
    fans: Fans, *, incoming: Annotated[float, "weights kept per output unit"] = 15.0, std: Std = 1.0
) -> Fill:
    """N(0, std) on `incoming` inputs of each unit, zero on all others. Martens 2010."""
    return _filled(fans, std, Sparsity("count", incoming, "output"))


def _filled(fans: Fans, std: float, rule: Sparsity) -> Fill:
    n = _per_unit(fans, rule)
    # (1, 1) is what every scheme is tried with before a weight is known
    if fans.shape not in ((), (1, 1)) and 0 < n == rule.zeros(n):
        raise FillError(
            f"sparse: {n} of the {n} weights of each {rule.unit} would be zero",
            expected="a weight of which something is left",
            cause="the sparsity is too high for a layer this narrow (or a depthwise kernel)",
            fix='Use "he_normal" for this layer, or a lower sparsity.',
        )
    fill = Fill.sparse(std, rule.rule, rule.amount, rule.unit, shape=fans.shape, layout=fans.layout)
    return fill.because(f"{_counted(fans, rule)}, the others N(0, {std:.6g})")


def _counted(fans: Fans, rule: Sparsity) -> str:
    if not fans.shape:
        return str(rule)
    n = _per_unit(fans, rule)
    return f"{rule.zeros(n)} of the {n} weights of each {rule.unit} are zero"


def _per_unit(fans: Fans, rule: Sparsity) -> int:
    """How many weights each input or output has; 0 if the shape is not known."""
    if not fans.shape:
        return 0
    rows, columns, field = matrix_sizes(fans.shape, fans.layout)
    return rows if rule.unit == "input" else columns * field


_TORN = "narrow layers at high sparsity: inputs or units without any weight pass no signal."
_MARTENS = "Martens 2010, ICML (Deep learning via Hessian-free optimization)"

registry.add(
    SchemeRow(
        name="sparse",
        aliases=("sparse_normal",),
        law=sparse,
        summary="A normal law with an exact number of zeros for each input (torch) or unit (Lasagne).",
        formula="N(0, std); torch: ⌈sparsity·out⌉ of each input's weights 0; "
        "lasagne: all but ⌊sparsity·in⌋ of each output's",
        citation=f"torch/nn/init.py, sparse_; lasagne/init.py, Sparse; after {_MARTENS}",
        evidence="verified in source",
        differences=(
            "sparsity 0.1 is a tenth zeroed in torch and a tenth kept in Lasagne.",
            "torch rounds the zeros up, Lasagne the kept ones down: of 25, at 0.1, 3 are zero or 2 are kept.",
            "torch's column of an (out, in) weight is an input: it limits what leaves an input, where "
            "Martens and Lasagne limit what enters a unit.",
            "Both take matrices only, and torch demands the sparsity; a kernel here is (out, in·field).",
        ),
        avoid=_TORN,
        use="wide layers whose units are to start with few, different connections.",
        suits=("sparse weights", "mlp", "rnn", "teaching"),
        unsuited=("cnn", "very deep"),
        see=("martens_sparse",),
        known=(
            Known((200, 50), "oi", "scale", 0.01, source="torch's and Lasagne's default std"),
            Known((200, 50), "oi", "std", 0.0094868330, source="0.01·√(180/200)"),
            Known((25, 4), "oi", "std", 0.0093808315, source="⌈2.5⌉ = 3 zero: 0.01·√(22/25)"),
            Known((4, 25), "oi", "std", 0.0028284271, (("flavor", "lasagne"),), source="0.01·√(2/25)"),
        ),
    )
)

registry.add(
    SchemeRow(
        name="martens_sparse",
        aliases=("sparse_martens",),
        law=martens_sparse,
        summary="Fifteen incoming weights for each unit, however wide the layer: units start different.",
        formula="each output: N(0, 1) on 15 inputs, else 0",
        citation=f"{_MARTENS}; Sutskever, Martens, Dahl, Hinton 2013, ICML",
        evidence="recalled",
        differences=(
            "Lasagne keeps a fraction of the inputs, torch zeroes a fraction for each input: see `sparse`.",
            "For tanh Sutskever et al. scale these weights by 0.25 and set biases to 0.5: std=0.25, a rule.",
        ),
        avoid="deep ReLU stacks: a unit's input has √15 times the rms of what enters, where √2 keeps it.",
        use="wide layers of tanh or sigmoid units that are to start different from one another.",
        suits=("sparse weights", "mlp", "rnn", "tanh", "sigmoid"),
        unsuited=("cnn", "very deep"),
        see=("sparse",),
        known=(
            Known((64, 60), "oi", "scale", 1.0, source="Martens: N(0, 1)"),
            Known((64, 60), "oi", "std", 0.5, source="15 of 60: √(1/4)"),
            Known((64, 10), "oi", "std", 1.0, source="fewer than 15 inputs: all kept"),
        ),
    )
)
