"""Work within work: no caller waits for threads that wait for it, and nothing is freed too early."""

import threading

import numpy as np
import pytest

from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.random import fill_array, fill_arrays
from initwise.random.threads import run_all

PATIENCE = 60
"""Seconds: a deadlock would last for ever."""


def finished(work):
    """Did `work` end within the patience?"""
    ended = []
    thread = threading.Thread(target=lambda: ended.append(work()), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return bool(ended)


@pytest.mark.parametrize("threads", ["2", "4"])
def test_tasks_may_run_tasks(threads, monkeypatch):
    monkeypatch.setenv("INITWISE_THREADS", threads)
    done = []
    inner = [lambda: done.append(1)] * 5
    assert finished(lambda: run_all([lambda: run_all(inner)] * 8) or True)
    assert len(done) == 40


@pytest.mark.parametrize("shape", [(16, 64, 64), (360, 360), (340, 340)])
def test_many_orthogonal_tensors_in_one_call(shape, monkeypatch):
    monkeypatch.setenv("INITWISE_THREADS", "2")
    layout = Layout("boi" if len(shape) == 3 else "oi")
    law = Fill.matrix("orthogonal", shape=shape, layout=layout)
    arrays = [(f"w{k}", np.zeros(shape, np.float32), law) for k in range(6)]
    assert finished(lambda: fill_arrays(arrays) or True)
    for name, array, _ in arrays:
        alone = fill_array(np.zeros(shape, np.float32), law, name=name)
        np.testing.assert_array_equal(array, alone)


def test_callers_do_not_wait_for_each_other(monkeypatch):
    """One caller's helper thread is busy with another caller's tasks for long."""
    monkeypatch.setenv("INITWISE_THREADS", "2")
    hold, started = threading.Event(), threading.Event()

    def busy():
        started.set()
        hold.wait(PATIENCE)

    other = threading.Thread(target=run_all, args=([busy, busy],))
    other.start()
    assert started.wait(PATIENCE)
    assert finished(lambda: run_all([lambda: None] * 4) or True)
    hold.set()
    other.join()


def test_more_laws_than_any_cache_holds():
    """Each task keeps the numbers of its law until it has run."""
    stds = [0.01 + k * 1e-6 for k in range(9000)]
    arrays = [(f"w{k}", np.zeros(64, np.float32), Fill.normal(0, std)) for k, std in enumerate(stds)]
    fill_arrays(arrays)
    for k in range(0, 9000, 500):
        name, array, law = arrays[k]
        np.testing.assert_array_equal(array, fill_array(np.zeros(64, np.float32), law, name=name))
