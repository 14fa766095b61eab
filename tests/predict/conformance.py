"""What a rule is held to: the same function once on laws and many times on numbers.

A `Case` is a function of tensors with declared laws. `predicted` runs it on fake tensors under the
Interpreter, `sampled` on drawn numbers; both end in the same statistics per output and per gradient:
the mean, the mean square, E[x_i·x_j] for pairs of elements whose indices differ along one axis only,
and, where the prediction knows blocks, the mean square of each block.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from initwise.predict import values
from initwise.predict.axes import atoms_of, block_shares, patterns, start
from initwise.predict.interpreter import Interpreter
from initwise.predict.moments import Moments, independent
from initwise.predict.rules import UnpredictedError
from initwise.predict.values import Value

SAMPLES = 300
SIGMAS = 4.0
"""Standard errors that a sampled statistic may be off by."""
ROUNDING = 2e-5
COTANGENT = 0.5
"""Mean of the cotangents, of variance 1."""


@dataclass(frozen=True)
class Law:
    """Independent elements of one law: "normal" or "uniform", or plain numbers ("real")."""

    shape: tuple[int, ...]
    mean: float = 0.0
    std: float = 1.0
    kind: str = "normal"
    parameter: bool = False
    numbers: Tensor | None = None

    def value(self) -> Value:
        if self.kind == "uniform":
            reach = self.std * math.sqrt(3.0)
            return values.uniform(self.shape, self.mean - reach, self.mean + reach)
        return values.fresh(independent(self.shape, self.mean, self.std**2), parameter=self.parameter)

    def draw(self) -> Tensor:
        if self.numbers is not None:
            return self.numbers
        if self.kind == "uniform":
            return (torch.rand(self.shape) * 2 - 1) * self.std * math.sqrt(3.0) + self.mean
        return torch.randn(self.shape) * self.std + self.mean

    @property
    def varies(self) -> bool:
        return self.numbers is None


def normal(*shape: int, mean: float = 0.0, std: float = 1.0) -> Law:
    return Law(shape, mean, std)


def uniform(*shape: int, mean: float = 0.5, std: float = math.sqrt(1 / 12)) -> Law:
    return Law(shape, mean, std, "uniform")


def weight(*shape: int, std: float | None = None) -> Law:
    """A parameter, by default of variance 1/fan-in."""
    return Law(shape, 0.0, math.prod(shape[1:]) ** -0.5 if std is None else std, parameter=True)


def real(numbers: Any) -> Law:
    """Ids, masks, indices: the same in every draw."""
    return Law((), numbers=torch.as_tensor(numbers))


@dataclass(frozen=True)
class Case:
    """One function of laws.

    Attributes:
        name: what is tried, in words.
        function: of one tensor per law; gives a tensor or several.
        laws: of its inputs.
        slack: relative error that the rule's approximation may make, of the mean square; in gradients
            too, unless `grad_slack` says otherwise.
        reason: for the slack.
        backward: are the gradients at all inputs compared too?
        bare: without autograd, in inference mode: operations that autograd would take apart.
        factories: are tensors that are made from nothing fake too?
    """

    name: str
    function: Callable[..., Any]
    laws: tuple[Law, ...]
    slack: float = 0.0
    grad_slack: float | None = None
    reason: str = ""
    backward: bool = True
    bare: bool = False
    factories: bool = False
    samples: int = SAMPLES

    def allowed(self, what: str) -> float:
        return self.grad_slack if what.startswith("gradient") and self.grad_slack is not None else self.slack


def case(name: str, function: Callable[..., Any], *laws: Law, **options: Any) -> Case:
    assert bool(options.get("reason")) == bool(options.get("slack") or options.get("grad_slack")), name
    return Case(name, function, laws, **options)


# running


class Observer(Interpreter):
    """An Interpreter that, if asked, takes tensors made from nothing for fake ones too."""

    def __init__(self, factories: bool) -> None:
        super().__init__()
        self.factories = factories

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not self.factories or types:
            return super().__torch_dispatch__(func, types, args, kwargs)
        with self.fakes:
            out = func(*args, **(kwargs or {}))
        self._interpret(func, args, kwargs or {}, out, [out])
        return out


def _tensors(given: Any) -> list[Tensor]:
    return list(given) if isinstance(given, (tuple, list)) else [given]


def _all(run: Case, inputs: Sequence[Tensor], cotangent: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """Outputs and gradients by name."""
    outs = _tensors(run.function(*inputs))
    found = {f"output {i}": out for i, out in enumerate(outs)}
    if not run.backward or run.bare:
        return found
    wanted = {i: x for i, x in enumerate(inputs) if x.requires_grad}
    grown = [out for out in outs if out.requires_grad]
    grads = torch.autograd.grad(grown, list(wanted.values()), [cotangent(out) for out in grown])
    return found | {f"gradient {i}": grad for i, grad in zip(wanted, grads, strict=True)}


def _context(run: Case) -> Any:
    return torch.inference_mode() if run.bare else sdpa_kernel(SDPBackend.MATH)


def predicted(run: Case) -> tuple[dict[str, Value], Interpreter]:
    """The values of outputs and gradients, and the interpreter that found them."""
    it = Observer(run.factories)

    def fake(shape: tuple[int, ...], value: Value) -> Tensor:
        return it.fake(shape, torch.float32, value)

    inputs = [fake(law.shape, law.value()) if law.varies else law.draw() for law in run.laws]
    if run.backward and not run.bare:
        inputs = [x.requires_grad_() if law.varies else x for x, law in zip(inputs, run.laws, strict=True)]
    with _context(run), it:
        found = _all(run, inputs, lambda y: fake(tuple(y.shape), normal(*y.shape, mean=COTANGENT).value()))
    return {name: _known(it, name, tensor) for name, tensor in found.items()}, it


def _known(it: Interpreter, name: str, tensor: Tensor) -> Value:
    try:
        return it.value(tensor)
    except UnpredictedError as reason:
        raise AssertionError(f"{name}: {reason}; {dict(it.unpredicted)}") from None


def draws(run: Case) -> Iterator[dict[str, Tensor]]:
    """Outputs and gradients on drawn numbers, again and again the same ones."""
    with torch.random.fork_rng():
        torch.manual_seed(zlib.crc32(run.name.encode()))
        for _ in range(run.samples):
            inputs = [law.draw() for law in run.laws]
            if run.backward and not run.bare:
                inputs = [
                    x.requires_grad_() if law.varies else x for x, law in zip(inputs, run.laws, strict=True)
                ]
            with _context(run):
                yield _all(run, inputs, lambda y: torch.randn_like(y) + COTANGENT)


# statistics


def statistics(moments: Moments) -> dict[str, float]:
    """By name: mean, mean square, products along each axis, mean square of each block."""
    found = {"mean": moments.overall_mean, "mean square": moments.mean_square}
    for dim, size in enumerate(moments.shape):
        if size > 1:
            found[f"products along {dim}"] = _products(moments, dim)
    for dim, begin, end in blocks(moments):
        found[f"mean square of {begin}:{end} along {dim}"] = _block_square(moments, dim, begin)
    return found


def _products(moments: Moments, dim: int) -> float:
    """E[x_i·x_j], averaged over all pairs that differ along axis `dim` only."""
    first = start(moments.axes, dim)
    mine = range(first, first + len(moments.axes[dim]))
    weights = equal = np.ones(())
    for place, atom in enumerate(atoms_of(moments.axes)):
        table = patterns(atom)
        diagonal = table.pairs * table.equal
        weights = np.multiply.outer(weights, table.pairs if place in mine else diagonal)
        equal = np.multiply.outer(equal, diagonal)
    left = weights - equal
    return float((left * moments.second).sum() / left.sum())


def blocks(moments: Moments) -> Iterator[tuple[int, int, int]]:
    """(axis, begin, end) of every block, of axes that have one atom."""
    for dim, atoms in enumerate(moments.axes):
        if len(atoms) == 1 and len(atoms[0]) > 1:
            begin = 0
            for size in atoms[0]:
                yield dim, begin, begin + size
                begin += size


def _block_square(moments: Moments, dim: int, begin: int) -> float:
    place = start(moments.axes, dim)
    edges = [0, *np.cumsum(moments.axes[dim][0])]
    share = np.take(block_shares(moments.axes), edges.index(begin), place)
    return float((np.take(moments.square, edges.index(begin), place) * share).sum() / share.sum())


def measured(x: Tensor, moments: Moments) -> list[float]:
    """The statistics of numbers, in the order of `statistics(moments)`."""
    x = x.detach().double()
    found = [float(x.mean()), float(x.square().mean())]
    for dim, size in enumerate(x.shape):
        if size > 1:
            both = x.sum(dim).square() - x.square().sum(dim)
            found.append(float(both.mean()) / (size * (size - 1)))
    found += [float(x.narrow(d, a, b - a).square().mean()) for d, a, b in blocks(moments)]
    return found


# judging


def differences(run: Case, known: dict[str, Value]) -> list[str]:
    """What is further from the samples than sampling and the case's slack allow, in words."""
    rows: dict[str, list[list[float]]] = {name: [] for name in known}
    for drawn in draws(run):
        for name, value in known.items():
            assert tuple(drawn[name].shape) == value.shape, name
            rows[name].append(measured(drawn[name], value.moments))
    return [
        line for name, value in known.items() for line in _compared(run, name, value, np.array(rows[name]))
    ]


def _compared(run: Case, name: str, value: Value, rows: Any) -> list[str]:
    said = statistics(value.moments)
    seen, error = rows.mean(0), rows.std(0) / math.sqrt(len(rows))
    size = max(seen[1], 1e-30)
    found = []
    for (what, number), got, sigma in zip(said.items(), seen, error, strict=True):
        scale = math.sqrt(size) if what == "mean" else max(size, got) if "of" in what else size
        allowed = SIGMAS * sigma + (run.allowed(name) + ROUNDING) * scale
        if not abs(number - got) <= allowed:
            relative = (number - got) / scale
            found.append(
                f"{name}, {what}: predicted {number:.5g}, sampled {got:.5g} ± {sigma:.2g} ({relative:+.2%})"
            )
    if error[1] > 0.05 * size:
        found.append(f"{name}: too few samples to tell: mean square {seen[1]:.3g} ± {error[1]:.2g}")
    return found
