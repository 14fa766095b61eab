"""Reading: the raw numbers of one call of one layer, before anybody judges them."""

from __future__ import annotations

import math
from dataclasses import dataclass

ROLES = (
    "weight",  # a linear map or convolution, or any layer with a matrix of its own
    "recurrent",
    "embedding",
    "norm",
    "activation",
    "add",  # two signals added: a residual stream
    "scale",  # a layer that owns vectors only: LayerScale, PReLU
    "other",
)
WEIGHTED = frozenset({"weight", "recurrent", "embedding"})


@dataclass(frozen=True)
class Inputs:
    """What was read of the example itself.

    Attributes:
        correlation: mean cosine between the different inputs; 0 for integers.
        rms: of the first input; 1 for integers.
        same: are there several inputs, and all the same?
        zero: is every number of it a floating-point zero?
    """

    correlation: float = 0.0
    rms: float = 1.0
    same: bool = False
    zero: bool = False


@dataclass(frozen=True)
class Reading:
    """What was read at one call of one layer. NaN: does not apply, or could not be read.

    Attributes:
        name: path of the module; the second call of the same one ends in "#2"; a residual add is
            named after the module that does it, with a "+".
        kind: the module's class name, "add" for a residual add.
        role: one of `ROLES`.
        shape: of its first floating output.
        dtype, tiny: the output's dtype and its smallest normal number.
        forward_rms, forward_mean: of the output.
        bad: share of the output's elements that are infinite or NaN.
        dead: share of units constant over the batch, after the activation that follows.
        saturated: share of elements where that activation is flat.
        bounded: True if that activation is flat on both sides (tanh, sigmoid).
        correlation: mean cosine between the outputs for different inputs.
        units: number of units.
        unit_spread: largest difference between units at one place, relative to the peak; 0 means
            that all units say the same.
        gradient_rms, gradient_bad: the same of the loss's gradient at the output.
        gradient: "reached", "none" (its output does not reach the result) or "off" (it ran without
            gradients).
        weight_rms, weight_std: of its own weight's values (rms 0: starts at zero).
        weight_dtype: what they are kept in; weight_count: how many there are.
        weight_gradient_rms: of the gradient of its own weight.
        weight_spread: largest difference between the units' weight gradients, relative to the peak.
        result: True if its output is the model's result.
        trained: True if its own weight asks for gradients (is not frozen).
        forward_spread, gradient_spread: standard deviation of ln(rms) from one draw of the weights to the
            next, where that is known: how much of the number is luck.
        unknown, ungraded: why its output, or the gradient there, could not be predicted; "" if it could.
        rests: what the numbers rest on and may fail, in words.
    """

    name: str
    kind: str
    role: str
    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    tiny: float = 2.0**-126
    forward_rms: float = math.nan
    forward_mean: float = math.nan
    bad: float = 0.0
    dead: float = math.nan
    saturated: float = math.nan
    bounded: bool = False
    correlation: float = math.nan
    units: int = 0
    unit_spread: float = math.nan
    gradient_rms: float = math.nan
    gradient_bad: float = 0.0
    gradient: str = "reached"
    weight_rms: float = math.nan
    weight_std: float = math.nan
    weight_dtype: str = ""
    weight_count: int = 0
    weight_gradient_rms: float = math.nan
    weight_spread: float = math.nan
    result: bool = False
    trained: bool = False
    forward_spread: float = math.nan
    gradient_spread: float = math.nan
    unknown: str = ""
    ungraded: str = ""
    rests: tuple[str, ...] = ()

    @property
    def gradient_norm(self) -> float:
        """Euclidean norm of the gradient at the output: what a map that keeps gradients keeps."""
        return self.gradient_rms * math.sqrt(math.prod(self.shape))

    @property
    def missed(self) -> str:
        """What of it could not be predicted, and why; "" if nothing was missed."""
        if self.unknown:
            return f"not predicted: {self.unknown}"
        return f"its gradient was not predicted: {self.ungraded}" if self.ungraded else ""

    @property
    def left_out(self) -> bool:
        """Did its weight, which is to be trained, get no gradient?"""
        return self.trained and math.isnan(self.weight_gradient_rms)

    @property
    def starts_at_zero(self) -> bool:
        """Is its own weight all zeros: a zero-initialised head, branch end or norm gain?"""
        return self.weight_rms == 0
