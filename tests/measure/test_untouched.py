"""A model that was looked at is bit for bit the model it was, and so is the world around it."""

from __future__ import annotations

import contextlib
import random

import numpy as np
import pytest
import torch
from torch import nn

from initwise.choose import choose
from initwise.core.errors import ForwardError
from initwise.frameworks.initialize import init_
from initwise.frameworks.torch import state as state_module
from initwise.frameworks.torch.run import untouched
from initwise.frameworks.torch.state import same_bits
from initwise.measure import check


def bits(tensor):
    return (
        tensor.detach().clone().contiguous().view(torch.int32 if tensor.element_size() == 4 else tensor.dtype)
    )


def gradient(parameter):
    return None if parameter.grad is None else (id(parameter.grad), bits(parameter.grad))


def state(model):
    """Everything that must not change, in comparable form."""
    modules = dict(model.named_modules())
    hook_dicts = (
        "_forward_hooks",
        "_forward_pre_hooks",
        "_backward_hooks",
        "_backward_pre_hooks",
        "_forward_hooks_with_kwargs",
        "_forward_pre_hooks_with_kwargs",
    )
    return {
        "values": {name: bits(value) for name, value in model.state_dict().items()},
        "buffers": {name: (id(b), bits(b)) for name, b in model.named_buffers()},
        "parameters": {name: id(p) for name, p in model.named_parameters()},
        "versions": {name: p._version for name, p in model.named_parameters()},
        "gradients": {name: gradient(p) for name, p in model.named_parameters()},
        "requires": {name: p.requires_grad for name, p in model.named_parameters()},
        "modes": {name: m.training for name, m in modules.items()},
        "hooks": {name: [list(getattr(m, d)) for d in hook_dicts] for name, m in modules.items()},
        "attributes": {name: sorted(m.__dict__) for name, m in modules.items()},
        "torch": torch.get_rng_state(),
        "numpy": str(np.random.get_state()),
        "python": random.getstate(),
        "grad mode": torch.is_grad_enabled(),
        "default dtype": torch.get_default_dtype(),
    }


def equal(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def assert_same(before, after):
    assert [key for key in before if not equal(before[key], after[key])] == []


class Messy(nn.Module):
    """Draws from every generator, counts its calls, keeps a cache, and fails where it is told to."""

    def __init__(self, fail=False):
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.norm = nn.BatchNorm1d(6)
        self.spectral = nn.utils.parametrizations.spectral_norm(nn.Linear(6, 6))
        self.drop = nn.Dropout(0.5)
        self.second = nn.Linear(6, 2)
        self.second.bias.requires_grad_(False)
        self.norm.register_forward_hook(lambda *_: None)
        self.calls, self.fail = 0, fail

    def forward(self, x):
        self.calls += 1
        self.cache = x
        random.random()
        np.random.rand()
        x = self.drop(self.spectral(self.norm(self.first(x))))
        self.first.weight.data.mul_(1.5)
        self.norm.weight.requires_grad_(False)
        self.drop.eval()
        if self.fail:
            raise ValueError("told to")
        return self.second(x)


def messy(fail=False):
    torch.manual_seed(3)
    model = Messy(fail)
    model.second.eval()
    model.first.weight.grad = torch.randn(6, 6)
    return model


def test_check_changes_nothing():
    model = messy()
    before = state(model)
    check(model, "f32[8,6]")
    assert_same(before, state(model))
    assert model.calls == 0
    assert not hasattr(model, "cache")


def test_check_changes_nothing_when_the_forward_raises():
    model = messy(fail=True)
    before = state(model)
    with pytest.raises(ForwardError, match="told to"):
        check(model, "f32[8,6]")
    assert_same(before, state(model))


def test_check_changes_nothing_when_the_loss_raises():
    model = messy()
    before = state(model)
    with pytest.raises(ForwardError, match="the loss raised ZeroDivisionError"):
        check(model, "f32[8,6]", loss=lambda output: 1 / 0)
    assert_same(before, state(model))


class BackwardRaises(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise ValueError("no way back")


class NoWayBack(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, x):
        return self.second(BackwardRaises.apply(self.first(x)))


def test_check_changes_nothing_when_the_backward_raises_and_says_how_far_it_came():
    model = NoWayBack()
    before = state(model)
    with pytest.raises(ForwardError) as error:
        check(model, "f32[8,6]")
    assert_same(before, state(model))
    line = BackwardRaises.backward.__code__.co_firstlineno + 2
    assert str(error.value) == (
        "before second: the backward raised ValueError: no way back.\n"
        f'  At {__file__}:{line} in backward: raise ValueError("no way back")\n'
        "  It came as far as the layer named."
    )


def test_check_changes_nothing_in_eval_no_grad_and_inference_mode(resnet):
    model = resnet().eval()
    before = state(model)
    with torch.no_grad():
        check(model, "f32[4,3,8,8]")
    with torch.inference_mode():
        inside = check(model, "f32[4,3,8,8]")
    assert_same(before, state(model))
    assert inside == check(model, "f32[4,3,8,8]")


def test_batch_norm_statistics_and_their_count_stay(resnet):
    model = resnet()
    before = state(model)
    check(model, "f32[4,3,8,8]")
    assert_same(before, state(model))
    assert int(model[1].num_batches_tracked) == 0


def test_a_graph_the_user_still_holds_can_go_backward(resnet):
    model = resnet().eval()
    loss = model(torch.randn(2, 3, 8, 8)).sum()
    check(model, "f32[4,3,8,8]")
    loss.backward()
    assert model[0].weight.grad is not None


def test_the_callers_batch_stays():
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 2))
    x = torch.randn(4, 3)
    before = bits(x)
    check(model, x)
    assert torch.equal(bits(x), before)


def ransack(model):
    with untouched(model):
        assert model.first.weight.grad is None
        model.eval()
        model.first.register_forward_hook(lambda *_: None)
        model.first.weight.register_hook(lambda g: g)
        model(torch.randn(4, 6)).sum().backward()
        model.norm.running_mean.fill_(float("nan"))
        model.extra = nn.Linear(2, 2)
        model.norm.register_buffer("new", torch.zeros(1))
        model.first.weight.data = torch.zeros(6, 6)
        model.second.weight = nn.Parameter(torch.zeros(2, 6))
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        raise RuntimeError("out")


def test_untouched_undoes_what_a_body_does_even_if_it_raises():
    model = messy()
    before = state(model)
    with pytest.raises(RuntimeError, match="out"):
        ransack(model)
    assert_same(before, state(model))
    assert not model.first.weight._backward_hooks


def test_bits_tell_zeros_apart_and_nans_equal():
    zeros, nan = torch.zeros(2), torch.full((2,), float("nan"))
    assert same_bits(nan, nan.clone())
    assert not same_bits(zeros, -zeros)


STORED = {
    "sparse COO": lambda: torch.eye(16).to_sparse(),
    "uncoalesced": lambda: torch.sparse_coo_tensor([[0, 0], [1, 1]], [1.0, 2.0], (16, 16)),
    "sparse CSR": lambda: torch.eye(16).to_sparse_csr(),
    "sparse CSC": lambda: torch.eye(16).to_sparse_csc(),
    "sparse BSR": lambda: torch.eye(16).to_sparse_bsr((2, 2)),
    "quantized": lambda: torch.quantize_per_tensor(torch.eye(16), 0.1, 0, torch.qint8),
    "MKL-DNN": lambda: torch.eye(16).to_mkldnn(),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(4, 3)]),
    "jagged": lambda: torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(4, 3)], layout=torch.jagged),
    "expanded": lambda: torch.ones(1).expand(16, 16),
}


def numbers(tensor):
    if tensor.is_nested:
        return torch.cat([part.reshape(-1) for part in tensor.unbind()]).clone()
    return tensor.dequantize() if tensor.is_quantized else tensor.to_dense().clone()


class Graph(nn.Module):
    """Two layers and a buffer that is not one block of memory, used where it can be multiplied."""

    def __init__(self, buffer):
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)
        self.register_buffer("adjacency", buffer)

    def forward(self, x):
        x = torch.relu(self.first(x))
        if self.adjacency.layout in (torch.sparse_coo, torch.sparse_csr, torch.sparse_csc):
            x = self.adjacency @ x
        return self.second(x)


@pytest.fixture(params=STORED)
def graph(request):
    torch.manual_seed(0)
    return Graph(STORED[request.param]())


@pytest.mark.filterwarnings("ignore")
def test_models_with_sparse_and_other_buffers_simply_work(graph):
    buffer, before = graph.adjacency, numbers(graph.adjacency)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    assert check(graph, "f32[16,6]").healthy
    assert check(graph, "f32[16,6]", plan="he_normal").healthy
    assert len(init_(graph, "lsuv", example="f32[16,6]").filled) == 4
    assert graph.adjacency is buffer
    assert torch.equal(numbers(buffer), before)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]


def test_a_graph_network_can_be_chosen_for():
    model = Graph(STORED["sparse COO"]())
    assert choose(model, "f32[16,6]", candidates=("he_normal", "lecun_normal")).name


CHANGES = {
    "multiplied": lambda tensor: tensor.mul_(3),
    "zeroed": lambda tensor: tensor.zero_(),
    "overwritten": lambda tensor: tensor.copy_(tensor * 2),
    "replaced": lambda tensor: setattr(tensor, "data", tensor.detach() * 2),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("change", CHANGES)
def test_a_buffer_of_any_kind_gets_its_values_back(graph, change):
    buffer, before = graph.adjacency, numbers(graph.adjacency)
    with untouched(graph), contextlib.suppress(RuntimeError):  # some kinds cannot be changed so
        CHANGES[change](buffer)
    assert graph.adjacency is buffer
    assert torch.equal(numbers(buffer), before)


def test_an_undo_that_fails_keeps_no_other_from_running(monkeypatch):
    def fails(model):
        yield lambda: (_ for _ in ()).throw(RuntimeError("this undo fails"))

    monkeypatch.setattr(state_module, "_gradients", fails)
    model = nn.Linear(2, 2)
    weight, states = bits(model.weight), torch.get_rng_state()

    def look():
        with untouched(model):
            torch.rand(3)
            model.weight.data.zero_()
            model.eval()

    with pytest.raises(RuntimeError, match="this undo fails"):
        look()
    assert torch.equal(torch.get_rng_state(), states)
    assert torch.equal(bits(model.weight), weight)
    assert model.training


def test_a_list_that_the_forward_appends_to_is_as_long_as_before():
    class Remembers(nn.Linear):
        def __init__(self):
            super().__init__(3, 2)
            self.seen, self.kinds = ["first"], {"first"}

        def forward(self, x):
            self.seen.append(len(x))
            self.kinds.add("second")
            return super().forward(x)

    model = Remembers()
    seen = model.seen
    check(model, "f32[8,3]")
    assert model.seen is seen
    assert (seen, model.kinds) == (["first"], {"first"})
