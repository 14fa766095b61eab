"""Transformers by Xavier: fairseq's, torch's own, TorchScale's with DeepNorm or Sub-LN, T-Fixup."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from .base import RecipeRow, registry
from .laws import INVERSE_ROOT_WIDTH, Formula, Number, by, by_role, normal, scaled
from .rules import Rule
from .structure import Place

Flavor = Annotated[
    Literal["subln", "deepnorm", "plain"], "Sub-LN (Magneto), DeepNorm (post-norm), or neither"
]

QKV = ("attention.query", "attention.key", "attention.value", "attention.qkv")
MLP = ("mlp.up", "mlp.gate", "mlp.down")
HALF = math.sqrt(0.5)


def fairseq_transformer() -> tuple[Rule, ...]:
    """fairseq's TransformerModel."""
    default = by_role("torch_default")
    return (
        Rule(normal(INVERSE_ROOT_WIDTH), parts=("embedding", "position", "head")),
        Rule(by("xavier_uniform", gain=HALF, whole=True), parts=QKV, needed="any"),
        Rule(by("xavier_uniform"), parts=("attention.output",), needed="all"),
        Rule(default, parts=MLP, roles=("weight", "bias")),
        Rule(default, parts=QKV, roles=("bias",)),
    )


def torch_transformer() -> tuple[Rule, ...]:
    """nn.Transformer: xavier_uniform_ on everything with two axes, packed matrices as one."""
    return (
        Rule(by("xavier_uniform", whole=True)),
        Rule(by_role("torch_default"), parts=("embedding", "position")),
        Rule(by("xavier_uniform", whole=True), parts=("attention.qkv", "attention.output"), needed="all"),
        Rule(by_role("torch_default"), parts=(*MLP, "head"), roles=("bias",)),
    )


def torchscale(*, flavor: Flavor = "subln") -> tuple[Rule, ...]:
    """Encoder-only, decoder-only and encoder–decoder, told apart by the stacks' names."""
    xavier, default = by("xavier_uniform"), by_role("torch_default")
    factors: dict[str, Number] = {"plain": 1.0, "subln": SUBLN, "deepnorm": DEEPNORM}
    factor = factors[flavor]
    narrow = by("xavier_uniform", gain=HALF)
    return (
        Rule(normal(INVERSE_ROOT_WIDTH), parts=("embedding", "position", "head")),
        Rule(narrow, parts=("attention.query", "attention.key")),
        Rule(scaled(narrow, factor), parts=("attention.value",), needed="all"),
        Rule(scaled(xavier, factor), parts=("attention.output",), needed="all"),
        Rule(scaled(by("torch_default"), factor), parts=MLP, needed="any"),
        Rule(default, parts=("mlp.*", *QKV[:3]), roles=("bias",)),
    )


def retnet() -> tuple[Rule, ...]:
    """TorchScale's RetNet: retention's gate is drawn like queries, keys and values."""
    default = by_role("torch_default")
    readers = by("xavier_uniform", gain=2**-2.5)
    return (
        Rule(normal(INVERSE_ROOT_WIDTH), parts=("embedding", "position", "head")),
        Rule(readers, parts=(*QKV[:3], "attention.gate"), needed="all"),
        Rule(by("xavier_uniform", gain=0.5), parts=("attention.output",), needed="all"),
        Rule(default, parts=MLP, roles=("weight", "bias")),
        # a gated MLP's gate, which elsewhere is the name of a router
        Rule(default, names=("*ffn.gate.weight", "*ffn.gate.bias"), roles=("weight", "bias")),
    )


def _both(p: Place) -> tuple[int, int] | None:
    """Blocks of encoder and decoder, if the model has both."""
    counts = {side: n for stack, n in p.stacks for side in ("encoder", "decoder") if side in stack}
    return (counts["encoder"], counts["decoder"]) if len(counts) == 2 else None


def _subln(p: Place) -> float:
    both = _both(p)
    if both is None:
        return math.sqrt(math.log(2 * p.L))
    n, m = both
    if "decoder" in p.stack:
        cross = "encoder_attn" in p.info.name or "cross" in p.info.name
        return 1.0 if cross else math.sqrt(math.log(3 * m))
    return math.sqrt(math.log(3 * m) * math.log(2 * n) / 3)


def _deepnorm(p: Place) -> float:
    both = _both(p)
    if both is None:
        return float((8 * p.L) ** -0.25)
    n, m = both
    return float((12 * m) ** -0.25 if "decoder" in p.stack else 0.87 * (n**4 * m) ** (-1 / 16))


SUBLN = Formula(_subln, "√ln 2L (both sides: √ln 3M, √(ln 3M·ln 2N/3))")
DEEPNORM = Formula(_deepnorm, "(8L)^(−1/4) (both sides: (12M)^(−1/4), 0.87·(N⁴M)^(−1/16))")


def _t_fixup(p: Place) -> float:
    return float((9 * p.L) ** -0.25 if "decoder" in p.stack else 0.67 * p.L**-0.25)


def t_fixup() -> tuple[Rule, ...]:
    """Without norms and warm-up: what the branches write shrinks with depth."""
    factor = Formula(_t_fixup, "0.67·N^(−1/4), in decoders (9M)^(−1/4)")
    table = Formula(lambda p: p.d**-0.5 * (9 * _depth_beside(p)) ** -0.25, "1/√d·(9N)^(−1/4)")
    xavier = by("xavier_uniform")
    return (
        Rule(normal(table), parts=("embedding",)),
        Rule(by("xavier_uniform", gain=HALF), parts=("attention.query", "attention.key")),
        Rule(scaled(xavier, factor), parts=("attention.value", "attention.output", *MLP), needed="any"),
        Rule(normal(INVERSE_ROOT_WIDTH), parts=("head",)),
    )


def _depth_beside(p: Place) -> int:
    """Blocks of the stack that a table outside of all stands beside: by its name, else the first."""
    near = [n for stack, n in p.stacks if stack.split(".")[0] == p.info.name.split(".")[0]]
    return near[0] if near else p.stacks[0][1] if p.stacks else p.L


ADVICE = "models whose layers are not called encoder and decoder, if they have both."
registry.add(
    RecipeRow(
        name="fairseq_transformer",
        steps=fairseq_transformer,
        summary="Tables N(0, 1/√d), queries, keys and values Xavier uniform × 1/√2, attention's output "
        "Xavier "
        "uniform; the MLP as torch's Linear comes, biases included.",
        citation="fairseq, modules/multihead_attention.py, models/transformer; Vaswani et al. 2017",
        differences=("Older forks draw the MLP Xavier uniform with bias 0.",),
        avoid="post-norm models without warm-up.",
        suits=("transformer", "post-norm", "torch"),
    )
)
registry.add(
    RecipeRow(
        name="torch_transformer",
        aliases=("nn_transformer",),
        steps=torch_transformer,
        summary="Every matrix of nn.Transformer Xavier uniform, the packed query-key-value matrix as one; "
        "attention's biases 0, the other Linears' as torch leaves them.",
        citation="torch, modules/transformer.py, modules/activation.py",
        differences=("nn.TransformerEncoder alone does not do this: its Linears keep torch's default.",),
        avoid="queries, keys and values in separate matrices: their std would be √2 larger.",
        suits=("transformer", "post-norm", "torch", "shallow"),
    )
)
registry.add(
    RecipeRow(
        name="torchscale",
        aliases=("deepnorm", "magneto"),
        steps=torchscale,
        summary="As fairseq_transformer; values, attention's output and the MLP times √ln 2L (Sub-LN) or "
        "(8L)^(−1/4) (DeepNorm).",
        citation="torchscale, architecture/encoder.py, decoder.py; Wang et al. 2022, arXiv:2203.00555, "
        "arXiv:2210.06423",
        differences=(
            "DeepNorm also multiplies the residual stream by (2L)^(1/4), which is the model's to do.",
        ),
        avoid=ADVICE,
        suits=("transformer", "post-norm", "pre-norm", "deep", "very deep", "residual branch"),
    )
)
registry.add(
    RecipeRow(
        name="retnet",
        steps=retnet,
        summary="Queries, keys, values and retention's gate Xavier uniform × 2^(−2.5), its output × "
        "2^(−1), tables "
        "and head N(0, 1/√d), the MLP as torch's Linear.",
        citation="torchscale, component/multiscale_retention.py, component/gate_linear_unit.py; Sun et "
        "al. 2023, "
        "arXiv:2307.08621",
        differences=("Some revisions of TorchScale draw retention's output with gain 1.",),
        avoid="attention: the gains are made for retention's own normalisation.",
        suits=("language model", "pre-norm", "deep"),
    )
)
registry.add(
    RecipeRow(
        name="t_fixup",
        steps=t_fixup,
        summary="Xavier uniform; encoder branches × 0.67·N^(−1/4), decoder branches × (9M)^(−1/4); tables "
        "N(0, 1/√d)·(9N)^(−1/4).",
        citation="layer6ai-labs/T-Fixup, fairseq/modules/transformer_layer.py, models/transformer.py; "
        "Huang et al. 2020, ICML",
        differences=("Values have gain 1, queries and keys 1/√2, as fairseq's base has it.",),
        avoid="models with norms: the rule is made for models without.",
        suits=("transformer", "without norm", "without warm-up", "deep", "residual branch", "small data"),
        unsuited=("norm",),
    )
)
