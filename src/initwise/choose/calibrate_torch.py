"""The data pass for torch models. Imported only when a torch model is calibrated.

A torch function mode sees every call with its arguments, so a weight is recognised wherever it is
applied (in a module, in `F.linear`, in fused attention), in true execution order. At its first use the
weight is scaled in place, on a substituted tensor, and the operation repeated. Fused attention applies
several: its projections of the inputs are computed beside it, its output projection is seen in its output.

The end of a residual branch is scaled where the branch meets the stream: only there is the stream's
variance known. Until then its output is followed by a mark, through sums with what is smaller than it (a
bias), which then counts as part of the branch.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..core.errors import ExampleError, ModelError
from ..core.plan import Plan
from ..frameworks.example import mapped
from ..frameworks.torch.ops import OTHER, TABLE, operation
from ..frameworks.torch.run import arguments, call
from ..frameworks.torch.state import reseed, untouched
from ..measure.substitutes import weights_for
from .calibrate import LARGEST, SILENT, SMALLEST, Calibration, Factor, Target

APPLICATIONS = frozenset(
    {
        "linear",
        "bilinear",
        *(f"conv{n}d" for n in (1, 2, 3)),
        *(f"conv_transpose{n}d" for n in (1, 2, 3)),
        *("matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "baddbmm", "einsum"),
        *(
            "mv",
            "addmv",
            "addbmm",
            "inner",
            "dot",
            "tensordot",
            "multi_dot",
            "linalg_multi_dot",
            "chain_matmul",
        ),
    }
)
BIASED = ("linear", "conv", "bilinear", "add", "baddbmm")
"""How the names of those begin that add a bias themselves; to what others make it is added later."""
FUSED = "multi_head_attention_forward"
INPUTS = ("query", "key", "value")
UNFILLED = "the plan leaves it as it is"
UNSEEN = "it was not seen to be applied to the example"
COMMON = 4.0
"""A mean that all inputs share counts in a second moment as at most this many times their variance. After
ReLU it is twice that (1/π against 1/2 − 1/π of the input's second moment); after a pool by maximum many
times, and a layer scaled to it would leave next to nothing of what tells inputs apart."""
UNMET = "its branch was not seen to meet the residual stream"


def measure_factors(
    model: nn.Module, example: Any, plan: Plan, targets: Mapping[str, Target], *, seed: int = 0
) -> Calibration:
    """See `initwise.choose.calibrate.measure_factors`.

    The pass runs in training mode, so that batch norms use the batch, but with dropout switched off.
    """
    with torch.inference_mode(False):  # whose tensors do not count what is written into them
        return _passed(model, example, plan, targets, seed)


def _passed(
    model: nn.Module, example: Any, plan: Plan, targets: Mapping[str, Target], seed: int
) -> Calibration:
    args, kwargs = arguments(model, example, seed=seed)
    weights = weights_for(model, plan, seed=seed)
    versions = {name: tensor._version for name, tensor in weights.items()}
    with untouched(model), torch.no_grad():
        reseed(seed)
        model.train()
        for module in model.modules():
            _still(module)
        mode = _Pass({name: weights[name] for name in targets if name in weights}, targets)
        with mode:
            call(model, args, kwargs, weights)
    if mode.broken is not None:
        raise _not_finite(mode.broken, (args, kwargs))
    missed = {name: mode.missing(name) for name in targets if name not in mode.factors}
    # scaled once, or not at all; a buffer among them belongs to a parametrization, which writes into it
    clean = all(
        weights[name]._version - version == (name in mode.factors) for name, version in versions.items()
    )
    clean = clean and set(weights) <= {name for name, _ in model.named_parameters()}
    return Calibration(mode.factors, missed, weights if clean else {})


def _still(module: nn.Module) -> None:
    """Switch off the dropout that a module does by itself; what it asks of torch is `_Pass`'s matter."""
    if isinstance(module, nn.modules.dropout._DropoutNd):
        module.eval()
    elif isinstance(module, (nn.MultiheadAttention, nn.RNNBase)):
        module.dropout = 0.0


class _Pass(TorchFunctionMode):
    """Scales each weight at its first use; `factors` tells what was done."""

    def __init__(self, weights: Mapping[str, Tensor], targets: Mapping[str, Target]) -> None:
        super().__init__()
        self.weights, self.targets = dict(weights), targets
        self.places = {tensor.untyped_storage().data_ptr(): name for name, tensor in weights.items()}
        self.factors: dict[str, Factor] = {}
        self.silent: set[str] = set()
        # the first weight with an output, or a stream, that holds NaN or infinity
        self.broken: str | None = None
        # outputs that depend linearly on a branch's last weight: id → (the tensor, the weight's name)
        self.marked: dict[int, tuple[Tensor, str]] = {}

    def missing(self, name: str) -> str:
        """Why the weight `name` has no factor."""
        if name not in self.weights:
            return UNFILLED
        if name in self.silent:
            return SILENT
        return UNMET if name in {weight for _, weight in self.marked.values()} else UNSEEN

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        called = getattr(func, "__name__", "")
        plain, overwrites = operation(func)
        rule = TABLE.get(plain, OTHER).rule
        if rule == "dropout":
            return args[0] if args else kwargs["input"]
        if called == "scaled_dot_product_attention" and len(args) < 5:
            kwargs = {**kwargs, "dropout_p": 0.0}
        if called == FUSED:
            return self._attend(func, args, kwargs)
        if called in APPLICATIONS:
            return self._apply(func, args, kwargs, [*args, *kwargs.values()])
        if rule == "sum":
            return self._add(func, args, kwargs, overwrites)
        return self._follow(args, func(*args, **kwargs))

    def _apply(self, func: Any, args: Any, kwargs: Any, among: Sequence[Any]) -> Any:
        """Call `func`, and scale the first weight `among` its arguments by what comes out."""
        result = func(*args, **kwargs)
        name, output = next(self._names(among), None), _first(result)
        if name is None or output is None:
            return self._follow(args, result)
        if name in self.factors:
            return result
        if self.targets[name].measure == "relative":
            self.marked[id(output)] = (output, name)
            return result
        if self.targets[name].spread:
            output = _unbiased(func, args, kwargs, output)
        biased = getattr(func, "__name__", "").startswith((*BIASED, FUSED))
        fits = self._fit(name, output, biased=biased)
        return func(*args, **kwargs) if fits else result

    def _attend(self, func: Any, args: Any, kwargs: Any) -> Any:
        given = inspect.signature(func).bind(*args, **kwargs).arguments
        for weights, output in _projections(given):
            name = next(self._names(weights), None)
            if name is not None and name not in self.factors:
                self._fit(name, output)
        return self._apply(func, args, kwargs, [given["out_proj_weight"]])

    def _add(self, func: Any, args: Any, kwargs: Any, overwrites: bool) -> Any:
        """A sum, in which a branch may meet its stream."""
        if "other" in kwargs:
            args = (*args, kwargs["other"])
            kwargs = {key: value for key, value in kwargs.items() if key != "other"}
        marks = [self.marked.get(id(arg)) for arg in args[:2]]
        found = [(place, mark[1]) for place, mark in enumerate(marks) if mark is not None]
        if len(found) != 1:
            return func(*args, **kwargs)
        (place, name), other = found[0], args[1 - found[0][0]]
        if not isinstance(other, Tensor) or other.numel() < args[place].numel():
            return self._follow(args, func(*args, **kwargs))
        if name not in self.factors and self._meet(name, args[place], other, _share(func, kwargs, place)):
            factor = self.factors[name].factor
            in_place = overwrites and place == 0
            branch = args[place].mul_(factor) if in_place else args[place] * factor
            args = (branch, other, *args[2:]) if place == 0 else (other, branch, *args[2:])
        return func(*args, **kwargs)

    def _meet(self, name: str, branch: Tensor, stream: Tensor, share: float) -> bool:
        """Scale the weight that ends `branch`, of which `share` times as much is added as of `stream`."""
        self._look(name, branch, stream)
        target = self.targets[name].value * float(stream.double().var())
        return self._scale(name, share**2 * float(branch.double().var()), target)

    def _fit(self, name: str, output: Tensor, *, biased: bool = True) -> bool:
        target = self.targets[name] if biased else replace(self.targets[name], bias=0.0)
        self._look(name, output)
        # a drawn bias has its own share of the target, and is not in the output
        return self._scale(name, _measured(output.double(), target), target.value - target.spread**2)

    def _look(self, name: str, *outputs: Tensor) -> None:
        if self.broken is None and not all(bool(torch.isfinite(output).all()) for output in outputs):
            self.broken = name

    def _scale(self, name: str, measured: float, target: float) -> bool:
        """Multiply the weight so that `measured` becomes `target`; False if that makes no sense."""
        usable = measured > 0 and target > 0 and math.isfinite(measured) and math.isfinite(target)
        factor = math.sqrt(target / measured) if usable else math.nan
        if not SMALLEST <= factor <= LARGEST:
            self.silent.add(name)
            return False
        self.weights[name].mul_(factor)
        self.factors[name] = Factor(factor, measured, target)
        return True

    def _names(self, values: Any) -> Iterator[str]:
        for value in values:
            if isinstance(value, Tensor):
                name = self.places.get(_place(value))
                if name is not None:
                    yield name
            elif isinstance(value, (tuple, list)):
                yield from self._names(value)

    def _follow(self, args: Any, result: Any) -> Any:
        """Carry a mark from an operation's input to its output, the result."""
        found = next((self.marked[id(arg)] for arg in args if id(arg) in self.marked), None)
        if found is not None and isinstance(result, Tensor) and result.is_floating_point():
            self.marked[id(result)] = (result, found[1])
        return result


def _unbiased(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], output: Tensor) -> Tensor:
    """What `func` gave, less the bias that it added; a product to which a bias is added later has none."""
    called = getattr(func, "__name__", "")
    if called in ("addmm", "baddbmm"):
        added: Tensor = args[0] if args else kwargs["input"]
        product: Tensor = output - kwargs.get("beta", 1) * added
        return product
    place = 3 if called == "bilinear" else 2
    if not called.startswith(("linear", "conv", "bilinear")):
        return output
    plain = [None if index == place else value for index, value in enumerate(args)]
    found = _first(func(*plain, **{**kwargs, **dict.fromkeys({"bias"} & set(kwargs))}))
    return output if found is None else found


def _not_finite(name: str, example: Any) -> ExampleError | ModelError:
    """The error for a pass in which the output of the weight `name` is not finite."""
    bad: list[str] = []

    def look(leaf: Any, where: str) -> Any:
        if isinstance(leaf, Tensor) and not bool(torch.isfinite(leaf).all()):
            bad.append(where)
        return leaf

    mapped(look, example)
    if bad:
        return ExampleError(
            "holds infinities or NaN",
            where="example",
            expected="finite numbers",
            fix="Clean the batch first: no weight can be scaled by what comes of it.",
        )
    return ModelError(
        "its output on the example is not finite, so no weight can be scaled by it",
        where=name,
        expected="finite numbers",
        cause="the model's own forward makes NaN or infinity of a finite batch, at this weight or before it",
        fix='initwise.check(model, example) shows where; "rule_a2" needs no data.',
    )


def _projections(given: Mapping[str, Any]) -> list[tuple[list[Tensor], Tensor]]:
    """Fused attention's projections of its inputs: the weights, and their output before it is split."""
    bias, separate = given.get("in_proj_bias"), bool(given.get("use_separate_proj_weight"))
    biases = [None] * 3 if bias is None else bias.chunk(3)
    packed = () if separate else given["in_proj_weight"].chunk(3)
    weights = [given[f"{name[0]}_proj_weight"] for name in INPUTS] if separate else list(packed)
    together = zip((given[name] for name in INPUTS), weights, biases, strict=True)
    outputs = [nn.functional.linear(x, weight, b).flatten(0, -2) for x, weight, b in together]
    if not separate:
        return [(weights, torch.cat(outputs))]
    return [([weight], output) for weight, output in zip(weights, outputs, strict=True)]


def _share(func: Any, kwargs: Mapping[str, Any], place: int) -> float:
    """How many times as much of the branch as of the stream goes into a sum with `alpha`."""
    alpha = float(kwargs.get("alpha", 1))
    scaled = 0 if operation(func)[0] == "rsub" else 1
    return alpha if place == scaled else (1 / alpha if alpha else math.inf)


def _measured(output: Tensor, target: Target) -> float:
    if target.measure == "spread":
        return float(output.var(0).mean()) if len(output) > 1 else math.nan
    second = float((output - target.bias).square().mean())
    if target.measure == "second" or len(output) < 2:
        return second
    spread = float(output.var(0, correction=0).mean())
    return min(second, (1 + COMMON) * spread) if spread > 0 else second


def _place(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return -1


def _first(result: Any) -> Tensor | None:
    if isinstance(result, Tensor):
        return result if result.is_floating_point() else None
    if isinstance(result, (tuple, list)):
        return next((found for item in result if (found := _first(item)) is not None), None)
    return None
