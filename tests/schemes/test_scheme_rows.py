"""One conformance test over all rows: a row that is wrong or incomplete cannot be added."""

import pytest

from initwise.core.layout import fans
from initwise.schemes import Scheme, scheme, schemes
from initwise.schemes.base import EVIDENCE

ROWS = schemes()
KNOWN = [
    pytest.param(row, known, id=f"{row.name}-{known.attribute}-{i}")
    for row in ROWS
    for i, known in enumerate(row.known)
]


@pytest.mark.parametrize(("row", "known"), KNOWN)
def test_known_answer(row, known):
    weight = fans(
        known.shape, known.layout, groups=known.groups, parts=known.parts or None, stride=known.stride
    )
    fill = scheme(row.name, **dict(known.options)).fill(weight)
    # the published numbers have ten decimals
    assert getattr(fill, known.attribute) == pytest.approx(known.value, rel=0, abs=6e-11)
