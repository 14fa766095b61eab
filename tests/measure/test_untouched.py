"""A model that was looked at is bit for bit the model it was, and so is the world around it."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from initwise.core.errors import ForwardError
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
    assert str(error.value) == (
        "before second: the backward raised ValueError: no way back.\n  It came as far as the layer named."
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
