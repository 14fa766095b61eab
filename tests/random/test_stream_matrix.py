"""Section 7 of docs/stream-v1.md is enough: its added laws in plain Python, by entry, equal the vectors.

The first half of this file uses nothing of initwise, and the plain draws are those of test_stream_v1.py,
which do not either.
"""

import hashlib
import itertools
import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest
from test_stream_v1 import normal, uniform, weight, words_of

VECTORS = json.loads(
    (Path(__file__).parents[2] / "docs" / "stream-v1-matrix.json").read_text(encoding="utf-8")
)
FROZEN = "3ad1a38f6bef35e7a1b5ac690ccf25b07d0ba59296788fe55c5b7b5297ccdf28"
TENSORS = [
    pytest.param(case, id=f"{case['law']} {case['layout']} {i}") for i, case in enumerate(VECTORS["tensors"])
]
SPATIAL = "hwdk"


# a reader of the specification -------------------------------------------------------------------


class Entry:
    """One entry of a tensor: its element number, matrix, row, column and tap, by section 7."""

    def __init__(self, case, index):
        axes, shape, groups = case["layout"], case["shape"], case["groups"]
        transposed = axes[:2] == "io" and set(axes[2:]) <= set(SPATIAL) and len(axes) > 2
        self.element = count(ordered(axes, ["b", "v", "o", "i", SPATIAL]), index, shape)
        self.batch = tuple(index[k] for k in ordered(axes, ["b"]))
        outs, ins, taps = (ordered(axes, [letters]) for letters in ("o", "iv", SPATIAL))
        self.row, self.column = count(outs, index, shape), count(ins, index, shape)
        self.rows, self.columns = (math.prod(shape[k] for k in axis) for axis in (outs, ins))
        if transposed:
            self.columns //= groups
            self.group, self.column = divmod(self.column, self.columns)
        else:
            self.rows //= groups
            self.group, self.row = divmod(self.row, self.rows)
        self.tap = tuple(index[k] for k in taps)
        self.centre = self.tap == tuple(shape[k] // 2 for k in taps)


def ordered(axes, kinds):
    return [k for letters in kinds for k, axis in enumerate(axes) if axis in letters]


def count(order, index, shape):
    number = 0
    for k in order:
        number = number * shape[k] + index[k]
    return number


def entries(case):
    return [Entry(case, index) for index in itertools.product(*(range(n) for n in case["shape"]))]


def bits(x, dtype):
    """A double rounded once to the type."""
    if dtype == "float64":
        return struct.pack(">d", x).hex()
    return weight("constant", None, {"value": x}, 0.0, dtype)


def matrix_entry(case, entry):
    if not entry.centre:
        return 0.0
    if case["law"] != "hadamard" or entry.rows <= entry.columns:
        return case["gain"] if entry.row == entry.column else 0.0
    m = 0
    while 2**m < entry.rows:
        m += 1
    h = case["gain"] * (math.sqrt(0.5) ** (m % 2) * 2.0 ** -(m // 2))
    return -h if bin(entry.row & entry.column).count("1") % 2 else h


def zeros_of(case):
    """The places, in storage order, that are zero."""
    lines = {}
    for place, entry in enumerate(entries(case)):
        own = (entry.column, entry.tap) if case["unit"] == "input" else entry.row
        words, j = words_of(int(case["seed"]), case["name"] + "#sparse", entry.element)
        lines.setdefault((entry.batch, entry.group, own), []).append(
            (uniform(words, j, None), entry.element, place)
        )
    found = set()
    for line in lines.values():
        n, amount = len(line), case["amount"]
        kept = {
            "keep": math.floor(amount * n),
            "count": min(int(amount), n),
            "zero": n - math.ceil(amount * n),
        }
        found |= {place for _, _, place in sorted(line)[: n - kept[case["rule"]]]}
    return found


def by_the_document(case, dtype):
    if case["law"] != "sparse":
        return [bits(matrix_entry(case, entry), dtype) for entry in entries(case)]
    zeros, law = zeros_of(case), {"location": 0.0, "scale": case["std"]}
    return [
        bits(0.0, dtype)
        if place in zeros
        else weight(
            "normal", law, {}, normal(*words_of(int(case["seed"]), case["name"], e.element), None), dtype
        )
        for place, e in enumerate(entries(case))
    ]


# the vectors ---------------------------------------------------------------------------------------


def test_the_vectors_are_frozen():
    text = (Path(__file__).parents[2] / "docs" / "stream-v1-matrix.json").read_bytes()
    assert hashlib.sha256(text).hexdigest() == FROZEN, "stream v1 never changes: a change is a v2, by name"


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("case", TENSORS)
def test_a_reader_of_the_document_agrees(case, dtype):
    assert by_the_document(case, dtype) == case[dtype].split()


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("case", TENSORS)
def test_the_library_agrees(case, dtype):
    from initwise.core.fill import Fill
    from initwise.core.layout import Layout
    from initwise.random import fill_array

    layout = Layout(case["layout"], groups=case["groups"])
    if case["law"] == "sparse":
        fill = Fill.sparse(case["std"], case["rule"], case["amount"], case["unit"], layout=layout)
    else:
        fill = Fill.matrix(case["law"], case["gain"], layout=layout)
    out = np.zeros(case["shape"], np.uint16 if dtype == "bfloat16" else dtype)
    fill_array(out, fill, name=case["name"], seed=int(case["seed"]), dtype=dtype)
    digits = 2 * out.itemsize
    assert [f"{x:0{digits}x}" for x in out.view(f"u{out.itemsize}").ravel()] == case[dtype].split()
