"""initwise init: fill a model's weights and write them to disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..frameworks.initialize import init_
from .options import Command, Debug, Example, Json, Seed, Target
from .output import note, show
from .plans import Options, plan_of, told_as_options
from .target import loaded
from .weights import LEDGER, WEIGHTS, refuse_place, save


def init(
    target: Target,
    plan: Annotated[str, typer.Option(metavar="NAME", help="A scheme or recipe (initwise list).")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write; made if it is not there.")] = Path(
        "weights"
    ),
    option: Options = None,
    example: Example = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    seed: Seed = 0,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Fill the weights by a scheme or recipe and write model.safetensors and ledger.json."""
    refuse_place(out, force)
    chosen = plan_of(plan, option or ())
    with loaded(target, example, seed=seed) as subject, told_as_options():
        ledger = init_(subject.model, chosen, seed=seed, example=subject.example)
        save(subject.model, ledger, out)
    show(ledger, as_json=as_json)
    note(f"Wrote {out / WEIGHTS} and {out / LEDGER}.")


COMMAND = Command(
    "init",
    "Fill the weights and write them to disk.",
    init,
    (
        "initwise init model.py:make_model --plan he_normal",
        "initwise init model.py:make_model --plan gpt2 --out start --seed 1",
        "initwise init model.py:make_model --plan gpt2 --option 'assign=mlp.up=*.fc1.weight'",
        "initwise init model.py:make_model --plan auto --example 'f32[32,784]'",
    ),
    place=3,
)
