"""Plans for whole models: structure, rule, and a data pass where the rule has one.

`auto_plan` and `lsuv_plan` are what the schemes "auto" and "lsuv" call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..core.errors import ModelError, OptionError, UnsupportedError
from ..core.parameter import ParameterInfo
from ..core.plan import Plan
from ..frameworks.protocol import adapter_for
from ..measure.checking import on_meta
from ..measure.drawn import Drawn
from .assemble import assemble, decisions
from .bare import read_bare
from .calibrate import SILENT, Target, calibrated, measure_factors, unscaled
from .facts import Structure
from .laws import Decision
from .losses import of_model, require_loss
from .pace import KINDS
from .rules import Rule, rule_a, rule_a2, rule_lsuv
from .stand_in import stood_in
from .structure import guess_structure, read_structure
from .work import NO_WORK, Work, work_of

METHODS = ("analytic", "calibrated")

ASKED = "asked for"
NO_VALUES = "the model is on the meta device, where no data can pass"
NO_TRACE = "the model could not be run, so no data can pass through it"
RUNS = "the model has weights and runs on the example"
"""Why a method was taken."""


@dataclass(frozen=True)
class Case:
    """A model, an example and what was read of them: what every candidate's plan is made from.

    Attributes:
        model, example: as given; neither is ever changed.
        structure: what the rules see.
        parameters: of the model, bare ones as `bare` understands them.
        seed: for drawing numbers and for examples given as shapes.
        method, why: one of `METHODS`, and why it was taken.
        valueless: the model is on the meta device: what it does can be predicted, not measured.
        work: what running the model takes.
        drawn: by a plan's name, what its data pass drew and scaled, until it is measured.
    """

    model: Any
    example: Any
    structure: Structure
    parameters: tuple[ParameterInfo, ...]
    seed: int = 0
    method: str = "calibrated"
    why: str = ASKED
    valueless: bool = False
    work: Work = NO_WORK
    drawn: dict[str, Drawn] = field(default_factory=dict, compare=False, repr=False)

    def to_measure(self, plan: Plan) -> Plan | Drawn:
        """What is measured of a plan: what its data pass drew, or else the plan, with `stand_in`'s."""
        drawn = self.drawn.pop(plan.name, None)
        if drawn is not None and drawn.plan is plan:
            return drawn
        return stood_in(plan, self.parameters, self.work)


def study(
    model: Any,
    example: Any,
    *,
    seed: int = 0,
    method: str | None = None,
    loss: str | None = None,
    lr: float | None = None,
    optimizer: str = "adam",
) -> Case:
    """Read `model` by running it once on `example`; on the meta device without values.

    A framework whose adapter cannot trace, or a forward on the meta device that asks for values, gives a
    guessed structure (`Structure.traced` is False).

    Args:
        method: one of `METHODS`; None: the data pass wherever there can be one.
        loss: one of `losses.KINDS`; None: what the model gives away.
        lr, optimizer: the learning rate that will be used, of which optimizer (a name of `pace.KINDS`).

    Raises:
        ModelError: no framework knows the model; a data pass is asked of one without values.
        ExampleError, ForwardError: it does not run.
    """
    adapter = adapter_for(model)
    parameters = adapter.parameters(model)
    valueless = on_meta(model)
    if valueless and method == "calibrated":
        raise ModelError(
            "is on the meta device: it has no values that data could pass through",
            where="model",
            fix='Ask for method="analytic"; or give it memory and values: model.to_empty(device="cpu"), then '
            "initwise.init_(model, …).",
        )
    work = NO_WORK
    try:
        graph, parameters = read_bare(adapter.trace(model, example), parameters)
        structure, work = read_structure(graph, parameters), work_of(graph, parameters)
    except UnsupportedError:
        structure = guess_structure(parameters)
    structure = replace(
        structure,
        loss=of_model(structure, parameters) if loss is None else loss,
        rate=lr or 0.0,
        optimizer=KINDS.get(optimizer, ""),
    )
    taken, why = _taken(method, valueless, structure.traced)
    return Case(model, example, structure, parameters, seed, taken, why, valueless, work)


def _taken(method: str | None, valueless: bool, traced: bool) -> tuple[str, str]:
    """The method, and why."""
    if method is not None:
        return method, ASKED
    if valueless:
        return "analytic", NO_VALUES
    return ("calibrated", RUNS) if traced else ("analytic", NO_TRACE)


def require_method(method: str | None, where: str) -> None:
    """Raise OptionError for a method that there is not."""
    if method is not None and method not in METHODS:
        raise OptionError(f"method {method!r}", where=where, legal=METHODS, given=str(method))


def _require_rate(lr: float, optimizer: str, where: str) -> None:
    """Raise OptionError for a rate that is none, or for an optimizer of which nothing is known."""
    if not (math.isfinite(lr) and lr >= 0):
        raise OptionError(f"lr={lr!r}", where=where, expected="a learning rate > 0, or 0 if it is not known")
    if optimizer not in KINDS:
        raise OptionError(f"optimizer {optimizer!r}", where=where, legal=KINDS, given=optimizer)


def plan_a(case: Case) -> Plan:
    """Rule A: second moments kept at 1."""
    return assemble("rule_a", _decided(rule_a, case), case.structure, case.parameters)


def plan_a2(case: Case) -> Plan:
    """Rule A2: operating points for the depth; no data."""
    return assemble("rule_a2", _decided(rule_a2, case), case.structure, case.parameters)


def plan_b(case: Case) -> Plan:
    """Rule B: A2, and one data pass."""
    chosen = _decided(rule_a2, case)
    plan = assemble("rule_b", chosen, case.structure, case.parameters)
    plan = _measured(plan, chosen, case)
    missed = unscaled(plan)
    first = [facts.name for facts in case.structure if facts.role == "stem"] or list(missed)
    targets = [name for name in first if name in _targets(plan, chosen)]
    # without a signal at the first weights, what the later ones show is their biases'
    if targets and all(missed.get(name) == SILENT for name in targets):
        raise _nothing_scaled("rule_b", {name: missed[name] for name in targets})
    return plan


def plan_lsuv(case: Case) -> Plan:
    """LSUV: orthogonal, and one data pass to unit variance."""
    chosen = _decided(rule_lsuv, case)
    plan = assemble("lsuv", chosen, case.structure, case.parameters, embeddings=False)
    plan = _measured(plan, chosen, case)
    missed = unscaled(plan)
    if missed and len(missed) == len(_targets(plan, chosen)):
        # without a factor it is the scheme "orthogonal" under another name
        raise _nothing_scaled("lsuv", missed)
    return plan


def auto_plan(
    model: Any,
    example: Any = None,
    *,
    seed: int = 0,
    method: str = "calibrated",
    loss: str = "guessed",
    lr: float = 0.0,
    optimizer: str = "adam",
) -> Plan:
    """The plan of scheme "auto": rule B, or rule A2 where there is no data pass.

    Args:
        model: any model an adapter knows; left as it is.
        example: a batch, or shapes and dtypes.
        seed: the data pass measures the weights drawn with this seed.
        method: "calibrated" (rule B, one forward pass) or "analytic" (rule A2, no data).
        loss: "classification", "regression", "unknown", or "guessed": what the model gives away.
        lr, optimizer: the learning rate that will be used, 0 if not known, and of which optimizer.

    Raises:
        OptionError: another method or optimizer, a negative or infinite rate. ExampleError, ForwardError,
            ModelError: see `study`; also when the example, or what the model makes of it, is not finite or
            all zero.
    """
    require_method(method, "scheme 'auto'")
    kind = {"guessed": None, "unknown": ""}.get(loss, loss)
    require_loss(kind, "scheme 'auto'")
    _require_rate(lr, optimizer, "scheme 'auto'")
    case = study(model, example, seed=seed, method=method, loss=kind, lr=lr, optimizer=optimizer)
    if method == "analytic" or not case.structure.traced:
        return plan_a2(case)
    return plan_b(case)


def rule_a_plan(model: Any, example: Any = None, *, seed: int = 0) -> Plan:
    """The plan of scheme "rule_a". Raises as `auto_plan`."""
    return plan_a(study(model, example, seed=seed))


def rule_a2_plan(model: Any, example: Any = None, *, seed: int = 0) -> Plan:
    """The plan of scheme "rule_a2". Raises as `auto_plan`."""
    return plan_a2(study(model, example, seed=seed))


def lsuv_plan(model: Any, example: Any = None, *, seed: int = 0) -> Plan:
    """The plan of scheme "lsuv": Mishkin and Matas 2015, arXiv:1511.06422, algorithm 1.

    Raises:
        UnsupportedError: the model's framework has no data pass. Others as `auto_plan`.
    """
    return plan_lsuv(study(model, example, seed=seed))


def _decided(rule: Rule, case: Case) -> dict[str, Decision]:
    return decisions(rule, case.structure, case.parameters)


def _measured(plan: Plan, chosen: Mapping[str, Decision], case: Case) -> Plan:
    targets = _targets(plan, chosen)
    if not targets:
        return plan
    begun = stood_in(plan, case.parameters, case.work)
    found = measure_factors(case.model, case.example, begun, targets, seed=case.seed)
    plan = calibrated(plan, found, plan.name)
    if found.weights:
        case.drawn[plan.name] = Drawn(plan, found.weights)
    return plan


def _targets(plan: Plan, chosen: Mapping[str, Decision]) -> dict[str, Target]:
    return {
        name: Target(decision.target, decision.measure, decision.bias, decision.spread)
        for name, decision in chosen.items()
        if decision.target is not None and name in plan
    }


def _nothing_scaled(name: str, missed: Mapping[str, str]) -> ModelError:
    first, why = next(iter(missed.items()))
    return ModelError(
        f"the data pass could scale none of {len(missed)} weights",
        where=name,
        expected="outputs that change with their weights",
        cause=f"{first}: {why}",
        fix='Try another batch, or "rule_a2" that needs no data.',
    )
