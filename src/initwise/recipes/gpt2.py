"""GPT-2: N(0, 0.02) everywhere, what writes into the residual stream divided by √(2L)."""

from __future__ import annotations

from typing import Annotated

from ..schemes import scheme
from .base import RecipeRow, Step, registry

Std = Annotated[float, "std of all matrices and tables"]
Names = Annotated[str, "globs, separated by commas, of the matrices that write into the residual stream"]


def gpt2(*, std: Std = 0.02, residual: Names = "*c_proj.weight") -> tuple[Step, ...]:
    """As Hugging Face's GPT2PreTrainedModel and nanoGPT do it."""
    law = scheme("normal", std=std)
    globs = tuple(glob.strip() for glob in residual.split(","))
    return (
        Step(
            law,
            roles=("weight",),
            names=globs,
            depth="total",
            option="residual",
            reason=f"writes into the residual stream: std {std:g}",
        ),
        Step(law),
    )


def gpt2_openai(*, std: Std = 0.02) -> tuple[Step, ...]:
    """As in the code OpenAI released: no residual scaling, positions at half the std."""
    law = scheme("normal", std=std)
    return (
        Step(
            scheme("normal", std=std / 2),
            names=("*wpe*", "*position_emb*", "*pos_emb*"),
            direct=True,
            reason=f"positions: std {std / 2:g}",
        ),
        Step(law),
    )


registry.add(
    RecipeRow(
        name="gpt2",
        aliases=("nanogpt", "gpt2_hf"),
        steps=gpt2,
        summary="Every matrix and table N(0, 0.02); the two matrices of a block that write into the residual "
        "stream N(0, 0.02/√(2L)); biases 0, norms as themselves.",
        citation="Radford et al. 2019, Language models are unsupervised multitask learners, sec. 2.3; "
        "transformers, modeling_gpt2",
        evidence="verified in source",
        differences=(
            "Hugging Face and nanoGPT scale by √(2L), as here. OpenAI's released code does not scale at all: "
            '"gpt2_openai".',
            "transformers 5.x before mid-2026 never applied the scaling: its name test did not match.",
        ),
        avoid="post-norm models, and models whose residual outputs have other names: pass residual=.",
    )
)

registry.add(
    RecipeRow(
        name="gpt2_openai",
        steps=gpt2_openai,
        summary="Every matrix and table N(0, 0.02), positions N(0, 0.01), nothing scaled by depth.",
        citation="openai/gpt-2, src/model.py",
        evidence="verified in source",
        differences=("The paper describes a residual scaling by depth; this code does not have it.",),
        avoid="deep models without warm-up: the residual stream grows with every block.",
    )
)
