"""Which law a sequence follows: sequences made by a law are told by that law, noise or not."""

import math

import numpy as np
import pytest

from initwise.core.growth import LAWS, LEAST, fits

DEPTHS = (12, 32, 80)


def best(moments, depths=None):
    return fits(depths if depths is not None else range(len(moments)), list(np.log(moments)))[0]


def walk(steps, strength, seed):
    """Luck that every layer passes on: the logarithm's random walk."""
    return np.exp(np.cumsum(strength * np.random.default_rng(seed).standard_normal(steps)))


@pytest.mark.parametrize("layers", [5, *DEPTHS])
@pytest.mark.parametrize("factor", [1 / 6, 0.5, 1.3, 4.0])
def test_the_same_factor_at_every_layer_is_exponential(layers, factor):
    fit, probability = best(factor ** np.arange(layers))
    assert fit.law == "exponential"
    assert probability > 0.95
    assert fit.rate == pytest.approx(math.log(factor), rel=1e-9)
    assert fit.reaches(100.0) == pytest.approx(math.log(100) / abs(math.log(factor)), rel=1e-9)


@pytest.mark.parametrize("layers", [6, *DEPTHS])
@pytest.mark.parametrize("gain", [0.3, 1.0, 8.0])
def test_the_same_amount_at_every_block_is_linear(layers, gain):
    fit, probability = best(1 + gain * np.arange(layers))
    assert fit.law == "linear"
    assert probability > 0.9
    assert fit.offset == pytest.approx(1 / gain, rel=0.02)
    assert fit.reaches(100.0) == pytest.approx(99 / gain, rel=0.02)


@pytest.mark.parametrize("layers", DEPTHS)
@pytest.mark.parametrize("exponent", [-2.0, -1.0, -0.5, 2.0])
def test_power_laws_are_told_with_their_exponent(layers, exponent):
    fit, probability = best((1 + np.arange(layers) / 2) ** exponent)
    assert fit.law == "power"
    assert probability > 0.9
    assert fit.exponent == pytest.approx(exponent, rel=0.02)
    assert fit.offset == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("layers", [5, *DEPTHS])
def test_what_stays_is_flat(layers):
    fit, probability = best(np.full(layers, 3.0))
    assert fit.law == "flat"
    assert probability > 0.95
    assert fit.reaches(100.0) == math.inf


def test_ten_per_cent_of_rms_over_the_whole_depth_is_flat():
    assert best(np.geomspace(1, 1.08**2, 50))[0].law == "flat"
    assert best(np.geomspace(1, 1.13**2, 50))[0].law != "flat"


@pytest.mark.parametrize("level", [1e-3, 0.1, 20.0])
@pytest.mark.parametrize("layers", [20, 60])
def test_what_runs_into_a_level_levels_off_there(layers, level):
    fit, probability = best(level + (1 - level) * np.exp(-1.0 * np.arange(layers)))
    assert fit.law == "levels off"
    assert probability > 0.9
    assert fit.level == pytest.approx(level, rel=0.03)
    assert fit.rate == pytest.approx(-1.0, rel=0.05)


def test_the_depth_of_a_factor_is_where_what_levels_off_has_it():
    fit, _ = best(1e-4 + (1 - 1e-4) * np.exp(-0.5 * np.arange(40)))
    at = fit.reaches(100.0)
    assert 1e-4 + (1 - 1e-4) * math.exp(-0.5 * at) == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("seed", range(20))
def test_luck_that_is_passed_on_does_not_hide_the_law(seed):
    depth = np.arange(40)
    noise = walk(40, 0.05, seed)
    assert best(np.exp(-0.4 * depth) * noise)[0].law == "exponential"
    assert best((1 + depth) * noise)[0].law in ("linear", "power")
    assert best(noise / (1 + 2 * depth))[0].law == "power"


def test_luck_alone_is_rarely_taken_for_a_law():
    laws = [best(walk(40, 0.05, seed)) for seed in range(200)]
    false = sum(fit.law != "flat" and probability > 0.95 for fit, probability in laws)
    # an exponential is preferred over flat if t² > ln 40 plus 2·ln 20: |t| > 3.1
    assert false <= 200 * 0.02


def test_independent_errors_of_measurement_do_not_hide_it_either():
    depth = np.arange(32)
    for seed in range(20):
        noise = np.exp(0.05 * np.random.default_rng(seed).standard_normal(32))
        assert best(np.exp(0.3 * depth) * noise)[0].law == "exponential"
        assert best((1 + depth) * noise)[0].law in ("linear", "power")


def test_gaps_count_as_the_depth_they_leap_over():
    depths = [0, 1, 2, 5, 6, 9, 10, 11]
    fit, _ = best(0.5 ** np.array(depths), depths)
    assert fit.law == "exponential"
    assert fit.rate == pytest.approx(-math.log(2), rel=1e-9)


def test_fewer_steps_than_four_tell_nothing():
    assert fits(range(LEAST), [0.0] * LEAST) == []
    assert fits([], []) == []
    assert fits([3], [1.0]) == []


def test_a_thousand_layers_are_thinned_and_told_the_same():
    fit, probability = best(0.99 ** np.arange(1000))
    assert fit.law == "exponential"
    assert probability > 0.95
    assert fit.rate == pytest.approx(math.log(0.99), rel=1e-6)


def test_probabilities_are_of_laws_and_add_up_to_one():
    found = fits(range(30), list(np.log(1 + np.arange(30.0))))
    assert len({fit.law for fit, _ in found}) == len(found)
    assert {fit.law for fit, _ in found} <= set(LAWS)
    assert sum(probability for _, probability in found) == pytest.approx(1.0, abs=1e-12)
    assert [p for _, p in found] == sorted((p for _, p in found), reverse=True)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_scale_itself_says_nothing(scale):
    moments = 1 / (1 + 2 * np.arange(30.0))
    (one, p), (other, r) = best(moments), best(moments * scale)
    assert one.law == other.law
    assert p == pytest.approx(r, rel=1e-6)


def test_a_jump_at_the_first_step_is_no_error():
    for moments in ([1e-12, *[1.0] * 12], [1e12, *[1.0] * 12]):
        fit, _ = best(np.array(moments))
        assert fit.law in LAWS
        assert not math.isnan(fit.reaches(100.0))
