"""Whatever becomes of a prediction, the model and the world around it are as they were."""

from __future__ import annotations

import contextlib
import logging
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits
from torch import nn
from torch.nn.parameter import UninitializedTensorMixin

from initwise import check
from initwise.core.errors import ForwardError, ModelError

EXAMPLE = "f32[8,16]"


class Plain(nn.Module):
    """Layers, a buffer that forward updates, a frozen weight, a hook of the user's, modes of both kinds."""

    def __init__(self, stop: type[BaseException] | None = None, where: str = ""):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(16, 16), nn.BatchNorm1d(16), nn.Linear(16, 4)
        self.frozen = nn.Linear(16, 16).requires_grad_(False).double()
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))
        self.first.weight.grad = torch.ones(16, 16)
        self.called: list[str] = []
        self.norm.eval()
        self.first.register_forward_hook(lambda *_: self.called.append("hook"))
        self.stop, self.where = stop, where
        if stop is not None and where == "constructor":
            raise stop("stopped")

    def forward(self, x):
        np.random.random()
        random.random()
        torch.rand(1)
        self.seen += 1
        self.extra = x
        h = self.norm(self.first(x))
        h = h + self.frozen(h.double()).float()
        if self.stop is not None and self.where == "forward":
            raise self.stop("stopped")
        return self.last(Stopping.apply(h, self.stop if self.where == "backward" else None))


class Stopping(torch.autograd.Function):
    """The identity; its gradient may stop everything."""

    @staticmethod
    def forward(ctx, x, stop):
        ctx.stop = stop
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        if ctx.stop is not None:
            raise ctx.stop("stopped")
        return gradient, None


@pytest.fixture(autouse=True)
def unusual():
    """Random states that no prediction would leave behind by chance."""
    torch.manual_seed(314)
    np.random.seed(315)
    random.seed(316)


def model_state(model):
    """Everything of a model that somebody could mind."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return (
        [(name, id(t), t.data_ptr(), t.device, t.dtype, t.requires_grad, t._version) for name, t in tensors],
        [(name, t.detach().clone().numpy().tobytes()) for name, t in tensors],
        [(name, None if t.grad is None else (id(t.grad), t.grad.sum().item())) for name, t in tensors],
        [
            (name, m.training, list(m._forward_hooks), list(m._forward_pre_hooks), sorted(vars(m)))
            for name, m in model.named_modules()
        ],
        [(name, p._backward_hooks) for name, p in model.named_parameters()],
        list(model.called),
    )


def world_state():
    """Everything global."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    return (
        torch.get_rng_state().numpy().tobytes(),
        np.random.get_state()[1].tobytes(),
        random.getstate(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch._C._get_mkldnn_enabled(),
        torch.backends.cuda.math_sdp_enabled(),
        torch.backends.cuda.flash_sdp_enabled(),
        torch.nn.init._no_grad_trunc_normal_,
        torch.nn.init.trunc_normal_,
        UninitializedTensorMixin.materialize,
        list(logger.filters),
        torch._C._len_torch_dispatch_stack(),
        torch._C._len_torch_function_stack(),
    )


STOPS = [None, ValueError, KeyboardInterrupt, SystemExit]


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.__name__ if stop else "nothing")
@pytest.mark.parametrize("where", ["forward", "backward"])
def test_a_model_and_the_world_are_as_they_were(stop, where):
    model = Plain(stop, where)
    model.called.clear()
    before = model_state(model), world_state()
    expected = ForwardError if stop is ValueError else stop
    with pytest.raises(expected) if stop else contextlib.nullcontext():
        check(model, EXAMPLE, mode="predict")
    assert (model_state(model), world_state()) == before


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.__name__ if stop else "nothing")
@pytest.mark.parametrize("where", ["constructor", "forward", "backward"])
def test_a_constructor_leaves_the_world_as_it_was(stop, where):
    before = world_state()
    expected = {ValueError: ModelError if where == "constructor" else ForwardError}.get(stop, stop)
    with pytest.raises(expected) if stop else contextlib.nullcontext():
        check(lambda: Plain(stop, where), EXAMPLE, mode="predict")
    assert world_state() == before


def test_a_plan_changes_nothing_either():
    model = Plain()
    before = model_state(model), world_state()
    check(model, EXAMPLE, plan="he_normal", mode="predict")
    assert (model_state(model), world_state()) == before


def test_an_interruption_while_a_layer_is_read_leaves_all_as_it_was():
    def stop(what, done, total):
        raise KeyboardInterrupt

    model = Plain()
    before = model_state(model), world_state()
    with pytest.raises(KeyboardInterrupt):
        check(model, EXAMPLE, mode="predict", on_progress=stop)
    assert (model_state(model), world_state()) == before


@pytest.mark.parametrize("mode", ["predict", "measure"])
def test_progress_is_told_layer_by_layer_there_and_back(mode):
    told = []
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 4))
    check(model, EXAMPLE, mode=mode, on_progress=lambda *said: told.append(said))
    names = ["forward 0", "forward 1", "forward 2", "backward 2", "backward 1", "backward 0"]
    assert told == [(name, done, 6) for done, name in enumerate(names, 1)]


LARGE = """
import resource, sys
import torch
from torch import nn
from initwise import check

class Large(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x.numpy()

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def failing(width, depth, example):
    try:
        check(lambda: Large(width, depth), example, mode="predict")
    except Exception as error:
        assert "it asks for numbers" in str(error), error
    else:
        raise AssertionError

failing(8, 26, "f32[4,8]")
before = peak()
failing(32768, 25, "f32[4,32768]")  # 107 GB
print(peak() - before)
"""


def test_memory_stays_small_when_a_large_model_fails():
    said = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(said.stdout) * unit < 64e6


def test_small_products_are_not_shared_out_among_threads():
    """While it predicts BLAS has one thread; afterwards as many as before, also where the model fails."""
    seen = []

    def blas() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    class Watched(nn.Module):
        def forward(self, x):
            seen.append(blas())
            raise RuntimeError("enough")

    with threadpool_limits(2, user_api="blas"):
        before = blas()
        with pytest.raises(ForwardError):
            check(Watched(), "f32[4,8]", mode="predict")
        assert blas() == before
    assert all(set(threads) == {1} for threads in seen)
    assert seen
