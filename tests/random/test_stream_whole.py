"""Section 7 of docs/stream-v1.md is enough for unit columns, repeated filters and low centres.

The reader below uses nothing of initwise; its entries and draws are those of the other readers.
"""

import hashlib
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from test_stream_matrix import Entry, bits, entries
from test_stream_v1 import normal, weight, words_of

PATH = Path(__file__).parents[2] / "docs" / "stream-v1-whole.json"
VECTORS = json.loads(PATH.read_text(encoding="utf-8"))
FROZEN = "1719a84351d6845cfc4ecb4c9e310d3942d643b3c137d61d2c8cfb653e45940c"
TENSORS = [
    pytest.param(case, id=f"{case['law']} {case['layout']} {i}") for i, case in enumerate(VECTORS["tensors"])
]
DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])


def draw(case, element):
    return normal(*words_of(int(case["seed"]), case["name"], element), None)


def over_halves(numbers):
    while len(numbers) > 1:
        half = math.ceil(len(numbers) / 2)
        numbers = [a + b for a, b in zip(numbers, numbers[half:], strict=False)] + numbers[
            len(numbers) // 2 : half
        ]
    return numbers[0]


def units(case):
    lines = {}
    for place, entry in enumerate(entries(case)):
        z = draw(case, entry.element)
        lines.setdefault((entry.batch, entry.group, entry.row), []).append((entry.element, place, z))
    found = {}
    for line in lines.values():
        factor = case["gain"] / math.sqrt(over_halves([z * z for _, _, z in sorted(line)]))
        found |= {place: z * factor for _, place, z in line}
    return [found[place] for place in sorted(found)]


def filters(case, dtype):
    """Each entry is that of the smaller tensor's output ⌊o/k⌋ or o mod (outputs/k)."""
    axis, k = case["layout"].index("o"), case["times"]
    small = {**case, "shape": [n // k if a == axis else n for a, n in enumerate(case["shape"])]}
    law = {"location": 0.0, "scale": case["std"]}
    found = []
    for index in itertools.product(*map(range, case["shape"])):
        o = index[axis] // k if case["order"] == "neighbours" else index[axis] % small["shape"][axis]
        entry = Entry(small, (*index[:axis], o, *index[axis + 1 :]))
        found.append(weight("normal", law, {}, draw(case, entry.element), dtype))
    return found


def low(case, index):
    taps = [k for k, axis in enumerate(case["layout"]) if axis in "hwdk"]
    centre = all(index[k] == (case["shape"][k] - 1) // 2 for k in taps)
    entry = Entry(case, index)
    return case["gain"] if centre and entry.row == entry.column else 0.0


def by_the_document(case, dtype):
    if case["law"] == "repeated":
        return filters(case, dtype)
    if case["law"] == "unit_outputs":
        return [bits(x, dtype) for x in units(case)]
    return [bits(low(case, index), dtype) for index in itertools.product(*map(range, case["shape"]))]


def test_the_vectors_are_frozen():
    found = hashlib.sha256(PATH.read_bytes()).hexdigest()
    assert found == FROZEN, "stream v1 never changes: a change is a v2, by name"


@DTYPES
@pytest.mark.parametrize("case", TENSORS)
def test_a_reader_of_the_document_agrees(case, dtype):
    assert by_the_document(case, dtype) == case[dtype].split()


@DTYPES
@pytest.mark.parametrize("case", TENSORS)
def test_the_library_agrees(case, dtype):
    from dataclasses import replace

    from initwise.core.fill import Fill
    from initwise.core.layout import Layout
    from initwise.random import fill_array

    layout = Layout(case["layout"], groups=case["groups"])
    if case["law"] == "repeated":
        fill = Fill.repeated(Fill.normal(0.0, case["std"], layout=layout), case["times"], case["order"])
    elif case["law"] == "low_dirac":
        fill = replace(Fill.matrix("dirac", case["gain"], layout=layout), low_centre=True)
    else:
        fill = Fill.whole(case["law"], gain=case["gain"], layout=layout)
    out = np.zeros(case["shape"], np.uint16 if dtype == "bfloat16" else dtype)
    fill_array(out, fill, name=case["name"], seed=int(case["seed"]), dtype=dtype)
    digits = 2 * out.itemsize
    assert [f"{x:0{digits}x}" for x in out.view(f"u{out.itemsize}").ravel()] == case[dtype].split()
