"""Activation → moments → gain, computed from the function itself, never looked up."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.errors import OptionError
from .calling import elementwise, name_of
from .memory import fingerprint, remembered
from .moments import Gains, Moments, gains_of
from .naming import ActivationRegistry
from .published import Published
from .quadrature import TOLERANCE, Array, Expectations, Function, expectations


@dataclass(frozen=True, eq=False)
class ActivationRow:
    """One activation, as the registry knows it.

    Attributes:
        name, aliases: what users and frameworks call it.
        function: float64 array → array, elementwise; takes `parameters` as keyword arguments. For
            a gated row, the function φ of a·φ(b).
        formula: closed form.
        citation: paper or source.
        parameters: names and defaults; a name may carry one: "leaky_relu(0.2)".
        kinks: where it or a low derivative jumps, or a function of the parameters giving them.
        gated: it multiplies one half of its input by φ of the other half.
        gain_note: where a constant in use differs from the computed gain, and why.
        published: gains that papers and frameworks print for it, at its default parameters.
        spread: for an activation that draws numbers, the standard deviation of its value at x, which
            `function` then gives the mean of; takes the same parameters.
    """

    name: str
    function: Callable[..., Array]
    formula: str
    citation: str
    aliases: tuple[str, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)
    kinks: tuple[float, ...] | Callable[..., tuple[float, ...]] = ()
    gated: bool = False
    gain_note: str = ""
    published: tuple[Published, ...] = ()
    spread: Callable[..., Array] | None = None

    def bind(self, parameters: Mapping[str, float]) -> Activation:
        """The activation with these parameters, the others at their defaults."""
        for name in parameters:
            if name not in self.parameters:
                raise OptionError(
                    f"it has no parameter {name!r}",
                    where=f"activation {self.name!r}",
                    legal=self.parameters,
                    given=name,
                )
        values = {
            **self.parameters,
            **{name: _finite(self.name, name, parameters[name]) for name in parameters},
        }
        return _bound(self, tuple(values.items()))


@functools.lru_cache(maxsize=1024)
def _bound(row: ActivationRow, parameters: tuple[tuple[str, float], ...]) -> Activation:
    """The one Activation of this row and these parameters, so that its moments are computed once."""
    values = dict(parameters)
    changed = values != dict(row.parameters)
    name = row.name + (f"({', '.join(f'{value:g}' for value in values.values())})" if changed else "")
    kinks = row.kinks(**values) if callable(row.kinks) else row.kinks
    function = functools.partial(row.function, **values) if values else row.function
    spread = functools.partial(row.spread, **values) if row.spread else None
    return Activation(name, function, kinks, row.gated, row, parameters, spread=spread)


@dataclass(frozen=True)
class Activation:
    """An activation function with its parameters, ready to be measured.

    Attributes:
        name: registered name with its parameters, or the callable's own name.
        elementwise: float64 array → array of the same shape; for a gated activation, its φ.
        kinks: where it or a low derivative jumps, as far as known.
        gated: it computes a·φ(b) from two halves.
        row: the registry's row, None for a callable of yours.
        parameters: (name, value).
        tolerance: relative error the quadrature aims at; coarse for float32 functions.
        spread: standard deviation of its value at x, if it draws numbers.
        source: your callable as you gave it, None for a row.
    """

    name: str
    elementwise: Function
    kinks: tuple[float, ...] = ()
    gated: bool = False
    row: ActivationRow | None = field(default=None, repr=False)
    parameters: tuple[tuple[str, float], ...] = ()
    tolerance: float = TOLERANCE
    spread: Function | None = field(default=None, repr=False)
    source: Any = field(default=None, repr=False, compare=False)

    def numpy(self, x: Any) -> Array:
        """The activation of an array; a gated one takes a and b as halves of the last axis."""
        values = np.asarray(x, dtype=np.float64)
        if not self.gated:
            return self.elementwise(values)
        first, second = np.split(values, 2, axis=-1)
        return first * self.elementwise(second)

    def slope(self, x: Any) -> Array:
        """φ′ of an array, elementwise, by central difference; at a kink the mean of both sides."""
        values = np.asarray(x, dtype=np.float64)
        step = 6e-6 * np.maximum(1.0, np.abs(values))
        difference: Array = (self.elementwise(values + step) - self.elementwise(values - step)) / (2 * step)
        return difference

    @functools.cached_property
    def max_slope(self) -> float:
        """The largest |φ′| for |x| ≤ 12: what "flat" is measured against."""
        return float(np.abs(self.slope(np.linspace(-12, 12, 4801) + 1e-4)).max())

    def moments(self, q: float = 1.0) -> Moments:
        """Moments for a pre-activation of variance `q`, computed once.

        Raises:
            OptionError: q is not a positive finite number; the function raises, is not finite, or
                E[φ²] is infinite.
        """
        checked = _positive(q)
        if self.row is not None:
            return _cached(self, checked)
        # a callable of yours may hold a model: it is never kept, only what was found for it
        key = (self.parameters, self.gated, self.tolerance, checked)
        return remembered(self.source, self.elementwise, key, lambda: _steady_moments(self, checked))

    def gains(self, q: float = 1.0) -> Gains:
        """Every gain for a pre-activation of variance `q`. Raises OptionError like `moments`."""
        return gains_of(self.name, self.moments(q))


def _steady_moments(activation: Activation, q: float) -> Moments:
    """The moments of a callable of yours. Raises OptionError if it changes while it is looked at."""
    before = fingerprint(activation.elementwise)
    found = _moments(activation, q)
    if before != fingerprint(activation.elementwise):
        raise OptionError(
            "the same numbers give others from call to call",
            where=f"activation {activation.name!r}",
            expected="a function",
            cause="it counts its calls, learns, or draws numbers",
            fix="Freeze it first, or pass the function that it is at one moment.",
        )
    return found


def _moments(activation: Activation, q: float) -> Moments:
    found = _expected(activation, activation.elementwise, q)
    if activation.gated:
        return _gate_moments(found, q)
    error = max(error for error in found.errors if math.isfinite(error))
    second, derivative, growth = found.square, found.slope_square, found.growth
    if activation.spread is not None:
        # what it draws at x has mean zero and this square, whatever its law
        drawn = _expected(activation, activation.spread, q)
        second, growth = second + drawn.square, growth + drawn.growth
        derivative += drawn.slope_square
        error += max(drawn.errors)
    return Moments(
        q=q,
        mean=found.value,
        second=second,
        variance=_difference(second, found.value**2),
        derivative_mean=found.slope,
        derivative_second=derivative,
        second_slope=growth if abs(growth) > 1e-15 * second / q else 0.0,  # of a constant, rounding
        error=error,
        second_error=found.errors[1],
        derivative_error=found.errors[3],
        evaluations=found.evaluations,
    )


def _difference(second: float, squared_mean: float) -> float:
    """Var[φ]; of a constant 0, not rounding."""
    found = second - squared_mean
    return found if found > 1e-13 * second else 0.0


def _gate_moments(found: Expectations, q: float) -> Moments:
    """a·φ(b) for independent a, b ~ N(0, √q), from the expectations of φ."""
    second, derivative = q * found.square, found.square + q * found.slope_square
    derivative_error = found.errors[1] + q * found.errors[3]
    return Moments(
        q=q,
        mean=0.0,
        second=second,
        variance=second,
        derivative_mean=0.0,
        derivative_second=derivative,
        second_slope=found.square + q * found.growth,
        error=max(
            e for e in (q * found.errors[1], q * found.errors[4], derivative_error) if math.isfinite(e)
        ),
        second_error=q * found.errors[1],
        derivative_error=derivative_error,
        evaluations=found.evaluations,
    )


def _expected(activation: Activation, function: Function, q: float) -> Expectations:
    try:
        scout = activation.row is None
        return expectations(function, q, activation.kinks, activation.tolerance, scout)
    except OptionError as error:
        raise OptionError(
            error.got, where=f"activation {activation.name!r}", expected=error.expected, cause=error.cause
        ) from error.__cause__


_cached = functools.lru_cache(maxsize=4096)(_moments)

registry = ActivationRegistry("activation", "initwise.activations", ActivationRow, "initwise.activations")


def activation(thing: Any, **parameters: float) -> Activation:
    """The activation meant by `thing`.

    Args:
        thing: a registered name in any style ("relu", "LeakyReLU", "leaky_relu(0.2)"), an Activation,
            or any elementwise callable: a NumPy, torch or JAX function, a torch module or its class,
            or a function of one number. A callable is only called; a module's state stays as it is, and
            it is taken in eval mode, where dropout is the identity.
        parameters: of a named activation or a function, for example `negative_slope=0.2`.

    Raises:
        UnknownNameError: no activation has this name. OptionError: unknown parameters, or a
            callable that is not an elementwise function.
    """
    if isinstance(thing, Activation):
        return thing if not parameters else _rebound(thing, parameters)
    if isinstance(thing, str):
        name, inline = _parse(thing)
        return registry[name].bind({**inline, **parameters})
    if not callable(thing):
        raise OptionError(
            f"activation is a {type(thing).__name__}",
            expected="a registered name or a function of an array",
            fix='For example initwise.gain("tanh") or initwise.gain(numpy.tanh).',
        )
    called = functools.partial(thing, **parameters) if parameters else thing
    function, tolerance = elementwise(called)
    given = tuple(sorted(parameters.items()))
    return Activation(name_of(called), function, parameters=given, tolerance=tolerance, source=thing)


def _rebound(chosen: Activation, parameters: Mapping[str, float]) -> Activation:
    """The same activation with other parameters."""
    if chosen.row is not None:
        return chosen.row.bind({**dict(chosen.parameters), **parameters})
    return activation(chosen.source, **{**dict(chosen.parameters), **parameters})


def _parse(text: str) -> tuple[str, dict[str, float]]:
    """("leaky_relu", {"negative_slope": 0.2}) of "leaky_relu(0.2)"; other texts are plain names."""
    match = re.fullmatch(r"([\w-]+)\(([^()]*)\)", text.replace(" ", ""))
    if match is None or match[1] not in registry:
        return text, {}
    names = list(registry[match[1]].parameters)
    given: dict[str, float] = {}
    for position, item in enumerate(filter(None, match[2].split(","))):
        name, _, value = item.rpartition("=")
        if not name and position >= len(names):
            raise OptionError(
                f"{text!r} has too many parameters", where=f"activation {match[1]!r}", legal=names
            )
        given[name or names[position]] = _finite(match[1], name or names[position], value)
    return match[1], given


def _finite(activation: str, name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise OptionError(f"{name}={value!r}", where=f"activation {activation!r}", expected="a finite number")
    return number


def _positive(q: Any) -> float:
    try:
        number = float(q)
    except (TypeError, ValueError):
        number = math.nan
    if not 1e-12 <= number <= 1e12:
        raise OptionError(
            f"q={q!r}",
            expected="a variance between 1e-12 and 1e12",
            cause="q is the pre-activation's variance",
        )
    return number


def activations() -> tuple[ActivationRow, ...]:
    """All activations, sorted by name."""
    return registry.rows()
