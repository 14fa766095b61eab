"""Whisper, wav2vec 2.0 and HuBERT."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import INVERSE_ROOT_FAN_IN, KEPT, ZERO, Formula, between, by, by_role, constant, normal, uniform
from .rules import Rule

Flavor = Annotated[Literal["hf", "openai"], "what transformers draws, or the released inference code"]


WEIGHTED_SUM = Rule(
    constant(Formula(lambda p: 1 / p.info.shape[0], "1/(L+1)")),
    names=("*layer_weights",),
    roles=("bare", "token"),
    reason="a mean of all layers",
)
"""A classifier's weights of the layers it averages."""


def whisper(*, flavor: Flavor = "hf") -> tuple[Rule, ...]:
    """The encoder's positions are sinusoids, frozen: no rule touches them."""
    need = Rule(normal(0.02), parts=("attention.output", "mlp.down"), needed="all")
    if flavor == "hf":
        return (*hf_rules(0.02), need, WEIGHTED_SUM)
    roles = ("weight", "bias", "embedding")
    default = by_role("torch_default")
    return (
        Rule(default, roles=roles),
        Rule(default, parts=("attention.output", "mlp.down"), roles=roles, needed="all"),
        Rule(KEPT, parts=("position",), reason="torch.empty: the code expects them from a checkpoint"),
    )


def wav2vec2() -> tuple[Rule, ...]:
    """transformers' Wav2Vec2PreTrainedModel."""
    default = by_role("torch_default")
    both = ("weight", "bias")
    conv = by("he_normal")
    position = Formula(lambda p: 2 * (p.field * _channels(p)) ** -0.5, "2/√(k·channels)")
    return (
        *hf_rules(0.02),
        Rule(conv, parts=("feature",), needed="all"),
        Rule(uniform(_conv_bias()), parts=("feature",), roles=("bias",)),
        Rule(normal(position), parts=("position.conv",)),
        Rule(ZERO, parts=("position.conv",), roles=("bias",)),
        Rule(default, names=("*feature_projection.projection.*",), roles=both),
        Rule(default, names=("*project_hid.*", "*project_q.*"), roles=both),
        Rule(normal(1.0), names=("*quantizer.weight_proj.weight",)),
        Rule(between(0.0, 1.0), names=("*quantizer.codevectors",), roles=("bare", "token")),
        Rule(between(0.0, 1.0), parts=("mask_token",)),
        WEIGHTED_SUM,
    )


def hubert() -> tuple[Rule, ...]:
    """transformers' HubertPreTrainedModel: convolutions He normal, their biases 0."""
    return (
        *hf_rules(0.02),
        Rule(by("he_normal"), parts=("feature", "position.conv"), needed="all"),
        Rule(between(0.0, 1.0), parts=("mask_token",)),
        WEIGHTED_SUM,
    )


def _channels(p) -> float:  # type: ignore[no-untyped-def]
    """Input channels of all groups."""
    groups = p.info.fans.layout.groups if p.info.fans and p.info.fans.layout else 1
    return float(p.info.shape[1] * groups)


def _conv_bias() -> Formula:
    return Formula(lambda p: math.sqrt(1 / p.fan_in), INVERSE_ROOT_FAN_IN.words)


registry.add(
    RecipeRow(
        name="whisper",
        steps=whisper,
        summary="transformers: everything N(0, 0.02). OpenAI's code: torch's defaults.",
        citation="transformers, modeling_whisper; openai/whisper, whisper/model.py",
        differences=("OpenAI's code is for inference: its decoder positions are uninitialised memory.",),
        avoid='flavor="openai" for training: it is not a training recipe.',
        suits=("speech", "transformer", "pre-norm", "gelu", "hugging face"),
    )
)
registry.add(
    RecipeRow(
        name="wav2vec2",
        aliases=("unispeech", "wavlm"),
        steps=wav2vec2,
        summary="Feature convolutions He normal with uniform biases, positional convolution N(0, 2/√(k·d)), "
        "transformer N(0, 0.02), feature projection as torch's Linear, quantizer N(0, 1) and U[0, 1).",
        citation="transformers, modeling_wav2vec2; Baevski et al. 2020, arXiv:2006.11477",
        differences=("HuBERT's convolutions have bias 0 and its positional convolution is He normal too.",),
        avoid="spectrogram models: their first layers are other convolutions.",
        suits=("speech", "transformer", "cnn", "hugging face", "gelu"),
    )
)
registry.add(
    RecipeRow(
        name="hubert",
        steps=hubert,
        summary="Convolutions He normal, biases 0; transformer N(0, 0.02).",
        citation="transformers, modeling_hubert",
        differences=("wav2vec2 draws the same convolutions' biases uniformly.",),
        avoid="spectrogram models: their first layers are other convolutions.",
        suits=("speech", "transformer", "cnn", "hugging face"),
    )
)
