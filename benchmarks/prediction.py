"""How near a prediction comes to what is measured.

    python benchmarks/prediction.py [--seeds 5] [--most 80] [--only NAME] [--write]

For each model: one `check(build, …, mode="predict")`, and `check` of models built and drawn anew with
each seed. |ln(predicted/measured)| of mean squares, the measured ones averaged over seeds: F of outputs,
G of the gradients there, W of weight gradients; median / 95th percentile over rows. In brackets the
median over rows of the standard deviation of ln from seed to seed. Where the mean over seeds is itself
uncertain by more than 5 % (the median standard error over rows of F, G or W) more seeds are drawn, up to
the most: the mean over draws is what is predicted, and of a quantity that varies by a factor of e a mean
of five is off by a third.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import initwise
from prediction_held_out import HELD_OUT
from prediction_models import MODELS

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks" / "prediction.md"
WHAT = {"F": "forward_rms", "G": "gradient_rms", "W": "weight_gradient_rms"}
PRECISION = 0.05
"""Of the mean over seeds."""
ZERO = 1e-9
"""Mean squares below this share of the largest are structurally zero (a bias before a norm)."""


@dataclass(frozen=True)
class Errors:
    """|ln(predicted/measured)| of one quantity of one model, and the spread of ln over seeds."""

    errors: tuple[float, ...]
    spreads: tuple[float, ...]
    unpredicted: int

    def __str__(self) -> str:
        if not self.errors:
            return "–"
        median, high = np.median(self.errors), np.quantile(self.errors, 0.95)
        return f"{median:.2f} / {high:.2f} ({np.median(self.spreads):.2f})"


def errors_of(
    build: Callable[[], nn.Module], example: str, seeds: int, most: int
) -> tuple[dict[str, Errors], int, float]:
    """Errors by quantity, the number of seeds, and the seconds of CPU the prediction took."""
    began = time.process_time()
    predicted = {row.name: row for row in initwise.check(build, example, mode="predict").layers}
    seconds = time.process_time() - began
    drawn = [_measured(build, example, seed) for seed in range(seeds)]
    while len(drawn) < most and max(_uncertain(field, drawn) for field in WHAT.values()) > PRECISION:
        drawn.append(_measured(build, example, len(drawn)))
    return {what: _errors(field, predicted, drawn) for what, field in WHAT.items()}, len(drawn), seconds


def _squares(field: str, drawn: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Row → mean squares by seed, of rows that have them and are not structurally zero."""
    squares = {name: [getattr(rows[name], field) ** 2 for rows in drawn] for name in drawn[0]}
    squares = {name: found for name, found in squares.items() if not math.isnan(sum(found))}
    floor = ZERO * max((np.mean(found) for found in squares.values()), default=0.0)
    return {name: found for name, found in squares.items() if np.mean(found) > floor}


def _uncertain(field: str, drawn: list[dict[str, Any]]) -> float:
    """Relative standard error of the mean over seeds, the median over rows."""
    squares = np.array(list(_squares(field, drawn).values()))
    error = squares.std(1, ddof=1) / squares.mean(1) / math.sqrt(len(drawn))
    return float(np.median(error))


def _measured(build: Callable[[], nn.Module], example: str, seed: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    return {row.name: row for row in initwise.check(build(), example, seed=seed).layers}


def _errors(field: str, predicted: dict[str, Any], drawn: list[dict[str, Any]]) -> Errors:
    errors, spreads, missing = [], [], 0
    for name, found in _squares(field, drawn).items():
        mine = getattr(predicted[name], field) ** 2
        if math.isnan(mine):
            missing += 1
            continue
        errors.append(abs(math.log(max(mine, 1e-300) / np.mean(found))))
        spreads.append(float(np.std(np.log(found), ddof=1)))
    return Errors(tuple(errors), tuple(spreads), missing)


def _table(models: dict[str, tuple[Callable[[], nn.Module], str]], seeds: int, most: int) -> list[str]:
    lines = [
        "| model | rows | seeds | F | G | W | not predicted | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    pooled: dict[str, list[float]] = {what: [] for what in WHAT}
    for name, (build, example) in models.items():
        found, drawn, seconds = errors_of(build, example, seeds, most)
        for what, errors in found.items():
            pooled[what] += errors.errors
        missing = sum(errors.unpredicted for errors in found.values())
        rows = len(found["F"].errors)
        cells = " | ".join(str(found[what]) for what in WHAT)
        lines.append(f"| {name} | {rows} | {drawn} | {cells} | {missing} | {seconds:.1f} |")
        print(lines[-1], flush=True)
    ends = " | ".join(f"{np.median(p):.3f} / {np.quantile(p, 0.95):.2f}" for p in pooled.values() if p)
    lines.append(f"| **all rows** | {len(pooled['F'])} | | {ends} | | |")
    print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--most", type=int, default=80)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines: list[str] = []
    for title, models in (("", MODELS), ("Held out", HELD_OUT)):
        chosen = {name: model for name, model in models.items() if given.only in name}
        if chosen:
            lines += ["", f"## {title}", ""] if title else []
            lines += _table(chosen, given.seeds, given.most)
    if given.write:
        said = (__doc__ or "").split("\n\n")[-1].strip()
        head = "# Predictions against measurements\n\n<!-- written by: benchmarks/prediction.py --write -->\n"
        versions = f"torch {torch.__version__.split('+')[0]}, {given.seeds} seeds or more. {said}"
        PAGE.write_text(f"{head}\n{versions}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
