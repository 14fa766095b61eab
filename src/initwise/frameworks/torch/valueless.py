"""Running a torch model that has no values: fake tensors stand for its weights and what comes of them.

Shapes are all that is known then. Whatever is made of no weight and no floating input (positions, masks,
constants) is computed with its real numbers, on the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode

from ..inputs import Input

ALIKE = {
    "zeros_like": 0,
    "new_zeros": 0,
    "ones_like": 1,
    "new_ones": 1,
}
"""Constants made in the likeness of a signal: operation → value."""
LARGEST = 2**22
"""Elements of such a constant, at most, that is made with its numbers."""


@dataclass(frozen=True)
class StandIns:
    """Fake tensors of one mode."""

    mode: FakeTensorMode

    @classmethod
    def new(cls) -> StandIns:
        """With a mode of their own, in which real tensors may meet them."""
        return cls(FakeTensorMode(allow_non_fake_inputs=True))

    def fake(self, dtype: torch.dtype, shape: tuple[int, ...], given: Tensor | Input) -> Tensor:
        """What stands for a floating-point input: see `run.arguments`."""
        with self.mode:
            return torch.empty(shape, dtype=dtype)

    def weights(self, model: nn.Module) -> dict[str, Tensor]:
        """Every parameter as a fake tensor that asks for gradients where it does, and `stand_in_buffers`."""
        found: dict[str, Tensor] = {}
        with self.mode:
            for name, own in model.named_parameters():
                held = torch.empty(tuple(own.shape), dtype=own.dtype)
                found[name] = held.requires_grad_(own.requires_grad)
        return found | stand_in_buffers(model)


def stand_in_buffers(model: nn.Module) -> dict[str, Tensor]:
    """Name → tensor on the CPU for every buffer on the meta device: ones, and for running means zeros.

    Rotations by any frequencies keep every norm, a mask of ones hides nothing, and a running variance
    of 1 around 0 is what norms begin with.
    """
    return {
        name: (torch.zeros if name.endswith("running_mean") else torch.ones)(buffer.shape, dtype=buffer.dtype)
        for name, buffer in model.named_buffers()
        if not nn.parameter.is_lazy(buffer) and buffer.device.type == "meta"
    }


class Constants(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Gives constants in the likeness of a fake tensor their numbers."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        value = ALIKE.get(func.overloadpacket.__name__)
        if value is None or not isinstance(result, FakeTensor) or result.numel() > LARGEST:
            return result
        return torch.full(tuple(result.shape), value, dtype=result.dtype)


def asked_for_values(error: BaseException | None) -> bool:
    """Did a forward fail because it asked a fake tensor for a number, or for a shape that depends on one?"""
    while error is not None:
        if isinstance(error, (DataDependentOutputException, DynamicOutputShapeException)):
            return True
        error = error.__cause__ or error.__context__
    return False
