"""Writes docs/stream-v1-matrix.json, the vectors of the sparse, Hadamard and identity laws.

It was run once, when these laws were added; tests/random/test_stream_matrix.py fails if the file changes.

    python benchmarks/stream_matrix_vectors.py > docs/stream-v1-matrix.json
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.random import fill_array

DTYPES = ("float64", "float32", "bfloat16", "float16")
SEED, NAME = 2**64 - 59, "層.重み"
ENTRIES: list[tuple[str, dict[str, Any], str, int, tuple[int, ...]]] = [
    ("sparse", {"std": 0.01, "rule": "zero", "amount": 0.1, "unit": "input"}, "oi", 1, (25, 3)),
    ("sparse", {"std": 0.01, "rule": "zero", "amount": 0.07, "unit": "input"}, "io", 1, (2, 100)),
    ("sparse", {"std": 1.0, "rule": "keep", "amount": 0.1, "unit": "output"}, "oi", 1, (3, 25)),
    ("sparse", {"std": 1.0, "rule": "count", "amount": 15.0, "unit": "output"}, "hwio", 1, (3, 3, 4, 3)),
    ("sparse", {"std": 0.5, "rule": "zero", "amount": 0.5, "unit": "input"}, "oik", 3, (9, 2, 3)),
    ("sparse", {"std": 0.5, "rule": "keep", "amount": 0.5, "unit": "output"}, "iok", 2, (8, 3, 3)),
    ("sparse", {"std": 0.5, "rule": "zero", "amount": 0.3, "unit": "input"}, "boi", 1, (2, 7, 3)),
    ("hadamard", {"gain": 1.0}, "oi", 1, (13, 5)),
    ("hadamard", {"gain": 1.0}, "oi", 1, (5, 13)),
    ("hadamard", {"gain": -0.3}, "io", 1, (3, 8)),
    ("hadamard", {"gain": 2.0}, "oihw", 2, (12, 4, 3, 2)),
    ("hadamard", {"gain": 1.0}, "iok", 2, (4, 6, 3)),
    ("hadamard", {"gain": 0.1}, "boi", 1, (2, 5, 2)),
    ("identity", {"gain": 0.1}, "ioo", 1, (6, 2, 2)),
    ("dirac", {"gain": 1.0}, "oihw", 3, (6, 3, 3, 2)),
]


def entry(
    law: str, options: dict[str, Any], axes: str, groups: int, shape: tuple[int, ...]
) -> dict[str, Any]:
    """One tensor's bits in every type, in storage order."""
    layout = Layout(axes, groups=groups)
    fill = (
        Fill.sparse(**options, layout=layout)
        if law == "sparse"
        else Fill.matrix(law, options["gain"], layout=layout)
    )
    told = {"law": law, **options, "layout": axes, "groups": groups, "shape": shape}
    return {**told, "seed": str(SEED), "name": NAME, **{dtype: _bits(fill, shape, dtype) for dtype in DTYPES}}


def _bits(fill: Fill, shape: tuple[int, ...], dtype: str) -> str:
    out = np.zeros(shape, np.uint16 if dtype == "bfloat16" else dtype)
    fill_array(out, fill, name=NAME, seed=SEED, dtype=dtype)
    digits = 2 * out.itemsize
    return " ".join(f"{bits:0{digits}x}" for bits in out.view(f"u{out.itemsize}").ravel())


if __name__ == "__main__":
    found = {"version": 1, "tensors": [entry(*case) for case in ENTRIES]}
    print(json.dumps(found, indent=1, ensure_ascii=False))
