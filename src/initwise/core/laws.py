"""The laws a Fill can have, and what must be said of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import curves
from .declared import declared
from .errors import FillError
from .whole import WHOLE

if TYPE_CHECKING:
    from .fill import Fill

LAWS = (
    "constant",
    "delta_orthogonal",
    "dirac",
    "hadamard",
    "identity",
    "indexed",
    "mapped",
    "normal",
    "orthogonal",
    "packed",
    "repeated",
    "sparse",
    "truncated_normal",
    "uniform",
    "whole",
)
MATRIX_LAWS = frozenset({"delta_orthogonal", "dirac", "hadamard", "identity", "orthogonal"})
"""Laws of the whole matrix: an element depends on its row and column, not only on its own draw."""
SHAPED_LAWS = MATRIX_LAWS | {"indexed", "sparse", "whole"}
"""Laws whose mean and std follow from the tensor's shape."""
CURVES: Mapping[str, Mapping[str, Any]] = {
    "indexed": curves.INDEXED,
    "mapped": curves.MAPPED,
    "whole": WHOLE,
}
"""Laws that are functions, of an element's place, of its uniform variate or of all normal variates, and the
functions they know."""


def consistent(fill: Fill) -> None:
    """Raise FillError unless the fill's law is one, with what such a law needs and nothing else."""
    if fill.law not in LAWS:
        raise FillError(f"law {fill.law!r}", legal=LAWS, given=str(fill.law))
    if (fill.law == "sparse") != (fill.sparsity is not None):
        raise FillError(
            f"law {fill.law!r} with sparsity {fill.sparsity}",
            expected='a Sparsity for law "sparse", None for all others',
            fix='Make it with Fill.sparse(std, "zero", 0.1, "input").',
        )
    if (fill.law in CURVES) != (fill.curve is not None):
        raise FillError(
            f"law {fill.law!r} with curve {fill.curve}",
            expected=f"a Curve for {' and '.join(CURVES)}, None for all others",
            fix='Make it with Fill.mapped("log_uniform", 0.001, 0.1) or Fill.indexed("linear", 1, 1).',
        )
    if fill.curve is not None:
        curves.checked(CURVES[fill.law], fill.curve)
    if (fill.law == "repeated") != (fill.repeat is not None) or (fill.repeat and len(fill.parts) != 1):
        raise FillError(
            f"law {fill.law!r} with repeat {fill.repeat} and {len(fill.parts)} laws",
            expected='a Repeat and one law for law "repeated", None for all others',
            fix="Make it with Fill.repeated(fill, 4).",
        )
    if fill.low > fill.high:
        raise FillError(f"{fill.law}: low {fill.low!r} > high {fill.high!r}", expected="low ≤ high")
    declared(fill, SHAPED_LAWS)
