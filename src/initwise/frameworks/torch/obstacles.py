"""Why a tensor cannot be written, each with what to do instead."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...core.storage import DTYPES, extent, overlaps
from ..overlap import overlapping


def obstacle(name: str, tensor: Tensor) -> str:
    """Why `tensor` cannot be filled, or "".

    To have no memory yet (the meta device) is no obstacle here: a plan needs shapes alone. What
    writes refuses a model of which any part is there.
    """
    for kind, problem in _SUBCLASSES.items():
        if any(cls.__name__ == kind for cls in type(tensor).__mro__):
            return problem
    if hasattr(tensor, "ds_shape"):
        return (
            "it is a DeepSpeed ZeRO-3 placeholder; fill inside deepspeed.zero.GatheredParameters, "
            "or before the model is partitioned"
        )
    if hasattr(type(tensor), "__tensor_flatten__"):
        return (
            f"it is a {type(tensor).__name__}, which wraps other tensors; initialize before converting to it"
        )
    return _kind(tensor) or _memory(tensor)


_SUBCLASSES = {
    "DTensor": "it is sharded (DTensor), which is not supported yet; initialize before sharding",
    "ShardedTensor": "it is sharded, which is not supported yet; initialize before sharding",
    "FlatParameter": "it is one of FSDP's flat parameters, many tensors in one; initialize before wrapping",
    "FakeTensor": "it is a fake tensor and has no memory; build the model outside FakeTensorMode",
}


def _kind(tensor: Tensor) -> str:
    if tensor.is_complex():
        return "it is complex; no published law says what its real and imaginary parts are"
    if tensor.is_quantized or not tensor.is_floating_point():
        return f"it is {_name(tensor)}, quantized or an index; initialize the floating-point model"
    if _name(tensor) not in DTYPES:
        return f"it is {_name(tensor)}; initialize in {', '.join(DTYPES)} and convert"
    return ""


def _memory(tensor: Tensor) -> str:
    if tensor.layout != torch.strided:
        return f"it is stored as {_dtype(tensor.layout)}; only dense tensors can be filled"
    if not backed(tensor):
        return "its memory was freed or is smaller than its shape; materialize it first (FSDP: unshard)"
    if tensor.is_inference():
        return "it was made in inference mode and cannot be changed; build the model outside it"
    if overlaps(tensor.shape, tensor.stride()):
        return "it is an expanded view: several elements share one place; call .contiguous() on it"
    return ""


def backed(tensor: Tensor) -> bool:
    """Does the tensor's storage hold all of its elements? Not once it was freed, as FSDP does between
    passes, nor for tensors that only say what they are (zero tensors, those under functionalization)."""
    if tensor.device.type == "meta" or not tensor.numel():
        return True
    if torch._is_zerotensor(tensor) or torch._is_functional_tensor(tensor):
        return False
    _, end = extent(int(tensor.storage_offset()), tensor.shape, tensor.stride(), 1)
    return tensor.untyped_storage().nbytes() >= end * tensor.element_size()


def _name(tensor: Tensor) -> str:
    return _dtype(tensor.dtype)


def _dtype(kind: object) -> str:
    return str(kind).removeprefix("torch.")


def shared(model: nn.Module) -> dict[int, str]:
    """id(parameter) → problem, for parameters whose memory another parameter or buffer shares.

    One tensor under several names is tied, which is fine; two tensors over the same memory are
    not: whichever is written last wins.
    """
    tensors = dict([*model.named_parameters(), *model.named_buffers()])
    extents = [(*_extent(tensor), name) for name, tensor in tensors.items() if _dense(tensor)]
    return {
        id(tensors[name]): f"it shares memory with {other} without being the same Parameter; to tie them, "
        "assign the one Parameter to both, otherwise give each its own memory with .clone()"
        for name, other in overlapping(extents).items()
    }


def _dense(tensor: Tensor) -> bool:
    if nn.parameter.is_lazy(tensor) or tensor.layout != torch.strided or tensor.is_nested:
        return False
    if not tensor.numel():
        return False
    return type(tensor) in (Tensor, nn.Parameter) and tensor.device.type != "meta"


def _extent(tensor: Tensor) -> tuple[int, int]:
    size = tensor.element_size()
    return extent(tensor.data_ptr(), tensor.shape, [size * stride for stride in tensor.stride()], size)
