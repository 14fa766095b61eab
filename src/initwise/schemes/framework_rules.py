"""Role rules shared by the rows that reproduce a framework's defaults."""

from __future__ import annotations

from ..core.fill import Fill
from ..core.layout import Fans
from ..core.parameter import ParameterInfo
from .base import Rule, Scheme
from .orthogonal import orthogonal
from .roles import known_fans
from .torch_default import whole


def fixed(fill: Fill) -> Rule:
    """A rule: this fill."""

    def rule(scheme: Scheme, info: ParameterInfo) -> Fill:
        return fill

    return rule


def rotation(scheme: Scheme, info: ParameterInfo) -> Fill:
    """The packed recurrent matrix (all gates as one) orthogonal, as Keras draws it."""
    fill = orthogonal(whole(info))
    return fill.because("orthogonal over all gates as one matrix", scheme.row.citation)


def rotation_by_gate(scheme: Scheme, info: ParameterInfo) -> Fill:
    """Each gate's recurrent matrix orthogonal, as Flax draws it."""
    fans: Fans = known_fans(info)
    sizes = dict(fans.layout.parts) if fans.layout is not None else {}
    reason = "each gate's matrix orthogonal"
    if not fans.parts or fans.layout is None:
        return orthogonal(fans).because(reason, scheme.row.citation)
    pieces = [(name, sizes[name], orthogonal(part)) for name, part in fans.parts]
    return Fill.packed(pieces, layout=fans.layout, reason=reason, citation=scheme.row.citation)


def forget_one(scheme: Scheme, info: ParameterInfo) -> Fill:
    """0, but 1 for an LSTM's forget gate (Jozefowicz et al. 2015), once where torch adds two biases."""
    second = info.name.rpartition(".")[2].startswith("bias_hh")
    gates = dict(info.gates)
    if second or "LSTM" not in info.kind or "f" not in gates or info.layout is None:
        return Fill.constant(0.0, reason="a recurrent bias starts at 0", citation=scheme.row.citation)
    pieces = [(gate, size, Fill.constant(1.0 if gate == "f" else 0.0)) for gate, size in gates.items()]
    return Fill.packed(
        pieces,
        layout=info.layout,
        reason="the forget gate starts open: its bias is 1",
        citation=f"{scheme.row.citation}; Jozefowicz et al. 2015",
    )
