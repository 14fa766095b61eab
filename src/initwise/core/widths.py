"""WidthCheck: how signal, gradient and first updates change with a model's width."""

from __future__ import annotations

from dataclasses import dataclass

from .codec import JsonMixin
from .errors import UnhealthyError
from .records import Finding
from .rendering import Rendered


@dataclass(frozen=True)
class LayerScaling(JsonMixin):
    """One layer's exponents: a quantity goes as width^exponent. NaN: does not apply, or is zero.

    Attributes:
        name, kind: the module's path and class name.
        forward: of the rms of its output; gradient: of the gradient there, weight_gradient: at its weight.
        fan_in: of the number of weights that one output sums over: 1 for a hidden matrix.
        sgd, adam: of the rms of the change that one step on its own weight makes in its output, at a learning
            rate that is the same for all widths. Its negative is the exponent of the learning rate
            at which the change neither vanishes nor grows.
        forward_rms, gradient_rms: at each width.
        misfit: largest |ln(rms/fit)| of the outputs: how far from a power of the width they are.
        verdict: "ok", "exploding" or "vanishing" with width, or "unpredicted"; reason: why.
    """

    name: str
    kind: str
    forward: float
    gradient: float
    weight_gradient: float
    fan_in: float
    sgd: float
    adam: float
    forward_rms: tuple[float, ...] = ()
    gradient_rms: tuple[float, ...] = ()
    misfit: float = 0.0
    verdict: str = "ok"
    reason: str = ""


@dataclass(frozen=True)
class WidthCheck(JsonMixin, Rendered):
    """How a model scales with its width: a coordinate check without training.

    Attributes:
        mode: "measure" or "predict".
        widths: ascending.
        layers: in execution order; those that are there at every width.
        findings: the first layer that grows and the first that vanishes with the width.
        note: what was assumed, and what was left out.
    """

    mode: str
    widths: tuple[int, ...]
    layers: tuple[LayerScaling, ...]
    findings: tuple[Finding, ...] = ()
    note: str = ""

    @property
    def healthy(self) -> bool:
        """True when no layer's output grows or vanishes with the width."""
        return not self.findings

    def assert_healthy(self) -> None:
        """Raise UnhealthyError, naming the first finding, unless healthy."""
        if self.findings:
            first = self.findings[0]
            raise UnhealthyError(
                f"{first.verdict} with width: {first.reason}",
                where=first.layer,
                expected="outputs that do not change with the width",
            )
