"""What transformers does for every family that says nothing else: N(0, initializer_range)."""

from __future__ import annotations

from typing import Annotated

from .base import RecipeRow, registry
from .hf_families import FAMILIES
from .laws import by, normal
from .rules import Rule

Std = Annotated[float, "the configuration's initializer_range"]

PLAIN = (
    "apertus",
    "arcee",
    "biogpt",
    "bitnet",
    "bloom",
    "codegen",
    "cohere",
    "cohere2",
    "ctrl",
    "ernie4_5",
    "falcon",
    "glm",
    "glm4",
    "gpt_neo",
    "gptj",
    "granite",
    "helium",
    "hunyuan_v1_dense",
    "lfm2",
    "ministral",
    "mpt",
    "nemotron",
    "openai",
    "persimmon",
    "seed_oss",
    "smollm3",
    "stablelm",
    "starcoder2",
    "xglm",
)
"""Decoders of which transformers draws everything at one std."""


def hf_rules(std: float) -> tuple[Rule, ...]:
    """The rules of transformers' PreTrainedModel: matrices, convolutions and tables at one std."""
    packed = by("xavier_uniform", whole=True)
    return (
        Rule(normal(std)),
        # routers and experts are no Linear: each family draws them in its own code, at the same std
        Rule(normal(std), parts=("router", "expert.*")),
        Rule(packed, layers=("MultiheadAttention",), parts=("attention.qkv",)),
        Rule(packed, layers=("LSTM",), roles=("weight", "recurrent")),
    )


def hf_default(*, std: Std = 0.02) -> tuple[Rule, ...]:
    """PreTrainedModel._init_weights, and what some classes of layers add to it."""
    from .hf_towers import hf_towers

    return (*hf_rules(std), *hf_towers(std))


registry.add(
    RecipeRow(
        name="hf_default",
        aliases=("transformers", *PLAIN, *FAMILIES),
        steps=hf_default,
        summary="Every matrix, convolution and table N(0, 0.02); biases 0, norms as themselves, a table's "
        "padding row 0; torch's own packed attention and LSTMs Xavier uniform.",
        citation="transformers, modeling_utils.py, PreTrainedModel._init_weights",
        differences=(
            "initializer_range=0 silently means 0.02; a configuration with only initializer_factor uses that "
            "as the std.",
            "The aliases are families whose released code says nothing else; their authors' training code "
            "may have.",
            "A tower of SigLIP's or CLIP's in a model of several keeps its own rules, as in transformers.",
        ),
        avoid="training from scratch at depth: nothing is scaled by the number of blocks.",
        suits=("transformer", "language model", "hugging face"),
        unsuited=("very deep",),
    )
)
