"""The pool: an error anywhere stops everybody, and is the one that is raised."""

from __future__ import annotations

import threading

import pytest

from initwise.random.threads import run_all


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_every_task_runs_once(threads):
    done: list[int] = []
    run_all([lambda i=i: done.append(i) for i in range(100)], threads)
    assert sorted(done) == list(range(100))


def test_an_error_in_a_helper_stops_the_rest():
    caller, done, failed = threading.get_ident(), [], threading.Event()

    def task(index: int) -> None:
        if threading.get_ident() == caller:
            # the calling thread waits in its first task, so that the error comes from a helper
            assert failed.wait(10)
            done.append(index)
        else:
            failed.set()
            raise ValueError("helper")

    with pytest.raises(ValueError, match="helper"):
        run_all([lambda i=i: task(i) for i in range(1000)], 2)
    assert len(done) < 1000
