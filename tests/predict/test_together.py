"""Predictions beside one another: each is what it is by itself, and torch is as it was."""

import threading

import pytest
import torch
from torch import nn

from initwise import check
from initwise.core.errors import InitwiseError, UnsupportedError


def network():
    return nn.Sequential(nn.Linear(24, 32), nn.Tanh(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 5))


def predicted():
    return repr(check(network, "f32[16,24]", mode="predict").layers)


def test_threads_wait_for_each_other():
    alone, found = predicted(), []
    threads = [threading.Thread(target=lambda: found.append(predicted())) for _ in range(3)]
    before = torch._C._get_mkldnn_enabled(), torch.nn.init._no_grad_trunc_normal_
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 3
    assert (torch._C._get_mkldnn_enabled(), torch.nn.init._no_grad_trunc_normal_) == before


def test_a_prediction_inside_another_is_refused():
    with pytest.raises(UnsupportedError) as error:
        check(network, "f32[16,24]", mode="predict", on_progress=lambda *_: predicted())
    assert str(error.value) == (
        "check: a prediction was asked for while another one runs in this thread.\n"
        "  Likely cause: the model, its loss or on_progress calls check(mode='predict')\n"
        "  Call it before or after."
    )
    assert predicted()


def test_a_failure_before_changes_no_number():
    alone = predicted()
    with pytest.raises(InitwiseError):
        check(lambda: nn.Linear(3, 3), "f32[4,5]", mode="predict")
    assert predicted() == alone
