"""What a tensor remembers of the tensors that it was made from."""

import numpy as np
import pytest

from initwise.predict.bases import Base
from initwise.predict.moments import Moments, independent
from initwise.predict.roots import EARLIER, RECENT, recent


def made_from(number, size=1.0):
    """Grams of a tensor that was made from so many, the k-th of size `size`·(k + 1)."""
    moments = independent((3,), 0.0, 1.0)
    return {
        frozenset({Base(moments)}): Moments(
            moments.axes, np.full_like(moments.second, size * (k + 1)), np.zeros_like(moments.mean)
        )
        for k in range(number)
    }


@pytest.mark.parametrize("number", [0, 1, RECENT, RECENT + 1])
def test_few_roots_are_all_told_apart(number):
    grams = made_from(number)
    assert recent(grams) == grams


def test_strays_owed_to_old_roots_add_as_variances_and_the_last_roots_stay():
    grams = made_from(RECENT + 3)
    found = recent(grams)
    assert list(found)[1:] == list(grams)[-RECENT:]
    assert found[EARLIER].second == pytest.approx(np.full_like(found[EARLIER].second, 14**0.5))


def test_the_number_of_roots_is_bounded_however_often_more_come():
    grams, squares = {}, 0.0
    for _ in range(20):
        grams = recent({**grams, **made_from(1)})
    assert len(grams) <= RECENT + 1
    squares = sum(gram.second**2 for gram in grams.values())
    assert squares == pytest.approx(np.full_like(squares, 20.0))
