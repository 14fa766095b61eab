"""Which tensors hold a layer's parameters, seen through parametrizations and hooks.

Writing to `module.weight` of a parametrized layer writes to a temporary and does nothing. So a
`Holding` says, for each parameter a layer has, under which name initwise knows it and which
`nn.Parameter`s hold it.

| wrapped by | name | what a Fill describes |
|---|---|---|
| nothing | `weight` | the parameter |
| weight_norm, old and new | `weight` | the effective weight; g and v follow from it |
| whatever gives back what is set through it | `weight` | the effective weight |
| spectral_norm | `parametrizations.weight.original` | the raw weight; u and v are renewed |
| old spectral_norm | `weight_orig` | the same |
| pruning | `weight_orig` | the raw weight; the mask stays |
| orthogonal, and any other | the originals' own | refused: it would not hold what is written |
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from .state import has_data, untouched

PLAIN, INVERTED, SPECTRAL = "plain", "inverted", "spectral"


@dataclass(frozen=True)
class Holding:
    """One parameter of a layer and what holds it.

    Attributes:
        local: the parameter's local name in the layer's row ("weight").
        name: its name relative to the module, under which initwise knows it.
        form: "plain", "inverted" (written through the inverse of what wraps it) or "spectral".
        tensors: (name relative to the module, parameter) of what holds it.
        shape, dtype: of what a Fill describes.
        problem: why it cannot be written, or "".
        remark: what is to be known when it is written, or "".
    """

    local: str
    name: str
    form: str
    tensors: tuple[tuple[str, nn.Parameter], ...]
    shape: tuple[int, ...]
    dtype: torch.dtype
    problem: str = ""
    remark: str = ""


def holdings(module: nn.Module) -> Iterator[Holding]:
    """Every parameter that `module` itself owns."""
    taken: set[str] = set()
    for holding in (*_parametrized(module), *_hooked(module)):
        taken.update(name for name, _ in holding.tensors)
        yield holding
    if isinstance(module, parametrize.ParametrizationList):
        # held by the parametrized module, which came before
        taken.update(name for name in module._parameters if name.startswith("original"))
    for name, tensor in module._parameters.items():
        if tensor is not None and name not in taken:
            yield plain(name, tensor)


def plainly(module: nn.Module, name: str) -> Holding | None:
    """The parameter `name` of a module of which nothing is wrapped; None in all other cases."""
    tensor = module._parameters.get(name) if isinstance(module._parameters, dict) else None
    wrapped = isinstance(module, parametrize.ParametrizationList) or parametrize.is_parametrized(module)
    return None if tensor is None or wrapped or module._forward_pre_hooks else plain(name, tensor)


def plain(name: str, tensor: nn.Parameter, local: str = "", form: str = PLAIN, problem: str = "") -> Holding:
    """A parameter that holds its own values."""
    shape = () if nn.parameter.is_lazy(tensor) else tuple(tensor.shape)
    return Holding(local or name, name, form, ((name, tensor),), shape, tensor.dtype, problem)


def _parametrized(module: nn.Module) -> Iterator[Holding]:
    if not parametrize.is_parametrized(module):
        return
    lists: Any = module.parametrizations
    for local, wrapper in lists.items():
        originals = tuple(
            (f"parametrizations.{local}.{name}", tensor)
            for name, tensor in wrapper._parameters.items()
            if name.startswith("original") and tensor is not None
        )
        if originals:
            yield from _wrapped(local, wrapper, originals)


def _wrapped(
    local: str, wrapper: parametrize.ParametrizationList, originals: tuple[tuple[str, nn.Parameter], ...]
) -> Iterator[Holding]:
    kinds = [type(step) for step in wrapper]
    if kinds == [parametrizations._SpectralNorm]:
        yield plain(*originals[0], local=local, form=SPECTRAL)
        return
    # weight_norm is known to give back what is set; the rest is tried, if there are values to try
    known = kinds == [parametrizations._WeightNorm] or not all(has_data(tensor) for _, tensor in originals)
    problem = "" if known else _obstacle(wrapper, local)
    if problem:
        yield from (plain(*original, local=local, problem=problem) for original in originals)
        return
    effective = originals[-1][1] if known else _effective(wrapper)
    yield Holding(local, local, INVERTED, originals, tuple(effective.shape), effective.dtype)


def _hooked(module: nn.Module) -> Iterator[Holding]:
    """What the old hook-based weight_norm, spectral_norm and pruning hold."""
    own = module._parameters
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm):
            pair = tuple((hook.name + end, own[hook.name + end]) for end in ("_g", "_v"))
            held = tuple((name, tensor) for name, tensor in pair if tensor is not None)
            yield Holding(hook.name, hook.name, INVERTED, held, tuple(held[1][1].shape), held[1][1].dtype)
        elif isinstance(hook, (SpectralNorm, BasePruningMethod)):
            spectral = isinstance(hook, SpectralNorm)
            local = hook.name if isinstance(hook, SpectralNorm) else hook._tensor_name
            tensor = own.get(f"{local}_orig")
            if tensor is not None:
                raw = plain(f"{local}_orig", tensor, local, SPECTRAL if spectral else PLAIN)
                yield raw if spectral else replace(raw, remark=_pruned(module, local))


def _pruned(module: nn.Module, local: str) -> str:
    """What a mask does to the weight that is filled."""
    mask = module._buffers.get(f"{local}_mask")
    if mask is None or not mask.numel() or not has_data(mask):
        return ""
    share = float((mask != 0).double().mean())
    return (
        f"it is pruned: the mask leaves {share:.3g} of it, so the second moment of the {local} in use is "
        f"{share:.3g} times that of this one"
    )


def _obstacle(wrapper: parametrize.ParametrizationList, local: str) -> str:
    """Why `wrapper` cannot hold just any weight, or ""; found by trying one, in copies."""
    names = " and ".join(type(step).__name__.lstrip("_") for step in wrapper)
    fix = (
        f"Initialize before parametrizing, or leave it: torch.nn.utils.parametrize."
        f'remove_parametrizations(layer, "{local}") gives back a plain weight.'
    )
    if any(not hasattr(step, "right_inverse") for step in wrapper):
        return f"the parametrization {names} has no right_inverse, so no weight can be set through it. {fix}"
    try:
        probe = _probe(_effective(wrapper))
        stuck = holds(probe, apply(wrapper, invert(wrapper, probe)))
    except Exception as error:
        return f"the parametrization {names} refused a trial weight ({type(error).__name__}: {error}). {fix}"
    if stuck:
        return ""
    return (
        f"the parametrization {names} does not give back the weight that is set: it keeps its own form. {fix}"
    )


@contextmanager
def quiet(wrapper: nn.Module) -> Iterator[None]:
    """Evaluation mode, and nothing changed on leaving: a spectral norm advances its power iteration
    whenever its weight is read in training mode, and anybody's parametrization may draw numbers."""
    with untouched(wrapper), torch.no_grad():
        wrapper.eval()
        yield


def _effective(wrapper: parametrize.ParametrizationList) -> Tensor:
    with quiet(wrapper):
        effective: Tensor = wrapper()
        return effective.detach()


def _probe(like: Tensor) -> Tensor:
    """A weight without symmetry, bounded and never zero, without touching any generator."""
    steps = torch.arange(like.numel(), device=like.device, dtype=torch.float64)
    values = 0.5 + (steps * 0.6180339887498949) % 1.0
    signs = 1 - 2 * ((steps * 0.7548776662466927) % 1.0 < 0.5).to(torch.float64)
    return (values * signs).reshape(like.shape).to(like.dtype)


def effective(module: nn.Module, holding: Holding) -> Tensor:
    """What a Fill of `holding` describes, as it is now; detached, not to be written to."""
    if holding.form != INVERTED:
        return holding.tensors[0][1].detach()
    return forward(module, holding, tuple(tensor.detach() for _, tensor in holding.tensors))


def forward(module: nn.Module, holding: Holding, originals: tuple[Tensor, ...]) -> Tensor:
    """The weight that `originals` would make; changes nothing."""
    hook = weight_norm_hook(module, holding.local)
    if hook is None:
        return apply(module.parametrizations[holding.local], originals)  # type: ignore[index]
    magnitude, direction = originals
    return torch._weight_norm(direction, magnitude, hook.dim)


def originals(module: nn.Module, holding: Holding, weight: Tensor) -> tuple[Tensor, ...]:
    """What the holding's tensors must be for the effective weight to be `weight`; changes nothing."""
    hook = weight_norm_hook(module, holding.local)
    if hook is None:
        return invert(module.parametrizations[holding.local], weight)  # type: ignore[index]
    return torch.norm_except_dim(weight, 2, hook.dim), weight


def weight_norm_hook(module: nn.Module, local: str) -> WeightNorm | None:
    """The old weight_norm's hook on the parameter `local`, if there is one."""
    hooks = module._forward_pre_hooks.values()
    return next((hook for hook in hooks if isinstance(hook, WeightNorm) and hook.name == local), None)


def invert(wrapper: Any, weight: Tensor) -> tuple[Tensor, ...]:
    """The originals from which `wrapper` makes `weight`; changes nothing."""
    value: Any = weight
    with quiet(wrapper):
        for step in reversed(wrapper):
            value = step.right_inverse(value)
    return (value,) if isinstance(value, Tensor) else tuple(value)


def apply(wrapper: Any, originals: tuple[Tensor, ...]) -> Tensor:
    """What `wrapper` makes of `originals`; changes nothing."""
    with quiet(wrapper):
        value: Tensor = wrapper[0](*originals)
        for step in list(wrapper)[1:]:
            value = step(value)
    return value


def holds(wanted: Tensor, found: Tensor) -> bool:
    """Are two weights equal up to a few roundings in their dtype?"""
    if wanted.shape != found.shape or wanted.dtype != found.dtype:
        return False
    if not wanted.numel():
        return True
    size = float(wanted.abs().max())
    gap = float((wanted.double() - found.double()).abs().max())
    return gap <= 16 * torch.finfo(wanted.dtype).eps * size
