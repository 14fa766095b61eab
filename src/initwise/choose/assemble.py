"""A rule applied to a whole model: structure + parameters → Plan, every tensor with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from ..core.plan import Plan
from ..schemes import Scheme, scheme
from .bare import told
from .facts import Structure
from .laws import Decision
from .pacing import of_rows
from .rules import Rule

FORGET = "Jozefowicz et al. 2015, ICML (forget gate bias 1)"
FACTORS = "Rendle 2010, ICDM (factorization machines start from small factors)"
LIGHT = 0.3
"""Std of an embedding that nothing normalises: small steps of an optimiser then matter to its rows."""
NORMED = 0.5
"""Std of an embedding with norms behind it: usual rates hardly move 1, and large ones undo 0.3."""
EMBEDDED = "Vaswani et al. 2017, arXiv:1706.03762, sec. 3.4"


def decisions(rule: Rule, structure: Structure, parameters: Sequence[ParameterInfo]) -> dict[str, Decision]:
    """What `rule` decides for every weight that can be filled, by name, in execution order."""
    infos = {info.name: info for info in parameters}
    return {
        facts.name: rule(facts, structure, infos[facts.name])
        for facts in structure
        if facts.name in infos and not facts.tied
    }


def assemble(
    name: str,
    chosen: Mapping[str, Decision],
    structure: Structure,
    parameters: Sequence[ParameterInfo],
    *,
    embeddings: bool = True,
) -> Plan:
    """The Plan made of `chosen`, with every other parameter by its role.

    Args:
        chosen: weight name → Decision.
        embeddings: give embeddings the rules' law; else the role's.

    Parameters that are frozen, refused or of unknown purpose are listed in `Plan.kept`.
    """
    others = _Others(chosen, structure, embeddings)
    fills: list[tuple[str, Fill]] = []
    kept: list[tuple[str, str]] = []
    for info in parameters:
        if info.status not in ("ready", "empty"):
            kept.append((info.name, info.problem or info.status))
            continue
        fill = others.fill(info)
        if fill is None:
            kept.append((info.name, info.problem or "of unknown purpose: only an explicit rule touches it"))
        else:
            fills.append((info.name, _completed(fill, info)))
    return told(Plan(name, tuple(fills), tuple(kept)), parameters)


def _completed(fill: Fill, info: ParameterInfo) -> Fill:
    if fill.layout is None and info.layout is not None:
        fill = replace(fill, layout=info.layout)
    return replace(fill, zero_row=info.zero_row) if info.zero_row is not None else fill


class _Others:
    """Decides for every parameter: weights by `chosen`, biases by their weight, the rest by role."""

    def __init__(self, chosen: Mapping[str, Decision], structure: Structure, embeddings: bool) -> None:
        self.chosen, self.structure, self.embeddings = chosen, structure, embeddings
        self.base: Scheme = scheme("lecun_normal")
        self.biases = {
            facts.bias: chosen[facts.name] for facts in structure if facts.bias and facts.name in chosen
        }

    def fill(self, info: ParameterInfo) -> Fill | None:
        if math.prod(info.shape) == 0:
            return Fill.constant(0.0, reason="no elements")
        if info.name in self.chosen:
            return self.chosen[info.name].fill(info)
        if info.role == "embedding" and self.embeddings:
            return self._table(info)
        if info.name in self.biases and self.biases[info.name].spread:
            return _drawn_bias(self.biases[info.name])
        if info.name in self.biases and self.biases[info.name].bias:
            decision = self.biases[info.name]
            reason = (
                "cancels what the mean of the activation before it adds up to, exactly"
                if decision.law == "identity"
                else f"moves the working point of the activation after it to {decision.bias:g}"
            )
            return Fill.constant(decision.bias, reason=reason, citation=decision.citation)
        if info.role == "recurrent_bias" and "ih" in info.name:
            return self._forget(info) or self.base.fill_parameter(info)
        if info.role == "weight" and info.fans is None:
            return None
        return self.base.fill_parameter(info)

    def _table(self, info: ParameterInfo) -> Fill:
        width = info.shape[-1]
        if self.structure[info.name].tied or info.aliases:
            reason = f"embedding and head in one: std 0.5/√{width} gives logits of std 0.5"
            return Fill.normal(0.0, 0.5 / math.sqrt(width), reason=reason, citation=EMBEDDED)
        if any(facts.tied for facts in self.structure):
            reason = f"std 0.5/√{width}, as the embedding that is also the head: neither drowns the other"
            return Fill.normal(0.0, 0.5 / math.sqrt(width), reason=reason, citation=EMBEDDED)
        if info.name in self.structure.direct:
            reason = f"embedding that reaches the output unweighted: std {LIGHT}/√{width}, so it starts small"
            return Fill.normal(0.0, LIGHT / math.sqrt(width), reason=reason, citation=FACTORS)
        if not self.structure.norms:
            reason = f"embedding before weights without a norm: std {LIGHT}, which training moves easily"
            return Fill.normal(0.0, LIGHT, reason=reason, citation=FACTORS)
        if not self.structure.post_norm:
            std = of_rows(self.structure.rate, self.structure.optimizer, NORMED)
            rate = f"rate {self.structure.rate:g}" if std != NORMED else "usual rates"
            reason = f"embedding before norms, which take any size: std {std:.3g} is moved by {rate}"
            return Fill.normal(0.0, std, reason=reason, citation=FACTORS)
        reason = "embedding: one row is one active input, so std 1 gives the next layer unit variance"
        return Fill.normal(0.0, 1.0, reason=reason, citation="torch.nn.Embedding's default")

    def _forget(self, info: ParameterInfo) -> Fill | None:
        """An LSTM's forget gate starts open: bias 1, on one of the two biases only."""
        gates = info.gates or (info.layout.parts if info.layout else ())
        names = [name for name, _ in gates]
        if len(names) != 4 or not any(name.startswith("f") for name in names) or info.layout is None:
            return None
        zero = Fill.constant(0.0, reason="the other gates' biases start at 0")
        one = Fill.constant(1.0, reason="an open forget gate keeps the memory's gradient", citation=FORGET)
        parts = [(name, size, one if name.startswith("f") else zero) for name, size in gates]
        reason = "forget gate 1, others 0: an open forget gate keeps the memory's gradient"
        layout = info.layout if info.layout.parts else replace(info.layout, parts=tuple(gates))
        return Fill.packed(parts, layout=layout, reason=reason, citation=FORGET)


def _drawn_bias(decision: Decision) -> Fill:
    reach = math.sqrt(3) * decision.spread
    reason = "counts as one more input of a stem of few: spreads the units' thresholds over the data"
    return Fill.uniform(-reach, reach, reason=reason, citation=decision.citation)
