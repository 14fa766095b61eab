"""Inputs by their statistics: drawn with them, predicted from them."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from initwise import Input, check
from initwise.core.errors import ExampleError
from initwise.frameworks.example import Spec, draw, split
from initwise.frameworks.inputs import FORM
from initwise.predict.sources import declared

IMAGES = Input("f32[32,3,16,16]", mean=0.45, std=0.22, correlation=0.3, position_correlation=0.6)


def test_text_says_what_the_class_says():
    assert split("f32[32,3,16,16](mean=0.45, std=0.22, correlation=0.3, position_correlation=0.6)") == (
        (IMAGES,),
        {},
    )
    assert split(str(IMAGES)) == ((IMAGES,), {})
    _, named = split("ids=i64[4,8]<50(distribution=zipf, exponent=1.2), mask=bool[4,8]")
    assert named == {
        "ids": Input("i64[4,8]<50", distribution="zipf", exponent=1.2),
        "mask": Spec("bool", (4, 8)),
    }
    assert split("f32[4,8](), i64[4](distribution=zipf)")[0] == (
        Input("f32[4,8]"),
        Input("i64[4]", distribution="zipf"),
    )


def test_an_input_survives_json():
    assert Input.from_json(IMAGES.to_json()) == IMAGES


def test_an_input_without_statistics_is_its_spec_bit_for_bit():
    for spec in (Spec("float32", (16, 5)), Spec("int64", (16, 5), 9), Spec("bool", (16, 5))):
        np.testing.assert_array_equal(draw(Input(spec), seed=2), draw(spec, seed=2))


def pooled(x, seeds=64):
    return [draw(x, seed=seed, where="pool").astype(float) for seed in range(seeds)]


def correlated(drawn, x, pairs):
    """Mean of (x_i − mean)(x_j − mean)/std² over the pairs that `pairs` gives, and its standard error."""
    means = [float(np.mean(np.prod(pairs((one - x.mean) / x.std), axis=0))) for one in drawn]
    return np.mean(means), np.std(means, ddof=1) / math.sqrt(len(means))


PAIRS = {
    "two inputs at one place": (lambda z: (z[:-1], z[1:]), 0.3),
    "two places of one input": (lambda z: (z[:, :, :-1], z[:, :, 1:]), 0.6),
    "two inputs at two places": (lambda z: (z[:-1, :, :-1], z[1:, :, 1:]), 0.18),
    "two channels": (lambda z: (z[:, :-1], z[:, 1:]), 0.0),
    "an element with itself": (lambda z: (z, z), 1.0),
}


@pytest.mark.parametrize("which", PAIRS)
def test_what_is_drawn_has_the_correlations_declared(which):
    pairs, expected = PAIRS[which]
    found, error = correlated(pooled(IMAGES), IMAGES, pairs)
    assert found == pytest.approx(expected, abs=4 * error)


def test_what_is_drawn_has_the_mean_declared():
    means = [one.mean() for one in pooled(IMAGES)]
    assert np.mean(means) == pytest.approx(0.45, abs=4 * np.std(means, ddof=1) / 8)


@pytest.mark.parametrize("correlation", [-1 / 31, 1.0])
def test_the_extremes_of_correlation(correlation):
    x = draw(Input("f64[32,50]", correlation=correlation)).astype(float)
    if correlation == 1:
        assert np.ptp(x, axis=0).max() < 1e-12
    else:
        assert abs(x.mean(0)).max() < 1e-12


def test_zipf_and_probabilities_are_what_is_counted():
    for x in (
        Input("i64[400,500]<20", distribution="zipf", exponent=1.5),
        Input("i64[400,500]", probabilities=(0.5, 0.0, 0.3, 0.2)),
    ):
        ids = draw(x)
        weights = np.array(x.probabilities or [1 / (i + 1) ** 1.5 for i in range(20)])
        expected = weights / weights.sum()
        found = np.bincount(ids.ravel(), minlength=len(expected)) / ids.size
        assert (abs(found - expected) <= 5 * np.sqrt(expected * (1 - expected) / ids.size)).all()


def test_what_is_drawn_follows_from_the_seed_alone():
    np.random.seed(1)
    first = draw(IMAGES, seed=5)
    np.random.seed(2)
    np.testing.assert_array_equal(first, draw(IMAGES, seed=5))
    assert not np.array_equal(first, draw(IMAGES, seed=6))


def test_positions_are_tokens_or_pixels_or_what_is_said():
    assert Input("f32[8,16,4]").places == (1,)
    assert Input("f32[8,16]").places == (1,)
    assert Input("f32[8,3,5,5]").places == (2, 3)
    assert Input("f32[8,4,16]", positions=2).places == (2,)
    assert Input("f32[8]").places == ()


def test_declared_moments_are_those_of_the_draws():
    """E[x·x′] per pattern of (input, channel, row, column) equal or not."""
    moments = declared(IMAGES)
    drawn = pooled(IMAGES)
    for pattern, pairs in (
        ((1, 1, 1, 1), lambda z: (z, z)),
        ((0, 1, 1, 1), lambda z: (z[:-1], z[1:])),
        ((1, 0, 1, 1), lambda z: (z[:, :-1], z[:, 1:])),
        ((1, 1, 1, 0), lambda z: (z[..., :-1], z[..., 1:])),
        ((0, 1, 0, 0), lambda z: (z[:-1, :, :-1, :-1], z[1:, :, 1:, 1:])),
    ):
        products = [float(np.mean(np.prod(pairs(one), axis=0))) for one in drawn]
        error = np.std(products, ddof=1) / math.sqrt(len(products))
        assert moments.second[pattern] == pytest.approx(np.mean(products), abs=4 * error)


class Tokens(nn.Module):
    """A causal block over a table."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(200, 64)
        self.block = nn.TransformerEncoderLayer(64, 4, 256, 0.0, batch_first=True, norm_first=True)

    def forward(self, x):
        return self.block(self.table(x))


def cnn():
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.Flatten(),
        nn.Linear(32 * 256, 10),
    )


def mlp():
    return nn.Sequential(nn.Linear(64, 128), nn.Tanh(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))


AGREED = [
    pytest.param(cnn, IMAGES, id="images"),
    pytest.param(cnn, "f32[32,3,16,16](mean=0.45, std=0.22)", id="images without correlations"),
    pytest.param(mlp, Input("f32[32,64]", mean=1, std=0.5, correlation=0.4), id="features"),
    pytest.param(Tokens, "i64[4,32]<200(distribution=zipf)", id="tokens by Zipf"),
]


@pytest.mark.parametrize(("build", "example"), AGREED)
def test_predicted_and_measured_agree(build, example):
    torch.manual_seed(0)
    model, rows = build(), {}
    for seed in range(12):
        for row in check(model, example, plan="torch_default", seed=seed).layers:
            numbers = (row.forward_rms**2, row.gradient_rms**2, row.weight_gradient_rms**2)
            rows.setdefault(row.name, []).append((*numbers, row.correlation))
    for row in check(model, example, plan="torch_default", mode="predict").layers:
        drawn = np.array(rows[row.name])
        mean, error = drawn.mean(0), drawn.std(0, ddof=1) / math.sqrt(12)
        for i, number in enumerate((row.forward_rms, row.gradient_rms, row.weight_gradient_rms)):
            if mean[i] > 0:
                # 4 standard errors, and 15 % of the mean square for what the model approximates
                assert abs(math.log(number**2 / mean[i])) < 4 * error[i] / mean[i] + 0.15, (row.name, i)
        assert row.correlation == pytest.approx(mean[3], abs=4 * error[3] + 0.05), row.name


def test_a_large_batch_is_read_by_its_first_inputs():
    x = torch.randn(48, 3, 256, 128) * 2 + 1
    row = check(nn.Conv2d(3, 4, 1), x, mode="predict", plan="lecun_normal").layers[0]
    # per input E[x²] = 5, and lecun_normal keeps it
    assert row.forward_rms == pytest.approx(math.sqrt(5), rel=0.01)


REFUSED = [
    (lambda: Input("f32[8,4]", std=-1), 'Input("f32[8,4]"): std -1; expected a standard deviation, ≥ 0.'),
    (lambda: Input("f32[8,4]", mean=math.nan), 'Input("f32[8,4]"): mean nan; expected a finite number.'),
    (
        lambda: Input("f32[8,4]", correlation=-0.2),
        'Input("f32[8,4]"): correlation -0.2; expected a number from -0.142857 to 1: 8 inputs cannot all '
        "differ more.",
    ),
    (
        lambda: Input("f32[8,4]", position_correlation=1.5),
        'Input("f32[8,4]"): position_correlation 1.5; expected a number from -0.333333 to 1: 4 positions '
        "cannot all differ more.",
    ),
    (
        lambda: Input("f32[1,4]", correlation=0.5),
        'Input("f32[1,4]"): correlation 0.5; expected two inputs or more; there is 1.',
    ),
    (
        lambda: Input("i64[8,4]", std=2),
        'Input("i64[8,4]"): std is declared of int64; expected std of floating-point numbers only.',
    ),
    (
        lambda: Input("f32[8,4]", distribution="zipf"),
        'Input("f32[8,4]"): distribution is declared of float32; expected distribution of integers only.',
    ),
    (
        lambda: Input("i64[8,4]", distribution="zip"),
        "Input(\"i64[8,4]\"): distribution 'zip'.\n  Did you mean 'zipf'?\n  Known: uniform, zipf.\n"
        "  For any other one, give probabilities.",
    ),
    (
        lambda: Input("i64[8,4]", probabilities=(0.5, 0.4)),
        'Input("i64[8,4]"): probabilities that sum to 0.9; expected numbers ≥ 0 that sum to 1.',
    ),
    (
        lambda: Input("i64[8,4]<3", probabilities=(0.5, 0.5)),
        'Input("i64[8,4]<3"): 2 probabilities; expected one for each of 3 integers.',
    ),
    (
        lambda: Input("i64[8,4]", distribution="zipf", exponent=-1),
        'Input("i64[8,4]"): exponent -1; expected a number ≥ 0; 0 is uniform.',
    ),
    (
        lambda: Input("f32[8,4,4]", positions=3),
        'Input("f32[8,4,4]"): positions (3,); expected axes of f32[8,4,4], different ones of [1, 2].',
    ),
    (
        lambda: Input("f32[8,4]", men=0.5),
        "Input: argument men=0.5.\n  Did you mean 'mean'?\n  Known: correlation, distribution, exponent, "
        f"mean, position_correlation, positions, probabilities, spec, std.\n  {FORM}",
    ),
    (
        lambda: Input(foo=1),
        "Input: argument foo=1.\n  Known: correlation, distribution, exponent, mean, position_correlation, "
        f"positions, probabilities, spec, std.\n  {FORM}",
    ),
    (lambda: Input(), f"Input: no spec; expected a dtype and a shape as text.\n  {FORM}"),
    (lambda: Input(8), f"Input: spec 8; expected a dtype and a shape as text.\n  {FORM}"),
    (
        lambda: Input("f32[8,4]", positions=1.5),
        'Input("f32[8,4]"): positions 1.5; expected an axis, or several: 1 or (2, 3).',
    ),
    (
        lambda: Input("f32[8,4]", positions=(1.5,)),
        'Input("f32[8,4]"): positions (1.5,); expected an axis, or several: 1 or (2, 3).',
    ),
    (
        lambda: Input("i64[8,4]", probabilities="11"),
        "Input(\"i64[8,4]\"): probabilities '11'; expected numbers, one for each integer.",
    ),
    (
        lambda: split("f32[8,4](men=0.5)"),
        "example: 'f32[8,4](men=0.5)' has the option 'men=0.5'.\n  Did you mean 'mean'?\n  Known: "
        "correlation, distribution, exponent, mean, position_correlation, positions, std.\n"
        '  Write name=value, for example "f32[8,64](mean=0.5, std=0.2)".',
    ),
    (
        lambda: split("f32[8,4](mean=half)"),
        "example: 'f32[8,4](mean=half)' has mean=half; expected a number.",
    ),
]


@pytest.mark.parametrize(("make", "text"), REFUSED, ids=lambda value: str(value)[7:50])
def test_what_makes_no_sense_says_what_would(make, text):
    with pytest.raises(ExampleError) as error:
        make()
    assert str(error.value) == text


def test_no_framework_is_loaded_for_it():
    code = "import sys, initwise; initwise.Input('f32[8,4]'); assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
