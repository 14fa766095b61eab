"""One row of the glossary."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """One word.

    Attributes:
        name, aliases: the word, and other ways to write it.
        topic: the group it stands in.
        meaning: plain words; one or two sentences.
        formula: in symbols, if there are any.
        see: terms that explain words of the meaning, or the opposite.
    """

    name: str
    topic: str
    meaning: str
    formula: str = ""
    see: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
