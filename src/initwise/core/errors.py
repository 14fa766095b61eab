"""The error tree.

    InitwiseError
    ├── LayoutError        a shape does not fit its declared axes           (ValueError)
    ├── FillError          a law that is no law: bad std, bounds, parts     (ValueError)
    │   └── LawError       a scheme's own law raised, or gave no Fill         (ValueError)
    ├── StreamError        a seed, name, shape or offset the stream refuses (ValueError)
    ├── OutputError        memory that cannot be written as asked           (ValueError)
    ├── UnknownNameError   no such scheme, activation, recipe, problem …    (KeyError)
    ├── BrokenRowError     a third-party package's row cannot be loaded     (ImportError)
    ├── OptionError        a scheme's or call's option that makes no sense  (ValueError)
    ├── ModelError         a model or parameter that cannot be handled      (ValueError)
    ├── ExampleError       an example that does not fit the model           (ValueError)
    ├── ForwardError       the model's own forward or backward raised       (RuntimeError)
    ├── ProblemError       a Problem that cannot be trained                 (ValueError)
    ├── RecordError        a JSON record that cannot be read                (ValueError)
    ├── TargetError        a command-line target that cannot be loaded      (ValueError)
    ├── MissingError       an optional package is not installed             (ImportError)
    ├── UnsupportedError   initwise does not do this (yet)                  (NotImplementedError)
    └── UnhealthyError     assert_healthy() found something                 (AssertionError)

Every message has the same shape, so that a reader finds the part they need:

    where: what was got; expected what.
      Likely cause: …
      Known: …
      The fix.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_LISTED, NEAREST = 20, 8
"""Up to how many legal values a message lists, and how many of more it does."""


class InitwiseError(Exception):
    """Base of all errors raised on purpose by initwise.

    Args:
        got: what was found, in words ("layout 'oikk' has 4 axes, shape is (32, 64, 3)").
        where: the parameter, argument, file or layer it was found at.
        expected: what would have been right.
        cause: the likely cause.
        legal: the legal values; listed sorted, of many only the nearest.
        given: the value that is not legal, to guess what was meant.
        fix: one sentence that says what to do.
        listing: the command that lists all legal values.
    """

    def __init__(
        self,
        got: str,
        *,
        where: str = "",
        expected: str = "",
        cause: str = "",
        legal: Iterable[str] = (),
        given: str | None = None,
        fix: str = "",
        listing: str = "",
    ) -> None:
        self.where, self.got, self.expected, self.cause, self.fix = where, got, expected, cause, fix
        self.legal = tuple(sorted(legal))
        self.guess = closest(given, self.legal)
        self._known = _listed(given, self.legal, listing)
        super().__init__(self._message())

    def __str__(self) -> str:
        # KeyError would show the repr
        return str(self.args[0])

    def at(self, where: str) -> None:
        """Name the place `where`, if the error names none of its own."""
        if not self.where:
            self.where = where
            self.args = (self._message(),)

    def _message(self) -> str:
        head = f"{self.where}: {self.got}" if self.where else self.got
        head += f"; expected {self.expected}." if self.expected else "."
        lines = [head]
        if self.guess:
            lines.append(f"Did you mean {self.guess!r}?")
        if self.cause:
            lines.append(f"Likely cause: {self.cause}")
        if self.legal:
            lines.append(f"Known: {self._known}.")
        if self.fix:
            lines.append(self.fix)
        return "\n  ".join(lines)


def closest(given: str | None, legal: Iterable[str]) -> str | None:
    """The legal value most like `given`, or None when nothing is near."""
    if given is None:
        return None
    return next(iter(_nearest(given, legal, 1, 0.6)), None)


def _nearest(given: str, legal: Iterable[str], count: int, cutoff: float) -> list[str]:
    known = {name.lower(): name for name in legal}
    return [known[near] for near in difflib.get_close_matches(given.lower(), known, count, cutoff)]


def _listed(given: str | None, legal: tuple[str, ...], listing: str) -> str:
    """All legal values; of many, those nearest to what was given, sorted, and how many more there are."""
    if len(legal) <= MOST_LISTED:
        return ", ".join(legal)
    shown = legal[:NEAREST] if given is None else sorted(_nearest(given, legal, NEAREST, 0.0))
    more = f"{', '.join(shown)} … and {len(legal) - len(shown)} more"
    return f"{more}: {listing}" if listing else more


class LayoutError(InitwiseError, ValueError):
    """A shape does not fit its declared axes, or axes that cannot be."""


class FillError(InitwiseError, ValueError):
    """A law that is no law: a negative or NaN std, empty bounds, bounds without probability."""


class LawError(FillError):
    """A scheme's own law raised what it should not, or gave no Fill; what it raised is the `__cause__`."""


class StreamError(InitwiseError, ValueError):
    """A seed, name, shape or offset that the stream refuses."""


class OutputError(InitwiseError, ValueError):
    """Memory that cannot be written as asked: read-only, wrong dtype, overlapping, wrong shape."""


class UnknownNameError(InitwiseError, KeyError):
    """No scheme, activation, recipe, layout or problem has this name."""


class BrokenRowError(InitwiseError, ImportError):
    """A third-party package's scheme, activation, recipe or layout cannot be loaded."""


class BrokenRowWarning(UserWarning):
    """A third-party package's row was left out; `initwise list` names it and says why."""


class OptionError(InitwiseError, ValueError):
    """An option that makes no sense."""


class ModelError(InitwiseError, ValueError):
    """A model or parameter that cannot be handled: lazy, meta, quantized, unknown."""


class ExampleError(InitwiseError, ValueError):
    """An example that does not fit the model, or cannot be read."""


class ForwardError(InitwiseError, RuntimeError):
    """The model's own forward or backward raised; the original error is the `__cause__`."""


class ProblemError(InitwiseError, ValueError):
    """A Problem that cannot be trained."""


class RecordError(InitwiseError, ValueError):
    """A record that cannot be read: another version, another kind, damaged."""


class TargetError(InitwiseError, ValueError):
    """A command-line target that cannot be loaded."""


class MissingError(InitwiseError, ImportError):
    """An optional package is not installed."""


class UnsupportedError(InitwiseError, NotImplementedError):
    """initwise does not do this, or not yet."""


class UnhealthyError(InitwiseError, AssertionError):
    """`assert_healthy()` found something."""
