"""What the explanations share: facts checked, fans read, a law's numbers, a signal's fate."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..activations import activation
from ..core.errors import OptionError
from ..core.fill import Fill
from ..core.layout import Fans, fans
from ..core.records import Explanation
from ..recipes import Recipe
from ..schemes import Scheme

Facts = tuple[tuple[str, str], ...]
WEIGHT_FACTS = (
    "shape",
    "layout",
    "groups",
    "stride",
    "parts",
    "fan_in",
    "fan_out",
    "activation",
    "gain",
    "q",
)


def with_facts(told: Explanation, more: Iterable[tuple[str, str]]) -> Explanation:
    """`told` with more facts at its end."""
    return replace(told, facts=(*told.facts, *more))


def only(where: str, facts: Mapping[str, Any], legal: Iterable[str], cause: str = "") -> None:
    """Raise OptionError for a fact that is not legal here, and why none of its kind is."""
    legal = tuple(legal)
    for name in facts:
        if name not in legal:
            raise OptionError(
                f"it takes no {name}",
                where=f"explain {where}",
                expected="" if legal else "nothing but the name",
                cause=cause,
                legal=legal,
                given=name,
            )


def also_called(aliases: tuple[str, ...]) -> Facts:
    """The other names, if any."""
    return (("also called", several(aliases)),) if aliases else ()


def several(names: Sequence[str], limit: int = 40) -> str:
    """Names in one line; of very many the first, and how many more."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def options(chosen: Scheme | Recipe) -> Facts:
    """Every option with its value, its legal words and what it means."""
    values = dict(chosen.options)
    return tuple(
        (f"option {option.name}", f"{_value(values[option.name])}: {_choices(option.legal)}{option.meaning}")
        for option in chosen.row.options
    )


def _choices(legal: tuple[str, ...]) -> str:
    return f"of {', '.join(legal)}; " if legal else ""


def _value(value: Any) -> str:
    if value == "":
        return '""'
    return f"{value:g}" if isinstance(value, float) else str(value)


def weight_of(facts: Mapping[str, Any]) -> Fans | None:
    """Fans from shape and layout, or as given by hand; None if nothing is said."""
    if "shape" in facts:
        return _fans_of(facts)
    if "layout" in facts:
        raise OptionError(
            "a layout without a shape", where="explain", fix='For example shape=(256, 64), layout="oi".'
        )
    if "fan_in" not in facts and "fan_out" not in facts:
        return None
    fan_in = count("fan_in", facts.get("fan_in", facts.get("fan_out")))
    fan_out = count("fan_out", facts.get("fan_out", facts.get("fan_in")))
    if fan_in.is_integer() and fan_out.is_integer():
        return fans((int(fan_out), int(fan_in)), "oi")
    return Fans(fan_in, fan_out)


def _fans_of(facts: Mapping[str, Any]) -> Fans:
    shape = facts["shape"]
    if not isinstance(shape, (tuple, list)) or not all(isinstance(size, int) for size in shape):
        raise OptionError(f"shape={shape!r}", where="explain", expected="a tuple of integers")
    axes = facts.get("layout") or ("o" if len(shape) == 1 else "oi" + "k" * (len(shape) - 2))
    return fans(shape, axes, **{key: facts[key] for key in ("groups", "stride", "parts") if key in facts})


def count(name: str, value: Any) -> float:
    """A fan. Raises OptionError unless it is a finite number > 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise OptionError(f"{name}={value!r}", where="explain", expected="a number > 0")
    return float(value)


def moments_of(fill: Fill) -> Facts:
    """Mean and std, if they are known."""
    return (("mean and std", f"{fill.mean:.6g} and {fill.std:.6g}"),) if not math.isnan(fill.std) else ()


def through(weight: Fans, fill: Fill, facts: Mapping[str, Any]) -> Facts:
    """What one layer with these weights does to signal and gradient, after the activation in `facts`."""
    if "activation" not in facts or math.isnan(fill.std):
        return ()
    chosen, q = activation(facts["activation"]), facts.get("q", 1.0)
    moments = chosen.moments(q)
    second = fill.std**2 + fill.mean**2
    forward = weight.fan_in * second * moments.second / q
    own = moments.gain / math.sqrt(weight.fan_in)
    found = [
        (f"signal after {chosen.name}", f"second moment × {forward:.4g} per layer, at q = {q:g}"),
        (
            f"{chosen.name}'s own law",
            f"std {moments.gain:.6g}/√{weight.fan_in:g} = {own:.6g} keeps the signal",
        ),
    ]
    if not math.isnan(moments.derivative_second):
        backward = weight.fan_out * second * moments.derivative_second
        found.insert(1, (f"gradient before {chosen.name}", f"second moment × {backward:.4g} per layer"))
    return tuple(found)


def weight_named(name: str, known: Collection[str]) -> str:
    """The parameter that `name` means: itself, or the weight of a layer of that name.

    A layer with several, none of them called weight, has no one that is meant.
    """
    if name in known:
        return name
    weight = f"{name}.weight"
    mine = [one for one in known if one.startswith(f"{name}.")]
    return weight if weight in known else mine[0] if len(mine) == 1 else name
