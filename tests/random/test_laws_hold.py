"""The numbers follow the law: moments, Kolmogorov–Smirnov, tails, bounds, symmetry, independence.

Tolerances follow from the number of draws: K_ALARM is where a right Kolmogorov statistic √n·D lies
with probability 1e-6, and Z_ALARM the same for a normal. Streams are fixed, so a test that passes
always passes.
"""

import math

import numpy as np
import pytest
from scipy import stats

from initwise.core.fill import Fill
from initwise.core.stream import Stream
from initwise.random import exact, fill_array, reference
from initwise.random.draw import draw_of

K_ALARM, Z_ALARM = 2.7, 4.9
COUNT = 1 << 20
BOUNDS = [
    (-2, 2),
    (-10, 10),
    (-0.3, 4),
    (-4, 0.001),
    (0, math.inf),
    (-math.inf, -0.5),
    (0.5, math.inf),
    (3, 3.5),
    (6, 7),
    (-7, -6),
    (30, 31),
    (-0.001, 0.001),
    (1, 1.01),
]


def sample(fill, count=COUNT, name="sample", dtype=np.float64):
    array = np.zeros(count, dtype)
    fill_array(array, fill, name=name)
    return array


def assert_follows(values, cdf):
    assert math.sqrt(values.size) * stats.kstest(values, cdf).statistic < K_ALARM


def assert_moments(values, fill):
    n = values.size
    assert abs(values.mean() - fill.mean) < Z_ALARM * fill.std / math.sqrt(n)
    spread = ((values - values.mean()) ** 2).std() / math.sqrt(n)
    assert abs(values.var() - fill.std**2) < Z_ALARM * spread


def test_normal():
    fill = Fill.normal(3, 0.5)
    values = sample(fill)
    assert_follows(values, stats.norm(3, 0.5).cdf)
    assert_moments(values, fill)


def test_normal_moments_to_order_eight():
    z = sample(Fill.normal())
    for order in range(1, 9):
        expected = 0 if order % 2 else math.prod(range(1, order, 2))
        error = math.sqrt((math.prod(range(1, 2 * order, 2)) - expected**2) / z.size)
        assert abs((z**order).mean() - expected) < Z_ALARM * error, order


def test_uniform():
    fill = Fill.uniform(-0.3, 0.4)
    values = sample(fill)
    assert_follows(values, stats.uniform(-0.3, 0.7).cdf)
    assert_moments(values, fill)


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_truncated_normal_is_the_law_of_redrawing(bounds):
    """Compared with the conditional CDF in survival form, which stays accurate in far tails."""
    low, high = bounds
    mirror = low < 0 and abs(low) > abs(high)
    a, b = (-high, -low) if mirror else (low, high)
    fill = Fill.truncated_normal(0, 1, *bounds)
    values = sample(fill)
    assert values.min() > low
    assert values.max() < high

    def cdf(x):
        x = -x if mirror else x
        # Φ(x) − Φ(a) over Φ(b) − Φ(a), relative to the survival at a when all lies above the mean
        if a > 0:
            log_base = stats.norm.logsf(a)
            up, all_of_it = (
                -np.expm1(stats.norm.logsf(x) - log_base),
                -np.expm1(stats.norm.logsf(b) - log_base),
            )
        else:
            up, all_of_it = stats.norm.cdf(x) - stats.norm.cdf(a), stats.norm.cdf(b) - stats.norm.cdf(a)
        return 1 - up / all_of_it if mirror else up / all_of_it

    assert_follows(values, cdf)
    assert_moments(values, fill)


def test_truncated_normal_never_clamps():
    """No value is met more often than neighbours: clamping would pile up 4.6 % at the bounds."""
    values = sample(Fill.truncated_normal(0, 1, -2, 2), dtype=np.float32)
    _, counts = np.unique(values, return_counts=True)
    assert counts.max() < 12
    assert (np.abs(values) > 1.99).mean() == pytest.approx(2 * 0.01 * 0.0545 / 0.9545, rel=0.1)


@pytest.mark.parametrize("law", ["normal", "truncated"])
def test_tails_reach_six_sigma(law):
    """Each word's value at the extreme words, which no test of a sample would ever meet."""
    if law == "normal":
        r = np.array([0xFFFFFFFF, 0xFFFFFFFE, 0], np.uint32)
        first, second = reference.box_muller(r, np.zeros(3, np.uint32))
        radius = np.hypot(first.astype(float), second.astype(float))
        words = np.array([0xFFFFFFFF, 0xFFFFFFFE], float)
        expected = [*np.sqrt(-2 * np.log1p(-(words + 0.5) / 2**32)), math.sqrt(2 * 2.0**-33)]
        np.testing.assert_allclose(radius, expected, rtol=5e-7)
        assert radius[0] > 6.7
    else:
        law = draw_of(Fill.truncated_normal(0, 1, -20, 20)).truncation
        ends = reference.truncated(np.array([0, 2**31 - 1, 2**31, 2**32 - 1], np.uint32), law)
        assert ends[0] == -ends[3]
        assert ends[1] == -ends[2]
        assert ends[3] == pytest.approx(stats.norm.isf(2.0**-33), rel=3e-7)
        assert ends[2] == pytest.approx(2.0**-32 * math.sqrt(math.pi / 2), rel=3e-7)


def test_normal_is_exactly_symmetric():
    """Flipping a flag bit of the angle's word swaps the pair; another changes the longer one's sign."""
    rng = np.random.default_rng(0)
    radius, angle = rng.integers(0, 2**32, (2, 10_000), dtype=np.uint32)
    first, second = reference.box_muller(radius, angle)
    swapped = reference.box_muller(radius, angle ^ np.uint32(1 << 30))
    np.testing.assert_array_equal((first, second), swapped[::-1])
    # the angle's lower 30 bits, complemented, mirror ψ
    mirrored = reference.box_muller(radius, angle ^ np.uint32((1 << 30) - 1))
    np.testing.assert_array_equal(np.abs(first), np.abs(mirrored[0]))
    assert np.all((first == -mirrored[0]) != (second == -mirrored[1]))
    assert not np.any(first == 0)


def test_normal_accuracy():
    """Each value is within 4e-7 (relative) of Box and Muller's exact value for its two words."""
    rng = np.random.default_rng(1)
    radius, angle = rng.integers(0, 2**32, (2, 1 << 20), dtype=np.uint32)
    first, second = reference.box_muller(radius, angle)
    r = np.sqrt(-2 * np.log1p(-(radius.astype(float) + 0.5) / 2**32))
    psi = ((angle << np.uint32(2)) | np.uint32(2)).view(np.int32) * (np.pi / 4 * 2.0**-31)
    short, long = r * np.sin(psi), r * np.cos(psi) * np.where(angle >> 31 == 1, -1, 1)
    swap = (angle >> 30) & 1 == 1
    np.testing.assert_allclose(first, np.where(swap, short, long), rtol=4e-7, atol=0)
    np.testing.assert_allclose(second, np.where(swap, long, short), rtol=4e-7, atol=0)


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_truncated_accuracy(bounds):
    """The CDF at each value is its word's share, to 1e-6 of what is left on either side."""
    law = draw_of(Fill.truncated_normal(0, 1, *bounds)).truncation
    word = np.linspace(law.split, 2**32 - 1, 4001).astype(np.uint32)
    t = reference.truncated(word, law).astype(float)
    near = max(bounds[0], -bounds[1], 0)
    share = (word.astype(float) - law.split + 0.5) / (law.major.last + 1)
    mass = law.major.step * (law.major.last + 1)
    gone = stats.norm.logsf(near) - stats.norm.logsf(near + t) if near else -stats.norm.logsf(t) - math.log(2)
    left = 1 - share * mass
    # near the mode compare what was passed, far out what is left
    small = share * mass < 0.5
    np.testing.assert_allclose(-np.expm1(-gone[small]), (share * mass)[small], rtol=2e-6, atol=1e-13)
    np.testing.assert_allclose(np.exp(-gone[~small]), left[~small], rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bounds", [(-1.0, 1.0), (0.1, 0.1000001), (1e-30, 2e-30), (-1e30, 1e30)])
def test_values_stay_within_open_bounds(bounds, dtype):
    """At the extreme words the affine map rounds onto the bound itself: it must not."""
    low, high = bounds
    for fill in (Fill.uniform(low, high), Fill.truncated_normal((low + high) / 2, high - low, low, high)):
        values = sample(fill, 1 << 16, dtype=dtype)
        assert np.all(values.astype(float) < high)
        assert np.all(values.astype(float) > low) or (fill.law == "uniform" and np.all(values >= low))


def test_textbook_normal_stays_inside_one():
    values = sample(Fill.truncated_normal(0, 0.5, -1, 1), 1 << 22, dtype=np.float32)
    assert np.abs(values).max() < 1
    assert np.abs(values).max() > 0.99999


def test_names_seeds_and_neighbours_are_independent():
    count, error = 1 << 18, Z_ALARM / math.sqrt(1 << 18)
    z = [sample(Fill.normal(), count, f"layers.{k}.weight") for k in range(8)]
    other = np.zeros(count)
    fill_array(other, Fill.normal(), name="layers.0.weight", seed=1)
    z.append(other)
    table = np.corrcoef(z) - np.eye(len(z))
    assert np.abs(table).max() < error
    table = np.corrcoef(np.square(z)) - np.eye(len(z))
    assert np.abs(table).max() < error
    for lag in (1, 3, 4, 15, 16, 17, 32, 48, 63, 64, 65, 256):
        assert abs((z[0][lag:] * z[0][:-lag]).mean()) < error, lag
        assert abs(np.corrcoef(z[0][lag:] ** 2, z[0][:-lag] ** 2)[0, 1]) < error, lag


MANY = {
    "names": [(f"layers.{k}.weight", 0, 0) for k in range(48)],
    "seeds": [("layers.0.weight", k, 0) for k in range(48)],
    "shards": [("layers.0.weight", 0, k << 40) for k in range(48)],
}


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("between", MANY)
def test_many_tensors_are_uncorrelated(between, power):
    """All pairs at once: n·Σr² is χ² with a degree of freedom for each pair."""
    count, fill = 1 << 16, Fill.normal()
    z = np.empty((len(MANY[between]), count))
    for row, (name, seed, offset) in zip(z, MANY[between], strict=True):
        fill_array(row, fill, name=name, seed=seed, shape=(1 << 62,), offset=(offset,))
    z = z if power == 1 else (z**2 - 1) / math.sqrt(2)
    pairs = (z @ z.T)[np.triu_indices(len(z), 1)] / math.sqrt(count)
    assert stats.chi2.sf((pairs**2).sum(), pairs.size) > 1e-6
    assert np.abs(pairs).max() < stats.norm.isf(1e-6 / 2 / pairs.size)


def test_a_parameter_does_not_depend_on_the_others():
    alone = sample(Fill.normal(), 100, "b")
    sample(Fill.normal(), 77, "a")
    np.testing.assert_array_equal(sample(Fill.normal(), 100, "b"), alone)
    assert Stream(0, "b").id != Stream(0, "a").id


def test_constants_are_what_exact_arithmetic_gives():
    from decimal import Decimal

    from initwise.random import constants

    def single(values):
        return tuple(float(np.float32(float(value))) for value in values)

    assert single(exact.logarithm_coefficients()) == constants.LOGARITHM
    assert single(exact.sine_coefficients()) == constants.SINE
    assert single(exact.cosine_coefficients()) == constants.COSINE
    assert single(exact.quantile_coefficients(Decimal(0))) == constants.HALF_NORMAL
    assert single([2 * Decimal(2).ln()]) == (constants.TWICE_LN2,)


@pytest.mark.parametrize("x", ["0.001", "1", "7.99", "8.01", "37", "1e5"])
def test_mills_ratio(x):
    from decimal import Decimal, localcontext

    import mpmath

    mpmath.mp.dps = 80
    with localcontext(prec=exact.DIGITS):
        mine = exact.mills(Decimal(x))
    true = mpmath.erfc(mpmath.mpf(x) / mpmath.sqrt(2)) / 2 / mpmath.npdf(mpmath.mpf(x))
    assert abs(mpmath.mpf(str(mine)) / true - 1) < mpmath.mpf("1e-40")
