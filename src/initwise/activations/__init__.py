"""Activations: what a nonlinearity does to a normal signal, and the gain that makes up for it."""

from .base import Activation, ActivationRow, Moments, activation, activations, gain, registry

__all__ = ["Activation", "ActivationRow", "Moments", "activation", "activations", "gain", "registry"]
