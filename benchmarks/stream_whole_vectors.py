"""Writes docs/stream-v1-whole.json, the vectors of unit columns, repeated filters and low centres.

It was run once, when these laws were added; tests/random/test_stream_whole.py fails if the file changes.

    python benchmarks/stream_whole_vectors.py > docs/stream-v1-whole.json
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np

from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.random import fill_array

DTYPES = ("float64", "float32", "bfloat16", "float16")
SEED, NAME = 2**64 - 59, "層.重み"
ENTRIES: list[tuple[str, dict[str, Any], str, int, tuple[int, ...]]] = [
    ("unit_outputs", {"gain": 1.0}, "oi", 1, (3, 7)),
    ("unit_outputs", {"gain": 0.01}, "io", 1, (5, 4)),
    ("unit_outputs", {"gain": -2.0}, "oihw", 2, (4, 3, 3, 2)),
    ("unit_outputs", {"gain": 1.0}, "iok", 2, (4, 3, 3)),
    ("unit_outputs", {"gain": 1.0}, "boi", 1, (2, 3, 3)),
    ("repeated", {"std": 0.1, "times": 4, "order": "neighbours"}, "oihw", 1, (8, 2, 2, 2)),
    ("repeated", {"std": 0.1, "times": 4, "order": "tiles"}, "hwio", 1, (2, 2, 2, 8)),
    ("repeated", {"std": 0.1, "times": 2, "order": "neighbours"}, "io", 1, (3, 6)),
    ("low_dirac", {"gain": 0.1}, "oihw", 1, (2, 2, 4, 3)),
]


def law(kind: str, options: dict[str, Any], layout: Layout) -> Fill:
    """The Fill of an entry."""
    if kind == "repeated":
        inner = Fill.normal(0.0, options["std"], layout=layout)
        return Fill.repeated(inner, options["times"], options["order"])
    if kind == "low_dirac":
        return dataclasses.replace(Fill.matrix("dirac", options["gain"], layout=layout), low_centre=True)
    return Fill.whole(kind, gain=options["gain"], layout=layout)


def entry(
    kind: str, options: dict[str, Any], axes: str, groups: int, shape: tuple[int, ...]
) -> dict[str, Any]:
    """One tensor's bits in every type, in storage order."""
    fill = law(kind, options, Layout(axes, groups=groups))
    told = {"law": kind, **options, "layout": axes, "groups": groups, "shape": shape}
    return {**told, "seed": str(SEED), "name": NAME, **{dtype: _bits(fill, shape, dtype) for dtype in DTYPES}}


def _bits(fill: Fill, shape: tuple[int, ...], dtype: str) -> str:
    out = np.zeros(shape, np.uint16 if dtype == "bfloat16" else dtype)
    fill_array(out, fill, name=NAME, seed=SEED, dtype=dtype)
    digits = 2 * out.itemsize
    return " ".join(f"{bits:0{digits}x}" for bits in out.view(f"u{out.itemsize}").ravel())


if __name__ == "__main__":
    found = {"version": 1, "tensors": [entry(*case) for case in ENTRIES]}
    print(json.dumps(found, indent=1, ensure_ascii=False))
