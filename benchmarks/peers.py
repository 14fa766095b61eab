"""initwise beside the peers: AnyInit, LSUV, torch's default and the named schemes, same seeds, in one run.

    pip install --target build/peers anyinit             # optional: absent, its rows say so
    PYTHONPATH=build/peers python benchmarks/peers.py [--only T4 …] [--write]

Every line found is kept in build/peers.jsonl, one for each task and method: stop it and start it again;
`--again` measures anew. `choose` is what initwise.choose takes,
told the loss where there is one; `rule_a2` is its analytic choice, `rule_b` the calibrated one. All inputs
are the digits of scikit-learn, normal rows or a plane: nothing is downloaded, and where a peer's own task
uses CIFAR-10 or MNIST the task here is that network on the digits, for all methods alike. Errors of
prediction are in benchmarks/prediction.py and deepscalelm.py.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import warnings
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from peers_tasks import METHODS, TASKS, Found, Task, available

ROOT = Path(__file__).parent.parent
KEPT, PAGE = ROOT / "build" / "peers.jsonl", ROOT / "docs" / "benchmarks" / "peers.md"
Rows = dict[tuple[str, str], Found]
READ = """Where a peer is ahead of initwise:

- T8: AnyInit with `center=True` has fewer skewed units. Its rows sum to zero, so the brightness that all
  pixels share does not pass; an orthogonal block hands it on, to one unit and negated to its twin.
- T2b: AnyInit's empirical mode ends a little lower. Three seeds do not tell the two apart: those of each
  lie among those of the other.
- T7: AnyInit's analytic mode and `choose` end alike, within the seeds' spread.
"""


def kept() -> Rows:
    """What was found before: (task, method) → line."""
    rows: Rows = {}
    for line in KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:  # the line that a kill cut off
            continue
        rows[row["task"], row["method"]] = row
    return rows


def keep(row: Found) -> None:
    """Write it at once."""
    KEPT.parent.mkdir(exist_ok=True)
    with KEPT.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def found(name: str, task: Task, method: str) -> Found:
    """One line: the task's numbers, or why there are none, and the CPU seconds they took."""
    started = time.process_time()
    try:
        row = dict(task.run(method)) if available(method) else {"shown": "not installed"}
    except Exception as error:
        row = {"shown": f"fails: {type(error).__name__}", "error": str(error)}
    return {"task": name, "method": method, **row, "seconds": round(time.process_time() - started, 1)}


def run(wanted: Sequence[str], again: bool) -> Rows:
    """Everything that is missing, with a bar."""
    rows = kept()
    todo = [(name, m) for name in wanted for m in TASKS[name].methods if again or (name, m) not in rows]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as bar:
        shown = bar.add_task("", total=len(todo))
        for name, method in todo:
            bar.update(shown, description=f"{name} {method}")
            row = found(name, TASKS[name], method)
            # absent today is no result
            if row["shown"] != "not installed":
                keep(row)
            rows[name, method] = row
            bar.advance(shown)
    return rows


def page(rows: Mapping[tuple[str, str], Found]) -> str:
    """The tables as Markdown."""
    seconds = sum(float(str(row.get("seconds", 0))) for row in rows.values())
    lines = [
        "# Beside the peers",
        "",
        f"Output of `python benchmarks/peers.py --write`, {date.today()}; torch {torch.__version__}, "
        f"{platform.machine()}, one thread, {seconds / 60:.0f} minutes of it. Same seeds and batches for "
        "all. `choose` is what initwise takes, told the loss where there is one; `rule_a2` its analytic "
        "choice (no data), `rule_b` the calibrated one, both blind to the loss; in brackets "
        "the best of the rates tried. “–”: not run.",
        "",
    ]
    for group, names in GROUPS.items():
        lines += [f"## {group}", "", *_table(names, rows), ""]
    lines += ["## Not ahead", "", READ]
    lines += ["## Curves", "", "Training loss, means over tenths of the steps, at the best rate.", ""]
    for name in ("T1", "T2b", "deep-mlp", "deep-cnn"):
        lines += [TASKS[name].title.split(": training")[0].split(": loss")[0], "", *_curves(name, rows), ""]
    return "\n".join(lines)


GROUPS = {
    "Signals at the start": [*(name for name in TASKS if name.startswith("T3")), "T4", "T2", "T8"],
    "Training": ["T1", "T2b", "T7", "deep-mlp", "deep-cnn"],
    "Refusing": ["T10"],
}


def _table(names: Sequence[str], rows: Mapping[tuple[str, str], Found]) -> list[str]:
    """A line for each method, a column for each task; tasks and what is asked for are listed below."""
    everyone = dict.fromkeys((*METHODS, *(m for n in names for m in TASKS[n].methods)))
    part = [m for m in everyone if any((name, m) in rows for name in names)]
    lines = [f"| method | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for method in part:
        cells = [str(rows[name, method]["shown"]) if (name, method) in rows else "–" for name in names]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return [*lines, "", *(f"- {name}: {TASKS[name].title}. Asked for: {TASKS[name].bar}." for name in names)]


def _curves(name: str, rows: Mapping[tuple[str, str], Found]) -> list[str]:
    lines = ["| method | rate | loss |", "|---|---|---|"]
    for method in TASKS[name].methods:
        row = rows.get((name, method), {})
        if "tenths" in row:
            tenths = [float(str(value)) for value in row["tenths"]]  # type: ignore[attr-defined]
            lines.append(f"| {method} | {row['rate']:g} | {' '.join(f'{value:.2g}' for value in tenths)} |")
    return lines


def main() -> None:
    """Read the command line."""
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    reader.add_argument("--only", nargs="*", choices=sorted(TASKS), help="tasks")
    reader.add_argument("--again", action="store_true", help="measure again what is kept")
    reader.add_argument("--write", action="store_true", help="the page into docs/benchmarks")
    given = reader.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    rows = run(given.only or list(TASKS), given.again)
    text = page(rows)
    print(text)
    if given.write:
        PAGE.write_text(text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
