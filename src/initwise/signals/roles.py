"""Which torch modules get a row, what role they play, and along which axis their units lie."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from ..frameworks.torch.wrappers import clean, layers

# layers that move, pick or scale values and have no statistics of their own worth a row
_SILENT = frozenset(
    f"torch.nn.modules.{name}"
    for name in (
        "channelshuffle",
        "distance",
        "dropout",
        "flatten",
        "fold",
        "loss",
        "padding",
        "pixelshuffle",
        "pooling",
        "upsampling",
    )
)
_CHANNELS_SECOND = (_ConvNd, _NormBase, nn.GroupNorm)
_PARAMETRIZATIONS = "parametrizations"
_HOLDERS = (nn.ParameterList, nn.ParameterDict)
"""Modules that hold parameters and compute nothing."""


def reported(model: nn.Module) -> dict[str, nn.Module]:
    """Path → module of those that get a row: all that own parameters, and all leaves that compute.

    Dropout, pooling, padding, reshaping and Identity get none, nor do plain containers: the
    residual adds inside containers are read where they happen. The root gets one only if it is a
    leaf or owns a matrix (a model written with bare parameters). What a ParameterList holds is its owner's.
    """
    found = {}
    for path, module in layers(model):
        if _PARAMETRIZATIONS in path.split(".") or isinstance(module, (torch.jit.ScriptModule, *_HOLDERS)):
            continue
        if path == "" and not (_leaf(module) or any(p.dim() > 1 for p in own_parameters(module).values())):
            continue
        if own_parameters(module) or (_leaf(module) and not _silent(module)):
            found[path] = module
    return found


def opaque(model: nn.Module) -> tuple[tuple[str, str], ...]:
    """(path, kind) of the outermost TorchScript modules that own parameters: no hook runs in them."""
    scripted = {p for p, module in model.named_modules() if isinstance(module, torch.jit.ScriptModule)}
    return tuple(
        (clean(model, path), kind(module))
        for path, module in model.named_modules()
        if path in scripted
        and not (path and path.rpartition(".")[0] in scripted)
        and any(True for _ in module.parameters())
    )


def _leaf(module: nn.Module) -> bool:
    return all(
        name == _PARAMETRIZATIONS or isinstance(child, _HOLDERS) for name, child in module.named_children()
    )


def _silent(module: nn.Module) -> bool:
    kind = type(module)
    return kind.__module__ in _SILENT or isinstance(module, nn.Identity) or "Drop" in kind.__name__


def own_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """A module's own floating parameters by local name; those behind its parametrizations, or in lists and
    dicts of parameters, too."""
    found = dict(module.named_parameters(recurse=False, remove_duplicate=False))
    for held, child in module.named_children():
        if isinstance(child, _HOLDERS):
            found |= {f"{held}.{name}": p for name, p in child.named_parameters()}
    inner = getattr(module, _PARAMETRIZATIONS, None)
    if isinstance(inner, nn.ModuleDict):
        found |= {f"{_PARAMETRIZATIONS}.{name}": p for name, p in inner.named_parameters()}
    return {name: p for name, p in found.items() if p.is_floating_point()}


def weights(module: nn.Module) -> list[nn.Parameter]:
    """The parameters that count as the layer's own weight: matrices, else the gain, else all."""
    own = own_parameters(module)
    matrices = [p for p in own.values() if p.dim() > 1]
    return matrices or ([own["weight"]] if "weight" in own else list(own.values()))


def role(module: nn.Module) -> str:
    """One of `reading.ROLES`, except "add"."""
    if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        return "recurrent"
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return "embedding"
    if isinstance(module, (_NormBase, nn.GroupNorm, nn.LayerNorm)) or type(module).__name__.endswith("Norm"):
        return "norm"
    own = own_parameters(module)
    if any(p.dim() > 1 for p in own.values()):
        return "weight"
    if type(module).__module__ == nn.ReLU.__module__ and "Softm" not in type(module).__name__:
        return "activation"
    return "scale" if own else "other"


def unit_axis(module: nn.Module | None, output: Tensor, inherited: int | None) -> int:
    """The axis of `output` along which the units (features, channels) lie.

    Convolutions and channel norms: axis 1 of a batch; other weighted layers: the last. Layers
    without their own opinion take the axis their input had, if it still fits.
    """
    if isinstance(module, _ConvNd):
        return output.dim() - len(module.kernel_size) - 1
    if isinstance(module, _CHANNELS_SECOND):
        return min(1, output.dim() - 1)
    if module is not None and role(module) in ("weight", "recurrent", "embedding", "norm"):
        return output.dim() - 1
    if inherited is not None and inherited < output.dim():
        return inherited
    return 1 if output.dim() >= 4 else output.dim() - 1


def time_first(model: nn.Module) -> bool:
    """Do the model's recurrent and attention layers put time before the batch (torch's default)?"""
    kinds = (nn.RNNBase, nn.MultiheadAttention)
    flags = [bool(m.batch_first) for m in model.modules() if isinstance(m, kinds)]
    return bool(flags) and not any(flags)


def kind(module: nn.Module) -> str:
    """The class's name as the user wrote it: a parametrized Linear is still a Linear."""
    return type(module).__name__.removeprefix("Parametrized")
