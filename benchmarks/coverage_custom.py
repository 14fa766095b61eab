"""Models of people's own code: message passing, recurrences, attention by hand, own gradients."""

from __future__ import annotations

from coverage_custom_code import CODE
from coverage_custom_graphs import GRAPHS
from coverage_custom_sequences import SEQUENCES
from coverage_custom_writes import WRITES
from coverage_subjects import Subject

SUBJECTS = tuple(
    Subject(name, "custom", build, example)
    for name, (build, example) in {**GRAPHS, **SEQUENCES, **CODE, **WRITES}.items()
)
