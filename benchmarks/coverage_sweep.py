"""How much of what people build can be predicted."""

from __future__ import annotations

from coverage_subjects import KINDS, Subject, subjects

__all__ = ["KINDS", "Subject", "subjects"]
