"""Widths: one pass per width of a model, and how everything scales."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.errors import InitwiseError, ModelError, OptionError
from ..core.records import Finding
from ..core.widths import WidthCheck
from ..signals.scaling import findings, missing, scalings

FORM = "widths=[64, 128, 256], and for a model a callable of one argument, the width, that makes it"


@dataclass(frozen=True)
class Compared:
    """What is done at each width.

    Attributes:
        run: the pass of a model, or to predict of a callable without arguments that makes one, and its width.
        judge: a pass → its layers and findings.
    """

    run: Callable[[Any, int], Any]
    judge: Callable[[Any], tuple[Any, Sequence[Finding]]]


def across(
    make: Callable[[int], Any],
    widths: Sequence[int],
    compared: Compared,
    *,
    mode: str,
    seed: int = 0,
    remark: str = "",
) -> WidthCheck:
    """Run the model of each width and fit the exponents.

    Args:
        make: width → model.
        mode: "measure" or "predict".
        remark: for the note.

    Raises:
        ModelError: `make` is a model itself, raises, or gives the same model at every width.
        OptionError: fewer than two widths, or what is none.
    """
    wanted = _widths(widths)
    _require_maker(make)
    passes = [compared.run(_subject(make, width, mode, seed), width) for width in wanted]
    readings = [passed.readings for passed in passes]
    _require_different(wanted, readings)
    layers = scalings(wanted, readings)
    told = [
        _unhealthy(width, compared.judge(passed)[1]) for width, passed in zip(wanted, passes, strict=True)
    ]
    absent = missing(readings)
    left = f"{len(absent)} layers are not there at every width, {absent[0]!r} among them" if absent else ""
    backward = passes[-1].backward
    note = "; ".join(filter(None, [backward, remark, *told, left]))
    return WidthCheck(mode, wanted, layers, findings(layers), note)


def _widths(widths: Sequence[int]) -> tuple[int, ...]:
    try:
        found = sorted({_whole(width) for width in widths})
    except TypeError:
        found = []
    if len(found) < 2 or found[0] < 1:
        raise OptionError(
            f"widths={widths!r}", where="check", expected="two or more different widths, whole and positive"
        )
    return tuple(found)


def _whole(width: Any) -> int:
    if isinstance(width, bool) or not hasattr(width, "__index__"):
        raise TypeError(width)
    return int(width)


def _require_maker(make: Any) -> None:
    if callable(make) and not hasattr(make, "parameters"):
        return
    kind = "a model" if hasattr(make, "parameters") else f"a {type(make).__name__}"
    raise ModelError(
        f"{kind} of one width, and widths to compare",
        where="model",
        expected=FORM,
        fix="check(lambda width: Model(hidden_size=width), example, widths=[64, 128, 256])",
    )


def _subject(make: Callable[[int], Any], width: int, mode: str, seed: int) -> Any:
    made = functools.partial(_made, make, width)
    return made if mode == "predict" else _seeded(made, seed)


def _made(make: Callable[[int], Any], width: int) -> Any:
    try:
        return make(width)
    except InitwiseError:
        raise
    except Exception as error:
        raise ModelError(
            f"making it at width {width} raised {type(error).__name__}: {error}",
            where="model",
            expected="a callable of one argument, the width, that makes the model",
        ) from error


def _seeded(make: Callable[[], Any], seed: int) -> Any:
    """What `make()` gives, drawn from `seed`; the random states around it stay as they were."""
    from torch import nn

    from ..frameworks.torch.state import reseed, untouched

    with untouched(nn.Module()):
        reseed(seed)
        return make()


def _require_different(widths: Sequence[int], passes: Sequence[Any]) -> None:
    shapes = [[(row.name, row.shape, row.weight_count) for row in readings] for readings in passes]
    if all(other == shapes[0] for other in shapes):
        raise ModelError(
            f"the same shapes at widths {', '.join(map(str, widths))}",
            where="model",
            expected="a model whose layers are as wide as its argument says",
            cause="the callable does not use its argument, or another of its arguments sets the width",
        )


def _unhealthy(width: int, found: Sequence[Finding]) -> str:
    if not found:
        return ""
    return f"at width {width} by itself {found[0].verdict} at {found[0].layer!r}: {found[0].reason}"
