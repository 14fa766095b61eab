"""A plan's weights for a torch model, as tensors beside it. Imported only with a torch model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..core.plan import Plan
from ..frameworks.protocol import adapter_for
from ..frameworks.torch.run import untouched


def drawn(model: nn.Module, plan: Plan, *, seed: int) -> dict[str, Tensor]:
    """What the model's parameters would be under `plan`, by the names of `named_parameters`.

    The adapter writes into the model itself, so that whatever wraps a weight is respected; the
    values are copied and the model is put back bit for bit.
    """
    adapter = adapter_for(model)
    infos = {info.name: info for info in adapter.parameters(model)}
    with untouched(model), torch.no_grad():
        for name, fill in plan.fills:
            adapter.write(model, infos[name], fill, seed=seed)
        return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
