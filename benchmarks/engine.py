"""The engine against its peers, side by side; prints Markdown.

    python benchmarks/engine.py                     # about ten minutes on two processors
    python benchmarks/engine.py --quick             # under two, smaller and rougher
    python benchmarks/engine.py --section sizes     # one section; may be given several times

It wants `pip install -c constraints.txt -e ".[bench]"`; a peer that is not installed is left out.
Every section runs in a process of its own, all its contestants in that one; peak memory and start-up
in a process for each contestant. Every time is wall clock, the median of interleaved repetitions on
memory already touched, so that another load on the machine meets all contestants alike.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

from engine_tools import HERE, load, machine


@dataclass(frozen=True)
class Section:
    """`module:function(quick)`; the seconds after which it is given up; the processors it is held to."""

    function: str
    limit: float = 400
    processors: int = 2


SECTIONS = {
    "speed": Section("engine_speed:two"),
    "speed-1": Section("engine_speed:one", processors=1),
    "kernels": Section("engine_kernels:kernels", processors=1),
    "memory": Section("engine_memory:peaks"),
    "sizes": Section("engine_speed:sizes"),
    "small": Section("engine_small:small"),
    "layouts": Section("engine_small:layouts"),
    "start": Section("engine_start:start"),
    "gpt2": Section("whole_models:gpt2"),
    "gpt2-xl": Section("whole_models:gpt2_xl", limit=500),
    "orthogonal": Section("engine:orthogonal"),
}


def orthogonal(quick: bool) -> None:
    """benchmarks/orthogonal.py's own table."""
    script = HERE / "orthogonal.py"
    if not script.exists():
        print("## Orthogonal: there is no benchmarks/orthogonal.py\n")
        return
    command = [sys.executable, str(script), *(["--quick"] if quick else [])]
    subprocess.run(command, check=True)


def _inside(name: str, quick: bool) -> None:
    section = SECTIONS[name]
    if hasattr(os, "sched_setaffinity"):
        # before any library starts threads: they inherit it, XLA's too, which no option limits
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-section.processors :])
    module, function = section.function.split(":")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != "transformers":
            raise
        print(f"## {name}: left out, {error.name} is not installed\n")
        return
    getattr(found, function)(quick)


def _outside(name: str, quick: bool) -> bool:
    """Run a section in a child; a failure is told in the output and loses nothing else."""
    begin = time.monotonic()
    command = [sys.executable, __file__, "--inside", name, *(["--quick"] if quick else [])]
    try:
        code: int | str = _ended(command, SECTIONS[name].limit)
    except subprocess.TimeoutExpired:
        code = f"no end after {SECTIONS[name].limit:.0f} s"
    if code:
        print(f"**Section {name} failed: {code}.**\n", flush=True)
    print(f"{name}: {time.monotonic() - begin:.0f} s, load {load()}", file=sys.stderr, flush=True)
    return not code


def _ended(command: list[str], limit: float) -> int:
    """The exit code; after `limit` seconds, or Ctrl-C, the child and its own children are killed."""
    child = subprocess.Popen(command, start_new_session=True)
    try:
        return child.wait(limit)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def main() -> int:
    """Exit code 1 if a section failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="smaller, fewer, without the 1.5 B model")
    parser.add_argument(
        "--section", action="append", choices=SECTIONS, metavar="NAME", help=", ".join(SECTIONS)
    )
    parser.add_argument("--inside", choices=SECTIONS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        _inside(options.inside, options.quick)
        return 0
    before = load()
    print(f"{machine()} Load average at the start {before}.\n", flush=True)
    chosen = options.section or [name for name in SECTIONS if not (options.quick and name == "gpt2-xl")]
    passed = [_outside(name, options.quick) for name in chosen]
    print(f"Load average at the start {before}, at the end {load()}.")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
