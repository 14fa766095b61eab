"""Calling a row's law: whatever it does, the error says whose law it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..core.errors import FillError, InitwiseError, LawError
from ..core.fill import Fill
from ..core.layout import Fans
from .finite import no_law
from .needs import Site

if TYPE_CHECKING:
    from .base import SchemeRow

THEIRS = "a fault in the scheme's own code, not in the model"


def called(
    row: SchemeRow, spelled: str, fans: Fans | None, at: Site | None, options: Mapping[str, Any]
) -> Any:
    """What the row's law gives: a Fill or None, of a row with `arrays` what it starts from.

    Args:
        spelled: the scheme with its options, for errors.

    Raises:
        FillError: a fan of zero, options beyond floating point. LawError: the law raised something else, or
            gave something else. Errors that the law raises on purpose pass.
    """
    given = (fans, at) if row.needs else (fans,)
    try:
        made = row.law(*given, **options)
    except (InitwiseError, MemoryError):
        raise
    except ZeroDivisionError:
        name = "fan_in" if fans is None or fans.fan_in == 0 else "fan_out"
        raise FillError(
            f"{name} is 0",
            where=f"scheme {row.name!r}",
            expected=f"{name} > 0",
            cause="an axis of size zero, or fans made by hand",
        ) from None
    except (ArithmeticError, ValueError) as error:
        raise no_law(f"{type(error).__name__}: {error}", spelled) from error
    except (Exception, SystemExit) as error:
        raise LawError(
            f"scheme {spelled!r} of {_package(row)}: its law raised {type(error).__name__}: {error}",
            cause=THEIRS,
        ) from error
    if not (row.arrays or made is None or isinstance(made, Fill)):
        raise LawError(
            f"scheme {spelled!r} of {_package(row)}: its law gave {made!r:.80}",
            expected="a Fill, or None to leave the parameter as it is",
            cause=THEIRS,
        )
    return made


def _package(row: SchemeRow) -> str:
    return str(getattr(row.law, "__module__", "an unknown package")).partition(".")[0]
