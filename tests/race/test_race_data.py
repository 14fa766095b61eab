"""Batches: the same for every arm, in the same order, and validation data never trained on."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from initwise.core.errors import ProblemError
from initwise.race.data import EVERY, MOST, Reader


def ids(batches):
    return [int(inputs[0, 0]) for inputs, _ in batches]


def numbered(count):
    return [(torch.full((2, 3), float(index)), torch.zeros(2)) for index in range(count)]


def test_without_validation_every_eighth_batch_is_set_aside_and_the_rest_repeats(make):
    data = Reader(make(batches=numbered(20))).read(40)
    assert ids(data.validation) == [0, 8, 16]
    kept = [index for index in range(20) if index % EVERY]
    assert ids(data.training) == (kept * 3)[:40]


def test_with_validation_every_batch_is_trained_on(make):
    data = Reader(make(batches=numbered(3), validation=numbered(2))).read(7)
    assert ids(data.training) == [0, 1, 2, 0, 1, 2, 0]
    assert ids(data.validation) == [0, 1]


def test_judging_is_cheaper_than_training(make):
    data = Reader(make(batches=numbered(3), validation=numbered(100))).read(2)
    assert len(data.validation) == MOST


def test_only_as_many_batches_are_read_as_are_needed(make):
    read = []

    def stream():
        for index, batch in enumerate(numbered(100)):
            read.append(index)
            yield batch

    Reader(make(batches=stream)).read(7)
    assert max(read) <= 9


def test_a_shuffling_loader_gives_the_same_order_every_time_and_no_generator_moves(make):
    loader = DataLoader(TensorDataset(torch.arange(80.0)[:, None], torch.zeros(80)), 4, shuffle=True)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    first = Reader(make(batches=loader, validation=numbered(1))).read(50)
    torch.rand(3)  # somebody else draws in between
    torch.set_rng_state(before[0])
    second = Reader(make(batches=loader, validation=numbered(1))).read(50)
    assert ids(first.training) == ids(second.training)
    assert ids(first.training)[:20] != sorted(ids(first.training)[:20])
    assert ids(first.training)[:20] != ids(first.training)[20:40]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert (np.random.get_state()[1] == before[2]).all()


def test_a_loaders_list_of_inputs_is_several_arguments(make):
    batch = [[torch.ones(2, 3), torch.zeros(2, 3)], torch.zeros(2)]
    assert type(Reader(make(batches=[batch, batch])).first[0]) is tuple


def refused(make, **changes):
    with pytest.raises(ProblemError) as caught:
        Reader(make(**changes)).read(20)
    return str(caught.value)


def test_no_batches(make):
    assert refused(make, batches=[]) == (
        "batches: no batches; expected at least one.\n  Likely cause: an empty data set"
    )


def test_an_exhausted_iterator(make):
    assert "Likely cause: an iterator, which gives its batches only once" in refused(make, batches=iter([]))


def test_one_batch_and_no_validation(make):
    assert refused(make, batches=numbered(1)) == (
        "batches: one batch only, and it is needed for validation; expected at least two batches.\n"
        "  Pass validation=…, or make the batches smaller."
    )


def test_an_iterator_that_ends(make):
    assert refused(make, batches=iter(numbered(5)), validation=numbered(1)) == (
        "batches: ran out after 5 batches and cannot be started again; "
        "expected something that can be iterated more than once.\n"
        "  Likely cause: an iterator, which gives its batches only once\n"
        "  Pass a function that makes a new iterator: Problem(batches=lambda: …)."
    )


def test_batches_that_are_no_pairs(make):
    text = refused(make, batches=[{"input_ids": torch.ones(2), "labels": torch.ones(2)}])
    assert text.startswith("batches[0]: a dict; expected a pair (inputs, targets).\n  Wrap the loader:")
    assert refused(make, batches=[(1, 2, 3)]).startswith("batches[0]: a tuple of 3; expected a pair")


def test_batches_that_cannot_be_iterated(make):
    assert refused(make, batches=lambda: 3) == (
        "batches: an int cannot be iterated; expected an iterable of (inputs, targets)."
    )


def test_nan_in_the_data_names_the_batch_and_the_share(make):
    batches = numbered(4)
    batches[2][0][0, 0] = float("nan")
    assert refused(make, batches=batches) == (
        "batches[2]'s inputs: 16.67% of the values are NaN or infinite; expected finite numbers.\n"
        "  Remove or impute them first: no initialization trains on such data."
    )
    batches = [({"x": torch.ones(2)}, np.array([np.inf, 0.0]))] * 2
    assert refused(make, batches=batches).startswith("batches[0]'s targets: 50.00% of the values")


def test_an_empty_tensor(make):
    assert refused(make, batches=[(torch.ones(0, 3), torch.ones(0))]) == (
        "batches[0]'s inputs: a tensor of shape (0, 3) holds nothing."
    )


def test_no_validation_batches(make):
    assert refused(make, validation=[]).startswith("validation: no batches; expected at least one.")
