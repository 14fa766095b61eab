"""Stream: a seed and a parameter's name, from which every one of its numbers follows."""

from __future__ import annotations

import hashlib
import operator
from dataclasses import dataclass
from typing import Any

from .codec import JsonMixin
from .errors import StreamError


@dataclass(frozen=True)
class Stream(JsonMixin):
    """The numbers of one parameter, version 1 of the stream.

    Args:
        seed: an integer in [0, 2⁶⁴); the Philox key.
        name: the parameter's full name, not empty; hashed into the Philox counter's upper half.

    Raises:
        StreamError: a seed or name outside these.
    """

    seed: int
    name: str

    version = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", checked_seed(self.seed))
        if not isinstance(self.name, str) or not self.name:
            raise StreamError(
                f"name {self.name!r}",
                expected="the parameter's full name, a non-empty string",
                fix='For example name="encoder.layers.0.weight": it decides which numbers are drawn.',
            )

        try:
            self.name.encode()
        except UnicodeEncodeError:
            raise StreamError(
                f"name {self.name!r}",
                expected="text that UTF-8 can hold",
                cause="half of a surrogate pair, from bytes read in another encoding",
            ) from None

    @property
    def id(self) -> int:
        """64-bit stream id: BLAKE2b (8-byte digest) of the UTF-8 name, read little-endian."""
        return int.from_bytes(hashlib.blake2b(self.name.encode(), digest_size=8).digest(), "little")

    def part(self, name: str) -> Stream:
        """The stream of a packed part: its own name, so that a part equals the same part stored alone."""
        return Stream(self.seed, f"{self.name}#{name}")


def checked_seed(seed: Any) -> int:
    """`seed` as an int in [0, 2⁶⁴). Raises StreamError otherwise (floats and bools too)."""
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if isinstance(seed, bool) or not 0 <= number < 2**64:
        raise StreamError(f"seed {seed!r}", expected="an integer from 0 to 2**64 - 1")
    return number
