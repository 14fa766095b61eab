"""gain: the factor on 1/√fan that keeps what you want kept."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from ..core.errors import OptionError
from .base import Activation, activation
from .moments import Moments
from .published import KEEPS, Keep

DOUBT = 0.01
"""A relative error bound beyond which a gain is refused instead of returned."""
_chosen = activation


def gain(
    activation: Any,
    *unnamed: Any,
    q: float = 1.0,
    backward: bool = False,
    keep: Keep | None = None,
    **parameters: float,
) -> float:
    """The factor on 1/√fan that keeps the signal's (or the gradient's) size through `activation`.

    Computed by quadrature from the function. Forward: √(q/E[φ(√q·z)²]), weights std gain/√fan_in.
    Backward: 1/√E[φ′(√q·z)²], weights std gain/√fan_out. For ReLU both are √2 at every q
    (He et al. 2015, eq. 10 and 14). A gate a·φ(b) takes a and b from weights of this std, each
    with fans of its own. `initwise.activation(…).gains(q)` has all of them and their error bound.

    Args:
        activation: a registered name or any elementwise callable, see `initwise.activation`.
        q: variance of the pre-activation. > 0.
        backward: keep the gradient instead of the signal; the same as keep="gradient".
        keep: "second_moment" (the default; right for zero-mean weights whatever the mean of φ),
            "variance" (where weights or a norm remove the mean), or "gradient", which is also the
            gain at which χ₁ = 1.
        parameters: of the activation, for example `negative_slope=0.2`.

    Raises:
        UnknownNameError, OptionError: see `initwise.activation`; also when the gain would be infinite, or
            its error bound is above 1 %.

    >>> round(gain("tanh"), 6)
    1.592537
    """
    _check_names(activation, unnamed, parameters)
    chosen = _chosen(activation, **parameters)
    wanted = _wanted(backward, keep)
    moments = chosen.moments(q)
    value, error = _value(moments, wanted)
    if not math.isfinite(value) or value == 0:
        raise _no_gain(chosen, moments, wanted)
    if not error <= DOUBT:
        raise OptionError(
            f"activation {chosen.name!r}: its gain {value:.3g} is only known within {error:.0%}",
            cause="it has too many breaks, or is noisy",
            fix="Pass it in float64, or without its fine structure.",
        )
    return value


def _check_names(thing: Any, unnamed: tuple[Any, ...], parameters: Mapping[str, Any]) -> None:
    """Raise OptionError for values without names, and for other libraries' names of options."""
    row = getattr(_chosen(thing), "row", None) if unnamed or {"direction", "mode"} & set(parameters) else None
    known = tuple(row.parameters) if row is not None else ()
    if unnamed:
        name = "backward" if isinstance(unnamed[0], bool) else next(iter(known), "q")
        raise OptionError(
            f"{unnamed[0]!r} without a name",
            where="gain",
            expected="options and the activation's parameters by their names",
            legal=(*known, "q", "backward", "keep"),
            fix=f'gain("{thing}", {name}={unnamed[0]!r}).' if isinstance(thing, str) else "",
        )
    for name in ("direction", "mode"):
        if name in parameters and name not in known and not callable(thing):
            raise OptionError(
                f"{name}={parameters[name]!r}",
                where="gain",
                legal=(*known, "q", "backward", "keep"),
                fix="backward=True is the gain that keeps the gradient; without it the signal is kept.",
            )


def gate(phi: Any, **parameters: float) -> Activation:
    """The gated unit a·φ(b) whose two inputs come from weights of their own, for any φ.

    Args:
        phi: the activation of the gate, as `activation` takes it. parameters: its parameters.

    Raises:
        UnknownNameError, OptionError: see `activation`.

    >>> round(gain(gate("relu")), 6)
    1.414214
    """
    chosen = activation(phi, **parameters)
    return chosen if chosen.gated else dataclasses.replace(chosen, name=f"gate({chosen.name})", gated=True)


def _wanted(backward: bool, keep: Keep | None) -> Keep:
    if keep is not None and keep not in KEEPS:
        raise OptionError(f"keep={keep!r}", where="gain", legal=KEEPS, given=str(keep))
    if backward and keep not in (None, "gradient"):
        raise OptionError(f"backward=True with keep={keep!r}", where="gain", fix="Leave one of them out.")
    return "gradient" if backward else keep or "second_moment"


def _value(moments: Moments, keep: Keep) -> tuple[float, float]:
    """The gain, and the bound on its relative error."""
    if keep == "gradient":
        return moments.backward_gain, moments.derivative_error / (2 * moments.derivative_second or 1.0)
    if keep == "variance":
        doubt = moments.second_error + 2 * abs(moments.mean) * moments.error
        return moments.centred_gain, doubt / (2 * moments.variance or 1.0)
    return moments.gain, moments.second_error / (2 * moments.second or 1.0)


def _no_gain(chosen: Activation, moments: Moments, keep: Keep) -> OptionError:
    where = f"activation {chosen.name!r}"
    if keep == "gradient" and moments.derivative_second:
        return OptionError(
            f"{where}: E[φ′²] is infinite, the gain would be zero",
            cause="its slope grows without bound near a point, like that of √|x| at 0",
        )
    what = {
        "gradient": "its derivative is zero almost everywhere",
        "variance": "it is constant",
        "second_moment": "it is zero almost everywhere, or its squares are too small for floating point",
    }[keep]
    return OptionError(f"{where}: {what}, the gain would be infinite")
