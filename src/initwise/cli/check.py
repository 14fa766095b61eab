"""initwise check: do signal and gradient get through the weights a model has now?"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Annotated, Any

import typer

from ..core.errors import ModelError, OptionError
from ..core.problem import LOSSES
from ..core.records import Signals
from ..measure import check as check_model
from ..race.progress import reporting
from ..signals.precision import FORMATS
from .options import Command, Debug, Example, Html, Json, Seed, Target
from .output import note, refuse_page, show, write_page
from .plans import Options, plan_of, told_as_options
from .target import Later, Making, loaded


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
    dtype: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"Judge as if all were kept in it: {', '.join(FORMATS)}."),
    ] = None,
    widths: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,…",
            help="Compare models of these widths: TARGET is then a function of one argument, the width.",
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"What the gradient is that of: {', '.join(LOSSES)}. Without it a Problem's own loss, "
            "else random numbers at the result.",
        ),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
    html: Html = None,
    debug: Debug = False,
) -> None:
    """Check the weights a model has now, by one real forward and backward pass: exit code 1 if unhealthy."""
    refuse_page(html)
    asked = {
        "plan": plan_of(plan, option or ()),
        "mode": "predict" if predict else "measure",
        "dtype": dtype,
        "widths": None if widths is None else _widths(widths),
        "loss": loss,
        "seed": seed,
    }
    made: Making = "by width" if widths is not None else "later" if predict else "now"
    try:
        found = _checked(target, example, made, asked)
    except KeyboardInterrupt:
        note("Interrupted: there is no result, and nothing was written.")
        raise typer.Exit(130) from None
    show(found, as_json=as_json)
    write_page(found, html)
    if not as_json and widths is None and any(f.verdict not in OTHER_CURES for f in found.findings):
        note(_next(target, example))
    raise typer.Exit(0 if found.healthy else 1)


def _checked(target: str, example: str | None, made: Making, asked: dict[str, Any], refused: str = "") -> Any:
    """What the library says of the target; `refused` is why it could not be called without memory."""
    with loaded(target, example, seed=asked["seed"], made=made) as subject, told_as_options():
        try:
            with reporting(True, "making the model") as report:
                found = check_model(
                    subject.model,
                    subject.example,
                    **{**asked, "loss": asked["loss"] or subject.loss},
                    on_progress=lambda what, done, total: report(done, total, what),
                )
        except ModelError as error:
            if not isinstance(subject.model, Later) or subject.model.gave_model:
                raise
            refused = error.got
        else:
            return found if not refused or subject.problem else _remembered(found, refused)
    # it makes a Problem, or needs the numbers that it draws, or fails: calling it now tells
    return _checked(target, example, "now", asked, refused)


def _remembered(found: Signals, why: str) -> Signals:
    """`found`, with a word on what was made for it although a prediction needs none."""
    said = f"the model was made in memory, with all its weights: without, {why.rstrip('.')}"
    return replace(found, note="; ".join(filter(None, (found.note, said))))


def _widths(text: str) -> list[int]:
    """ "64,128,256" as numbers."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise OptionError(f"{text!r}", where="--widths", expected="whole numbers: 64,128,256") from None


OTHER_CURES = frozenset({"unpredicted", "overflow", "underflow"})
"""Verdicts that other weights do not mend."""


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
        "initwise check model.py:make_model --widths 64,128,256 --example 'f32[32,784]' --predict",
        "initwise check gpt.py:make_model --example 'i64[8,128](distribution=zipf)' --loss lm --predict",
        "initwise check train.py:problem --json > signals.json    exit code 1 if it is unhealthy",
    ),
    place=2,
)
