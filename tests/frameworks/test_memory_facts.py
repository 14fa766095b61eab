"""What memory can hold and how it is read: one table, one test of overlap, one way through it."""

import numpy as np
import pytest
import torch
from torch import nn

from initwise.core.storage import DTYPES, extent, overlaps
from initwise.frameworks import proof
from initwise.frameworks.initialize import init_
from initwise.frameworks.numpy import ArrayTree
from initwise.frameworks.protocol import adapter_for


@pytest.mark.parametrize("name", DTYPES)
def test_the_table_of_dtypes_says_what_torch_says(name):
    known, dtype = torch.finfo(getattr(torch, name)), DTYPES[name]
    assert (dtype.largest, dtype.spacing) == (known.max, known.eps)
    assert dtype.smallest == known.tiny * known.eps  # the smallest normal number, less all digits but one


STRIDES = {
    "row-major": ((3, 4), (4, 1), False),
    "transposed": ((4, 3), (1, 4), False),
    "reversed": ((3, 4), (-4, 1), False),
    "every second": ((3, 2), (8, 2), False),
    "expanded": ((3, 4), (0, 1), True),
    "expanded along one": ((1, 4), (0, 1), False),
    "sliding windows": ((3, 4), (1, 1), True),
    "windows that touch": ((3, 4), (3, 1), True),
    "empty": ((0, 4), (0, 0), False),
    "scalar": ((), (), False),
}


@pytest.mark.parametrize("case", STRIDES)
def test_elements_that_share_memory_are_seen(case):
    shape, strides, expected = STRIDES[case]
    assert overlaps(shape, strides) is expected
    assert overlaps(shape, [4 * stride for stride in strides], 4) is expected


def test_windows_over_one_memory_are_refused_before_anything_is_written():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = nn.Parameter(torch.ones(10).as_strided((4, 4), (2, 1)))
    found = {info.name: info.status for info in adapter_for(model).parameters(model)}
    assert found["1.weight"] == "refused"
    assert [entry.name for entry in init_(model, "he_normal").untouched] == ["1.weight"]
    windows = np.lib.stride_tricks.sliding_window_view(np.ones(7, np.float32), 4, writeable=True)
    (info,) = adapter_for(tree := ArrayTree({"w": windows}, {"w": "oi"})).parameters(tree)
    assert (info.status, info.problem[:24]) == ("refused", "it is a broadcast view: ")


def statuses(**arrays):
    tree = ArrayTree(arrays, {"*": "oi"})
    return [info.status for info in adapter_for(tree).parameters(tree)]


def test_a_reversed_view_reaches_back_from_its_first_element():
    base = np.zeros((8, 4), np.float32)
    middle = base[2:6][::-1]  # its first element is in row 5, its last in row 2
    assert statuses(low=base[:2], middle=middle, high=base[6:]) == ["ready"] * 3
    assert statuses(low=base[:3], middle=middle) == ["refused"] * 2
    assert statuses(middle=middle, high=base[5:]) == ["refused"] * 2
    assert statuses(middle=base[:, ::-1][2:6], low=base[:2], high=base[6:]) == ["ready"] * 3


def test_an_extent_is_the_bytes_from_first_to_last():
    assert extent(100, (3, 4), (16, 4), 4) == (100, 148)
    assert extent(100, (3, 4), (-16, 4), 4) == (68, 116)
    assert extent(100, (), (), 8) == (100, 108)


@pytest.mark.parametrize("shape", [(7,), (5, 3), (2, 3, 5), (1, 30), (1, 1, 29), (30, 1), (0, 3), ()])
@pytest.mark.parametrize("turned", [False, True])
def test_pieces_are_the_whole_in_row_major_order(monkeypatch, shape, turned):
    monkeypatch.setattr(proof, "PIECE", 4)
    array = np.arange(np.prod(shape, dtype=int), dtype=float).reshape(shape)
    array = array.T if turned else array
    for whole, flat in (
        (array, lambda part: np.ascontiguousarray(part).reshape(-1)),
        (torch.from_numpy(array), lambda part: part.contiguous().view(-1)),
    ):
        parts = [np.asarray(part) for part in proof.pieces(whole, flat)]
        assert np.array_equal(np.concatenate([np.empty(0), *parts]), array.reshape(-1))
        assert all(0 < part.size <= 4 for part in parts)


def test_moments_of_pieces_are_those_of_the_whole():
    numbers = np.random.default_rng(0).normal(1e6, 1.0, 1000)
    mean, std = proof.moments(np.split(numbers, [1, 10, 400]))
    assert mean == pytest.approx(numbers.mean(), rel=1e-15)
    assert std == pytest.approx(numbers.std(), rel=1e-12)
    assert np.isnan(proof.moments([])).all()
