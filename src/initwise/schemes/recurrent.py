"""Recurrent networks: identity matrices, forget gates, time scales."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated

from ..core.fill import Fill
from ..core.layout import Fans
from ..core.parameter import ROLES, ParameterInfo
from .base import Known, Rule, Scheme, SchemeRow, registry, scheme
from .needs import Base

LE = "Le, Jaitly, Hinton 2015, A simple way to initialize recurrent networks, arXiv:1504.00941, sec. 3"
TALLEC = "Tallec and Ollivier 2018, Can recurrent neural networks warp time?, arXiv:1804.11188, sec. 2.3"
TALATHI = (
    "Talathi and Vartak 2015, Improving performance of recurrent neural network with relu nonlinearity, "
    "arXiv:1511.03771"
)
JOZEFOWICZ = (
    "Jozefowicz, Zaremba, Sutskever 2015, An empirical exploration of recurrent network architectures"
)


def by_base(scheme_: Scheme, info: ParameterInfo) -> Fill | None:
    """What the scheme named by the option `base` gives this parameter."""
    return scheme(str(dict(scheme_.options)["base"])).fill_parameter(info)


def with_base(roles: Mapping[str, Rule]) -> dict[str, Rule]:
    """Rules for every role: these, and the base scheme's for all others."""
    return {**dict.fromkeys(ROLES, by_base), **roles}


def irnn(
    fans: Fans | None,
    *,
    std: Annotated[float, "of the input weights and all other matrices"] = 0.001,
    alpha: Annotated[float, "the recurrent matrix is alpha·I; 0.01 for short memories"] = 1.0,
) -> Fill:
    """N(0, std); recurrent matrices alpha·I."""
    return Fill.normal(0.0, std, reason=f"all but recurrent matrices: std {std:g}", citation=LE)


def _identity(scheme: Scheme, info: ParameterInfo) -> Fill:
    alpha = float(dict(scheme.options)["alpha"] or 0.0)
    each = Fill.matrix("identity", alpha)
    reason = f"the state is kept: recurrent matrix {alpha:g}·I"
    if info.layout is None or not info.layout.parts:
        return Fill.matrix(
            "identity", alpha, shape=info.shape, layout=info.layout, reason=reason, citation=LE
        )
    pieces = [(name, size, each) for name, size in info.layout.parts]
    return Fill.packed(pieces, layout=info.layout, reason=f"{reason}, of each gate", citation=LE)


def np_rnn(
    fans: Fans,
    *,
    gain: Annotated[float, "largest eigenvalue of the recurrent matrix"] = 1.0,
    base: Annotated[str, "the scheme of all but recurrent matrices"] = "xavier_normal",
) -> Fill | None:
    """Everything as `base` has it; recurrent matrices gain·(I + RᵀR/n)/λ."""
    return scheme(base).fill(fans)


def _positive(scheme_: Scheme, info: ParameterInfo) -> Fill | None:
    gain = float(dict(scheme_.options)["gain"] or 0.0)
    reason = f"positive definite, largest eigenvalue {gain:g}: one direction of the state is kept, none grows"

    def law(shape: tuple[int, ...]) -> Fill:
        return Fill.whole("normalized_positive", gain=gain, shape=shape, layout=plain)

    layout = info.layout
    plain = layout and dataclasses.replace(layout, parts=())
    if layout is None or not layout.parts:
        return law(info.shape).because(reason, TALATHI)
    axis = layout.part_axis
    shapes = [
        (name, size, (*info.shape[:axis], size, *info.shape[axis + 1 :])) for name, size in layout.parts
    ]
    pieces = [(name, size, law(shape)) for name, size, shape in shapes]
    return Fill.packed(pieces, layout=layout, reason=f"{reason}, of each gate", citation=TALATHI)


def forget_gate_bias(
    fans: Fans,
    *,
    bias: Annotated[float, "of the forget gate"] = 1.0,
    base: Base = "keras_default",
) -> Fill | None:
    """Everything as `base` has it; an LSTM's forget gate's bias is `bias`."""
    return scheme(base).fill(fans)


def chrono(
    fans: Fans,
    *,
    t_max: Annotated[float, "the longest dependency that is expected, in steps; > 2"] = 100.0,
    base: Base = "keras_default",
) -> Fill | None:
    """Everything as `base` has it; gates' biases ±ln U[1, t_max − 1]."""
    Fill.mapped("log_of_uniform", 1.0, t_max - 1)
    return scheme(base).fill(fans)


def _second(info: ParameterInfo) -> bool:
    """torch adds two biases: what is set goes into the first."""
    return info.name.rpartition(".")[2].startswith("bias_hh")


def _gates(
    scheme_: Scheme, info: ParameterInfo, make: Callable[[str], Fill | None], reason: str, citation: str
) -> Fill | None:
    """The packed bias: `make(gate)`, 0 where that is None; zeros for torch's second bias."""
    if info.layout is None or not info.gates or _second(info):
        return Fill.constant(0.0, reason="a recurrent bias starts at 0", citation=citation)
    zero = Fill.constant(0.0)
    pieces = [(gate, size, make(gate) or zero) for gate, size in info.gates]
    if all(piece is zero for _, _, piece in pieces):
        return by_base(scheme_, info)
    return Fill.packed(pieces, layout=info.layout, reason=reason, citation=citation)


def _forget(scheme_: Scheme, info: ParameterInfo) -> Fill | None:
    bias = float(dict(scheme_.options)["bias"] or 0.0)
    one = Fill.constant(bias)
    open_ = "LSTM" in info.kind
    return _gates(
        scheme_,
        info,
        lambda gate: one if gate == "f" and open_ else None,
        f"the forget gate starts open: its bias is {bias:g}",
        JOZEFOWICZ,
    )


def _chrono(scheme_: Scheme, info: ParameterInfo) -> Fill | None:
    t_max = float(dict(scheme_.options)["t_max"] or 0.0)
    keep = Fill.mapped("log_of_uniform", 1.0, t_max - 1)
    lose = dataclasses.replace(Fill.mapped("log_of_uniform", 1.0, t_max - 1, gain=-1.0), draw="f")
    made = {"f": keep, "i": lose} if "LSTM" in info.kind else {"z": keep} if "GRU" in info.kind else {}
    return _gates(
        scheme_,
        info,
        made.get,
        f"gates that keep for 1 to {t_max - 1:g} steps: ln U[1, {t_max - 1:g})",
        TALLEC,
    )


registry.add(
    SchemeRow(
        name="irnn",
        law=irnn,
        summary="A ReLU network that keeps its state: recurrent matrices are identities, others small.",
        formula="recurrent alpha·I, biases 0; other weights N(0, std)",
        citation=f"{LE}; Keras' example mnist_irnn, as quoted elsewhere (alpha 1, std 0.001)",
        evidence="second-hand",
        differences=(
            "alpha 0.01 for short memories is the paper's, recalled.",
            "The paper writes 0.001 as a standard deviation; embeddings and heads are not in it.",
        ),
        avoid="LSTM and GRU, and training without clipping: the state has no bound.",
        use="simple recurrent networks with ReLU on long sequences, trained with clipped gradients.",
        suits=("rnn", "relu", "long memory", "recurrent matrix"),
        unsuited=("lstm", "gru"),
        see=("identity", "orthogonal"),
        known=(Known((64, 32), "oi", "std", 0.001, source="Keras' mnist_irnn: RandomNormal(stddev=0.001)"),),
        elementwise=True,
        roles={"recurrent": _identity},
    )
)
registry.add(
    SchemeRow(
        name="np_rnn",
        aliases=("normalized_positive_definite",),
        law=np_rnn,
        summary="ReLU networks whose recurrent matrix keeps one direction and shrinks all others, none to "
        "zero.",
        formula="recurrent gain·(I + RᵀR/n)/λ, R ~ N(0, 1), λ the largest eigenvalue; others as the base "
        "scheme",
        citation=f"{TALATHI}, sec. 3; as four public ports have it",
        evidence="second-hand",
        differences=(
            "Ports disagree on the input weights: Xavier normal, as here, or N(0, α/n) with "
            "α = √2·exp(1.2/(max(n, 6) − 2.4)), of which one port sets the bracket wrong.",
            "Two ports use the matrix's diagonal and off-diagonal part for two parameters of another model.",
            "λ is about 5: entries off the diagonal have std 1/(5√n), on it they are near 0.4.",
        ),
        avoid="LSTM and GRU, whose gates do the remembering; wide states on slow machines: n² · 100 "
        "operations.",
        use="plain ReLU recurrent networks where the identity of irnn is too fragile.",
        suits=("rnn", "recurrent matrix", "relu", "long memory"),
        unsuited=("lstm", "gru", "cnn", "transformer"),
        see=("irnn", "orthogonal"),
        known=(Known((64, 256), "io", "std", 0.0790569415, source="√(2/320), the default base's"),),
        roles=with_base({"recurrent": _positive}),
    )
)
registry.add(
    SchemeRow(
        name="forget_gate_bias",
        aliases=("lstm_forget_bias",),
        law=forget_gate_bias,
        summary="LSTMs that start by remembering: the forget gate's bias is 1; all else as the base scheme.",
        formula="b_f = bias; other recurrent biases 0",
        citation="keras/src/layers/rnn/lstm.py, unit_forget_bias; sonnet/src/recurrent.py, forget_bias; "
        f"{JOZEFOWICZ}; Gers, Schmidhuber, Cummins 2000",
        evidence="verified in source",
        differences=(
            "Keras sets the parameter; Sonnet adds 1 to it at construction; Haiku adds 1 at run time and the "
            "parameter stays 0.",
            "torch has two biases that add: the first gets it, the second 0. Setting both would give 2.",
        ),
        avoid="GRUs: they have no forget gate, and get the base scheme.",
        use="LSTMs in general: one number that lets gradients pass through time from the first step.",
        suits=("lstm", "gate", "bias", "long memory"),
        unsuited=("gru",),
        see=("chrono", "xlstm_gates"),
        known=(Known((64, 256), "io", "high", 0.1369306394, source="√(6/320), the default base's"),),
        roles=with_base({"recurrent_bias": _forget}),
    )
)
registry.add(
    SchemeRow(
        name="chrono",
        law=chrono,
        summary="Gates that keep for as long as the task needs: biases spread over time scales up to t_max.",
        formula="LSTM: b_f = ln U[1, t_max − 1], b_i = −b_f; GRU: b_z = ln U[1, t_max − 1]; other biases 0",
        citation=TALLEC,
        evidence="recalled",
        differences=(
            "The update gate's sign: in torch and Keras z near 1 keeps the state, so b_z is positive; in the "
            "paper's own notation it is −ln U.",
            "A public port inverts t_max and swaps the bounds (second-hand).",
            "b_i is exactly −b_f, the same draw.",
        ),
        avoid="tasks whose horizon nobody knows: t_max has no good default.",
        use="gated recurrent networks on tasks whose longest dependency is about known.",
        suits=("long memory", "lstm", "gru", "gate", "recurrent matrix", "bias"),
        see=("forget_gate_bias", "xlstm_gates"),
        known=(Known((64, 256), "io", "high", 0.1369306394, source="√(6/320), the default base's"),),
        roles=with_base({"recurrent_bias": _chrono}),
    )
)
