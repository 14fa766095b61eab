"""Moments under maps and algebra, against averages over pairs of a random-effects model.

The model: x = Σ of independent normal effects, one for each set of axes that it is shared over, each
with a scale for each block, plus a mean for each block. Its second moments are known for every pair of
elements, so what a map or a contraction makes of them is known by moving the full matrix.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initwise.predict import maps
from initwise.predict.algebra import add, average, centre, contract, multiply, total
from initwise.predict.axes import axes_of, patterns
from initwise.predict.moments import Moments, constant, cut, independent, measured, split_evenly, uniform

Array = np.ndarray


class Effects:
    """A tensor of which E[x_i·x_j] is known for every pair, `second` (elements, elements), and `mean`."""

    def __init__(self, shape: tuple[int, ...], second: Array, mean: Array) -> None:
        self.shape, self.second, self.mean = shape, second, mean

    @property
    def places(self) -> Array:
        return np.arange(len(self.mean)).reshape(self.shape)

    def moved(self, places: Array) -> Effects:
        flat = places.reshape(-1)
        return Effects(places.shape, self.second[np.ix_(flat, flat)], self.mean[flat])

    def linear(self, matrix: Array, shape: tuple[int, ...]) -> Effects:
        return Effects(shape, matrix @ self.second @ matrix.T, matrix @ self.mean)


def effects(shape: tuple[int, ...], atoms: dict[int, tuple[int, ...]], seed: int) -> Effects:
    """Random scales and means for each block, random shares of what each set of axes has in common."""
    rng = np.random.default_rng(seed)
    index = np.indices(shape).reshape(len(shape), -1)
    block = np.zeros(index.shape[1], int)
    for dim, atom in atoms.items():
        block = block * len(atom) + np.repeat(np.arange(len(atom)), atom)[index[dim]]
    scale, mean = rng.uniform(0.3, 2, block.max() + 1)[block], rng.normal(size=block.max() + 1)[block]
    second = np.outer(mean, mean)
    for axes in itertools.chain.from_iterable(
        itertools.combinations(range(len(shape)), n) for n in range(len(shape) + 1)
    ):
        alike = np.ones_like(second, bool)
        for dim in axes:
            alike &= index[dim][:, None] == index[dim][None]
        second = second + rng.uniform(0.1, 1) * alike * np.outer(scale, scale)
    return Effects(shape, second, mean)


def averaged(x: Effects, axes: tuple[tuple[tuple[int, ...], ...], ...]) -> Moments:
    """The Moments of `x` for these axes: means over all pairs of each pattern."""
    atoms = [atom for dim in axes for atom in dim]
    size = len(x.mean)
    index = np.indices(tuple(sum(atom) for atom in atoms)).reshape(len(atoms), size)
    code, block = np.zeros((size, size), int), np.zeros(size, int)
    numbers, blocks = 1, 1
    for place, atom in enumerate(atoms):
        k, owner = len(atom), np.repeat(np.arange(len(atom)), atom)[index[place]]
        between = owner[:, None] * k + owner[None]
        equal = index[place][:, None] == index[place][None]
        code = code * (k * k + k) + np.where(equal, k * k + owner[:, None], between)
        block, numbers, blocks = block * k + owner, numbers * (k * k + k), blocks * k
    counts = np.bincount(code.reshape(-1), minlength=numbers)
    sums = np.bincount(code.reshape(-1), x.second.reshape(-1), numbers)
    second = np.divide(sums, counts, out=np.full(numbers, np.nan), where=counts > 0)
    mean = np.bincount(block, x.mean, blocks) / np.bincount(block, minlength=blocks)
    shapes = [len(patterns(atom).left) for atom in atoms], [len(atom) for atom in atoms]
    return Moments(axes, second.reshape(shapes[0]), mean.reshape(shapes[1]))


def same(found: Moments, expected: Effects) -> None:
    """Is `found` what `expected` averaged over its patterns gives? One without pairs may be anything."""
    assert found.shape == expected.shape
    wanted = averaged(expected, found.axes)
    known = ~np.isnan(wanted.second)
    np.testing.assert_allclose(found.second[known], wanted.second[known], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-9, atol=1e-9)


SHAPES = [
    ((4, 6), {1: (2, 4)}),
    ((4, 6), {0: (1, 3), 1: (6,)}),
    ((3, 4, 2), {1: (1, 2, 1)}),
    ((2, 6), {}),
    ((5, 1, 4), {0: (4, 1)}),
]
seeds = st.integers(0, 2**31)
tensors = st.sampled_from(SHAPES)


def made(given_: tuple[tuple[int, ...], dict[int, tuple[int, ...]]], seed: int) -> tuple[Effects, Moments]:
    shape, atoms = given_
    x = effects(shape, atoms, seed)
    axes = tuple((atoms.get(d, (size,)),) if size > 1 else () for d, size in enumerate(shape))
    return x, averaged_filled(x, axes)


def averaged_filled(x: Effects, axes) -> Moments:  # type: ignore[no-untyped-def]
    """As `averaged`; patterns without pairs are 0."""
    found = averaged(x, axes)
    return Moments(axes, np.nan_to_num(found.second), found.mean)


@settings(max_examples=25, deadline=None)
@given(tensors, seeds)
def test_permuting_moves_patterns(shape, seed) -> None:  # type: ignore[no-untyped-def]
    x, moments = made(shape, seed)
    order = np.random.default_rng(seed).permutation(len(x.shape))
    same(maps.permute(moments, [int(d) for d in order]), x.moved(x.places.transpose(order)))


FITTING = [
    ((4, 6), {1: (2, 4)}, (4, 3, 2)),
    ((4, 6), {1: (2, 4)}, (2, 2, 6)),
    ((4, 6), {0: (2, 2)}, (24,)),
    ((4, 6), {1: (2, 4)}, (1, 4, 6, 1)),
    ((2, 6), {}, (2, 2, 3)),
    ((3, 4, 2), {1: (2, 2)}, (3, 2, 2, 2)),
    ((3, 4, 2), {1: (1, 3)}, (12, 2)),
]


@pytest.mark.parametrize(("shape", "atoms", "new"), FITTING)
@settings(max_examples=6, deadline=None)
@given(seed=seeds)
def test_reshaping_that_fits_the_blocks_loses_nothing(shape, atoms, new, seed) -> None:  # type: ignore[no-untyped-def]
    x, moments = made((shape, atoms), seed)
    found = maps.reshape(moments, new)
    same(found, x.moved(x.places.reshape(new)))
    same(maps.reshape(found, shape), x)


@pytest.mark.parametrize("new", [(24,), (4, 2, 3), (2, 2, 6), (2, 12), (8, 3), (3, 8), (2, 2, 2, 3)])
@settings(max_examples=6, deadline=None)
@given(seed=seeds)
def test_reshaping_that_cuts_blocks_keeps_what_holds_for_all_elements(
    new: tuple[int, ...], seed: int
) -> None:
    for shape in SHAPES[:3]:
        _, moments = made(shape, seed)
        found = maps.reshape(moments, new)
        assert found.shape == new
        np.testing.assert_allclose(found.mean_square, moments.mean_square, rtol=1e-9)
        np.testing.assert_allclose(found.overall_mean, moments.overall_mean, rtol=1e-9, atol=1e-12)
        whole, before = (average(m, range(len(m.axes))) for m in (found, moments))
        np.testing.assert_allclose(whole.second, before.second, rtol=1e-9)


@settings(max_examples=20, deadline=None)
@given(tensors, seeds)
def test_expanding_repeats_the_same_elements(shape, seed) -> None:  # type: ignore[no-untyped-def]
    x, moments = made(shape, seed)
    wanted = (3, *x.shape)
    same(maps.expand(moments, wanted), x.moved(np.broadcast_to(x.places, wanted)))


@settings(max_examples=20, deadline=None)
@given(tensors, seeds, st.integers(0, 3), st.integers(1, 3), st.integers(1, 2))
def test_slices_and_selections_cut_blocks(shape, seed, begin, length, step) -> None:  # type: ignore[no-untyped-def]
    x, moments = made(shape, seed)
    dim = len(x.shape) - 1
    begin = min(begin, x.shape[dim] - 1)
    end = min(begin + length, x.shape[dim])
    places = np.take(x.places, range(begin, end, step), axis=dim)
    same(maps.cut_out(moments, dim, begin, end, step), x.moved(places))
    same(maps.select(moments, dim, begin), x.moved(np.take(x.places, begin, axis=dim)))


@settings(max_examples=20, deadline=None)
@given(tensors, seeds)
def test_flipping_and_repeating(shape, seed) -> None:  # type: ignore[no-untyped-def]
    x, moments = made(shape, seed)
    for dim in range(len(x.shape)):
        same(maps.flip(moments, dim), x.moved(np.flip(x.places, dim)))
    plain = uniform(moments, 0)
    found = maps.repeat(plain, 0, 2)
    np.testing.assert_allclose(found.mean_square, moments.mean_square, rtol=1e-9)


@settings(max_examples=20, deadline=None)
@given(tensors, seeds, st.integers(0, 2), st.integers(0, 2), st.floats(-2, 2))
def test_padding_adds_blocks_of_constants(shape, seed, before, after, value) -> None:  # type: ignore[no-untyped-def]
    x, moments = made(shape, seed)
    dim = len(x.shape) - 1
    sizes = [(0, 0)] * dim + [(before, after)]
    flat = np.pad(x.places, sizes, constant_values=-1).reshape(-1)
    kept = flat >= 0
    matrix = np.zeros((len(flat), len(x.mean)))
    matrix[kept, flat[kept]] = 1
    moved = x.linear(matrix, np.pad(x.places, sizes).shape)
    filled = np.where(kept, 0.0, value)
    mean = moved.mean + filled
    second = (
        moved.second + np.outer(moved.mean, filled) + np.outer(filled, moved.mean) + np.outer(filled, filled)
    )
    same(maps.pad(moments, dim, before, after, value), Effects(moved.shape, second, mean))


@settings(max_examples=20, deadline=None)
@given(tensors, seeds)
def test_pieces_one_after_another_are_blocks(shape, seed) -> None:  # type: ignore[no-untyped-def]
    x, one = made(shape, seed)
    y, other = made(shape, seed + 1)
    for dim in range(len(x.shape)):
        places = np.concatenate([x.places, y.places + len(x.mean)], dim)
        both = np.block([[x.second, np.outer(x.mean, y.mean)], [np.outer(y.mean, x.mean), y.second]])
        joined = Effects(places.shape, both, np.concatenate([x.mean, y.mean])).moved(places)
        found = maps.concatenate([one, other], dim)
        same(found, joined)
        size = x.shape[dim]
        same(maps.cut_out(found, dim, 0, size), x)
        same(maps.cut_out(found, dim, size, 2 * size), y)


# algebra


@settings(max_examples=20, deadline=None)
@given(tensors, seeds, st.floats(-2, 2))
def test_sums_and_products_of_strangers(shape, seed, alpha) -> None:  # type: ignore[no-untyped-def]
    x, one = made(shape, seed)
    y, other = made((shape[0], {}), seed + 1)
    crossed = np.outer(x.mean, y.mean) + np.outer(y.mean, x.mean)
    summed = Effects(x.shape, x.second + alpha**2 * y.second + alpha * crossed, x.mean + alpha * y.mean)
    same(add(one, other, alpha), summed)
    same(multiply(one, other), Effects(x.shape, x.second * y.second, x.mean * y.mean))


@settings(max_examples=20, deadline=None)
@given(tensors, seeds)
def test_means_totals_and_deviations(shape, seed) -> None:  # type: ignore[no-untyped-def]
    x, moments = made(shape, seed)
    for dims in [(0,), (len(x.shape) - 1,), tuple(range(len(x.shape)))]:
        lines = np.indices(x.shape).reshape(len(x.shape), -1)
        kept = [d for d in range(len(x.shape)) if d not in dims]
        alike = np.all([lines[d][:, None] == lines[d][None] for d in kept] or [np.ones((1, 1), bool)], axis=0)
        alike = np.broadcast_to(alike, x.second.shape)
        mean = alike / alike.sum(1, keepdims=True)
        same(centre(moments, dims), x.linear(np.eye(len(mean)) - mean, x.shape))
        shape_ = tuple(1 if d in dims else size for d, size in enumerate(x.shape))
        first = np.unique(mean, axis=0, return_index=True)[1]
        rows = mean[np.sort(first)]
        same(average(moments, dims), x.linear(rows, shape_))
        same(total(moments, dims), x.linear(rows * alike.sum(1)[0], shape_))


@pytest.mark.parametrize(
    "spelled", ["ik,kj->ij", "bik,bkj->bij", "ik,jk->ij", "bik,bij->kj", "ik,k->i", "ik,ik->"]
)
@settings(max_examples=5, deadline=None)
@given(seeds)
def test_contraction_is_that_of_all_pairs(spelled: str, seed: int) -> None:
    sizes = {"b": 2, "i": 3, "j": 2, "k": 4}
    operands, out = spelled.split("->")
    (a, b), made_ = operands.split(","), []
    for labels in (a, b):
        shape = tuple(sizes[label] for label in labels)
        atoms = {d: (1, 3) for d, label in enumerate(labels) if label == "k"}
        made_.append(made((shape, atoms), seed + len(made_)))
    (x, one), (y, other) = made_
    found = contract(one, a, other, b, out)
    second = np.einsum(
        f"{a}{a.upper()},{b}{b.upper()}->{out}{out.upper()}",
        x.second.reshape(x.shape * 2),
        y.second.reshape(y.shape * 2),
    )
    shape = tuple(sizes[label] for label in out)
    mean = np.einsum(spelled, x.mean.reshape(x.shape), y.mean.reshape(y.shape))
    number = int(np.prod(shape))
    same(found, Effects(shape, second.reshape(number, number), mean.reshape(-1)))


# the record itself


@settings(max_examples=20, deadline=None)
@given(tensors, seeds)
def test_cutting_finer_and_averaging_back_changes_nothing(shape, seed) -> None:  # type: ignore[no-untyped-def]
    _, moments = made((shape[0], {}), seed)
    for dim, size in enumerate(moments.shape):
        if size > 2:
            back = uniform(cut(moments, dim, ((1, size - 2, 1),)), dim)
            assert back.axes == moments.axes
            np.testing.assert_allclose(back.second, moments.second, rtol=1e-12)
            np.testing.assert_allclose(back.mean, moments.mean, rtol=1e-12)


def test_an_axis_split_evenly_knows_equal_elements_only_where_all_parts_are() -> None:
    moments = independent((6,), 1.0, 2.0)
    found = split_evenly(moments, 0, (2, 3))
    np.testing.assert_array_equal(found.second, [[1, 1], [1, 3]])
    assert found.shape == (6,)


@settings(max_examples=20, deadline=None)
@given(tensors, seeds)
def test_squares_variance_and_means_agree(shape, seed) -> None:  # type: ignore[no-untyped-def]
    x, moments = made(shape, seed)
    np.testing.assert_allclose(moments.mean_square, np.diag(x.second).mean(), rtol=1e-9)
    np.testing.assert_allclose(moments.overall_mean, x.mean.mean(), rtol=1e-9)
    np.testing.assert_allclose(moments.variance, moments.square - moments.mean**2, rtol=1e-9)
    assert not moments.fixed
    assert constant(x.shape, 3.0).fixed


def test_measured_numbers_are_averaged_without_equal_pairs() -> None:
    numbers = np.random.default_rng(0).normal(size=(4, 5))
    both = np.outer(numbers, numbers)
    same(measured(numbers), Effects((4, 5), both, np.full(20, numbers.mean())))
    assert measured(numbers).axes == axes_of((4, 5))
