"""Single components of a transformer, predicted and measured, beside DeepScaleLM's published errors.

    python benchmarks/deepscalelm.py [--cases 40] [--only NAME] [--write]

For each component, random cases: batch 2–8, 16–96 tokens, width 64–256, 1–8 heads (of 16 or more), inputs
of variance .25–4, with a mean up to half their standard deviation, correlated between tokens by 0–.8,
dropout 0–.4, weights of variance .5–2 over fan-in. Each is predicted once, by `check(build, batch,
mode="predict")` of a batch with these moments, and measured on fresh inputs of these moments, weights and
cotangents until the standard error of the mean square is below a tenth of a percent, or for 3 seconds.
"Forward" is the mean square of the output, "gradient" that at the input, of a cotangent of variance 1.
Errors are |predicted − measured|/measured.

Theirs: Kedia et al. 2024, arXiv 2403.09635, errors of predicted variances. They draw cases of their own,
the ranges of which could not be looked up here: the two columns are not of the same cases.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

import initwise

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks" / "deepscalelm.md"
PRECISION = 0.001
LONGEST = 3.0
PUBLISHED = {
    ("FFN", "forward"): "0.4 / 1.4 / 2.8",
    ("GELU", "forward"): "0.2 / 0.6 / 1.3",
    ("attention", "forward"): "1.4 / 4.1 / 7.8",
    ("attention", "gradient"): "2.2 / 13.3 / 44.5",
}


@dataclass(frozen=True)
class Case:
    """One draw of shapes and laws."""

    batch: int
    tokens: int
    width: int
    heads: int
    mean: float
    variance: float
    correlation: float
    dropout: float
    gain: float


def drawn(generator: np.random.Generator) -> Case:
    width = int(generator.choice([64, 96, 128, 192, 256]))
    return Case(
        batch=int(generator.integers(2, 9)),
        tokens=int(generator.integers(16, 97)),
        width=width,
        heads=int(generator.choice([h for h in (1, 2, 4, 8) if width // h >= 16])),
        mean=float(generator.uniform(-0.5, 0.5)),
        variance=float(4.0 ** generator.uniform(-1, 1)),
        correlation=float(generator.uniform(0, 0.8)),
        dropout=float(generator.uniform(0, 0.4)),
        gain=float(2.0 ** generator.uniform(-0.5, 0.5)),
    )


# components


class Gauge(nn.Module):
    """Nothing, where output and gradient can be read."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.one


def linear(inner: int, outer: int, gain: float) -> nn.Linear:
    made = nn.Linear(inner, outer)
    nn.init.normal_(made.weight, 0.0, gain / math.sqrt(inner))
    nn.init.normal_(made.bias, 0.0, 0.1)
    return made


class Attention(nn.Module):
    """Softmax attention of all tokens among each other, between linear maps."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        # queries and keys of unit variance: scores as at a model's start
        small = 1 / math.sqrt(case.variance + (case.mean**2) * case.variance)
        self.heads, self.p = case.heads, case.dropout
        self.q, self.k = (linear(case.width, case.width, case.gain * small) for _ in range(2))
        self.v, self.o = (linear(case.width, case.width, case.gain) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        q, k, v = (
            part(x).view(batch, tokens, self.heads, -1).transpose(1, 2) for part in (self.q, self.k, self.v)
        )
        p = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]), -1)
        y = F.dropout(p, self.p) @ v
        return self.o(y.transpose(1, 2).reshape(batch, tokens, width))


def feedforward(case: Case, act: type[nn.Module]) -> list[nn.Module]:
    width = case.width
    return [
        linear(width, 4 * width, case.gain),
        act(),
        linear(4 * width, width, case.gain),
        nn.Dropout(case.dropout),
    ]


Parts = Callable[[Case], list[nn.Module]]
COMPONENTS: dict[str, Parts] = {
    "Linear": lambda case: [linear(case.width, 2 * case.width, case.gain)],
    "ReLU": lambda case: [nn.ReLU()],
    "GELU": lambda case: [nn.GELU()],
    "Dropout": lambda case: [nn.Dropout(case.dropout)],
    "LayerNorm": lambda case: [nn.LayerNorm(case.width)],
    "Softmax": lambda case: [nn.Softmax(-1)],
    "FFN": lambda case: feedforward(case, nn.ReLU),
    "FFN, GELU": lambda case: feedforward(case, nn.GELU),
    "attention": lambda case: [Attention(case)],
    "embedding": lambda case: [nn.Embedding(500, case.width), nn.Dropout(case.dropout)],
}


def model(name: str, case: Case) -> nn.Module:
    start: list[nn.Module] = [] if name == "embedding" else [Gauge()]
    return nn.Sequential(*start, *COMPONENTS[name](case), Gauge())


# inputs


def inputs(case: Case, name: str) -> Tensor:
    """A sample of tokens that itself has the case's mean, variance and correlation."""
    shape = (case.batch, case.tokens, case.width)
    if name == "embedding":
        return torch.randint(500, shape[:2])
    common, own = torch.randn(case.batch, 1, case.width), torch.randn(shape)
    common = (common - common.mean()) / common.std(correction=0)
    own = own - own.mean()
    own = own - common * (own * common).mean()
    own = own / own.std(correction=0)
    mixed = math.sqrt(case.correlation) * common + math.sqrt(1 - case.correlation) * own
    return math.sqrt(case.variance) * (case.mean + mixed)


def predicted(name: str, case: Case) -> tuple[float, float]:
    torch.manual_seed(0)
    rows = initwise.check(lambda: model(name, case), inputs(case, name), mode="predict").layers
    return rows[-1].forward_rms ** 2, rows[0].gradient_rms ** 2


def measured(name: str, case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Mean of (forward, gradient) mean squares, and its relative standard error."""
    found: list[tuple[float, float]] = []
    began = time.monotonic()
    while True:
        torch.manual_seed(len(found) + 1)
        found.append(_once(name, case))
        if len(found) < 20 or len(found) % 10:
            continue
        rows = np.array(found)
        error = rows.std(0) / math.sqrt(len(rows)) / rows.mean(0)
        if error.max() < PRECISION or time.monotonic() - began > LONGEST:
            return rows.mean(0), error


def _once(name: str, case: Case) -> tuple[float, float]:
    made, x = model(name, case), inputs(case, name)
    first, rest = made[0], made[1:]  # type: ignore[index]
    at = first(x).detach().requires_grad_()
    y = rest(at)
    (gradient,) = torch.autograd.grad(y, at, torch.randn_like(y))
    return float(y.detach().square().mean()), float(gradient.square().mean())


# the table


def percentiles(errors: list[float]) -> str:
    return " / ".join(f"{100 * np.quantile(errors, q):.1f}" for q in (0.5, 0.9, 0.99))


def lines_of(name: str, cases: int, told: bool) -> list[str]:
    generator = np.random.default_rng(7)
    errors: dict[str, list[float]] = {"forward": [], "gradient": []}
    noise: dict[str, list[float]] = {"forward": [], "gradient": []}
    for case in (drawn(generator) for _ in range(cases)):
        mine, (seen, error) = predicted(name, case), measured(name, case)
        for i, what in enumerate(errors):
            errors[what].append(abs(mine[i] / seen[i] - 1))
            noise[what].append(float(error[i]))
        if told:
            signed = [f"{100 * (mine[i] / seen[i] - 1):+.1f} (± {100 * error[i]:.1f})" for i in range(2)]
            print(case, *signed, flush=True)
    return [
        f"| {name} | {what} | {percentiles(errors[what])} | {PUBLISHED.get((name, what), '–')} "
        f"| {100 * np.median(noise[what]):.2f} |"
        for what in errors
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--only", default="")
    parser.add_argument("--each", action="store_true", help="print every case")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    head = "| component | | ours, % (p50 / p90 / p99) | theirs | standard error, % |"
    lines = [head, "|---|---|---|---|---|"]
    for name in COMPONENTS:
        if given.only in ("", name):
            found = lines_of(name, given.cases, given.each)
            print("\n".join(found), flush=True)
            lines += found
    if given.write:
        said = "\n\n".join((__doc__ or "").split("\n\n")[2:]).strip()
        top = "# Components, beside DeepScaleLM\n\n<!-- written by: benchmarks/deepscalelm.py --write -->\n"
        about = f"torch {torch.__version__.split('+')[0]}, {given.cases} cases a component."
        PAGE.write_text(f"{top}\n{about} {said}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
