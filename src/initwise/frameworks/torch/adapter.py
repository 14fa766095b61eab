"""Writing into a torch model, and reading back what is there."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm

from ...core.errors import ModelError, UnknownNameError
from ...core.fill import Fill
from ...core.parameter import ParameterInfo
from ..device import able
from ..memory import fill as engine
from ..memory import fill_together
from ..proof import pieces
from .holders import INVERTED, SPECTRAL, Holding, effective, forward, holdings, holds, originals, plainly
from .state import untouched
from .walk import listed, parameters
from .wrappers import submodule

POWER_ITERATIONS = 1000
"""At most, after a new weight; torch takes 15 at registration, which can leave σ percents off."""


def check(model: nn.Module, fills: Sequence[tuple[ParameterInfo, Fill]], *, seed: int) -> None:
    """Raise ModelError if these fills could not be written; changes nothing.

    A model of which any part is on the meta device is refused as a whole: memory for the rest
    would come later, with whatever it happens to hold.
    """
    meta = [name for name, tensor in model.named_parameters() if tensor.device.type == "meta"]
    if meta:
        raise ModelError(
            f"{listed(meta)} {'is' if len(meta) == 1 else 'are'} on the meta device and have no memory",
            where=type(model).__name__,
            expected="a model with memory",
            fix='Call model.to_empty(device="cpu") first, then initialize; buffers need their values too.',
        )
    for info, fill in fills:
        _check(model, info, fill, seed)


def _check(model: nn.Module, info: ParameterInfo, fill: Fill, seed: int) -> None:
    """Could what wraps this parameter hold the fill?"""
    module, holding = find(model, info.name)
    if holding.form == SPECTRAL and fill.mean == 0 and fill.std == 0:
        raise ModelError(
            "zeros under spectral_norm, which divides the weight by its largest singular value",
            where=info.name,
            expected="a fill that is not zero",
        )
    if holding.form != INVERTED:
        return
    wanted = drawn(holding, info, fill, seed)
    if not holds(wanted, forward(module, holding, originals(module, holding, wanted))):
        raise ModelError(
            f"{fill.formula} does not survive what wraps this weight",
            where=info.name,
            expected="a fill that the parametrization gives back",
            cause="under weight_norm no row can be zero: it is divided by its own length",
            fix=f"Leave it as it is with rules={{{info.name!r}: 'keep'}}, or initialize before wrapping.",
        )


def write(model: nn.Module, info: ParameterInfo, fill: Fill, *, seed: int) -> None:
    """Fill one parameter in place by the stream (seed, info.name).

    Gradients, requires_grad and hooks stay; the version counter moves on, so that a backward pass
    through the old values is refused by autograd rather than wrong.
    """
    module, holding = find(model, info.name)
    with torch.no_grad():
        if holding.form == INVERTED:
            weight = drawn(holding, info, fill, seed)
            for (_, tensor), value in zip(holding.tensors, originals(module, holding, weight), strict=True):
                tensor.copy_(value)
        else:
            engine(holding.tensors[0][1], fill, name=info.name, seed=seed)
        if holding.form == SPECTRAL:
            _renew(module, holding, info.name, seed)
        _refresh(module, holding)


def write_together(model: nn.Module, fills: Sequence[tuple[ParameterInfo, Fill]], *, seed: int) -> None:
    """Fill many parameters: plain ones on CUDA devices by one launch for each device and dtype, all
    others one by one, as `write` does."""
    found = _on_devices(model, fills)
    fill_together(
        [(info.name, found[info.name][1].tensors[0][1], fill) for info, fill in fills if info.name in found],
        seed=seed,
    )
    with torch.no_grad():
        for module, holding in found.values():
            _refresh(module, holding)
    for info, fill in fills:
        if info.name not in found:
            write(model, info, fill, seed=seed)


def _on_devices(
    model: nn.Module, fills: Sequence[tuple[ParameterInfo, Fill]]
) -> dict[str, tuple[nn.Module, Holding]]:
    """Name → module and holding of those that the kernel can write straight into."""
    if not any(able(torch, tensor) for tensor in model.parameters()):
        return {}
    found = {info.name: find(model, info.name) for info, _ in fills}
    return {
        name: (module, holding)
        for name, (module, holding) in found.items()
        if holding.form not in (INVERTED, SPECTRAL) and able(torch, holding.tensors[0][1])
    }


def drawn(holding: Holding, info: ParameterInfo, fill: Fill, seed: int) -> Tensor:
    """The fill's values in memory of their own."""
    like = holding.tensors[-1][1]
    weight = torch.empty(holding.shape, dtype=holding.dtype, device=like.device)
    engine(weight, fill, name=info.name, seed=seed)
    return weight


def _renew(module: nn.Module, holding: Holding, name: str, seed: int) -> tuple[Tensor, ...]:
    """Bring a spectral norm's singular vectors up to the new weight, from a start drawn by name.

    Returns the vectors it wrote into: this weight's own, whatever else the module normalises.
    """
    weight = holding.tensors[0][1].detach()
    hooks = (h for h in module._forward_pre_hooks.values() if isinstance(h, SpectralNorm))
    hook = next((h for h in hooks if h.name == holding.local), None)
    if hook is not None:
        matrix = hook.reshape_weight_to_matrix(weight)
        u, v = getattr(module, f"{hook.name}_u"), getattr(module, f"{hook.name}_v")
        eps = hook.eps
    else:
        step: Any = module.parametrizations[holding.local][0]  # type: ignore[index]
        if not hasattr(step, "_u"):
            return ()
        matrix, u, v, eps = step._reshape_weight_to_matrix(weight), step._u, step._v, step.eps
    engine(v, Fill.normal(), name=f"{name}#v", seed=seed)
    before = 0.0
    for _ in range(POWER_ITERATIONS):
        u.copy_(nn.functional.normalize(torch.mv(matrix, v), dim=0, eps=eps))
        v.copy_(nn.functional.normalize(torch.mv(matrix.mH, u), dim=0, eps=eps))
        largest = float(torch.vdot(u, torch.mv(matrix, v)))
        if abs(largest - before) <= 1e-6 * largest:
            break
        before = largest
    return u, v


def _refresh(module: nn.Module, holding: Holding) -> None:
    """Old hooks keep a computed copy under the plain name: let it follow at once."""
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, SpectralNorm) and hook.name == holding.local:
            setattr(module, hook.name, hook.compute_weight(module, do_power_iteration=False))
        elif isinstance(hook, BasePruningMethod) and hook._tensor_name == holding.local:
            setattr(module, hook._tensor_name, hook.apply_mask(module))  # type: ignore[no-untyped-call]
        elif holding.form == INVERTED and getattr(hook, "name", None) == holding.local:
            setattr(module, holding.local, effective(module, holding))


def find(model: nn.Module, name: str) -> tuple[nn.Module, Holding]:
    """The module and the holding that `walk.parameters` lists as `name`, or has as an alias.

    Raises:
        UnknownNameError: there is none.
    """
    steps = name.split(".")
    for cut in range(len(steps) - 1, -1, -1):
        module, local = submodule(model, steps[:cut]), ".".join(steps[cut:])
        if module is not None and (own := plainly(module, local)) is not None:
            return module, own
        for holding in () if module is None else holdings(module):
            if module is not None and (
                local == holding.name or local in (held for held, _ in holding.tensors)
            ):
                return module, holding
    known = [info.name for info in parameters(model)]
    raise UnknownNameError(f"no parameter is called {name!r}", legal=known, given=name)


_one_at_a_time = threading.Lock()


def values(model: nn.Module, name: str) -> Iterator[NDArray[np.generic]]:
    """A parameter's stored bits, row-major, in flat pieces; bfloat16 as uint16.

    Raises:
        ModelError: it is on the meta device.
    """
    # what computes a weight may be shared by layers, and has its mode changed and put back meanwhile
    with _one_at_a_time:
        held = effective(*find(model, name))
    if held.device.type == "meta":
        raise ModelError("it is on the meta device and has no values", where=name)
    for piece in pieces(held, _flat):
        bits = piece.cpu()
        yield bits.view(torch.uint16).numpy() if bits.dtype == torch.bfloat16 else bits.numpy()


def _flat(tensor: Tensor) -> Tensor:
    return tensor.contiguous().view(-1)


def weights(model: nn.Module, plan: Mapping[str, Fill], *, seed: int = 0) -> dict[str, Tensor]:
    """The tensors that `write` would leave, by the names of `named_parameters` and buffers.

    For running the model under a plan without touching it: `run.call(model, …, weights=…)`.
    Costs one copy of the parameters named; the model is as it was.

    Raises:
        ModelError: a fill that cannot be held.
    """
    infos = {info.name: info for info in parameters(model)}
    named = {id(tensor): name for name, tensor in [*model.named_buffers(), *model.named_parameters()]}
    found: dict[str, Tensor] = {}
    for name, fill in plan.items():
        if name in infos:
            _check(model, infos[name], fill, seed)
            module, holding = find(model, name)
            if holding.form == SPECTRAL:
                held = _spectral(module, holding, infos[name], fill, seed)
                found |= {named[tensor]: value for tensor, value in held.items()}
                continue
            weight = drawn(holding, infos[name], fill, seed)
            parts = originals(module, holding, weight) if holding.form == INVERTED else (weight,)
            found |= {named[id(t)]: part for (_, t), part in zip(holding.tensors, parts, strict=True)}
    return found


def _spectral(
    module: nn.Module, holding: Holding, info: ParameterInfo, fill: Fill, seed: int
) -> dict[int, Tensor]:
    """id → value of the raw weight and its own singular vectors: written, copied, and put back."""
    with untouched(module), torch.no_grad():
        tensor = holding.tensors[0][1]
        engine(tensor, fill, name=info.name, seed=seed)
        changed = (tensor, *_renew(module, holding, info.name, seed))
        return {id(t): t.detach().clone() for t in changed}
