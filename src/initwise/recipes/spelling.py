"""Names as trees of arrays write them, respelled as torch writes them: Flax, T5X, Keras, Haiku.

"encoderblock_3/MlpBlock_1/Dense_0/kernel" is to the table of parts and to the search for blocks what
"encoderblock.3.mlp.fc1.weight" is. Only names are respelled, and only for finding parts and blocks; rules
that name parameters see both spellings, messages the model's own.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from ..core.parameter import ParameterInfo

LEAVES = {
    "kernel": "weight",
    "embedding": "weight",
    "embeddings": "weight",
    "depthwise_kernel": "weight",
    "scale": "weight",
    "gamma": "weight",
    "w": "weight",
    "beta": "bias",
    "offset": "bias",
    "b": "bias",
    "bias": "bias",
}
"""What a layer's own parameters are called, and what torch calls them."""
OWN = frozenset(LEAVES) - {"bias"}
GAINS = frozenset({"scale", "gamma"})
NORM = re.compile(r"norm|(^|_)(ln|bn)(_|\d|$)", re.IGNORECASE)
ATTENTION = re.compile(r"atte?n|mha", re.IGNORECASE)
MLP = re.compile(r"mlp|feed_?forward|(^|_)ffn?(_|\d|$)", re.IGNORECASE)
NUMBERED = re.compile(r"([A-Za-z]\w*?)_?(\d+)")
DENSE = re.compile(r"Dense_?([01])|[Ll]inear_?([01])")


def spelled(infos: Sequence[ParameterInfo]) -> tuple[ParameterInfo, ...]:
    """Every parameter under the name torch would give it, with the role and kind that its name tells.

    Models that are spelled so already are returned as they are.
    """
    # one layer whose class is known, and it is a model of modules: its names are torch's
    if any(info.kind for info in infos) or not any(_foreign(info) for info in infos):
        return tuple(infos)
    return tuple(_respelled(info) for info in infos)


def _foreign(info: ParameterInfo) -> bool:
    """Is it a name that torch's own layers do not have?"""
    return "/" in info.name or _pieces(info.name)[-1] in OWN


def _pieces(name: str) -> list[str]:
    """The names between dots and slashes, without Keras' ":0"."""
    return re.split(r"[./]", re.sub(r":\d+$", "", name))


def _respelled(info: ParameterInfo) -> ParameterInfo:
    *containers, leaf = _pieces(info.name)
    last = LEAVES.get(leaf, leaf) if containers else leaf
    inner = len(containers) - 1 if leaf in LEAVES else len(containers)
    names: list[str] = []
    for place, piece in enumerate(containers):
        names += _container(piece) if place < inner else [_layer(piece, names, info)]
    layer = ".".join(names)
    return dataclasses.replace(
        info,
        name=".".join((*names, last)),
        layer=layer,
        role=_role(info, leaf, names),
        kind=info.kind or _kind(info),
    )


def _container(piece: str) -> list[str]:
    """A module that holds others: attention and MLP by what they are, others with their number apart."""
    numbered = NUMBERED.fullmatch(piece)
    if numbered is None:
        return [piece]
    if ATTENTION.search(piece):
        return ["attn"]
    return ["mlp"] if MLP.search(piece) else [numbered[1], numbered[2]]


def _layer(piece: str, around: Sequence[str], info: ParameterInfo) -> str:
    """A layer: what Flax counts in an MLP, and patches under the name of an embedding."""
    dense = DENSE.fullmatch(piece)
    if dense and around and MLP.search(around[-1]):
        return "fc1" if (dense[1] or dense[2]) == "0" else "fc2"
    if piece == "embedding" and info.role == "weight" and _spatial(info):
        return "patch_embedding"
    return piece


def _role(info: ParameterInfo, leaf: str, names: Sequence[str]) -> str:
    if info.role != "bare" or not names:
        return info.role
    if NORM.search(names[-1]) and leaf in LEAVES:
        return "norm_gain" if leaf in GAINS else "norm_bias"
    return "bias" if LEAVES.get(leaf) == "bias" else info.role


def _kind(info: ParameterInfo) -> str:
    """The class torch's layer would have, as the axes tell it."""
    if info.role not in ("weight", "embedding"):
        return ""
    return f"Conv{_spatial(info)}d" if _spatial(info) else "Linear" if info.role == "weight" else "Embedding"


def _spatial(info: ParameterInfo) -> int:
    return 0 if info.layout is None else len(info.layout.spatial)
