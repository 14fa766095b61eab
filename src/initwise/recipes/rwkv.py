"""RWKV: orthogonal readers, zero writers, a table near zero."""

from __future__ import annotations

from .base import RecipeRow, registry
from .laws import KEPT, ONE, ZERO, Formula, constant, orthogonal, uniform
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


TALL = Formula(lambda p: max(p.outputs / p.fan_in, 1.0) ** 0.5, "√(max(out/in, 1))")
HALF_TALL = Formula(lambda p: 0.5 * max(p.outputs / p.fan_in, 1.0) ** 0.5, "0.5·√(max(out/in, 1))")
TABLE = Formula(lambda p: 1e-4 * max(p.info.shape) ** 0.5, "1e-4·√(max(V, d))")
BY_INDEX = "a law by channel and block that no Fill can say yet"


def rwkv4() -> tuple[Rule, ...]:
    """transformers' RwkvPreTrainedModel."""
    return (
        Rule(orthogonal(TALL)),
        Rule(orthogonal(TABLE), parts=("embedding",), needed="all"),
        Rule(orthogonal(HALF_TALL), parts=("head",), needed="all"),
        Rule(ONE, names=("*.time_first",), roles=("bare", "token"), needed="any"),
        Rule(KEPT, names=("*.time_decay", "*.time_mix_*"), roles=("bare", "token"), reason=BY_INDEX),
    )


registry.add(
    RecipeRow(
        name="rwkv4",
        aliases=("rwkv",),
        steps=rwkv4,
        summary="Matrices orthogonal × √(max(out/in, 1)), the head half of that, the table orthogonal × "
        "1e-4·√(max(V, d)); time_first 1.",
        citation="transformers, modeling_rwkv; Peng et al. 2023, arXiv:2305.13048",
        differences=(
            "transformers fills time_first with ones_like(ln 0.3 + zigzag), which is 1: the reference means "
            "ln 0.3 + zigzag.",
        ),
        avoid="RWKV-7: rwkv7.",
        suits=("rnn", "language model", "hugging face", "isometry"),
        gaps=("time_decay and time_mix, laws by channel and block.",),
    )
)
registry.add(
    RecipeRow(
        name="rwkv7",
        steps=rwkv7,
        summary="Tokens U(±1e-4); receptance, value and the MLP's key orthogonal, attention's key and gate "
        "orthogonal × 0.1, all that writes into the stream 0; head orthogonal × 0.5·√(V/d).",
        citation="BlinkDL/RWKV-LM, RWKV-v7/train_temp/src/model.py",
        differences=("transformers' RWKV-4 is another model with another rule.",),
        avoid="other generations of RWKV.",
        suits=("rnn", "language model", "isometry", "residual branch"),
        gaps=("Decays, mixing vectors and low-rank factors, which are laws by channel index.",),
    )
)
