"""What can be wrong with a problem is found before the race, on one batch, and said plainly."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..core.errors import ForwardError, InitwiseError, ProblemError
from ..core.problem import Problem
from ..frameworks.initialize import init_
from ..frameworks.torch.run import arguments, call, home, tensors
from .data import Batch
from .isolation import isolated
from .store import digest
from .training import Feed

SMALL = 1e9
"""Floating-point operations per forward below which one thread is faster than several."""
TINY = 2e8
"""Those below which arms are faster side by side."""
PROBE = "lecun_normal"
"""What the weights of the checking pass are filled with, so that its numbers tell problems apart: a
factory may draw others on every call, and with zeros many problems look the same."""
DIGITS = 3
"""Significant digits that count where sums have no fixed order (everywhere but on the CPU)."""


@dataclass(frozen=True)
class Facts:
    """What the check found.

    Attributes:
        parameters: (name, shape) of each.
        threads: the torch threads to train with.
        small: whether arms side by side would be faster than one by one.
        seconds: what a step took, roughly.
        probe: a digest of the loss, every gradient and the metric on the batch, bit for bit; on
            other devices than the CPU of loss, gradient norm and metric to `DIGITS` digits.
    """

    parameters: tuple[tuple[str, tuple[int, ...]], ...]
    threads: int
    small: bool
    seconds: float
    probe: str


def check_problem(problem: Problem, batch: Batch) -> Facts:
    """Run one forward and backward of `problem` on `batch`, on a model that is then thrown away.

    Raises:
        ProblemError: the model's maker, the loss or the metric does not do what a race needs.
        ExampleError, ForwardError: the model refuses the batch; names the layer.
    """
    with isolated(0, threads=1):
        other = new_model(problem)
        model = new_model(problem)
        _require_independent(other, model)
        _fill(model)
        counter = FlopCounterMode(display=False)
        args, kwargs = arguments(model, batch[0])
        with counter:
            outputs = call(model, args, kwargs)
        loss, metric = _check_loss(problem, outputs, Feed(model, batch[0]).targets(batch))
        _require_finite(loss, outputs)
        probe = _probe(model, loss, metric)
    _require_deterministic(problem, batch, probe)
    flops = counter.get_total_flops()
    threads = 1 if flops < SMALL else torch.get_num_threads()
    with isolated(0, threads):
        seconds = _timed(problem, model, batch)
    return Facts(_shapes(model), threads, flops < TINY, seconds, probe)


def _require_deterministic(problem: Problem, batch: Batch, probe: str) -> None:
    """The same weights and the same random state give the same loss: else arms could not be compared.

    Raises:
        ProblemError: a second model, made and filled as the first, does something else.
    """
    with isolated(0, threads=1):
        new_model(problem)  # as before: what making two draws is drawn
        model = new_model(problem)
        _fill(model)
        args, kwargs = arguments(model, batch[0])
        loss, metric = _check_loss(problem, call(model, args, kwargs), Feed(model, batch[0]).targets(batch))
        again = _probe(model, loss, metric)
    if again == probe:
        return
    raise ProblemError(
        "two models with the same weights, on the same batch and random state, came to different losses",
        where="Problem",
        expected="a model that its weights and the random state decide",
        cause="model() draws from a generator of its own for what initwise does not fill, counts its calls, "
        "or shares state between the models it returns (a cache, a list, a layer's running numbers)",
        fix="Make everything inside model(), from torch's global generator; register state as buffers.",
    )


def _timed(problem: Problem, model: nn.Module, batch: Batch) -> float:
    """Seconds of a step with the threads there are, the optimiser's share guessed.

    The pass before it has warmed up what needs it; a device that works on by itself is waited for.
    """
    feed = Feed(model, batch[0])
    _finish(model)
    began = time.perf_counter()
    args, kwargs = feed.arguments(batch)
    problem.loss(model(*args, **kwargs), feed.targets(batch)).backward()
    _finish(model)
    return 1.2 * (time.perf_counter() - began)


def _finish(model: nn.Module) -> None:
    """Wait until the model's device has done what it was asked to."""
    kind = home(model)[0].type
    synchronize = getattr(getattr(torch, kind, None), "synchronize", None)  # torch.cuda, torch.mps, torch.xpu
    if synchronize is not None and kind != "cpu":
        synchronize()


def _require_finite(loss: Tensor, outputs: Any) -> None:
    """Weights of LeCun's law are sane: a loss that is not finite with them is so with all."""
    if bool(torch.isfinite(loss).all()):
        return
    broken = [t for t in tensors(outputs) if t.is_floating_point() and not bool(torch.isfinite(t).all())]
    raise ProblemError(
        f"the loss is {float(loss)} on the first batch, before any training",
        where="Problem",
        expected="a finite number",
        cause="the model's outputs are not finite" if broken else _FINITE,
        fix="Run the loss on this batch by hand; no initialization mends it.",
    )


_FINITE = (
    "the outputs are finite, so the loss: a log or root of 0, a division by 0, a mask that leaves nothing"
)


def _fill(model: nn.Module) -> None:
    """The same weights on every call; those that `PROBE` cannot fill stay as they were made."""
    with contextlib.suppress(InitwiseError):
        init_(model, PROBE, seed=0)


def _probe(model: nn.Module, loss: Tensor, metric: float) -> str:
    gradients = [p.grad.to_dense() for p in model.parameters() if p.grad is not None]
    if all(tensor.device.type == "cpu" for tensor in (loss, *gradients)):
        return digest(loss, gradients, metric)
    norm = math.sqrt(sum(float(gradient.norm()) ** 2 for gradient in gradients))
    return digest([f"{number:.{DIGITS}g}" for number in (float(loss), norm, metric)])


def new_model(problem: Problem) -> nn.Module:
    """`problem.model()`, which must be a torch module that can learn."""
    try:
        model = problem.model()
    except Exception as error:
        raise ProblemError(f"model() raised {_named(error)}", where="Problem") from error
    if not isinstance(model, nn.Module):
        raise ProblemError(
            f"model() returned a {type(model).__name__}",
            where="Problem",
            expected="a torch.nn.Module",
            cause="the model itself was called, not its maker" if isinstance(model, Tensor) else "",
        )
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ProblemError(
            "the model has no parameter that requires a gradient",
            where="Problem",
            expected="something to train",
        )
    return model


def _require_independent(one: nn.Module, other: nn.Module) -> None:
    if one is other or {id(p) for p in one.parameters()} & {id(p) for p in other.parameters()}:
        raise ProblemError(
            "model() returned the same weights twice",
            where="Problem",
            expected="a new model on every call",
            cause="it returns a model, or a layer of one, that was made outside",
            fix="Make the model inside: model=lambda: MyModel(...).",
        )
    if _shapes(one) != _shapes(other):
        differing = set(_shapes(one)) ^ set(_shapes(other))
        name, _ = min(differing)
        raise ProblemError(
            f"two calls of model() returned different architectures: {name!r} differs",
            where="Problem",
            expected="the same architecture on every call",
        )


def _shapes(model: nn.Module) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name, tuple(parameter.shape)) for name, parameter in model.named_parameters())


def _check_loss(problem: Problem, outputs: Any, targets: Any) -> tuple[Tensor, float]:
    """The loss, after its backward, and the metric (NaN without one)."""
    value = _called("loss", problem.loss, outputs, targets)
    if not isinstance(value, Tensor) or value.numel() != 1:
        shape = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
        raise ProblemError(
            f"loss returned {shape}",
            where="Problem",
            expected="a scalar tensor",
            fix="Average over the batch, for example with reduction='mean'.",
        )
    if not value.requires_grad:
        raise ProblemError(
            "the loss does not depend on the weights",
            where="Problem",
            expected="a loss with a gradient",
            cause="detach(), item() or no_grad() in the model or the loss",
        )
    try:
        value.backward()  # type: ignore[no-untyped-call]
    except Exception as error:
        raise ForwardError(f"the backward raised {_named(error)}", where="Problem") from error
    if problem.metric is None:
        return value.detach(), math.nan
    return value.detach(), _check_metric(_called("metric", problem.metric, outputs, targets))


def _check_metric(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise ProblemError(f"metric returned {value!r}", where="Problem", expected="a number") from None


def _called(what: str, function: Any, outputs: Any, targets: Any) -> Any:
    try:
        return function(outputs, targets)
    except InitwiseError:
        raise
    except Exception as error:
        raise ProblemError(
            f"{what}(outputs, targets) raised {_named(error)}",
            where="Problem",
            cause=f"outputs are {_described(outputs)}, targets are {_described(targets)}",
        ) from error


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().rstrip('.')}"
