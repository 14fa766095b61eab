"""initwise check: do signal and gradient get through the weights a model has now?"""

from __future__ import annotations

from typing import Annotated

import typer

from ..measure import check as check_model
from .options import Command, Debug, Example, Html, Json, Seed, Target
from .output import refuse_page, show, write_page
from .target import loaded


def check(
    target: Target,
    example: Example = None,
    plan: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Judge these weights instead: a scheme or recipe (initwise list)."),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
    html: Html = None,
    debug: Debug = False,
) -> None:
    """Check the weights a model has now, by one real forward and backward pass: exit code 1 if unhealthy."""
    refuse_page(html)
    with loaded(target, example) as subject:
        signals = check_model(subject.model, subject.example, plan=plan, loss=subject.loss, seed=seed)
    show(signals, as_json=as_json)
    write_page(signals, html)
    raise typer.Exit(0 if signals.healthy else 1)


COMMAND = Command(
    "check",
    "Do signal and gradient get through the weights it has now?",
    check,
    (
        "initwise check model.py:make_model --example 'f32[32,784]'",
        "initwise check model.py:make_model --example 'f32[32,784]' --plan he_normal",
        "initwise check train.py:problem --json > signals.json    exit code 1 if it is unhealthy",
    ),
    place=2,
)
