"""Drawing inside torch.compile and other tracers: one operator, so that no graph is broken."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..core.errors import UnsupportedError


@torch.library.custom_op("initwise::draw_", mutates_args={"tensor"})
def _operator(tensor: Tensor, where: str, law: str, numbers: Sequence[float]) -> None:
    from .drawing import draw

    draw(tensor, where, law, numbers)


@_operator.register_fake
def _(tensor: Tensor, where: str, law: str, numbers: Sequence[float]) -> None:
    return None


def captured(
    tensor: Tensor, where: str, law: str, numbers: Sequence[float], generator: torch.Generator | None
) -> Tensor:
    """As `drawing.draw`, once the graph runs: the seed is drawn then."""
    if generator is not None:
        raise UnsupportedError(
            "generator= in compiled code",
            where=where,
            cause="a graph cannot hold a torch.Generator",
            fix="Leave generator out, or mark the calling function with torch.compiler.disable.",
        )
    _operator(tensor, where, law, list(numbers))
    return tensor
