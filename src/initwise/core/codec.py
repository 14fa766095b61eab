"""Frozen dataclasses ↔ plain JSON data, driven by their type hints.

Every noun and record is a frozen dataclass of floats, ints, strings, bools, None, tuples and
other such dataclasses. JSON has no infinities and no NaN, so those travel as the strings
"inf", "-inf" and "nan".
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Self, TypeVar

from .errors import InitwiseError, RecordError

T = TypeVar("T")

LATER = types.MappingProxyType({"later": True})
"""Metadata of a field that was added after the first records were written. It is written only if it
differs from its default, and an absent one has it: old records read, and old readers read new ones."""


def encode(value: Any) -> Any:
    """`value` as JSON data: dicts, lists, strings, finite numbers, bools, None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in _written(value)}
        return {name: encode(item) for name, item in fields.items()}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if isinstance(value, float):
        # float() also takes NumPy's float64, whose repr is no number
        return float(value) if math.isfinite(value) else repr(float(value))
    return value


def _written(value: Any) -> list[dataclasses.Field[Any]]:
    fields = dataclasses.fields(value)
    return [f for f in fields if "later" not in f.metadata or getattr(value, f.name) != f.default]


def decode(data: Any, hint: Any, where: str = "record") -> Any:
    """The value of type `hint` that `data` encodes.

    Raises:
        RecordError: naming the place, when `data` is not what `hint` says.
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return data
    if origin in (typing.Union, types.UnionType):
        return _decode_union(data, args, where)
    if origin is tuple:
        return _decode_tuple(data, args, where)
    if origin in (dict, Mapping) or (origin is not None and issubclass(origin, Mapping)):
        return {
            key: decode(item, args[1], f"{where}.{key}") for key, item in _expect(data, dict, where).items()
        }
    if dataclasses.is_dataclass(hint):
        return _decode_dataclass(data, typing.cast(type, hint), where)
    if hint is float:
        return _decode_float(data, where)
    return _expect(data, hint, where)


def _decode_union(data: Any, args: tuple[Any, ...], where: str) -> Any:
    if data is None and type(None) in args:
        return None
    options = [arg for arg in args if arg is not type(None)]
    for option in options[:-1]:
        try:
            return decode(data, option, where)
        except RecordError:
            continue
    return decode(data, options[-1], where)


def _decode_tuple(data: Any, args: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    items = _expect(data, list, where)
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(decode(item, args[0], f"{where}[{i}]") for i, item in enumerate(items))
    if len(items) != len(args):
        raise RecordError(f"{len(items)} items", where=where, expected=f"{len(args)} items")
    return tuple(
        decode(item, arg, f"{where}[{i}]") for i, (item, arg) in enumerate(zip(items, args, strict=True))
    )


def _decode_dataclass(data: Any, kind: type, where: str) -> Any:
    data = _expect(data, dict, where)
    hints = _hints(kind)
    # to_dict writes every field but later ones, so an absent one was lost, and its default would be a guess
    needed = [field.name for field in dataclasses.fields(kind) if "later" not in field.metadata]
    missing = [name for name in needed if name not in data]
    unknown = sorted(set(data) - set(hints))
    if missing or unknown:
        raise RecordError(
            f"{kind.__name__} with missing fields {missing} and unknown fields {unknown}",
            where=where,
            cause="it was written by another version of initwise, or edited by hand",
            fix="Write it again with this version.",
        )
    fields = {name: decode(item, hints[name], f"{where}.{name}") for name, item in data.items()}
    try:
        return kind(**fields)
    except InitwiseError as error:
        error.at(where)
        raise


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: hint for name, hint in typing.get_type_hints(kind).items() if name in names}


def _decode_float(data: Any, where: str) -> float:
    if data in ("inf", "-inf", "nan"):
        return float(data)
    if isinstance(data, bool) or not isinstance(data, (int, float)):
        raise RecordError(f"{data!r}", where=where, expected="a number")
    try:
        return float(data)
    except OverflowError:
        raise RecordError("an integer beyond the range of floats", where=where, expected="a number") from None


def _expect(data: Any, kind: Any, where: str) -> Any:
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise RecordError(f"{data!r}", where=where, expected=f"{getattr(kind, '__name__', kind)}")
    return data


class JsonMixin:
    """`to_dict`/`from_dict`/`to_json`/`from_json` for a frozen dataclass.

    The dict carries "record" (the class name) and "version" beside the fields, so that a reader
    can refuse what it does not know instead of guessing.
    """

    record_version: typing.ClassVar[int] = 1

    def to_dict(self) -> dict[str, Any]:
        """This as JSON data (infinities and NaN as strings)."""
        return {"record": type(self).__name__, "version": self.record_version, **encode(self)}

    def to_json(self, indent: int | None = None) -> str:
        """This as a JSON text."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The reverse of `to_dict`.

        Raises:
            RecordError: another kind, another version, or missing and unknown fields.
        """
        if not isinstance(data, Mapping):
            raise RecordError(
                f"{type(data).__name__}", where=cls.__name__, expected="a dict made by to_dict()"
            )
        fields = dict(data)
        kind, version = fields.pop("record", None), fields.pop("version", None)
        if kind != cls.__name__:
            raise RecordError(
                f"a record of kind {kind!r}",
                where=cls.__name__,
                expected=f"{cls.__name__!r}",
                cause="the record of another class, or JSON that initwise did not write",
                fix=f"Read it with {kind}.from_dict." if isinstance(kind, str) else "",
            )
        if version != cls.record_version:
            raise RecordError(
                f"version {version!r}",
                where=cls.__name__,
                expected=f"version {cls.record_version}",
                cause="it was written by another version of initwise",
                fix="Write it again with this version, or read it with the one that wrote it.",
            )
        decoded: Self = _decode_dataclass(fields, cls, cls.__name__)
        return decoded

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The reverse of `to_json`. Raises RecordError, also for damaged JSON."""
        try:
            data = json.loads(text)
        except (TypeError, ValueError) as error:
            raise RecordError(f"text that is not JSON ({error})", where=cls.__name__) from error
        return cls.from_dict(data)
