"""Activations: what a nonlinearity does to a normal signal, and the gain that makes up for it."""

from .base import Activation, ActivationRow, activation, activations, registry
from .critical import Criticality, CriticalPoint, critical, critical_point
from .gains import gain, gate
from .moments import Gains, Moments
from .propagation import FixedPoint, fixed_point
from .published import Published

__all__ = [
    "Activation",
    "ActivationRow",
    "CriticalPoint",
    "Criticality",
    "FixedPoint",
    "Gains",
    "Moments",
    "Published",
    "activation",
    "activations",
    "critical",
    "critical_point",
    "fixed_point",
    "gain",
    "gate",
    "registry",
]
