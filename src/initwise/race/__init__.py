"""Short, learning-rate-fair, reproducible training races between initializations."""

from .run import race
from .workers import Workers

__all__ = ["Workers", "race"]
