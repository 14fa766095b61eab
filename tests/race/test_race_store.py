"""The store: what has run is not run again, and nothing else is mistaken for it."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from functools import partial

import pytest
import torch

from initwise.core.errors import ProblemError, RecordError
from initwise.problems.networks import mlp
from initwise.race import heats, race, training
from initwise.race.store import digest

NAMES = ("zeros", "he_normal")


@pytest.fixture
def trained(monkeypatch):
    """The tasks that were really trained."""
    monkeypatch.setattr(heats, "WIDTH", 1)
    tasks, train = [], training.train

    def counting(task):
        tasks.append(task)
        return train(task)

    monkeypatch.setattr(training, "train", counting)
    return tasks


def run(given, path, **options):
    return race(given, candidates=NAMES, store=path, **{"budget": 0.4, "progress": False, **options})


def test_an_interrupted_race_is_taken_up_where_it_stopped(make, tmp_path, trained):
    def interrupt(done, total, text):
        if len(trained) == 5:
            raise KeyboardInterrupt

    path = tmp_path / "race.sqlite"
    assert run(make(), path, progress=interrupt).interrupted
    resumed = run(make(), path)
    everything = len(trained)
    whole = race(make(), candidates=NAMES, budget=0.4, progress=False)
    assert len(trained) == 2 * everything
    assert replace(resumed, seconds=0).to_json() == replace(whole, seconds=0).to_json()


def test_a_finished_race_is_only_read(make, tmp_path, trained):
    path = tmp_path / "race.sqlite"
    first = run(make(), path)
    del trained[:]
    second = run(make(), path)
    assert trained == []
    assert replace(first, seconds=0).to_json() == replace(second, seconds=0).to_json()


def test_other_rates_plans_or_lengths_are_other_trainings(make, tmp_path, trained):
    path = tmp_path / "race.sqlite"
    run(make(), path)
    for changes in ({"lrs": [0.02]}, {"budget": 0.6}, {"candidates": ["xavier_normal"]}):
        del trained[:]
        race(make(), **{"candidates": NAMES, "store": path, "budget": 0.4, "progress": False, **changes})
        assert trained


def test_another_problem_is_refused_and_both_are_named(make, tmp_path):
    path = tmp_path / "race.sqlite"
    run(make(), path)
    with pytest.raises(ProblemError) as caught:
        run(make(name="others", optimizer="sgd"), path)
    assert str(caught.value) == (
        f"{path}: the store belongs to 'points', the race is of 'others'; "
        "expected a store of the same problem.\n"
        "  Pass another path, or delete the file."
    )


def test_other_data_under_the_same_name_are_refused(make, tmp_path, batches):
    path = tmp_path / "race.sqlite"
    run(make(), path)
    with pytest.raises(ProblemError, match="the model, the loss, the metric or the data is not"):
        run(make(batches=[(inputs + 1, targets) for inputs, targets in batches]), path)


def accuracy(outputs, targets):
    return float((outputs.argmax(-1) == targets).float().mean())


def recall(outputs, targets):
    return 1 - accuracy(outputs, targets)


def same_place(scale):
    """Losses that only their values tell apart: one qualified name."""
    return lambda outputs, targets: scale * torch.nn.functional.cross_entropy(outputs, targets)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"model": partial(mlp, "Tanh", inputs=8, width=16, depth=3, outputs=4)}),
        ({"loss": same_place(1.0)}, {"loss": same_place(3.0)}),
        ({}, {"metric": accuracy}),
        ({"metric": accuracy}, {"metric": recall}),
    ],
    ids=["activation", "loss", "metric added", "another metric"],
)
def test_a_problem_of_the_same_shapes_and_names_is_another_one(make, tmp_path, before, after):
    path = tmp_path / "race.sqlite"
    run(make(**before), path)
    with pytest.raises(ProblemError, match="the name is the same"):
        run(make(**{**before, **after}), path)


def test_weights_that_the_maker_draws_anew_do_not_make_another_problem(make, tmp_path, trained):
    generator = torch.Generator()

    def drawing():
        model = mlp("ReLU", inputs=8, width=16, depth=3, outputs=4)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, generator=generator)
        return model

    path = tmp_path / "race.sqlite"
    run(make(model=drawing), path)
    del trained[:]
    run(make(model=drawing), path)
    assert trained == []


def test_other_steps_and_other_seeds_share_a_store_without_mixing(make, tmp_path):
    path = tmp_path / "race.sqlite"
    run(make(), path)
    for changes, options in (({"steps": 30}, {}), ({}, {"seed": 7})):
        stored = run(make(**changes), path, **options)
        alone = run(make(**changes), None, **options)
        assert replace(stored, seconds=0).to_json() == replace(alone, seconds=0).to_json()


def test_a_file_that_is_no_store_is_refused_and_kept(make, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database " * 100)
    with pytest.raises(RecordError, match=r"notes\.txt: cannot be used as a store \(file is not"):
        run(make(), path)
    assert path.read_text().startswith("not a database")


def test_a_store_of_another_version_is_refused(make, tmp_path):
    path = tmp_path / "race.sqlite"
    run(make(), path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE race SET version = 7")
    with pytest.raises(RecordError, match=r"version 7; expected version 3\."):
        run(make(), path)


def test_a_path_that_cannot_be_written_is_refused(make, tmp_path):
    with pytest.raises(RecordError, match="cannot be used as a store"):
        run(make(), tmp_path / "missing" / "race.sqlite")


def test_digests_see_values_shapes_types_and_order():
    one = torch.arange(6.0)
    others = [one.reshape(2, 3), one + 1, [one, one], {"x": one}, None]
    assert len({digest(thing) for thing in [one, *others]}) == 6
    assert digest(one, "a") == digest(one.clone(), "a") != digest("a", one)
    assert digest(1, 2) != digest(12)
