"""Arms in threads of one process leave torch's number of threads as it was."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

torch = pytest.importorskip("torch")

from initwise.race.isolation import isolated  # noqa: E402


def test_threads_that_wait_for_their_turn_give_back_what_was_set_before_all_of_them() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)

    def arm(seed: int) -> int:
        with isolated(seed, threads=1):
            time.sleep(0.05)
            return torch.get_num_threads()

    try:
        with ThreadPoolExecutor(3) as pool:
            assert list(pool.map(arm, range(6))) == [1] * 6
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
