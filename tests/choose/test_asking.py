"""What asking costs: as many candidates measured as shapes say, none of a model without values."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
import torch
from choose_models import ZOO, mlp
from torch import Tensor, nn

import initwise
from initwise.choose import choose, work
from initwise.choose.candidates import CANDIDATES, CandidateRow
from initwise.choose.measuring import measured
from initwise.choose.planners import Case, plan_a2, plan_b, study
from initwise.choose.rank import TIE, expected
from initwise.choose.stand_in import stood_in
from initwise.choose.verdicts import UNMEASURED
from initwise.choose.work import ALLOWANCE, Work
from initwise.core.errors import ModelError, UnsupportedError
from initwise.core.plan import Plan
from initwise.core.records import Advice, Candidate
from initwise.frameworks.protocol import adapter_for
from initwise.measure.drawn import Drawn
from initwise.measure.substitutes import weights_for

DEEP = ("torch_default", "he_normal", "rule_b")


def on_meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return ZOO[name][0]()


def verdicts(advice: Advice) -> dict[str, Candidate]:
    return {candidate.name: candidate for candidate in advice.ranking}


# without values


@pytest.mark.parametrize("name", ZOO)
def test_the_graph_of_a_model_without_values_is_that_of_the_same_model_with_values(name: str) -> None:
    make, example = ZOO[name]
    model, bare = make(), on_meta(name)
    adapter = adapter_for(model)
    assert adapter.trace(bare, example) == adapter.trace(model, example)
    assert all(parameter.device.type == "meta" for parameter in bare.parameters())


@pytest.mark.parametrize("name", ["relu", "resnet", "pre_norm", "lstm", "tied"])
def test_a_model_without_values_gets_rule_a2_by_prediction(name: str) -> None:
    bare = on_meta(name)
    advice = choose(bare, ZOO[name][1])
    assert advice.name == "rule_a2"
    assert advice.signals is not None
    assert advice.signals.mode == "predict"
    assert "rule_b" not in verdicts(advice)
    assert "lsuv" not in verdicts(advice)
    assert {c.verdict for c in advice.ranking[1:]} == {UNMEASURED}
    assert any("meta device" in reason for reason in advice.reasons)
    ready = ZOO[name][0]()
    initwise.init_(ready, advice)
    assert dict(advice.plan) == dict(choose(ready, ZOO[name][1], candidates=["rule_a2"]).plan)


def test_a_data_pass_of_a_model_without_values_is_refused() -> None:
    with pytest.raises(ModelError, match="has no values that data could pass through"):
        choose(on_meta("relu"), ZOO["relu"][1], method="calibrated")


class Deciding(nn.Module):
    """Asks for a value."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp(3, nn.ReLU)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return y if y.sum() > 0 else -y


def test_a_forward_that_decides_by_values_is_guessed_and_said_to_be() -> None:
    with torch.device("meta"):
        model = Deciding()
    with pytest.raises(UnsupportedError, match="decides by values"):
        adapter_for(model).trace(model, "f32[32,16]")
    advice = choose(model, "f32[32,16]")
    assert "their order is a guess" in advice.reasons[0]


class Buffered(nn.Module):
    """With a buffer that its forward needs."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.norm = mlp(3, nn.ReLU), nn.BatchNorm1d(4)
        self.register_buffer("shift", torch.zeros(16))

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.norm(self.body(x + self.shift)))


def test_buffers_without_values_have_stand_ins() -> None:
    with torch.device("meta"):
        model = Buffered().eval()
    advice = choose(model, "f32[32,16]")
    assert advice.signals is not None
    assert advice.ranking[0].verdict == "ok"


# the method


def test_the_analytic_method_leaves_out_what_needs_data() -> None:
    advice = choose(mlp(4, nn.Tanh), "f32[32,16]", method="analytic")
    assert advice.name == "rule_a2"
    assert {row.name for row in CANDIDATES} - set(verdicts(advice)) == {"rule_b", "lsuv"}
    assert "Method analytic: it was asked for." in advice.reasons
    assert 'method="analytic"' in advice.apply


def test_one_that_needs_data_and_is_named_is_said_to_have_no_plan() -> None:
    advice = choose(
        mlp(4, nn.Tanh), "f32[32,16]", method="analytic", candidates=("lsuv", "rule_b", "he_normal")
    )
    assert advice.name == "he_normal"
    assert all("needs a data pass" in verdicts(advice)[name].reason for name in ("lsuv", "rule_b"))


def test_the_default_says_why_it_is_calibrated() -> None:
    advice = choose(mlp(4, nn.Tanh), "f32[32,16]")
    assert advice.name == "rule_b"
    assert "Method calibrated: the model has weights and runs on the example." in advice.reasons
    assert "method=" not in advice.apply


# how many


def rows(**priors: float) -> list[CandidateRow]:
    return [CandidateRow(name, lambda case: Plan("", ()), (prior,) * 6) for name, prior in priors.items()]


def test_before_measuring_ties_have_the_order_of_the_table() -> None:
    given = rows(first=0.1 + TIE / 2, second=0.5, third=0.1, fourth=0.2)
    assert [row.name for row in expected(given, "deep")] == ["first", "third", "fourth", "second"]


def test_a_small_model_has_all_measured_and_a_deep_one_the_chosen_alone() -> None:
    small = choose(mlp(3, nn.ReLU), "f32[32,16]")
    assert not any(candidate.verdict == UNMEASURED for candidate in small.ranking)
    deep = choose(mlp(100, nn.Tanh), "f32[32,16]")
    assert [c.name for c in deep.ranking if c.verdict != UNMEASURED] == [deep.name] == ["rule_b"]
    left = next(reason for reason in deep.reasons if reason.startswith("Not measured"))
    assert 'candidates="all"' in left
    assert all(c.score == pytest.approx(row_of(c).expected("deep")) for c in deep.ranking[1:])
    scores = [c.score for c in deep.ranking[1:]]
    assert scores == sorted(scores)
    assert Advice.from_json(deep.to_json()).to_json() == deep.to_json()


def row_of(candidate: Candidate) -> CandidateRow:
    return next(row for row in CANDIDATES if row.name == candidate.name)


def test_named_candidates_are_measured_whatever_it_costs() -> None:
    advice = choose(mlp(60, nn.Tanh), "f32[32,16]", candidates=DEEP)
    assert not any(candidate.verdict == UNMEASURED for candidate in advice.ranking)


def case_of(affordable: int) -> Case:
    case = study(mlp(10, nn.Sigmoid), "f32[32,16]")
    work = Work(nodes=1, elements=(ALLOWANCE / (affordable + 2.5) - Work(nodes=1).check) / 4e-8)
    assert work.affordable == affordable
    return dataclasses.replace(case, work=work)


def looked_at(names: tuple[str, ...], case: Case) -> list[str]:
    chosen = [row for row in CANDIDATES if row.name in names]
    found = measured(chosen, case, "shallow", everything=False, report=lambda *told: None)
    return [one.row.name for one in found if not one.unmeasured]


def test_when_the_chosen_one_is_vetoed_the_next_is_measured_until_one_is_healthy() -> None:
    # ten sigmoid layers: by prior he_normal, lecun_normal and xavier_normal come first, and all vanish
    names = ("he_normal", "lecun_normal", "xavier_normal", "torch_default", "zeros")
    assert looked_at((*names, "rule_a2"), case_of(0)) == ["rule_a2"]
    assert set(looked_at(names, case_of(0))) == set(names)


def test_the_framework_s_default_is_the_first_of_the_others() -> None:
    names = ("rule_a2", "rule_a", "he_normal", "torch_default", "uniform")
    assert looked_at(names, case_of(0)) == ["rule_a2"]
    assert looked_at(names, case_of(1)) == ["rule_a2", "torch_default"]
    assert looked_at(names, case_of(2)) == ["rule_a2", "he_normal", "torch_default"]
    assert set(looked_at(names, case_of(4))) == set(names)


def test_the_work_of_a_network_is_its_multiplications_elements_and_operations() -> None:
    work = study(nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 4)), "f32[32,16]").work
    assert work.multiplications == 32 * (16 * 24 + 24 * 4)
    # two weights, two biases; input, three outputs and the result
    assert work.elements == 16 * 24 + 24 + 24 * 4 + 4 + 32 * (16 + 24 + 24 + 4 + 4)
    assert work.nodes == 5


def test_the_work_of_a_convolution_counts_its_places() -> None:
    work = study(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()), "f32[2,3,5,5]").work
    assert work.multiplications == 2 * 25 * (8 * 3 * 9)


# what asking costs beside passes


def test_a_plain_model_is_asked_about_without_loading_compilers() -> None:
    code = (
        "import sys, torch, initwise\n"
        "model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))\n"
        "initwise.choose(model, torch.randn(32, 8))\n"
        "print([name for name in ('torch._dynamo', 'torch._inductor', 'sympy') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def wide(layers: int = 2, width: int = 768) -> nn.Sequential:
    hidden = [layer for _ in range(layers) for layer in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(width, 10))


def test_what_the_data_pass_drew_is_what_the_plan_says() -> None:
    case = study(mlp(4, nn.ReLU), torch.randn(64, 16))
    plan = plan_b(case)
    drawn = case.to_measure(plan)
    assert isinstance(drawn, Drawn)
    written = weights_for(case.model, plan, seed=0)
    assert set(drawn.weights) == set(written)
    for name, tensor in written.items():  # scaled after rounding, not before: two roundings
        assert torch.allclose(drawn.weights[name], tensor, rtol=2**-22, atol=0)
    assert case.to_measure(plan) is plan  # handed on once


class Overwriting(nn.Module):
    """Its forward halves its own weight."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Linear(32, 32), nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.layer.weight.mul_(0.5)
        logits: Tensor = self.head(torch.relu(self.layer(x)))
        return logits


def test_weights_that_the_model_wrote_into_are_drawn_anew() -> None:
    case = study(Overwriting(), torch.randn(64, 32))
    plan = plan_b(case)
    assert case.to_measure(plan) is plan


def test_matrices_that_take_too_long_to_draw_are_measured_as_normal_ones() -> None:
    case = study(wide(), torch.randn(32, 768))
    plan = plan_a2(case)
    assert stood_in(plan, case.parameters, case.work) is plan  # a fraction of a second
    slow = dataclasses.replace(case.work, multiplications=0.0, elements=0.0, nodes=1)
    many = [
        dataclasses.replace(info, shape=(4096, 4096)) for info in case.parameters if info.name == "0.weight"
    ]
    changed = stood_in(plan, many, slow)
    assert changed["0.weight"].law == "normal"
    assert changed["0.weight"].std == plan["0.weight"].std
    assert {name for name in plan if changed[name] != plan[name]} == {"0.weight"}


def test_the_advice_says_that_others_were_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "PER_DRAWN", 1.0)
    advice = choose(wide(1), torch.randn(32, 768))
    assert advice.plan["0.weight"].law == "orthogonal"
    assert any("measured as normal ones" in reason for reason in advice.reasons)
