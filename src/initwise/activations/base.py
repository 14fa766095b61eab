"""Activation → moments → gain, computed from the function itself, never looked up."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.codec import JsonMixin
from ..core.errors import OptionError
from ..core.registry import Registry
from .calling import elementwise, name_of
from .quadrature import TOLERANCE, Array, Function, expectations


@dataclass(frozen=True)
class Moments(JsonMixin):
    """What an activation φ does to a normal signal x = √q·z, z ~ N(0, 1).

    Attributes:
        q: variance of the pre-activation.
        mean: E[φ]. second: E[φ²]. variance: Var[φ].
        derivative_mean: E[φ′]. derivative_second: E[φ′²].
        second_slope: dE[φ²]/dq, how the output's second moment follows the input's variance.
        error: estimate of the largest absolute error among them.
    """

    q: float
    mean: float
    second: float
    variance: float
    derivative_mean: float
    derivative_second: float
    second_slope: float
    error: float

    @property
    def gain(self) -> float:
        """√(q/E[φ²]): with weights of std gain/√fan_in the next pre-activation has variance q again."""
        return math.sqrt(self.q / self.second) if self.second else math.inf

    @property
    def backward_gain(self) -> float:
        """1/√E[φ′²]: with weights of std gain/√fan_out the gradient keeps its second moment."""
        return 1 / math.sqrt(self.derivative_second) if self.derivative_second else math.inf

    @property
    def centred_gain(self) -> float:
        """√(q/Var[φ]): when the mean is removed, by a norm or by standardised weights."""
        return math.sqrt(self.q / self.variance) if self.variance else math.inf

    def chi(self, weight_variance: float | None = None) -> float:
        """χ₁ = σ_w²·E[φ′²], the gradient's factor per layer (Schoenholz et al. 2017, arXiv:1611.01232).

        Args:
            weight_variance: σ_w², fan_in times the weights' variance; None means gain².
        """
        return (self.gain**2 if weight_variance is None else weight_variance) * self.derivative_second

    def chi_parallel(self, weight_variance: float | None = None) -> float:
        """χ_∥ = σ_w²·dE[φ²]/dq: below 1 the variance returns to q after a disturbance, above 1 it drifts."""
        return (self.gain**2 if weight_variance is None else weight_variance) * self.second_slope


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
    return Activation(name, function, kinks, row.gated, row, parameters)


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
    """

    name: str
    elementwise: Function
    kinks: tuple[float, ...] = ()
    gated: bool = False
    row: ActivationRow | None = field(default=None, repr=False)
    parameters: tuple[tuple[str, float], ...] = ()
    tolerance: float = TOLERANCE

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
        """Moments for a pre-activation of variance `q`.

        Raises:
            OptionError: q is not a positive finite number, or the function is not finite.
        """
        checked = _positive(q)
        # a callable of yours may hold a model: it is never kept
        return _cached(self, checked) if self.row is not None else _moments(self, checked)


def _moments(activation: Activation, q: float) -> Moments:
    try:
        found = expectations(activation.elementwise, q, activation.kinks, activation.tolerance)
    except OptionError as error:
        raise OptionError(
            error.got, where=f"activation {activation.name!r}", expected=error.expected, cause=error.cause
        ) from None
    if activation.gated:
        # a and b are independent N(0, √q): E[a·φ(b)] = 0, E[(a·φ(b))²] = q·E[φ(b)²]
        second, growth = q * found.square, found.square + q * found.growth
        return Moments(q, 0.0, second, second, math.nan, math.nan, growth, q * found.error)
    variance = max(found.square - found.value**2, 0.0)
    return Moments(
        q, found.value, found.square, variance, found.slope, found.slope_square, found.growth, found.error
    )


_cached = functools.lru_cache(maxsize=4096)(_moments)

registry: Registry[ActivationRow] = Registry("activation", "initwise.activations", "initwise.activations")


def activation(thing: Any, **parameters: float) -> Activation:
    """The activation meant by `thing`.

    Args:
        thing: a registered name ("relu", "leaky_relu", "leaky_relu(0.2)"), an Activation, or any
            elementwise callable: a NumPy function, or a torch function or module if torch is
            imported. A callable is only called; a module's state stays as it is.
        parameters: of a named activation, for example `negative_slope=0.2`.

    Raises:
        UnknownNameError: no activation has this name. OptionError: unknown parameters, or a
            callable that is not an elementwise function.
    """
    if isinstance(thing, Activation):
        return thing
    if isinstance(thing, str):
        name, inline = _parse(thing)
        return registry[name].bind({**inline, **parameters})
    if not callable(thing):
        raise OptionError(
            f"activation is a {type(thing).__name__}",
            expected="a registered name or a function of an array",
            fix='For example initwise.gain("tanh") or initwise.gain(numpy.tanh).',
        )
    function, tolerance = elementwise(thing)
    return Activation(name_of(thing), function, tolerance=tolerance)


def _parse(text: str) -> tuple[str, dict[str, float]]:
    """("leaky_relu", {"negative_slope": 0.2}) of "leaky_relu(0.2)"; other texts are plain names."""
    match = re.fullmatch(r"(\w+)\(([^()]*)\)", text.replace(" ", ""))
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


def gain(activation: Any, *, q: float = 1.0, backward: bool = False) -> float:
    """The factor on 1/√fan that keeps the signal's (or the gradient's) size through `activation`.

    Computed by quadrature from the function. Forward: √(q/E[φ(√q·z)²]), weights std gain/√fan_in.
    Backward: 1/√E[φ′(√q·z)²], weights std gain/√fan_out. For ReLU both are √2 at every q
    (He et al. 2015, eq. 10 and 14).

    Args:
        activation: a registered name or any elementwise callable, see `activation`.
        q: variance of the pre-activation. > 0.
        backward: keep the gradient instead of the signal.

    Raises:
        UnknownNameError, OptionError: see `activation`; also when the gain would be infinite.

    >>> round(gain("tanh"), 6)
    1.592537
    """
    chosen = _activation(activation)
    moments = chosen.moments(q)
    if backward and chosen.gated:
        raise OptionError(
            f"activation {chosen.name!r} has two inputs, so no one backward gain",
            fix="Treat its two halves as two layers, each with the forward gain.",
        )
    value = moments.backward_gain if backward else moments.gain
    if not math.isfinite(value):
        what = "its derivative" if backward else "it"
        raise OptionError(
            f"activation {chosen.name!r}: {what} is zero almost everywhere, the gain would be infinite"
        )
    return value


_activation = activation
