"""Drop-ins for torch.nn.init: the same names, arguments and results; this library's stream and laws.

    from initwise.torch import init          # was: from torch.nn import init

Every function fills its tensor in place and returns it. No gradient is recorded, `requires_grad` stays,
and a backward pass that saved the old values is told. Meta and fake tensors, which have no memory, are
returned as they are.

The numbers of a call depend on one 64-bit draw from `generator` (None: torch's default CPU generator,
which `torch.manual_seed` seeds) and on the law, never on device, dtype, strides, threads or sharding:
bfloat16 weights are the float32 weights, rounded once. A call that raises draws nothing.

Beyond torch: `drop_in` and `no_init` decide what the constructors of torch.nn and of other libraries do,
`unfilled` and `assert_filled` tell what is left to fill. See docs/torch-init.md.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypeVar

import torch
from torch import Generator, Tensor
from torch.overrides import handle_torch_function, has_torch_function_variadic

from .constructors import assert_filled, drop_in, no_init, unfilled
from .drawing import draw, write_identity
from .laws import InitError, chosen_fan, fans, glorot_std, he_std, torch_gain

__all__ = [  # noqa: RUF022  (torch's, in torch's order, then ours)
    "calculate_gain",
    "uniform_",
    "normal_",
    "trunc_normal_",
    "constant_",
    "ones_",
    "zeros_",
    "eye_",
    "dirac_",
    "xavier_uniform_",
    "xavier_normal_",
    "kaiming_uniform_",
    "kaiming_normal_",
    "orthogonal_",
    "sparse_",
    "uniform",
    "normal",
    "constant",
    "eye",
    "dirac",
    "xavier_uniform",
    "xavier_normal",
    "kaiming_uniform",
    "kaiming_normal",
    "orthogonal",
    "sparse",
    "InitError",
    "assert_filled",
    "drop_in",
    "no_init",
    "unfilled",
]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_FanMode = Literal["fan_in", "fan_out"]


def calculate_gain(nonlinearity: str, param: int | float | None = None) -> float:
    """The gain of a nonlinearity: torch's constant where torch has one, else this library's own.

    Args:
        nonlinearity: linear, conv1d … conv_transpose3d and sigmoid (1), tanh (5/3), relu (√2),
            leaky_relu (√(2/(1 + param²))), selu (3/4); or an activation of `initwise.activations()`, or a
            callable: `initwise.gain` of it.
        param: leaky_relu's negative slope, 0.01 if None.

    Raises:
        InitError (a ValueError): no such name, or a slope that is no number.
    """
    return torch_gain(nonlinearity, param, "calculate_gain")


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """U[a, b).

    Raises:
        InitError: a > b, NaN, or a tensor that cannot be filled: of integers, sparse, expanded.
    """
    if has_torch_function_variadic(tensor):
        return _handled(uniform_, tensor, a=a, b=b, generator=generator)
    return draw(tensor, "uniform_", "uniform", (a, b), generator)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """N(mean, std²). Of complex tensors both parts are N(mean, std²/2).

    Raises:
        InitError: std < 0, NaN, or a tensor that cannot be filled.
    """
    if has_torch_function_variadic(tensor):
        return _handled(normal_, tensor, mean=mean, std=std, generator=generator)
    return draw(tensor, "normal_", "normal", (mean, std), generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """N(mean, std²) given a < x < b, exact in the tails and in one pass.

    Args:
        a, b: bounds of the weights, not in sigmas: std 0.02 and the defaults cut at 100 sigmas.

    Raises:
        InitError: std ≤ 0, a ≥ b, bounds that hold no probability, NaN, or a tensor that cannot be filled.
    """
    if has_torch_function_variadic(tensor):
        return _handled(trunc_normal_, tensor, mean=mean, std=std, a=a, b=b, generator=generator)
    return draw(tensor, "trunc_normal_", "truncated_normal", (mean, std, a, b), generator)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Every element `val`; any dtype."""
    if has_torch_function_variadic(tensor):
        return _handled(constant_, tensor, val=val)
    with torch.no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Every element 1; any dtype."""
    if has_torch_function_variadic(tensor):
        return _handled(ones_, tensor)
    with torch.no_grad():
        return tensor.fill_(1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Every element 0; any dtype."""
    if has_torch_function_variadic(tensor):
        return _handled(zeros_, tensor)
    with torch.no_grad():
        return tensor.zero_()


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix, as much of it as fits; any dtype.

    Raises:
        InitError: a tensor that has not 2 dimensions.
    """
    if has_torch_function_variadic(tensor):
        return _handled(eye_, tensor)
    _check_rank(tensor, (2,), "eye_")
    return write_identity(tensor, "eye_")


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The convolution that gives back its input, as many channels as fit, in each group; any dtype.

    The 1 is at index size // 2 of each kernel axis.

    Raises:
        InitError: not 3, 4 or 5 dimensions, or groups that do not divide axis 0.
    """
    if has_torch_function_variadic(tensor):
        return _handled(dirac_, tensor, groups=groups)
    _check_rank(tensor, (3, 4, 5), "dirac_")
    if groups < 1 or tensor.shape[0] % groups:
        raise InitError(
            f"groups={groups} for shape {tuple(tensor.shape)}",
            where="dirac_",
            expected="groups that divide axis 0",
        )
    return write_identity(tensor, "dirac_", groups)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """U(±gain·√(6/(fan_in + fan_out))): Glorot and Bengio 2010, eq. 16.

    Raises:
        InitError: fewer than 2 dimensions, a negative gain, NaN, or a tensor that cannot be filled.
    """
    if has_torch_function_variadic(tensor):
        return _handled(xavier_uniform_, tensor, gain=gain, generator=generator)
    bound = math.sqrt(3.0) * glorot_std(tensor, gain, "xavier_uniform_")
    return draw(tensor, "xavier_uniform_", "uniform", (-bound, bound), generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """N(0, std²) with std = gain·√(2/(fan_in + fan_out)): Glorot and Bengio 2010, eq. 12.

    Raises:
        InitError: fewer than 2 dimensions, a negative gain, NaN, or a tensor that cannot be filled.
    """
    if has_torch_function_variadic(tensor):
        return _handled(xavier_normal_, tensor, gain=gain, generator=generator)
    return draw(
        tensor, "xavier_normal_", "normal", (0.0, glorot_std(tensor, gain, "xavier_normal_")), generator
    )


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: _FanMode = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """U(±gain·√(3/fan)): He et al. 2015. Arguments as for `kaiming_normal_`."""
    if has_torch_function_variadic(tensor):
        return _handled(
            kaiming_uniform_, tensor, a=a, mode=mode, nonlinearity=nonlinearity, generator=generator
        )
    if 0 in tensor.shape:
        return _nothing(tensor)
    bound = math.sqrt(3.0) * he_std(tensor, a, mode, nonlinearity, "kaiming_uniform_")
    return draw(tensor, "kaiming_uniform_", "uniform", (-bound, bound), generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: _FanMode = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """N(0, std²) with std = gain/√fan: He et al. 2015, eq. 10 and 14.

    Args:
        a: leaky_relu's negative slope.
        mode: which fan, those of the shape (out, in, …) alone.
        nonlinearity: see `calculate_gain`.

    Raises:
        InitError: fewer than 2 dimensions, an unknown mode or nonlinearity, or a tensor that cannot
            be filled.
    """
    if has_torch_function_variadic(tensor):
        return _handled(
            kaiming_normal_, tensor, a=a, mode=mode, nonlinearity=nonlinearity, generator=generator
        )
    if 0 in tensor.shape:
        return _nothing(tensor)
    std = he_std(tensor, a, mode, nonlinearity, "kaiming_normal_")
    return draw(tensor, "kaiming_normal_", "normal", (0.0, std), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """gain·Q, Q (axis 0 × the other axes) drawn by Haar measure; rows or columns orthonormal. Any float type.

    Saxe et al. 2013, arXiv:1312.6120. In half types Q is rounded once.

    Raises:
        InitError: fewer than 2 dimensions, or a tensor that cannot be filled.
    """
    if has_torch_function_variadic(tensor):
        return _handled(orthogonal_, tensor, gain=gain, generator=generator)
    if tensor.dim() < 2:
        _check_rank(tensor, (2, 3, 4, 5), "orthogonal_")
    return draw(tensor, "orthogonal_", "orthogonal", (gain,), generator)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """N(0, std²), of which ⌈sparsity·rows⌉ in each column are zero, at places drawn from `generator` too.

    Martens 2010. `sparsity` is a fraction from 0 to 1.

    Raises:
        InitError: not 2 dimensions, a sparsity or std outside these, or a tensor that cannot be filled.
    """
    if has_torch_function_variadic(tensor):
        return _handled(sparse_, tensor, sparsity=sparsity, std=std, generator=generator)
    _check_rank(tensor, (2,), "sparse_")
    return draw(tensor, "sparse_", "sparse", (sparsity, std), generator)


# what other libraries import although it is private -------------------------------------------------


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a shape (out, in, …). Raises InitError below 2 dimensions."""
    return fans(tensor, "fan_in and fan_out")


def _calculate_correct_fan(tensor: Tensor, mode: _FanMode) -> int:
    return chosen_fan(tensor, mode, "fan")


def _no_grad_uniform_(tensor: Tensor, a: float, b: float, generator: Generator | None = None) -> Tensor:
    return uniform_(tensor, a, b, generator)


def _no_grad_normal_(tensor: Tensor, mean: float, std: float, generator: Generator | None = None) -> Tensor:
    return normal_(tensor, mean, std, generator)


def _no_grad_trunc_normal_(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None = None
) -> Tensor:
    return trunc_normal_(tensor, mean, std, a, b, generator)


def _no_grad_fill_(tensor: Tensor, val: float) -> Tensor:
    return constant_(tensor, val)


def _no_grad_zero_(tensor: Tensor) -> Tensor:
    return zeros_(tensor)


def _handled(function: Callable[..., Tensor], tensor: Tensor, **arguments: Any) -> Tensor:
    """Ask the tensor's class or an active mode, which may call `function` again."""
    result: Tensor = handle_torch_function(function, (tensor,), tensor=tensor, **arguments)
    return result


def _check_rank(tensor: Tensor, ranks: tuple[int, ...], where: str) -> None:
    if tensor.dim() not in ranks:
        told = {(2,): "2 dimensions", (3, 4, 5): "3, 4 or 5 dimensions"}.get(ranks, "2 or more dimensions")
        raise InitError(f"a tensor of shape {tuple(tensor.shape)}", where=where, expected=told)


def _nothing(tensor: Tensor) -> Tensor:
    warnings.warn("a tensor without elements: there is nothing to initialize", stacklevel=3)
    return tensor


# torch's deprecated names ---------------------------------------------------------------------------


def _deprecated(function: Callable[_P, _R]) -> Callable[_P, _R]:
    new = function.__name__
    old = new.removesuffix("_")

    @functools.wraps(function)
    def older(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        text = f"`init.{old}` is deprecated, as torch's is: use `init.{new}`"
        warnings.warn(text, FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    del older.__dict__["__wrapped__"]
    older.__name__, older.__doc__ = old, f"Deprecated: `{new}`."
    return older


uniform, normal, constant = _deprecated(uniform_), _deprecated(normal_), _deprecated(constant_)
eye, dirac = _deprecated(eye_), _deprecated(dirac_)
orthogonal, sparse = _deprecated(orthogonal_), _deprecated(sparse_)
xavier_uniform, xavier_normal = _deprecated(xavier_uniform_), _deprecated(xavier_normal_)
kaiming_uniform, kaiming_normal = _deprecated(kaiming_uniform_), _deprecated(kaiming_normal_)
