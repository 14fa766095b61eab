"""A whole plan in one call: the same numbers, every name once, nothing written if one is wrong."""

import numpy as np
import pytest

from initwise.core.errors import LayoutError, StreamError
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.random import fill_array, fill_arrays

LAWS = (
    Fill.normal(0, 0.02),
    Fill.uniform(-1, 1),
    Fill.constant(1.0),
    Fill.truncated_normal(0, 0.02, -0.04, 0.04),
    Fill.matrix("orthogonal"),
    Fill.normal(0, 0.1, layout=Layout("io")),
    Fill.normal(0, 0.1, layout=Layout("oi"), zero_row=1),
)


def test_together_is_as_alone():
    shapes = [(3, 5), (300, 400), (1, 1)]
    wanted = {(law, shape): np.zeros(shape, np.float32) for law in range(len(LAWS)) for shape in shapes}
    items = []
    for (law, shape), array in wanted.items():
        fill = LAWS[law] if shape != (1, 1) or LAWS[law].zero_row is None else LAWS[0]
        items.append((f"{law}.{shape}", array, fill))
    fill_arrays(items, seed=4)
    for name, array, fill in items:
        np.testing.assert_array_equal(fill_array(np.zeros_like(array), fill, name=name, seed=4), array)


def test_a_name_may_occur_once():
    first, second = np.full(3, 7.0), np.full(4, 7.0)
    with pytest.raises(StreamError) as caught:
        fill_arrays([("w", first, LAWS[0]), ("w", second, LAWS[0])])
    assert str(caught.value) == (
        "two arrays are named 'w'; expected a name of its own for each: equal names draw equal numbers.\n"
        "  Likely cause: tied weights listed twice; name the owner only"
    )
    assert np.all(first == 7)


def test_one_bad_array_leaves_all_unwritten():
    arrays = [np.full(3, 7.0), np.full((400, 400), 7.0), np.full(3, 7.0)]
    laws = [LAWS[0], LAWS[0], LAWS[4]]
    with pytest.raises(LayoutError, match="c: orthogonal of shape"):
        fill_arrays(zip("abc", arrays, laws, strict=True))
    assert all(np.all(array == 7) for array in arrays)
