"""TARGET → the model or Problem that the user's own Python makes.

A target is `path/file.py:callable` or `package.module:callable`. Loading one runs that code.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import random
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from ..choose.quiet import first_batch, model_of
from ..core.errors import ExampleError, InitwiseError, ModelError, TargetError
from ..core.problem import Problem
from ..core.stream import checked_seed
from ..frameworks.protocol import adapter_for
from .streams import stdout_to_stderr

Making = Literal["now", "later", "by width"]
FORM = "path/file.py:callable or package.module:callable"
FRAMES = 3
"""Of an error in the user's code, this many of the innermost frames are shown."""


@dataclass(frozen=True)
class Subject:
    """What a target gave: a Problem or a model, and the example to run it on.

    Attributes:
        problem: the Problem, or None if the target gave a model.
        model: the model; a new one of the problem if there is one.
        example: as asked for on the command line, else the problem's first inputs, else None.
        loss: the problem's loss against the targets of those inputs, as a function of the outputs;
            None for a model, or for another example, whose targets nobody knows.
        called: the target was called to make it, rather than being it.
    """

    problem: Problem | None
    model: Any
    example: Any
    loss: Callable[[Any], Any] | None = None
    called: bool = True

    @classmethod
    def of(cls, found: Any, example: Any = None, *, called: bool = True) -> Subject:
        """The subject for what a target returned, or is."""
        if not isinstance(found, Problem):
            return cls(None, found, example, called=called)
        if example is not None:
            return cls(found, model_of(found), example, called=called)
        # inputs and targets of one pass: a shuffling loader gives another batch next time
        inputs, targets = first_batch(found)
        return cls(found, model_of(found), inputs, lambda outputs: found.loss(outputs, targets), called)


@contextlib.contextmanager
def loaded(target: str, example: Any = None, *, seed: int = 0, made: Making = "now") -> Iterator[Subject]:
    """The subject of `target`, importable and quiet for as long as the block runs.

    Inside, the file's own directory (or the current one, for a module) is on `sys.path`, because
    a model may import more when it is made or run, and whatever user code, C code and child processes
    write to stdout goes to stderr, so that stdout holds the result alone. Both are put back afterwards.
    What the target draws when it is called, it draws from `seed` (see `seed_everything`).

    Args:
        made: "now": the target is called; "later": the subject's model is the target itself, to be called
            without arguments, unless it is a model or Problem; "by width": to be called with a width.

    Raises:
        StreamError: `seed` is not an integer from 0 to 2⁶⁴ - 1.
        TargetError: it cannot be loaded; says which part failed.
        ExampleError: no example was given and the model needs one; says so in the command's words.
    """
    place, name = split(target)
    checked_seed(seed)
    path = list(sys.path)
    sys.path.insert(0, str(Path(place).parent.resolve()) if is_file(place) else str(Path.cwd()))
    try:
        with stdout_to_stderr():
            thing = _attribute(target, _module(target, place), name)
            seed_everything(seed)
            found = _made(target, thing) if made == "now" else _maker(target, thing, made)
            with _example_as_option(needed=example is None and not isinstance(found, Problem)):
                yield Subject.of(found, example, called=found is not thing)
    finally:
        sys.path[:] = path


def seed_everything(seed: int) -> None:
    """Seed the global random states of this process, the command's own: Python's, NumPy's, torch's.

    torch's only if something has imported it by now; the command does not import it for this.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


@contextlib.contextmanager
def _example_as_option(needed: bool) -> Iterator[None]:
    """The library's word for a missing example, told as the option that would give it."""
    try:
        yield
    except InitwiseError as error:
        if not needed or error.where != "example":
            raise
        raise ExampleError(
            error.got,
            where="--example",
            cause=error.cause,
            fix="Say what the model is called with, shapes and dtypes: --example 'f32[64,8]'.",
        ) from error


def split(target: str) -> tuple[str, str]:
    """TARGET's file or module, and the name in it. Raises TargetError if it has no such form."""
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise TargetError(
            "no callable is named",
            where=repr(target),
            expected=FORM,
            fix=f"For example {target.rstrip(':') or 'model.py'}:make_model, where make_model() returns it.",
        )
    return place, name


def is_file(place: str) -> bool:
    """Does TARGET name a file, rather than a module?"""
    return place.endswith(".py") or "/" in place or "\\" in place


def _module(target: str, place: str) -> ModuleType:
    return _from_file(target, Path(place)) if is_file(place) else _from_name(target, place)


def _from_file(target: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise TargetError(
            f"there is no file {path}",
            where=repr(target),
            expected=FORM,
            legal=[str(file) for file in path.parent.glob("*.py")] if path.parent.is_dir() else (),
            given=str(path),
            fix=f"Paths are taken from {Path.cwd()}.",
        )
    # a name of its own, so that a file called like a library does not hide that library
    name = f"initwise_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} is no Python file", where=repr(target), expected=FORM)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader = spec.loader
    _ran(target, f"{path.name} raised while it was imported", lambda: loader.exec_module(module))
    return module


def _from_name(target: str, name: str) -> ModuleType:
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        found = None
        name = error.name or name
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise TargetError(
            f"there is no module {name!r}",
            where=repr(target),
            expected=FORM,
            cause="it is not installed in this environment, or not below the current directory",
            fix=f"Modules are looked for from {Path.cwd()}; a file is named with its .py.",
        )
    imported: ModuleType = _ran(
        target, f"{name} raised while it was imported", lambda: importlib.import_module(name)
    )
    return imported


def _attribute(target: str, module: ModuleType, name: str) -> Any:
    thing: Any = module
    for part in name.split("."):
        if not hasattr(thing, part):
            raise TargetError(
                f"{getattr(thing, '__file__', None) or thing.__name__} has no {part!r}",
                where=repr(target),
                legal=_callables(thing),
                given=part,
            )
        thing = getattr(thing, part)
    return thing


def _callables(thing: Any) -> list[str]:
    """Public callables made in the module itself: what somebody may have meant."""
    home = getattr(thing, "__name__", None)
    return [
        name
        for name, value in vars(thing).items()
        if not name.startswith("_") and callable(value) and getattr(value, "__module__", None) == home
    ]


def _made(target: str, thing: Any) -> Any:
    """What the callable returns; a model or Problem that is there already is taken as it is."""
    if isinstance(thing, Problem) or (not inspect.isclass(thing) and _is_model(thing)):
        return thing
    if not callable(thing):
        raise TargetError(
            f"it is of type {type(thing).__name__}, which is not callable",
            where=repr(target),
            expected="a function or class that returns the model, or a Problem",
        )
    _needs_nothing(target, thing)
    made = _ran(target, f"{_name(thing)}() raised", thing)
    if isinstance(made, Problem) or _is_model(made):
        return made
    raise TargetError(
        f"it returned something of type {type(made).__name__}",
        where=repr(target),
        expected="a model (torch.nn.Module or initwise.ArrayTree) or an initwise.Problem",
        cause="a missing return" if made is None else "",
    )


def _maker(target: str, thing: Any, made: Making) -> Any:
    """What makes the model, of one argument or, unless it is a model or Problem already, of none."""
    if made == "by width":
        if not callable(thing) or _is_model(thing) or isinstance(thing, Problem):
            raise TargetError(
                f"it is of type {type(thing).__name__}",
                where=repr(target),
                expected="a function of one argument, the width, that returns the model",
                fix="def make_model(width): return Model(hidden_size=width)",
            )
        return lambda width: _ran(target, f"{_name(thing)}({width}) raised", lambda: thing(width))
    if isinstance(thing, Problem) or not callable(thing) or (not inspect.isclass(thing) and _is_model(thing)):
        return _made(target, thing)
    _needs_nothing(target, thing)
    return Later(thing)


class Later:
    """A target that is called when a model is needed; `gave_model` says whether it gave one then."""

    def __init__(self, thing: Callable[[], Any]) -> None:
        self._thing, self.gave_model = thing, False
        self.__name__ = _name(thing)

    def __call__(self) -> Any:
        made = self._thing()
        self.gave_model = _is_model(made)
        return made


def _name(thing: Any) -> str:
    return str(getattr(thing, "__name__", "it"))


def _is_model(thing: Any) -> bool:
    try:
        adapter_for(thing)
    except ModelError:
        return False
    return True


def _needs_nothing(target: str, thing: Callable[..., Any]) -> None:
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return
    try:
        signature.bind()
    except TypeError as error:
        name = _name(thing)
        raise TargetError(
            f"{name}{signature} needs arguments ({error})",
            where=repr(target),
            expected="a callable without required arguments",
            fix=f"Write one beside it, def make_model(): return {name}(…), and name that.",
        ) from None


def _ran(target: str, what: str, function: Callable[[], Any]) -> Any:
    """`function()`, its own error told with the frames that lie in the user's code."""
    try:
        return function()
    except (Exception, SystemExit) as error:
        kind = type(error).__name__
        raise TargetError(
            f"{what} {kind}" + (f": {error}" if str(error) else ""),
            where=repr(target),
            cause=_cause(error),
            fix="Mend it there; --debug shows the whole traceback.",
        ) from error


def _cause(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _of_user(frame.filename)]
    told = [f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line}" for frame in frames[-FRAMES:]]
    if isinstance(error, SyntaxError) and error.filename:
        told.append(f"{error.filename}:{error.lineno}: {(error.text or '').strip()}")
    if isinstance(error, ImportError) and "relative import" in str(error):
        told.append("the file belongs to a package: name it package.module:callable")
    if isinstance(error, SystemExit):
        told.append('the file runs as a script; guard that part with if __name__ == "__main__":')
    return "\n    ".join(["the target's own code:", *told]) if told else ""


def _of_user(filename: str) -> bool:
    return filename != __file__ and not filename.startswith("<")
