"""initwise choose: which initialization should I use here, why, and how sure is that?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..choose import choose as choose_initialization
from ..core.errors import OptionError
from ..core.records import Advice
from ..problems import DEFAULT, BundledProblem
from ..problems import problem as bundled_problem
from ..race.progress import reporting
from .options import Command, Debug, Html, Json, Seed
from .output import note, show, write_page
from .target import Subject, loaded


def choose(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="TARGET",
            help="path/file.py:callable or package.module:callable; none: a bundled problem.",
        ),
    ] = None,
    example: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|SPEC",
            help='With TARGET, what the model is called with ("f32[32,3,224,224]"); without, a bundled '
            "problem (initwise list problems).",
        ),
    ] = None,
    race: Annotated[
        bool | None,
        typer.Option("--race/--no-race", help="Train the best candidates for a short while [bundled: yes]."),
    ] = None,
    budget: Annotated[float, typer.Option(help="What a race may cost, as a share of a full grid.")] = 0.10,
    lr: Annotated[float | None, typer.Option(help="The learning rate you will use; else a grid.")] = None,
    candidates: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Separated by commas (initwise list candidates).")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Keep finished trainings here, to take up again.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
    html: Html = None,
    debug: Debug = False,
) -> None:
    """Choose the initialization: candidates measured on your model, broken ones vetoed, the rest ranked."""
    options = {"budget": budget, "lr": lr, "candidates": _names(candidates), "store": store, "seed": seed}
    if target is None:
        name = example or DEFAULT
        bundled = bundled_problem(name)
        note(_about(bundled))
        advice = _advice(Subject(bundled.problem, None, bundled.example), race is not False, options)
    else:
        with loaded(target, example) as subject:
            advice = _advice(subject, bool(race), options)
    show(advice, as_json=as_json)
    write_page(advice, html)
    if advice.race is not None and advice.race.interrupted:
        _interrupted(store)


def _about(bundled: BundledProblem) -> str:
    python = (
        "from initwise.problems import problem as bundled",
        f'problem = bundled("{bundled.name}").problem',
        "model = problem.model()",
    )
    lines = (f"{bundled.summary}.", f"{bundled.architecture}.", *(f"    {line}" for line in python))
    return "\n".join(lines) + "\n"


def _names(candidates: str | None) -> tuple[str, ...] | None:
    if candidates is None:
        return None
    names = tuple(name.strip() for name in candidates.split(",") if name.strip())
    if not names:
        raise OptionError("no names", where="--candidates", expected="names separated by commas")
    return names


def _advice(subject: Subject, race: bool, options: dict[str, Any]) -> Advice:
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
        "initwise choose train.py:problem --race --budget 0.2   problem() returns an initwise.Problem",
        "initwise choose train.py:problem --race --lr 1e-3 --candidates he_normal,lsuv,rule_b",
    ),
    place=1,
)
