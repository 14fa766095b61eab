"""A DTensor's shard: filled with its own piece of the whole tensor's values, whatever the sharding."""

from __future__ import annotations

from typing import Any

import torch

from ..core.errors import OutputError, UnsupportedError
from ..core.fill import Fill
from ..frameworks.memory import fill


def is_sharded(tensor: Any) -> bool:
    """Is it a DTensor? Asked without importing torch.distributed."""
    return hasattr(tensor, "placements") and hasattr(tensor, "device_mesh")


def fill_shard(tensor: Any, values: Fill, name: str, seed: int) -> None:
    """Fill the local shard of a DTensor by the stream (seed, name); the mesh's first rank's seed counts.

    Raises:
        OutputError: a partial placement.
        UnsupportedError: a local shard that is not one block of the tensor.
    """
    mesh = tensor.device_mesh
    if mesh.get_coordinate() is None:
        return
    agreed = _agreed(seed, mesh)
    with torch.no_grad():
        local = tensor.to_local()
        offset = _offset(tensor, tuple(local.shape))
        if local.numel():
            fill(local, values, name=name, seed=agreed, shape=tuple(tensor.shape), offset=offset)
    if not tensor.is_inference():
        torch.autograd.graph.increment_version(tensor)


def _agreed(seed: int, mesh: Any) -> int:
    """The seed that the mesh's first rank drew: ranks in other random states must not hold other weights."""
    if mesh.size() == 1:
        return seed
    word = torch.tensor([seed - 2**63], dtype=torch.int64, device=mesh.device_type)
    for axis in range(mesh.ndim):
        group = mesh.get_group(axis)
        torch.distributed.broadcast(word, torch.distributed.get_global_rank(group, 0), group=group)
    return int(word.item()) + 2**63


def _offset(tensor: Any, local: tuple[int, ...]) -> tuple[int, ...]:
    """Where the local shard begins in the whole tensor, found by cutting the axes' indices as it was cut."""
    shape, coordinate = tuple(tensor.shape), tensor.device_mesh.get_coordinate()
    indices = [_along(torch.arange(size), axis, len(shape)) for axis, size in enumerate(shape)]
    for placement, count, rank in zip(tensor.placements, tensor.device_mesh.shape, coordinate, strict=True):
        if placement.is_partial():
            raise OutputError(f"a DTensor placed as {placement}", expected="shards or replicas")
        axis = getattr(placement, "dim", None)
        if axis is not None:
            pieces, _ = placement._split_tensor(indices[axis], count, with_padding=False, contiguous=False)
            indices[axis] = pieces[rank]
    runs = [index.flatten() for index in indices]
    if tuple(map(len, runs)) != local or any(bool((run.diff() != 1).any()) for run in runs):
        raise UnsupportedError(
            f"a DTensor whose shard of shape {local} is not one block of {shape}",
            expected="shards that are one block of the tensor",
            fix="Fill it before it is distributed.",
        )
    return tuple(int(run[0]) if len(run) else 0 for run in runs)


def _along(index: torch.Tensor, axis: int, rank: int) -> torch.Tensor:
    return index.view([-1 if k == axis else 1 for k in range(rank)])
