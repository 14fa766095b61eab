"""initwise explain: the law in plain words and closed form, its paper, its numbers."""

from __future__ import annotations

from typing import Annotated

import typer

from ..core.errors import OptionError
from ..explain import explain as explain_thing
from .options import Command, Debug, Html, Json
from .output import refuse_page, show, write_page
from .plans import given


def explain(
    thing: Annotated[str, typer.Argument(metavar="THING", help="A scheme, activation, recipe or term.")],
    fan_in: Annotated[float | None, typer.Option(help="Products summed into one output.")] = None,
    fan_out: Annotated[float | None, typer.Option(help="Outputs that one input feeds.")] = None,
    shape: Annotated[str | None, typer.Option(metavar="SIZES", help="A weight's shape: 256,128,3,3.")] = None,
    layout: Annotated[
        str | None, typer.Option(metavar="AXES", help="What the axes are: oihw, hwio, oi, io …")
    ] = None,
    activation: Annotated[str | None, typer.Option(metavar="NAME", help="What the weight feeds.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="An option of the scheme; may be repeated.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Where a name is several: scheme, activation, recipe, term."),
    ] = None,
    as_json: Json = False,
    html: Html = None,
    debug: Debug = False,
) -> None:
    """Explain a scheme, activation or recipe: law, picture, numbers, when to use it, source; or a term."""
    refuse_page(html)
    facts = {
        "fan_in": fan_in,
        "fan_out": fan_out,
        "shape": _sizes(shape),
        "layout": layout,
        "activation": activation,
        "kind": kind,
        **given(option or []),
    }
    told = explain_thing(thing, **{name: value for name, value in facts.items() if value is not None})
    show(told, as_json=as_json)
    write_page(told, html)


def _sizes(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    sizes = [size.strip() for size in text.replace("x", ",").split(",")]
    if not all(size.isdecimal() for size in sizes):
        raise OptionError(f"{text!r}", where="--shape", expected="sizes separated by commas: 256,128,3,3")
    return tuple(int(size) for size in sizes)


COMMAND = Command(
    "explain",
    "What a scheme, activation, recipe or term is, and its numbers.",
    explain,
    (
        "initwise explain he_normal",
        "initwise explain he_normal --shape 256,128,3,3 --layout oihw --activation relu",
        "initwise explain he_normal --fan-in 784 --option mode=fan_out",
        "initwise explain gelu",
        "initwise explain gpt2",
        'initwise explain "fan-in"',
    ),
    runs_code=False,
    place=4,
)
