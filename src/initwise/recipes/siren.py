"""Coordinate networks: SIREN and NeRF."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .laws import Formula, by, by_role, positive, uniform
from .rules import Rule

Frequency = Annotated[float, "ω₀, the factor inside the sine"]
Flavor = Annotated[Literal["keras", "torch"], "the original (TensorFlow), or nerf-pytorch"]

FIRST = Formula(lambda p: 1 / p.fan_in, "1/fan_in")


def siren(*, w0: Frequency = 30.0) -> tuple[Rule, ...]:
    """The first layer by its inputs alone; all others divided by ω₀, the last one too."""
    positive("siren", w0=w0)
    other = Formula(lambda p: (6 / p.fan_in) ** 0.5 / w0, f"√(6/fan_in)/{w0:g}")
    return (
        Rule(uniform(other), needed="any"),
        Rule(uniform(FIRST), positions=("first",), roles=("weight",), needed="any"),
        Rule(by_role("torch_default"), roles=("bias",)),
    )


def nerf(*, flavor: Flavor = "keras") -> tuple[Rule, ...]:
    """Both are their framework's defaults."""
    if flavor == "torch":
        return (Rule(by_role("torch_default"), roles=("weight", "bias"), needed="any"),)
    return (Rule(by("xavier_uniform"), needed="any"),)


registry.add(
    RecipeRow(
        name="siren",
        steps=siren,
        summary="First layer U(±1/fan_in), all others U(±√(6/fan_in)/ω₀); biases as torch's Linear.",
        citation="vsitzmann/siren, modules.py, explore_siren.ipynb; Sitzmann et al. 2020, arXiv:2006.09661",
        differences=("Audio uses ω₀ = 3000 in the first layer, which its law does not contain.",),
        avoid="networks that do not multiply by ω₀ inside the sine.",
        suits=("coordinate", "mlp", "sine"),
        unsuited=("relu",),
    )
)
registry.add(
    RecipeRow(
        name="nerf",
        steps=nerf,
        summary="Keras' defaults: Xavier uniform, biases 0; in nerf-pytorch torch's.",
        citation="bmild/nerf; yenchenlin/nerf-pytorch; Mildenhall et al. 2020, arXiv:2003.08934",
        differences=("torch's default std is half of Xavier's here.",),
        avoid="networks without positional encoding.",
        suits=("coordinate", "mlp", "relu", "positions", "keras"),
    )
)
