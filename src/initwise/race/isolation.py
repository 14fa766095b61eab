"""Training that leaves no trace: the process' random generators and thread count are put back."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator

import numpy as np
import torch

from ..frameworks.torch.run import untouched

_TURN = threading.RLock()


@contextlib.contextmanager
def isolated(seed: int, threads: int | None = None) -> Iterator[None]:
    """Every global generator starts from `seed` inside and is as before afterwards.

    Dropout, shuffling loaders and random augmentation draw from the process' generators, of which
    there is one each: so threads take turns in here, and only other processes run beside it.

    Args:
        threads: torch's threads inside; the rounding of sums depends on them.
    """
    before = torch.get_num_threads()
    with _TURN, untouched(torch.nn.Module()):
        _seed(seed)
        try:
            torch.set_num_threads(threads or before)
            with torch.enable_grad():
                yield
        finally:
            torch.set_num_threads(before)


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    # not torch.manual_seed: it would also reseed a CUDA that is not in use yet, for later
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
