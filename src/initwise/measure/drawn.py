"""A plan with its weights, for who has drawn them already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.plan import Plan


@dataclass(frozen=True)
class Drawn:
    """What `check(model, example, plan=…)` takes as it takes a Plan, without drawing it.

    Attributes:
        plan: whose weights they are.
        weights: parameter name → tensor, in memory of their own; a check may write into them.
    """

    plan: Plan
    weights: Mapping[str, Any]
