"""Arms side by side do what each does alone; what cannot be stacked is trained alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from initwise.core.fill import Fill
from initwise.core.plan import Plan
from initwise.frameworks.initialize import plan_for
from initwise.race import heats, isolation
from initwise.race.data import Reader
from initwise.race.heats import Heat, grouped
from initwise.race.stacked import stackable, train_stacked
from initwise.race.training import Task, train
from initwise.schemes import scheme

NAMES = ("he_normal", "xavier_uniform", "lecun_normal")


def plain():
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))


def rectified():
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


def with_norm_and_dropout():
    # no bias before the norm: its gradient is zero, and Adam makes steps of what rounding leaves of it
    return nn.Sequential(
        nn.Linear(8, 16, bias=False), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, 4)
    )


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.back = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
        self.back.weight = self.into.weight
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.back(torch.tanh(self.into(x))))


@pytest.fixture
def tasks(make):
    """`tasks(model, optimizer)`: three arms of one seed, of different plans and rates."""

    def made(model, optimizer="adam", names=NAMES, **changes):
        given = make(model=model, **changes)
        data = Reader(given).read(12)
        return [
            Task(
                model,
                given.loss,
                given.metric,
                optimizer,
                plan_for(model(), name),
                0.01 * (1 + k),
                5,
                data.training,
                data.validation,
                (4, 12),
                1,
            )
            for k, name in enumerate(names)
        ]

    return made


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("model", [plain, with_norm_and_dropout, Tied])
def test_a_stack_trains_as_each_arm_alone(tasks, model, optimizer):
    """Twelve steps with dropout, running statistics and tied weights: the same losses, but for rounding."""
    arms = tasks(model, optimizer, metric=lambda o, t: float((o.argmax(-1) == t).float().mean()))
    assert stackable(*arms[:2])
    together = train_stacked(arms)
    for arm, found in zip(arms, together, strict=True):
        alone = train(arm)
        assert (found.status, found.steps) == ("trained", 12)
        assert [step for step, _ in found.losses] == [4, 12]
        for (_, a), (_, b) in zip(alone.losses, found.losses, strict=True):
            assert a == pytest.approx(b, rel=1e-3)
        assert found.metric == pytest.approx(alone.metric, abs=0.07)  # one of 32 may turn over


def test_one_that_diverges_leaves_the_others_alone(tasks):
    names = ("he_normal", scheme("normal", std=1e30), "lecun_normal")
    found = train_stacked(tasks(rectified, names=names))
    assert [outcome.status for outcome in found] == ["trained", "diverged", "trained"]
    assert (found[1].steps, found[1].losses, math.isnan(found[1].metric)) == (1, (), True)
    fine = train_stacked(tasks(rectified, names=("he_normal", "xavier_normal", "lecun_normal")))
    assert found[0].to_json() == fine[0].to_json()
    assert found[2].to_json() == fine[2].to_json()


class Looking(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_what_cannot_be_stacked_is_found_out(tasks):
    arms = tasks(lambda: nn.Sequential(nn.Linear(8, 4), Looking()))
    assert not stackable(*arms[:2])
    found = heats.run(Heat(tuple(arms)))
    assert [one.to_json() for one in found] == [train(arm).to_json() for arm in arms]


def test_two_kinds_of_numbers_cannot_lie_in_one_row(tasks):
    def model():
        return nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4).to(torch.float32), Half())

    assert not stackable(*tasks(model)[:2])


class Half(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4, dtype=torch.float64))

    def forward(self, x):
        return x * self.scale.float()


def test_a_stack_in_which_one_raises_is_trained_one_by_one(tasks):
    arms = tasks(plain)
    arms[1] = replace(arms[1], plan=Plan("odd", (("nobody.weight", Fill.constant(1.0)),)))
    found = heats.run(Heat(tuple(arms)))
    assert [outcome.status for outcome in found] == ["trained", "failed", "trained"]
    assert "nobody.weight" in found[1].error
    assert found[0].to_json() == train(arms[0]).to_json()


def test_heats_hold_arms_of_one_seed_in_order():
    arms = [(name, seed) for name in "abcde" for seed in (0, 1)]
    assert [[name + str(seed) for name, seed in heat] for heat in grouped(arms, 3)] == [
        ["a0", "b0", "c0"],
        ["d0", "e0"],
        ["a1", "b1", "c1"],
        ["d1", "e1"],
    ]


def test_the_switch_of_vmap_is_turned_in_turn_only(tasks, monkeypatch):
    """Another thread's vmap must not meet it: whoever turns it holds the lock that all trainings take."""
    turned = []
    switch = torch._C._functorch._set_vmap_fallback_enabled

    def watched(on):
        turned.append(isolation._TURN._is_owned())
        switch(on)

    monkeypatch.setattr(torch._C._functorch, "_set_vmap_fallback_enabled", watched)
    one, other, _ = tasks(plain)
    assert stackable(one, other)
    assert train_stacked([one, other])
    assert len(turned) == 4
    assert all(turned)
