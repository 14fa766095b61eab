"""Matches: which rows fit a description in a user's own words, and why."""

from __future__ import annotations

from dataclasses import dataclass

from .codec import JsonMixin
from .rendering import Rendered


@dataclass(frozen=True)
class Match(JsonMixin):
    """One row beside the description.

    Attributes:
        kind, name: "scheme", "recipe" or "activation", and the row's name.
        score: 1 for each trait it suits, 0.6 and 0.5 for a narrower and a wider one, 2 for its own name;
            less 2 for each trait it is not for.
        matched: traits of the description that it suits; "rnn (lstm)" where its own word is another one.
        against: traits of the description that it is not for.
        unsaid: traits of the description about which it says nothing.
        use, avoid: when to use it and when not, in the row's words.
        citation, evidence: its source.
    """

    kind: str
    name: str
    score: float
    matched: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()
    use: str = ""
    avoid: str = ""
    citation: str = ""
    evidence: str = ""


@dataclass(frozen=True)
class Matches(JsonMixin, Rendered):
    """What was found for a description.

    Attributes:
        query: the description.
        understood: (words, trait) for all that was understood; "not TRAIT" if the words deny it.
        unknown: (word, the nearest word there is or "") for what was not.
        rows: what fits, best first; of equal scores those made for it (whose core was asked for) come first,
            then the better known ones.
        against: rows that share traits with the description but are not for another one, worst last.
        left: how many more rows fit than are shown.
        hints: commands that go on from here.
    """

    query: str
    understood: tuple[tuple[str, str], ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    rows: tuple[Match, ...] = ()
    against: tuple[Match, ...] = ()
    left: int = 0
    hints: tuple[str, ...] = ()
