"""What asking costs: `choose` without a race, beside one training step of the same model.

    python benchmarks/asking.py                       # all, one after the other
    python benchmarks/asking.py --only "GPT-2 small"
    python benchmarks/asking.py --estimate            # what choose/work.py estimates, beside what it takes
    python benchmarks/asking.py --write               # docs/benchmarks/asking.md

A training step is Adam's: forward, mean square of the result, backward, update; of the second to the fourth
the fastest is taken. Seconds are the process's CPU time on one thread; `choose` runs twice in a process
that has not asked before, the step after it. Memory is what a process added, at its largest, to what it held
with the libraries and the model loaded: `choose` in one process, two steps in another. GPT-2 and Llama need
transformers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import initwise
from asking_models import MODELS
from initwise.choose.planners import study

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks" / "asking.md"
META = "meta device"
VALUELESS = 20.0
"""Seconds allowed for a model of 8 B parameters without values."""

HEAD = """# What asking costs

<!-- written by: benchmarks/asking.py --write -->

`choose(model, example)` without a race, beside one training step (Adam) of the same model on the same
batch, on one thread, in CPU seconds. "first": the first call in its process, loading what it needs
(compiled to bytecode before); "again": the second. "allowed" is three steps and a second. Memory is what a
process added to the loaded libraries and model, at its largest: one step (gradients and Adam's two moments
included), the first `choose`. "looked at": candidates measured; the others are ranked by what is known of
them. Models without values cannot be trained: 20 s are allowed. {machine}, {date}; the machine is shared.

| model | parameters | step, s | first, s | again, s | allowed, s | looked at | step, MiB | choose, MiB |
|---|---|---|---|---|---|---|---|---|
"""


def step_of(model: nn.Module, batch: Tensor) -> Callable[[], float]:
    """A training step, giving its CPU seconds."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)

    def step() -> float:
        began = time.process_time()
        optimizer.zero_grad()
        result = model(batch)
        getattr(result, "logits", result).square().mean().backward()
        optimizer.step()
        return time.process_time() - began

    return step


def asked(model: nn.Module, batch: Tensor) -> dict[str, Any]:
    """CPU seconds of the first and the second `choose`, how many candidates it measured, and its memory."""
    seconds, advice = [], None
    before = held()
    for _ in range(2):
        began = time.process_time()
        advice = initwise.choose(model, batch)
        seconds.append(time.process_time() - began)
        if len(seconds) == 1:
            added = largest() - before
    assert advice is not None
    looked = sum(candidate.verdict != "unmeasured" for candidate in advice.ranking)
    return {"seconds": seconds, "mib": added, "looked": looked, "of": len(advice.ranking)}


def stepped(model: nn.Module, batch: Tensor) -> dict[str, Any]:
    """What two training steps added to the process."""
    before, step = held(), step_of(model, batch)
    step(), step()
    return {"mib": largest() - before}


def child(name: str, job: str) -> None:
    """One job on one model, its figures as JSON on stdout."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, batch = MODELS[name]()
    found = asked(model, batch) if job == "choose" else stepped(model, batch)
    found["parameters"] = sum(parameter.numel() for parameter in model.parameters())
    if job == "choose" and not name.endswith(META):
        step = step_of(model, batch)
        step()
        found["step"] = min(step() for _ in range(3))
    print(json.dumps(found))


def held() -> float:
    """MiB that the process holds now; its peak starts anew from here."""
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def largest() -> float:
    """MiB that it held at most since."""
    return status("VmHWM")


def status(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def measured(name: str, job: str) -> dict[str, Any]:
    """The figures of `child` in a process of its own."""
    command = [sys.executable, __file__, "--child", name, job]
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    bytecode = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(ROOT / "build" / "bytecode")}
    environment = {**os.environ, **threads, **bytecode}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def row(name: str) -> str:
    """One line of the table."""
    choose = measured(name, "choose")
    count = choose["parameters"]
    size = f"{count / 1e9:.1f} B" if count >= 1e9 else f"{count / 1e6:.3g} M"
    first, again = choose["seconds"]
    looked, mib = f"{choose['looked']} of {choose['of']}", f"{choose['mib']:,.0f}"
    if name.endswith(META):
        return f"| {name} | {size} | – | {first:.1f} | {again:.1f} | {VALUELESS:g} | {looked} | – | {mib} |"
    step, held_by_step = choose["step"], measured(name, "step")["mib"]
    allowed = 3 * step + 1
    return (
        f"| {name} | {size} | {step:.3g} | {first:.3g} | {again:.3g} | {allowed:.3g} | {looked} "
        f"| {held_by_step:,.0f} | {mib} |"
    )


def estimated(name: str) -> str:
    """What `choose/work.py` estimates for a check of the model, and what a check takes; ms."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, batch = MODELS[name]()
    work, seconds = study(model, batch).work, []
    for _ in range(3):
        began = time.process_time()
        initwise.check(model, batch)
        seconds.append(time.process_time() - began)
    return (
        f"| {name} | {work.multiplications:.2g} | {work.elements:.2g} | {work.nodes} "
        f"| {1000 * work.check:,.0f} | {1000 * min(seconds):,.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="models whose name contains this")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--estimate", action="store_true", help="what is estimated beside what is measured")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    wanted = [name for name in MODELS if options.only is None or options.only in name]
    if options.estimate:
        print("| model | multiplications | elements | operations | estimated, ms | a check, ms |")
        print("|---|---|---|---|---|---|")
        for name in wanted:
            if not name.endswith(META):
                print(estimated(name), flush=True)
        return
    machine = f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}"
    page = HEAD.format(machine=machine, date=datetime.now(UTC).date())
    print(page, end="")
    measured(wanted[0], "choose")  # compiles to bytecode
    for name in wanted:
        line = row(name) + "\n"
        page += line
        print(line, end="", flush=True)
    if options.write and options.only is None:
        PAGE.write_text(page)


if __name__ == "__main__":
    main()
