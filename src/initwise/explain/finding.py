"""find: the schemes, recipes and activations that fit a network told in the user's own words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..activations import activations
from ..core.errors import OptionError
from ..core.matches import Match, Matches
from ..core.traits import TRAITS, wider
from ..recipes import recipes
from ..schemes import NEEDS, schemes
from ..schemes.base import EVIDENCE
from .activation_traits import family_and_shape
from .words import Asked, nearest, read

SHOWN, AGAINST, ENOUGH = 12, 5, 0.5
"""Rows that fit, and rows that something speaks against, shown unless told otherwise; of the best one's
score, what a row must have to be listed."""
NARROWER, WIDER, NAMED, NOT_FOR = 0.6, 0.5, 2.0, 2.0
"""What a trait counts that is a kind of the one asked for, or that the one asked for is a kind of; a row's
own name; and a trait it is not for."""
ITS_NAME = "its name"
PURPOSES = frozenset({"architecture", "part", "goal"})
"""Groups of traits that say what a row was made for: where such a core was not asked for, the row is for
something else."""

PARTS_OF: Mapping[str, frozenset[str]] = {
    "residual branch": frozenset({"resnet", "transformer", "diffusion"}),
    "recurrent matrix": frozenset({"rnn"}),
}
"""Parts that every network of some kind has."""

Suits = tuple[tuple[str, ...], frozenset[str]]
"""What a row suits, its core first, and what it does not."""


def _declared(row: Any) -> Suits:
    return row.suits, frozenset(row.unsuited)


KINDS: Mapping[str, tuple[str, Callable[[], Iterable[Any]], Callable[[Any], Suits]]] = {
    "schemes": ("scheme", schemes, _declared),
    "recipes": ("recipe", recipes, _declared),
    "activations": ("activation", activations, family_and_shape),
}
"""What can be looked through: the kind's name, its rows, and how to read what a row suits."""


def find(
    text: str,
    *,
    kinds: str | Sequence[str] = ("schemes", "recipes"),
    evidence: str | None = None,
    needs: str | None = None,
    limit: int = SHOWN,
) -> Matches:
    """Which rows fit the network that `text` describes, best first, and why.

    Args:
        text: what the network is, in plain words: "deep relu cnn without norm", "ViT", "LSTM, 500 steps".
        kinds: of "schemes", "recipes", "activations".
        evidence: only rows whose law is known this well, one of `EVIDENCE`.
        needs: only schemes that need this beyond fans, one of `NEEDS`, or "none".
        limit: how many rows to show.

    Raises:
        OptionError: nothing in `text` is understood, or one of the options has no such value.

    >>> find("deep relu cnn without norm", kinds=["schemes"]).rows[0].name
    'he_normal'
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise OptionError(f"limit={limit!r}", where="find", expected="a whole number ≥ 1")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    asked = read(text)
    fit, refused = _sorted_out(asked, rows_of(kinds, evidence=evidence, needs=needs))
    return Matches(
        query=text,
        understood=asked.understood,
        unknown=tuple((word, nearest(word)) for word in asked.unknown),
        rows=tuple(fit[:limit]),
        against=tuple(refused[:AGAINST]),
        left=max(0, len(fit) - limit),
        hints=_hints(fit),
    )


def _sorted_out(
    asked: Asked, rows: Iterable[tuple[str, Any, Callable[[Any], Suits]]]
) -> tuple[list[Match], list[Match]]:
    """The rows that fit, best first, and those that something speaks against."""
    ranked = []
    for kind, row, suits in rows:
        match = _matched(kind, row, suits(row), asked)
        if match.matched:
            ranked.append((_rank(match, asked, suits(row)[0]), match))
    touched = [match for _, match in sorted(ranked, key=lambda pair: pair[0])]
    fit = [match for match in touched if not match.against]
    own = {match.name: match.score - NAMED * (ITS_NAME in match.matched) for match in fit}
    least = ENOUGH * max(own.values(), default=0.0)
    return [match for match in fit if match.score >= least], [match for match in touched if match.against]


def rows_of(
    kinds: Sequence[str], *, evidence: str | None = None, needs: str | None = None
) -> list[tuple[str, Any, Callable[[Any], Suits]]]:
    """The rows of these kinds that pass the filters, each with its kind and how to read what it suits.

    Raises:
        OptionError: an unknown kind, evidence or need.
    """
    _check("kind", kinds, KINDS)
    _check("--evidence", [evidence] if evidence else [], EVIDENCE)
    _check("--needs", [needs] if needs else [], (*NEEDS, "none"))
    return [
        (name, row, suits)
        for kind in kinds
        for name, rows, suits in [KINDS[kind]]
        for row in rows()
        if passes(row, evidence, needs)
    ]


def passes(row: Any, evidence: str | None, needs: str | None) -> bool:
    """Is the row known this well, and does it need this?"""
    if evidence and getattr(row, "evidence", "computed") != evidence:
        return False
    wanted = getattr(row, "needs", ())
    return not needs or (not wanted if needs == "none" else needs in wanted)


def _check(where: str, given: Iterable[str], legal: Iterable[str]) -> None:
    for word in given:
        if word not in legal:
            raise OptionError(f"{word!r}", where=where, legal=legal, given=word)


def _matched(kind: str, row: Any, declared: Suits, asked: Asked) -> Match:
    suits, unsuited = declared
    points = {trait: _points(trait, suits) for trait in asked.wanted}
    against = [trait for trait in asked.wanted if trait not in suits and _refused(trait, unsuited)]
    against += [f"not {trait}" for trait in asked.denied if trait in suits]
    named = (kind, row.name) in asked.names
    matched = [trait for trait, point in points.items() if point and trait not in against]
    return Match(
        kind=kind,
        name=row.name,
        score=round(sum(points[trait] for trait in matched) + NAMED * named - NOT_FOR * len(against), 6),
        matched=(*([ITS_NAME] if named else []), *(_said(trait, suits) for trait in matched)),
        against=tuple(against),
        unsaid=tuple(trait for trait in asked.wanted if trait not in matched and trait not in against),
        use=getattr(row, "use", "") or getattr(row, "summary", "") or getattr(row, "formula", ""),
        avoid=getattr(row, "avoid", ""),
        citation=row.citation,
        evidence=getattr(row, "evidence", "computed"),
    )


def _points(trait: str, suits: tuple[str, ...]) -> float:
    if trait in suits:
        return 1.0
    if any(trait in wider(own) for own in suits):
        return NARROWER
    return WIDER if wider(trait) & set(suits) else 0.0


def _said(trait: str, suits: tuple[str, ...]) -> str:
    """The trait; with the row's own word, where that is a narrower or a wider one."""
    narrower = sorted(own for own in suits if trait in wider(own))
    own = [] if trait in suits else narrower or sorted(wider(trait) & set(suits))
    return f"{trait} ({', '.join(own)})" if own else trait


def _refused(trait: str, unsuited: frozenset[str]) -> bool:
    return trait in unsuited or bool(wider(trait) & unsuited)


def _rank(match: Match, asked: Asked, suits: tuple[str, ...]) -> tuple[int, float, int, int, int, str, str]:
    """Less against it, more for it; then, of equals: made for it, better known, its own words foremost."""
    known = EVIDENCE.index(match.evidence) if match.evidence in EVIDENCE else len(EVIDENCE)
    places = sum(suits.index(trait) for trait in asked.wanted if trait in suits)
    about = (len(match.against), -match.score, _apart(suits, asked))
    return (*about, known, places, match.kind, match.name)


def _apart(suits: tuple[str, ...], asked: Asked) -> int:
    """How far a row's core, the first of what it suits, is from what was asked: 0 is it, 2 is elsewhere."""
    told = {*asked.wanted, *(trait for wanted in asked.wanted for trait in wider(wanted))}
    if not suits or suits[0] in told:
        return 0 if suits else 1
    there = told & PARTS_OF.get(suits[0], frozenset())
    return 2 if TRAITS[suits[0]].group in PURPOSES and not there else 1


def _hints(fit: Sequence[Match]) -> tuple[str, ...]:
    hints = [f"initwise explain {match.name}" for match in fit[:1]]
    hints += [
        f'initwise.init_(model, initwise.recipe("{match.name}"))'
        for match in [m for m in fit if m.kind == "recipe"][:1]
    ]
    return (*hints, "initwise choose model.py:make_model --example 'f32[8,3,32,32]'")
