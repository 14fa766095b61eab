"""Every rule against sampling: enters by existing, since a rule without a case fails here."""

from __future__ import annotations

from functools import cache

import pytest
from cases import CASES
from conformance import Case, differences, predicted

from initwise.predict.rules import RULES

BY_NAME = {case.name: case for case in CASES}


@cache
def _predicted(name: str):  # type: ignore[no-untyped-def]
    return predicted(BY_NAME[name])


def test_cases_have_names_of_their_own() -> None:
    assert len(BY_NAME) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_prediction_is_what_sampling_finds(case: Case) -> None:
    known, _ = _predicted(case.name)
    found = differences(case, known)
    assert not found, "\n".join([case.name, *found])


def test_every_rule_has_a_case() -> None:
    met = {name for case in CASES for name in _predicted(case.name)[1].operations}
    met |= {name[:-1] for name in met if name.endswith("_")}
    assert sorted(set(RULES) - met - ABSENT) == []


ABSENT = {
    # names of ours, for whole families
    "pointwise",
    "composite",
    # other machines' names for what has cases
    "cudnn_batch_norm",
    "cudnn_batch_norm_backward",
    "batch_norm_backward",
    "convolution_overrideable",
    "_embedding_bag_dense_backward",
    "_fused_rms_norm",
    "_fused_rms_norm_backward",
}
"""Rules whose names nothing dispatches under here."""
