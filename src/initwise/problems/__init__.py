"""Bundled problems, for `initwise choose` without a target, for examples and for tests."""

from .registry import DEFAULT, BundledProblem, ProblemRow, problem, problems, registry

__all__ = ["DEFAULT", "BundledProblem", "ProblemRow", "problem", "problems", "registry"]
