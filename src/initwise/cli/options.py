"""The options that commands share, each described once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

RUNS_CODE = (
    "TARGET is path/file.py:callable or package.module:callable: a function or class that takes no "
    "arguments and returns the model, or a Problem. It is imported and called: this executes your own Python."
)

Target = Annotated[
    str, typer.Argument(metavar="TARGET", help="path/file.py:callable or package.module:callable.")
]
Example = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        help='What the model is called with: "f32[32,3,224,224]", "i64[8,128]<50257", '
        '"ids=i64[2,8]<100, mask=bool[2,8]"; with statistics "f32[8,3,32,32](mean=0.45, std=0.22)", '
        '"i64[8,128](distribution=zipf)". A Problem brings its own.',
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on stdout.")]
Seed = Annotated[
    int,
    typer.Option(
        help="Seed of everything that is drawn, by TARGET too: Python's, NumPy's and torch's generators "
        "(torch's if TARGET's module imports it) are seeded just before TARGET is called."
    ),
]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="PATH", help="Write the report as one HTML page, too.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")]


@dataclass(frozen=True)
class Command:
    """One command, as `main.py` adds it.

    Attributes:
        name: what users type.
        answers: the question it answers, in a line.
        function: its parameters are the command's, its docstring is the long help.
        examples: commands to copy.
        runs_code: it takes a TARGET, so its help says what that may do.
        place: where the overview lists it; smaller is earlier.
    """

    name: str
    answers: str
    function: Callable[..., None]
    examples: tuple[str, ...]
    runs_code: bool = True
    place: int = 100

    def add_to(self, app: typer.Typer) -> None:
        """Make it a command of `app`."""
        text = self.function.__doc__ or ""
        app.command(
            name=self.name,
            short_help=self.answers,
            help=f"{text}\n\n{RUNS_CODE}" if self.runs_code else text,
            epilog=epilog(*self.examples),
        )(self.function)


def epilog(*lines: str) -> str:
    """Commands to copy, each on its own line, kept as they are by the help's formatter."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
