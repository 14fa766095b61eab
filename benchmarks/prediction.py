"""How near a prediction comes to what is measured.

    python benchmarks/prediction.py [--seeds 5] [--only NAME] [--write]

For each model: one `check(build, …, mode="predict")`, and `check` of models built and drawn anew with
each seed. |ln(predicted/measured)| of mean squares, the measured ones averaged over seeds: F of outputs, G of
the gradients there, W of weight gradients; median / 95th percentile over rows. In brackets the median over
rows of the standard deviation of ln from seed to seed: what no prediction can beat.
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
from prediction_models import MODELS

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks" / "prediction.md"
WHAT = {"F": "forward_rms", "G": "gradient_rms", "W": "weight_gradient_rms"}
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


def errors_of(build: Callable[[], nn.Module], example: str, seeds: int) -> tuple[dict[str, Errors], float]:
    """Errors by quantity, and the seconds of CPU the prediction took."""
    began = time.process_time()
    predicted = {row.name: row for row in initwise.check(build, example, mode="predict").layers}
    seconds = time.process_time() - began
    drawn = [_measured(build, example, seed) for seed in range(seeds)]
    return {what: _errors(field, predicted, drawn) for what, field in WHAT.items()}, seconds


def _measured(build: Callable[[], nn.Module], example: str, seed: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    return {row.name: row for row in initwise.check(build(), example, seed=seed).layers}


def _errors(field: str, predicted: dict[str, Any], drawn: list[dict[str, Any]]) -> Errors:
    squares = {name: [getattr(rows[name], field) ** 2 for rows in drawn] for name in drawn[0]}
    squares = {name: found for name, found in squares.items() if not math.isnan(sum(found))}
    floor = ZERO * max((np.mean(found) for found in squares.values()), default=0.0)
    errors, spreads, missing = [], [], 0
    for name, found in squares.items():
        mine = getattr(predicted[name], field) ** 2
        if np.mean(found) <= floor:
            continue
        if math.isnan(mine):
            missing += 1
            continue
        errors.append(abs(math.log(max(mine, 1e-300) / np.mean(found))))
        spreads.append(float(np.std(np.log(found), ddof=1)))
    return Errors(tuple(errors), tuple(spreads), missing)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines = ["| model | rows | F | G | W | not predicted | CPU s |", "|---|---|---|---|---|---|---|"]
    pooled: dict[str, list[float]] = {what: [] for what in WHAT}
    for name, (build, example) in MODELS.items():
        if given.only not in name:
            continue
        found, seconds = errors_of(build, example, given.seeds)
        for what, errors in found.items():
            pooled[what] += errors.errors
        missing = sum(errors.unpredicted for errors in found.values())
        rows = len(found["F"].errors)
        cells = " | ".join(str(found[what]) for what in WHAT)
        lines.append(f"| {name} | {rows} | {cells} | {missing} | {seconds:.1f} |")
        print(lines[-1], flush=True)
    ends = " | ".join(f"{np.median(p):.3f} / {np.quantile(p, 0.95):.2f}" for p in pooled.values() if p)
    lines.append(f"| **all rows** | {len(pooled['F'])} | {ends} | | |")
    print(lines[-1])
    if given.write:
        said = (__doc__ or "").split("\n\n")[-1].strip()
        head = "# Predictions against measurements\n\n<!-- written by: benchmarks/prediction.py --write -->\n"
        versions = f"torch {torch.__version__.split('+')[0]}, {given.seeds} seeds. {said}"
        PAGE.write_text(f"{head}\n{versions}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
