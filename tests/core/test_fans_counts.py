"""Fans of every layer kind: the true ones, and what each framework counts. Numbers from their sources."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax._src.nn import initializers

from initwise.core.counts import COMPATS, stored
from initwise.core.errors import LayoutError
from initwise.core.layout import Fans, Layout, fans, recounted

# "=" is what stands to the left of it: most frameworks agree with another one.
# name | shape | axes and more | true fans | as torch, keras, jax, flax, haiku and lasagne count
TABLE = """
Linear                 | 256 64      | oi          | 64 256  | = | = | = | = | = | =
Dense                  | 64 256      | io          | 64 256  | 256 64 | 64 256 | = | = | = | =
transformers' Conv1D   | 768 2304    | io          | 768 2304 | 2304 768 | 768 2304 | = | = | = | =
Conv2d                 | 128 32 3 3  | oihw        | 288 1152 | = | = | = | = | = | =
Keras Conv2D           | 3 3 32 128  | hwio        | 288 1152 | = | = | = | = | = | =
strided Conv2d         | 128 32 4 4  | oihw s=2    | 512 512 | 512 2048 | = | = | = | = | =
grouped Conv2d         | 128 8 3 3   | oihw g=4    | 72 288  | 72 1152 | = | = | = | = | =
Keras grouped Conv2D   | 3 3 8 128   | hwio g=4    | 72 288  | 72 1152 | = | = | = | = | =
depthwise Conv2d       | 96 1 7 7    | oihw g=96   | 49 49   | 49 4704 | 4704 49 | 49 4704 | = | = | =
depthwise, 2 filters   | 192 1 7 7   | oihw g=96   | 49 98   | 49 9408 | 4704 98 | 49 9408 | = | = | =
Keras DepthwiseConv2D  | 7 7 96 2    | hwbo        | 49 98   | 49 9408 | 4704 98 | 49 9408 | = | = | =
Flax depthwise Conv    | 7 7 1 96    | hwio g=96   | 49 49   | 49 4704 | = | = | = | = | =
ConvTranspose2d        | 64 32 4 4   | iohw s=2    | 256 512 | 512 1024 | = | 1024 512 | = | 512 1024 | =
Keras Conv2DTranspose  | 4 4 32 64   | hwoi t s=2  | 256 512 | 512 1024 | = | = | = | = | =
Flax ConvTranspose     | 4 4 64 32   | hwio t s=2  | 256 512 | 512 1024 | = | 1024 512 | = | 512 1024 | =
grouped ConvTranspose1d | 64 8 3     | iok g=4     | 48 24   | 24 192 | = | 192 24 | = | 24 192 | =
Bilinear               | 10 4 6      | oii         | 24 10   | 24 60 | 24 10 | 24 40 | 24 10 | 24 40 | 24 60
Embedding              | 50257 768   | vo          | 1 768   | 768 50257 | 50257 768 | = | = | = | =
query, key and value   | 2304 768    | oi p=3      | 768 768 | 768 2304 | = | = | 768 768 | 768 2304 | =
gate and up            | 1024 256    | oi p=2      | 256 512 | 256 1024 | = | = | 256 512 | 256 1024 | =
LSTM gates             | 512 64      | oi p=4      | 64 128  | 64 512 | = | = | 64 128 | 64 512 | =
Keras LSTM gates       | 64 512      | io p=4      | 64 128  | 512 64 | 64 512 | = | 64 128 | 64 512 | =
GRU gates              | 384 64      | oi p=3      | 64 128  | 64 384 | = | = | 64 128 | 64 384 | =
experts (E, out, in)   | 8 256 64    | boi         | 64 256  | 16384 512 | 512 2048 | = | 512 256 | 512 2048 | 16384 512
experts (E, in, out)   | 8 64 256    | bio         | 64 256  | 16384 2048 | 512 2048 | = | 512 256 | 512 2048 | 16384 2048
DenseGeneral to heads  | 768 12 64   | ioo         | 768 768 | 768 49152 | 768 768 | 9216 49152 | 768 768 | 9216 49152 | 768 49152
DenseGeneral of heads  | 12 64 768   | iio         | 768 768 | 49152 9216 | 768 768 | 768 9216 | 768 768 | 768 9216 | 49152 9216
LoRA A                 | 8 768       | oi          | 768 8   | = | = | = | = | = | =
LoRA B                 | 768 8       | oi          | 8 768   | = | = | = | = | = | =
Lasagne's c01b         | 32 3 3 128  | ihwo        | 288 1152 | = | = | = | = | = | =
"""  # noqa: E501
WHO = (None, "torch", "keras", "jax", "flax", "haiku", "lasagne")
QKV = (("q", 768), ("k", 768), ("v", 768))


def _layout(text, shape):
    axes, *more = text.split()
    options = dict(word.split("=") for word in more if "=" in word)
    steps = sum(letter in "hwk" for letter in axes) if "s" in options else 0
    count = int(options.get("p", 0))
    size = shape[axes.index("o")] // max(count, 1)
    return Layout(
        axes,
        groups=int(options.get("g", 1)),
        stride=(int(options.get("s", 1)),) * steps,
        parts=tuple((f"part{index}", size) for index in range(count)),
        transposed=True if "t" in more else None,
    )


def _rows():
    for line in TABLE.strip().splitlines():
        name, sizes, text, *cells = (cell.strip() for cell in line.split("|"))
        shape = tuple(map(int, sizes.split()))
        expected = []
        for cell in cells:
            expected.append(expected[-1] if cell == "=" else tuple(map(int, cell.split())))
        for compat, fan in zip(WHO, expected, strict=True):
            yield pytest.param(shape, _layout(text, shape), compat, fan, id=f"{name}-{compat or 'true'}")


@pytest.mark.parametrize(("shape", "layout", "compat", "expected"), list(_rows()))
def test_fans(shape, layout, compat, expected):
    found = fans(shape, layout, compat=compat)
    assert (found.fan_in, found.fan_out) == expected
    assert found.compat == (compat or "")
    # to a framework that knows no parts the packed matrices are one, and stay one
    known = layout if found.parts or not layout.parts else replace(layout, parts=())
    assert recounted(found, None) == fans(shape, known)


def test_timm_divides_by_the_groups_as_tpu_efficientnet_does():
    found = fans((96, 1, 7, 7), "oihw", groups=96, stride=2, compat="timm")
    assert (found.fan_in, found.fan_out) == (49, 49)
    assert fans((7, 7, 96, 1), "hwbo", compat="timm").fan_out == 49
    assert fans((128, 8, 3, 3), "oihw", groups=4, compat="timm").fan_out == 288


TIMM = [pytest.param(*row.values, id=row.id) for row in _rows() if row.values[2] == "torch"]


@pytest.mark.parametrize(("shape", "layout", "_", "expected"), TIMM)
def test_timm_otherwise_counts_as_torch(shape, layout, _, expected):
    found = fans(shape, layout, compat="timm")
    groups = layout.groups * layout.size(shape, "b")
    assert (found.fan_in, found.fan_out * groups) == expected


def test_the_torch_layers_have_these_shapes():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    assert nn.ConvTranspose2d(64, 32, 4, stride=2).weight.shape == (64, 32, 4, 4)
    assert nn.ConvTranspose1d(64, 32, 3, groups=4).weight.shape == (64, 8, 3)
    assert nn.Conv2d(32, 128, 3, groups=4).weight.shape == (128, 8, 3, 3)
    assert nn.Conv2d(96, 192, 7, groups=96).weight.shape == (192, 1, 7, 7)
    assert nn.Bilinear(4, 6, 10).weight.shape == (10, 4, 6)
    assert nn.LSTM(64, 128).weight_ih_l0.shape == (512, 64)
    assert nn.GRU(64, 128).weight_ih_l0.shape == (384, 64)
    assert nn.MultiheadAttention(768, 12).in_proj_weight.shape == (2304, 768)


@settings(deadline=None)  # the first example imports a framework
@given(st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_torch_itself_counts_so(shape):
    init = pytest.importorskip("torch").nn.init
    tensor = pytest.importorskip("torch").empty(shape)
    for axes in ("oi" + "k" * (len(shape) - 2), "io" + "k" * (len(shape) - 2)):
        found = fans(shape, axes, compat="torch")
        assert (found.fan_in, found.fan_out) == init._calculate_fan_in_and_fan_out(tensor)


@settings(deadline=None)  # the first example imports a framework
@given(st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_jax_itself_counts_so(shape):
    for axes in ("k" * (len(shape) - 2) + "io", "b" * (len(shape) - 2) + "io", "i" * (len(shape) - 1) + "o"):
        found = fans(shape, axes, compat="jax")
        assert (found.fan_in, found.fan_out) == pytest.approx(initializers._compute_fans(shape), rel=1e-12)
    # told the axes, JAX has the true fans
    if len(shape) == 3:
        told = initializers._compute_fans(shape, in_axis=1, out_axis=2, batch_axis=0)
        true = fans(shape, "bio")
        assert (true.fan_in, true.fan_out) == pytest.approx(told)
        told = initializers._compute_fans(shape, in_axis=0, out_axis=(1, 2))
        true = fans(shape, "ioo")
        assert (true.fan_in, true.fan_out) == pytest.approx(told)


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(1, 4),
    st.sampled_from(COMPATS),
    st.booleans(),
)
def test_a_framework_counts_a_layer_alike_however_others_store_it(out, inputs, k, compat, transposed):
    first = Layout("iokk" if transposed else "oikk")
    last = Layout("kkoi" if transposed else "kkio", transposed=transposed)
    one = fans((inputs, out, k, k) if transposed else (out, inputs, k, k), first, compat=compat)
    other = fans((k, k, out, inputs) if transposed else (k, k, inputs, out), last, compat=compat)
    if transposed and compat in ("jax", "flax"):
        # Flax has both: ConvTranspose stores (…, in, out), with transpose_kernel=True (…, out, in)
        assert (one.fan_in, one.fan_out) == (other.fan_out, other.fan_in)
    else:
        assert (one.fan_in, one.fan_out) == (other.fan_in, other.fan_out)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4))
def test_depthwise_kernels_have_the_same_true_fans_in_every_storage(channels, multiplier, k):
    filters = channels * multiplier
    forms = [
        fans((filters, 1, k, k), "oihw", groups=channels),
        fans((k, k, 1, filters), "hwio", groups=channels),
        fans((k, k, channels, multiplier), "hwbo"),
    ]
    assert {(form.fan_in, form.fan_out) for form in forms} == {(k * k, k * k * multiplier)}


def test_stored_says_in_which_shape_a_framework_keeps_a_layer():
    assert stored((128, 32, 3, 3), Layout("oihw"), "keras") == (1, 3, 3, 32, 128)
    assert stored((96, 1, 7, 7), Layout("oihw", groups=96), "keras") == (7, 7, 96, 1)
    assert stored((7, 7, 96, 1), Layout("hwbo"), "torch") == (96, 1, 7, 7)
    assert stored((3, 3, 32, 128), Layout("hwio"), "torch") == (128, 32, 3, 3)


class TestOracles:
    """Published numbers about fans, as equalities to ten digits."""

    def test_strided_transposed_convolution_averages_over_positions(self):
        assert math.sqrt(2 / fans((64, 32, 4, 4), "iohw", stride=2).fan_in) == pytest.approx(
            0.0883883476, abs=5e-11
        )
        assert math.sqrt(2 / fans((64, 32, 4, 4), "iohw", stride=2, compat="torch").fan_in) == 0.0625

    def test_torch_default_bound_of_a_transposed_convolution_does_not_see_its_inputs(self):
        bounds = {fans((n, 32, 4, 4), "iohw", compat="torch").fan_in for n in (1, 64, 1000)}
        assert bounds == {512}

    def test_fused_matrix_makes_glorot_smaller_by_root_two(self):
        fused, apart = (fans((2304, 768), "oi", parts=QKV, compat=who) for who in ("torch", None))
        assert math.sqrt(apart.average / fused.average) == pytest.approx(0.70710678, abs=5e-9)

    def test_grouped_query_rows_are_heads_and_key_heads(self):
        heads, kv, size = 12, 4, 64
        parts = (("q", heads * size), ("k", kv * size), ("v", kv * size))
        rows = (heads + 2 * kv) * size
        assert [part.fan_out for _, part in fans((rows, 768), "oi", parts=parts).parts] == [768, 256, 256]
        assert fans((rows, 768), "oi", parts=parts, compat="torch").fan_out == rows

    def test_flax_reads_an_embeddings_width_by_counting_axis_zero_twice(self):
        assert initializers._compute_fans((50257, 768), in_axis=-2, out_axis=0)[0] == 768

    def test_torch_bilinear_ignores_its_fans(self):
        # nn.Bilinear draws ±1/√in1, where 1/√fan_in would be 1/√(in1·in2)
        assert fans((10, 4, 6), "oii").fan_in == 24


class TestTraps:
    @pytest.mark.parametrize("compat", [None, "torch", "jax", "flax", "lasagne", "timm"])
    def test_a_vector_has_no_fans(self, compat):
        with pytest.raises(LayoutError, match="Give vectors a rule of their own: zeros, ones") as caught:
            fans((64,), "o", compat=compat, where="fc.bias")
        assert str(caught.value).startswith("fc.bias: shape (64,)")
        assert "bias" in caught.value.cause

    @pytest.mark.parametrize("compat", ["keras", "haiku"])
    def test_keras_and_haiku_silently_give_a_vector_fans(self, compat):
        found = fans((64,), "o", compat=compat)
        assert (found.fan_in, found.fan_out) == (64, 64)

    def test_a_stack_of_biases_has_no_fans_but_a_depthwise_kernel_has(self):
        with pytest.raises(LayoutError, match="no input axis"):
            fans((8, 64), "bo")
        assert fans((4, 64), "kb").fan_in == 4

    @pytest.mark.parametrize("compat", WHO)
    def test_a_scalar_does_not_fit_any_layout(self, compat):
        with pytest.raises(LayoutError, match=r'layout "oi" needs 2 axes, shape is \(\)'):
            fans((), "oi", compat=compat)

    @pytest.mark.parametrize("compat", WHO)
    def test_a_tensor_without_elements_has_zero_fans_and_no_error(self, compat):
        found = fans((0, 64), "oi", compat=compat)
        assert (found.fan_in, found.fan_out) == (64, 0)

    def test_an_unknown_framework_is_said(self):
        with pytest.raises(LayoutError) as caught:
            fans((3, 4), "oi", compat="kears", where="w")
        assert str(caught.value) == (
            "w: compat='kears'.\n  Did you mean 'keras'?\n"
            "  Known: flax, haiku, jax, keras, lasagne, timm, torch."
        )

    def test_fans_made_by_hand_cannot_be_counted(self):
        with pytest.raises(LayoutError, match="torch cannot count fans without shape and layout"):
            recounted(Fans(3.0, 4.0), "torch")


def test_counted_fans_say_whose_they_are_and_survive_json():
    found = fans((64, 16, 3, 3), "oihw", groups=4, compat="torch")
    assert str(found) == "fan_in 144, fan_out 576 as torch counts"
    assert Fans.from_json(found.to_json()) == found
    assert "compat" not in fans((64, 16), "oi").to_dict()
