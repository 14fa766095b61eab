"""initwise choose: which initialization should I use here, why, and how sure is that?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ..choose import choose as choose_initialization
from ..choose.candidates import ALL
from ..core.errors import OptionError
from ..core.records import Advice
from ..problems import DEFAULT, BundledProblem, problems
from ..problems import problem as bundled_problem
from ..race.budget import read as read_budget
from ..race.progress import reporting
from .options import Command, Debug, Html, Json, Seed
from .output import note, refuse_page, show, write_page
from .paste import of_bundled, of_target, pasteable
from .target import Subject, loaded

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="TARGET", help="path/file.py:callable or package.module:callable; none: a bundled problem."
    ),
]
Example = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|SPEC",
        help='With TARGET, what the model is called with ("f32[32,3,224,224]"); without, a bundled '
        "problem (initwise list problems).",
    ),
]
Race = Annotated[
    bool | None,
    typer.Option("--race/--no-race", help="Train the best candidates for a short while [bundled: yes]."),
]
Budget = Annotated[
    str,
    typer.Option(
        metavar="BUDGET", help='What a race may cost: a share of a full grid (0.1), "2000 steps" or "10 min".'
    ),
]
Method = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help='"analytic" (no data pass) or "calibrated"; none: what the model allows.'
    ),
]
Loss = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        help='"classification" (logits) or "regression" (numbers): how large the output starts; none: what a '
        "problem's targets or the model say.",
    ),
]
Rate = Annotated[float | None, typer.Option(help="The learning rate you will use; else a grid.")]
Candidates = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help='Separated by commas (initwise list candidates), all measured; "all" for every one.',
    ),
]
Store = Annotated[
    Path | None, typer.Option(metavar="PATH", help="Keep finished trainings here, to take up again.")
]
Seeds = Annotated[int, typer.Option(min=1, help="How many seeds a race's finalists run.")]
Where = Annotated[
    str | None,
    typer.Option(
        "--executor",
        metavar="WHERE",
        help="Where a race trains: serial, threads:N, processes:N, dask:ADDRESS [default: here].",
    ),
]
Timeout = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="A training that takes longer failed.")
]
Memory = Annotated[
    float | None,
    typer.Option(metavar="GIB", help="What a process of --executor processes may allocate."),
]


def choose(
    target: Target = None,
    example: Example = None,
    method: Method = None,
    race: Race = None,
    budget: Budget = "0.1",
    loss: Loss = None,
    lr: Rate = None,
    candidates: Candidates = None,
    store: Store = None,
    seeds: Seeds = 3,
    executor: Where = None,
    timeout: Timeout = None,
    memory: Memory = None,
    seed: Seed = 0,
    as_json: Json = False,
    html: Html = None,
    debug: Debug = False,
) -> None:
    """Choose the initialization: candidates measured on your model, broken ones vetoed, the rest ranked."""
    read_budget(budget)
    options = {
        "method": method,
        "budget": budget,
        "loss": loss,
        "lr": lr,
        "candidates": _names(candidates),
        "store": store,
        "seeds": seeds,
        "executor": executor,
        "timeout": timeout,
        "memory": None if memory is None else int(memory * 2**30),
        "seed": seed,
    }
    refuse_page(html)
    with _bundled(example) if target is None else _own(target, example, race, seed) as subject:
        advice = _advice(subject, race=target is None if race is None else race, options=options)
    told = pasteable(advice, _preamble(target, subject, example))
    show(advice if as_json else told, as_json=as_json)
    write_page(told, html)
    if target is None and not as_json:
        note(OWN)
    if advice.race is not None and advice.race.interrupted:
        _interrupted(store)


OWN = (
    "\nOn your own model: initwise choose model.py:make_model --example 'f32[32,784]'\n"
    "where make_model() returns it, and --example says what it is called with."
)
"""What a bundled problem's report ends with."""


@contextlib.contextmanager
def _bundled(example: str | None) -> Iterator[Subject]:
    """The bundled problem that `--example` names without a TARGET."""
    if example and "[" in example:
        raise OptionError(
            f"{example!r} is what a model is called with, and no TARGET names the model",
            where="--example",
            fix=f"Name it: initwise choose model.py:make_model --example '{example}'; "
            f"or a bundled problem: initwise choose --example {DEFAULT}.",
        )
    bundled = bundled_problem(example or DEFAULT)
    note(_about(bundled))
    yield Subject(bundled.problem, None, bundled.example)


@contextlib.contextmanager
def _own(target: str, example: str | None, race: bool | None, seed: int) -> Iterator[Subject]:
    """What TARGET makes: the user's model or Problem."""
    if target in {row.name for row in problems()}:
        raise OptionError(
            f"{target!r} is a bundled problem, not path/file.py:callable",
            where="TARGET",
            fix=f"Name it as the example: initwise choose --example {target}.",
        )
    with loaded(target, example, seed=seed) as subject:
        if race and subject.problem is None:
            raise OptionError(
                "the target gives a model alone",
                where="--race",
                cause="a race trains, and training needs data and a loss",
                fix="Name one that returns initwise.Problem(model, batches, loss), or leave --race out.",
            )
        yield subject


def _about(bundled: BundledProblem) -> str:
    return f"{bundled.summary}.\n{bundled.architecture}.\n"


def _preamble(target: str | None, subject: Subject, example: str | None) -> tuple[str, ...]:
    if target is None:
        return of_bundled(example or DEFAULT)
    return of_target(target, subject, example)


def _names(candidates: str | None) -> tuple[str, ...] | str | None:
    if candidates is None or candidates == ALL:
        return candidates
    names = tuple(name.strip() for name in candidates.split(",") if name.strip())
    if not names:
        raise OptionError("no names", where="--candidates", expected="names separated by commas")
    return names


def _advice(subject: Subject, *, race: bool, options: dict[str, Any]) -> Advice:
    with reporting(True) as report:
        return choose_initialization(
            None if subject.problem else subject.model,
            subject.example,
            problem=subject.problem,
            race=race,
            on_progress=lambda what, done, total: report(done, total, what),
            **options,
        )


def _interrupted(store: Path | None) -> None:
    kept = (
        f"finished trainings are in {store}"
        if store
        else "with --store PATH the next run takes them up again"
    )
    note(f"Interrupted: the ranking is of what had run; {kept}.")
    raise typer.Exit(130)


COMMAND = Command(
    "choose",
    "Which initialization should I use, why, and how sure is that?",
    choose,
    (
        "initwise choose                                        the bundled digits, with a race",
        "initwise choose --example digits-cnn",
        "initwise choose model.py:make_model --example 'f32[32,1,28,28]'",
        "initwise choose model.py:make_model --example 'i64[1,128]<50257' --method analytic",
        "initwise choose model.py:make_model --example 'f32[64,8]' --loss regression --lr 3e-3",
        "initwise choose train.py:problem --race --budget 0.2   problem() returns an initwise.Problem",
        "initwise choose train.py:problem --race --lr 1e-3 --candidates he_normal,lsuv,rule_b",
        "initwise choose train.py:problem --race --store race.sqlite --executor processes:4",
    ),
    place=1,
)
