"""Parametrized and hooked weights: filled rightly, or refused; never a silent no-op (T27, T28)."""

import copy

import pytest
import torch
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.nn.utils import parametrizations, parametrize, prune

from initwise.core.errors import ModelError
from initwise.core.fill import Fill
from initwise.frameworks.initialize import init_, plan_for
from initwise.frameworks.torch.adapter import weights
from initwise.frameworks.torch.trace import trace
from initwise.frameworks.torch.walk import parameters

X = torch.linspace(-1, 1, 24).view(3, 8)


def old_weight_norm(layer):
    with pytest.warns(FutureWarning):
        return torch.nn.utils.weight_norm(layer)


WEIGHT_NORMS = {
    "new": parametrizations.weight_norm,
    "old": old_weight_norm,
    "over columns": lambda layer: parametrizations.weight_norm(layer, dim=1),
    "over everything": lambda layer: parametrizations.weight_norm(layer, dim=None),
}


@pytest.mark.parametrize("kind", WEIGHT_NORMS)
def test_weight_norm_gives_the_weight_that_was_filled(kind):
    plain, wrapped = nn.Linear(8, 5), WEIGHT_NORMS[kind](nn.Linear(8, 5))
    init_(plain, "he_normal", seed=2), init_(wrapped, "he_normal", seed=2)
    assert torch.allclose(wrapped.weight, plain.weight, rtol=1e-5, atol=1e-7)
    assert torch.allclose(wrapped(X), plain(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", WEIGHT_NORMS)
def test_weight_norm_is_listed_as_one_weight_and_its_magnitude(kind):
    ledger = init_(nn.Sequential(WEIGHT_NORMS[kind](nn.Linear(8, 5))), "he_normal")
    statuses = [entry.status for entry in ledger.entries]
    assert statuses == ["filled", "tied", "tied", "filled"]
    assert ledger.entries[0].name == "0.weight"
    assert ledger.entries[0].measured_std == pytest.approx(0.5, rel=0.5)
    assert not ledger.untouched


def test_weight_norm_of_a_transposed_convolution_with_groups():
    layer = parametrizations.weight_norm(nn.ConvTranspose2d(8, 4, 3, groups=2), dim=1)
    [weight] = [info for info in parameters(layer) if info.role == "weight"]
    assert (weight.fans.fan_in, weight.layout.groups) == (36, 2)
    init_(layer, "he_normal")


@pytest.mark.parametrize("kind", ["new", "old"])
def test_a_row_of_zeros_under_weight_norm_is_refused(kind):
    layer = WEIGHT_NORMS[kind](nn.Linear(8, 5))
    before = copy.deepcopy(layer.state_dict())
    with pytest.raises(ModelError) as caught:
        init_(layer, "zeros")
    assert str(caught.value) == (
        "weight: 0 does not survive what wraps this weight; expected a fill that the parametrization gives "
        "back.\n"
        "  Likely cause: under weight_norm no row can be zero: it is divided by its own length\n"
        "  Leave it as it is with rules={'weight': 'keep'}, or initialize before wrapping."
    )
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_the_magnitude_cannot_be_filled_by_itself():
    layer = parametrizations.weight_norm(nn.Linear(8, 5))
    with pytest.raises(ModelError, match="it follows from weight, whose fill sets it; name that instead"):
        init_(layer, {"parametrizations.weight.original0": "ones"})


def test_weight_norm_in_bfloat16_holds_the_weight_to_its_precision():
    layer = parametrizations.weight_norm(nn.Linear(64, 64)).bfloat16()
    entry = init_(layer, "he_normal").entries[0]
    assert entry.measured_std == pytest.approx(entry.declared_std, rel=0.05)


def test_a_frozen_weight_norm_is_left_alone():
    layer = nn.Sequential(parametrizations.weight_norm(nn.Linear(8, 5)), nn.Linear(5, 5))
    layer[0].requires_grad_(False)
    before = layer[0].weight.clone()
    statuses = {entry.name: entry.status for entry in init_(layer, "he_normal").entries}
    assert torch.equal(layer[0].weight, before)
    assert statuses["0.weight"] == "frozen"


def largest_singular_value(weight):
    return float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("new", [True, False])
def test_spectral_norm_follows_the_new_weight_at_once(new, training):
    layer = nn.Conv2d(4, 8, 3).train(training)
    layer = parametrizations.spectral_norm(layer) if new else torch.nn.utils.spectral_norm(layer)
    ledger = init_(layer, "he_normal")
    raw = ledger.entries[0]
    assert raw.name == ("parametrizations.weight.original" if new else "weight_orig")
    assert raw.measured_std == pytest.approx((2 / 36) ** 0.5, rel=0.25)
    assert largest_singular_value(layer.eval().weight) == pytest.approx(1.0, abs=0.02)
    layer.eval()(torch.zeros(1, 4, 5, 5))
    assert largest_singular_value(layer.weight) == pytest.approx(1.0, abs=0.02)


def test_the_singular_vectors_depend_on_seed_and_name_alone():
    one, other = (parametrizations.spectral_norm(nn.Linear(8, 5)) for _ in range(2))
    init_(one, "he_normal"), init_(other, "he_normal")
    assert all(torch.equal(a, b) for a, b in zip(one.buffers(), other.buffers(), strict=True))


def test_zeros_under_spectral_norm_are_refused():
    with pytest.raises(ModelError, match="divides the weight by its largest singular value"):
        init_(parametrizations.spectral_norm(nn.Linear(3, 3)), "zeros")


def test_spectral_norm_of_a_vector():
    layer = nn.Linear(3, 3)
    parametrizations.spectral_norm(layer, "bias")
    init_(layer, {"parametrizations.bias.original": Fill.constant(2.0)})
    assert torch.allclose(layer.bias, torch.full((3,), 3**-0.5))


def test_the_orthogonal_parametrization_is_refused_and_the_rest_is_filled():
    model = nn.Sequential(parametrizations.orthogonal(nn.Linear(4, 4)), nn.Linear(4, 4))
    before = model[0].weight.clone()
    refused = next(entry for entry in init_(model, "he_normal").entries if entry.status == "refused")
    assert "Orthogonal does not give back the weight that is set" in refused.reason
    assert "Initialize before parametrizing" in refused.reason
    assert torch.equal(model[0].weight, before)
    with pytest.raises(ModelError, match="Orthogonal"):
        init_(model, {"0.parametrizations.weight.original": "he_normal"})


class Half(nn.Module):
    def forward(self, x):
        return x / 2

    def right_inverse(self, x):
        return x * 2


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).T

    def right_inverse(self, x):
        return x.triu()


class OneWay(nn.Module):
    def forward(self, x):
        return torch.exp(x)


class Noisy(nn.Module):
    """Draws random numbers and counts its calls."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return x + torch.rand(())

    def right_inverse(self, x):
        return x


def parametrized(*steps):
    layer = nn.Linear(4, 4)
    for step in steps:
        parametrize.register_parametrization(layer, "weight", step)
    return layer


@pytest.mark.parametrize("steps", [(Half(),), (Half(), Half())])
def test_a_parametrization_that_gives_back_what_is_set_is_filled_through_it(steps):
    plain, layer = nn.Linear(4, 4), parametrized(*steps)
    init_(plain, "orthogonal"), init_(layer, "orthogonal")
    assert torch.allclose(layer.weight, plain.weight)
    assert torch.allclose(layer.parametrizations.weight.original, plain.weight * 2 ** len(steps))


REFUSED = {
    "keeps its own form": (Symmetric, "does not give back the weight that is set"),
    "has no inverse": (OneWay, "OneWay has no right_inverse"),
    "is random": (Noisy, "does not give back the weight that is set"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_parametrization_that_does_not_is_refused(case):
    kind, text = REFUSED[case]
    layer = parametrized(kind())
    state, before = torch.get_rng_state(), copy.deepcopy(layer.state_dict())
    info = next(info for info in parameters(layer) if info.name == "parametrizations.weight.original")
    assert info.status == "refused"
    assert text in info.problem
    init_(layer, "he_normal")
    assert torch.equal(torch.get_rng_state(), state)
    after = layer.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items() if name != "bias")


def test_pruned_weights_keep_their_mask():
    layer = prune.l1_unstructured(nn.Linear(8, 8), "weight", amount=0.5)
    mask = layer.weight_mask.clone()
    ledger = init_(layer, {"weight_orig": Fill.constant(1.0)})
    assert torch.equal(layer.weight_mask, mask)
    assert torch.equal(layer.weight, mask)
    assert {entry.status for entry in ledger.entries} == {"filled", "unnamed"}


def test_the_ledger_says_what_a_mask_does_to_what_was_filled():
    layer = prune.l1_unstructured(nn.Linear(64, 64), "weight", amount=0.5)
    entry = next(e for e in init_(layer, "he_normal").entries if e.name == "weight_orig")
    assert "pruned: the mask leaves 0.5 of it" in entry.reason
    # a mean of 4096 squares, half of them zero: relative std √((6 - 1) / 4096)
    share = float((layer.weight.double() ** 2).mean() / (layer.weight_orig.double() ** 2).mean())
    assert abs(share - 0.5) < 4 * 0.5 * (5 / 4096) ** 0.5


@pytest.fixture(scope="module")
def process_group():
    distributed = torch.distributed
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


WRAPPERS = {
    "compiled": torch.compile,
    "parallel": nn.DataParallel,
    "distributed": nn.parallel.DistributedDataParallel,
    "checkpointed": checkpoint_wrapper,
    "compiled and parallel": lambda model: torch.compile(nn.DataParallel(model)),
    "a compiled block": lambda model: nn.Sequential(torch.compile(model[0]), *model[1:]),
}


def net():
    block = nn.Sequential(parametrizations.weight_norm(nn.Linear(8, 8)), nn.BatchNorm1d(8), nn.ReLU())
    return nn.Sequential(block, nn.Linear(8, 4))


@pytest.mark.parametrize("way", WRAPPERS)
@pytest.mark.usefixtures("process_group")
def test_a_wrapper_changes_neither_names_nor_numbers_nor_graph(way):
    plain, wrapped = net(), WRAPPERS[way](net())
    assert parameters(wrapped) == parameters(plain)
    assert trace(wrapped, X) == trace(plain, X)
    ledger = init_(plain, "he_normal", seed=3)
    assert init_(wrapped, plan_for(plain, "he_normal"), seed=3).digest == ledger.digest
    assert all(map(torch.equal, plain.parameters(), wrapped.parameters()))
    init_(wrapped, "zeros", rules={"0.0.weight": "ones"})
    assert float(list(wrapped.parameters())[-2].abs().max()) == 0


@pytest.mark.parametrize(
    "wrap",
    [
        nn.Identity(),
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        torch.nn.utils.spectral_norm,
    ],
)
def test_the_weights_of_a_plan_without_touching_the_model(wrap):
    model = nn.Sequential(wrap(nn.Linear(8, 8)), nn.Linear(8, 4)).eval()
    plan, before = plan_for(model, "he_normal"), copy.deepcopy(model.state_dict())
    found = weights(model, plan, seed=4)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    ahead = torch.func.functional_call(model, found, (X,))
    init_(model, plan, seed=4)
    assert torch.allclose(model(X), ahead, rtol=1e-5, atol=1e-6)
