"""RWKV: orthogonal readers, zero writers, a table near zero, decays and mixes by channel and block."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal

from ..core.fill import Fill
from .base import RecipeRow, registry
from .laws import ONE, ZERO, Formula, Law, constant, orthogonal, uniform
from .rules import Rule
from .structure import Place

Flavor = Annotated[
    Literal["hf", "intended"], "what transformers writes, or the zigzag its code computes and then drops"
]

LN_X = Formula(lambda p: ((1 + p.l) / p.L) ** 0.7, "((1+l)/L)^0.7")
HEAD = Formula(lambda p: 0.5 * max(p.V / p.d, 1.0) ** 0.5, "0.5·√(max(V/d, 1))")
TALL = Formula(lambda p: max(p.outputs / p.fan_in, 1.0) ** 0.5, "√(max(out/in, 1))")
HALF_TALL = Formula(lambda p: 0.5 * max(p.outputs / p.fan_in, 1.0) ** 0.5, "0.5·√(max(out/in, 1))")
TABLE = Formula(lambda p: 1e-4 * max(p.info.shape) ** 0.5, "1e-4·√(max(V, d))")
LOW_RANK = Formula(
    lambda p: 0.1 * max(p.info.shape[0] / p.info.shape[1], 1.0) ** 0.5, "0.1·√(max(rows/columns, 1))"
)
THIRD = math.log(0.3)
BARE = ("bare", "token")
BONUS = "attention.bonus"


def depth(p: Place) -> float:
    """How deep the block lies: 0 for the first, 1 for the last."""
    return p.l / max(p.L - 1, 1)


def falling(p: Place) -> float:
    """1 for the first block, 1/L for the last."""
    return 1 - p.l / p.L


def by_channel(words: str, curve: str, numbers: Callable[[Place], tuple[float, ...]]) -> Law:
    """An indexed curve along the channels whose numbers depend on the place."""

    def make(p: Place) -> Fill:
        reason = f"{words} with l = {p.l}, L = {p.L}" if "l" in words else words
        return Fill.indexed(curve, *numbers(p), shape=p.info.shape, layout=p.info.layout, reason=reason)

    return Law(make, words)


def mix(power: Callable[[Place], float], words: str, *, rest: bool, lift: float = 0.0) -> Law:
    """(n/C)^power + lift·l/(L−1), or 1 − (n/C)^power, over C channels."""

    def numbers(p: Place) -> tuple[float, ...]:
        channels, exponent = p.info.shape[-1], power(p)
        last = ((channels - 1) / channels) ** exponent
        low = lift * depth(p)
        return (1.0, 1 - last, exponent) if rest else (low, low + last, exponent)

    more = f" + {lift:g}·l/(L−1)" if lift else ""
    return by_channel(f"1 − (n/C)^({words})" if rest else f"(n/C)^({words}){more}", "power", numbers)


def _mix7(factor: float) -> Law:
    return mix(lambda p: factor * falling(p), f"{factor:g}·(1−l/L)", rest=True)


def _saw7(first: float, last: float, height: float) -> Law:
    """A straight line and a sawtooth over each head's channels."""
    words = f"{first:g} … {last:g}, and a sawtooth ±{height:g} over each head"
    return by_channel(words, "zigzag", lambda p: (first, last, 1.0, height, _head_size(p), 0.0))


def _line(first: float, last: float) -> Law:
    return by_channel(f"{first:g} … {last:g}", "power", lambda p: (first, last, 1.0))


def _head_size(p: Place) -> int:
    return p.info.shape[-1] // p.h


def _decay7(p: Place) -> tuple[float, ...]:
    return -5.5, 0.5, 1 + depth(p) ** 0.3, 2.5, _head_size(p), 0.0


def rwkv7() -> tuple[Rule, ...]:
    """RWKV-v7/train_temp/src/model.py; the number of heads is read from att.r_k."""
    decay = "−5.5 … 0.5 by (n/(C−1))^(1+(l/(L−1))^0.3), and a sawtooth ±2.5 over each head"
    return (
        Rule(uniform(1e-4), parts=("embedding",)),
        Rule(orthogonal(), names=("*.att.receptance.weight", "*.att.value.weight"), needed="any"),
        Rule(orthogonal(0.1), names=("*.att.key.weight", "*.att.gate.weight")),
        Rule(orthogonal(), names=("*.ffn.key.weight",)),
        Rule(ZERO, names=("*.att.output.weight", "*.ffn.value.weight", "*.ffn.receptance.weight")),
        Rule(constant(LN_X), names=("*.ln_x.weight",), roles=("norm_gain",)),
        Rule(orthogonal(HEAD), parts=("head",)),
        Rule(_mix7(0.2), names=("*.att.x_r", "*.att.x_g")),
        Rule(_mix7(0.9), names=("*.att.x_w", "*.att.x_a")),
        Rule(_mix7(0.7), names=("*.att.x_k", "*.att.x_v")),
        Rule(mix(lambda p: falling(p) ** 4, "(1−l/L)^4", rest=True), names=("*.ffn.x_k",)),
        Rule(by_channel(decay, "zigzag", _decay7), names=("*.att.w0",)),
        Rule(_saw7(-0.39, 0.01, 0.3), names=("*.att.a0",)),
        Rule(_line(0.93, 0.53), names=("*.att.v0",)),
        Rule(_line(0.76, 0.66), names=("*.att.k_k",)),
        Rule(constant(1.02), names=("*.att.k_a",)),
        Rule(constant(-0.04), parts=(BONUS,)),
        Rule(ZERO, names=tuple(f"*.att.{letter}1" for letter in "wavg")),
        Rule(orthogonal(LOW_RANK), names=tuple(f"*.att.{letter}2" for letter in "wavg")),
    )


def rwkv4(*, flavor: Flavor = "hf") -> tuple[Rule, ...]:
    """transformers' RwkvPreTrainedModel."""
    decay = by_channel(
        "−5 … 3 by (n/(C−1))^(0.7+1.3·l/(L−1))", "power", lambda p: (-5.0, 3.0, 0.7 + 1.3 * depth(p))
    )
    zigzag = by_channel("ln 0.3 + ½·(((n+1) mod 3) − 1)", "zigzag", lambda p: (THIRD, THIRD, 1.0, 0.5, 3, 1))
    whole = mix(falling, "1−l/L", rest=False)
    half = mix(lambda p: 0.5 * falling(p), "½·(1−l/L)", rest=False)
    lifted = mix(falling, "1−l/L", rest=False, lift=0.3)
    return (
        Rule(orthogonal(TALL)),
        Rule(orthogonal(TABLE), parts=("embedding",), needed="all"),
        Rule(orthogonal(HALF_TALL), parts=("head",), needed="all"),
        Rule(ONE if flavor == "hf" else zigzag, names=("*.time_first",), needed="any"),
        Rule(decay, names=("*.time_decay",), needed="any"),
        Rule(whole, names=("*.time_mix_key", "*.feed_forward.time_mix_receptance")),
        Rule(half, names=("*.attention.time_mix_receptance",)),
        Rule(lifted, names=("*.time_mix_value",)),
    )


registry.add(
    RecipeRow(
        name="rwkv4",
        aliases=("rwkv",),
        steps=rwkv4,
        summary="Matrices orthogonal × √(max(out/in, 1)), the head half of that, the table orthogonal × "
        "1e-4·√(max(V, d)); decays −5 … 3 by a power of the channel that grows with the block, mixes "
        "(n/C) to "
        "a power that falls with it, time_first 1.",
        citation="transformers, modeling_rwkv; Peng et al. 2023, arXiv:2305.13048",
        differences=(
            "transformers fills time_first with ones_like(ln 0.3 + zigzag), which is 1; its code means "
            'ln 0.3 + zigzag: flavor="intended".',
        ),
        avoid="RWKV-7: rwkv7.",
        suits=("rnn", "language model", "hugging face", "isometry"),
    )
)
registry.add(
    RecipeRow(
        name="rwkv7",
        steps=rwkv7,
        summary="Tokens U(±1e-4); receptance, value and the MLP's key orthogonal, attention's key and gate "
        "orthogonal × 0.1, all that writes into the stream 0; head orthogonal × 0.5·√(V/d). Of the low-rank "
        "factors the first 0, the second orthogonal × 0.1; decays, mixes and gates by channel and block.",
        citation="BlinkDL/RWKV-LM, RWKV-v7/train_temp/src/model.py",
        differences=(
            "transformers' RWKV-4 is another model with another rule.",
            "The constructor draws attention's and the MLP's matrices uniformly; generate_init_weight, "
            "which the "
            "training script calls, overwrites them as here.",
        ),
        avoid="other generations of RWKV.",
        suits=("rnn", "language model", "isometry", "residual branch"),
    )
)
