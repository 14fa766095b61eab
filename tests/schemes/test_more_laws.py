"""Scaled orthogonal laws, ConvS2S and uniform scaling: what they promise, measured on their numbers."""

import math

import numpy as np
import pytest

from initwise.core.errors import OptionError
from initwise.core.fill import Fill
from initwise.core.layout import Layout, fans
from initwise.core.parameter import ParameterInfo
from initwise.random import fill_array
from initwise.schemes import scheme


def _drawn(name, shape, layout, **options):
    fill = scheme(name, **options).fill(fans(shape, layout))
    return fill, fill_array(np.empty(shape, np.float64), fill, name="weight", seed=2)


def _table(name):
    weight = fans((1000, 128), "vo")
    info = ParameterInfo(
        name="tokens.weight",
        role="embedding",
        shape=(1000, 128),
        dtype="float32",
        layout=weight.layout,
        fans=weight,
    )
    return scheme(name).fill_parameter(info)


class TestScaledUniformOrthogonal:
    @pytest.mark.parametrize(("out", "inputs"), [(256, 64), (64, 64)])
    def test_every_input_keeps_its_mean_square_where_the_layer_does_not_shrink(self, out, inputs):
        _, weight = _drawn("suo", (out, inputs), "oi")
        x = np.linspace(-1, 3, inputs)
        assert np.mean((weight @ x) ** 2) == pytest.approx(np.mean(x**2), rel=1e-9)

    def test_a_layer_that_shrinks_keeps_it_for_independent_inputs(self):
        # E[(Wx)²] of one output is the row's squared norm times E[x²]: rows have norm 1
        _, weight = _drawn("suo", (64, 256), "oi")
        assert np.square(weight).sum(axis=1) == pytest.approx(np.ones(64))

    def test_a_kernel_has_it_at_its_centre(self):
        _, weight = _drawn("suo", (32, 16, 3, 3), "oihw")
        centre = weight[:, :, 1, 1]
        assert centre.T @ centre == pytest.approx(2 * np.eye(16), abs=1e-9)
        weight[:, :, 1, 1] = 0
        assert not weight.any()

    def test_the_pytorch_port_turns_the_ratio_around(self):
        ours, port = (scheme("suo", **options) for options in ({}, {"flavor": "dks_pytorch"}))
        for shape, turned in (((256, 64), (64, 256)), ((64, 256), (256, 64))):
            assert port.fill(fans(shape, "oi")).gain == ours.fill(fans(turned, "oi")).gain


def test_spectral_norm_is_the_root_of_the_widths_ratio():
    for shape, axes, expected in (
        ((256, 64), "oi", 2.0),
        ((64, 256), "oi", 0.5),
        ((16, 8, 3, 3), "oihw", math.sqrt(16 / 72)),
    ):
        _, weight = _drawn("spectral_orthogonal", shape, axes)
        values = np.linalg.svd(weight.reshape(shape[0], -1), compute_uv=False)
        assert values == pytest.approx(np.full(values.size, expected), rel=1e-9)


class TestDepthOrthogonal:
    def test_the_deeper_the_smaller(self):
        gains = [scheme("depth_orthogonal", num_layers=n).fill(fans((8, 8), "oi")).gain for n in (1, 2, 32)]
        assert gains == [math.sqrt(2), 1.0, 0.25]

    @pytest.mark.parametrize("layers", [0, -3, math.inf])
    def test_no_layers_are_refused_where_gpt_neox_divides_by_zero(self, layers):
        with pytest.raises(OptionError, match=r"depth_orthogonal: num_layers=.*; expected a number ≥ 1"):
            scheme("depth_orthogonal", num_layers=layers)


def test_biggan_s_tables_are_orthogonal_and_orthogonal_s_are_not():
    assert _table("biggan_orthogonal").law == "orthogonal"
    assert _table("orthogonal").formula == "N(0, 1)"


def test_delta_orthogonal_looks_at_one_group():
    # 32 inputs in all, 8 to a group of 8 outputs: each group is square
    assert scheme("delta_orthogonal").fill(fans((32, 8, 3, 3), "oihw", groups=4)).law == "delta_orthogonal"
    weight = fans((16, 8, 3), "iok", groups=2)
    assert scheme("delta_orthogonal").fill(weight).law == "delta_orthogonal"


class TestConvS2S:
    def test_a_gate_and_dropout_are_made_up_for(self):
        # φ = a·σ(b) passes about a quarter of the variance of small inputs; dropout p adds 1/(1 − p)
        for p in (0.0, 0.1, 0.5):
            linear = scheme("convs2s", dropout=p).fill(fans((256, 64), "oi"))
            gated = scheme("convs2s", dropout=p).fill(fans((3, 64, 256), "kio"))
            assert linear.std**2 * 64 / (1 - p) == pytest.approx(1)
            assert gated.std**2 * 192 / (1 - p) == pytest.approx(4)

    def test_what_a_layer_feeds_can_be_said(self):
        kernel = fans((3, 64, 256), "kio")
        linear, gated = (scheme("convs2s", feeds=feeds).fill(kernel) for feeds in ("linear", "glu"))
        assert gated.std == 2 * linear.std
        assert "no gate" in linear.reason

    @pytest.mark.parametrize("dropout", [1.0, 10, -0.1])
    def test_a_dropout_that_is_no_share_is_refused(self, dropout):
        with pytest.raises(OptionError, match=r"convs2s: dropout=.*; expected a share in \[0, 1\)"):
            scheme("convs2s", dropout=dropout)

    def test_tables_have_fairseq_s_std(self):
        assert _table("convs2s").formula == "N(0, 0.1)"


def test_uniform_scaling_multiplies_the_bound_where_variance_scaling_multiplies_the_variance():
    weight = fans((256, 64), "oi")
    bound = scheme("uniform_scaling", scale=2).fill(weight).high
    variance = scheme("variance_scaling", scale=2, distribution="uniform").fill(weight).high
    assert bound == pytest.approx(math.sqrt(2) * variance)
    # Haiku divides by the product of all stored axes but the last
    shape, layout = (4, 4, 32, 64), Layout("hwoi", transposed=True)
    haiku = scheme("uniform_scaling", flavor="haiku").fill(fans(shape, layout))
    assert haiku.high == pytest.approx(math.sqrt(3 / math.prod(shape[:-1])))
    assert isinstance(haiku, Fill)
