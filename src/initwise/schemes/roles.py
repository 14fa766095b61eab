"""What each role of parameter gets under a scheme: one table, and every number in it explained.

A scheme's law is made for matrices. Everything else in a model (biases, norms, tables, tokens)
follows `RULES`, unless the scheme's own row says otherwise (framework defaults do).

| role | gets | because |
|---|---|---|
| weight, recurrent | the law, packed parts each by their own fans | the law is about them |
| bias, recurrent_bias | 0 | the weights break the symmetry; all frameworks but torch do so |
| norm_gain, norm_bias | the layer's own start, else 1 and 0 | those that compute 1 + w start at 0 |
| slope | the layer's own start, else 0.25 | He et al. 2015, sec. 2.1 |
| embedding | N(0, 1); N(0, 1/√width) if tied; elementwise laws as they are | see `table` |
| token | N(0, 0.02); elementwise laws as they are | class tokens and positions of ViT and BERT |
| magnitude | the norm of the weight it scales, as filled | else the weight's law would be a silent no-op |
| bare | left alone | of unknown purpose |
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from ..core.errors import FillError, ModelError
from ..core.fill import Fill
from ..core.layout import Fans
from ..core.parameter import ParameterInfo
from .base import Rule, Scheme, Site, scaled
from .needs import in_thirds

TOKEN_STD = 0.02
MATRICES = frozenset({"weight", "recurrent"})
SCALED = frozenset({"weight", "recurrent", "magnitude"})
"""Roles that an extra gain reaches."""


def fill_parameter(scheme: Scheme, info: ParameterInfo, gain: float, at: Site | None = None) -> Fill | None:
    """The Fill for one parameter under `scheme`, or None to leave it as it is.

    Raises:
        FillError: the law cannot fill this shape. ModelError: a role nobody knows, or a weight
            without fans. Both name the parameter.
    """
    rule = {**RULES, **scheme.row.roles}.get(info.role)
    if rule is None:
        raise ModelError(f"role {info.role!r}", where=info.name, legal=RULES, given=info.role)
    if 0 in info.shape:
        return Fill.constant(0.0, layout=info.layout, reason="no elements")
    try:
        fill = _by_place(scheme, info, at) if scheme.row.needs else rule(scheme, info)
        if fill is None:
            return None
        fill = scaled(fill, gain if info.role in SCALED else 1.0)
    except FillError as error:
        raise _named(error, info.name) from error
    if fill.layout is None:
        fill = dataclasses.replace(fill, layout=info.layout)
    if info.zero_row is not None:
        fill = dataclasses.replace(fill, zero_row=info.zero_row)
    return fill


def _by_place(scheme: Scheme, info: ParameterInfo, at: Site | None) -> Fill | None:
    """What a scheme with needs gives the parameter, which knows its own place."""
    here = dataclasses.replace(at or Site(), info=info)
    if info.role in MATRICES:
        return scheme.placed(in_thirds(known_fans(info), here, dict(scheme.options)), 1.0, here)
    return scheme.placed(info.fans if info.role == "embedding" else None, 1.0, here)


def _named(error: FillError, name: str) -> FillError:
    return type(error)(
        error.got,
        where=name,
        expected=error.expected,
        cause=error.cause,
        legal=error.legal,
        fix=error.fix,
    )


def by_law(scheme: Scheme, info: ParameterInfo) -> Fill | None:
    """The scheme's own law, by the parameter's fans."""
    return scheme.fill(known_fans(info))


def known_fans(info: ParameterInfo) -> Fans:
    """The parameter's fans. Raises ModelError if its adapter found none."""
    if info.fans is None:
        raise ModelError(
            f"a {info.role} of shape {info.shape} without fans",
            where=info.name,
            expected="a weight whose axes are known",
            cause="its layer is of a kind initwise does not know",
            fix='Give it a rule of its own: init_(model, …, rules={"' + info.name + '": "zeros"}).',
        )
    return info.fans


def constant(value: float, reason: str, citation: str = "") -> Rule:
    """A rule: every element is `value`."""

    def rule(scheme: Scheme, info: ParameterInfo) -> Fill:
        return Fill.constant(value, reason=reason, citation=citation)

    return rule


def start(value: float, reason: str, citation: str = "") -> Rule:
    """A rule: the value the layer's constructor gives it if that is known, else `value`."""

    def rule(scheme: Scheme, info: ParameterInfo) -> Fill:
        if info.start is None or info.start == value:
            return Fill.constant(value, reason=reason, citation=citation)
        return Fill.constant(info.start, reason=f"{info.kind or 'its layer'} starts it at {info.start:g}")

    return rule


def keep(scheme: Scheme, info: ParameterInfo) -> Fill | None:
    """Leave it as it is."""
    return None


def elementwise(scheme: Scheme, fans: Fans | None = None) -> Fill | None:
    """The scheme's law for something that has no fans, or None if the law needs them."""
    return scheme.fill(fans) if scheme.row.elementwise else None


def table(scheme: Scheme, info: ParameterInfo) -> Fill:
    """An embedding: N(0, 1), or N(0, 1/√width) if it is tied to an output layer.

    Of a table one row is active at a time: the fan-in is 1, whatever the number of rows, and
    variance 1 gives the next layer the unit-variance input that fan laws assume (torch's default
    too). As an output layer the same table sums `width` products, and 1/√width keeps the logits
    at unit variance (the usual choice for tied tables since Vaswani et al. 2017).
    """
    own = elementwise(scheme)
    if own is not None:
        return own
    if not info.aliases:
        return Fill.normal(
            0.0,
            1.0,
            reason="a table's row is one active input: fan_in 1, std 1",
            citation="torch.nn.Embedding's default",
        )
    return Fill.normal(
        0.0,
        1 / math.sqrt(info.shape[-1]),
        reason=f"table tied to {', '.join(info.aliases)}: std 1/√{info.shape[-1]} keeps the logits at std 1",
        citation="Vaswani et al. 2017, arXiv:1706.03762, sec. 3.4",
    )


def token(scheme: Scheme, info: ParameterInfo) -> Fill:
    """Class tokens, positions and the like: N(0, 0.02), or the scheme's law if it needs no fans."""
    own = elementwise(scheme)
    if own is not None:
        return own
    return Fill.normal(
        0.0,
        TOKEN_STD,
        reason="a learned token or position: std 0.02, small beside the signal",
        citation="Devlin et al. 2018, arXiv:1810.04805; Dosovitskiy et al. 2020, arXiv:2010.11929",
    )


def magnitude(scheme: Scheme, info: ParameterInfo) -> Fill | None:
    """weight_norm's g: the norm that the weight's law gives one slice, so that the law is in force.

    weight_norm computes g·v/‖v‖: whatever v is filled with, its scale is lost. So g becomes
    √(n·E[w²]), with n the elements that share one g. Without the weight's fans g stays.
    """
    if info.fans is None:
        return None
    law = scheme.fill(info.fans)
    count = math.prod(info.fans.shape) / max(math.prod(info.shape), 1)
    second = law.std**2 + law.mean**2
    if not math.isfinite(second):
        return None
    return Fill.constant(
        math.sqrt(count * second),
        reason=f"norm of {count:g} weights of rms {math.sqrt(second):.6g}: the direction holds no scale",
        citation="Salimans and Kingma 2016, arXiv:1602.07868, eq. 2",
    )


RULES: Mapping[str, Rule] = {
    "weight": by_law,
    "recurrent": by_law,
    "bias": constant(0.0, "a bias starts at 0: the weights break the symmetry"),
    "recurrent_bias": constant(0.0, "a bias starts at 0: the weights break the symmetry"),
    "embedding": table,
    "norm_gain": start(1.0, "a norm starts as a pure normalisation: gain 1"),
    "norm_bias": start(0.0, "a norm starts as a pure normalisation: bias 0"),
    "slope": start(0.25, "PReLU's slope starts at 0.25", "He et al. 2015, arXiv:1502.01852, sec. 2.1"),
    "magnitude": magnitude,
    "token": token,
    "bare": keep,
}
