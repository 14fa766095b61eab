"""Examples: what a model is called with, written as shapes or given as a batch.

An example is

- a text: `"f32[8,3,224,224]"` is float32, standard normal; `"i64[8,32]<50257"` is int64, uniform in
  [0, 50257); `"bool[8,32]"` is a fair coin; `"f32[]"` is a 0-d tensor; `"float[8,64]"` has the
  model's own floating dtype. Several arguments: `"f32[8,16], i64[8]<10"`, or by keyword
  `"input_ids=i64[2,8]<100, attention_mask=bool[2,8]"`. Statistics stand behind the shape, with the names
  that `initwise.Input` gives them: `"f32[8,3,32,32](mean=0.45, std=0.22, position_correlation=0.8)"`,
  `"i64[8,128]<50257(distribution=zipf)"`.
- an `initwise.Input`: the same in Python.
- a batch: tensors or arrays, taken as they are.
- a tuple: the positional arguments. A DataLoader's `(inputs, targets)` is *not* taken apart: the
  targets would become the second argument; give the inputs alone.
- a dict: the keyword arguments (one argument, if its keys are no parameters of the model).
- a list, or anything nested inside these: one argument of that structure.

Nothing here knows a framework; `initwise.frameworks.torch.run.arguments` makes the tensors.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ExampleError
from ..core.stream import checked_seed
from .inputs import Input, parse_input, token_probabilities, with_statistics
from .spec import DTYPES, FIX, FLOATS, Spec, parse_spec

__all__ = ["DTYPES", "FLOATS", "Input", "Spec", "draw", "mapped", "parse_spec", "parsed", "split"]

_NAMED = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<rest>.*)")


def split(example: Any, where: str = "example") -> tuple[tuple[Any, ...], dict[str, Any]]:
    """`example` as (positional, keyword) arguments, every text in it turned into a Spec or an Input.

    Raises:
        ExampleError: None, nothing at all, or a text that is no spec.
    """
    if example is None:
        raise ExampleError(
            "none was given",
            where=where,
            expected="a batch, or shapes and dtypes",
            fix='Say what the model is called with, for example check(model, "f32[8,3,224,224]"). ' + FIX,
        )
    if isinstance(example, str):
        example = _parse_text(example, where)
    if isinstance(example, Mapping):
        keywords = {str(key): parsed(value, f"{where}[{key!r}]") for key, value in example.items()}
        return (), _some(keywords, where)
    if type(example) is tuple:
        values = tuple(parsed(value, f"{where}[{i}]") for i, value in enumerate(example))
        return _some(values, where), {}
    return (parsed(example, where),), {}


def _some(values: Any, where: str) -> Any:
    if not values:
        raise ExampleError("is empty", where=where, expected="at least one argument", fix=FIX)
    return values


def _parse_text(text: str, where: str) -> Any:
    """One Spec or Input, a tuple of several, or a dict of named ones."""
    pieces = re.split(r",(?![^\[]*\]|[^(]*\))", "".join(text.split()))
    named = [_NAMED.fullmatch(piece) for piece in pieces]
    if all(named):
        found = [match for match in named if match]
        return {m["name"]: parse_input(m["rest"], f"{where}[{m['name']!r}]") for m in found}
    if any(named):
        raise ExampleError(
            f"{text!r} names some arguments and not others",
            where=where,
            expected="all arguments by position, or all by name",
        )
    if len(pieces) == 1:
        return parse_input(text, where)
    return tuple(parse_input(piece, f"{where}[{i}]") for i, piece in enumerate(pieces))


def parsed(value: Any, where: str = "example") -> Any:
    """`value` with every text in it, however deep, turned into a Spec or an Input; the rest as it is."""
    return mapped(
        lambda leaf, place: parse_input(leaf, place) if isinstance(leaf, str) else leaf, value, where
    )


def mapped(function: Callable[[Any, str], Any], value: Any, where: str = "example") -> Any:
    """`value` with `function(leaf, place)` in place of each leaf of its tuples, lists and dicts."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        pairs = zip(value._fields, value, strict=True)
        return type(value)(*(mapped(function, item, f"{where}.{name}") for name, item in pairs))
    if isinstance(value, (tuple, list)):
        return type(value)(mapped(function, item, f"{where}[{i}]") for i, item in enumerate(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, (type, Spec, Input)):
        names = [field.name for field in dataclasses.fields(value) if field.init]
        changes = {name: mapped(function, getattr(value, name), f"{where}.{name}") for name in names}
        return dataclasses.replace(value, **changes)
    if isinstance(value, Mapping):
        items = {key: mapped(function, item, f"{where}[{key!r}]") for key, item in value.items()}
        return items if type(value) is dict else _like(value, items)
    return function(value, where)


def _like(value: Mapping[Any, Any], items: dict[Any, Any]) -> Mapping[Any, Any]:
    """`items` as the same kind of mapping as `value`, or as a dict where that takes other arguments."""
    try:
        return type(value)(items)  # type: ignore[call-arg]
    except TypeError:
        return items


def draw(
    spec: Spec | Input, *, seed: int = 0, where: str = "example", bound: int | None = None
) -> NDArray[Any]:
    """The numbers of `spec`: floats N(0, 1), integers uniform below the bound, bools a fair coin; of an Input
    with the statistics it declares.

    They depend on the seed and the place in the example only; no global generator is read.

    Args:
        bound: for integers whose spec has none.

    Returns:
        float32 (float64 for "float64"), the integer type, or bool, of shape `spec.shape`.

    Raises:
        StreamError: a seed outside [0, 2⁶⁴).
        ExampleError: integers without any bound.
    """
    key = int.from_bytes(hashlib.blake2b(where.encode(), digest_size=8).digest(), "little")
    generator = np.random.Generator(np.random.Philox(key=np.array([checked_seed(seed), key], np.uint64)))
    wanted = Input.of(spec)
    if wanted.floating:
        kind = np.float64 if spec.dtype == "float64" else np.float32
        return with_statistics(wanted, np.asarray(generator.standard_normal(spec.shape, dtype=kind)))
    top = 2 if spec.dtype == "bool" else wanted.bound or bound
    if top is None:
        raise ExampleError(
            f'"{spec}" does not say how large its integers may be',
            where=where,
            expected="a bound: the model has no embedding table to take it from",
            fix=f'Write "{wanted.spec}<10" for integers from 0 to 9.',
        )
    probabilities = token_probabilities(wanted, top)
    if probabilities is None:
        return np.asarray(generator.integers(0, top, spec.shape, dtype=np.uint64)).astype(spec.dtype)
    places = np.searchsorted(np.cumsum(probabilities), generator.random(spec.shape), side="right")
    return np.minimum(places, top - 1).astype(spec.dtype)
