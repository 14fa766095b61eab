"""The numbers check gives are those a direct computation gives."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from initwise.frameworks.torch.run import arguments
from initwise.measure import check, statistics
from initwise.signals.scalars import Scalars

RELATIVE = 1e-6


def root_mean_square(x):
    return float(x.detach().double().pow(2).mean().sqrt())


def exactly(value):
    return pytest.approx(value, rel=RELATIVE)


def numbers(row):
    return [value for value in dataclasses.astuple(row) if isinstance(value, float)]


def direct(model, x, loss):
    """Outputs and their gradients, by hand: layer by layer with retained gradients."""
    outputs = []
    for layer in model:
        x = layer(x)
        x.retain_grad()
        outputs.append(x)
    value = loss(x)
    value.backward()
    return outputs, float(value.detach())


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.GELU])
def test_forward_backward_and_weight_gradients_equal_a_direct_computation(mlp, activation):
    model = mlp(activation, 4, "he", width=32)
    x, targets = torch.randn(16, 64), torch.randint(10, (16,))
    signals = check(model, x, loss=lambda output: functional.cross_entropy(output, targets))
    outputs, loss = direct(model, x, lambda output: functional.cross_entropy(output, targets))
    assert signals.loss == exactly(loss)
    assert len(signals.layers) == len(outputs)
    for row, layer, output in zip(signals.layers, model, outputs, strict=True):
        assert row.shape == tuple(output.shape)
        assert row.forward_rms == exactly(root_mean_square(output))
        assert row.forward_mean == pytest.approx(
            float(output.detach().double().mean()), rel=RELATIVE, abs=1e-9
        )
        assert row.gradient_rms == exactly(root_mean_square(output.grad))
        if isinstance(layer, nn.Linear):
            assert row.weight_gradient_rms == exactly(root_mean_square(layer.weight.grad))


def test_the_default_cotangent_has_unit_rms(mlp):
    model = mlp(nn.ReLU, 3, "he", width=32)
    assert check(model, "f32[16,64]").layers[-1].gradient_rms == exactly(1.0)


def test_an_in_place_activation_does_not_hide_what_came_before_it():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ELU(), nn.Linear(8, 2))
    in_place = nn.Sequential(plain[0], nn.ReLU(inplace=True), plain[2], nn.ELU(inplace=True), plain[4])
    for row, same in zip(check(in_place, "f32[9,8]").layers, check(plain, "f32[9,8]").layers, strict=True):
        assert numbers(row) == pytest.approx(numbers(same), rel=RELATIVE, nan_ok=True)


class Functional(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.first, self.second = nn.Linear(64, 32), nn.Linear(32, 4)
        self.activation = activation

    def forward(self, x):
        return self.second(self.activation(self.first(x)))


def slopes_by_hand(function, x):
    x = x.detach().double().requires_grad_()
    return torch.autograd.grad(function(x).sum(), x)[0]


@pytest.mark.parametrize(
    ("function", "largest"),
    [
        (torch.tanh, 1.0),
        (functional.relu, 1.0),
        (Tensor.sigmoid, 0.25),
        (lambda x: functional.leaky_relu(x, 0.01), 1.0),
        (lambda x: functional.leaky_relu(x, 0.5, True), 1.0),
        (lambda x: functional.gelu(x, approximate="tanh"), 1.13),
        (functional.silu, 1.0998),
        (lambda x: functional.hardtanh(x, -0.5, 0.5), 1.0),
    ],
)
def test_saturated_is_the_share_where_the_following_activation_is_flat(function, largest):
    torch.manual_seed(0)
    model = Functional(function)
    nn.init.normal_(model.first.weight, 0, 0.3)
    row = check(model, "f32[64,64]").layers[0]
    (x,), _ = arguments(model, "f32[64,64]")
    slopes = slopes_by_hand(lambda z: function(z.clone()), model.first(x))
    assert row.saturated == exactly(float((slopes.abs() < 0.05 * largest).double().mean()))


@pytest.mark.parametrize("module", [nn.ReLU, None])
def test_dead_counts_the_units_that_never_change_after_the_activation(module):
    torch.manual_seed(0)
    model = Functional(module() if module else functional.relu)
    with torch.no_grad():
        model.first.bias[:12] = -100
    assert check(model, "f32[64,64]").layers[0].dead == 12 / 32


def test_dead_channels_of_a_convolution():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))
    with torch.no_grad():
        model[0].bias[:2] = -100
    rows = check(model, "f32[4,3,9,9]").layers
    assert [row.dead for row in rows] == [0.25, 0.25, 0.0]


def test_correlation_is_the_mean_cosine_between_different_inputs():
    torch.manual_seed(0)
    model = nn.Linear(16, 6)
    x = torch.randn(5, 16)
    unit = functional.normalize(model(x).double(), dim=1)
    cosines = unit @ unit.T
    expected = float((cosines.sum().detach() - 5) / 20)
    assert check(model, x).layers[0].correlation == exactly(expected)


def test_correlation_of_a_time_first_model_compares_inputs_not_moments(recurrent):
    batch_first, time_first = recurrent(), recurrent(batch_first=False)
    x = torch.randn(4, 7, 16)
    one = check(batch_first, x).layers
    other = check(time_first, x.transpose(0, 1)).layers
    assert [row.correlation for row in one] == pytest.approx([row.correlation for row in other], rel=1e-6)


def test_tiny_gradients_are_numbers_not_zeros(mlp):
    rows = check(mlp(nn.Sigmoid, 50, "xavier", width=32), "f32[8,64]").layers
    assert 0 < rows[0].gradient_rms < 1e-25  # its square is no float32
    assert all(row.gradient_rms > 0 for row in rows)


def test_what_does_not_apply_is_nan():
    single = check(nn.Sequential(nn.Linear(4, 4), nn.Tanh()), "f32[1,4]").layers
    assert all(math.isnan(row.correlation) and math.isnan(row.dead) for row in single)
    assert math.isnan(single[1].saturated)
    assert math.isnan(single[1].weight_gradient_rms)
    assert math.isnan(single[0].seed_spread)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(resnet):
    model = resnet()
    first = check(model, "f32[4,3,8,8]", seed=1)
    torch.rand(3)
    assert check(model, "f32[4,3,8,8]", seed=1) == first
    assert check(model, "f32[4,3,8,8]", seed=2) != first


# one synchronisation

WAITS = ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "__index__", "nonzero")


def counting(monkeypatch, calls):
    """Every way by which a tensor's value reaches Python, counted."""
    for name in WAITS:
        original = getattr(Tensor, name)

        def spy(self, *args, _name=name, _original=original, **kwargs):
            calls.append(_name)
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(Tensor, name, spy)


def test_the_host_waits_for_the_device_once(monkeypatch, transformer):
    model, ids = transformer(2), torch.randint(50, (4, 8))
    calls: list[str] = []
    counting(monkeypatch, calls)
    signals = check(model, ids, loss=lambda output: output.square().mean())
    assert calls == ["tolist"]
    assert len(signals.layers) > 10


def test_scalars_come_back_in_order():
    scalars = Scalars()
    places = [scalars.add(torch.tensor(value)) for value in (1.5, True, -2, 2.0**-140)]
    assert [scalars.fetch()[place] for place in places] == [1.5, 1.0, -2.0, 2.0**-140]


@pytest.mark.parametrize("shape", [(8, 70, 501), (300_000,), (7, 40_000)])
def test_large_tensors_read_in_pieces_have_the_numbers_of_whole_ones(shape, monkeypatch):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 3 + 1
    x = x.transpose(0, 1) if len(shape) == 2 else x

    def numbers(piece: int) -> list[float]:
        monkeypatch.setattr(statistics, "PIECE", piece)
        found = [statistics.rms(x), statistics.std(x), statistics.mean(x), *statistics.size(x)]
        found += [statistics.correlation(x, x.shape[0])] if x.dim() > 1 else []
        return [float(value) for value in found]

    # sums of n numbers in float64, in two orders: they differ by less than n·ε of their terms
    assert numbers(2**12) == pytest.approx(numbers(x.numel()), rel=x.numel() * 2.3e-16)


def test_infinities_and_nan_are_counted_in_pieces_too(monkeypatch):
    monkeypatch.setattr(statistics, "PIECE", 2**12)
    x = torch.zeros(3, 5000)
    x[0, 0], x[2, 4999] = math.inf, math.nan
    assert float(statistics.size(x)[1]) == pytest.approx(2 / 15000)
    assert float(statistics.size(torch.full((2, 5000), 1e300, dtype=torch.float64))[1]) == 0
