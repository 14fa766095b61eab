"""Traps of numerics and dtypes, each by the number it has in the literature survey behind initwise."""

import math

import jax
import ml_dtypes
import numpy as np
import pytest
import torch
from scipy import special, stats
from torch import nn

from initwise.core.errors import FillError, InitwiseError, ModelError
from initwise.core.fill import Fill
from initwise.core.layout import fans
from initwise.frameworks.initialize import init_, plan_for
from initwise.random import fill_array
from initwise.schemes import scheme
from initwise.torch import init

COUNT = 1 << 20
SQUARE = fans((1024, 1024), "oi")


def seeded(number=7):
    return torch.Generator().manual_seed(number)


def drawn(fill, shape=(COUNT,), dtype=np.float64):
    return fill_array(np.empty(shape, dtype), fill, name="w", seed=3)


def half_bits(tensor):
    return tensor.view(torch.int16)


def by_erfinv_and_clamp(uniform, std, low, high, dtype):
    """torch's trunc_normal_ before 2.12 on uniforms in [0, 1), in its own dtype."""
    ends = [special.ndtr(bound / std) for bound in (low, high)]
    inside = (2 * ends[0] - 1) + uniform.to(dtype) * (2 * ends[1] - 2 * ends[0])
    return inside.erfinv().mul(std * math.sqrt(2)).clamp(low, high)


class TestT01:
    """Bounds many sigmas away: the inverse of a distribution function in low precision hits infinity."""

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_t01_far_bounds_are_never_hit(self, dtype):
        weight = init.trunc_normal_(torch.empty(4 * COUNT, dtype=dtype), std=0.002, generator=seeded())
        values = weight.double()
        # beyond 7 sigmas lie 2.6e-12 of a normal: of 2²² draws one in 90 000 runs
        assert values.abs().max() < 7 * 0.002
        assert abs(values.mean()) < 5 * 0.002 / math.sqrt(values.numel())
        # the standard error of a normal's kurtosis is √(24/n)
        kurtosis = (values**4).mean() / (values**2).mean() ** 2
        assert abs(kurtosis - 3) < 5 * math.sqrt(24 / values.numel()) + 2e-3

    def test_t01_the_inverse_and_the_clamp_are_found_out_by_this_measure(self):
        uniform = torch.rand(COUNT, generator=seeded())
        old = by_erfinv_and_clamp(uniform, 0.01, -2.0, 2.0, torch.bfloat16)
        share = float((old.abs() == 2).double().mean())
        assert 1e-3 < share < 1e-2
        assert float(old.double().std()) > 0.1

    def test_t01_bounds_that_hold_nothing_but_a_tail_are_no_atom(self):
        weight = drawn(Fill.truncated_normal(0, 1, 6, 7))
        assert weight.min() > 6
        assert weight.max() < 7
        # an atom of one in ten thousand would be 105 equal numbers
        assert np.unique(weight, return_counts=True)[1].max() < 16
        law = stats.truncnorm(6, 7)
        assert stats.kstest(weight[:100_000], law.cdf).pvalue > 1e-4


class TestT02:
    """torch 2.12 changed the algorithm: another stream, bounds rounded to the tensor's dtype."""

    VALUES = (
        "-0x1.957a35c28f5c3p-7",
        "-0x1.19fc51eb851ecp-9",
        "0x1.4e94a3d70a3d7p-8",
        "0x1.1bd3266666667p-6",
    )

    def test_t02_numbers_are_those_of_the_stream_not_of_torch_s_version(self):
        weight = torch.empty(4, dtype=torch.float64)
        init.trunc_normal_(weight, 0, 0.02, -0.04, 0.04, generator=seeded(2012))
        assert tuple(value.hex() for value in weight.tolist()) == self.VALUES

    def test_t02_one_64_bit_draw_is_all_that_is_taken_from_the_generator(self):
        generator, twin = seeded(2012), seeded(2012)
        weight = init.trunc_normal_(torch.empty(100, 3), 0, 0.02, -0.04, 0.04, generator=generator)
        seed = int(torch.empty((), dtype=torch.int64).random_(-(2**63), None, generator=twin)) % 2**64
        assert torch.equal(generator.get_state(), twin.get_state())
        fill = Fill.truncated_normal(0, 0.02, -0.04, 0.04)
        ours = fill_array(np.empty((100, 3), np.float32), fill, name="torch.nn.init", seed=seed)
        assert np.array_equal(weight.numpy(), ours)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_t02_a_half_type_holds_the_rounded_numbers_and_stays_within_the_rounded_bounds(self, dtype):
        # 0.03 is no bfloat16: torch compares with the nearest one, 0.030029296875
        whole = init.trunc_normal_(torch.empty(COUNT), 0, 0.02, -0.03, 0.03, generator=seeded())
        half = init.trunc_normal_(torch.empty(COUNT, dtype=dtype), 0, 0.02, -0.03, 0.03, generator=seeded())
        assert torch.equal(half_bits(half), half_bits(whole.to(dtype)))
        assert whole.abs().max() < 0.03
        assert half.abs().max() <= torch.tensor(0.03, dtype=dtype)


class TestT03:
    """Bounds of 2 beside a std of 0.02 are a hundred sigmas: nothing is truncated."""

    def test_t03_bounds_count_sigmas_unless_weights_are_said(self):
        assert scheme("truncated_normal", std=0.02).fill().high == pytest.approx(0.04, rel=1e-15)
        weights = scheme("truncated_normal", std=0.02, low=-0.04, high=0.04, bounds="weight").fill()
        assert (weights.high, weights.std) == (0.04, scheme("truncated_normal", std=0.02).fill().std)

    @pytest.mark.parametrize("flavor", ["torch", "timm"])
    def test_t03_torch_and_timm_truncate_nothing_and_their_flavors_say_so(self, flavor):
        fill = scheme("truncated_normal", flavor=flavor, std=0.02).fill()
        assert (fill.low, fill.high) == (-2.0, 2.0)
        assert fill.std == 0.02
        assert np.abs(drawn(fill)).max() > 4 * 0.02
        theirs = nn.init.trunc_normal_(torch.empty(COUNT), std=0.02, generator=seeded())
        assert theirs.abs().max() > 4 * 0.02

    def test_t03_truncation_that_cannot_be_meant_is_refused(self):
        with pytest.raises(FillError, match="bounds are in weight units; sigmas were meant"):
            scheme("truncated_normal", std=1e-3, low=1.0, high=2.0, bounds="weight").fill()


REALISED = {1: 0.539560, 2: 0.8796256610, 2.5: 0.954597, 3: 0.9865783926, 4: 0.999465}


class TestT04:
    """A truncated normal has a smaller std than its parent."""

    @pytest.mark.parametrize("cut", REALISED)
    def test_t04_the_std_declared_is_the_one_that_is_written(self, cut):
        fill = scheme("truncated_normal", std=1.0, low=-cut, high=cut).fill()
        assert fill.std == pytest.approx(REALISED[cut], abs=6e-7 if cut in (1, 2.5, 4) else 6e-11)
        # of a truncated law the square has less spread than a normal's: √(1/2n) is an upper bound
        assert drawn(fill).std() == pytest.approx(fill.std, rel=5 / math.sqrt(2 * COUNT))
        corrected = scheme("truncated_normal", std=1.0, low=-cut, high=cut, correct=True).fill()
        assert corrected.std == pytest.approx(1.0, rel=1e-14)
        assert drawn(corrected).std() == pytest.approx(1.0, rel=5 / math.sqrt(2 * COUNT))

    def test_t04_jax_corrects_variance_scaling_and_not_its_truncated_normal(self):
        plain = scheme("truncated_normal", flavor="jax", std=1.0).fill()
        scaled = scheme("lecun_normal", flavor="jax").fill(SQUARE)
        assert plain.std == pytest.approx(REALISED[2], abs=6e-11)
        assert scaled.std == pytest.approx(1 / 32, rel=1e-14)
        assert scaled.scale == pytest.approx(1 / 32 / REALISED[2], rel=1e-10)
        for fill, name, given in ((plain, "truncated_normal", (1.0,)), (scaled, "lecun_normal", ())):
            draw = getattr(jax.nn.initializers, name)(*given)
            theirs = np.asarray(draw(jax.random.key(1), (1024, 1024)), np.float64)
            assert theirs.std() == pytest.approx(fill.std, rel=5 / math.sqrt(2 * COUNT))
            assert np.abs(theirs).max() <= fill.high * (1 + 1e-6)


class TestT05:
    """Keras' torch backend draws four times, then keeps what it has: values beyond the cut."""

    N = 1 << 22

    def test_t05_nothing_lies_beyond_two_sigmas(self):
        fill = scheme("truncated_normal", flavor="keras", std=1.0).fill()
        assert np.abs(drawn(fill, (self.N,), np.float32)).max() < 2
        assert np.abs(drawn(scheme("he_normal", flavor="keras").fill(SQUARE), (1024, 1024))).max() < (
            2 / REALISED[2] * math.sqrt(2 / 1024)
        )

    def test_t05_keras_rule_does_leave_some_there(self):
        chance = math.erfc(math.sqrt(2)) ** 4
        assert chance == pytest.approx(4.3e-6, rel=0.01)
        four = np.random.default_rng(1).standard_normal((self.N, 4), dtype=np.float32)
        inside = np.abs(four) < 2
        kept = np.take_along_axis(four, inside.argmax(1)[:, None], 1)
        # 18 expected of 2²², Poisson
        assert 0 < (np.abs(kept) >= 2).sum() < 18 + 5 * math.sqrt(18)
        told = " ".join(scheme("variance_scaling").row.differences)
        assert "4.3e-6" in told


class TestT06:
    """JAX samples in the parameter's dtype: bfloat16 has 128 normal numbers then, none beyond 2.9."""

    def test_t06_half_types_hold_float32_s_numbers_rounded_once(self):
        models = [nn.Linear(1024, 1024, bias=False), nn.Linear(1024, 1024, bias=False).bfloat16()]
        for model in models:
            init_(model, scheme("he_normal", flavor="jax"), seed=3)
        whole, half = (model.weight.detach() for model in models)
        assert torch.equal(half_bits(half), half_bits(whole.bfloat16()))
        assert len(half.unique()) > 2000

    def test_t06_a_bfloat16_normal_has_tails_and_no_bias(self):
        weight = init.normal_(torch.empty(COUNT, dtype=torch.bfloat16), generator=seeded()).double()
        assert len(weight.unique()) > 3000
        assert weight.min() < -4
        assert weight.max() > 4
        assert abs(weight.mean()) < 5 / math.sqrt(COUNT)
        assert weight.std() == pytest.approx(1, rel=5 / math.sqrt(2 * COUNT))

    def test_t06_jax_itself_has_128_of_them(self):
        theirs = np.asarray(jax.random.normal(jax.random.key(0), (COUNT,), "bfloat16")).astype(np.float64)
        assert len(np.unique(theirs)) <= 128
        assert (theirs.min(), theirs.max()) == (-2.890625, 2.515625)
        assert theirs.mean() == pytest.approx(-0.012, abs=2e-3)


class TestT07:
    """Rounding: harmless in bfloat16, harmful near float16's smallest numbers."""

    def test_t07_rounding_to_bfloat16_keeps_the_std(self):
        whole = init.normal_(torch.empty(4 * COUNT), 0, 0.02, generator=seeded()).double()
        half = init.normal_(
            torch.empty(4 * COUNT, dtype=torch.bfloat16), 0, 0.02, generator=seeded()
        ).double()
        assert half.std() / whole.std() == pytest.approx(1, abs=2e-4)
        assert 3500 < len(half.unique()) < 5000

    def test_t07_float16_at_1e_6_is_rounded_to_nearest_and_the_ledger_tells_what_it_holds(self):
        model = nn.ParameterDict({"gamma": nn.Parameter(torch.empty(COUNT, dtype=torch.float16))})
        [entry] = init_(model, {"gamma": Fill.normal(0, 1e-6)}).entries
        weight = model["gamma"].detach().double()
        assert float((weight == 0).double().mean()) == pytest.approx(0.0238, abs=1e-3)
        # rounding to a grid of 2⁻²⁴ adds its variance, 2⁻⁴⁸/12
        assert entry.measured_std == pytest.approx(math.hypot(1e-6, 2**-24 / math.sqrt(12)), rel=5e-3)
        assert (entry.declared_std, entry.dtype) == (1e-6, "float16")

    @pytest.mark.parametrize("fill", [Fill.normal(0, 1e-7), Fill.constant(5e-8), Fill.uniform(-1e-7, 1e-7)])
    def test_t07_what_float16_cannot_tell_from_zero_is_refused_and_nothing_is_written(self, fill):
        model = nn.ParameterDict({"gamma": nn.Parameter(torch.full((64,), 7.0, dtype=torch.float16))})
        with pytest.raises(FillError, match=r"float16 has no numbers between 0 and 5\.96e-08") as caught:
            init_(model, {"gamma": fill})
        assert "Fill a float32 or bfloat16 tensor" in str(caught.value)
        assert bool((model["gamma"] == 7).all())
        model.bfloat16()
        assert init_(model, {"gamma": fill}).entries[0].status == "filled"


ROUNDED = {
    "bfloat16": {
        0.02: 0.02001953125,
        0.006: 0.00601196289,
        1e-6: 9.98377800e-7,
        2**0.5: 1.4140625,
        5 / 3: 1.6640625,
    },
    "float16": {1e-6: 1.01327896e-6, 0.02: 0.0200042724609375},
}


class TestT08:
    """A std rounded to the weight's dtype before use is off by as much: 0.2 % for 0.006 in bfloat16."""

    @pytest.mark.parametrize("dtype", ROUNDED)
    def test_t08_a_constant_is_rounded_once_at_the_end(self, dtype):
        for value, stored in ROUNDED[dtype].items():
            held = torch.empty(3, dtype=getattr(torch, dtype))
            init_(model := nn.ParameterDict({"w": nn.Parameter(held)}), {"w": Fill.constant(value)})
            assert model["w"].double().tolist() == pytest.approx([stored] * 3, rel=2e-9)

    @pytest.mark.parametrize("std", [0.02, 0.006])
    def test_t08_the_std_of_a_law_is_not_rounded(self, std):
        assert scheme("normal", std=std).fill().std == std
        n = 1 << 23
        whole = init.normal_(torch.empty(n), 0, std, generator=seeded()).double()
        half = init.normal_(torch.empty(n, dtype=torch.bfloat16), 0, std, generator=seeded()).double()
        off = ROUNDED["bfloat16"][std] / std - 1
        assert half.std() / whole.std() - 1 == pytest.approx(0, abs=off / 5)

    def test_t08_gains_are_doubles(self):
        assert scheme("he_normal").fill(fans((3, 64), "oi")).std == math.sqrt(2 / 64)
        model = nn.Linear(64, 3).bfloat16()
        assert plan_for(model, "he_normal")["weight"].std == math.sqrt(2 / 64)


class OnePlusNorm(nn.Module):
    """A norm that multiplies by 1 + weight, as Gemma's."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(512))

    def forward(self, x):
        return nn.functional.rms_norm(x, (512,)) * (1 + self.weight)


class TestT09:
    """bfloat16's numbers above 1 lie 0.0078 apart."""

    def test_t09_a_norm_starts_at_exactly_one_or_its_offset_at_exactly_zero(self):
        model = nn.Sequential(nn.LayerNorm(512), OnePlusNorm(), nn.Linear(512, 4)).bfloat16()
        init_(model, "he_normal")
        assert bool((model[0].weight == 1).all())
        assert not model[1].weight.any()

    def test_t09_around_zero_small_gains_are_kept_and_around_one_they_are_refused(self):
        model = nn.ParameterDict({"w": nn.Parameter(torch.zeros(4096, dtype=torch.bfloat16))})
        init_(model, {"w": Fill.normal(0, 1e-3)})
        assert len(model["w"].unique()) > 500
        with pytest.raises(FillError, match=r"bfloat16 cannot hold N\(1, 0\.001\)") as caught:
            init_(model, {"w": Fill.normal(1, 1e-3)})
        assert "around 1 its numbers lie 0.00781 apart" in str(caught.value)

    def test_t09_dcgan_s_gains_keep_mean_and_std_on_the_few_numbers_there_are(self):
        model = nn.Sequential(nn.Conv2d(2, 1 << 16, 1), nn.BatchNorm2d(1 << 16)).bfloat16()
        entry = {e.name: e for e in init_(model, "dcgan").entries}["1.weight"]
        within = model[1].weight.double()
        within = within[(within - 1).abs() <= 0.04]
        assert len(within.unique()) <= 17
        # the grid is 2⁻⁷ above 1 and 2⁻⁸ below; its variance adds to the law's
        grid = math.sqrt((2**-14 + 2**-16) / 2 / 12)
        assert entry.measured_std == pytest.approx(math.hypot(0.02, grid), rel=5 / math.sqrt(2 << 16))
        assert entry.measured_mean == pytest.approx(1, abs=5 * 0.02 / 256)


class TestT10:
    """No half-precision kernel factorises a matrix."""

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    @pytest.mark.parametrize("shape", [(64, 64), (96, 32), (1, 1)])
    def test_t10_orthogonal_in_a_half_type_is_the_exact_matrix_rounded_once(self, dtype, shape):
        exact = nn.Linear(shape[1], shape[0], bias=False).double()
        half = nn.Linear(shape[1], shape[0], bias=False).to(dtype)
        for model in (exact, half):
            init_(model, "orthogonal")
        weight = exact.weight.detach().numpy()
        assert weight.T @ weight == pytest.approx(np.eye(shape[1]), abs=1e-12)
        # torch's own float64 → float16 goes by way of float32
        kind = np.float16 if dtype == torch.float16 else ml_dtypes.bfloat16
        assert np.array_equal(half.weight.detach().double().numpy(), weight.astype(kind).astype(float))

    def test_t10_torch_itself_has_no_kernel_for_them(self):
        with pytest.raises(RuntimeError, match="not implemented for 'Half'"):
            nn.init.orthogonal_(torch.empty(4, 4, dtype=torch.float16))

    def test_t10_no_sign_is_zero_so_no_column_is(self):
        signs = set()
        for seed in range(32):
            model = nn.Linear(1, 1, bias=False).half()
            init_(model, "orthogonal", seed=seed)
            signs.add(model.weight.item())
        assert signs == {-1.0, 1.0}


class TestT11:
    """JAX's constant for complex truncated weights makes their variance 1.87 % too large."""

    RIGHT, JAX = 0.9619618280, 0.95311164380491208
    EXCESS = (RIGHT / JAX) ** 2

    def test_t11_the_constant(self):
        assert math.sqrt((1 - 5 * math.exp(-4)) / (1 - math.exp(-4))) == pytest.approx(self.RIGHT, abs=6e-11)
        assert abs(self.EXCESS - 1.0187) < 5e-5

    def test_t11_complex_weights_are_refused_rather_than_wrong(self):
        weight = torch.full((4, 4), 7 + 7j)
        with pytest.raises(InitwiseError, match="expected a real tensor"):
            init.trunc_normal_(weight)
        assert bool((weight == 7 + 7j).all())
        with pytest.raises(ModelError, match="it is complex; no published law"):
            init_(nn.Linear(4, 4, dtype=torch.complex64), scheme("he_normal", flavor="jax"))

    def test_t11_a_complex_normal_has_the_variance_asked_for_and_jax_s_truncated_one_has_not(self):
        ours = init.kaiming_normal_(torch.empty(1024, 1024, dtype=torch.complex64), generator=seeded())
        # E|w|² of n complex numbers, |w|² exponential: relative error 1/√n
        assert float(ours.abs().double().square().mean()) * 512 == pytest.approx(1, rel=5 / 1024)
        theirs = jax.nn.initializers.he_normal()(jax.random.key(0), (1024, 1024), "complex64")
        measured = float(np.square(np.abs(np.asarray(theirs, np.complex128))).mean()) * 512
        assert measured == pytest.approx(self.EXCESS, rel=5 / 1024)


class TestT12:
    """Of a share that is no whole number torch rounds the zeros up, Lasagne the kept ones down."""

    @pytest.mark.parametrize(("n", "sparsity"), [(25, 0.1), (25, 0.9), (7, 0.5), (10, 0.3)])
    def test_t12_each_flavor_rounds_as_its_framework_does(self, n, sparsity):
        weight = drawn(scheme("sparse", sparsity=sparsity).fill(fans((n, 40), "oi")), (n, 40))
        theirs = nn.init.sparse_(torch.empty(n, 40), sparsity).numpy()
        assert set((weight == 0).sum(0)) == set((theirs == 0).sum(0)) == {math.ceil(sparsity * n)}
        kept = drawn(scheme("sparse", sparsity=sparsity, flavor="lasagne").fill(fans((40, n), "oi")), (40, n))
        assert set((kept != 0).sum(1)) == {int(sparsity * n)}
