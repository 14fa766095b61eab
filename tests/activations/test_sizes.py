"""Functions whose squares floating point cannot hold: it is their size that is told, not their growth."""

import pytest

from initwise import gain
from initwise.core.errors import OptionError


@pytest.mark.parametrize("size", [1e160, 1e300])
def test_values_too_large_to_square_are_told_so(size):
    with pytest.raises(
        OptionError, match=r"within one sigma: their squares are too large for floating point"
    ):
        gain(lambda x: size * x)


def test_values_too_small_to_square_are_told_so():
    with pytest.raises(OptionError, match=r"or its squares are too small for floating point"):
        gain(lambda x: 1e-300 * x)
