"""Defects that an adversarial tester found once."""

import math
import os
import threading

import numpy as np
import pytest

from initwise.core.errors import FillError, OptionError, OutputError, StreamError
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.random import fill_array, fill_arrays, native, threads

NORMAL = Fill.normal(0, 0.02)


@pytest.mark.parametrize(
    ("dtype", "fill"),
    [
        ("float16", Fill.truncated_normal(0, 9000, 63000, math.inf)),
        ("float16", Fill.truncated_normal(0, 9000, 63000, 1e5)),
        ("bfloat16", Fill.truncated_normal(0, 5e37, 3.37e38, math.inf)),
        ("float64", Fill.truncated_normal(0, 2.5e307, 1.548e308, math.inf)),
    ],
)
def test_the_tail_beyond_a_bound_far_out_is_not_infinite(dtype, fill):
    array = np.zeros(10_000, np.uint16 if dtype == "bfloat16" else dtype)
    with pytest.raises(FillError, match="holds numbers up to"):
        fill_array(array, fill, name="w", dtype=dtype)
    assert not array.any()


def test_a_far_tail_that_fits_is_filled():
    array = np.zeros(10_000, np.float32)
    fill_array(array, Fill.truncated_normal(0, 1, 6, math.inf), name="w")
    assert 6 < array.min() < array.max() < math.hypot(6, 6.8)


@pytest.mark.parametrize(
    ("dtype", "fill"),
    [
        ("float16", Fill.uniform(1, 1.0001)),
        ("float16", Fill.normal(1, 1e-5)),
        ("float32", Fill.normal(1, 1e-9)),
    ],
)
def test_values_closer_together_than_the_dtypes_numbers_are_refused(dtype, fill):
    with pytest.raises(FillError, match="cannot hold"):
        fill_array(np.zeros(8, dtype), fill, name="w")


def test_a_matrix_law_is_measured_by_the_tensor_it_fills():
    """Without a shape the law does not know its own std."""
    with pytest.raises(FillError, match="has no numbers between 0"):
        fill_array(np.zeros((300, 300), np.float16), Fill.matrix("orthogonal", 1e-7), name="w")


def test_there_is_one_zero():
    """−0.0 and 0.0 are equal, so caches take one law for the other: bits would depend on who came first."""
    assert math.copysign(1, Fill.normal(-0.0, 1.0).mean) == 1
    assert math.copysign(1, Fill.constant(-0.0).mean) == 1


def test_half_of_a_surrogate_pair_is_no_name():
    with pytest.raises(StreamError, match="UTF-8"):
        fill_array(np.zeros(3, np.float32), NORMAL, name="\ud800")


@pytest.mark.parametrize("cut", [np.s_[:], np.s_[3:], np.s_[5:9]])
def test_arrays_of_one_call_share_no_memory(cut):
    array = np.zeros(20, np.float32)
    with pytest.raises(OutputError, match="again"):
        fill_arrays([("a", array, NORMAL), ("b", array[cut], NORMAL)])
    assert not array.any()


def test_views_that_interleave_are_apart():
    array = np.zeros(20, np.float32)
    fill_arrays([("a", array[::2], NORMAL), ("b", array[1::2], NORMAL)])
    assert array.all()


@pytest.mark.parametrize("item", [("a", np.zeros(3)), ("a", np.zeros(3), NORMAL, 1), "abc", 7])
def test_items_are_triples(item):
    with pytest.raises(OutputError, match="triples"):
        fill_arrays([item])


@pytest.mark.parametrize("count", ["0", "-1", "abc", "1.5", "100000"])
def test_a_number_of_threads_that_is_none(count, monkeypatch):
    monkeypatch.setenv("INITWISE_THREADS", count)
    with pytest.raises(OptionError, match="INITWISE_THREADS"):
        threads.thread_count()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_forked_while_another_thread_compiles_can_fill():
    held, leave = threading.Event(), threading.Event()

    def hold():
        with native._lock, threads._lock:
            held.set()
            leave.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(60)
    child = os.fork()
    if not child:  # the child: its locks are new
        os._exit(0 if native._lock.acquire(timeout=5) and threads._lock.acquire(timeout=5) else 1)
    leave.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("fill", [Fill.normal(0, 1e-40), Fill.uniform(-1e-40, 1e-40)])
def test_a_processor_told_to_flush_subnormal_numbers_is_not_asked(fill):
    torch = pytest.importorskip("torch")
    wanted = fill_array(np.zeros(5000, np.float32), fill, name="w").view(np.uint32)
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor has no such mode")
    try:
        got = fill_array(np.zeros(5000, np.float32), fill, name="w").view(np.uint32)
        flushing = float(torch.tensor([1e-40]) * 1) == 0.0
    finally:
        torch.set_flush_denormal(False)
    np.testing.assert_array_equal(got, wanted)
    assert flushing, "the caller's setting was not put back"


def test_layouts_do_not_hide_a_collapse():
    with pytest.raises(FillError):
        fill_array(np.zeros((4, 4), np.float16), Fill.normal(0, 1e-9, layout=Layout("oi")), name="w")
