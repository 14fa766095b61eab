"""check_scheme: a scheme is explained, gives its known answers, and writes what it declares."""

from __future__ import annotations

import math

import numpy as np

from ..core.errors import FillError, InitwiseError, LawError, UnknownNameError
from ..core.fill import MATRIX_LAWS, SHAPED_LAWS, Fill
from ..core.layout import Fans, Layout, fans
from ..random import fill_array
from ..schemes import Known, Scheme, SchemeRow, Site, registry, scheme
from .claims import Claim, about, check_found, check_options, check_words

MATRIX = fans((96, 64), "oi")
KERNEL = fans((48, 32, 3, 3), "oihw")
WORDS = ("name", "summary", "formula", "citation", "evidence", "differences", "use", "avoid", "suits")
EXTREMES = (math.inf, -math.inf, -1.0, -0.5, 0.0, 1e308, -1e308, 1e-320)
DECIMALS = 6e-11
"""Known answers are compared as far as ten decimals go."""


def check_scheme(row: SchemeRow) -> None:
    """Hold a scheme to what every scheme promises.

    - It says what it is: summary, formula, citation, evidence, differences, when to use it and when not,
      what it suits (and nothing that it does not), related schemes; every option has a meaning and refuses
      what it cannot be; no number, however extreme, makes a law that is none.
    - It is found by its name and aliases, and survives JSON.
    - It has known answers (numbers from a paper or another implementation), says whose they are, and
      gives them.
    - Its Fills have a reason and a citation, and the declared mean and std are those of the numbers
      written, within five standard errors; a gain multiplies them; packed parts have their own fans; a fan
      of zero is refused or does not matter; where there is nothing, nothing is written.

    The last is skipped for schemes of a whole model (`planner`) and those with `needs`, and for shapes
    that the scheme refuses with a FillError, if it serves a matrix or a kernel at all.

    Raises:
        AssertionError: naming the row and what does not hold.

    >>> check_scheme(registry["he_normal"])
    """
    claim = about("scheme", row)
    check_words(claim, row, WORDS)
    check_found(claim, row, registry)
    check_options(claim, row.options, lambda **options: scheme(row.name, **options))
    made = scheme(row.name)
    claim(Scheme.from_json(made.to_json()) == made, "it does not survive JSON")
    _check_advice(claim, row)
    _check_known(claim, row)
    _check_extremes(claim, row)
    if not row.planner and not row.needs:
        _check_fills(claim, made)


def _check_advice(claim: Claim, row: SchemeRow) -> None:
    """What a user finds it by, and is sent to from it."""
    claim(row.use.endswith("."), "use does not end with a full stop")
    both = sorted(set(row.suits) & set(row.unsuited))
    claim(not both, f"it suits and does not suit {', '.join(both)}")
    for name in row.see:
        try:
            found = registry[name].name
        except UnknownNameError:
            raise AssertionError(f"scheme {row.name!r}: see: no scheme is called {name!r}") from None
        claim(found == name, f"see: {name!r} is an alias of {found!r}: use that")
        claim(found != row.name, "see names the scheme itself")


def _check_known(claim: Claim, row: SchemeRow) -> None:
    # what starts from arrays is no law, and has no number of its own
    exempt = bool(row.planner) or row.arrays
    claim(bool(row.known) or exempt, "known is empty: add an answer from a paper or another implementation")
    for known in row.known:
        claim(
            bool(known.source.strip()),
            f"the known {known.attribute} of {known.shape} has no source: whose is it?",
        )
        found = getattr(_answer(row, known), known.attribute)
        given = "".join(f", {name}={value!r}" for name, value in known.options)
        claim(
            abs(found - known.value) <= DECIMALS,
            f"{known.attribute} of {known.shape}{given} is {found!r}, not {known.value!r}",
        )


def _answer(row: SchemeRow, known: Known) -> Fill:
    weight = None  # a factor on a branch has no axes and no fans
    if known.layout:
        weight = fans(
            known.shape, known.layout, groups=known.groups, parts=known.parts or None, stride=known.stride
        )
    at = Site(**dict(known.at)) if row.needs else None
    return scheme(row.name, **dict(known.options)).fill(weight, at=at)


def _check_extremes(claim: Claim, row: SchemeRow) -> None:
    """Numbers that make no law are refused, when they are given or when a Fill is asked for."""
    place = next((Site(**dict(known.at)) for known in row.known), None) if row.needs else None
    for option in row.options:
        for value in EXTREMES if "number" in option.kind else ():
            try:
                made = scheme(row.name, **{option.name: value})
                fill = None if row.planner else made.placed(MATRIX, 1.0, place)
            except InitwiseError as error:
                if not isinstance(error, LawError):
                    continue
                cause = error.__cause__
                text = f"raises {type(cause).__name__}: {cause}" if cause else error.got
                raise AssertionError(f"scheme {row.name!r}: {option.name}={value} {text}") from error
            except Exception as error:
                text = f"{type(error).__name__}: {error}"
                raise AssertionError(f"scheme {row.name!r}: {option.name}={value} raises {text}") from error
            sound = fill is None or (math.isfinite(fill.mean) and math.isfinite(fill.std) and fill.std >= 0)
            claim(sound, f"{option.name}={value} gives {fill}; expected an error that says what is wrong")


def _check_fills(claim: Claim, made: Scheme) -> None:
    served = []
    for weight in (MATRIX, KERNEL):
        try:
            fill = made.fill(weight)
        except FillError as error:
            claim(not isinstance(error, LawError), str(error))
            continue
        served.append(fill)
        _check_told(claim, fill, weight)
        _check_moments(claim, fill, weight)
        _check_gain(claim, fill, made.fill(weight, gain=3))
        _check_parts(claim, made, weight)
        _check_nothing(claim, made, weight)
    claim(bool(served), f"it refuses a matrix {MATRIX.shape} and a kernel {KERNEL.shape}")
    _check_zero_fans(claim, made, served)


def _check_told(claim: Claim, fill: Fill, weight: Fans) -> None:
    claim(bool(fill.reason), "its Fill has no reason: Fill.…(reason=…)")
    claim(bool(fill.citation), "its Fill has no citation")
    claim(fill.layout == weight.layout, f"its Fill has layout {fill.layout}, the weight {weight.layout}")
    claim(Fill.from_json(fill.to_json()) == fill, "its Fill does not survive JSON")


def _check_gain(claim: Claim, once: Fill, thrice: Fill) -> None:
    for name in ("mean", "std"):
        expected, found = 3 * getattr(once, name), getattr(thrice, name)
        claim(
            math.isclose(found, expected, rel_tol=1e-12), f"gain=3 does not make the {name} thrice as large"
        )


def _check_parts(claim: Claim, made: Scheme, weight: Fans) -> None:
    """Two thirds and a third of the outputs, packed, get what they would get alone."""
    assert weight.layout is not None
    third, axes = weight.shape[0] // 3, weight.layout.axes
    parts = (("q", 2 * third), ("kv", third))
    try:
        alone = [made.fill(fans((size, *weight.shape[1:]), axes)) for _, size in parts]
    except FillError:
        return
    packed = made.fill(fans(weight.shape, Layout(axes, parts=parts)))
    if alone[0].law == "constant" and alone[0].mean == alone[1].mean:
        claim(packed.mean == alone[0].mean, f"packed it is {packed.formula}, each part {alone[0].formula}")
        return
    found = [(name, size, fill.formula) for name, size, fill in packed.parts]
    expected = [(*part, fill.formula) for part, fill in zip(parts, alone, strict=True)]
    claim(found == expected, f"packed parts get {found}, alone {expected}")


def _check_zero_fans(claim: Claim, made: Scheme, usual: list[Fill]) -> None:
    try:
        fill = made.fill(Fans(0.0, 0.0))
    except FillError as error:
        claim(not made.row.elementwise, f"elementwise, and yet fans of 0 matter: {error}")
        claim("is 0" in str(error), f"for fans of 0 it does not say which is 0: {error}")
        return
    # the std of a rotation or an identity is its shape's, which fans made by hand do not have
    attribute = "gain" if fill.law in SHAPED_LAWS else "formula"
    same = getattr(fill, attribute) in [getattr(other, attribute) for other in usual]
    claim(same, f"fans of 0 give {fill.formula}, not {usual[0].formula}: raise a FillError")


def _check_nothing(claim: Claim, made: Scheme, weight: Fans) -> None:
    assert weight.layout is not None
    for axis in (0, 1):
        shape = tuple(0 if k == axis else size for k, size in enumerate(weight.shape))
        fill = made.fill(fans(shape, weight.layout.axes))
        claim((fill.law, fill.mean) == ("constant", 0.0), f"an empty tensor {shape} gets {fill.formula}")
        fill_array(np.empty(shape), fill, name="weight")


def _check_moments(claim: Claim, fill: Fill, weight: Fans) -> None:
    values = fill_array(np.empty(weight.shape, np.float64), fill, name="weight", seed=3)
    claim(bool(np.isfinite(values).all()), "it writes numbers that are not finite")
    claim(
        fill.low <= values.min() and values.max() <= fill.high, f"it writes outside [{fill.low}, {fill.high}]"
    )
    # a matrix law's entries are less free than independent ones, never more
    error = 5 * fill.std / math.sqrt(values.size) + 1e-12
    claim(abs(values.mean() - fill.mean) <= error, f"mean {values.mean():g}, declared {fill.mean:g}")
    if fill.law in MATRIX_LAWS:
        rms, declared = math.sqrt((values**2).mean()), math.hypot(fill.mean, fill.std)
        claim(math.isclose(rms, declared, rel_tol=1e-9), f"rms {rms:g}, declared {declared:g}")
        return
    # the fewer weights are not zero, the more of the variance each of them is
    spread = fill.scale if fill.law == "sparse" else fill.std
    error = 5 * spread / math.sqrt(2 * values.size) + 1e-12
    claim(abs(values.std() - fill.std) <= error, f"std {values.std():g}, declared {fill.std:g}")
