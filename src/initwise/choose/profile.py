"""Admin by measurement: factors on shortcuts from the variances of the branches on one batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..core.errors import ModelError, UnsupportedError
from ..core.plan import Plan
from ..frameworks.initialize import plan_for
from ..frameworks.protocol import adapter_for, door, served
from ..schemes import scheme


@dataclass(frozen=True)
class Branch:
    """One place x·ω + f(x), in execution order.

    Attributes:
        name: the parameter ω.
        stream, branch: variance of x and of f(x), over the whole batch.
    """

    name: str
    stream: float
    branch: float


def admin_plan(model: Any, example: Any = None, *, seed: int = 0, base: str = "xavier_uniform") -> Plan:
    """The plan of scheme "admin_profiled": the base scheme, and ω_i² = Var[x₀] + Σ_{j<i} Var[f_j].

    Args:
        model: with a factor on each shortcut; left as it is.
        example: a batch, or shapes and dtypes. seed: of the weights that are profiled.
        base: the scheme of everything else.

    Raises:
        ModelError: no such factor, one that is not seen on a shortcut, a branch that is not finite.
        UnsupportedError: the model's framework has no data pass. ExampleError, ForwardError: it does not run.
    """
    adapter = adapter_for(model)
    profile = door(adapter, "branches")
    if profile is None:
        raise UnsupportedError(
            f"profiling of {adapter.name} models",
            expected=served("branches"),
            fix='Take the closed form: scheme("admin").',
        )
    plan = plan_for(model, scheme("admin", output="constant", base=base))
    wanted = [name for name, fill in plan.items() if fill.reason.endswith("on the shortcut")]
    found: Sequence[Branch] = profile(model, example, plan, wanted, seed=seed)
    _all_seen(wanted, found)
    changes, total = {}, found[0].stream
    for branch in found:
        omega = math.sqrt(total)
        why = (
            f"branches before it and the first stream have variance {total:.4g} on one batch: ω = {omega:.6g}"
        )
        changes[branch.name] = plan[branch.name].scaled(omega).because(why)
        total += branch.branch
    return plan.with_fills(changes, "admin_profiled")


def _all_seen(wanted: Sequence[str], found: Sequence[Branch]) -> None:
    """Raise ModelError unless every factor was seen once, with variances that are numbers."""
    seen = {branch.name for branch in found}
    lost = next((name for name in wanted if name not in seen), None)
    if lost is not None:
        raise ModelError(
            "it was not seen to multiply a shortcut that a branch is added to",
            where=lost,
            expected="x * ω + f(x)",
            cause="the layer does not run on the example, or ω stands elsewhere",
            fix='Take the closed form: scheme("admin").',
        )
    for branch in found:
        if not (0 < branch.stream < math.inf and 0 <= branch.branch < math.inf):
            raise ModelError(
                f"variance {branch.stream:.3g} of the stream, {branch.branch:.3g} of the branch",
                where=branch.name,
                expected="finite numbers, the stream's > 0",
                cause="an example of equal inputs, or weights that explode",
            )
