"""The glossary: terms by name or alias, explained like everything else."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..core.errors import UnknownNameError
from ..core.records import Explanation
from .parts import also_called, only
from .terms import TERMS, Term


class Glossary:
    """The terms, found whatever the spelling: "fan-in", "fan_in", "Fan In"."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and plain(name) in _names()

    def __getitem__(self, name: str) -> Term:
        """The term of this name. Raises UnknownNameError with the nearest."""
        if name not in self:
            raise UnknownNameError(f"no term is called {name!r}", legal=self.names(), given=name)
        return _names()[plain(name)]

    def names(self) -> tuple[str, ...]:
        """Every name and alias."""
        return tuple(word for term in TERMS for word in (term.name, *term.aliases))

    def __iter__(self) -> Iterator[Term]:
        return iter(TERMS)


registry = Glossary()


def glossary() -> tuple[Term, ...]:
    """All terms, topic by topic."""
    return TERMS


@functools.cache
def _names() -> Mapping[str, Term]:
    return {plain(word): term for term in TERMS for word in (term.name, *term.aliases)}


def plain(name: str) -> str:
    """Lower case, without spaces, hyphens and underscores."""
    return re.sub(r"[\s_-]", "", name.lower())


def term_by_name(name: str, facts: Mapping[str, Any]) -> Explanation:
    term = registry[name]
    only(f"term {term.name!r}", facts, (), "a term of the glossary has no numbers of its own.")
    return Explanation(
        title=term.name,
        summary=term.meaning,
        facts=(*((("in symbols", term.formula),) if term.formula else ()), *also_called(term.aliases)),
        see=term.see,
    )
