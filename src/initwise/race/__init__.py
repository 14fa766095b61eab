"""Short, learning-rate-fair, reproducible training races between initializations."""

from .run import race

__all__ = ["race"]
