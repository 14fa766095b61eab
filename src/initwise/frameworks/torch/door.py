"""The adapter's door: what the house calls, without torch until a torch model is there."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.fill import Fill
from ...core.graph import Graph
from ...core.parameter import ParameterInfo


class TorchAdapter:
    """`Adapter` for `torch.nn.Module`; see `walk`, `trace` and `adapter` for what each does."""

    name: str = "torch"
    aliases: tuple[str, ...] = ("pytorch",)
    package: str = "torch"
    models: str = "a torch.nn.Module"
    default_scheme: str = "torch_default"
    measure: str = "initwise.measure.substitutes:measured"
    predict: str = "initwise.predict.running:predicted"
    together: str = "initwise.frameworks.torch.adapter:write_together"
    calibrate: str = "initwise.choose.calibrate_torch:measure_factors"
    adapters: str = "initwise.frameworks.torch.lora:adapters"
    attention: str = "initwise.frameworks.torch.attention:attention"
    branches: str = "initwise.choose.profile_torch:branches"
    unchanging: str = "initwise.frameworks.torch.walk:unchanging"

    def recognises(self, model: Any) -> bool:
        """Is `model` an `nn.Module`?"""
        torch = sys.modules.get("torch")
        return torch is not None and isinstance(model, torch.nn.Module)

    def parameters(self, model: Any) -> tuple[ParameterInfo, ...]:
        """See `walk.parameters`."""
        from .walk import parameters

        return parameters(model)

    def check(self, model: Any, fills: Sequence[tuple[ParameterInfo, Fill]], *, seed: int) -> None:
        """See `adapter.check`."""
        from .adapter import check

        check(model, fills, seed=seed)

    def write(self, model: Any, info: ParameterInfo, fill: Fill, *, seed: int) -> None:
        """See `adapter.write`."""
        from .adapter import write

        write(model, info, fill, seed=seed)

    def values(self, model: Any, name: str) -> Iterator[NDArray[np.generic]]:
        """See `adapter.values`."""
        from .adapter import values

        return values(model, name)

    def trace(self, model: Any, example: Any) -> Graph:
        """See `trace.trace`."""
        from .trace import trace

        return trace(model, example)
