"""How far does a signal, and its gradient, travel through deep plain networks under the rules?

    OPENBLAS_NUM_THREADS=1 python benchmarks/gradients.py

Two tables, without training. First: the second moment of the gradient with respect to the first layer's
output over that of the last hidden one's, through 50 layers of width 128, for a random cotangent; three
draws each. Second: the second moment of the 20th ReLU layer's output over the first's, width 128, for the
16 draws of seeds 0 to 15. Inputs are 64 standard normal rows of 64 numbers; the data pass measures the
same rows. (With several BLAS threads on a busy machine, small inverses take very much longer.)
docs/benchmarks/gradients.md is its output.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from initwise.choose.candidates import candidate
from initwise.choose.planners import Case, study
from initwise.core.plan import Plan
from initwise.measure.substitutes import weights_for

WIDTH, INPUTS, OUTPUTS = 128, 64, 10
SCHEMES = ("rule_a2", "rule_b", "lsuv", "orthogonal", "he_normal", "xavier_normal", "torch_default")
ACTIVATIONS = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
}


def mlp(hidden: int, activation: Callable[[], nn.Module]) -> nn.Sequential:
    """`hidden` layers of `WIDTH` units, each with the activation, and a head."""
    layers: list[nn.Module] = []
    for k in range(hidden):
        layers += [nn.Linear(WIDTH if k else INPUTS, WIDTH), activation()]
    return nn.Sequential(*layers, nn.Linear(WIDTH, OUTPUTS))


@functools.cache
def network(hidden: int, activation: Callable[[], nn.Module]) -> Case:
    x = torch.randn(64, INPUTS, generator=torch.Generator().manual_seed(0))
    return study(mlp(hidden, activation), x)


@functools.cache
def plan_of(scheme: str, case: Case) -> Plan:
    return candidate(scheme).plan(case)


def case_of(hidden: int, activation: Callable[[], nn.Module], scheme: str, seed: int) -> tuple[Case, Plan]:
    """The network to be drawn with `seed`, and its plan; what looks at no weights is planned once."""
    case = network(hidden, activation)
    drawn = replace(case, seed=seed)
    return drawn, candidate(scheme).plan(drawn) if candidate(scheme).scheme else plan_of(scheme, case)


def through(case: Case, plan: Plan) -> tuple[list[float], list[float]]:
    """Second moments of every linear layer's output and of the gradients with respect to it."""
    drawn = weights_for(case.model, plan, seed=case.seed)
    weights = {name: tensor.requires_grad_() for name, tensor in drawn.items()}
    h, outputs = case.example, []
    for k, layer in enumerate(case.model):
        if isinstance(layer, nn.Linear):
            h = nn.functional.linear(h, weights[f"{k}.weight"], weights[f"{k}.bias"])
            h.retain_grad()
            outputs.append(h)
        else:
            h = layer(h)
    (h * torch.randn(h.shape, generator=torch.Generator().manual_seed(case.seed))).sum().backward()
    return [_second(out.detach()) for out in outputs], [_second(out.grad) for out in outputs]


def _second(tensor: Tensor) -> float:
    return float(tensor.double().square().mean())


def gradient(scheme: str, activation: str, seed: int) -> float:
    """Gradient², first over last of 50 hidden layers."""
    _, squares = through(*case_of(50, ACTIVATIONS[activation], scheme, seed))
    return squares[0] / squares[-2] if squares[-2] else float("nan")


def drift(scheme: str, seed: int) -> float:
    """Second moment of the 20th ReLU layer's output over the first's."""
    squares, _ = through(*case_of(20, nn.ReLU, scheme, seed))
    return squares[-2] / squares[0]


def main() -> None:
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {platform.machine()}, float32, one thread\n")
    print("Gradient², first over last of 50 layers: smallest to largest of seeds 0, 1, 2\n")
    print(f"| scheme | {' | '.join(ACTIVATIONS)} |\n|---|{'---|' * len(ACTIVATIONS)}")
    for scheme in SCHEMES:
        cells = []
        for activation in ACTIVATIONS:
            found = sorted(gradient(scheme, activation, seed) for seed in range(3))
            cells.append(f"{found[0]:.2g} – {found[-1]:.2g}")
        print(f"| {scheme} | {' | '.join(cells)} |", flush=True)
    print("\nSecond moment after 20 ReLU layers over that after the first, seeds 0 to 15\n")
    print("| scheme | smallest | median | largest | within ±20 % of 1 |\n|---|---|---|---|---|")
    for scheme in SCHEMES:
        found = sorted(drift(scheme, seed) for seed in range(16))
        near = sum(0.8 <= ratio <= 1.2 for ratio in found)
        median = (found[7] + found[8]) / 2
        print(f"| {scheme} | {found[0]:.2g} | {median:.2g} | {found[-1]:.2g} | {near} of 16 |", flush=True)


if __name__ == "__main__":
    main()
