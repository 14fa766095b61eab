"""predict: how signal and gradient will travel, from a plan alone: no weights, no data, no memory.

This room is not furnished yet; its door is. `predict` takes what `check` takes and will return the
same record, Signals with mode "predict", by carrying moments through the model's own forward and
backward. Until then it says so, and `check(mode="auto")` measures.
"""

from __future__ import annotations

from typing import Any

from ..core.errors import UnsupportedError
from ..core.records import Signals

__all__ = ["predict"]


def predict(model: Any, example: Any = None, *, plan: Any = None, seed: int = 0) -> Signals:
    """The Signals of `model` without running it.

    Raises:
        UnsupportedError: always, for now.
    """
    raise UnsupportedError(
        "prediction without weights is not there yet",
        where='mode="predict"',
        expected='mode="measure" or "auto"',
        fix="check(model, example) measures on a real pass instead.",
    )
