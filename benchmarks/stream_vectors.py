"""Writes docs/stream-v1.json, the stream's test vectors, from the reference implementation.

It was run once, when version 1 was frozen; tests/random/test_stream_v1.py fails if the file changes.

    python benchmarks/stream_vectors.py > docs/stream-v1.json
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np

from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.core.stream import Stream
from initwise.random import constants, fill_array, reference
from initwise.random.draw import draw_of

DTYPES = ("float64", "float32", "bfloat16", "float16")
NAMES = ("weight", "encoder.layers.0.self_attn.in_proj_weight#q", "層.重み")
ELEMENTS = [
    *range(0, 64, 7),
    63,
    64,
    100_003,
    2**31,
    2**32 - 1,
    2**32,
    2**34 - 1,
    2**34 + 5,
    2**45 + 77,
    2**63 - 1,
]
LAWS: list[tuple[str, dict[str, float]]] = [
    ("normal", {"mean": 0.0, "std": 0.02}),
    ("normal", {"mean": -1.5, "std": 3.0}),
    ("uniform", {"low": -0.125, "high": 0.125}),
    ("uniform", {"low": 0.1, "high": 0.7}),
    ("truncated_normal", {"mean": 0.0, "std": 0.02, "low": -0.04, "high": 0.04}),
    ("truncated_normal", {"mean": 0.0, "std": 0.1, "low": -1.0, "high": 1.0}),
    ("truncated_normal", {"mean": 0.5, "std": 0.25, "low": 0.4, "high": math.inf}),
    ("truncated_normal", {"mean": 0.0, "std": 1.0, "low": -4.0, "high": 0.3}),
    ("truncated_normal", {"mean": 0.0, "std": 1.0, "low": 6.0, "high": 7.0}),
    ("truncated_normal", {"mean": 0.0, "std": 1.0, "low": -math.inf, "high": -2.5}),
    ("truncated_normal", {"mean": 0.0, "std": 1.0, "low": -0.001, "high": 0.001}),
    ("constant", {"value": 0.1}),
]


def vectors() -> dict[str, Any]:
    """Everything in the file."""
    return {
        "version": 1,
        "constants": {name: getattr(constants, name) for name in dir(constants) if name.isupper()},
        "philox": [_philox(*case) for case in _KNOWN],
        "streams": [{"name": name, "id": str(Stream(0, name).id)} for name in NAMES],
        "laws": [_law(law, parameters) for law, parameters in LAWS],
        "orders": [
            _order("hwio", (2, 3, 4, 5)),
            _order("io", (4, 6)),
            _order("vo", (5, 3)),
            _order("obi", (2, 3, 4)),
        ],
        "packed": _packed(),
        "matrices": [_matrix(*case) for case in _MATRICES],
    }


_KNOWN = [
    ((0, 0, 0, 0), (0, 0)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)),
]
_MATRICES = [
    ("orthogonal", "oi", (4, 3), 1.0),
    ("orthogonal", "oi", (3, 5), 2.0),
    ("orthogonal", "boi", (2, 3, 3), 1.0),
    ("delta_orthogonal", "oik", (3, 2, 3), 1.0),
]


def _philox(counter: tuple[int, ...], key: tuple[int, int]) -> dict[str, Any]:
    words = reference.philox([np.array([word], np.uint64) for word in counter], key)
    return {"counter": _hex(counter), "key": _hex(key), "words": _hex([int(word[0]) for word in words])}


def _hex(words: Any, digits: int = 8) -> list[str]:
    return [f"{word:0{digits}x}" for word in words]


def _fill(law: str, parameters: dict[str, float]) -> Fill:
    return getattr(Fill, law)(**parameters)  # type: ignore[no-any-return]


def _law(law: str, parameters: dict[str, float]) -> dict[str, Any]:
    draw = draw_of(_fill(law, parameters))
    found: dict[str, Any] = {
        "law": law,
        "parameters": {name: repr(value) for name, value in parameters.items()},
    }
    if draw.truncation:
        found["numbers"] = {"location": draw.location, "scale": draw.scale, **asdict(draw.truncation)}
    seeds = (0, 2**64 - 59)
    found["cases"] = [
        {"seed": str(seed), "name": name, "elements": [str(e) for e in ELEMENTS], **_values(draw, seed, name)}
        for seed, name in zip(seeds, NAMES, strict=False)
    ]
    return found


def _values(draw: Any, seed: int, name: str) -> dict[str, Any]:
    element = np.array(ELEMENTS, np.uint64)
    found = {}
    for dtype in DTYPES:
        values = reference.values(Stream(seed, name), draw, element, dtype)
        digits = 2 * values.itemsize
        found[dtype] = _hex([int(bits) for bits in values.view(f"u{values.itemsize}")], digits)
    return found


def _order(axes: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """The element number at each place of a small tensor, in storage order."""
    order = Layout(axes).canonical
    index = np.arange(math.prod(shape)).reshape([shape[axis] for axis in order])
    return {"layout": axes, "shape": shape, "elements": index.transpose(np.argsort(order)).ravel().tolist()}


def _packed() -> dict[str, Any]:
    parts = (("q", 2), ("k", 1), ("v", 2))
    layout = Layout("oi", parts=parts)
    fill = Fill.packed([(name, size, Fill.normal(0, 0.5)) for name, size in parts], layout=layout)
    values = fill_array(np.zeros((5, 3), np.float32), fill, name="attn.in_proj_weight", seed=5)
    return {
        "name": "attn.in_proj_weight", "seed": "5", "layout": "oi", "parts": parts, "law": "normal(0, 0.5)",
        "float32": _hex([int(bits) for bits in values.view(np.uint32).ravel()]),
    }  # fmt: skip


def _matrix(law: str, axes: str, shape: tuple[int, ...], gain: float) -> dict[str, Any]:
    fill = Fill.matrix(law, gain, layout=Layout(axes))
    values = fill_array(np.zeros(shape), fill, name="matrix", seed=9)
    return {
        "law": law, "layout": axes, "shape": shape, "gain": gain, "name": "matrix", "seed": "9",
        "tolerance": 1e-12, "values": values.ravel().tolist(),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(vectors(), indent=1, ensure_ascii=False))
