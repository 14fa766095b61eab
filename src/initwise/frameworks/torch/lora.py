"""Low-rank adapters in torch models, whoever made them: PEFT, loralib, or one's own layers.

An adapter is a module that has `lora_A` and `lora_B` (matrices, layers, or dicts of them by name) beside a
base weight: its own `weight`, or that of a layer it wraps. Its factor s is its `scaling`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...core.errors import ForwardError, ModelError, OptionError
from ..adapting import Place
from .run import arguments, forward, inside
from .state import untouched

F64 = NDArray[np.float64]
WRAPPED = ("base_layer", "base", "linear", "original", "layer")
FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def adapters(model: nn.Module) -> LowRank:
    """The model's adapters.

    Raises:
        ModelError: none at all, or one that cannot be understood or written; the layer is named.
    """
    return LowRank(model)


class LowRank:
    """`adapting.Adapters` for a torch model."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.names = _names(model)
        self.found: dict[str, _Found] = {}
        for path, module in model.named_modules():
            for found in _found(path, module):
                self.found[found.layer] = found
        if not self.found:
            raise ModelError(
                "no adapter",
                where=type(model).__name__,
                expected="layers with lora_A and lora_B beside a base weight: init_ cannot add them",
                fix="Wrap the model first (PEFT's get_peft_model, loralib's layers), then initialize.",
            )
        self.places = tuple(found.place(self.names) for found in self.found.values())

    def weight(self, place: Place) -> F64:
        """The base weight, (out, in)."""
        found = self.found[place.layer]
        return _float64(found.base.T if found.transposed else found.base)

    def inputs(self, example: Any, seed: int) -> Mapping[str, Callable[[], F64]]:
        """Layer → its inputs, in eval mode, every adapter's B taken as 0.

        Raises:
            ExampleError, ForwardError: as running the model. ModelError: a layer that did not run.
        """
        seen: dict[str, list[Tensor]] = {layer: [] for layer in self.found}
        args, kwargs = arguments(self.model, example, seed=seed)
        with untouched(self.model), torch.no_grad():
            self.model.eval()
            for layer, found in self.found.items():
                found.hooked.register_forward_pre_hook(_noting(seen[layer]), with_kwargs=True)
            inside(self.model, self._silent(), lambda: forward(self.model, args, kwargs))
        for layer, noted in seen.items():
            if not noted:
                raise _idle(layer)
        return {layer: _joined(noted) for layer, noted in seen.items()}

    def gradients(self, example: Any, loss: Any, seed: int) -> Mapping[str, Callable[[], F64]]:
        """Layer → its base weight's gradient, in eval mode, every adapter's B taken as 0.

        Raises:
            ExampleError, ForwardError: as running the model, or the loss raised.
            OptionError: no loss, or none that is a scalar. ModelError: a weight it does not depend on.
        """
        bases = {
            self.names[id(found.base)]: found.base.detach().requires_grad_() for found in self.found.values()
        }
        args, kwargs = arguments(self.model, example, seed=seed)
        with untouched(self.model), torch.enable_grad():
            self.model.eval()

            def body() -> tuple[Tensor | None, ...]:
                value = _loss(forward(self.model, args, kwargs), loss)
                return torch.autograd.grad(value, list(bases.values()), allow_unused=True)

            found = inside(self.model, {**self._silent(), **bases}, body)
        by_name = dict(zip(bases, found, strict=True))
        return {
            layer: _gradient(layer, one, by_name[self.names[id(one.base)]])
            for layer, one in self.found.items()
        }

    def rounded(self, place: Place, which: str, value: F64) -> tuple[Any, F64]:
        """The value as it will be stored, and as float64 again."""
        tensor = getattr(self.found[place.layer], which)
        stored = torch.from_numpy(np.ascontiguousarray(value)).to(tensor.dtype)
        if not torch.isfinite(stored).all():
            raise ModelError(
                f"values up to {np.abs(value).max():.3g}, beyond {tensor.dtype}",
                where=getattr(place, which),
                fix="Keep the adapter in float32.",
            )
        return stored, _float64(stored)

    def write(self, place: Place, which: str, stored: Any) -> None:
        """Write what `rounded` gave; gradients and requires_grad stay."""
        found = self.found[place.layer]
        turned = which == "base" and found.transposed
        with torch.no_grad():
            getattr(found, which).copy_(stored.T if turned else stored)

    def _silent(self) -> dict[str, Tensor]:
        """B = 0 everywhere: the model without its adapters."""
        return {self.names[id(found.b)]: torch.zeros_like(found.b) for found in self.found.values()}


class _Found:
    """One adapter's tensors."""

    def __init__(self, layer: str, key: str, module: nn.Module, a: Tensor, b: Tensor) -> None:
        self.layer, self.key, self.module, self.a, self.b = layer, key, module, a, b
        self.hooked, self.base = self._base()
        self.transposed = bool(getattr(module, "fan_in_fan_out", False)) or (
            type(self.hooked).__name__ == "Conv1D"
        )
        self._check()

    def place(self, names: Mapping[int, str]) -> Place:
        """Where it is, in words of the house."""
        scale = getattr(self.module, "scaling", None)
        if isinstance(scale, Mapping):
            scale = scale.get(self.key)
        told = float(scale) if isinstance(scale, (int, float)) and not isinstance(scale, bool) else None
        a, b, base = (names[id(tensor)] for tensor in (self.a, self.b, self.base))
        return Place(self.layer, a, b, base, self.a.shape[0], told)

    def _base(self) -> tuple[nn.Module, Tensor]:
        module: nn.Module = self.module
        while True:
            inner = next(
                (getattr(module, n) for n in WRAPPED if isinstance(getattr(module, n, None), nn.Module)), None
            )
            weight = module._parameters.get("weight")
            if weight is not None:
                return module, weight
            if inner is None:
                raise ModelError(
                    "an adapter without a base weight",
                    where=self.layer,
                    expected=f"a parameter `weight`, its own or of a layer {', '.join(WRAPPED)}",
                    cause="the base weight is computed (a parametrization), or stored under another name",
                )
            module = inner

    def _check(self) -> None:
        """Raise ModelError unless A (r, in), B (out, r) and W fit each other and can be written."""
        for name, tensor in (("A", self.a), ("B", self.b), ("the base weight", self.base)):
            if tensor.dtype not in FLOATS or tensor.device.type == "meta":
                raise ModelError(
                    f"{name} is {tensor.dtype} on {tensor.device}",
                    where=self.layer,
                    expected="float32, float64, float16 or bfloat16 with memory",
                    cause="a quantized base" if tensor.dtype not in FLOATS else "",
                    fix="Initialize on the base that is not quantized, then quantize."
                    if tensor.dtype not in FLOATS
                    else "",
                )
        shape = tuple(self.base.T.shape if self.transposed else self.base.shape)
        fits = len(shape) == self.a.ndim == self.b.ndim == 2
        if not fits or self.a.shape != (self.b.shape[1], shape[1]) or self.b.shape[0] != shape[0]:
            raise ModelError(
                f"A {tuple(self.a.shape)}, B {tuple(self.b.shape)}, W {shape}",
                where=self.layer,
                expected="A (r, in), B (out, r), W (out, in)",
                cause="a convolution's adapter" if self.base.ndim > 2 else "",
            )


def _found(path: str, module: nn.Module) -> Iterator[_Found]:
    sides = [_matrices(getattr(module, name, None)) for name in ("lora_A", "lora_B")]
    if not all(sides):
        sides = [_matrices(getattr(module, name, None)) for name in ("lora_a", "lora_b")]
    first, second = sides
    both = [key for key in first if key in second]
    active = getattr(module, "active_adapters", None)
    if isinstance(active, (list, tuple)) and len(both) > 1:
        both = [key for key in both if key in active]
    if len(both) > 1:
        raise ModelError(
            f"{len(both)} adapters, {', '.join(both)}, on one base weight",
            where=path,
            expected="one of them active",
            fix="Activate one: model.set_adapter(name).",
        )
    for key in both:
        yield _Found(path, key, module, first[key], second[key])


def _matrices(held: Any) -> dict[str, Tensor]:
    """The matrices behind one attribute, by adapter name; "" for a single one."""
    if isinstance(held, nn.Parameter):
        return {"": held}
    if isinstance(held, (nn.ModuleDict, nn.ParameterDict)):
        return {key: tensor for key, value in held.items() for tensor in _matrices(value).values()}
    weight = held._parameters.get("weight") if isinstance(held, nn.Module) else None
    return {} if weight is None else {"": weight}


def _names(model: nn.Module) -> dict[int, str]:
    return {id(tensor): name for name, tensor in model.named_parameters()}


def _noting(noted: list[Tensor]) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        x = args[0] if args else next(iter(kwargs.values()))
        noted.append(x.detach().reshape(-1, x.shape[-1]).clone())

    return hook


def _joined(noted: list[Tensor]) -> Callable[[], F64]:
    return lambda: np.concatenate([_float64(x) for x in noted])


def _gradient(layer: str, found: _Found, gradient: Tensor | None) -> Callable[[], F64]:
    if gradient is None:
        raise _idle(layer)
    return lambda: _float64(gradient.T if found.transposed else gradient)


def _idle(layer: str) -> ModelError:
    return ModelError(
        "it does not run on the example, or nothing comes of it",
        where=layer,
        expected="an example that every layer with an adapter takes part in",
    )


def _loss(output: Any, loss: Any) -> Tensor:
    """The loss, a scalar. Raises as `LowRank.gradients`."""
    own = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
    if loss is None and not isinstance(own, Tensor):
        raise OptionError(
            "no loss",
            where="data",
            expected="data=Data(loss=…), loss(output) -> scalar, or a model whose output has a loss",
            fix="For targets, close over them: Data(loss=lambda output: F.cross_entropy(output, targets)).",
        )
    try:
        value = own if loss is None else loss(output)
    except Exception as error:
        raise ForwardError(f"the loss raised {type(error).__name__}: {error}", where="loss") from error
    if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
        got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"type {type(value).__name__}"
        raise OptionError(
            f"a loss of {got}",
            where="loss",
            expected="a scalar tensor that depends on the model",
        )
    return value


def _float64(tensor: Tensor) -> F64:
    found: F64 = tensor.detach().to("cpu", torch.float64).numpy()
    return found
