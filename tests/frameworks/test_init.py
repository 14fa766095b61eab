"""init_: what is filled, with what, and the proof of it."""

import copy
import math

import pytest
import torch
from torch import nn

from initwise.core.errors import ModelError
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.core.plan import Plan
from initwise.frameworks.initialize import init_, plan_for
from initwise.schemes import scheme


def mlp(width=64):
    return nn.Sequential(nn.Linear(32, width), nn.ReLU(), nn.Linear(width, 10))


class Mixed(nn.Module):
    """One of nearly everything, so that no kind of parameter can be forgotten."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(30, 16, padding_idx=2)
        self.conv = nn.Conv2d(8, 16, 3, groups=4)
        self.norm = nn.BatchNorm2d(16)
        self.rnn = nn.LSTM(16, 16)
        self.attention = nn.MultiheadAttention(16, 4, add_bias_kv=True)
        self.slope = nn.PReLU()
        self.odd = nn.Parameter(torch.full((3, 3), 7.0))
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.empty = nn.Linear(0, 4)
        self.head = nn.Linear(16, 30)
        self.head.weight = self.table.weight


def entries(ledger):
    return {entry.name: entry for entry in ledger.entries}


def test_every_parameter_has_a_line():
    model = Mixed()
    ledger = init_(model, "he_normal")
    listed = [entry.name for entry in ledger.entries]
    assert sorted(listed) == sorted(name for name, _ in model.named_parameters(remove_duplicate=False))
    statuses = {entry.name: entry.status for entry in ledger.entries if entry.status != "filled"}
    assert statuses == {
        "odd": "kept",
        "head.weight": "tied",
        "frozen.weight": "frozen",
        "frozen.bias": "frozen",
        "empty.weight": "empty",
    }
    assert all(entry.reason for entry in ledger.entries)
    assert {entry.name for entry in ledger.untouched} == set(statuses) - {"head.weight"}


def test_what_is_declared_is_what_is_in_memory():
    model = mlp(256)
    ledger = init_(model, "he_normal", seed=3)
    for entry in ledger.filled:
        values = model.get_parameter(entry.name).detach().double()
        assert entry.measured_mean == pytest.approx(float(values.mean()), abs=1e-12)
        assert entry.measured_std == pytest.approx(float(values.std(correction=0)), rel=1e-9, abs=1e-12)
        # the standard error of a normal's std is σ/√(2n)
        assert entry.measured_std == pytest.approx(entry.declared_std, rel=6 / math.sqrt(2 * values.numel()))
    assert entries(ledger)["0.weight"].declared_std == pytest.approx(math.sqrt(2 / 32), rel=1e-12)


def test_the_padding_row_is_zero_and_declared():
    model = nn.Embedding(4, 3, padding_idx=1)
    entry = init_(model, "he_normal").entries[0]
    assert not model.weight[1].any()
    assert model.weight[0].all()
    assert entry.declared_std == pytest.approx(math.sqrt(3 / 4))


def test_the_padding_row_stays_zero_under_a_rule_of_the_users_own():
    model = nn.Embedding(4, 3, padding_idx=1)
    init_(model, {"weight": Fill.constant(1.0)})
    assert model.weight.sum() == 9


def test_the_padding_row_stays_zero_when_the_table_is_tied():
    model = nn.Sequential(nn.Embedding(4, 3, padding_idx=1), nn.Linear(3, 4))
    model[1].weight = model[0].weight
    init_(model, "xavier_normal")
    assert not model[1].weight[1].any()


def test_the_same_plan_and_seed_give_the_same_digest():
    ledger = init_(mlp(), "orthogonal", seed=5)
    assert ledger.digest == init_(mlp(), "orthogonal", seed=5).digest
    assert ledger.digest != init_(mlp(), "orthogonal", seed=6).digest
    assert ledger.digest != init_(mlp(), "he_normal", seed=5).digest


def test_the_digest_is_what_it_says():
    import hashlib

    model = mlp()
    total = hashlib.sha256()
    ledger = init_(model, "he_normal")
    for name, parameter in sorted(model.named_parameters()):
        shape = ",".join(map(str, parameter.shape))
        own = hashlib.sha256(parameter.detach().numpy().tobytes()).digest()
        total.update(f"{name}\0{shape}\0float32\0".encode() + own)
    assert ledger.digest == total.hexdigest()


def test_the_order_of_layers_does_not_matter():
    """T38: adding or removing a layer changes no other layer's numbers."""

    class Net(nn.Module):
        def __init__(self, names):
            super().__init__()
            for name in names:
                setattr(self, name, nn.Linear(8, 8))

    one, other = Net("abc"), Net("ca")
    init_(one, "he_normal"), init_(other, "he_normal")
    assert torch.equal(one.a.weight, other.a.weight)
    assert torch.equal(one.c.weight, other.c.weight)
    assert not torch.equal(one.a.weight, one.b.weight)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_dtypes_hold_the_same_numbers_rounded(dtype):
    exact, model = mlp(), mlp().to(dtype)
    init_(exact, "xavier_uniform")
    ledger = init_(model, "xavier_uniform")
    assert all(parameter.dtype == dtype for parameter in model.parameters())
    assert ledger.entries[0].dtype == str(dtype).removeprefix("torch.")
    if dtype != torch.float64:
        assert torch.equal(model[0].weight, exact[0].weight.to(dtype))
    else:
        assert torch.allclose(model[0].weight.float(), exact[0].weight, rtol=1e-5)


def test_memory_format_does_not_matter():
    """T39."""
    one = nn.Conv2d(4, 8, 3)
    other = nn.Conv2d(4, 8, 3).to(memory_format=torch.channels_last)
    assert init_(one, "he_normal").digest == init_(other, "he_normal").digest
    assert torch.equal(one.weight, other.weight)
    assert other.weight.is_contiguous(memory_format=torch.channels_last)


def test_nothing_else_is_touched():
    model = Mixed().eval()
    model.norm.train()
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.ones_like(parameter)
    hook = model.conv.register_forward_hook(lambda *_: None)
    buffers = copy.deepcopy(dict(model.named_buffers()))
    objects = {name: id(p) for name, p in model.named_parameters()}
    versions = {name: p._version for name, p in model.named_parameters()}
    state, modes = torch.get_rng_state(), [m.training for m in model.modules()]
    ledger = init_(model, "he_normal")
    assert torch.equal(torch.get_rng_state(), state)
    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in model.named_buffers())
    assert {name: id(p) for name, p in model.named_parameters()} == objects
    assert list(model.conv._forward_hooks) == [hook.id]
    for name, parameter in model.named_parameters():
        filled = entries(ledger)[name].status == "filled"
        assert (parameter._version > versions[name]) is filled, name
        assert parameter.requires_grad is not name.startswith("frozen")
        assert parameter.grad is None or bool((parameter.grad == 1).all())


def test_autograd_notices_the_new_values():
    model = nn.Linear(4, 4)
    loss = (model(torch.ones(2, 4, requires_grad=True)) ** 2).sum()
    init_(model, "he_normal")
    with pytest.raises(RuntimeError, match="inplace"):
        loss.backward()


def test_a_plan_can_be_made_looked_at_and_applied():
    plan = plan_for(mlp(), "lecun_normal")
    assert isinstance(plan, Plan)
    assert list(plan) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    again = Plan.from_json(plan.to_json())
    assert init_(mlp(), plan).digest == init_(mlp(), again).digest == init_(mlp(), "lecun_normal").digest


def test_a_scheme_with_options_is_a_plan():
    model = mlp()
    init_(model, scheme("orthogonal", gain=2.0))
    product = model[2].weight @ model[2].weight.T
    assert torch.allclose(product, 4 * torch.eye(10), atol=1e-5)


def test_matrix_laws_of_the_users_own_learn_the_shape():
    model = mlp()
    ledger = init_(model, {"*.weight": Fill.matrix("orthogonal", 1.0)})
    assert entries(ledger)["2.weight"].declared_std == pytest.approx(1 / 8)


def test_packed_matrix_laws_learn_the_shape():
    model = nn.MultiheadAttention(8, 2)
    parts = tuple((name, 8, Fill.matrix("orthogonal")) for name in "qkv")
    init_(model, {"in_proj_weight": Fill.packed(parts, layout=Layout("oi"))})
    for piece in model.in_proj_weight.split(8):
        assert torch.allclose(piece @ piece.T, torch.eye(8), atol=1e-5)


def test_the_ledger_is_plain_data():
    ledger = init_(Mixed(), "he_normal")
    assert type(ledger).from_json(ledger.to_json()).digest == ledger.digest
    assert len(type(ledger).from_json(ledger.to_json()).entries) == len(ledger.entries)


def test_a_module_without_parameters_is_refused():
    with pytest.raises(ModelError, match="a ReLU has no parameters"):
        init_(nn.ReLU(), "he_normal")


def test_a_write_that_does_not_stick_is_an_error(monkeypatch):
    from initwise.frameworks.torch import adapter

    monkeypatch.setattr(adapter, "write", lambda *_, **__: None)
    model = mlp()
    with torch.no_grad():
        model[0].weight.zero_()
    with pytest.raises(ModelError) as caught:
        init_(model, "he_normal")
    assert str(caught.value).startswith(
        "0.weight: after filling with N(0, 0.25) the memory holds mean 0, std 0; expected mean 0, std 0.25."
    )


@pytest.mark.parametrize(
    "plan", ["he_normal", "he_uniform", "orthogonal", "identity", "torch_default", "truncated_normal", "ones"]
)
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 500), (300, 2)])
def test_honest_writes_are_never_suspected(plan, shape):
    for seed in range(5):
        init_(nn.Linear(*shape), plan, seed=seed)
        init_(nn.Linear(*shape).bfloat16(), plan, seed=seed)
