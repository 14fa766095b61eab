"""The functions' arguments → Fill, and torch's fans and gains.

A Fill is made once for equal numbers: models call with the same few, and a call is short.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from ..activations import gain
from ..core.errors import FillError, InitwiseError, UnknownNameError
from ..core.fill import Fill
from ..core.layout import Layout

KEPT = 4096


class InitError(InitwiseError, ValueError, RuntimeError):
    """Arguments or a tensor that a drop-in cannot use. Nothing was written, no generator was advanced.

    torch.nn.init raises ValueError for some of these and RuntimeError for others; this is both.
    """


def renamed(error: InitwiseError, where: str) -> InitError:
    """The same error, as the drop-in `where` raises it."""
    law, _, rest = error.got.partition(": ")
    return InitError(
        rest if law in _LAWS else error.got,
        where=where,
        expected=error.expected,
        cause=error.cause,
        legal=error.legal,
        fix=error.fix,
    )


@functools.lru_cache(maxsize=KEPT)
def _truncated(mean: float, std: float, low: float, high: float) -> Fill:
    try:
        return Fill.truncated_normal(mean, std, low, high)
    except FillError as error:
        fix = "Pass a and b nearer to the mean, or another std." if "probability" in error.got else error.fix
        raise FillError(error.got, expected=error.expected, cause=error.cause, fix=fix) from None


@functools.lru_cache(maxsize=KEPT)
def _sparse(sparsity: float, std: float) -> Fill:
    return Fill.sparse(std, "zero", sparsity, "input")


@functools.lru_cache(maxsize=KEPT)
def _orthogonal(factor: float) -> Fill:
    return Fill.matrix("orthogonal", factor)


_LAWS: dict[str, Callable[..., Fill]] = {
    "normal": functools.lru_cache(maxsize=KEPT)(Fill.normal),
    "orthogonal": _orthogonal,
    "sparse": _sparse,
    "truncated_normal": _truncated,
    "uniform": functools.lru_cache(maxsize=KEPT)(Fill.uniform),
}


def fill_of(law: str, numbers: Sequence[float], where: str) -> Fill:
    """The Fill of one of `_LAWS` with these numbers. Raises InitError for numbers that make no law."""
    try:
        return _LAWS[law](*map(float, numbers))
    except TypeError:
        raise InitError(f"{law} of {tuple(numbers)}", where=where, expected="numbers") from None
    except InitwiseError as error:
        raise renamed(error, where) from None


def unit_fill(rank: int, groups: int) -> Fill:
    """The Fill of `eye_` and `dirac_` for tensors of this many dimensions."""
    return Fill.matrix("dirac", layout=Layout("oi" + "k" * (rank - 2), groups=groups))


def fans(tensor: Any, where: str) -> tuple[int, int]:
    """(fan_in, fan_out) from the shape alone: axis 1, axis 0, each times the size of the other axes."""
    shape = tuple(tensor.shape)
    if len(shape) < 2:
        raise InitError(
            f"a tensor of shape {shape} has no fan in and fan out",
            where=where,
            expected="at least 2 dimensions, (out, in, …)",
            cause="a bias, a norm's gain or another vector was given a law for weights",
            fix="Give it zeros_, ones_, normal_ or uniform_.",
        )
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def glorot_std(tensor: Any, factor: float, where: str) -> float:
    """gain·√(2/(fan_in + fan_out)): Glorot and Bengio 2010, eq. 12. A tensor without elements has any std."""
    fan_in, fan_out = fans(tensor, where)
    return factor * math.sqrt(2.0 / (fan_in + fan_out)) if fan_in + fan_out else 0.0


def he_std(tensor: Any, slope: float, mode: str, nonlinearity: str, where: str) -> float:
    """gain/√fan: He et al. 2015, eq. 10 and 14."""
    fan = chosen_fan(tensor, mode, where)
    return torch_gain(nonlinearity, slope, where) / math.sqrt(fan)


def chosen_fan(tensor: Any, mode: str, where: str) -> int:
    """The fan that `mode` names, "fan_in" or "fan_out", in capitals or not."""
    modes = ("fan_in", "fan_out")
    given = mode.lower() if isinstance(mode, str) else mode
    if given not in modes:
        raise InitError(f"mode {mode!r}", where=where, legal=modes, given=str(mode))
    return fans(tensor, where)[modes.index(given)]


_ONES = frozenset(
    ["linear", "sigmoid", *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3))]
)
_GAINS = {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
TORCH_GAINS = tuple(sorted([*_ONES, *_GAINS, "leaky_relu"]))
"""The names for which torch has a gain."""


def torch_gain(nonlinearity: Any, param: Any, where: str) -> float:
    """torch's gain where it has one, else initwise's own, of a registered activation or any callable."""
    if isinstance(nonlinearity, str):
        if nonlinearity in _ONES:
            return 1
        if nonlinearity in _GAINS:
            return _GAINS[nonlinearity]
        if nonlinearity == "leaky_relu":
            return math.sqrt(2.0 / (1 + _slope(param, where) ** 2))
    try:
        return gain(nonlinearity)
    except UnknownNameError as error:
        legal = {*error.legal, *TORCH_GAINS}
        given = str(nonlinearity)
        raise InitError(f"nonlinearity {nonlinearity!r}", where=where, legal=legal, given=given) from None
    except InitwiseError as error:
        raise renamed(error, where) from None


def _slope(param: Any, where: str) -> float:
    if param is None:
        return 0.01
    if isinstance(param, bool) or not isinstance(param, (int, float)):
        raise InitError(f"negative_slope {param!r}", where=where, expected="a number")
    return param
