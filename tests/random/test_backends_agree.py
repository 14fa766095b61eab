"""The compiled kernels equal the reference, bit for bit: laws × dtypes × layouts × shards × threads."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from initwise.core.errors import FillError
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.core.stream import Stream
from initwise.random import fill_array, reference
from initwise.random.draw import draw_of

LAWS = {
    "normal": Fill.normal(0.01, 0.1),
    "uniform": Fill.uniform(-0.3, 0.4),
    "centred normal": Fill.normal(0, 0.02),
    "centred uniform": Fill.uniform(-0.1, 0.1),
    "centred to a power of two": Fill.uniform(-0.125, 0.125),
    "two sigmas": Fill.truncated_normal(0, 0.02, -0.04, 0.04),
    "textbook": Fill.truncated_normal(0, 0.1, -1, 1),
    "lopsided": Fill.truncated_normal(0, 1, -0.3, 4),
    "one-sided": Fill.truncated_normal(0.5, 0.1, 0.45, math.inf),
    "lower only": Fill.truncated_normal(0, 1, -math.inf, 0.25),
    "far tail": Fill.truncated_normal(0, 1, 6, 7),
    "far lower tail": Fill.truncated_normal(0, 1, -31, -30),
    "sliver": Fill.truncated_normal(0, 1, -0.001, 0.001),
    "sliver off centre": Fill.truncated_normal(0, 1, 1, 1.001),
}
DTYPES = ("float64", "float32", "float16", "bfloat16")


def empty(shape, dtype):
    return np.zeros(shape, np.uint16 if dtype == "bfloat16" else dtype)


def bits(array):
    return array.view(f"u{array.itemsize}")


def by_reference(fill, name, seed, shape, dtype):
    """The whole tensor, element by element in canonical order."""
    order = fill.layout.canonical if fill.layout else tuple(range(len(shape)))
    turned = [shape[axis] for axis in order]
    index = np.arange(math.prod(shape), dtype=np.uint64).reshape(turned)
    values = reference.values(Stream(seed, name), draw_of(fill), index, dtype)
    return values.transpose(np.argsort(order))


TOO_NARROW = {("far lower tail", "bfloat16"), ("sliver off centre", "bfloat16")}
"""Nearly all values would round to one number: refused, not filled."""


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("law", LAWS)
def test_contiguous(law, dtype):
    if (law, dtype) in TOO_NARROW:
        with pytest.raises(FillError, match="cannot hold"):
            fill_array(empty(5003, dtype), LAWS[law], name="layer.weight", dtype=dtype)
        return
    array = empty(5003, dtype)
    fill_array(array, LAWS[law], name="layer.weight", seed=2**64 - 5, dtype=dtype)
    np.testing.assert_array_equal(
        bits(array), bits(by_reference(LAWS[law], "layer.weight", 2**64 - 5, (5003,), dtype))
    )


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("fill", [Fill.normal(0, 2.0**-100), Fill.uniform(-(2.0**-110), 2.0**-110)])
def test_values_among_the_subnormal_numbers(fill, dtype):
    """Scales so small that not every product is exact: the kernels' short way must not be taken."""
    array = empty(5003, dtype)
    fill_array(array, fill, name="w", dtype=dtype)
    np.testing.assert_array_equal(bits(array), bits(by_reference(fill, "w", 0, (5003,), dtype)))


@pytest.mark.parametrize("first", [2**33 - 100, 2**34 - 77, 2**40 + 3, 2**62 - 1001])
def test_far_into_a_huge_tensor(first):
    """Beyond 2³² elements and across the 2³²-block line (element 2³⁴), from a shard's offset."""
    array = np.zeros(1000, np.float32)
    fill_array(array, LAWS["normal"], name="w", shape=(2**62,), offset=(first,))
    index = np.arange(first, first + 1000, dtype=np.uint64)
    np.testing.assert_array_equal(
        array, reference.values(Stream(0, "w"), draw_of(LAWS["normal"]), index, "float32")
    )


@st.composite
def shards(draw):
    axes = draw(st.sampled_from(["oi", "io", "oihw", "hwio", "iohw", "boi", "vo", "kio", "bvoihwd"]))
    shape = tuple(draw(st.integers(1, 9 if len(axes) > 3 else 90)) for _ in axes)
    low = [draw(st.integers(0, size)) for size in shape]
    high = [draw(st.integers(first, size)) for first, size in zip(low, shape, strict=True)]
    return axes, shape, tuple(slice(a, b) for a, b in zip(low, high, strict=True))


@settings(max_examples=60, deadline=None)
@given(
    shard=shards(),
    law=st.sampled_from(sorted(LAWS)),
    dtype=st.sampled_from(DTYPES),
    reverse=st.booleans(),
    order=st.randoms(),
    gap=st.integers(1, 3),
)
def test_any_shard_in_any_memory_is_the_slice_of_the_whole(shard, law, dtype, reverse, order, gap):
    """Layouts, slices along any axes, strided, reversed and transposed outputs."""
    assume((law, dtype) not in TOO_NARROW)
    axes, shape, cut = shard
    from dataclasses import replace

    fill = replace(LAWS[law], layout=Layout(axes))
    whole = by_reference(fill, "name", 3, shape, dtype)
    sizes = whole[cut].shape
    turn = list(range(len(sizes)))
    order.shuffle(turn)
    memory = empty([sizes[k] * gap for k in turn], dtype)
    view = memory[tuple(slice(None, None, gap) for _ in turn)].transpose(np.argsort(turn))
    if reverse:
        view = view[tuple(slice(None, None, -1) for _ in sizes)]
    untouched = memory.copy()
    fill_array(view, fill, name="name", seed=3, shape=shape, offset=[s.start for s in cut], dtype=dtype)
    np.testing.assert_array_equal(bits(np.ascontiguousarray(view)), bits(np.ascontiguousarray(whole[cut])))
    view[...] = 0
    np.testing.assert_array_equal(memory, untouched)  # not a byte outside the view was written


@pytest.mark.parametrize(
    ("axes", "shape"), [("io", (300, 710)), ("hwio", (3, 3, 40, 70)), ("kio", (2, 65, 300))]
)
def test_large_transposed_kernels(axes, shape):
    """Larger than a tile in every direction."""
    from dataclasses import replace

    fill = replace(LAWS["normal"], layout=Layout(axes))
    for dtype in DTYPES:
        array = empty(shape, dtype)
        fill_array(array, fill, name="w", dtype=dtype)
        wanted = by_reference(fill, "w", 0, shape, dtype)
        np.testing.assert_array_equal(bits(array), bits(np.ascontiguousarray(wanted)))


@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_thread_count_changes_nothing(threads, monkeypatch):
    monkeypatch.setenv("INITWISE_THREADS", threads)
    array = np.zeros((3, 1 << 19), np.float32)
    fill_array(array, LAWS["normal"], name="w")
    expected = np.zeros(1 << 12, np.float32)
    for row, column in ((0, 0), (1, 5), (2, (1 << 19) - (1 << 12))):
        fill_array(expected[None], LAWS["normal"], name="w", shape=array.shape, offset=(row, column))
        np.testing.assert_array_equal(array[row, column : column + (1 << 12)], expected)


def test_two_python_threads_may_fill_at_once():
    from concurrent.futures import ThreadPoolExecutor

    def work(k):
        array = np.zeros(1 << 20, np.float32)
        fill_array(array, LAWS["uniform"], name=f"w{k % 2}")
        return array

    with ThreadPoolExecutor(4) as pool:
        arrays = list(pool.map(work, range(4)))
    np.testing.assert_array_equal(arrays[0], arrays[2])
    np.testing.assert_array_equal(arrays[1], arrays[3])
    assert not np.array_equal(arrays[0], arrays[1])


def test_half_types_are_the_float32_values_rounded_once():
    single = np.zeros(100_000, np.float32)
    half, brain = np.zeros(100_000, np.float16), np.zeros(100_000, np.uint16)
    law = Fill.normal(0, 3e-5)  # many subnormal halves
    fill_array(single, law, name="w")
    fill_array(half, law, name="w")
    fill_array(brain, law, name="w", dtype="bfloat16")
    np.testing.assert_array_equal(half, single.astype(np.float16))
    ml_dtypes = pytest.importorskip("ml_dtypes")
    np.testing.assert_array_equal(brain, single.astype(ml_dtypes.bfloat16).view(np.uint16))


def test_float64_holds_the_same_variates_in_full_precision():
    double, single = np.zeros(10_000), np.zeros(10_000, np.float32)
    fill_array(double, Fill.normal(0, 0.1), name="w")
    fill_array(single, Fill.normal(0, 1), name="w")
    np.testing.assert_array_equal(double, 0.1 * single.astype(np.float64))


@pytest.mark.parametrize("value", [0.1, 1 + 2**-8 + 2**-33, -(1 + 2**-11 + 2**-40)])
def test_constants_are_rounded_once(value):
    """1 + 2⁻⁸ is a tie in bfloat16: going through float32 would lose what breaks it."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    brain, half = np.zeros(3, np.uint16), np.zeros(3, np.float16)
    fill_array(brain, Fill.constant(value), name="b", dtype="bfloat16")
    fill_array(half, Fill.constant(value), name="b")
    numbers = np.arange(0x7F80, dtype=np.uint16).view(ml_dtypes.bfloat16).astype(np.float64)
    numbers = np.concatenate([numbers, -numbers])
    nearest = numbers[np.argmin(np.abs(numbers - value))]
    assert brain.view(ml_dtypes.bfloat16)[0] == nearest
    assert half[0] == np.float16(value)
