"""The sparse law: the normal law's numbers, and an exact count of zeros that every shard finds alone."""

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from initwise.core.errors import FillError, LayoutError
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.core.shaped import Sparsity
from initwise.random import fill_array, fill_arrays

LAYOUTS = ("oi", "io", "boi", "oik", "kio", "iok", "oihw", "iohw", "vo", "oii", "ioo", "vio", "obi")
fractions = st.floats(0, 1) | st.sampled_from([0.0, 0.07, 0.1, 0.5, 1.0])


def filled(size, fill, name="w", dtype=np.float32, **where):
    return fill_array(np.full(size, 7, dtype), fill, name=name, **where)


@st.composite
def rules(draw):
    rule = draw(st.sampled_from(["zero", "keep", "count"]))
    amount = draw(st.integers(0, 9)) if rule == "count" else draw(fractions)
    return rule, float(amount), draw(st.sampled_from(["input", "output"]))


@st.composite
def tensors(draw):
    """A layout and a shape that fits it."""
    axes = draw(st.sampled_from(LAYOUTS))
    groups = draw(st.sampled_from([1, 2, 3])) if axes in ("oik", "iok", "oihw", "iohw") else 1
    layout = Layout(axes, groups=groups)
    shape = [draw(st.integers(1, 6)) for _ in axes]
    shape[axes.index("i" if layout.transposed else "o")] *= groups
    return layout, tuple(shape)


@st.composite
def shards(draw, shape):
    begin = [draw(st.integers(0, n)) for n in shape]
    return tuple(slice(b, draw(st.integers(b, n))) for b, n in zip(begin, shape, strict=True))


def lines(values, layout, unit):
    """The weights of each unit, one row for each: by moving axes and nothing else."""
    axes, groups = layout.axes, layout.groups
    divided = next(k for k, axis in enumerate(axes) if axis in ("iv" if layout.transposed else "o"))
    apart = values.reshape(
        *values.shape[:divided], groups, values.shape[divided] // groups, *values.shape[divided + 1 :]
    )
    names = axes[:divided] + "g" + axes[divided:]
    along = [k for k, axis in enumerate(names) if axis in ("o" if unit == "input" else "ivhwdk")]
    across = [k for k in range(apart.ndim) if k not in along]
    n = math.prod(apart.shape[k] for k in along)
    return apart.transpose(*across, *along).reshape(-1, n)


@given(tensors(), rules())
@settings(max_examples=150, deadline=None)
def test_every_unit_has_exactly_its_zeros_and_all_else_is_the_normal_law(tensor, rule):
    layout, shape = tensor
    values = filled(shape, Fill.sparse(0.5, *rule, layout=layout))
    plain = filled(shape, Fill.normal(0, 0.5, layout=layout))
    assert np.all((values == plain) | (values == 0))
    of = lines(values, layout, rule[2])
    assert set(np.count_nonzero(of == 0, axis=1)) == {Sparsity(*rule).zeros(of.shape[1])}


@given(tensors(), rules(), st.sampled_from(["float64", "float32", "float16", "bfloat16"]), st.data())
@settings(max_examples=150, deadline=None)
def test_any_shard_is_the_slice_of_the_whole(tensor, rule, dtype, data):
    layout, shape = tensor
    fill = Fill.sparse(1.0, *rule, layout=layout)
    kind = np.uint16 if dtype == "bfloat16" else dtype
    whole = fill_array(np.full(shape, 7, kind), fill, name="w", dtype=dtype)
    cut = data.draw(shards(shape))
    part = np.full(whole[cut].shape, 7, kind)
    fill_array(part, fill, name="w", dtype=dtype, shape=shape, offset=[s.start for s in cut])
    np.testing.assert_array_equal(part, whole[cut])


@pytest.mark.parametrize(
    ("n", "zeros", "kept"), [(25, 3, 2), (100, 10, 10), (9, 1, 0), (1, 1, 0), (30, 3, 3)]
)
def test_torch_rounds_the_zeros_up_and_lasagne_the_kept_ones_down(n, zeros, kept):
    assert Sparsity("zero", 0.1, "input").zeros(n) == zeros
    assert Sparsity("keep", 0.1, "output").zeros(n) == n - kept
    torch = pytest.importorskip("torch")
    theirs = torch.nn.init.sparse_(torch.empty(n, 3), 0.1)
    assert (theirs == 0).sum(0).tolist() == [zeros] * 3
    assert (
        np.count_nonzero(filled((n, 3), Fill.sparse(1, "zero", 0.1, "input")) == 0, 0).tolist() == [zeros] * 3
    )


def test_a_product_that_is_a_little_more_than_whole_is_rounded_as_torch_rounds_it():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.init.sparse_(torch.empty(100, 2), 0.07)
    assert (theirs == 0).sum(0).tolist() == [8, 8]
    assert Sparsity("zero", 0.07, "input").zeros(100) == 8


def test_layouts_hold_the_same_numbers_transposed():
    rule = ("keep", 0.3, "output")
    torch_like = filled((12, 7, 3, 3), Fill.sparse(1, *rule, layout=Layout("oihw")))
    keras_like = filled((3, 3, 7, 12), Fill.sparse(1, *rule, layout=Layout("hwio")))
    np.testing.assert_array_equal(keras_like.transpose(3, 2, 0, 1), torch_like)
    bare = filled((12, 7, 3, 3), Fill.sparse(1, *rule))
    np.testing.assert_array_equal(bare, torch_like)


def test_zeros_fall_everywhere_equally_and_whatever_the_value():
    rows, columns = 40, 5000
    values = filled((rows, columns), Fill.sparse(1, "zero", 0.25, "input"))
    plain = filled((rows, columns), Fill.normal())
    zero = values == 0
    # each column has 10 of 40: the counts of the rows sum to 10·columns, variance 3/16 each, correlated −1/39
    found = zero.sum(1)
    chi = float(((found - columns / 4) ** 2).sum() / (columns * 3 / 16) * (rows - 1) / rows)
    assert 1e-6 < stats.chi2.sf(chi, rows - 1) < 1 - 1e-6
    assert stats.ks_2samp(plain[zero], plain[~zero]).pvalue > 1e-6
    # neighbours in a row are independent
    both = int((zero[:, 1:] & zero[:, :-1]).sum())
    n = rows * (columns - 1)
    assert abs(both - n / 16) < 5 * math.sqrt(n / 16 * 15 / 16)


@given(tensors(), rules(), st.data())
@settings(max_examples=150, deadline=None)
def test_of_equal_variates_the_earlier_element_is_zero(tensor, rule, data):
    """With variates of three values only, nearly every line is tied; a stable sort settles the same."""
    from initwise.random import sparse

    layout, shape = tensor
    fill = Fill.sparse(1.0, *rule, layout=layout)
    make = sparse._fill

    def coarse(out, *where):
        make(out, *where)
        np.copyto(out, np.round(out))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse, "_fill", coarse)
        whole = filled(shape, fill)
        cut = data.draw(shards(shape))
        part = filled(whole[cut].shape, fill, shape=shape, offset=[s.start for s in cut])
    np.testing.assert_array_equal(part, whole[cut])
    variates = np.round(filled(shape, Fill.uniform(-1, 1, layout=layout), name="w#sparse"))
    element = np.empty(shape, np.int64)
    order = layout.canonical
    element.transpose(order)[...] = np.arange(element.size).reshape([shape[k] for k in order])
    keyed = zip(*(lines(x, layout, rule[2]) for x in (variates, element, whole)), strict=True)
    for variate, number, weight in keyed:
        first = np.lexsort((number, variate))[: Sparsity(*rule).zeros(len(number))]
        assert set(np.flatnonzero(weight == 0)) == set(first)


@pytest.mark.parametrize("unit", ["input", "output"])
def test_many_pieces_and_threads_give_the_same_bits(unit, monkeypatch):
    from initwise.random import sparse

    fill = Fill.sparse(1, "zero", 0.1, unit, layout=Layout("oik"))
    once = filled((200, 90, 3), fill)
    for piece, threads in ((1 << 20, "4"), (1000, "4"), (1, "1")):
        monkeypatch.setattr(sparse, "PIECE", piece)
        monkeypatch.setenv("INITWISE_THREADS", threads)
        np.testing.assert_array_equal(filled((200, 90, 3), fill), once)


def test_a_shard_needs_memory_for_its_own_lines_only():
    """Three columns of a tensor of 2⁵² weights, and three rows."""
    fill = Fill.sparse(1, "zero", 0.5, "input")
    tracemalloc.start()
    tall = filled((4096, 3), fill, shape=(4096, 2**40), offset=(0, 2**39))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.count_nonzero(tall == 0, axis=0).tolist() == [2048] * 3
    assert peak < 20 * tall.size + 100_000
    corner = filled((1, 2), fill, shape=(4096, 2**40), offset=(77, 2**39 + 1))
    np.testing.assert_array_equal(corner, tall[77:78, 1:])


def test_strided_memory_and_empty_shards():
    fill = Fill.sparse(1, "zero", 0.3, "input")
    plain = filled((20, 30), fill)
    back = np.full((40, 60), 7, np.float32)
    fill_array(back[::2, ::-2], fill, name="w")
    np.testing.assert_array_equal(back[::2, ::-2], plain)
    assert np.all(back[1::2] == 7)
    assert filled((0, 30), fill).size == 0
    assert filled((20, 0), fill, shape=(20, 30), offset=(0, 5)).size == 0


def test_packed_parts_and_zero_rows():
    layout = Layout("oi", parts=(("q", 10), ("sparse", 20)))
    law = Fill.sparse(0.5, "zero", 0.1, "input")
    packed = Fill.packed([("q", 10, law), ("sparse", 20, law)], layout=layout)
    whole = filled((30, 6), packed, name="in_proj")
    np.testing.assert_array_equal(whole[:10], filled((10, 6), law, name="in_proj#q"))
    np.testing.assert_array_equal(whole[10:], filled((20, 6), law, name="in_proj#sparse"))
    part = filled((9, 6), packed, name="in_proj", shape=(30, 6), offset=(6, 0))
    np.testing.assert_array_equal(part, whole[6:15])
    padded = filled((10, 6), replace(law, zero_row=3))
    assert not padded[3].any()
    np.testing.assert_array_equal(np.delete(padded, 3, 0), np.delete(filled((10, 6), law), 3, 0))


def test_many_arrays_at_once_equal_one_by_one():
    fill = Fill.sparse(1, "keep", 0.1, "output")
    arrays = {name: np.zeros((40, 50), np.float32) for name in ("a", "b")}
    fill_arrays([("a", arrays["a"], fill), ("b", arrays["b"], replace(fill, zero_row=2))])
    np.testing.assert_array_equal(arrays["a"], filled((40, 50), fill, name="a"))
    assert not arrays["b"][2].any()


# what is declared ------------------------------------------------------------------------------------


@given(tensors(), rules())
@settings(max_examples=100, deadline=None)
def test_the_declared_std_counts_the_zeros_exactly(tensor, rule):
    layout, shape = tensor
    fill = Fill.sparse(2.0, *rule, shape=shape, layout=layout)
    share = np.count_nonzero(filled(shape, fill)) / math.prod(shape)
    assert fill.std == pytest.approx(2 * math.sqrt(share), rel=1e-12)
    assert (fill.mean, fill.scale) == (0.0, 2.0)


def test_scaling_formula_and_json():
    fill = Fill.sparse(0.01, "zero", 0.1, "input", shape=(20, 5), reason="why")
    assert fill.std == pytest.approx(0.01 * math.sqrt(0.9), rel=1e-15)
    assert fill.formula == "N(0, 0.01), each input ⌈0.1·n⌉ zero"
    assert Fill.sparse(1, "keep", 0.1, "output").formula == "N(0, 1), each output ⌊0.1·n⌋ kept"
    assert Fill.sparse(1, "count", 15, "output").formula == "N(0, 1), each output 15 kept"
    assert Fill.from_json(fill.to_json()) == fill
    thrice = fill.scaled(3)
    assert (thrice.std, thrice.scale) == (pytest.approx(3 * fill.std), pytest.approx(0.03))
    np.testing.assert_allclose(filled((20, 5), thrice), 3 * filled((20, 5), fill), rtol=1e-6)
    assert Fill.sparse(0, "zero", 0.1, "input").law == "constant"


def test_records_written_before_the_field_are_read_and_others_are_written_as_before():
    old = Fill.normal(0, 0.1).to_dict()
    assert "sparsity" not in old
    assert Fill.from_dict(old) == Fill.normal(0, 0.1)
    new = Fill.sparse(1, "zero", 0.1, "input").to_dict()
    assert new["sparsity"] == {"rule": "zero", "amount": 0.1, "unit": "input"}


# what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: Fill.sparse(1, "zero", 1.5, "input"),
            "sparse: sparsity 1.5; expected a fraction from 0 to 1.\n",
        ),
        (
            lambda: Fill.sparse(1, "keep", -0.1, "input"),
            "sparse: sparsity -0.1; expected a fraction from 0 to 1.",
        ),
        (lambda: Fill.sparse(1, "zero", math.nan, "input"), "sparse: sparsity nan; expected a fraction"),
        (lambda: Fill.sparse(1, "zero", "half", "input"), "sparse: sparsity 'half'; expected a fraction"),
        (lambda: Fill.sparse(1, "zero", True, "input"), "sparse: sparsity True; expected a fraction"),
        (
            lambda: Fill.sparse(1, "count", 1.5, "output"),
            "sparse: count 1.5; expected a whole number ≥ 0 of weights kept.",
        ),
        (
            lambda: Fill.sparse(1, "count", -1, "output"),
            "sparse: count -1; expected a whole number ≥ 0 of weights kept.",
        ),
        (
            lambda: Fill.sparse(1, "count", math.inf, "output"),
            "sparse: count inf; expected a whole number ≥ 0 of weights kept.",
        ),
        (lambda: Fill.sparse(1, "zeros", 0.1, "input"), "sparse: rule 'zeros'.\n  Did you mean 'zero'?"),
        (lambda: Fill.sparse(1, "zero", 0.1, "inputs"), "sparse: unit 'inputs'.\n  Did you mean 'input'?"),
        (lambda: Fill.sparse(math.nan, "zero", 0.1, "input"), "sparse: std is NaN; expected a number."),
        (lambda: Fill.sparse(-1, "zero", 0.1, "input"), "sparse: std -1.0; expected std ≥ 0."),
        (lambda: Fill.sparse(math.inf, "zero", 0.1, "input"), "sparse: std inf; expected a finite number."),
        (lambda: Fill("sparse", 0, 1), "law 'sparse' with sparsity None; expected a Sparsity for law"),
        (
            lambda: Fill("normal", 0, 1, sparsity=Sparsity("zero", 0.1, "input")),
            "law 'normal' with sparsity each input ⌈0.1·n⌉ zero; expected",
        ),
    ],
)
def test_what_is_no_sparse_law_is_refused(make, text):
    with pytest.raises(FillError) as caught:
        make()
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(("shape", "layout"), [((), None), ((5,), None), ((5,), "o"), ((5, 2), "ok")])
def test_tensors_without_inputs_are_refused_untouched(shape, layout):
    array = np.full(shape, 7.0)
    fill = Fill.sparse(1, "zero", 0.1, "input", layout=layout and Layout(layout))
    with pytest.raises(LayoutError, match=r"^bias: sparse of shape .*expected a matrix: an o axis and an i"):
        fill_array(array, fill, name="bias")
    assert np.all(array == 7)


def test_a_dtype_that_cannot_hold_the_weights_is_refused_untouched():
    array = np.full((4, 4), 7, np.float16)
    with pytest.raises(FillError, match=r"^w: float16 holds numbers up to 65504, N\(0, 1e\+06\), each input"):
        fill_array(array, Fill.sparse(1e6, "zero", 0.1, "input"), name="w")
    with pytest.raises(
        FillError, match=r"^w: float16 has no numbers between 0 and 5.96e-08, .* has std 1e-09"
    ):
        fill_array(array, Fill.sparse(1e-9, "zero", 0.1, "input"), name="w")
    assert np.all(array == 7)
    # hardly any weight is left, but those that are left can be held
    fill_array(array, Fill.sparse(1e-3, "count", 1, "output", shape=(4, 4)), name="w")


def test_groups_that_do_not_divide_the_first_of_several_axes_are_refused():
    fill = Fill.sparse(1, "zero", 0.1, "input", layout=Layout("ooi", groups=2))
    with pytest.raises(LayoutError, match=r"^w: axis 0 of shape .* does not divide into groups"):
        filled((3, 4, 5), fill)
