"""Twins: two parts of a packed fill that are the same numbers but for a factor, as mirrored rows are."""

from __future__ import annotations

from .fill import MATRIX_LAWS, Fill


def twin_factor(fill: Fill) -> float | None:
    """By which factor the second of a packed fill's two parts differs from the first, whose numbers it draws.

    None for any other fill.

    >>> from initwise.core.layout import Layout
    >>> one, two = Fill.matrix("orthogonal"), Fill.matrix("orthogonal", -1.0, draw="plus")
    >>> twin_factor(Fill.packed([("plus", 4, one), ("minus", 4, two)], layout=Layout("oi")))
    -1.0
    """
    if fill.law != "packed" or len(fill.parts) != 2:
        return None
    (name, _, one), (_, _, two) = fill.parts
    if two.draw != name or one.draw or one.law != two.law:
        return None
    return _ratio(one, two)


def _ratio(one: Fill, two: Fill) -> float | None:
    """two/one where they are equal matrix laws but for their gain, or packed of such; else None."""
    if one.law != two.law or one.layout != two.layout:
        return None
    if one.law in MATRIX_LAWS:
        return two.gain / one.gain if one.gain else None
    if one.law != "packed" or [part[:2] for part in one.parts] != [part[:2] for part in two.parts]:
        return None
    pairs = zip(one.parts, two.parts, strict=True)
    found = {_ratio(a, b) if a.draw == b.draw else None for (_, _, a), (_, _, b) in pairs}
    return found.pop() if len(found) == 1 else None
