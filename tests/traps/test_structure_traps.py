"""Known traps of initialization, each by the number it has in the literature survey behind initwise."""

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.frameworks.initialize import init_, plan_for


def std(model, scheme, name="weight"):
    return plan_for(model, scheme)[name].std


def bound(model, scheme, name="weight"):
    fill = plan_for(model, scheme)[name]
    return fill.parts[0][2].high if fill.parts else fill.high


def test_t26_dirac_passes_the_signal_through_each_group():
    layer = nn.Conv1d(8, 8, 3, padding=1, groups=4, bias=False)
    init_(layer, "dirac")
    x = torch.arange(16.0).view(1, 8, 2)
    assert torch.equal(layer(x), x)


def test_t27_writing_to_a_weight_under_weight_norm_is_no_silent_no_op():
    layer = parametrizations.weight_norm(nn.Linear(16, 16))
    ledger = init_(layer, {"weight": Fill.uniform(0.5, 1.0)})
    assert float(layer.weight.min()) >= 0.5 - 1e-6
    assert ledger.entries[0].measured_mean == pytest.approx(float(layer.weight.mean()), rel=1e-5)


def test_t28_spectral_norms_vectors_belong_to_the_new_weight():
    layer = parametrizations.spectral_norm(nn.Linear(32, 16))
    init_(layer, "he_normal")
    raw = layer.parametrizations.weight.original.detach()
    norm = layer.parametrizations.weight[0]
    sigma = float(torch.linalg.matrix_norm(raw, 2))
    assert float(norm._u @ raw @ norm._v) == pytest.approx(sigma, rel=0.02)


def test_t29_a_runtime_factor_is_not_counted_twice():
    class Equalised(nn.Module):
        """The weight is stored with variance 1 and multiplied by 1/√fan_in when used."""

        def forward(self, weight):
            return weight / math.sqrt(weight.shape[1])

        def right_inverse(self, weight):
            return weight * math.sqrt(weight.shape[1])

    layer = nn.Linear(64, 256)
    parametrize.register_parametrization(layer, "weight", Equalised())
    init_(layer, "lecun_normal")
    assert float(layer.weight.detach().std()) == pytest.approx(1 / 8, rel=0.03)
    assert float(layer.parametrizations.weight.original.detach().std()) == pytest.approx(1.0, rel=0.03)


def test_t30_a_lazy_layer_is_ready_once_it_has_run():
    model = nn.Sequential(nn.LazyLinear(4), nn.ReLU())
    x = torch.ones(2, 3)
    model(x)
    init_(model, "he_normal")
    before = model[0].weight.clone()
    model(x)
    assert torch.equal(model[0].weight, before)


def test_t31_buffers_are_left_alone():
    model = nn.Sequential(nn.Conv1d(2, 2, 1), nn.BatchNorm1d(2))
    model.register_buffer("inv_freq", torch.arange(3.0))
    model[1].running_mean.fill_(5.0)
    init_(model, "zeros")
    assert torch.equal(model.inv_freq, torch.arange(3.0))
    assert bool((model[1].running_mean == 5).all())
    assert model[1].num_batches_tracked == 0


def test_t33_the_order_of_rules_decides_not_the_nesting_of_modules():
    def model():
        return nn.Sequential(nn.Sequential(nn.Linear(4, 4)))

    outer_last = {"0.0.weight": "ones", "0.*": "zeros"}
    inner_last = {"0.*": "zeros", "0.0.weight": "ones"}
    assert plan_for(model(), outer_last)["0.0.weight"].mean == 0
    assert plan_for(model(), inner_last)["0.0.weight"].mean == 1


@pytest.mark.parametrize(
    "wrap", [nn.Identity(), parametrizations.weight_norm, parametrizations.spectral_norm]
)
def test_t34_initializing_twice_is_initializing_once(wrap):
    model = nn.Sequential(wrap(nn.Linear(8, 8)), nn.Linear(8, 8))
    assert init_(model, "he_normal").digest == init_(model, "he_normal").digest


class GemmaNorm(nn.Module):
    """Multiplies by 1 + weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4))

    def forward(self, x):
        return F.rms_norm(x, (4,)) * (1 + self.weight)


def test_t35_a_norm_of_unknown_class_keeps_its_own_start():
    model = nn.Sequential(GemmaNorm(), nn.RMSNorm(4), nn.Linear(4, 4))
    nn.init.ones_(model[0].weight)
    entries = {entry.name: entry for entry in init_(model, "he_normal").entries}
    # it computes 1 + w, which is seen from what it answers
    assert (entries["0.weight"].status, entries["0.weight"].reason) == ("filled", "GemmaNorm starts it at 0")
    assert not model[0].weight.any()
    assert bool((model[1].weight == 1).all())


@pytest.mark.parametrize("scheme", ["he_normal", "torch_default", "xavier_uniform", "truncated_normal"])
def test_t36_the_padding_row_is_zero_afterwards(scheme):
    model = nn.Embedding(5, 3, padding_idx=-1)
    init_(model, scheme)
    assert not model.weight[4].any()
    assert model.weight[:4].any()


def test_t37_a_bias_that_its_model_marks_is_not_zeroed():
    model = nn.Linear(4, 4)
    model.bias._no_reinit = True
    before = model.bias.clone()
    entry = init_(model, "he_normal").entries[1]
    assert torch.equal(model.bias, before)
    assert (entry.status, entry.reason.startswith("its model marks it _no_reinit")) == ("frozen", True)
    init_(model, "he_normal", rules={"bias": "zeros"})
    assert not model.bias.any()


def test_t37_attention_biases_and_gates_have_rules_of_their_own():
    parts = tuple((gate, 4, Fill.constant(float(gate == "f"))) for gate in "ifgo")
    forget = Fill.packed(parts, layout=Layout("o"))
    model = nn.LSTM(4, 4)
    init_(model, "torch_default", rules={"bias_ih_l0": forget})
    assert model.bias_ih_l0.tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8


def test_t38_no_generator_is_used_or_needed():
    model, state = nn.Linear(8, 8), torch.get_rng_state()
    first = init_(model, "orthogonal").digest
    torch.manual_seed(123)
    assert init_(model, "orthogonal").digest == first
    torch.set_rng_state(state)


def test_t39_values_do_not_depend_on_the_memory_format():
    layers = [nn.Conv3d(2, 4, 3), nn.Conv3d(2, 4, 3).to(memory_format=torch.channels_last_3d)]
    for layer in layers:
        init_(layer, "delta_orthogonal")
    assert torch.equal(layers[0].weight, layers[1].weight)


def test_t45_delta_orthogonal_sees_the_output_axis_first():
    layer = nn.Conv2d(4, 8, 3, bias=False)
    init_(layer, "delta_orthogonal")
    centre = layer.weight[:, :, 1, 1]
    assert torch.allclose(centre.T @ centre, torch.eye(4), atol=1e-5)
    assert float(layer.weight.detach().abs().sum()) == pytest.approx(float(centre.detach().abs().sum()))


def test_asking_a_norm_of_unknown_class_leaves_hooks_and_random_state_alone():
    class NoisyNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4))

        def forward(self, x):
            return x * self.weight * torch.rand(4)

    model, calls = nn.Sequential(nn.Linear(4, 4), NoisyNorm()), []
    model[1].register_forward_hook(lambda *_: calls.append("after"))
    model[1].register_forward_pre_hook(lambda *_: calls.append("before"))
    state = torch.random.get_rng_state()
    init_(model, "he_normal")
    assert calls == []
    assert torch.equal(torch.random.get_rng_state(), state)
