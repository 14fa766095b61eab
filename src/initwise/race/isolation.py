"""Training that leaves no trace: the process' random generators and thread count are put back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch

from ..frameworks.torch.state import reseed, untouched

_TURN = threading.RLock()


@contextlib.contextmanager
def isolated(seed: int, threads: int | None = None) -> Iterator[None]:
    """Every global generator starts from `seed` inside and is as before afterwards.

    Dropout, shuffling loaders and random augmentation draw from the process' generators, of which
    there is one each: so threads take turns in here, and only other processes run beside it.

    Args:
        threads: torch's threads inside; the rounding of sums depends on them.
    """
    with _TURN, untouched(torch.nn.Module()):
        # asked only in turn: whoever is inside may have set another number
        before = torch.get_num_threads()
        reseed(seed)
        try:
            torch.set_num_threads(threads or before)
            with torch.enable_grad():
                yield
        finally:
            torch.set_num_threads(before)
