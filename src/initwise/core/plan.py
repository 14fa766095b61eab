"""Plan: a whole model's Fills, by parameter name."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .codec import JsonMixin
from .errors import FillError, UnknownNameError
from .fill import Fill
from .rendering import Rendered


@dataclass(frozen=True)
class Plan(JsonMixin, Rendered, Mapping[str, Fill]):
    """What every parameter of one model is to hold. A Mapping from name to Fill.

    Attributes:
        name: what made it ("he_normal", "gpt2", "rule B" …).
        fills: (parameter name, Fill), in the model's order; names are unique.
        kept: (parameter name, reason) for parameters the plan leaves as they are.
    """

    name: str
    fills: tuple[tuple[str, Fill], ...]
    kept: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        twice = sorted(name for name, count in Counter(name for name, _ in self.fills).items() if count > 1)
        if twice:
            raise FillError(
                f"plan {self.name!r} names {', '.join(twice)} twice",
                expected="one Fill per parameter",
                cause="tied weights listed under two names; name the owner only",
            )

    @functools.cached_property
    def _index(self) -> dict[str, Fill]:
        return dict(self.fills)

    def __getitem__(self, name: str) -> Fill:
        if name not in self._index:
            raise UnknownNameError(
                f"plan {self.name!r} has no parameter {name!r}", legal=self._index, given=str(name)
            )
        return self._index[name]

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(name for name, _ in self.fills)

    def __len__(self) -> int:
        return len(self.fills)

    def with_fills(self, changes: Mapping[str, Fill], name: str | None = None) -> Plan:
        """This plan with some Fills replaced (or added at the end)."""
        merged = {**dict(self.fills), **changes}
        kept = tuple(item for item in self.kept if item[0] not in changes)
        return Plan(name or self.name, tuple(merged.items()), kept)
