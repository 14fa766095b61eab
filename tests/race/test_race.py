"""The race itself: fair, deterministic, within its budget, and not stopped by what goes wrong."""

from __future__ import annotations

import json
import math
import multiprocessing
import random
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from initwise.choose.pace import rate_range, sensitivity
from initwise.choose.planners import study
from initwise.core.errors import OptionError, ProblemError, StreamError
from initwise.core.fill import Fill
from initwise.core.plan import Plan
from initwise.core.records import Race
from initwise.frameworks.initialize import plan_for
from initwise.problems import problem
from initwise.race import heats, race
from initwise.race.data import Reader
from initwise.race.entrants import plans, predicted
from initwise.race.ladder import FEW_RATES
from initwise.race.progress import reporting
from initwise.race.rates import GRIDS, around
from initwise.race.training import Task, train
from initwise.schemes import scheme

NAMES = ("zeros", "he_normal", "xavier_uniform")


def run(given, candidates=NAMES, **options):
    return race(given, candidates=candidates, **{"budget": 0.4, "progress": False, **options})


def timeless(result: Race) -> str:
    return replace(result, seconds=0.0).to_json()


def arms(result, name):
    return [arm for arm in result.arms if arm.scheme == name]


def test_zeros_lose_and_the_record_is_complete(make):
    result = run(make(metric=lambda outputs, targets: float((outputs.argmax(-1) == targets).float().mean())))
    assert result.problem == "points"
    assert result.winner in ("he_normal", "xavier_uniform")
    assert result.ranking[-1].name == "zeros"
    assert "zeros" not in result.ties
    assert result.steps == 60
    assert not result.interrupted
    best = result.ranking[0]
    assert best.loss < 0.8 < 1.3 < result.ranking[-1].loss
    finished = [arm for arm in arms(result, best.name) if arm.status == "finished"]
    assert {arm.seed for arm in finished} == {0, 1, 2}
    assert all(0.7 < arm.metric <= 1 for arm in finished if arm.learning_rate == best.learning_rate)
    assert json.loads(Race.from_json(result.to_json()).to_json()) == json.loads(result.to_json())


def test_the_same_call_gives_the_same_race(make):
    assert timeless(run(make())) == timeless(run(make()))


def test_threads_change_nothing(make):
    with ThreadPoolExecutor(2) as pool:
        assert timeless(run(make(), executor=pool)) == timeless(run(make()))


def test_processes_change_nothing(make):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert timeless(run(make(), executor=pool)) == timeless(run(make()))


def test_every_scheme_gets_as_many_rates_on_the_same_seed_and_length(make):
    result = run(make())
    first = {
        name: [(arm.learning_rate, arm.losses[0][0]) for arm in arms(result, name) if arm.seed == 0]
        for name in NAMES
    }
    first_look = {look for pairs in first.values() for _, look in pairs}
    assert len(first_look) == 1
    for pairs in first.values():
        # and beyond, where it did best at an edge
        assert len(pairs) >= FEW_RATES


def test_rates_lie_around_what_the_weights_ask_for(make, batches):
    given = make()
    plan = plan_for(given.model(), "he_normal")
    model = given.model()
    case = study(model, batches[0][0])
    low, high = rate_range(sensitivity(plan, case.structure, case.parameters), "adam")
    rates = {arm.learning_rate for arm in arms(run(given, lrs=None), "he_normal")}
    assert rates >= set(around(math.sqrt(low * high)))
    # zeros have no spread, and so nothing to tell: they get the others' rates
    made = plans({"zeros": "zeros", "he": "he_normal"}, given, batches[0][0], range(1))
    own = predicted(made, given, batches[0][0])
    assert own["zeros"] == own["he"] == around(math.sqrt(low * high))
    assert predicted({"zeros": made["zeros"]}, given, batches[0][0]) == {}


def test_without_a_prediction_all_get_the_optimisers_grid(make):
    result = run(make(), ("zeros",), budget=2)
    assert {arm.learning_rate for arm in result.arms if arm.seed == 0} >= set(GRIDS["adam"])


def test_a_fixed_rate_is_the_only_one(make):
    result = run(make(optimizer="sgd"), lrs=0.05)
    assert {arm.learning_rate for arm in result.arms} == {0.05}


@pytest.mark.parametrize("budget", [0.2, 0.5, 1.0, 2.0])
def test_the_budget_is_kept(make, budget):
    counted = []

    class Counting(torch.optim.SGD):
        def step(self, closure=None):
            counted.append(1)
            return super().step(closure)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "SGD", Counting)
        patch.setattr(heats, "WIDTH", 1)
        result = run(make(optimizer="sgd"), ("he_normal", "zeros"), budget=budget, lrs=[0.01, 0.1])
    assert len(counted) <= budget * 2 * 2 * 60
    assert result.cost == pytest.approx(len(counted) / (2 * 2 * 60))


def test_a_stack_with_arms_that_diverge_keeps_the_budget(make):
    steps = []
    hook = register_optimizer_step_post_hook(lambda optimizer, *_: steps.append(len(optimizer.param_groups)))
    try:
        plans = dict.fromkeys("abcdefgh", "he_normal")
        result = run(make(optimizer="sgd"), plans, budget=0.3, lrs=[1e-2, 1e30], seeds=3)
    finally:
        hook.remove()
    assert any(arm.status == "diverged" for arm in result.arms)
    assert sum(steps) <= 0.3 * 8 * 2 * 60
    assert result.cost == pytest.approx(sum(steps) / (8 * 2 * 60))


def test_the_full_budget_trains_everything_to_the_end(make):
    result = run(make(), ("he_normal", "zeros"), budget=2, seeds=2, lrs=[0.001, 0.01])
    assert Counter(arm.status for arm in result.arms) == {"finished": 8}
    assert {arm.steps for arm in result.arms} == {60}
    assert result.cost == 2


def test_seeds_are_paired_and_differ(make):
    result = run(make(), ("he_normal",), lrs=0.01, budget=3, seeds=3)
    losses = [arm.losses[-1][1] for arm in result.arms]
    assert [arm.seed for arm in result.arms] == [0, 1, 2]
    assert len(set(losses)) == 3


def test_the_seed_is_the_first_of_the_seeds(make):
    zero, five = (run(make(), ("he_normal",), lrs=0.01, budget=3, seeds=3, seed=seed) for seed in (0, 5))
    one = run(make(), ("he_normal",), lrs=0.01, budget=3, seeds=3, seed=1)
    assert [arm.seed for arm in five.arms] == [5, 6, 7]
    losses = [[arm.losses for arm in result.arms] for result in (zero, one, five)]
    assert losses[0][1:] == losses[1][:2]
    assert not {*losses[0]} & {*losses[2]}


@pytest.mark.parametrize("seed", [-1, 1.5, True, 2**64, 2**64 - 1])
def test_a_seed_that_is_none(make, seed):
    with pytest.raises(StreamError, match=r"expected an integer from 0 to 2\*\*64 - 1"):
        run(make(), seed=seed)


def test_identical_candidates_tie(make):
    result = run(make(), dict.fromkeys("abcdefgh", "he_normal"), budget=0.5, lrs=[1e-3, 1e-2])
    assert result.ties == tuple("abcdefgh")
    assert result.winner == "a"


def test_an_arm_that_diverges_is_recorded(make):
    result = run(make(), {"huge": scheme("normal", std=1e30), "he": "he_normal"})
    assert result.winner == "he"
    assert {arm.status for arm in arms(result, "huge")} == {"diverged"}
    assert all(arm.steps == 1 for arm in arms(result, "huge"))
    assert (result.ranking[1].name, result.ranking[1].verdict) == ("huge", "exploding")


class Picky(nn.Module):
    """A layer that cannot stand silence."""

    def forward(self, x):
        if not self.training or x.abs().sum() > 0:
            return x
        raise RuntimeError("nothing comes in")


def test_an_arm_that_raises_is_recorded(make):
    result = run(make(model=lambda: nn.Sequential(nn.Linear(8, 16), Picky(), nn.Linear(16, 4))))
    failed = arms(result, "zeros")
    assert {(arm.status, arm.error) for arm in failed} == {("failed", "RuntimeError: nothing comes in")}
    assert result.ranking[-1].reason == "training failed: RuntimeError: nothing comes in"
    assert result.winner in ("he_normal", "xavier_uniform")


def test_no_survivor_no_winner(make):
    result = run(make(), {"huge": scheme("normal", std=1e30)})
    assert (result.winner, result.ties) == ("", ())


def stopped_after(calls):
    """A progress callback that is interrupted as by Ctrl-C."""
    seen = []

    def report(done, total, text):
        seen.append(done)
        if len(seen) > calls:
            raise KeyboardInterrupt

    return report


def test_ctrl_c_in_the_first_rung_keeps_what_ran(make, one_by_one):
    result = run(make(), progress=stopped_after(6))
    assert result.interrupted
    statuses = Counter(arm.status for arm in result.arms)
    assert statuses["interrupted"] == 9
    assert sum(bool(arm.losses) for arm in result.arms) == 6
    # every scheme at its two lowest rates: cut short, but fair
    assert Counter(arm.scheme for arm in result.arms if arm.losses) == dict.fromkeys(NAMES, 2)
    assert result.winner in NAMES
    assert 0 < result.cost < 0.4


def test_ctrl_c_in_a_later_rung_ranks_by_the_last_one_completed(make, one_by_one):
    calls = []

    def in_the_last_rung(done, total, text):
        calls.append(text)
        if sum(text.startswith("race, rung 2 of 2") for text in calls) == 3:
            raise KeyboardInterrupt

    result = run(make(), progress=in_the_last_rung)
    assert result.interrupted
    assert len({candidate.share for candidate in result.ranking}) == 1
    assert {arm.status for arm in result.arms} == {"finished", "interrupted", "eliminated"}


def test_ctrl_c_in_mid_training_leaves_nothing_behind(make):
    class Stopping(nn.Linear):
        calls = 0

        def forward(self, x):
            Stopping.calls += 1
            if Stopping.calls == 40:
                raise KeyboardInterrupt
            return super().forward(x)

    before, threads = torch.get_rng_state(), torch.get_num_threads()
    result = run(make(model=lambda: Stopping(8, 4)))
    assert result.interrupted
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_ctrl_c_stops_an_executor(make):
    with ThreadPoolExecutor(1) as pool:
        result = run(make(), executor=pool, progress=stopped_after(3))
    assert result.interrupted


def test_progress_goes_from_nothing_to_everything(make):
    calls = []
    run(make(), progress=lambda *call: calls.append(call))
    done, totals, texts = zip(*calls, strict=True)
    assert done[0] == 0
    assert list(done) == sorted(done)
    assert done[-1] == totals[-1]
    assert all(now <= total for now, total in zip(done, totals, strict=True))
    assert texts[0].startswith("race, rung 1 of ")


def test_no_bar_where_nobody_watches(make, capsys):
    run(make(), progress=True)
    assert capsys.readouterr() == ("", "")


def test_a_bar_where_somebody_watches(make, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with reporting(True) as report:
        report(0, 10, "race, rung 1 of 1")
        report(10, 10, "race")
    with reporting(False) as report:
        report(0, 10, "silence")
    out, err = capsys.readouterr()
    assert out == ""
    assert "race" in err
    assert "silence" not in err


def test_nobody_named_sends_those_whom_choose_would_send(make):
    result = race(make(), progress=False, budget=0.4)
    assert 3 <= len(result.ranking) <= 7
    names = {candidate.name for candidate in result.ranking}
    assert "rule_b" in names
    # choose has seen at initialization that zeros cannot learn
    assert "zeros" not in names


def test_an_incumbent_is_in_the_last_rung_whatever_happens_before(make):
    names = ("he_normal", "xavier_uniform", "lecun_normal", "orthogonal", "zeros")
    assert "eliminated" in run(make(), names).ranking[-1].reason
    kept = {one.name: one for one in run(make(), names, incumbent="zeros").ranking}["zeros"]
    assert kept.reason.startswith("behind: ")
    assert kept.p < 0.05
    with pytest.raises(OptionError, match="incumbent: 'zeroes'"):
        run(make(), ("he_normal", "zeros"), incumbent="zeroes")


def test_a_plan_for_each_seed_may_be_given(make):
    plan = plan_for(make().model(), "he_normal")
    result = run(make(), {"mine": (plan, plan, plan), "he": "he_normal"})
    assert set(result.ties) == {"mine", "he"}
    with pytest.raises(OptionError, match="candidate 'mine': 2 plans; expected one, or 3"):
        run(make(), {"mine": (plan, plan)})


def test_a_scheme_of_the_whole_model_looks_at_each_seeds_weights(make, batches):
    made = plans({"lsuv": "lsuv", "he": "he_normal"}, make(), batches[0][0], range(2))
    assert made["lsuv"][0] != made["lsuv"][1]
    assert made["he"][0] == made["he"][1]


def dropping():
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 4))


def test_nothing_global_is_touched(make):
    def state():
        legacy = np.random.get_state()
        return random.getstate(), legacy[1].tolist(), legacy[2], torch.get_rng_state().tolist()

    before, threads = state(), torch.get_num_threads()
    try:
        torch.set_num_threads(2)  # small models train on one
        with torch.no_grad():
            run(make(model=dropping))
            assert not torch.is_grad_enabled()
        assert state() == before
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_looking_on_the_way_does_not_change_the_training(make):
    given = make(model=dropping)
    data = Reader(given).read(10)
    plan = plan_for(dropping(), "he_normal")
    ends = []
    for checkpoints in ((10,), (2, 5, 10)):
        task = Task(
            dropping, given.loss, None, "adam", plan, 0.01, 0, data.training, data.validation, checkpoints, 1
        )
        ends.append(train(task).losses[-1])
    assert ends[0] == ends[1]


def test_dropout_is_reproducible_whatever_was_drawn_before(make):
    first = timeless(run(make(model=dropping)))
    torch.rand(7)
    with ThreadPoolExecutor(2) as pool:
        assert timeless(run(make(model=dropping), executor=pool)) == first


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 4)

    def forward(self, left, right):
        return self.layer(left * right)


@pytest.mark.parametrize(
    "shape",
    [
        lambda x: {"left": x, "right": torch.ones(8)},
        lambda x: (x, torch.ones(8)),
        lambda x: {"left": x.double().numpy(), "right": np.ones(8)},
    ],
    ids=["by name", "by position", "arrays"],
)
def test_inputs_of_several_kinds_give_the_same_race(make, batches, shape):
    shaped = [(shape(x), y) for x, y in batches]
    result = run(make(model=Named, batches=shaped), ("he_normal",))
    expected = run(make(model=Named, batches=[((x, torch.ones(8)), y) for x, y in batches]), ("he_normal",))
    assert timeless(result) == timeless(expected)


def test_plans_schemes_and_names_may_be_mixed(make):
    ones = Plan("ones", (("head.weight", Fill.constant(1.0)),))
    result = run(make(), [ones, scheme("normal", std=0.1), "zeros"])
    assert {candidate.name for candidate in result.ranking} == {"ones", "normal", "zeros"}


def test_what_cannot_be_sent_to_a_process_is_named(make):
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        pytest.raises(ProblemError) as caught,
    ):
        run(make(model=lambda: nn.Linear(8, 4)), executor=pool)
    text = str(caught.value)
    assert text.startswith("Problem: model cannot be sent to another process (")
    assert text.endswith("Define model at the top level of a module, or race without an executor.")


def test_on_ten_sigmoid_layers_zeros_lose():
    """Uniform weights in ±1 train it (variance 1/3, far above 1/fan); zeros never leave ln 10 = 2.30."""
    given = problem("digits-mlp-sigmoid").problem
    wide = scheme("uniform", low=-1.0, high=1.0)
    candidates = {"zeros": "zeros", "wide": wide}
    result = race(given, candidates=candidates, lrs=[3e-3, 1e-2], budget=0.4, progress=False)
    assert result.winner == "wide"
    assert result.ties == ("wide",)
    assert result.ranking[1].loss > 2.25 > 1 > result.ranking[0].loss
