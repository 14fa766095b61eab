"""The tasks of the benchmark beside the peers, and how each method draws a model's weights."""

from __future__ import annotations

import importlib
import importlib.util
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

import initwise
from initwise.choose.candidates import candidate
from initwise.choose.planners import study
from peers_models import Make, Reader, ReZero, cnn, digits, mlp, normal, waves

NAMED = ("torch_default", "xavier_normal", "he_normal", "orthogonal", "lsuv")
ANYINIT = {"anyinit": {}, "anyinit_empirical": {}, "anyinit_centred": {"center": True}}
PEERS = ("anyinit", "anyinit_empirical")
OURS = ("choose", "rule_a2", "rule_b")
METHODS = (*OURS, *PEERS, *NAMED)
DEEPEST = ("choose", "rule_a2", "anyinit", "lsuv", "orthogonal", "torch_default")
"""For the deepest networks: the best of each kind, since a step costs much."""
Found = Mapping[str, object]
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Task:
    """One thing to measure.

    Attributes:
        title: what is measured, for the page.
        bar: what is asked for.
        methods: who takes part.
        run: method → what was found; "shown" is the table's cell.
    """

    title: str
    bar: str
    methods: Sequence[str]
    run: Callable[[str], Found]


def drawn(
    make: Make,
    method: str,
    example: Tensor,
    seed: int,
    targets: Tensor | None = None,
    loss: Loss | None = None,
) -> nn.Module:
    """The model, its weights drawn by `method` with `seed`; `targets` and `loss` are told to choose alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make()
        if method in ANYINIT:
            mode = "empirical" if method.endswith("empirical") else "analytic"
            anyinit = importlib.import_module("anyinit")
            anyinit.initialize(model, mode, example, seed=seed, **ANYINIT[method])
    if method == "choose":
        problem = None
        if targets is not None and loss is not None:
            problem = initwise.Problem(lambda: model, [(example, targets)], loss)
        advice = initwise.choose(None if problem else model, None if problem else example, problem=problem)
        initwise.init_(model, advice, seed=seed)
    elif method not in ANYINIT and method not in ("torch_default", "rezero"):
        initwise.init_(model, candidate(method).plan(study(model, example, seed=seed)), seed=seed)
    return model


def available(method: str) -> bool:
    """Is what it needs installed?"""
    return method not in ANYINIT or importlib.util.find_spec("anyinit") is not None


# signals at the start


def second(tensor: Tensor) -> float:
    return float(tensor.detach().double().square().mean())


def levels(model: nn.Module, x: Tensor) -> list[float]:
    """Second moments after every activation of a Sequential."""
    found = []
    with torch.no_grad():
        for layer in model:
            x = layer(x)
            if not isinstance(layer, nn.Linear):
                found.append(second(x))
    return found


def gradient_ratio(activation: str) -> Callable[[str], Found]:
    """Gradient² with respect to the first of 50 layers' output over that of the last, two draws."""

    def run(method: str) -> Found:
        x, ratios = normal(64, 64), []
        for seed in range(2):
            h, outputs = x, []
            for layer in drawn(lambda: mlp(50, activation, 128), method, x, seed):
                h = layer(h)
                if isinstance(layer, nn.Linear):
                    h.retain_grad()
                    outputs.append(h)
            (h * torch.randn(h.shape, generator=torch.Generator().manual_seed(seed))).sum().backward()
            squares = [second(out.grad) for out in outputs if out.grad is not None]
            ratios.append(squares[0] / squares[-2] if squares[-2] else math.nan)
        return {"ratios": ratios, "shown": between(ratios)}

    return run


def drift(method: str) -> Found:
    """E[a²] after the 20th ReLU layer of width 128 over that after the first, 16 draws."""
    x, ratios = normal(512, 128), []
    for seed in range(16):
        found = levels(drawn(lambda: mlp(20, "relu", 128, inputs=128), method, x, seed), x)
        ratios.append(found[-1] / found[0])
    return {"ratios": ratios, "shown": between(ratios)}


def silu(method: str) -> Found:
    """E[a²] after the first and the 20th SiLU layer of width 256, 5 draws."""
    x, firsts, lasts = normal(256, 256), [], []
    for seed in range(5):
        found = levels(drawn(lambda: mlp(20, "silu", 256, inputs=256), method, x, seed), x)
        firsts.append(found[0])
        lasts.append(found[-1])
    spread = statistics.stdev(lasts)
    shown = f"{statistics.fmean(firsts):.2g} → {statistics.fmean(lasts):.2g} ± {spread:.1g}"
    return {"first": firsts, "last": lasts, "shown": shown}


def skewed(method: str) -> Found:
    """Share of the units of 12 ReLU layers that fire on less than 20 % or more than 80 % of the digits."""
    x = digits()[0][:512]
    h, shares = x, []
    with torch.no_grad():
        for layer in drawn(lambda: mlp(12, "relu", 128), method, x, 0)[:-1]:
            h = layer(h)
            if isinstance(layer, nn.Linear):
                shares.append(float((((h > 0).float().mean(0) - 0.5).abs() > 0.3).float().mean()))
    share = statistics.fmean(shares)
    return {"share": share, "shown": f"{share:.1%}"}


def between(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.3g}" if f"{low:.3g}" == f"{high:.3g}" else f"{low:.2g} – {high:.2g}"


# training


@dataclass(frozen=True)
class Training:
    """Steps of an optimizer at several rates; the same batches for every method.

    With several seeds the curve is their mean, each seed with weights and batches of its own.
    """

    make: Make
    data: Callable[[], tuple[Tensor, Tensor]]
    rates: Sequence[float]
    steps: int
    batch: int = 0
    optimizer: str = "Adam"
    loss: Loss = functional.cross_entropy
    seeds: int = 1

    def run(self, method: str) -> Found:
        """The curve of the best rate, and the loss at its end (mean of the last tenth)."""
        every = {rate: [self._curve(method, rate, seed) for seed in range(self.seeds)] for rate in self.rates}
        curves = {rate: [_mean(step) for step in zip(*each, strict=True)] for rate, each in every.items()}
        best = min(curves, key=lambda rate: _end(curves[rate]))
        end = _end(curves[best])
        shown = f"{end:.2g}" if end < math.inf else "diverges"
        tenth = self.steps // 10
        tenths = [_mean(curves[best][k : k + tenth]) for k in range(0, self.steps, tenth)]
        ends = [_end(curve) for curve in every[best]]
        return {"rate": best, "loss": end, "ends": ends, "tenths": tenths, "shown": f"{shown} ({best:g})"}

    def _curve(self, method: str, rate: float, seed: int) -> list[float]:
        x, y = self.data()
        model = drawn(self.make, method, x[:256], seed, y[:256], self.loss)
        step = getattr(torch.optim, self.optimizer)(model.parameters(), lr=rate)
        random, losses = torch.Generator().manual_seed(seed), []
        for _ in range(self.steps):
            index = torch.randint(0, len(x), (self.batch,), generator=random) if self.batch else slice(None)
            loss = self.loss(model(x[index]), y[index])
            losses.append(float(loss.detach()))
            if not math.isfinite(losses[-1]):
                break
            step.zero_grad()
            loss.backward()
            step.step()
        return losses + [math.inf] * (self.steps - len(losses))


def _end(curve: Sequence[float]) -> float:
    return _mean(curve[-max(len(curve) // 10, 1) :])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def deep_relu(method: str) -> Found:
    """64 × 256 ReLU with Adagrad; "rezero" is the changed architecture with torch's weights."""
    make = (lambda: ReZero(64, 256)) if method == "rezero" else (lambda: mlp(64, "relu", 256))
    return Training(make, digits, (1e-4, 1e-3, 1e-2), 70, 128, "Adagrad", seeds=3).run(method)


def reader(method: str) -> Found:
    """What choose says of LSUV for a post-LN transformer: its place, and what it takes instead."""
    tokens = torch.randint(0, 32, (32, 16), generator=torch.Generator().manual_seed(0))
    advice = initwise.choose(Reader(), tokens)
    names = [one.name for one in advice.ranking]
    lsuv = advice.ranking[names.index("lsuv")]
    shown = f"{advice.name}; lsuv {names.index('lsuv') + 1}th of {len(names)}: {lsuv.reason}"
    return {"shown": shown}


SIN_COS = Training(
    lambda: mlp(30, "silu", 128, 2, 1), waves, (3e-4, 1e-3), 400, loss=functional.mse_loss, seeds=3
)
THOUSAND = Training(lambda: mlp(1000, "tanh", 64), digits, (3e-5, 1e-4), 60, 64)
FIVE_HUNDRED = Training(lambda: cnn(500, "relu", 16), digits, (1e-4, 1e-3), 60, 32)
SIXTEEN = Training(lambda: cnn(16, "tanh", 32), digits, (1e-3, 3e-3), 1000, 32, seeds=3)

TASKS: Mapping[str, Task] = {
    **{
        f"T3-{name}": Task(
            f"50 layers of 128, {name}: gradient², first/last",
            "within [.1, 10]",
            METHODS,
            gradient_ratio(name),
        )
        for name in ("tanh", "sigmoid", "softplus", "gelu")
    },
    "T4": Task(
        "20 ReLU layers of 128: E[a²], last/first, 16 draws",
        "within ±20 %, without data",
        (*METHODS, "anyinit_centred"),
        drift,
    ),
    "T2": Task("20 SiLU layers of 256: E[a²], first → last, 5 draws", "kept", METHODS, silu),
    "T8": Task("12 ReLU layers of 128 on digits: skewed units", "few", (*METHODS, "anyinit_centred"), skewed),
    "T10": Task("LSUV on a post-LN transformer: what choose takes", "not LSUV", ("choose",), reader),
    "T1": Task(
        "64 ReLU layers of 256, Adagrad, 70 steps: training loss (best rate, three seeds)",
        "ReZero's, architecture unchanged",
        (*METHODS, "rezero"),
        deep_relu,
    ),
    "T2b": Task(
        "sin 3x · cos 3y, 30 SiLU layers of 128, 400 Adam steps: loss (best rate, three seeds)",
        "below .0014",
        (*OURS, *PEERS, "lsuv", "torch_default"),
        SIN_COS.run,
    ),
    "T7": Task(
        "16 tanh convolutions of 32, 1,000 Adam steps: training loss (best rate, three seeds)",
        "trains",
        (*OURS, *PEERS, "lsuv", "torch_default", "orthogonal"),
        SIXTEEN.run,
    ),
    "deep-mlp": Task(
        "1,000 tanh layers of 64, 60 Adam steps: training loss (best rate)", "trains", DEEPEST, THOUSAND.run
    ),
    "deep-cnn": Task(
        "500 ReLU convolutions of 16, 60 Adam steps: training loss (best rate)",
        "trains",
        DEEPEST,
        FIVE_HUNDRED.run,
    ),
}
