"""`choose`: the public function, from a model to an Advice."""

from __future__ import annotations

import importlib
import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from ..core.errors import ModelError, OptionError, ProblemError
from ..core.problem import Problem
from ..core.records import Advice, Race
from ..core.stream import checked_seed
from ..frameworks.protocol import adapter_for, door
from .candidates import family, resolve
from .losses import no_classes, of_targets, require_loss
from .measuring import Progress, measured
from .pace import advised, rate_range, sensitivity
from .planners import ASKED, Case, require_method, study
from .quiet import first_batch, model_of
from .rank import HOPELESS, after_race, ranked, tied, ties_after
from .reasons import confidence, reasons
from .verdicts import Judged

RACE = "initwise.race"
"""race lies above choose in the house, so it is asked for by name, and only when a race is wanted."""
ENTRANTS = 6
"""A race costs per candidate: the best this many run, and the framework's default."""
CONTROLS = 4
"""Fewer healthy candidates than this are joined by vetoed ones, so that a race tests the vetoes too."""
DEFAULT = "torch_default"
UNASKED = {"budget": 0.10, "seeds": 3, "executor": None, "timeout": None, "memory": None}
"""What a race's options are if nobody names them."""


def choose(
    model: Any = None,
    example: Any = None,
    *,
    problem: Problem | None = None,
    method: str | None = None,
    race: bool = False,
    budget: float | str = 0.10,
    lr: float | None = None,
    loss: str | None = None,
    candidates: Any = None,
    seed: int = 0,
    executor: Executor | str | None = None,
    store: str | os.PathLike[str] | None = None,
    seeds: int = 3,
    timeout: float | None = None,
    memory: int | None = None,
    on_progress: Progress | None = None,
) -> Advice:
    """Which initialization should I use for this model, why, and how sure is that?

    The model runs once to see what feeds what; candidates' weights are then measured by one forward and
    backward pass beside the model: the one that is best by what is known first, others as long as
    asking takes no longer than three training steps and a second (estimated from shapes, so that the
    Advice is the same each time). Broken candidates are vetoed with the reason, the others ranked; with
    `race=True` all are measured, and a short, learning-rate-fair training race decides among the best.

    Args:
        model: any model an adapter knows. It stays bit for bit as it is. None means problem.model().
            One on the meta device is read and judged by prediction, without memory.
        example: a batch, or shapes and dtypes ("f32[8,3,224,224]"); at least 8 different inputs, better
            32 or more. None means the inputs of the problem's first batch.
        problem: model, data and loss; needed for a race, and a source of model and example.
        method: "analytic", no data pass: rule A2, and no candidate that needs one; "calibrated", rule B
            with its data pass in the order in which the layers run. None: calibrated where the model has
            values and runs, else analytic; the Advice says which and why.
        race: train the best candidates for a short while.
        budget: what the race may cost, as a share of one full grid (candidates × rates × 1 seed), or as
            "2000 steps" or "10 min".
        lr: the learning rate you will use (of Adam, if there is no problem that names the optimizer): weights
            before norms and embeddings get the size that it moves usefully, and a race runs at it only.
            None: a grid.
        loss: "classification" (logits) or "regression" (numbers to be met): it decides how large the
            model's output starts. None: what the problem's targets say, or the model gives away.
        candidates: None for all, measured as far as asking stays cheap; "all": all measured; names of
            candidates or schemes, or {name: Plan | Scheme | name}: these, all measured.
        seed: of the weights to be drawn, of data drawn from shapes, and of everything random here; a
            race runs seed, seed + 1, ….
        executor, store, seeds, timeout, memory: of the race, see `initwise.race`.
        on_progress: called as (what, done, total) while it works.

    Returns:
        An Advice: the plan, the reasons, all candidates ranked, ties, and the lines that apply it.

    Raises:
        OptionError: neither model nor problem; a method, budget or rate that makes no sense.
        ProblemError: a race without a problem; a problem whose data cannot be read.
        UnknownNameError: an unknown candidate.
        ExampleError, ForwardError, ModelError: the model does not run on the example, nothing in it
            can be filled, or it has no values for method="calibrated".
    """
    began = time.perf_counter()
    seed = checked_seed(seed)
    racing = {"budget": budget, "seeds": seeds, "executor": executor, "timeout": timeout, "memory": memory}
    _require(model, problem, race, lr, {**racing, "seed": seed})
    require_method(method, "choose")
    require_loss(loss, "choose")
    rows = resolve(candidates)
    report = on_progress or _silent
    source = "model, example" if problem is None else "problem=problem"
    source += f", loss={loss!r}" if loss else ""
    given = loss
    model, example, targets = _asked(model, example, problem)
    loss = of_targets(targets) or None if loss is None else loss
    optimizer = "adam" if problem is None else problem.optimizer
    with _unchanging(model):
        case = study(model, example, seed=seed, method=method, loss=loss, lr=lr, optimizer=optimizer)
        _require_fillable(case)
        kind = family(case.structure)
        judged = measured(rows, case, kind, everything=race or candidates is not None, report=report)
    order = ranked(judged, kind)
    ties, run = tied(order), None
    if race and problem is not None:
        run = _race(order, case, problem, lr, {**racing, "seed": seed, "store": store}, report)
        order = after_race(order, run)
        ties = ties_after(order, run)
    made = _advice(order, ties, case, run, source, time.perf_counter() - began)
    if loss == "classification" and given is None:
        said = no_classes(targets, case.structure, case.parameters)
        made = replace(made, reasons=(*made.reasons, said)) if said else made
    return _paced(made, case, "" if problem is None and lr is None else optimizer, lr)


def _require(model: Any, problem: Any, race: bool, lr: float | None, racing: dict[str, Any]) -> None:
    if model is None and problem is None:
        raise OptionError(
            "neither a model nor a problem",
            where="choose",
            expected="one of them",
            fix="choose(model, example), or choose(problem=Problem(model, batches, loss)).",
        )
    if problem is not None and not isinstance(problem, Problem):
        raise ProblemError(f"problem is a {type(problem).__name__}", where="choose", expected="a Problem")
    if race and problem is None:
        raise ProblemError(
            "race=True without a problem",
            where="choose",
            expected="problem=Problem(model, batches, loss)",
            cause="a race trains, and training needs data and a loss",
            fix="Pass a problem, or leave race out: without it choose needs no training.",
        )
    if lr is not None and not _positive(lr):
        raise OptionError(f"lr={lr!r}", where="choose", expected="a learning rate > 0, or None")
    # a race says what it would refuse before anything is measured, also where none is asked for
    if race or any(racing[name] != value for name, value in UNASKED.items()):
        importlib.import_module(f"{RACE}.options").options(**racing)
    if race:
        importlib.import_module(f"{RACE}.run").require_packages()


def _positive(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return bool(number and math.isfinite(value) and value > 0)


def _asked(model: Any, example: Any, problem: Problem | None) -> tuple[Any, Any, Any]:
    """Model, example and targets, as given or as the problem has them; None for no targets."""
    targets = None
    if problem is not None:
        model = model_of(problem) if model is None else model
        inputs, targets = first_batch(problem)
        example = inputs if example is None else example
    return model, example, targets


def _unchanging(model: Any) -> AbstractContextManager[None]:
    """Inside, the model is read once, whoever asks for its parameters."""
    held = door(adapter_for(model), "unchanging")
    context: AbstractContextManager[None] = nullcontext() if held is None else held()
    return context


def _require_fillable(case: Case) -> None:
    """Raise ModelError where every choice would be without effect."""
    if any(info.status == "ready" and info.role != "bare" for info in case.parameters):
        return
    found = ", ".join(
        f"{info.name} ({info.problem or ('bare' if info.role == 'bare' else info.status)})"
        for info in case.parameters[:3]
    )
    raise ModelError(
        f"nothing in it can be filled: {found or 'it has no parameters'}",
        where="model",
        expected="at least one parameter of a known layer that is not frozen",
        cause="bare parameters are not touched unasked, and frozen ones belong to somebody",
        fix="Unfreeze what is to be filled; name bare parameters in init_(model, …, rules={…}).",
    )


def _race(
    order: Sequence[Judged],
    case: Case,
    problem: Problem,
    lr: float | None,
    how: dict[str, Any],
    report: Progress,
) -> Race:
    sent = entrants(order, case, how["seeds"])
    run: Race = importlib.import_module(RACE).race(
        problem,
        candidates=sent,
        lrs=None if lr is None else (lr,),
        **how,
        incumbent=next(iter(sent)),
        progress=lambda done, total, text: report(text or "racing", done, total),
    )
    return run


def entrants(order: Sequence[Judged], case: Case, seeds: int) -> dict[str, Any]:
    """Name → plan of those who race, the best first; of what looks at weights or data a plan for each seed.

    The first seed's is the one that was judged, and that the Advice gives.
    """

    def plans(one: Judged) -> Any:
        if not one.row.scheme:
            return one.plan
        more = (one.row.plan(replace(case, seed=case.seed + k)) for k in range(1, seeds))
        return (one.plan, *more)

    return {one.row.name: plans(one) for one in running(order)}


def running(order: Sequence[Judged]) -> list[Judged]:
    """Who races: the best healthy ones, the framework's default, and controls.

    A control is a vetoed candidate, the least damaged first. It is there to be beaten: if it wins, the
    veto was wrong and the race says so. Those that cannot learn at all are no controls.
    """
    able = [one for one in order if one.plan is not None]
    healthy = [one for one in able if one.healthy]
    default = [one for one in able if one.row.name == DEFAULT]
    vetoed = [one for one in able if not one.healthy and one not in default]
    chosen = healthy[:ENTRANTS] + [one for one in default if one not in healthy[:ENTRANTS]]
    hopeful = [one for one in vetoed if one.candidate.verdict not in HOPELESS]
    return chosen + (hopeful if chosen else vetoed)[: max(0, CONTROLS - len(chosen))]


def _advice(
    order: Sequence[Judged], ties: Sequence[str], case: Case, run: Race | None, source: str, seconds: float
) -> Advice:
    best = order[0]
    if best.plan is None:
        raise OptionError(
            "no candidate fits this model",
            where="choose",
            cause=best.candidate.reason,
            fix="Give other candidates.",
        )
    rate = best.candidate.learning_rate
    return Advice(
        name=best.row.name,
        plan=best.plan,
        reasons=reasons(order, ties, case, run),
        ranking=tuple(one.candidate for one in order),
        ties=(best.row.name, *(name for name in ties if name != best.row.name)),
        learning_rate=rate if run is not None and math.isfinite(rate) else None,
        confidence=confidence(order, ties, case, run),
        cost=seconds,
        signals=best.signals,
        race=run,
        apply=_apply(source, run, case),
    )


def _paced(made: Advice, case: Case, optimizer: str, lr: float | None) -> Advice:
    """The advice with the learning rates that its weights ask for."""
    sensitive = sensitivity(made.plan, case.structure, case.parameters)
    said = advised(sensitive, optimizer, lr)
    return replace(
        made,
        reasons=(*made.reasons, said) if said else made.reasons,
        learning_rates=rate_range(sensitive, optimizer or "adam"),
    )


def _apply(source: str, run: Race | None, case: Case) -> str:
    """Three lines: import, choose, fill."""
    seed, how = case.seed, ", race=True" if run is not None else ""
    if case.structure.rate:
        how += f", lr={case.structure.rate!r}"
    if case.why == ASKED:
        how += f', method="{case.method}"'
    return "\n".join(
        (
            "import initwise",
            f"advice = initwise.choose({source}{how}, seed={seed})",
            f"initwise.init_(model, advice, seed={seed})",
        )
    )


def _silent(what: str, done: int, total: int) -> None:
    """No progress wanted."""
