"""Inputs by their statistics: mean, std and correlations of numbers, the distribution of tokens.

As text a declaration is a spec with the options of `Input` behind it:
"f32[8,3,32,32](mean=0.45, std=0.22)", "i64[8,128]<50257(distribution=zipf)".
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Never

import numpy as np
from numpy.typing import NDArray

from ..core.codec import JsonMixin
from ..core.errors import ExampleError
from .spec import FLOATS, Spec, parse_spec

DISTRIBUTIONS = ("uniform", "zipf")
NUMBERS = ("mean", "std", "correlation", "position_correlation")
"""Options of floating inputs."""
TOKENS = ("distribution", "exponent", "probabilities")
"""Options of integers."""
WRITTEN = (*NUMBERS, "positions", "distribution", "exponent")
"""Options that text can say."""

FORM = 'For example Input("f32[8,64]", mean=0.5, std=0.2), Input("i64[8,128]<50257", distribution="zipf").'

_OPTIONS = re.compile(r"(?P<spec>[^()]*)\((?P<options>[^()]*)\)")


@dataclass(frozen=True, init=False)
class Input(JsonMixin):
    """A tensor of an example by its statistics: it stands wherever a tensor or a spec can stand.

    Measured, it is drawn from the check's seed with these statistics; predicted, they are what is known
    of it. Floats are Gaussian with Cov(x[b, p], x[b′, p′]) = std²·C·R, where C is 1 for b = b′ and else
    `correlation`, R is 1 for p = p′ and else `position_correlation`; channels and features are independent.

    Attributes:
        spec: dtype and shape, "f32[8,3,224,224]", "i64[8,128]<50257"; a bound is the vocabulary's size.
        mean: of floats.
        std: of floats, ≥ 0.
        correlation: between different inputs at the same place, in [-1/(n - 1), 1] for n inputs (axis 0).
        position_correlation: between different positions of one input, in [-1/(m - 1), 1] for m positions.
        positions: the axes that positions lie on; None means axis 1 of two or three axes (tokens), all
            from axis 2 on of four and more (pixels, behind the channels).
        distribution: of integers, "uniform" or "zipf": P(i) ∝ 1/(i + 1)^exponent, so that small ids are
            the frequent ones, as in vocabularies sorted by frequency.
        exponent: of "zipf", ≥ 0; words of a natural language have about 1 (Zipf 1935).
        probabilities: of the integers 0, 1, … instead of a distribution; they sum to 1.

    Raises:
        ExampleError: no dtype with a shape, a number out of its range, statistics of the other kind of
            dtype, an unknown distribution or argument.
    """

    spec: Spec
    mean: float = 0.0
    std: float = 1.0
    correlation: float = 0.0
    position_correlation: float = 0.0
    positions: tuple[int, ...] | None = None
    distribution: str = "uniform"
    exponent: float = 1.0
    probabilities: tuple[float, ...] = ()

    def __init__(
        self,
        spec: Spec | str = "",
        *,
        mean: float = 0.0,
        std: float = 1.0,
        correlation: float = 0.0,
        position_correlation: float = 0.0,
        positions: int | Sequence[int] | None = None,
        distribution: str = "uniform",
        exponent: float = 1.0,
        probabilities: Sequence[float] = (),
        **unknown: Never,
    ) -> None:
        _require_known(unknown)
        parsed = _spec(spec)
        axes = (positions,) if isinstance(positions, int) else positions
        given = {
            "spec": parsed,
            "mean": mean,
            "std": std,
            "correlation": correlation,
            "position_correlation": position_correlation,
            "positions": None if axes is None else _sequence(parsed, "positions", axes, _WHOLE),
            "distribution": distribution,
            "exponent": exponent,
            "probabilities": _sequence(parsed, "probabilities", probabilities, _NUMBERS),
        }
        for name, value in given.items():
            object.__setattr__(self, name, value)
        _require_sense(self)

    @classmethod
    def of(cls, leaf: Spec | Input) -> Input:
        """`leaf` as an Input: a Spec's floats are standard normal, its integers uniform."""
        return leaf if isinstance(leaf, Input) else cls(leaf)

    @property
    def dtype(self) -> str:
        """Full name of the dtype."""
        return self.spec.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes."""
        return self.spec.shape

    @property
    def bound(self) -> int | None:
        """Integers lie in [0, bound)."""
        return len(self.probabilities) or self.spec.bound

    @property
    def floating(self) -> bool:
        """Are its elements floating-point numbers?"""
        return self.dtype in FLOATS

    @property
    def places(self) -> tuple[int, ...]:
        """The axes that positions lie on."""
        rank = len(self.shape)
        if self.positions is not None:
            return self.positions
        return tuple(range(2, rank)) if rank > 3 else (1,) if rank > 1 else ()

    def __str__(self) -> str:
        said = [f"{name}={_written(value)}" for name, value in self.said()]
        return f"{self.spec}({', '.join(said)})" if said else str(self.spec)

    def said(self) -> list[tuple[str, Any]]:
        """(option, value) of what is declared beyond the spec."""
        options = [field for field in dataclasses.fields(self) if field.name != "spec"]
        return [(f.name, getattr(self, f.name)) for f in options if getattr(self, f.name) != f.default]


def _written(value: Any) -> str:
    if isinstance(value, tuple) and len(value) > 4:
        return f"[{len(value)} numbers]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def parse_input(text: str, where: str = "example") -> Spec | Input:
    """The Spec that `text` describes, or the Input if options stand behind it.

    Raises:
        ExampleError: not of that form, an option nobody knows, a value that cannot be.
    """
    match = _OPTIONS.fullmatch("".join(text.split()))
    if match is None:
        return parse_spec(text, where)
    options: dict[str, Any] = {}
    for piece in filter(None, match["options"].split(",")):
        name, equals, value = piece.partition("=")
        if not equals or name not in WRITTEN:
            raise ExampleError(
                f"{text!r} has the option {piece!r}",
                where=where,
                legal=WRITTEN,
                given=name,
                fix='Write name=value, for example "f32[8,64](mean=0.5, std=0.2)".',
            )
        options[name] = value if name == "distribution" else _number(name, value, text, where)
    return Input(parse_spec(match["spec"], where), **options)


def _number(name: str, value: str, text: str, where: str) -> float | int:
    try:
        return int(value) if name == "positions" else float(value)
    except ValueError:
        kind = "a whole number" if name == "positions" else "a number"
        raise ExampleError(f"{text!r} has {name}={value}", where=where, expected=kind) from None


# what makes no sense


_WHOLE = (int, "an axis, or several: 1 or (2, 3)")
_NUMBERS = (float, "numbers, one for each integer")


def _require_known(unknown: Mapping[str, Any]) -> None:
    """Raise ExampleError for an argument that an Input has not."""
    if unknown:
        name, value = next(iter(unknown.items()))
        legal = [field.name for field in dataclasses.fields(Input)]
        raise ExampleError(f"argument {name}={value!r}", where="Input", legal=legal, given=name, fix=FORM)


def _spec(given: Any) -> Spec:
    if isinstance(given, Spec):
        return given
    if not isinstance(given, str) or not given:
        got = f"spec {given!r}" if given != "" else "no spec"
        raise ExampleError(got, where="Input", expected="a dtype and a shape as text", fix=FORM)
    return parse_spec(given, "Input")


def _sequence(spec: Spec, name: str, given: Any, wanted: tuple[Callable[[Any], Any], str]) -> tuple[Any, ...]:
    """`given` as a tuple of what is wanted."""
    kind, words = wanted
    try:
        values = tuple(given)
        found = tuple(map(kind, values))
    except (TypeError, ValueError):
        raise _refused_values(spec, name, given, words) from None
    if isinstance(given, str) or found != values:  # int(1.5) is 1
        raise _refused_values(spec, name, given, words)
    return found


def _refused_values(spec: Spec, name: str, given: Any, words: str) -> ExampleError:
    return ExampleError(f"{name} {given!r}", where=f'Input("{spec}")', expected=words)


def _require_sense(x: Input) -> None:
    _require_kind(x)
    for name in (*NUMBERS, "exponent"):
        value = getattr(x, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise _refused(x, f"{name} {value!r}", "a finite number")
    if x.std < 0:
        raise _refused(x, f"std {x.std!r}", "a standard deviation, ≥ 0")
    if x.exponent < 0:
        raise _refused(x, f"exponent {x.exponent!r}", "a number ≥ 0; 0 is uniform")
    if x.distribution not in DISTRIBUTIONS:
        raise ExampleError(
            f"distribution {x.distribution!r}",
            where=f'Input("{x.spec}")',
            legal=DISTRIBUTIONS,
            given=str(x.distribution),
            fix="For any other one, give probabilities.",
        )
    _require_axes(x)
    if x.floating:
        _require_correlation(x, "correlation", x.shape[0] if x.shape else 1, "inputs")
        positions = math.prod(x.shape[axis] for axis in x.places)
        _require_correlation(x, "position_correlation", positions, "positions")
    _require_probabilities(x)


def _require_kind(x: Input) -> None:
    wrong = [name for name, _ in x.said() if name in (TOKENS if x.floating else (*NUMBERS, "positions"))]
    if x.dtype == "bool" and x.said():
        wrong = [name for name, _ in x.said()]
    if wrong:
        kind = "floating-point numbers" if wrong[0] in NUMBERS or wrong[0] == "positions" else "integers"
        raise _refused(x, f"{wrong[0]} is declared of {x.dtype}", f"{wrong[0]} of {kind} only")


def _require_axes(x: Input) -> None:
    legal = range(1, len(x.shape))
    if any(axis not in legal for axis in x.places) or len(set(x.places)) < len(x.places):
        axes = f"different ones of {list(legal)}" if legal else "none: there is no axis behind the first"
        raise _refused(x, f"positions {x.positions}", f"axes of {x.spec}, {axes}")


def _require_correlation(x: Input, name: str, number: int, what: str) -> None:
    value = getattr(x, name)
    if number < 2 and value:
        raise _refused(x, f"{name} {value!r}", f"two {what} or more; there is {number}")
    low = -1 / (number - 1) if number > 1 else 0.0
    if not low <= value <= 1:
        raise _refused(
            x, f"{name} {value!r}", f"a number from {low:.6g} to 1: {number} {what} cannot all differ more"
        )


def _require_probabilities(x: Input) -> None:
    given = x.probabilities
    if not given:
        return
    total = math.fsum(given)
    if any(not p >= 0 for p in given) or not abs(total - 1) < 1e-6:
        raise _refused(x, f"probabilities that sum to {total:.6g}", "numbers ≥ 0 that sum to 1")
    if x.distribution != "uniform":
        raise _refused(x, f"probabilities and distribution {x.distribution!r}", "one of the two")
    if x.spec.bound not in (None, len(given)):
        raise _refused(x, f"{len(given)} probabilities", f"one for each of {x.spec.bound} integers")


def _refused(x: Input, got: str, expected: str) -> ExampleError:
    return ExampleError(got, where=f'Input("{x.spec}")', expected=expected)


# drawing


def with_statistics(x: Input, numbers: NDArray[Any]) -> NDArray[Any]:
    """Independent standard normal `numbers` with the mean, std and correlations of `x`."""
    if not x.said():
        return numbers
    found = _mixed(numbers, (0,), x.correlation) if x.correlation else numbers
    found = _mixed(found, x.places, x.position_correlation) if x.position_correlation else found
    return np.asarray(found * x.std + x.mean, numbers.dtype)


def _mixed(z: NDArray[Any], axes: tuple[int, ...], correlation: float) -> NDArray[Any]:
    """z, equally correlated along `axes`: the root of (1 − c)·I + c·11ᵀ scales what z is beside its mean
    by √(1 − c), and the mean by √(1 + (n − 1)·c)."""
    n = math.prod(z.shape[axis] for axis in axes)
    middle = z.mean(axis=axes, keepdims=True)
    beside, along = math.sqrt(1 - correlation), math.sqrt(max(1 + (n - 1) * correlation, 0.0))
    return np.asarray(beside * (z - middle) + along * middle)


def token_probabilities(x: Input, vocabulary: int) -> NDArray[np.float64] | None:
    """P of the integers 0 … vocabulary − 1, None if they are all alike."""
    if x.probabilities:
        return np.array(x.probabilities)
    if x.distribution == "uniform":
        return None
    weights = np.arange(1, vocabulary + 1, dtype=np.float64) ** -x.exponent
    return np.asarray(weights / weights.sum())
