"""`choose`: what a user gets for every kind of model, and what bad input gets."""

from __future__ import annotations

import importlib
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from choose_models import ZOO, Broken, Transformer, mlp
from torch import nn

import initwise
from initwise.choose import choose
from initwise.choose.candidates import CANDIDATES, candidate, names, resolve
from initwise.core.errors import (
    ExampleError,
    ForwardError,
    InitwiseError,
    ModelError,
    OptionError,
    ProblemError,
    UnknownNameError,
)
from initwise.core.problem import Problem
from initwise.core.records import Advice, Candidate, Race

FEW = ("rule_b", "rule_a2", "he_normal", "torch_default", "zeros")


def state(model: nn.Module) -> list[bytes]:
    return [value.detach().numpy().tobytes() for value in model.state_dict().values()]


@pytest.fixture(scope="module")
def advised() -> dict[str, Advice]:
    """One Advice per model of the zoo, from all candidates for two, from a few for the others."""
    found = {}
    for name, (make, example) in ZOO.items():
        torch.manual_seed(0)
        model = make()
        before, generator = state(model), torch.get_rng_state()
        wanted = "all" if name in ("sigmoid", "post_norm") else FEW
        found[name] = choose(model, example, candidates=wanted)
        assert state(model) == before, f"{name} was changed"
        assert torch.equal(generator, torch.get_rng_state())
        assert model.training
    return found


@pytest.mark.parametrize("name", ZOO)
def test_every_kind_of_model_gets_an_answer(name: str, advised: dict[str, Advice]) -> None:
    advice = advised[name]
    assert advice.ranking[0].name == advice.name == advice.ties[0]
    assert advice.ranking[0].verdict == "ok"
    assert advice.confidence in ("high", "moderate", "low")
    assert advice.reasons
    assert all(reason.strip() for reason in advice.reasons)
    assert advice.signals is not None
    assert advice.learning_rate is None
    assert advice.cost > 0
    assert Advice.from_json(advice.to_json()).to_json() == advice.to_json()


@pytest.mark.parametrize("name", ZOO)
def test_zero_weights_are_out_wherever_there_is_a_hidden_layer(name: str, advised: dict[str, Advice]) -> None:
    zeros = next(c for c in advised[name].ranking if c.name == "zeros")
    if name not in ("single", "bare"):
        assert zeros.verdict in ("symmetric", "dead", "vanishing"), zeros
        assert zeros.reason
        assert advised[name].ranking[-1].verdict != "ok"


@pytest.mark.parametrize("name", ZOO)
def test_the_plan_can_be_applied_and_is_healthy(name: str, advised: dict[str, Advice]) -> None:
    make, example = ZOO[name]
    model = make()
    ledger = initwise.init_(model, advised[name], seed=0)
    assert ledger.plan == advised[name].name
    assert initwise.check(model, example).healthy


def test_a_deep_sigmoid_network_is_explained_with_numbers(advised: dict[str, Advice]) -> None:
    advice = advised["sigmoid"]
    assert advice.name == "rule_b"
    assert advice.reasons[0] == "The network: 10 sigmoid layers deep, no normalisation, no residual sums."
    out = {c.name: c for c in advice.ranking if c.verdict != "ok"}
    assert {"he_normal", "xavier_normal", "torch_default", "lecun_normal", "zeros"} <= set(out)
    assert out["he_normal"].verdict == "vanishing"
    assert out["he_normal"].backward < 1e-3
    assert 0.1 < advice.ranking[0].backward < 10
    assert any("q" in r or "variance" in r for r in advice.reasons)
    assert [c.verdict == "ok" for c in advice.ranking] == sorted(
        (c.verdict == "ok" for c in advice.ranking), reverse=True
    )


def test_post_norm_comes_with_its_caveat(advised: dict[str, Advice]) -> None:
    advice = advised["post_norm"]
    assert advice.confidence == "low"
    assert any("post-LN" in reason and "Caveat" in reason for reason in advice.reasons)
    assert "truncated_normal" in advice.ties


def test_where_the_default_ties_that_is_said(advised: dict[str, Advice]) -> None:
    advice = advised["post_norm"]
    assert "torch_default" in advice.ties
    assert any("framework's default" in reason for reason in advice.reasons)


def test_an_example_of_shapes_and_bare_parameters_are_mentioned(advised: dict[str, Advice]) -> None:
    assert any("drawn at random from shapes" in r for r in advised["relu"].reasons)
    assert any("Bare parameters are filled as the layers" in r for r in advised["bare"].reasons)


def test_the_lines_that_apply_it_are_three_and_true() -> None:
    torch.manual_seed(0)
    model, example = mlp(6, nn.Tanh), torch.randn(32, 16)
    advice = choose(model, example, candidates=("rule_b", "he_normal"), seed=3)
    lines = advice.apply.splitlines()
    assert len(lines) == 3
    scope = {"model": model, "example": example}
    exec(advice.apply, scope)
    assert initwise.check(model, example).healthy
    # all candidates competed there, and the same rule won with the same numbers
    assert scope["advice"].plan == advice.plan


def test_the_choice_and_its_numbers_depend_on_the_arguments_only() -> None:
    make, example = ZOO["relu"]
    torch.manual_seed(1)
    one = choose(make(), example, candidates=FEW)
    torch.manual_seed(2)
    random.seed(5)
    np.random.seed(6)
    two = choose(make(), example, candidates=FEW)
    assert one.plan == two.plan
    assert one.ranking == two.ranking


def test_progress_is_told() -> None:
    seen: list[tuple[str, int, int]] = []
    choose(nn.Linear(4, 2), "f32[8,4]", candidates=FEW, on_progress=lambda *a: seen.append(a))
    assert seen[0] == ("measuring rule_b", 0, len(FEW))
    assert seen[-1][1:] == (len(FEW), len(FEW))


def test_candidates_by_name_alias_and_mapping() -> None:
    assert resolve(None) == CANDIDATES
    assert [row.name for row in resolve(("B", "kaiming_normal"))] == ["rule_b", "he_normal"]
    assert candidate("haiku_default").name == "haiku_default"
    advice = choose(
        nn.Linear(4, 2),
        "f32[8,4]",
        candidates={"mine": initwise.scheme("normal", std=0.5), "theirs": "he_normal"},
    )
    assert {c.name for c in advice.ranking} == {"mine", "theirs"}


def test_every_candidate_has_a_row_with_a_prior_for_every_family() -> None:
    assert len(set(names())) == len(CANDIDATES) >= 16
    assert all(len(row.prior) == 6 and row.says for row in CANDIDATES)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({}, OptionError, "neither a model nor a problem"),
        ({"model": nn.Linear(2, 2), "race": True}, ProblemError, "race=True without a problem"),
        ({"model": nn.Linear(2, 2), "problem": 3}, ProblemError, "problem is a int"),
        ({"model": nn.Linear(2, 2), "method": "calibratd"}, OptionError, "Did you mean 'calibrated'"),
        (
            {"model": nn.Linear(2, 2), "budget": 0},
            OptionError,
            "budget: 0; expected a share of one full grid",
        ),
        ({"model": nn.Linear(2, 2), "lr": float("nan")}, OptionError, "lr=nan"),
        (
            {"model": nn.Linear(2, 2), "candidates": ("he_norml",)},
            UnknownNameError,
            "Did you mean 'he_normal'",
        ),
        ({"model": nn.Linear(2, 2), "candidates": ()}, OptionError, "candidates is empty"),
        ({"model": nn.Linear(2, 2), "candidates": 7}, OptionError, "candidates is a int"),
        ({"model": nn.Linear(2, 2), "candidates": {"x": 7}}, OptionError, "candidate 'x' is a int"),
        ({"model": object(), "example": "f32[2,2]"}, ModelError, "not a model initwise knows"),
        ({"model": nn.Linear(2, 2), "example": "f32[4,3]"}, ExampleError, "3"),
    ],
)
def test_bad_input_says_what_was_wrong(arguments, error: type[InitwiseError], text: str) -> None:
    with pytest.raises(error, match=text.replace("(", r"\(")):
        choose(**arguments)


def test_a_model_that_raises_names_the_last_good_layer_and_stays_as_it_was() -> None:
    model = Broken()
    before = state(model)
    with pytest.raises(ForwardError, match="first") as caught:
        choose(model, "f32[8,16]")
    assert "second" in str(caught.value)
    assert state(model) == before
    assert not any(module._forward_hooks for module in model.modules())


def problem(**changes) -> Problem:
    generator = torch.Generator().manual_seed(0)
    batches = [
        (torch.randn(32, 16, generator=generator), torch.randint(0, 4, (32,), generator=generator))
        for _ in range(9)
    ]
    facts = {"model": lambda: mlp(6, nn.Sigmoid), "batches": batches, "loss": nn.functional.cross_entropy}
    return Problem(**{**facts, "steps": 20, **changes})


def test_a_problem_stands_for_model_and_example() -> None:
    generator = torch.get_rng_state()
    advice = choose(problem=problem(), candidates=FEW)
    assert advice.name == "rule_b"
    assert "problem=problem" in advice.apply
    assert not any("drawn at random" in reason for reason in advice.reasons)
    assert torch.equal(generator, torch.get_rng_state())


@pytest.mark.parametrize(
    ("batches", "text"),
    [(iter([(1, 2)]), "only once"), ([], "batches is empty"), ([torch.zeros(2)], "a batch is a Tensor")],
)
def test_unusable_batches_are_refused(batches, text: str) -> None:
    with pytest.raises(ProblemError, match=text):
        choose(problem=problem(batches=batches))


def test_factories_and_data_may_draw_numbers_without_a_trace() -> None:
    def drawing() -> nn.Module:
        random.random(), np.random.rand(), torch.rand(1)
        return mlp(2, nn.ReLU)

    def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [(torch.randn(32, 16) * random.random() * np.random.rand(), torch.zeros(32))]

    before = random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().tolist()
    choose(problem=problem(model=drawing, batches=batches), candidates=("he_normal",))
    assert before == (random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().tolist())


def test_a_factory_may_set_torch_s_modes_without_a_trace() -> None:
    def setting() -> nn.Module:
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        return mlp(2, nn.ReLU).float()

    try:
        choose(problem=problem(model=setting), candidates=("he_normal",))
        assert torch.get_default_dtype() == torch.float32
        assert torch.is_grad_enabled()
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)


def test_without_torch_random_states_are_kept_and_torch_stays_unloaded() -> None:
    code = """
import random, sys
import numpy as np
from initwise.choose.quiet import quiet
before = random.getstate(), np.random.get_state()[1].tobytes()
with quiet():
    random.random(), np.random.rand()
assert before == (random.getstate(), np.random.get_state()[1].tobytes())
print("torch" in sys.modules)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr


def test_a_model_factory_that_raises_is_named() -> None:
    with pytest.raises(ProblemError, match="ZeroDivisionError"):
        choose(problem=problem(model=lambda: 1 / 0))


def test_the_race_decides_order_ties_and_learning_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    called = {}

    def race(given, **options) -> Race:
        called.update(options, problem=given)
        results = tuple(
            Candidate(name, loss=loss, loss_error=0.01, learning_rate=0.003, share=0.4)
            for name, loss in (("rule_a2", 0.5), ("rule_b", 0.6))
        )
        return Race("p", "rule_a2", ("rule_a2", "rule_b"), results, cost=0.08)

    monkeypatch.setattr(importlib.import_module("initwise.race"), "race", race)
    advice = choose(problem=problem(), race=True, budget=0.08, lr=0.003, candidates=FEW, seed=6)
    # a tie goes to the one that would have been taken without a race
    assert (advice.name, advice.ties, advice.learning_rate) == ("rule_b", ("rule_b", "rule_a2"), 0.003)
    assert advice.ranking[0].loss == 0.6
    assert called["lrs"] == (0.003,)
    assert called["budget"] == 0.08
    assert called["seed"] == 6
    assert called["incumbent"] == "rule_b"
    # rule B looks at weights, so it is made anew for every seed; vetoed ones do not run
    made = called["candidates"]["rule_b"]
    assert made[0] == advice.plan
    assert len({plan.to_json() for plan in made}) == 3
    assert "zeros" not in called["candidates"]
    assert any("8% of a full grid" in reason for reason in advice.reasons)
    assert "race=True" in advice.apply
    assert Advice.from_json(advice.to_json()).to_json() == advice.to_json()


def test_a_real_race_ends_in_advice() -> None:
    advice = choose(
        problem=problem(steps=30),
        race=True,
        budget=0.5,
        lr=0.003,
        candidates=("rule_b", "rule_a2", "he_normal"),
        seed=3,
    )
    assert advice.race is not None
    assert {arm.seed for arm in advice.race.arms} == {3, 4, 5}
    assert advice.learning_rate == 0.003
    assert advice.name in advice.race.ties


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"budget": "ten"}, "budget: 'ten'; expected a share of one full grid"),
        ({"budget": "0 s"}, "budget: '0 s'; expected a share"),
        ({"seeds": 0}, "seeds: 0; expected a whole number ≥ 1"),
        ({"seeds": 2.0, "race": False}, "seeds: 2.0; expected a whole number ≥ 1"),
        ({"timeout": -1}, "timeout: -1; expected seconds > 0, or None"),
        ({"executor": "procesess"}, "executor: 'procesess'.\n  Did you mean 'processes'?"),
        ({"executor": "threads:0"}, "executor: '0' workers; expected a whole number ≥ 1"),
        ({"memory": 2**30}, "memory: memory=1073741824; expected none"),
        ({"memory": -1, "executor": "processes"}, "Workers: processes=None, memory=-1; expected numbers ≥ 1"),
    ],
)
def test_options_of_a_race_are_refused_before_anything_is_measured(options, text) -> None:
    def never() -> nn.Module:
        raise AssertionError("measured all the same")

    with pytest.raises(OptionError) as caught:
        choose(problem=problem(model=never), **{"race": True, **options})
    assert str(caught.value).startswith(text)


def test_if_all_are_out_the_least_damaged_is_named_with_low_confidence() -> None:
    advice = choose(mlp(10, nn.Sigmoid), "f32[32,16]", candidates=("zeros", "he_normal"))
    assert advice.name == "he_normal"
    assert advice.confidence == "low"
    assert any("Every candidate was vetoed" in reason for reason in advice.reasons)


def test_dropout_and_modes_are_left_alone() -> None:
    model = Transformer(norm_first=True).eval()
    choose(model, "i64[8,6]<40", candidates=("rule_b",))
    assert not any(module.training for module in model.modules())


def test_a_function_without_a_name_is_said_not_guessed() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self.layers:
                x = 5 * torch.relu(layer(x)) - torch.sin(x) ** 2
            return x

    advice = choose(Odd(), "f32[32,16]", candidates=["rule_a", "rule_b"])
    assert any("elementwise functions are no activation that initwise knows" in r for r in advice.reasons)
