"""How good is the choice? Regret of the chosen and of named schemes, learning rate searched.

    python benchmarks/choosing.py [--steps 150] [--seeds 1] [problem ...]

Every scheme trains with the same batches at every learning rate of the grid; regret is
(loss − best) / (loss of all-zeros − best) at each scheme's best rate, so 0 is the best of those tried and
1 as bad as never learning. About five minutes for all problems on one core; name a few for less. A first
look, not a proof.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import torch
from sklearn import datasets
from torch import Tensor, nn

import initwise
from initwise.choose.candidates import candidate
from initwise.choose.planners import Case, study

SCHEMES = ("rule_b", "rule_a2", "lsuv", "orthogonal", "he_normal", "xavier_normal", "torch_default", "zeros")
RATES = {"adam": (1e-3, 3e-3, 1e-2), "sgd": (1e-2, 3e-2, 1e-1)}


class Residual(nn.Module):
    """x + W₂·relu(W₁·x), without a norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(torch.relu(self.first(x)))


def mlp(depth: int, activation: Callable[[], nn.Module], width: int = 48) -> nn.Module:
    sizes = [64, *[width] * (depth - 1), 10]
    layers: list[nn.Module] = []
    for k in range(depth):
        layers += [nn.Linear(sizes[k], sizes[k + 1])] + ([activation()] if k < depth - 1 else [])
    return nn.Sequential(*layers)


def cnn() -> nn.Module:
    layers: list[nn.Module] = [
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 12, 3, padding=1, stride=2),
        nn.ReLU(),
    ]
    for _ in range(4):
        layers += [nn.Conv2d(12, 12, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10))


PROBLEMS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "mlp3-relu": (lambda: mlp(3, nn.ReLU), "sgd"),
    "mlp10-sigmoid": (lambda: mlp(10, nn.Sigmoid), "adam"),
    "mlp30-relu": (lambda: mlp(30, nn.ReLU), "sgd"),
    "mlp30-gelu": (lambda: mlp(30, nn.GELU), "adam"),
    "mlp30-tanh": (lambda: mlp(30, nn.Tanh), "adam"),
    "cnn5-relu": (cnn, "adam"),
    "residual24-relu": (
        lambda: nn.Sequential(nn.Linear(64, 32), *(Residual(32) for _ in range(24)), nn.Linear(32, 10)),
        "sgd",
    ),
}


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training inputs and labels, validation inputs and labels."""
    x, y = datasets.load_digits(return_X_y=True)
    inputs, labels = torch.tensor((x - x.mean()) / x.std(), dtype=torch.float32), torch.tensor(y)
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))
    held, rest = order[:300], order[300:]
    return inputs[rest], labels[rest], inputs[held], labels[held]


def train(model: nn.Module, optimizer: str, rate: float, steps: int, seed: int) -> float:
    """The best validation loss of one training, capped at 10."""
    x, y, xv, yv = digits()
    step = (
        torch.optim.Adam(model.parameters(), lr=rate)
        if optimizer == "adam"
        else torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    )
    generator = torch.Generator().manual_seed(seed)
    best = math.inf
    for k in range(steps):
        batch = torch.randint(0, len(x), (64,), generator=generator)
        loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
        step.zero_grad()
        loss.backward()
        step.step()
        if (k + 1) % 20 == 0 or k + 1 == steps:
            with torch.no_grad():
                value = float(nn.functional.cross_entropy(model(xv), yv))
            best = min(best, value if math.isfinite(value) else math.inf)
    return min(best, 10.0)


def best_loss(scheme: str, make: Callable[[], nn.Module], optimizer: str, steps: int, seeds: int) -> float:
    """Mean over seeds at the scheme's best learning rate."""
    example = digits()[0][:128]
    losses = []
    for rate in RATES[optimizer]:
        total = 0.0
        for seed in range(seeds):
            model = make()
            case: Case = study(model, example, seed=seed)
            initwise.init_(model, candidate(scheme).plan(case), seed=seed)
            total += train(model, optimizer, rate, steps, seed)
        losses.append(total / seeds)
    return min(losses)


def row(name: str, steps: int, seeds: int) -> None:
    make, optimizer = PROBLEMS[name]
    chosen = initwise.choose(make(), digits()[0][:128]).name
    losses = {s: best_loss(s, make, optimizer, steps, seeds) for s in dict.fromkeys((chosen, *SCHEMES))}
    best, worst = min(losses.values()), max(losses["zeros"], min(losses.values()) + 1e-9)
    regret = {scheme: (loss - best) / (worst - best) for scheme, loss in losses.items()}
    told = "  ".join(f"{s} {regret[s]:.2f}" for s in losses if s != "zeros")
    print(f"{name:16s} chosen {chosen} regret {regret[chosen]:.2f} | {told}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problems", nargs="*", default=list(PROBLEMS), help=f"among {', '.join(PROBLEMS)}")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.problems:
        if name not in PROBLEMS:
            parser.error(f"no problem {name!r}; known: {', '.join(PROBLEMS)}")
        row(name, options.steps, options.seeds)


if __name__ == "__main__":
    main()
