"""initwise check: do signal and gradient get through the weights a model has now?"""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from ..measure import check as check_model
from .options import Command, Debug, Example, Html, Json, Seed, Target
from .output import note, refuse_page, show, write_page
from .plans import Options, plan_of, told_as_options
from .target import loaded


def check(
    target: Target,
    example: Example = None,
    plan: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Judge these weights instead: a scheme or recipe (initwise list)."),
    ] = None,
    option: Options = None,
    predict: Annotated[
        bool,
        typer.Option("--predict", help="Carry moments through it instead: no weights, data or memory."),
    ] = False,
    seed: Seed = 0,
    as_json: Json = False,
    html: Html = None,
    debug: Debug = False,
) -> None:
    """Check the weights a model has now, by one real forward and backward pass: exit code 1 if unhealthy."""
    refuse_page(html)
    mode = "predict" if predict else "measure"
    chosen = plan_of(plan, option or ())
    with loaded(target, example, seed=seed) as subject, told_as_options():
        signals = check_model(
            subject.model, subject.example, plan=chosen, loss=subject.loss, mode=mode, seed=seed
        )
    show(signals, as_json=as_json)
    write_page(signals, html)
    if not (signals.healthy or as_json):
        note(_next(target, example))
    raise typer.Exit(0 if signals.healthy else 1)


def _next(target: str, example: str | None) -> str:
    """What to run now that the weights are unhealthy."""
    words = ["initwise", "choose", target, *(["--example", example] if example else [])]
    return f"\nNext, find weights that are healthy here: {shlex.join(words)}"


COMMAND = Command(
    "check",
    "Do signal and gradient get through the weights it has now?",
    check,
    (
        "initwise check model.py:make_model --example 'f32[32,784]'",
        "initwise check model.py:make_model --example 'f32[32,784]' --plan he_normal --option mode=fan_out",
        "initwise check model.py:make_model --example 'f32[32,784]' --plan lecun_normal --predict",
        "initwise check train.py:problem --json > signals.json    exit code 1 if it is unhealthy",
    ),
    place=2,
)
