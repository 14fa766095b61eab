"""initwise on the command line: parses, calls the library, prints.

Exit codes: 0 done or healthy; 1 unhealthy (check); 2 a usage error, or an error that stopped the
command; 130 interrupted.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from .. import __version__
from .. import cli as package
from ..core.errors import InitwiseError
from .options import Command, epilog
from .output import note, put
from .streams import discard_stdout, end_stdout

app = typer.Typer(
    name="initwise",
    help="The right starting weights for any network: chosen, explained, proven, and filled.",
    epilog=epilog(
        "initwise choose                                            a true answer on real data",
        "initwise choose model.py:make_model --example 'f32[32,784]'",
        "initwise check  model.py:make_model --example 'f32[32,784]'",
        "initwise explain he_normal --fan-in 784",
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _commands() -> list[Command]:
    """The `COMMAND` of every module beside this one: a new command is a new file."""
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names if name != "main"]
    commands = [module.COMMAND for module in modules if hasattr(module, "COMMAND")]
    return sorted(commands, key=lambda command: (command.place, command.name))


for command in _commands():
    command.add_to(app)


def _version(value: bool) -> None:
    if value:
        put(f"initwise {__version__}")
        raise typer.Exit


@app.callback()
def _initwise(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    try:
        app(args=list(arguments), prog_name="initwise")
    except SystemExit as end:
        # typer ends every command so, with 2 for a usage error and 130 for Ctrl-C
        return end.code if isinstance(end.code, int) else 2 if end.code else 0
    except InitwiseError as error:
        _tell(str(error), arguments)
        return 2
    except OSError as error:
        # what commands write tells its own place; this is the help's output, or something rarer
        discard_stdout()
        place = f"{error.filename}: " if error.filename else ""
        _tell(f"{place}{error.strerror or error}.\n  --debug shows the whole traceback.", arguments)
        return 2
    except Exception:
        # 1 would say "unhealthy" to a script; this is neither healthy nor unhealthy
        traceback.print_exc()
        return 2
    return 0


def _tell(message: str, arguments: Sequence[str]) -> None:
    if "--debug" in arguments:
        traceback.print_exc()
    else:
        note(f"initwise: {message}")


def run() -> None:
    """The entry point of the `initwise` command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            # a terminal that cannot show √ gets a question mark, not a crash
            reconfigure(errors="replace")
    code = main(sys.argv[1:])
    end_stdout()
    sys.exit(code)
