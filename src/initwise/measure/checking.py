"""check: do signal and gradient get through the weights a model has now?"""

from __future__ import annotations

import functools
import inspect
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, overload

from ..core.errors import OptionError, UnsupportedError
from ..core.problem import LOSSES
from ..core.records import Finding, LayerSignal, Signals
from ..core.stream import checked_seed
from ..core.widths import WidthCheck
from ..frameworks.example import Input, mapped
from ..frameworks.protocol import adapter_for, adapters, door, served
from ..report.signals import DRAWN
from ..signals.judging import assumed, judged, uniform, unjudged, unobserved
from ..signals.precision import format_name
from .widths import Compared, across

MODES = ("auto", "measure", "predict")
OnProgress = Callable[[str, int, int], None]
OPAQUE = "TorchScript cannot be looked into; check the model that it was made from"


@overload
def check(
    model: Any,
    example: Any = None,
    *,
    plan: Any = None,
    loss: Callable[[Any], Any] | str | None = None,
    mode: str = "auto",
    dtype: Any = None,
    widths: None = None,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> Signals: ...


@overload
def check(
    model: Any,
    example: Any = None,
    *,
    plan: Any = None,
    loss: Callable[[Any], Any] | str | None = None,
    mode: str = "auto",
    dtype: Any = None,
    widths: Sequence[int],
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> WidthCheck: ...


def check(
    model: Any,
    example: Any = None,
    *,
    plan: Any = None,
    loss: Callable[[Any], Any] | str | None = None,
    mode: str = "auto",
    dtype: Any = None,
    widths: Sequence[int] | None = None,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> Signals | WidthCheck:
    """How signal and gradient travel through `model`, layer by layer, with a verdict for each.

    Runs one real forward and backward in the model's present train/eval mode, and leaves it and
    everything around it bit for bit as it was: weights, gradients, buffers, hooks, flags and the
    random states of torch, NumPy and Python. All statistics are computed on the model's device
    and brought to the host in one transfer.

    Args:
        model: one that an adapter can run: a torch.nn.Module; to be predicted also one on the meta
            device with a plan, or a callable without arguments that makes one: it is run without memory.
        example: a batch, or shapes and dtypes such as "f32[8,3,224,224]"; see
            `initwise.frameworks.example`. At least two different inputs, better 32: dead units
            and correlations are counted over them, and with one input are not judged. None only
            for an nn.Sequential that begins with a Linear, or a Linear.
        plan: judge these weights instead, without touching the model: a Plan, an Advice, a scheme's
            or recipe's name, a Scheme, or {glob: scheme}. With the same seed they are the very
            weights that `init_(model, plan, seed=seed)` would write.
        loss: `loss(output) -> scalar`; close over the targets. Or a name: "lm" is the cross-entropy of
            the logits against the next token of the example, "classification" against its `labels`, or
            against uniformly drawn classes; "mse" the squared error against standard normal targets;
            "own" what the model returns itself (transformers' models do, given labels). Logits are the
            result, its `logits`, or its first floating tensor; classes its last axis, of maps the second.
            Without a loss, the backward pass starts from a random cotangent of unit rms on every floating
            output: ratios over depth mean the same, absolute gradients mean nothing.
        mode: "measure" runs real weights; "predict" carries moments through the model's own operations,
            without weights, data or memory: all numbers are expectations over the draw of weights and
            inputs, with the spread from seed to seed. Floating inputs are standard normal where only a
            shape is given, else have the moments of the batch or those declared (`initwise.Input`).
            "auto" measures a model that has weights, and predicts one that has none: a callable that makes
            one, or a model with parameters on the meta device.
        dtype: judge as if every output, gradient and weight were kept in this number format: "float16",
            "bfloat16", "float8_e4m3fn", "float8_e5m2", "float32", "float64", or a torch dtype. None judges
            each by the format it is in. Nothing runs in another format: only verdicts change.
        widths: compare models of these widths, say [64, 128, 256]: `model` is then a callable of one
            argument, the width, that makes it, and `plan` may be one that gives the plan. "auto" predicts;
            measured models are drawn from the seed.
        seed: of the drawn example, the cotangent, dropout and the plan's weights.
        on_progress: called as (what, done, total) after every layer's output and its gradient.

    Returns:
        Signals: a row per call of every layer that owns parameters or computes (the second call of
        one module is called "name#2"), and per residual add, named "module+", in the order in which
        they finished. Layers that did not run come last. Where no gradient reached any weight that
        is to be trained, or no layer was seen, a finding "unpredicted" says why.
        With `widths` a WidthCheck: by which power of the width each layer's output, gradient and first
        update grow (a coordinate check, Yang et al. 2022, arXiv:2203.03466, without training).

    Raises:
        ExampleError: no example, an empty one, or one that does not fit.
        ForwardError: the model's forward or backward, or the loss, raised.
        ModelError: not a torch model; a lazy or meta one; with widths, one that cannot be made at each.
        OptionError: a mode, a loss, a dtype or widths that make no sense.
        UnsupportedError: a prediction inside another one; a framework that cannot be run.
    """
    _require_mode(mode)
    _require_loss(loss)
    form = "" if dtype is None else format_name(dtype)
    seed = checked_seed(seed)
    run = functools.partial(_pass, example=example, loss=loss, seed=seed, on_progress=on_progress)
    if widths is not None:
        way = "predict" if mode == "auto" else mode
        fills = plan if callable(plan) else lambda width: plan
        compared = Compared(
            lambda made, width: run(made, way, plan=fills(width)), functools.partial(_judged, form=form)
        )
        return across(model, widths, compared, mode=way, seed=seed, remark=_drawn(example, ""))
    way = _way(model) if mode == "auto" else mode
    return _signals(run(model, way, plan=plan), example, way, form)


def _pass(model: Any, way: str, *, plan: Any, **asked: Any) -> Any:
    """One pass of one model, by its adapter's door."""
    adapter = _maker(model) if way == "predict" and is_maker(model) else adapter_for(model)
    run = door(adapter, way)
    if run is None:
        raise UnsupportedError(
            f"a model of {adapter.name} holds weights and cannot be run",
            where="check",
            expected=served(way),
        )
    return run(model, asked.pop("example"), plan=plan, **asked)


def _judged(passed: Any, form: str) -> tuple[tuple[LayerSignal, ...], tuple[Finding, ...]]:
    free = math.isnan(passed.loss)
    return judged(passed.readings, passed.inputs, dtype=form, free=free)


def _way(model: Any) -> str:
    """What "auto" is for this subject: only one that holds weights can be measured."""
    return "predict" if is_maker(model) or on_meta(model) else "measure"


def is_maker(model: Any) -> bool:
    """Is it a callable without required arguments that makes a model, and none itself?"""
    torch = sys.modules.get("torch")
    if not callable(model) or (torch is not None and isinstance(model, torch.nn.Module)):
        return False
    try:
        inspect.signature(model).bind()
    except TypeError:
        return False
    except ValueError:  # what is built in may not tell
        return True
    return True


def on_meta(model: Any) -> bool:
    """Is it a torch module with a parameter that has no memory?"""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        return False
    lazy = torch.nn.parameter.is_lazy
    return any(p.device.type == "meta" and not lazy(p) for p in model.parameters())


def _maker(model: Any) -> Any:
    """The adapter that can predict what a callable makes."""
    return next(adapter for adapter in adapters if getattr(adapter, "predict", ""))


def _require_mode(mode: str) -> None:
    if mode not in MODES:
        raise OptionError(f"mode {mode!r}", where="check", legal=MODES, given=str(mode))


def _require_loss(loss: Any) -> None:
    """Raise OptionError for a loss that is neither a name nor can be called."""
    if loss is None or callable(loss) or (isinstance(loss, str) and loss in LOSSES):
        return
    if isinstance(loss, str):
        raise OptionError(f"loss {loss!r}", where="check", legal=LOSSES, given=loss)
    raise OptionError(
        f"loss={loss!r} cannot be called",
        where="check",
        expected="a name, a callable that takes the model's result and returns a scalar, or None",
        fix="For targets, close over them: loss=lambda output: F.mse_loss(output, targets).",
    )


def _signals(passed: Any, example: Any, mode: str, form: str) -> Signals:
    layers, findings = _judged(passed, form)
    idle = tuple(
        LayerSignal(name, kind, verdict="untouched", reason="it did not run on this example")
        for name, kind in passed.unused
    )
    closed = tuple(
        LayerSignal(name, kind, verdict="unpredicted", reason=OPAQUE) for name, kind in passed.opaque
    )
    remarks = (
        "" if passed.ungraded else passed.backward,
        f"precision is judged as if all were {form}" if form else "",
        unjudged(passed.readings),
        uniform(passed.inputs),
        unobserved(passed.readings) if mode == "measure" else assumed(passed.readings),
        _drawn(example, passed.inferred),
    )
    note = "; ".join(filter(None, remarks))
    return Signals(mode, layers + idle + closed, findings + _unseen(passed), passed.loss, note)


def _unseen(passed: Any) -> tuple[Finding, ...]:
    """The finding that there was nothing to judge: no layer, or no gradient at any weight."""
    if not passed.readings and passed.opaque:
        return (Finding("", "unpredicted", f"no layer was seen: {OPAQUE}"),)
    if passed.ungraded:
        return (Finding("", "unpredicted", f"no gradient was measured: {passed.ungraded}"),)
    if not passed.readings:
        return (Finding("", "unpredicted", "no layer was seen: none that computes ran as a module"),)
    return ()


def _drawn(example: Any, inferred: str) -> str:
    """What the example was drawn from, in words; "" for a batch that was given."""
    if inferred:
        return f"{DRAWN} {inferred!r}, the only input this model can take"
    texts: list[str] = []
    mapped(lambda leaf, _: texts.append(str(leaf)) if isinstance(leaf, (str, Input)) else None, example)
    return f"{DRAWN} {', '.join(map(repr, texts))}" if texts else ""
