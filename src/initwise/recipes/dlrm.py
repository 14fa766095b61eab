"""DLRM: Xavier-like normals with drawn biases, tables by their number of rows."""

from __future__ import annotations

from .base import RecipeRow, registry
from .laws import Formula, by, normal, uniform
from .rules import Rule

ROWS = Formula(lambda p: p.info.shape[0] ** -0.5, "1/√rows")
BIAS = Formula(lambda p: p.info.shape[0] ** -0.5, "1/√out")


def dlrm() -> tuple[Rule, ...]:
    """dlrm_s_pytorch.py."""
    return (
        Rule(by("xavier_normal")),
        Rule(normal(BIAS), roles=("bias",)),
        Rule(uniform(ROWS), parts=("embedding",), needed="all"),
    )


registry.add(
    RecipeRow(
        name="dlrm",
        steps=dlrm,
        summary="Matrices N(0, √(2/(in+out))), biases N(0, 1/√out), tables U(±1/√rows).",
        citation="facebookresearch/dlrm, dlrm_s_pytorch.py; Naumov et al. 2019, arXiv:1906.00091",
        differences=("A table's scale follows its number of rows, not its width.",),
        avoid="tables that are tied to an output.",
        suits=("recommender", "mlp", "embedding"),
    )
)
