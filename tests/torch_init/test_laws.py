"""Each function draws the law of torch.nn.init's function of that name: Kolmogorov-Smirnov, fans, counts."""

import math
import warnings

import numpy as np
import pytest
import torch
from scipy import stats

from initwise.torch import init

SHAPES = ((4096,), (64, 96), (32, 16, 9), (16, 8, 7, 7), (8, 6, 5, 5, 5))
MATRICES = SHAPES[1:]
DTYPES = (torch.float32, torch.float64)


def p_value(tensor, law):
    """Of the two-sided Kolmogorov-Smirnov test. The seeds are fixed, so these tests cannot flicker."""
    return stats.kstest(tensor.double().flatten().numpy(), law.cdf).pvalue


def fans(shape):
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def seeded(number=7):
    return torch.Generator().manual_seed(number)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (-3.0, 0.5)])
def test_uniform(shape, dtype, a, b):
    drawn = init.uniform_(torch.empty(shape, dtype=dtype), a, b, generator=seeded())
    assert a <= drawn.min()
    assert drawn.max() < b
    assert p_value(drawn, stats.uniform(a, b - a)) > 1e-4


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (3.0, 0.02)])
def test_normal(shape, dtype, mean, std):
    drawn = init.normal_(torch.empty(shape, dtype=dtype), mean, std, generator=seeded())
    assert p_value(drawn, stats.norm(mean, std)) > 1e-4


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("mean", "std", "a", "b"),
    [
        (0.0, 1.0, -2.0, 2.0),
        (0.0, 0.02, -2.0, 2.0),
        (1.0, 0.5, 1.5, 4.0),
        (0.0, 1.0, 6.0, 7.0),
        (0, 1, -9, -5),
    ],
)
def test_truncated_normal_also_with_bounds_far_from_the_mean(shape, mean, std, a, b):
    drawn = init.trunc_normal_(torch.empty(shape, dtype=torch.float64), mean, std, a, b, generator=seeded())
    assert a < drawn.min()
    assert drawn.max() < b
    law = stats.truncnorm((a - mean) / std, (b - mean) / std, loc=mean, scale=std)
    assert p_value(drawn, law) > 1e-4


@pytest.mark.parametrize("gain", [1.0, 2.5])
@pytest.mark.parametrize("shape", MATRICES)
def test_xavier(shape, gain):
    fan_in, fan_out = fans(shape)
    std = gain * math.sqrt(2 / (fan_in + fan_out))
    bound = gain * math.sqrt(6 / (fan_in + fan_out))
    normal = init.xavier_normal_(torch.empty(shape), gain, generator=seeded())
    uniform = init.xavier_uniform_(torch.empty(shape), gain=gain, generator=seeded(8))
    assert p_value(normal, stats.norm(0, std)) > 1e-4
    assert p_value(uniform, stats.uniform(-bound, 2 * bound)) > 1e-4
    assert uniform.abs().max() < bound


@pytest.mark.parametrize("gain", [1.0, 2.5])
@pytest.mark.parametrize("shape", MATRICES)
def test_a_scheme_is_the_plain_law_of_torch_s_numbers_to_the_bit(shape, gain):
    """From one generator state: std and bound are torch's own doubles."""
    fan_in, fan_out = fans(shape)
    std, he = (
        gain * math.sqrt(2.0 / float(fan_in + fan_out)),
        math.sqrt(2.0 / (1 + gain**2)) / math.sqrt(fan_in),
    )
    pairs = [
        (init.xavier_normal_, (gain,), init.normal_, (0.0, std)),
        (init.xavier_uniform_, (gain,), init.uniform_, (-math.sqrt(3.0) * std, math.sqrt(3.0) * std)),
        (init.kaiming_normal_, (gain,), init.normal_, (0.0, he)),
        (init.kaiming_uniform_, (gain,), init.uniform_, (-math.sqrt(3.0) * he, math.sqrt(3.0) * he)),
    ]
    for scheme, given, law, numbers in pairs:
        drawn = scheme(torch.empty(shape, dtype=torch.float64), *given, generator=seeded())
        assert torch.equal(drawn, law(torch.empty_like(drawn), *numbers, generator=seeded()))


@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
@pytest.mark.parametrize(
    ("name", "a"), [("leaky_relu", 0), ("leaky_relu", math.sqrt(5)), ("relu", 0), ("tanh", 0)]
)
@pytest.mark.parametrize("shape", MATRICES)
def test_kaiming(shape, name, a, mode):
    gain = torch.nn.init.calculate_gain(name, a)
    std = gain / math.sqrt(fans(shape)[mode == "fan_out"])
    bound = math.sqrt(3) * std
    normal = init.kaiming_normal_(torch.empty(shape), a, mode, name, seeded())
    uniform = init.kaiming_uniform_(
        torch.empty(shape), a=a, mode=mode, nonlinearity=name, generator=seeded(8)
    )
    assert p_value(normal, stats.norm(0, std)) > 1e-4
    assert p_value(uniform, stats.uniform(-bound, 2 * bound)) > 1e-4


def test_linear_s_default_is_one_over_the_root_of_its_inputs():
    weight = init.kaiming_uniform_(torch.empty(512, 256, dtype=torch.float64), a=math.sqrt(5))
    assert weight.abs().max() < 1 / 16
    # the largest of 131072 lies within 20/131072 of the bound, but for a chance of exp(-20)
    assert weight.abs().max() > 1 / 16 * (1 - 20 / weight.numel())


def test_a_complex_normal_is_torch_s():
    """Both parts N(mean, std²/2), as torch draws them; uniform_ refuses complex tensors, as torch does."""
    drawn = init.normal_(torch.empty(4096, dtype=torch.complex64), 1.0, 2.0, generator=seeded())
    for part in (drawn.real, drawn.imag):
        assert p_value(part, stats.norm(1.0, math.sqrt(2))) > 1e-4
    weight = init.xavier_normal_(torch.empty(64, 64, dtype=torch.complex128), generator=seeded())
    assert p_value(weight.real, stats.norm(0, 1 / math.sqrt(128))) > 1e-4
    constant = init.normal_(torch.empty(3, dtype=torch.complex64), 1.0, 0.0)
    assert constant.tolist() == [1 + 1j] * 3


# matrices ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [1, 1.5, -2.0])
@pytest.mark.parametrize(
    "shape", [(3, 4), (4, 3), (20, 2, 3, 4), (2, 3, 4, 5), (1, 7), (7, 1), (64, 64), (128, 16), (8, 4, 3)]
)
def test_orthogonal_rows_or_columns(shape, gain):
    weight = init.orthogonal_(torch.empty(shape, dtype=torch.float64), gain, generator=seeded())
    flat = weight.reshape(shape[0], -1)
    product = flat.T @ flat if flat.shape[0] > flat.shape[1] else flat @ flat.T
    torch.testing.assert_close(
        product, gain**2 * torch.eye(len(product), dtype=torch.float64), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_orthogonal_in_any_float_type_is_one_matrix_rounded_once(dtype):
    exact = init.orthogonal_(torch.empty(24, 10, dtype=torch.float64), generator=seeded())
    rounded = init.orthogonal_(torch.empty(24, 10, dtype=dtype), generator=seeded())
    assert torch.equal(rounded.double(), torch.from_numpy(rounded_once(exact.numpy(), dtype)))


def rounded_once(values, dtype):
    if dtype is not torch.bfloat16:
        kind = np.float16 if dtype is torch.float16 else np.float32
        return values.astype(kind).astype(np.float64)
    ml_dtypes = pytest.importorskip("ml_dtypes")
    return values.astype(ml_dtypes.bfloat16).astype(np.float64)


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.25, 0.55, 1.0])
@pytest.mark.parametrize("shape", [(30, 50), (100, 7), (1, 4)])
def test_sparse_counts_of_each_column(shape, sparsity):
    weight = init.sparse_(torch.empty(shape), sparsity, std=0.01, generator=seeded())
    assert ((weight == 0).sum(0) == math.ceil(sparsity * shape[0])).all()


def test_sparse_values_and_places_are_the_generator_s():
    weight = init.sparse_(torch.empty(100, 100), 0.3, 0.5, generator=seeded())
    assert p_value(weight[weight != 0], stats.norm(0, 0.5)) > 1e-4
    # 100 columns, each zero in a row with probability .3: 30 ± 4.6, so 5 standard errors
    assert ((weight == 0).sum(1) - 30).abs().max() < 23
    again = init.sparse_(torch.empty(100, 100), 0.3, 0.5, generator=seeded())
    other = init.sparse_(torch.empty(100, 100), 0.3, 0.5, generator=seeded(8))
    assert torch.equal(weight, again)
    assert not torch.equal(weight == 0, other == 0)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.complex64, torch.bool])
def test_eye(shape, dtype):
    assert torch.equal(init.eye_(torch.ones(shape, dtype=dtype)), torch.eye(*shape).to(dtype))


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("shape", [(6, 2, 3), (6, 5, 4, 3), (12, 2, 3, 3, 5), (6, 1, 1)])
def test_dirac_is_torch_s(shape, groups):
    expected = torch.nn.init.dirac_(torch.empty(shape), groups)
    assert torch.equal(init.dirac_(torch.ones(shape), groups), expected)
    assert torch.equal(init.dirac_(torch.ones(shape, dtype=torch.int32), groups), expected.int())


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_dirac_gives_back_each_group_s_input(groups):
    """Out and in channels 8, kernel 3, so that the input passes unchanged."""
    weight = init.dirac_(torch.empty(8, 8 // groups, 3), groups)
    signal = torch.arange(8 * 6.0).view(1, 8, 6)
    assert torch.equal(torch.nn.functional.conv1d(signal, weight, padding=1, groups=groups), signal)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int8, torch.bool, torch.complex64])
def test_constants(dtype):
    assert torch.equal(init.ones_(torch.zeros(3, 4, dtype=dtype)), torch.ones(3, 4, dtype=dtype))
    assert torch.equal(init.zeros_(torch.ones(3, 4, dtype=dtype)), torch.zeros(3, 4, dtype=dtype))
    assert torch.equal(init.constant_(torch.zeros(5, dtype=dtype), 1), torch.ones(5, dtype=dtype))


# gains and fans -----------------------------------------------------------------------------------------

TORCH_NAMES = (
    ["linear", "sigmoid", "tanh", "relu", "selu"]
    + [f"conv{n}d" for n in (1, 2, 3)]
    + [f"conv_transpose{n}d" for n in (1, 2, 3)]
)


@pytest.mark.parametrize("name", TORCH_NAMES)
def test_torch_s_gains_are_torch_s(name):
    ours, theirs = init.calculate_gain(name), torch.nn.init.calculate_gain(name)
    assert (ours, type(ours)) == (theirs, type(theirs))


@pytest.mark.parametrize("slope", [None, 0, 0.2, 10, -1.5, math.sqrt(5)])
def test_the_gain_of_leaky_relu(slope):
    assert init.calculate_gain("leaky_relu", slope) == torch.nn.init.calculate_gain("leaky_relu", slope)


def test_gains_that_torch_lacks_are_computed():
    assert init.calculate_gain("gelu") == pytest.approx(1.5335304, abs=1e-6)
    silu = init.kaiming_normal_(
        torch.empty(200, 300, dtype=torch.float64), nonlinearity="silu", generator=seeded()
    )
    assert p_value(silu, stats.norm(0, init.calculate_gain("silu") / math.sqrt(300))) > 1e-4
    # √2·max(x, 0) keeps the second moment of its input
    scaled = init.calculate_gain(lambda x: math.sqrt(2) * x.clip(min=0))
    assert scaled == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("shape", MATRICES)
def test_fans_are_torch_s(shape):
    tensor = torch.empty(shape)
    assert init._calculate_fan_in_and_fan_out(tensor) == torch.nn.init._calculate_fan_in_and_fan_out(tensor)
    assert init._calculate_correct_fan(tensor, "FAN_OUT") == fans(shape)[1]


def test_torch_warns_of_bounds_far_away_and_we_need_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        init.trunc_normal_(torch.empty(8), 0.0, 1.0, 4.0, 5.0)
