"""Low-rank adapters that start from the base weight or from data: each by the property that defines it."""

import math

import numpy as np
import pytest

from initwise.core.errors import FillError
from initwise.schemes.adapters import pissa
from initwise.schemes.adapters_data import (
    corda,
    eva,
    eva_ranks,
    explained,
    input_covariance,
    loftq,
    lora_ga,
)
from initwise.schemes.quantizers import int8, nf4, nf4_levels, quantized

RNG = np.random.default_rng(0)
W, X, G = (
    RNG.normal(size=(20, 12)),
    RNG.normal(size=(300, 12)) @ RNG.normal(size=(12, 12)),
    RNG.normal(size=(20, 12)),
)


class TestQuantizers:
    def test_nf4_has_the_published_levels(self):
        published = [
            *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635),
            *(-0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725),
            *(0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941),
            *(0.7229568362236023, 1.0),
        ]
        # those are float32 results of a float32 quantile
        np.testing.assert_allclose(nf4_levels(), published, atol=2e-7)

    @pytest.mark.parametrize("size", [1, 63, 64, 65, 1000])
    def test_nf4_takes_the_nearest_level_of_each_block(self, size):
        w = RNG.normal(size=size)
        got = nf4(w)
        for start in range(0, size, 64):
            block = w[start : start + 64]
            levels = np.array(nf4_levels()) * np.abs(block).max()
            nearest = levels[np.abs(block[:, None] - levels).argmin(1)]
            np.testing.assert_allclose(got[start : start + 64], nearest, rtol=1e-14)

    def test_int8_is_within_half_a_step_and_a_fixed_point(self):
        got = int8(W)
        step = np.abs(W).max(1, keepdims=True) / 127
        assert (np.abs(got - W) <= step / 2 * (1 + 1e-12)).all()
        np.testing.assert_allclose(int8(got), got, rtol=1e-14)

    @pytest.mark.parametrize("quantizer", ["nf4", "int8"])
    def test_zeros_and_what_is_no_weight(self, quantizer):
        assert not quantized(np.zeros((3, 5)), quantizer).any()
        with pytest.raises(FillError, match="NaN or infinities"):
            quantized(np.array([np.inf]), quantizer)
        with pytest.raises(FillError, match="quantizer 'nf3'"):
            quantized(W, "nf3")


class TestLoftQ:
    @pytest.mark.parametrize("quantizer", ["nf4", "int8"])
    def test_it_is_nearer_than_quantization_alone(self, quantizer):
        plain = np.linalg.norm(W - quantized(W, quantizer))
        errors = []
        for turns in (1, 2, 5):
            made = loftq(W, 4, scale=2.0, quantizer=quantizer, iterations=turns)
            errors.append(np.linalg.norm(W - made.base - 2.0 * made.b @ made.a))
            assert not made.exact
        assert max(errors) < plain
        if quantizer == "nf4":  # of steps as fine as int8's, more turns need not make less of the error
            assert errors[0] > errors[1] > errors[2]

    def test_the_adapter_is_the_best_of_its_rank_for_what_is_lost(self):
        made = loftq(W, 4, scale=2.0)
        sigma = np.linalg.svd(W - made.base, compute_uv=False)
        left = np.linalg.norm(W - made.base - 2.0 * made.b @ made.a)
        assert left == pytest.approx(math.sqrt((sigma[4:] ** 2).sum()), rel=1e-12)
        np.testing.assert_array_equal(made.base, nf4(W))

    def test_the_base_is_what_the_quantizer_can_hold(self):
        made = loftq(W, 4, quantizer="int8", iterations=3)
        np.testing.assert_allclose(int8(made.base), made.base, rtol=1e-12)

    def test_turns_that_are_none(self):
        with pytest.raises(FillError, match="iterations 0; expected a whole number ≥ 1"):
            loftq(W, 4, iterations=0)


class TestCorDA:
    def test_the_weight_is_kept(self):
        made = corda(W, input_covariance(X), 4, scale=2.0)
        np.testing.assert_allclose(made.base + 2.0 * made.b @ made.a, W, atol=1e-12)

    def test_of_all_matrices_of_its_rank_it_is_nearest_where_the_inputs_are(self):
        c = input_covariance(X)
        raised = c + 0.01 * np.diag(c).mean() * np.eye(12)
        sigma = np.linalg.svd(W @ raised, compute_uv=False)
        made = corda(W, c, 4)
        assert np.linalg.norm(made.base @ raised) == pytest.approx(
            math.sqrt((sigma[4:] ** 2).sum()), rel=1e-10
        )
        best = pissa(W, 4)
        assert np.linalg.norm(made.base @ raised) < np.linalg.norm(best.base @ raised)

    def test_kpm_takes_what_the_inputs_touch_least(self):
        c = input_covariance(X)
        raised = c + 0.01 * np.diag(c).mean() * np.eye(12)
        sigma = np.linalg.svd(W @ raised, compute_uv=False)
        made = corda(W, c, 4, method="kpm")
        assert np.linalg.norm(made.b @ made.a @ raised) == pytest.approx(
            math.sqrt((sigma[-4:] ** 2).sum()), rel=1e-9
        )

    def test_white_inputs_make_it_pissa(self):
        made, best = corda(W, np.eye(12), 4), pissa(W, 4)
        np.testing.assert_allclose(made.b @ made.a, best.b @ best.a, atol=1e-12)

    def test_fewer_samples_than_inputs_will_do(self):
        assert np.isfinite(corda(W, input_covariance(X[:3]), 4).a).all()

    def test_what_is_refused(self):
        with pytest.raises(FillError, match=r"a covariance of shape \(3, 3\); expected \(12, 12\), finite"):
            corda(W, np.eye(3), 4)
        with pytest.raises(FillError, match="a covariance of zeros"):
            corda(W, np.zeros((12, 12)), 4)
        with pytest.raises(FillError, match="largest number is 0"):
            input_covariance(np.zeros((4, 12)))
        with pytest.raises(FillError, match="method 'imp'"):
            corda(W, np.eye(12), 4, method="imp")


class TestEVA:
    def test_a_is_orthonormal_and_spans_the_inputs_top_directions(self):
        made = eva(X, 4, W)
        np.testing.assert_allclose(made.a @ made.a.T, np.eye(4), atol=1e-13)
        centred = X - X.mean(0)
        sigma = np.linalg.svd(centred, compute_uv=False)
        # no other 4 directions hold as much of the inputs
        assert np.linalg.norm(centred @ made.a.T) == pytest.approx(
            math.sqrt((sigma[:4] ** 2).sum()), rel=1e-12
        )
        assert not made.b.any()
        np.testing.assert_array_equal(made.base, W)

    def test_uncentred(self):
        shifted = X + 50
        first = eva(shifted, 1, W, centered=False).a[0]
        assert abs(first @ shifted.mean(0)) / np.linalg.norm(shifted.mean(0)) > 0.99

    def test_whitening_makes_directions_longer_where_inputs_are_smaller(self):
        sigma = np.linalg.svd(X - X.mean(0), compute_uv=False)[:4]
        np.testing.assert_allclose(
            np.linalg.norm(eva(X, 4, W, whiten=True).a, axis=1), sigma**-0.5, rtol=1e-12
        )

    def test_ranks_go_where_more_is_explained_and_their_sum_stays(self):
        narrow = X[:, :1] * np.ones((1, 12)) + 1e-3 * X
        shares = {"narrow": explained(narrow), "wide": explained(RNG.normal(size=(300, 12)))}
        assert eva_ranks(shares, 4, rho=1) == {"narrow": 4, "wide": 4}
        moved = eva_ranks(shares, 4, rho=2)
        assert sum(moved.values()) == 8
        assert moved["wide"] > moved["narrow"] >= 1
        with pytest.raises(FillError, match=r"rho 0\.5; expected rank ≥ 1, rho ≥ 1"):
            eva_ranks(shares, 4, rho=0.5)

    def test_inputs_that_do_not_span_the_rank(self):
        with pytest.raises(
            FillError, match=r"inputs \(4, 12\) that span 3 directions; expected at least the rank, 4"
        ):
            eva(X[:4], 4, W)
        with pytest.raises(FillError, match=r"inputs of shape \(300, 12\); expected \(samples, 9\)"):
            eva(X, 4, W[:, :9])


class TestLoRAGA:
    @pytest.mark.parametrize("direction", ["ArB2r", "A2rBr", "ArBr"])
    def test_the_first_step_is_the_gradients_best_approximation_of_twice_the_rank(self, direction):
        s = 2.0
        made = lora_ga(G, W, 3, scale=s, direction=direction, scaling="unit", weighted=False)
        # d(loss)/dB = s·G·Aᵀ, d(loss)/dA = s·Bᵀ·G: the first order of what a step of −1 does to W
        step = -s * (s * G @ made.a.T @ made.a + s * made.b @ made.b.T @ G)
        u, sigma, vt = np.linalg.svd(G, full_matrices=False)
        np.testing.assert_allclose(step, -(s**2) * (u[:, :6] * sigma[:6]) @ vt[:6], atol=1e-12)

    @pytest.mark.parametrize("direction", ["ArB2r", "A2rBr", "ArBr", "random"])
    @pytest.mark.parametrize("scaling", ["stable", "weight_svd", "gd_scale", "unit"])
    def test_the_weight_is_kept_and_rows_are_singular_directions(self, direction, scaling):
        made = lora_ga(G, W, 3, scale=2.0, direction=direction, scaling=scaling, order=[4, 0, 2, 1, 3, 5])
        np.testing.assert_allclose(made.base + 2.0 * made.b @ made.a, W, atol=1e-11)
        _, _, vt = np.linalg.svd(G)
        rows = {"ArB2r": [0, 1, 2], "A2rBr": [3, 4, 5], "ArBr": [1, 3, 5], "random": [4, 0, 2]}[direction]
        alike = np.abs(made.a @ vt.T) * (2.0 if scaling == "gd_scale" else 1.0)
        np.testing.assert_allclose(alike, np.eye(12)[rows], atol=1e-12)

    def test_columns_of_b_and_their_scale(self):
        _, sigma, _ = np.linalg.svd(G)
        lengths = lambda **more: np.linalg.norm(lora_ga(G, W, 3, **more).b, axis=0)  # noqa: E731
        np.testing.assert_allclose(lengths(scaling="unit"), sigma[3:6], rtol=1e-12)
        np.testing.assert_allclose(lengths(), sigma[3:6] * 20**0.25 / 4, rtol=1e-12)
        np.testing.assert_allclose(lengths(gamma=64.0), sigma[3:6] * 20**0.25 / 8, rtol=1e-12)
        np.testing.assert_allclose(lengths(scaling="weight_svd")[0], np.linalg.norm(W, 2), rtol=1e-12)

    def test_what_is_refused(self):
        with pytest.raises(FillError, match=r"rank 7 of a \(20, 12\) gradient; expected 2·rank ≤ 12"):
            lora_ga(G, W, 7)
        with pytest.raises(FillError, match="a gradient of zeros"):
            lora_ga(0 * G, W, 3)
        with pytest.raises(FillError, match=r"order None; expected a permutation of 0 … 5"):
            lora_ga(G, W, 3, direction="random")
        with pytest.raises(FillError, match="direction 'ArBr2'"):
            lora_ga(G, W, 3, direction="ArBr2")
        with pytest.raises(FillError, match="scaling 'stabel'"):
            lora_ga(G, W, 3, scaling="stabel")
