"""Schemes and Fills explained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..core.errors import FillError, LayoutError
from ..core.fill import Fill
from ..core.layout import Fans, fans
from ..core.picture import Picture
from ..core.records import Explanation
from ..schemes import NEEDS, Flavor, Scheme, SchemeRow, Site, registry, scheme
from .parts import WEIGHT_FACTS, Facts, also_called, moments_of, only, options, through, weight_of
from .pictures import picture_of_fill
from .relatives import history, related

USUAL = 256
"""Inputs and outputs of the layer that a picture is for when nobody says."""


def scheme_by_name(name: str, facts: Mapping[str, Any]) -> Explanation:
    options = {option.name for option in registry[name].options}
    given = {key: value for key, value in facts.items() if key in options}
    rest = {key: value for key, value in facts.items() if key not in options}
    only(f"scheme {name!r}", rest, (*_legal(registry[name]), *options), _why_none(registry[name]))
    return told_scheme(scheme(name, **given), rest)


def scheme_row(row: SchemeRow, facts: Mapping[str, Any]) -> Explanation:
    return scheme_by_name(row.name, facts)


def told_scheme(chosen: Scheme, facts: Mapping[str, Any]) -> Explanation:
    row = chosen.row
    only(f"scheme {row.name!r}", facts, _legal(row), _why_none(row))
    _holds_where_known(chosen)
    return Explanation(
        title=str(chosen),
        summary=row.summary,
        law=_law(chosen),
        facts=(
            *_numbers(chosen, facts),
            *((f"needs {need}", NEEDS[need]) for need in row.needs),
            *also_called(row.aliases),
            *options(chosen),
            *_flavors(chosen, weight_of(facts)),
        ),
        differences=row.differences,
        avoid=row.avoid,
        citation=row.citation,
        evidence=chosen.flavor.evidence if chosen.flavor else row.evidence,
        use=row.use,
        see=related(row),
        history=history(row, related(row)),
        picture=_picture(chosen, facts),
    )


def _picture(chosen: Scheme, facts: Mapping[str, Any]) -> Picture | None:
    """Of the law for the fans given; without them for a layer of 256 inputs and outputs."""
    row = chosen.row
    if row.planner:
        return None
    if row.needs:
        return _picture_in_a_model(chosen)
    given, gain = weight_of(facts), facts.get("gain", 1.0)
    if given is not None or row.elementwise:
        return picture_of_fill(chosen.fill(given, gain=gain), given)
    kernel = fans((USUAL, USUAL, 3, 3), "oihw")
    if chosen.fill(kernel, gain=gain).law in ("dirac", "delta_orthogonal"):
        return picture_of_fill(chosen.fill(kernel, gain=gain), kernel)
    drawn = picture_of_fill(chosen.fill(fans((USUAL, USUAL), "oi"), gain=gain), None)
    if drawn is None or drawn.kind == "grid":
        return drawn
    return replace(drawn, title=f"{drawn.title}, for {USUAL} inputs and outputs")


def _picture_in_a_model(chosen: Scheme) -> Picture | None:
    """Of the first weight whose number the row knows, at the place it is known for."""
    row = chosen.row
    known = next((known for known in row.known if known.layout and known.at), None)
    if known is None or str(chosen) != row.name:
        return None
    made = scheme(row.name, **dict(known.options))
    weight = fans(known.shape, known.layout, groups=known.groups, parts=known.parts or None)
    fill = made.placed(weight, 1.0, Site(**dict(known.at)))
    drawn = picture_of_fill(fill, weight) if fill else None
    if drawn is None:
        return None
    place = ", ".join(f"{name} {value}" for name, value in (*known.at, *known.options))
    return replace(drawn, title=f"{drawn.title}, for {'×'.join(map(str, known.shape))}: {place}")


def _law(chosen: Scheme) -> str:
    """The law in closed form; under a flavor also how it is written there, and whose fans it takes."""
    flavor = chosen.flavor
    if flavor is None:
        return chosen.row.formula
    settings = "".join(f", {name}={value}" for name, value in flavor.settings.items())
    counted = f", fans as {flavor.count} counts them" if flavor.count else ""
    return f"{flavor.spelled}: {chosen.row.formula}{settings}{counted}"


def _legal(row: SchemeRow) -> tuple[str, ...]:
    """Facts a scheme can be explained for; one of a whole model has no numbers for a single weight."""
    return () if row.planner or row.needs else WEIGHT_FACTS


def _why_none(row: SchemeRow) -> str:
    """Why no fact about a weight is legal, "" if some are."""
    if row.planner:
        return "it decides for a whole model, by its layers or by data."
    told = "; ".join(f"{need}: {NEEDS[need]}" for need in row.needs)
    return f"one weight does not tell what it needs, {told}." if told else ""


def _holds_where_known(chosen: Scheme) -> None:
    """A law with needs is refused now if its numbers make none at a place it is known for."""
    row = chosen.row
    known = next((known for known in row.known if known.at), None)
    defaults = row.defaults(dict(chosen.options).get("flavor"))
    own = [value for name, value in chosen.options if value != defaults[name]]
    # what words ask for may need more than a place: a table, a pass over data
    if known is None or not row.needs or not own or not all(isinstance(value, float) for value in own):
        return
    weight = None
    if known.layout:
        weight = fans(known.shape, known.layout, groups=known.groups, parts=known.parts or None)
    try:
        chosen.placed(weight, 1.0, Site(**dict(known.at)))
    except FillError as error:
        raise FillError(
            error.got, where=f"scheme {str(chosen)!r}", expected=error.expected, cause=error.cause
        ) from error


def _numbers(chosen: Scheme, facts: Mapping[str, Any]) -> Facts:
    """The law's numbers for the fans given, and what they do to a signal through the activation given."""
    weight = weight_of(facts)
    if chosen.row.planner or chosen.row.needs or (weight is None and not chosen.row.elementwise):
        return ()
    fill = chosen.fill(weight, gain=facts.get("gain", 1.0))
    found = [("these fans", fill.formula)] if weight is not None else [("values", fill.formula)]
    found += [("because", fill.reason), *moments_of(fill)]
    if weight is not None:
        equal = "" if "shape" in facts or {"fan_in", "fan_out"} <= set(facts) else ", taken as equal"
        counted = chosen.flavor.of(weight) if chosen.flavor else weight
        found = [("fans", f"{counted}{equal}"), *found]
        found += through(weight, fill, facts)
    return tuple(found)


def _flavors(chosen: Scheme, weight: Fans | None) -> Facts:
    """What each framework means by this name: how it is written there, and its law for these fans."""
    defaults = chosen.row.defaults(dict(chosen.options).get("flavor"))
    own = {name: value for name, value in chosen.options if value != defaults[name]}
    return tuple(
        (f"flavor {flavor.name}", _told_flavor(chosen, flavor, own, weight)) for flavor in chosen.row.flavors
    )


def _told_flavor(chosen: Scheme, flavor: Flavor, own: dict[str, Any], weight: Fans | None) -> str:
    made = weight if weight is not None or not chosen.row.elementwise else fans((1, 1), "oi")
    known = made is not None and made.layout is not None and set(flavor.required) <= set(own)
    law = _formula(scheme(chosen.name, **{**own, "flavor": flavor.name}), made) if known else ""
    doubt = "" if flavor.evidence == "verified in source" else f" ({flavor.evidence})"
    return f"{law + ': ' if law else ''}{flavor.spelled}{doubt}{'. ' if flavor.note else ''}{flavor.note}"


def _formula(law: Scheme, weight: Fans | None) -> str:
    """The law for these fans; a framework may refuse what the law itself takes."""
    try:
        return law.fill(weight).formula
    except (FillError, LayoutError):
        return "refused for this shape"


def told_fill(fill: Fill, facts: Mapping[str, Any]) -> Explanation:
    only("a Fill", facts, ("activation", "q", "fan_in", "fan_out"))
    found = [*moments_of(fill)]
    if fill.law == "truncated_normal":
        found.append(
            ("parent", f"N({fill.loc:g}, {fill.scale:.6g}), redrawn outside the bounds, never clamped")
        )
    if math.isfinite(fill.low) or math.isfinite(fill.high):
        found.append(("values", f"between {fill.low:.6g} and {fill.high:.6g}"))
    if fill.layout is not None:
        found.append(("layout", str(fill.layout)))
    found += [
        (f"part {name} ({size})" if size else f"each {name}", str(part)) for name, size, part in fill.parts
    ]
    if fill.zero_row is not None:
        found.append(("row", f"{fill.zero_row} is zero (padding)"))
    weight = weight_of(facts)
    if weight is not None:
        found += through(weight, fill, facts)
    return Explanation(
        title=fill.formula,
        summary=fill.reason or "no reason was given with it",
        law=fill.formula,
        facts=tuple(found),
        citation=fill.citation,
        picture=picture_of_fill(fill, weight),
    )


def _counted(compat: str) -> str:
    if compat:
        return f"What {compat}'s initializers count from the stored shape, true or not."
    return "fan_in: products summed into one output. fan_out: outputs that one input feeds."


def told_fans(weight: Fans, facts: Mapping[str, Any]) -> Explanation:
    only("Fans", facts, ())
    return Explanation(
        title=str(weight),
        summary=_counted(weight.compat),
        law=f"{weight.layout} on shape {weight.shape}" if weight.layout else "",
        facts=(("average", f"{weight.average:g}"), ("geometric mean", f"{weight.geometric:g}")),
    )
