"""Gates found by their layers' names: xLSTM's, and highway networks'."""

from __future__ import annotations

from typing import Annotated

from ..core.errors import OptionError
from ..core.fill import Fill
from ..core.layout import Fans
from ..core.parameter import ParameterInfo
from .base import Known, Scheme, SchemeRow, registry, scheme
from .needs import Base
from .recurrent import by_base, with_base

XLSTM = "Beck et al. 2024, xLSTM, arXiv:2405.04517; transformers, models/xlstm"
HIGHWAY = "Srivastava, Greff, Schmidhuber 2015, Highway networks, arXiv:1505.00387, sec. 3"


def xlstm_gates(
    fans: Fans,
    *,
    input_bias: Annotated[float, "of input gates: almost shut"] = -10.0,
    first: Annotated[float, "bias of the first head's forget gate"] = 3.0,
    last: Annotated[float, "bias of the last head's"] = 6.0,
    base: Base = "lecun_normal",
) -> Fill | None:
    """Everything as `base` has it; gates' weights 0, biases input_bias and first … last."""
    return scheme(base).fill(fans)


def _kind(info: ParameterInfo) -> str:
    """ "i" or "f" for a gate's layer, "" for any other, by its name."""
    last = info.layer.rpartition(".")[2]
    return "i" if last.startswith("igate") else "f" if last.startswith("fgate") else ""


def _weight(scheme_: Scheme, info: ParameterInfo) -> Fill | None:
    if _kind(info):
        return Fill.constant(0.0, reason="a gate starts by its bias alone", citation=XLSTM)
    return by_base(scheme_, info)


def _bias(scheme_: Scheme, info: ParameterInfo) -> Fill | None:
    options, kind = dict(scheme_.options), _kind(info)
    if kind == "i":
        return Fill.constant(
            float(options["input_bias"] or 0.0), reason="an input gate starts shut", citation=XLSTM
        )
    if kind == "f":
        first, last = float(options["first"] or 0.0), float(options["last"] or 0.0)
        reason = f"forget gates open from {first:g} to {last:g} over the heads"
        return Fill.indexed(
            "power", first, last, 1.0, shape=info.shape, layout=info.layout, reason=reason, citation=XLSTM
        )
    return by_base(scheme_, info)


def highway_gate_bias(
    fans: Fans,
    *,
    bias: Annotated[float, "of transform gates, < 0; −1 to −3, lower in deeper networks"] = -2.0,
    gate: Annotated[str, "what the gates' layers are called"] = "gate",
    base: Base = "he_normal",
) -> Fill | None:
    """Everything as `base` has it; biases of layers with `gate` in their last name are `bias`."""
    if not gate:
        raise OptionError("gate=''", where="scheme 'highway_gate_bias'", expected="part of a layer's name")
    return scheme(base).fill(fans)


def _highway(scheme_: Scheme, info: ParameterInfo) -> Fill | None:
    options = dict(scheme_.options)
    if str(options["gate"]) not in info.layer.rpartition(".")[2]:
        return by_base(scheme_, info)
    return Fill.constant(
        float(options["bias"] or 0.0),
        reason="a transform gate starts shut: the layer carries",
        citation=HIGHWAY,
    )


registry.add(
    SchemeRow(
        name="xlstm_gates",
        law=xlstm_gates,
        summary="Gates of the matrix LSTM: input gates shut, forget gates open, more so from head to head.",
        formula="igate: weight 0, bias −10; fgate: weight 0, bias from 3 to 6 over the heads",
        citation=XLSTM,
        evidence="verified in source",
        differences=("Gates are found by the names transformers gives them: igate…, fgate….",),
        avoid="LSTMs whose gates are packed: forget_gate_bias and chrono.",
        use="the gates of xLSTM's matrix memory.",
        suits=("gate", "lstm", "bias", "long memory", "deterministic"),
        unsuited=("gru",),
        see=("forget_gate_bias", "chrono"),
        known=(Known((64, 256), "oi", "std", 0.0625, source="1/√256, the default base's"),),
        roles=with_base({"weight": _weight, "bias": _bias}),
    )
)
registry.add(
    SchemeRow(
        name="highway_gate_bias",
        law=highway_gate_bias,
        summary="Highway layers that start by carrying their input: transform gates shut.",
        formula="b = −2 for transform gates; all else as the base scheme",
        citation=HIGHWAY,
        evidence="recalled",
        differences=(
            "−1, −2 and −3 are seen in ports (second-hand); the paper asks for lower in deeper ones.",
        ),
        avoid="gates that open where these shut: y = g·x + (1 − g)·h(x).",
        use="highway networks, the deeper the lower the bias.",
        suits=("highway", "gate", "bias", "deep"),
        unsuited=("lstm",),
        see=("forget_gate_bias",),
        known=(Known((64, 32), "oi", "std", 0.25, source="√(2/32), the default base's"),),
        roles=with_base({"bias": _highway}),
    )
)
