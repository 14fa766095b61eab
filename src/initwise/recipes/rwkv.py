"""RWKV-7: orthogonal readers, zero writers, a table near zero."""

from __future__ import annotations

from .base import RecipeRow, registry
from .laws import ZERO, Formula, constant, orthogonal, uniform
from .rules import Rule

LN_X = Formula(lambda p: ((1 + p.l) / p.L) ** 0.7, "((1+l)/L)^0.7")
HEAD = Formula(lambda p: 0.5 * max(p.V / p.d, 1.0) ** 0.5, "0.5·√(max(V/d, 1))")


def rwkv7() -> tuple[Rule, ...]:
    """RWKV-v7/train_temp/src/model.py."""
    return (
        Rule(uniform(1e-4), parts=("embedding",)),
        Rule(orthogonal(), names=("*.att.receptance.weight", "*.att.value.weight"), needed="any"),
        Rule(orthogonal(0.1), names=("*.att.key.weight", "*.att.gate.weight")),
        Rule(orthogonal(), names=("*.ffn.key.weight",)),
        Rule(ZERO, names=("*.att.output.weight", "*.ffn.value.weight", "*.ffn.receptance.weight")),
        Rule(constant(LN_X), names=("*.ln_x.weight",), roles=("norm_gain",)),
        Rule(orthogonal(HEAD), parts=("head",)),
    )


registry.add(
    RecipeRow(
        name="rwkv7",
        aliases=("rwkv",),
        steps=rwkv7,
        summary="Tokens U(±1e-4); receptance, value and the MLP's key orthogonal, attention's key and gate "
        "orthogonal × 0.1, all that writes into the stream 0; head orthogonal × 0.5·√(V/d).",
        citation="BlinkDL/RWKV-LM, RWKV-v7/train_temp/src/model.py",
        differences=("transformers' RWKV-4 is another model with another rule.",),
        avoid="other generations of RWKV.",
        gaps=("Decays, mixing vectors and low-rank factors, which are laws by channel index.",),
    )
)
