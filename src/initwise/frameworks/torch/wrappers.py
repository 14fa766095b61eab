"""Seeing through modules that only run another one: compiled, parallel, checkpointed.

They put a step of their own into every name ("_orig_mod.0.weight"). A parameter's numbers follow
from its name, so it goes by the one it has without them, and a plan fits with and without.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

CHILD = {
    "OptimizedModule": "_orig_mod",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "CheckpointWrapper": "_checkpoint_wrapped_module",
}
"""The wrapper's class → its name of what it wraps."""


def unwrapped(module: nn.Module) -> nn.Module:
    """What a wrapper runs in the end; any other module itself."""
    while (child := _child(module)) is not None:
        module = child
    return module


def layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """`model.named_modules()` without the wrappers."""
    for path, module in model.named_modules():
        if _child(module) is None:
            yield clean(model, path), module


def clean(model: nn.Module, name: str) -> str:
    """A module's or parameter's name without the wrappers' steps."""
    module: nn.Module | None = model
    kept: list[str] = []
    for step in name.split("."):
        if module is None or _child(module) is None or step != _key(module):
            kept.append(step)
        module = None if module is None else _part(module, step)
    return ".".join(kept)


def submodule(model: nn.Module, steps: list[str]) -> nn.Module | None:
    """The module at a clean path, or None."""
    module: nn.Module | None = unwrapped(model)
    for step in steps:
        child = None if module is None else _part(module, step)
        module = None if child is None else unwrapped(child)
    return module


def _key(module: nn.Module) -> str:
    return next((CHILD[cls.__name__] for cls in type(module).__mro__ if cls.__name__ in CHILD), "")


def _child(module: nn.Module) -> nn.Module | None:
    key = _key(module)
    return _part(module, key) if key else None


def _part(module: nn.Module, step: str) -> nn.Module | None:
    # scripted modules keep theirs in something that has no get()
    return module._modules[step] if step in module._modules else None  # noqa: SIM401
