"""GPT-2: N(0, 0.02) everywhere, what writes into the residual stream divided by √(2L)."""

from __future__ import annotations

from typing import Annotated, Literal

from ..core.errors import OptionError
from .base import RecipeRow, registry
from .laws import normal, over_depth
from .rules import Rule

Std = Annotated[float, "std of all matrices and tables"]
Names = Annotated[str, "globs, separated by commas, of the matrices that write into the residual stream"]
Flavor = Annotated[Literal["hf", "openai"], "Hugging Face and nanoGPT, or OpenAI's released code"]


def gpt2(*, flavor: Flavor = "hf", std: Std = 0.02, residual: Names = "") -> tuple[Rule, ...]:
    """As Hugging Face's GPT2PreTrainedModel and nanoGPT do it, or as the code OpenAI released."""
    if flavor == "openai":
        return (
            Rule(normal(std)),
            Rule(normal(std / 2), parts=("position",)),
            Rule(normal(std), parts=("attention.output", "mlp.down"), needed="all"),
        )
    law = normal(over_depth(std))
    if residual:
        globs = tuple(filter(None, (glob.strip() for glob in residual.split(","))))
        if not globs:
            raise OptionError(f"residual={residual!r}", where="recipe 'gpt2'", expected="a glob, or several")
        why = "matrices that write into the residual stream"
        return (
            Rule(normal(std)),
            Rule(law, names=globs, roles=("weight",), needed="any", option="residual", reason=why),
        )
    return (Rule(normal(std)), Rule(law, parts=("attention.output", "mlp.down"), needed="all"))


registry.add(
    RecipeRow(
        name="gpt2",
        aliases=("nanogpt", "gpt2_hf", "gpt_bigcode", "imagegpt", "decision_transformer"),
        steps=gpt2,
        summary="Every matrix and table N(0, 0.02); the two matrices of a block that write into the residual "
        "stream N(0, 0.02/√(2L)); biases 0, norms as themselves.",
        citation="Radford et al. 2019, Language models are unsupervised multitask learners, sec. 2.3; "
        "transformers, modeling_gpt2; openai/gpt-2, src/model.py",
        differences=(
            "Hugging Face and nanoGPT scale by √(2L), as here. OpenAI's released code does not scale at all "
            'and draws positions at half the std: flavor="openai".',
            "transformers 5.x before mid-2026 never applied the scaling: its name test did not match.",
        ),
        avoid="post-norm models.",
        suits=(
            "language model",
            "transformer",
            "pre-norm",
            "gelu",
            "deep",
            "residual branch",
            "hugging face",
        ),
        unsuited=("post-norm",),
    )
)
