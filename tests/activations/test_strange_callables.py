"""Callables that are no function, or hardly have a gain: each is told what is wrong with it."""

import numpy as np
import pytest
import torch  # noqa: F401 - with torch there are more ways to call a function, and more ways to be wrong

from initwise.activations import gain
from initwise.core.errors import OptionError


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (np.sort, "activation 'sort' is no elementwise function"),
        (np.cumsum, "activation 'cumsum' is no elementwise function"),
        (lambda x: x[::-1], "activation '<lambda>' is no elementwise function"),
        (lambda x: x + np.random.default_rng().normal(), "activation '<lambda>' is no elementwise function"),
        (lambda x: None, "activation '<lambda>' cannot be called on an array"),
        (lambda x: x * 1j, "activation '<lambda>' cannot be called on an array"),
        (lambda x: x[None], "activation '<lambda>' cannot be called on an array"),
        (lambda x: x * np.nan, "activation '<lambda>': the function gives nan at x = "),
        (lambda x: x * np.inf, "activation '<lambda>': the function gives -inf at x = "),
        (lambda: 1, "activation '<lambda>' cannot be called on an array"),
    ],
)
def test_what_maps_no_number_to_a_number_is_refused(function, text):
    with pytest.raises(OptionError) as caught:
        gain(function)
    assert str(caught.value).startswith(text)


def test_whole_numbers_and_truth_values_are_numbers():

    assert gain(lambda x: np.floor(x).astype(int)) == pytest.approx(gain(np.floor), rel=1e-9)
    assert gain(lambda x: x > 0) == pytest.approx(2**0.5, rel=1e-12)


def test_one_that_changes_while_it_is_looked_at_is_refused():
    calls = []

    def tiring(x):
        calls.append(1)
        return x if len(calls) < 7 else x / 2

    with pytest.raises(OptionError, match="the same numbers give others from call to call"):
        gain(tiring)


def test_a_power_that_is_just_integrable_is_not_called_infinite():
    with pytest.raises(OptionError) as caught:
        gain(lambda x: abs(x - 0.3) ** -0.47)
    assert str(caught.value).startswith(
        "activation '<lambda>': E[f²] cannot be told: f² grows like |x − 0.3|^−0.940 at x = 0.3"
    )
    assert "it is finite, but nearly all of it lies closer to the pole than floats reach" in str(caught.value)
    for pole in (lambda x: 1 / x, lambda x: abs(x - 0.3) ** -0.5):
        with pytest.raises(OptionError, match="is infinite: the function has a pole at x = "):
            gain(pole)
