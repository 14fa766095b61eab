"""Philox-4x32-10 against the known answers published with Random123 (kat_vectors)."""

import numpy as np
import pytest

from initwise.random.reference import philox

KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_reference_gives_the_published_words(counter, key, answer):
    words = philox([np.array([word], np.uint64) for word in counter], key)
    assert tuple(int(word[0]) for word in words) == answer


def test_kernel_gives_the_published_words():
    """Counter words 0 and 1 are the block, 2 and 3 the stream id, and the key is the seed; a uniform
    variate shows its word's upper 25 bits."""
    from initwise.core.fill import Fill
    from initwise.random import cpu
    from initwise.random.draw import draw_of

    counter, key, answer = KNOWN[0]
    memory = np.array([*key, *counter[2:]], np.uint64)
    law, _keep = cpu.law_memory(draw_of(Fill.uniform(-1, 1)))
    values = np.zeros(64)
    cpu.compiled("uniform", "float64").line(memory.ctypes.data, law, 0, 64, values.ctypes.data)
    words = [(int(values[16 * j] * 2**24) >> 1) & 0xFFFFFF for j in range(4)]
    assert words == [word >> 8 for word in answer]
