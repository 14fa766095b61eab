"""nanochat and modded-nanogpt: uniform by 1/√d, zeros where a branch writes into the stream."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import ZERO, Formula, between, constant, indexed, normal, over_depth, times, uniform
from .rules import Rule

Flavor = Annotated[Literal["nanochat", "hf"], "the training code, or what transformers draws"]

BOUND = Formula(lambda p: (3 / p.d) ** 0.5, "√(3/d)")
HALF = times(0.5, BOUND)
READERS = ("attention.query", "attention.key", "attention.value", "attention.qkv")


def nanochat(*, flavor: Flavor = "nanochat") -> tuple[Rule, ...]:
    """gpt.py's init_weights."""
    if flavor == "hf":
        return (*hf_rules(0.02), Rule(normal(over_depth(0.02)), parts=("attention.output",), needed="all"))
    return (
        Rule(normal(0.8), parts=("embedding",)),
        Rule(uniform(BOUND), names=("*value_embed*",), roles=("embedding",)),
        Rule(uniform(BOUND), parts=READERS, needed="any"),
        Rule(uniform(times(0.4, BOUND)), parts=("mlp.up",)),
        Rule(ZERO, parts=("attention.output", "mlp.down"), needed="all"),
        Rule(normal(0.001), parts=("head",)),
        Rule(between(0.0, 0.02), parts=("attention.gate",)),
        Rule(constant(0.2), names=("*backout*",), roles=("bare", "token")),
        # one value per block, falling by 0.1 and 0.15 from the first to the last
        Rule(indexed("power", 1.15, 1.05, 1.0), names=("*resid_lambdas",), roles=("bare", "token")),
        Rule(indexed("power", 0.20, 0.05, 1.0), names=("*x0_lambdas",), roles=("bare", "token")),
    )


def modded_nanogpt() -> tuple[Rule, ...]:
    """train_gpt.py of the speed-run, which changes often."""
    return (
        Rule(uniform(HALF), parts=(*READERS, "attention.output", "mlp.up"), needed="any"),
        Rule(ZERO, parts=("mlp.down", "attention.gate"), needed="any"),
        Rule(normal(0.005), parts=("head",)),
        Rule(normal(0.005), parts=("embedding",), copies="head", reason="starts as a copy of the head"),
        Rule(normal(0.01), names=("*value_embed*",), roles=("embedding", "bare")),
        Rule(ZERO, names=("*bigram*",), roles=("embedding", "bare")),
        Rule(constant(1.1**0.5), parts=("residual_scale",)),
    )


registry.add(
    RecipeRow(
        name="nanochat",
        steps=nanochat,
        summary="Tokens N(0, 0.8), what reads the stream U(±√(3/d)), the MLP's first matrix 0.4 of that, "
        "what writes into it 0, head N(0, 0.001), gates U[0, 0.02).",
        citation="karpathy/nanochat, nanochat/gpt.py; transformers, modeling_nanochat",
        differences=(
            "Its own docstring (tokens at std 1.0) is stale.",
            'transformers draws 0.02 and scales attention\'s output alone: flavor="hf".',
        ),
        avoid="models without norms on queries and keys, and optimizers other than Muon.",
        suits=("language model", "transformer", "muon", "residual branch", "pre-norm", "bounded"),
    )
)
registry.add(
    RecipeRow(
        name="modded_nanogpt",
        steps=modded_nanogpt,
        summary="Attention and the MLP's first matrix uniform with std 0.5/√d, the MLP's second 0, head "
        "N(0, 0.005) and the table a copy of it, gates 0, residual factors √1.1.",
        citation="KellerJordan/modded-nanogpt, train_gpt.py",
        differences=("The table is a copy of the head by its numbers: both draw the head's.",),
        avoid="anything but its own speed-run: the recipe moves with the record.",
        suits=("language model", "transformer", "muon", "residual branch", "pre-norm"),
    )
)
