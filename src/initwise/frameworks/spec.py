"""Specs: a dtype and a shape as text, "f32[8,64]", "i64[8,32]<50257"."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..core.codec import JsonMixin
from ..core.errors import ExampleError

DTYPES = {
    "f16": "float16",
    "bf16": "bfloat16",
    "f32": "float32",
    "f64": "float64",
    "u8": "uint8",
    "i8": "int8",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
    "bool": "bool",
    "float": "float",
}
"""Short name → full name; full names are accepted too. "float" is the model's own."""
FLOATS = frozenset({"float16", "bfloat16", "float32", "float64", "float"})

_SPEC = re.compile(r"(?P<dtype>[A-Za-z]\w*)\[(?P<shape>[^\[\]]*)\](?:<(?P<bound>-?\w+))?")
FIX = 'Write a dtype and a shape: "f32[8,64]", "i64[8,32]<50257" (integers below 50257), "bool[8,32]".'


@dataclass(frozen=True)
class Spec(JsonMixin):
    """One tensor of an example, not yet drawn.

    Attributes:
        dtype: full name ("float32", "int64", "bool"); "float" is the model's own.
        shape: its sizes, each ≥ 1.
        bound: integers are uniform in [0, bound); None lets the framework find a safe one.
    """

    dtype: str
    shape: tuple[int, ...]
    bound: int | None = None

    def __str__(self) -> str:
        short = next(key for key, name in DTYPES.items() if name == self.dtype)
        text = f"{short}[{','.join(map(str, self.shape))}]"
        return text if self.bound is None else f"{text}<{self.bound}"


def parse_spec(text: str, where: str = "example") -> Spec:
    """The Spec that `text` ("f32[8,64]", "i64[8]<10") describes.

    Raises:
        ExampleError: not of that form, an unknown dtype, a size or bound that cannot be.
    """
    match = _SPEC.fullmatch("".join(text.split()))
    if match is None:
        raise ExampleError(f"{text!r} is no dtype with a shape", where=where, fix=FIX)
    dtype = _dtype(match["dtype"], where)
    return Spec(dtype, _shape(match["shape"], text, where), _bound(match["bound"], dtype, text, where))


def _dtype(name: str, where: str) -> str:
    full = DTYPES.get(name, name)
    if full not in DTYPES.values():
        legal = sorted({*DTYPES, *DTYPES.values()})
        raise ExampleError(f"dtype {name!r} is not known", where=where, legal=legal, given=name)
    return full


def _shape(text: str, whole: str, where: str) -> tuple[int, ...]:
    sizes = text.split(",") if text else []
    if not all(size.isdecimal() and int(size) >= 1 for size in sizes):
        raise ExampleError(
            f"{whole!r} has sizes ({text})",
            where=where,
            expected="whole numbers ≥ 1, separated by commas",
            fix="Name every size, the batch too: initwise runs the model on it.",
        )
    return tuple(int(size) for size in sizes)


def _bound(text: str | None, dtype: str, whole: str, where: str) -> int | None:
    if text is None:
        return None
    if dtype in FLOATS or dtype == "bool":
        raise ExampleError(
            f"{whole!r} puts a bound on {dtype}",
            where=where,
            expected="a bound on integers only",
            fix='Leave it out, or make it integers: "i64[8,32]<50257".',
        )
    top = 2 ** (8 * np.dtype(dtype).itemsize - (not dtype.startswith("u")))
    if not text.isdecimal() or not 1 <= int(text) <= top:
        raise ExampleError(
            f"{whole!r} has the bound {text}", where=where, expected=f"a whole number from 1 to {top}"
        )
    return int(text)
