"""What stands above the lines of `Advice.apply`, so that all of them run when they are pasted."""

from __future__ import annotations

import json
import keyword
from dataclasses import replace
from pathlib import Path

from ..core.records import Advice
from .target import Subject, is_file, split


def pasteable(advice: Advice, preamble: tuple[str, ...]) -> Advice:
    """`advice` for people's eyes: the lines that apply it begin with those that make its names."""
    return replace(advice, apply="\n".join((*preamble, advice.apply)))


def of_bundled(name: str) -> tuple[str, ...]:
    """Lines that make `problem` and `model` of the bundled problem called `name`."""
    return (
        "from initwise.problems import problem as bundled",
        f'problem = bundled("{name}").problem',
        "model = problem.model()",
    )


def of_target(target: str, subject: Subject, example: str | None) -> tuple[str, ...]:
    """Lines that make `model` and `example`, or `problem` and `model`, of what TARGET names.

    Lines of a file's target are for its own folder, where its imports are found; they say so.
    """
    place, name = split(target)
    imports, thing = _imports(Path(place).stem if is_file(place) else place, name)
    made = f"{thing}()" if subject.called else thing
    where = (f"# run this in the folder of {place}",) if is_file(place) else ()
    if subject.problem is not None:
        return (*where, *imports, *_assigned("problem", made), "model = problem.model()")
    given = "None" if example is None else json.dumps(example, ensure_ascii=False)
    return (*where, *imports, *_assigned("model", made), f"example = {given}")


def _imports(module: str, name: str) -> tuple[tuple[str, ...], str]:
    """The import, and how the thing is then called."""
    if all(part.isidentifier() and not keyword.iskeyword(part) for part in module.split(".")):
        return (f"from {module} import {name.partition('.')[0]}",), name
    # a file's name need not be one of Python's: my-model.py
    return ("import importlib",), f'importlib.import_module("{module}").{name}'


def _assigned(variable: str, value: str) -> tuple[str, ...]:
    return () if value == variable else (f"{variable} = {value}",)
