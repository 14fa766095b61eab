"""How much of what people build can be predicted, forward and backward, module by module.

    python benchmarks/coverage_sweep.py                       # everything not tried yet
    python benchmarks/coverage_sweep.py --kind transformers --only gpt2 bert
    python benchmarks/coverage_sweep.py --left                # again what is not wholly predicted
    python benchmarks/coverage_sweep.py --again               # everything again
    python benchmarks/coverage_sweep.py --write               # the page from the results so far

Each model is predicted with `check(constructor, example, mode="predict")` in a process of its own. Results
are kept in build/coverage.jsonl after every model, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from coverage_child import Missing, Outcome, outcome
from coverage_page import page
from coverage_subjects import KINDS, Subject, subjects

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "build" / "coverage.jsonl"
PAGE = ROOT / "docs" / "benchmarks" / "coverage.md"
SECONDS, MEMORY = 180.0, 6.0


def kept() -> dict[tuple[str, str], Outcome]:
    """(kind, name) → the newest outcome."""
    found = {}
    for line in KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:  # the line that a kill cut off
            continue
        missing = tuple(Missing(**one) for one in row.pop("missing"))
        result = Outcome(**{**row, "missing": missing, "given": tuple(row["given"])})
        found[result.kind, result.name] = result
    return found


def keep(result: Outcome) -> None:
    """Append it to what is kept."""
    KEPT.parent.mkdir(exist_ok=True)
    with KEPT.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")


def sweep(chosen: Sequence[Subject], seconds: float, memory: float) -> None:
    """Try each, with a bar, and keep what came out."""
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=len(chosen))
        for subject in chosen:
            bar.update(task, description=f"{subject.kind} {subject.name}")
            result = outcome(subject, seconds, memory)
            keep(result)
            console.print(told(result), highlight=False, markup=False, soft_wrap=True)
            bar.advance(task)


def told(result: Outcome) -> str:
    """One line."""
    why = result.error or "; ".join(f"{m.place}: {m.reason} (×{m.rows})" for m in result.missing)
    head = f"{result.status:9} {result.kind} {result.name} {result.whole}/{result.rows} {result.seconds} s"
    return f"{head}  {why}".rstrip()


def chosen_of(given: argparse.Namespace, known: dict[tuple[str, str], Outcome]) -> list[Subject]:
    """The subjects asked for that have no result yet, or a wanting one."""
    everything = [subject for kind in given.kind for subject in subjects(kind)]
    if given.only:
        return [subject for subject in everything if subject.name in given.only]
    if given.again:
        return everything
    wanted = {"failed", "partly", "untried"} if given.left else set()
    results = ((subject, known.get((subject.kind, subject.name))) for subject in everything)
    if given.left:
        return [subject for subject, result in results if result is not None and result.status in wanted]
    return [subject for subject, result in results if result is None]


def written(results: Iterable[Outcome]) -> None:
    PAGE.write_text(page(tuple(results)), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], help="these models alone")
    parser.add_argument("--kind", nargs="+", choices=KINDS, default=list(KINDS), help="kinds of models")
    parser.add_argument("--again", action="store_true", help="also those that have a result")
    parser.add_argument("--left", action="store_true", help="those whose result is not whole")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}, run nothing")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="limit per model")
    parser.add_argument("--memory", type=float, default=MEMORY, help="limit per model in GiB")
    given = parser.parse_args()
    if not given.write:
        sweep(chosen_of(given, kept()), given.seconds, given.memory)
    else:
        named = {(subject.kind, subject.name) for kind in KINDS for subject in subjects(kind)}
        written(result for key, result in kept().items() if key in named)


if __name__ == "__main__":
    main()
