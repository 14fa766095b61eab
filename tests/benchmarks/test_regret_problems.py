"""The problems of the regret benchmark: each can be drawn, stacked and trained."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SETS = (
    "regret_development",
    "regret_development_wide",
    "regret_validation",
    "regret_unseen",
    "regret_third",
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def module(name: str) -> ModuleType:
    """A module of benchmarks/, which is no package."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


def problems(name: str):
    return module(name).PROBLEMS


EVERY = [pytest.param(problem, id=problem.name) for name in SETS for problem in problems(name)]


def opened(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Gates and last layers of nought moved off it: at nought no slope passes to what lies before."""
    return {name: w if w.any() else w + 0.01 for name, w in state.items()}


def slopes(problem) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Losses and gradients of two trainings stacked, as the benchmark stacks them."""
    regret, arms = module("regret"), module("regret_arms")
    states = [opened(regret.state(regret.made(problem, seed))) for seed in (0, 1)]
    weights = {name: torch.stack([state[name] for state in states]) for name in states[0]}
    model, data = regret.made(problem, 0), problem.data()
    run = arms._Run(problem, model, data, dict(model.named_buffers()))
    both = [arms.Arm("torch_default", seed, 1e-3) for seed in (0, 1)]
    index = arms._Batches(both, len(data.inputs), 8).next()
    gradient, loss = run.slopes(weights, data.inputs[index], data.targets[index])
    return loss, gradient


@pytest.mark.parametrize("problem", EVERY)
def test_a_stacked_step_has_finite_losses_and_reaches_every_matrix(problem) -> None:
    loss, gradient = slopes(problem)
    assert loss.shape == (2,)
    assert loss.isfinite().all()
    assert all(slope.isfinite().all() for slope in gradient.values())
    matrices = {name: slope for name, slope in gradient.items() if slope.dim() > 2}  # stacked
    assert [name for name, slope in matrices.items() if not slope.any()] == []


@pytest.mark.parametrize("problem", EVERY)
def test_data_are_finite_held_out_apart_and_the_same_each_time(problem) -> None:
    data, again = problem.data(), problem.data()
    for part in ("inputs", "targets", "held_inputs", "held_targets"):
        assert getattr(data, part).isfinite().all()
        assert torch.equal(getattr(data, part), getattr(again, part))
    assert len(data.inputs) == len(data.targets) > problem.batch
    assert len(data.held_inputs) == len(data.held_targets) >= 100


def test_names_are_given_once() -> None:
    names = [problem.name for name in SETS for problem in problems(name)]
    assert len(names) == len(set(names))


def test_every_set_is_found_by_name() -> None:
    assert set(SETS) <= set(module("regret").SETS.values())
