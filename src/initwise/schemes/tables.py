"""Tables of tokens and the head that reads them out, as frameworks and published models start them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from ..core.errors import OptionError
from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .needs import Base, Site, otherwise, positive

TABLES = ("embedding", "position", "token_type", "label")
Law = Callable[[float, float], Fill]
"""(width, std or 0 for its own) -> Fill."""

Std = Annotated[float, "std of a normal law, bound of a uniform one; 0 means: the flavor's own"]


def _normal(own: float | None, why: str) -> Law:
    """N(0, own); None is 1/√width."""

    def law(width: float, std: float) -> Fill:
        chosen = std or (width**-0.5 if own is None else own)
        return Fill.normal(0.0, chosen, reason=f"{why}: std {chosen:.6g}")

    return law


def _cut(own: float | None, sigmas: float, why: str) -> Law:
    """N(0, own) redrawn outside `sigmas`; None is 1/√width."""

    def law(width: float, std: float) -> Fill:
        s = std or (width**-0.5 if own is None else own)
        return Fill.truncated_normal(
            0.0, s, -sigmas * s, sigmas * s, reason=f"{why}: parent std {s:.6g}, cut at {sigmas:g} sigmas"
        )

    return law


def _uniform(own: float, why: str) -> Law:
    def law(width: float, std: float) -> Fill:
        bound = std or own
        return Fill.uniform(-bound, bound, reason=f"{why}: ±{bound:g}")

    return law


def _zeros(width: float, std: float) -> Fill:
    return Fill.constant(0.0, reason="a head of zeros: all logits start equal")


EMBEDDINGS: Mapping[str, Law] = {
    "torch": _normal(1.0, "torch.nn.Embedding's default"),
    "t5": _normal(1.0, "T5's shared table"),
    "fairseq": _normal(None, "1/√width, as fairseq and Flax"),
    "gpt2": _normal(0.02, "GPT-2, transformers' default"),
    "bert": _cut(0.02, 2.0, "BERT's own code"),
    "megatron": _normal(1.0, "Megatron's advice against loss spikes"),
    "keras": _uniform(0.05, "keras.layers.Embedding's default"),
    "haiku": _cut(1.0, 2.0, "hk.Embed's and Sonnet's default"),
    "lasagne": _normal(0.01, "lasagne's EmbeddingLayer"),
    "nanochat": _normal(0.8, "nanochat"),
    "rwkv7": _uniform(1e-4, "RWKV-7: a norm follows"),
}
"""What a table gets, by whose it is."""

HEADS: Mapping[str, Law] = {
    "gpt2": _normal(0.02, "GPT-2, transformers' default"),
    "torchtitan": _cut(None, 3.0, "1/√width"),
    "nanochat": _normal(0.001, "nanochat"),
    "modded_nanogpt": _normal(0.005, "modded-nanogpt"),
    "vit_jax": _zeros,
}
"""What a head gets, by whose it is; RWKV-7's is orthogonal."""


def embedding_table(
    fans: Fans | None,
    at: Site,
    *,
    flavor: Annotated[
        Literal[
            "torch",
            "t5",
            "fairseq",
            "gpt2",
            "bert",
            "megatron",
            "keras",
            "haiku",
            "lasagne",
            "nanochat",
            "rwkv7",
        ],
        "whose table",
    ] = "torch",
    std: Std = 0.0,
    base: Base = "xavier_uniform",
) -> Fill | None:
    """Every table by the flavor's law; its padding row stays 0."""
    if at.role != "embedding" and (at.info is not None or at.part not in TABLES):
        return otherwise(base, fans, at)
    return EMBEDDINGS[flavor](_width(fans, at), _given("embedding_table", std))


def lm_head(
    fans: Fans | None,
    at: Site,
    *,
    flavor: Annotated[
        Literal["gpt2", "torchtitan", "nanochat", "modded_nanogpt", "rwkv7", "vit_jax"], "whose head"
    ] = "gpt2",
    std: Std = 0.0,
    base: Base = "xavier_uniform",
) -> Fill | None:
    """The head by the flavor's law, its bias 0."""
    if at.part != "head" or at.role not in ("weight", "bias"):
        return otherwise(base, fans, at)
    if at.role == "bias":
        return Fill.constant(0.0, reason="the head's bias starts at 0")
    if flavor == "rwkv7":
        return _orthogonal_head(fans, _given("lm_head", std))
    return HEADS[flavor](_width(fans, at), _given("lm_head", std))


def _orthogonal_head(fans: Fans | None, gain: float) -> Fill:
    """Orthogonal × 0.5·√(V/d), 0.5 where V ≤ d."""
    if fans is None or fans.layout is None:
        raise OptionError("a head without shape", where="scheme 'lm_head'", expected="fans(shape, layout)")
    outputs, inputs = fans.layout.size(fans.shape, "o"), fans.layout.size(fans.shape, "iv")
    chosen = gain or 0.5 * math.sqrt(max(1.0, outputs / max(inputs, 1)))
    return Fill.matrix(
        "orthogonal",
        chosen,
        shape=fans.shape,
        layout=fans.layout,
        reason=f"RWKV-7: orthogonal × {chosen:.6g} = 0.5·√(V/d), V = {outputs}, d = {inputs}",
    )


def _given(name: str, std: float) -> float:
    return positive(name, std=std) if std else 0.0


def _width(fans: Fans | None, at: Site) -> float:
    """What one row holds: of a table its last axis, of a head its inputs."""
    if at.info is not None and at.role == "embedding":
        return float(at.info.shape[-1])
    if fans is None:
        return 1.0
    return fans.fan_out if fans.layout is not None and "v" in fans.layout.axes else fans.fan_in


def ppo_head(
    fans: Fans,
    *,
    kind: Annotated[
        Literal["policy", "value", "hidden"], "policy is × 0.01, value × 1, hidden × √2"
    ] = "policy",
) -> Fill:
    """Orthogonal × 0.01, × 1 or × √2."""
    gain = {"policy": 0.01, "value": 1.0, "hidden": math.sqrt(2)}[kind]
    return Fill.matrix(
        "orthogonal",
        gain,
        shape=fans.shape,
        layout=fans.layout,
        reason=f"PPO's {kind} layer: orthogonal × {gain:.6g}",
    )


registry.add(
    SchemeRow(
        name="embedding_table",
        aliases=("embedding_normal", "unit_normal_embedding"),
        law=embedding_table,
        needs=("part",),
        touches=TABLES,
        summary="Tables of tokens as a framework or a published model starts them; N(0, 1) unless said "
        "otherwise, the padding row 0.",
        formula="torch, t5, megatron N(0, 1); fairseq N(0, 1/√d); gpt2 N(0, 0.02); bert the same cut at ±2σ; "
        "keras U(±0.05); haiku N(0, 1) cut at ±2σ; lasagne N(0, 0.01); nanochat N(0, 0.8); rwkv7 U(±1e-4); "
        "all else as the base scheme",
        citation="torch, keras, haiku, lasagne, fairseq and transformers: their embedding layers; "
        "karpathy/nanochat; BlinkDL/RWKV-LM; Takase et al. 2023, arXiv:2312.16903 (std 1)",
        evidence="verified in source",
        differences=(
            "The frameworks' defaults lie a factor of 100 apart: Lasagne 0.01, Keras 0.029, torch 1.",
            "A table tied to the head is drawn once, by this law; models then divide the logits by √d "
            "(t5x), multiply the hidden state by 1/√d (transformers' T5), or the table by √d (Gemma).",
        ),
        avoid="tied tables of std 1: the logits start at std √d.",
        use="token and position tables as one framework or one published model starts them.",
        suits=("embedding", "positions", "transformer", "language model", "reproduce"),
        unsuited=("recommender",),
        see=("embedding_inverse_root", "lm_head", "dlrm_table"),
        known=(
            Known(
                (100, 64), "vo", "std", 1.0, at=(("part", "embedding"),), source="torch.nn.Embedding: N(0, 1)"
            ),
            Known(
                (100, 64),
                "vo",
                "std",
                0.05 / math.sqrt(3),
                (("flavor", "keras"),),
                at=(("part", "embedding"),),
                source="keras.layers.Embedding: U(±0.05), 0.05/√3",
            ),
            Known(
                (100, 64),
                "vo",
                "std",
                0.8796256610,
                (("flavor", "haiku"),),
                at=(("part", "embedding"),),
                source="std of N(0, 1) within two sigmas",
            ),
            Known(
                (100, 64),
                "vo",
                "std",
                0.125,
                (("flavor", "fairseq"),),
                at=(("part", "embedding"),),
                source="1/√64",
            ),
            Known(
                (100, 64),
                "vo",
                "high",
                1e-4,
                (("flavor", "rwkv7"),),
                at=(("part", "embedding"),),
                source="RWKV-7: U(±1e-4)",
            ),
        ),
    )
)
registry.add(
    SchemeRow(
        name="lm_head",
        aliases=("unembedding", "output_head"),
        law=lm_head,
        needs=("part",),
        touches=("head",),
        summary="A language model's or classifier's last matrix, as published models start it.",
        formula="gpt2 N(0, 0.02); torchtitan N(0, 1/√d) cut at ±3σ; nanochat N(0, 0.001); modded_nanogpt "
        "N(0, 0.005); rwkv7 orthogonal × 0.5·√(V/d), 0.5 if V ≤ d; vit_jax 0; all else as the base scheme",
        citation="transformers; pytorch/torchtitan; karpathy/nanochat; KellerJordan/modded-nanogpt; "
        "BlinkDL/RWKV-LM; google-research/vision_transformer",
        evidence="verified in source",
        differences=(
            "A head tied to the table of tokens is no matrix of its own: embedding_table decides.",
            "The smaller the head, the nearer the first loss is to ln V.",
        ),
        avoid="tied heads.",
        use="untied heads of language models and classifiers as published models start them.",
        suits=("head", "language model", "transformer", "vit", "reproduce"),
        see=("embedding_table", "zeros"),
        known=(
            Known(
                (1000, 64),
                "oi",
                "std",
                0.02,
                at=(("part", "head"),),
                source="transformers: initializer_range 0.02",
            ),
            Known(
                (1000, 64),
                "oi",
                "scale",
                0.125,
                (("flavor", "torchtitan"),),
                at=(("part", "head"),),
                source="1/√64",
            ),
            Known(
                (1024, 64),
                "oi",
                "gain",
                2.0,
                (("flavor", "rwkv7"),),
                at=(("part", "head"),),
                source="0.5·√(1024/64)",
            ),
            Known(
                (32, 64), "oi", "gain", 0.5, (("flavor", "rwkv7"),), at=(("part", "head"),), source="V ≤ d"
            ),
            Known(
                (1000, 64),
                "oi",
                "std",
                0.0,
                (("flavor", "vit_jax"),),
                at=(("part", "head"),),
                source="vision_transformer: a head of zeros",
            ),
        ),
    )
)
registry.add(
    SchemeRow(
        name="ppo_head",
        aliases=("policy_head",),
        law=ppo_head,
        summary="One layer of an actor-critic by its kind; the recipe rl-ppo does a whole model by names.",
        formula="orthogonal × 0.01 (policy), × 1 (value) or × √2 (hidden)",
        citation="vwxyzjn/cleanrl, ppo.py; stable_baselines3/common/policies.py; openai/baselines",
        evidence="verified in source",
        differences=("All three agree; baselines' orthogonal comes from an SVD without fixing signs.",),
        avoid="a value head of 0.01: that is for the policy alone.",
        use="one layer of an actor-critic: hidden, policy or value.",
        suits=("rl", "head", "isometry"),
        see=("orthogonal", "ddpg_head"),
        known=(
            Known((6, 64), "oi", "gain", 0.01, source="CleanRL, ppo.py: the actor's last layer, std=0.01"),
            Known((64, 64), "oi", "gain", 1.4142135624, (("kind", "hidden"),), source="√2"),
        ),
    )
)
