"""Rows of third-party packages that could not be had: a table for `initwise list`."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..activations import registry as activation_registry
from ..core.errors import BrokenRowWarning
from ..core.registry import Broken, Registry
from ..frameworks.layouts import registry as layout_registry
from ..problems import registry as problem_registry
from ..recipes import registry as recipe_registry
from ..report.document import Column, Table
from ..schemes import registry as scheme_registry

REGISTRIES: dict[str, Registry[Any]] = {
    "schemes": scheme_registry,
    "activations": activation_registry,
    "recipes": recipe_registry,
    "layouts": layout_registry,
    "problems": problem_registry,
}


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings about broken rows, for those who show them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BrokenRowWarning)
        yield


def broken_data(kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Every broken row of these kinds, as JSON data."""
    return [dataclasses.asdict(item) for item in _broken(kinds)]


def broken_tables(kinds: Sequence[str]) -> tuple[Table, ...]:
    """One table of the broken rows of these kinds, none if there are none."""
    found = _broken(kinds)
    columns = (
        Column("kind", "Kind"),
        Column("name", "Name"),
        Column("package", "Package"),
        Column("entry", "Entry point", "name"),
        Column("cause", "Cause", "prose"),
    )
    rows = tuple((item.kind, item.name, item.package, item.entry, item.cause) for item in found)
    title = "Broken: left out, all else works"
    return (Table(columns, rows, title, keep=frozenset(range(len(rows)))),) if rows else ()


def _broken(kinds: Sequence[str]) -> list[Broken]:
    return [item for kind in kinds if kind in REGISTRIES for item in REGISTRIES[kind].broken()]
