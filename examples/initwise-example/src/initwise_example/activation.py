"""Penalized tanh: tanh, a quarter of it below 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from initwise.activations import ActivationRow


def penalized_tanh(x: Any, slope: float) -> Any:
    """tanh(x) for x > 0, slope·tanh(x) below."""
    return np.tanh(x) * np.where(x > 0, 1.0, slope)


row = ActivationRow(
    name="penalized_tanh",
    function=penalized_tanh,
    formula="tanh(x) for x > 0, else a·tanh(x)",
    citation="Xu, Huang, Li 2016, Revise saturated activation functions, arXiv:1602.05980",
    parameters={"slope": 0.25},
    kinks=(0.0,),
)
