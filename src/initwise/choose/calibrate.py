"""One data pass that sets each layer's output to its target: rule B's last step, and LSUV's.

In the order in which the layers really run, each weight is multiplied by √(target/measured), where
"measured" is the second moment of its output around its bias on one batch, with everything before it
already calibrated. A linear map's output scales exactly with its weight, so one pass is exact (LSUV's
repetitions, Mishkin and Matas 2015, arXiv:1511.06422, are needed only with a bias or a nonlinearity in
between). The model is not touched: the pass runs on substituted weights, and what it yields are factors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.codec import JsonMixin
from ..core.errors import UnsupportedError
from ..core.fill import Fill
from ..core.plan import Plan
from ..frameworks.protocol import adapter_for, door, served

UNSCALED = "not scaled by the data pass: "
"""How the reason of a fill begins to say that it has no factor."""

SILENT = "its output, or the stream it is added to, is nearly zero on the example"
"""Why a weight has no factor: there is nothing to scale."""

SMALLEST, LARGEST = 1e-4, 1e4
"""A factor outside these is no calibration: the layer's output is (nearly) zero."""


@dataclass(frozen=True)
class Target(JsonMixin):
    """What one layer's output y is to be.

    Attributes:
        value: the target.
        measure: "second", E[(y − bias)²]; "signal", the same, but of a mean that all inputs share at most
            four times their variance; "relative", the variance of y as a share of the residual
            stream's at that place; "spread", the variance of y from input to input.
        bias: the constant in "second" and "signal".
        spread: standard deviation of the bias where it is drawn: that share of `value` is not the weight's.
    """

    value: float
    measure: str = "second"
    bias: float = 0.0
    spread: float = 0.0


@dataclass(frozen=True)
class Factor(JsonMixin):
    """What the data pass found for one weight: it is to be multiplied by `factor` = √(target/measured)."""

    factor: float
    measured: float
    target: float


@dataclass(frozen=True)
class Calibration:
    """What the data pass found: a Factor, or why there is none, for every weight with a target.

    Attributes:
        weights: name → tensor, those it ran on, scaled: the plan's with these factors but for their last bit.
            Empty where the model itself wrote into them.
    """

    factors: Mapping[str, Factor]
    missed: Mapping[str, str]
    weights: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


def measure_factors(
    model: Any, example: Any, plan: Plan, targets: Mapping[str, Target], *, seed: int = 0
) -> Calibration:
    """The factors by which the plan's weights must be multiplied to meet `targets`.

    Args:
        model: a model whose adapter has a `calibrate` door. It is left bit for bit as it is.
        example: a batch, or shapes and dtypes.
        plan: the weights to start from, drawn with `seed`.
        targets: weight name → Target; those that do not run, or cannot be scaled, are `missed`.

    Raises:
        UnsupportedError: the model's framework has no data pass.
        ExampleError, ForwardError: as running the model does; also an example that holds NaN or infinity.
        ModelError: a weight's output is not finite though the example is.
    """
    adapter = adapter_for(model)
    data_pass = door(adapter, "calibrate")
    if data_pass is None:
        raise UnsupportedError(
            f"a data pass for {adapter.name} models",
            expected=served("calibrate"),
            fix="Use the analytic rule A2: it needs no data.",
        )
    found: Calibration = data_pass(model, example, plan, targets, seed=seed)
    return found


def calibrated(plan: Plan, found: Calibration, name: str) -> Plan:
    """`plan` with its fills multiplied by the factors, each reason telling the measured numbers.

    A fill without a factor stays, and its reason says why.
    """
    changes = {weight: _scaled(plan[weight], factor) for weight, factor in found.factors.items()}
    for weight, why in found.missed.items():
        changes[weight] = plan[weight].because(f"{plan[weight].reason}; {UNSCALED}{why}")
    return plan.with_fills(changes, name)


def _scaled(fill: Fill, found: Factor) -> Fill:
    told = f"measured {found.measured:.3g} for a target of {found.target:.3g}, so × {found.factor:.3g}"
    return fill.scaled(found.factor).because(f"{fill.reason}; on one batch {told}")


def unscaled(plan: Plan) -> dict[str, str]:
    """Weights that the data pass was to scale and could not: name → why."""
    return {name: fill.reason.split(UNSCALED, 1)[1] for name, fill in plan.items() if UNSCALED in fill.reason}
