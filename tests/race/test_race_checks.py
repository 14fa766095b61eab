"""A problem that cannot be raced is refused before the race, with what to do about it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initwise.core.errors import ExampleError, ForwardError, ProblemError
from initwise.race import checks, race
from initwise.race.budget import EXPECTED
from initwise.race.data import Reader


def refused(problem, kind=ProblemError, **options):
    with pytest.raises(kind) as caught:
        race(problem, candidates=["he_normal"], progress=False, **options)
    return str(caught.value)


def test_something_that_is_no_problem():
    assert refused(nn.Linear(2, 2)) == (
        "problem: a Linear; expected an initwise.Problem.\n  Pass Problem(model=..., batches=..., loss=...)."
    )


def test_a_maker_that_raises(make):
    def broken():
        raise RuntimeError("no such file.")

    assert refused(make(model=broken)) == "Problem: model() raised RuntimeError: no such file."


def test_a_maker_that_makes_no_module(make):
    assert refused(make(model=lambda: torch.ones(2))) == (
        "Problem: model() returned a Tensor; expected a torch.nn.Module.\n"
        "  Likely cause: the model itself was called, not its maker"
    )


def test_a_maker_that_returns_the_same_weights(make):
    model = nn.Linear(8, 4)
    assert refused(make(model=lambda: model)) == (
        "Problem: model() returned the same weights twice; expected a new model on every call.\n"
        "  Likely cause: it returns a model, or a layer of one, that was made outside\n"
        "  Make the model inside: model=lambda: MyModel(...)."
    )
    assert "the same weights twice" in refused(make(model=lambda: nn.Sequential(model, nn.ReLU())))


def test_a_maker_that_changes_its_mind(make):
    widths = iter(range(5, 100))

    def made():
        width = next(widths)
        return nn.Sequential(nn.Linear(8, width), nn.Linear(width, 4))

    assert refused(make(model=made)).startswith(
        "Problem: two calls of model() returned different architectures: '0.bias' differs;"
    )


def test_a_maker_that_draws_what_nobody_fills_from_a_generator_of_its_own(make):
    generator = torch.Generator()

    class Scaled(nn.Linear):
        def __init__(self):
            super().__init__(8, 4)
            self.factor = torch.rand((), generator=generator)

        def forward(self, x):
            return self.factor * super().forward(x)

    assert refused(make(model=Scaled)).startswith(
        "Problem: two models with the same weights, on the same batch and random state, came to different "
        "losses; expected a model that its weights and the random state decide.\n  Likely cause: model() "
    )


def test_models_that_share_state(make):
    seen = []

    class Remembering(nn.Linear):
        def forward(self, x):
            seen.append(float(x.mean()))
            return super().forward(x) + len(seen)

    assert "shares state between the models it returns" in refused(make(model=lambda: Remembering(8, 4)))


def test_dropout_is_decided_by_the_random_state(make):
    race(
        make(model=lambda: nn.Sequential(nn.Linear(8, 4), nn.Dropout(0.5))),
        candidates=["he_normal"],
        progress=False,
        lrs=0.01,
        budget=1,
        seeds=1,
    )


def test_a_loss_that_is_nan_at_once(make):
    def loss(outputs, targets):
        return (outputs.abs() - outputs.abs() - 1).log().mean()

    assert refused(make(loss=loss)) == (
        "Problem: the loss is nan on the first batch, before any training; expected a finite number.\n"
        "  Likely cause: the outputs are finite, so the loss: a log or root of 0, a division by 0, a mask "
        "that leaves nothing\n"
        "  Run the loss on this batch by hand; no initialization mends it."
    )
    text = refused(make(model=lambda: nn.Sequential(nn.Linear(8, 4), Unbounded())))
    assert "Likely cause: the model's outputs are not finite" in text


class Unbounded(nn.Module):
    def forward(self, x):
        return x / 0


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "long", True])
def test_a_timeout_that_is_none(make, timeout):
    text = refused(make(), Exception, timeout=timeout)
    assert text == f"timeout: {timeout!r}; expected seconds > 0, or None."


def test_a_budget_too_small_for_one_rung(make):
    text = refused(make(), budget="3 steps", lrs=[0.01, 0.1])
    assert text.startswith("race: the budget pays for 3 optimiser steps, too few for 2 arms")


def test_nothing_to_train(make):
    text = refused(make(model=lambda: nn.Linear(8, 4).requires_grad_(False)))
    assert text.startswith("Problem: the model has no parameter that requires a gradient")


def test_inputs_that_do_not_fit_the_first_layer(make):
    refused(make(model=lambda: nn.Sequential(nn.Linear(9, 4))), ExampleError)


def test_a_forward_that_raises_names_the_layer(make):
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("out of ideas")

    text = refused(make(model=lambda: nn.Sequential(nn.Linear(8, 4), Broken())), ForwardError)
    assert "1" in text.split(":")[0]
    assert "out of ideas" in text


def test_labels_that_do_not_fit_the_loss(make, batches):
    text = refused(make(batches=[(inputs, targets + 2) for inputs, targets in batches]))
    assert text.startswith("Problem: loss(outputs, targets) raised IndexError: Target")
    assert text.endswith(
        "Likely cause: outputs are float32 of shape (16, 4), targets are int64 of shape (16,)"
    )


def test_a_loss_per_example(make):
    def loss(outputs, targets):
        return nn.functional.cross_entropy(outputs, targets, reduction="none")

    assert refused(make(loss=loss)) == (
        "Problem: loss returned a tensor of shape (16,); expected a scalar tensor.\n"
        "  Average over the batch, for example with reduction='mean'."
    )


def test_a_loss_that_is_a_number(make):
    def loss(outputs, targets):
        return 2.5

    assert refused(make(loss=loss)).startswith("Problem: loss returned 2.5; expected a scalar tensor.")


def test_a_loss_without_gradient(make):
    def loss(outputs, targets):
        return nn.functional.cross_entropy(outputs.detach(), targets)

    assert refused(make(loss=loss)) == (
        "Problem: the loss does not depend on the weights; expected a loss with a gradient.\n"
        "  Likely cause: detach(), item() or no_grad() in the model or the loss"
    )


def test_a_metric_that_is_no_number(make):
    text = refused(make(metric=lambda outputs, targets: outputs.argmax(-1) == targets))
    assert text.startswith("Problem: metric returned tensor(")
    assert text.endswith("expected a number.")


def test_a_backward_that_raises(make):
    class Unwilling(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise RuntimeError("no way back")

    def loss(outputs, targets):
        return nn.functional.cross_entropy(Unwilling.apply(outputs), targets)

    assert refused(make(loss=loss), ForwardError) == "Problem: the backward raised RuntimeError: no way back."


@pytest.mark.parametrize("budget", [0, -1, float("nan"), float("inf"), "much", True])
def test_a_budget_that_is_none(make, budget):
    text = refused(make(), Exception, budget=budget)
    assert text == f"budget: {budget!r}; expected {EXPECTED}."


@pytest.mark.parametrize("seeds", [0, 1.5, True])
def test_seeds_that_are_none(make, seeds):
    assert refused(make(), Exception, seeds=seeds) == f"seeds: {seeds!r}; expected a whole number ≥ 1."


def test_candidates_that_cannot_be_told_apart(make):
    with pytest.raises(ValueError, match=r"^candidates: he_normal given twice; expected at least one, each"):
        race(make(), candidates=["he_normal", "zeros", "he_normal"], progress=False)
    with pytest.raises(ValueError, match=r"^candidates: no candidates; expected at least one"):
        race(make(), candidates=[], progress=False)


def test_an_unknown_candidate_is_guessed(make):
    with pytest.raises(KeyError) as caught:
        race(make(), candidates=["he_norml"], progress=False)
    assert "Did you mean 'he_normal'?" in str(caught.value)


def test_a_step_is_timed_with_the_threads_it_will_have(make, monkeypatch):
    seen = []

    class Looking(nn.Linear):
        def forward(self, x):
            seen.append(torch.get_num_threads())
            return super().forward(x)

    given = make(model=lambda: Looking(8, 4))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        monkeypatch.setattr(checks, "SMALL", 0)
        facts = checks.check_problem(given, Reader(given).first)
        assert (facts.threads, seen[-1]) == (2, 2)
        assert set(seen[:-1]) == {1}
    finally:
        torch.set_num_threads(before)


def test_what_a_device_still_works_on_belongs_to_the_step(make, monkeypatch):
    calls = []
    monkeypatch.setattr(checks, "home", lambda model: (torch.device("cuda"), torch.float32))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: calls.append(1))
    given = make()
    checks.check_problem(given, Reader(given).first)
    assert len(calls) == 2  # before the clock starts, and before it stops
