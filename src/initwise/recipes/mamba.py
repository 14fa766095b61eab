"""State-space models: Mamba, Mamba-2, S4D."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import ONE, Formula, between, by_role, constant, indexed, mapped, normal, positive, times, uniform
from .rules import Rule

Flavor = Annotated[Literal["reference", "hf"], "mamba_ssm, or what transformers draws"]
Branches = Annotated[float, "residual branches per block: 1, or 2 with an MLP"]
Rank = Annotated[float, "dt_scale"]
Rescale = Annotated[bool, "transformers' rescale_prenorm_residual: the output over √L"]
Bound = Annotated[float, "Mamba-2's conv_init, the bound of the convolution; 0 means torch's 1/√fan_in"]
Std = Annotated[float, "the configuration's initializer_range (transformers)"]

TORCH = Formula(lambda p: p.fan_in**-0.5, "1/√fan_in")
DEFAULT = by_role("torch_default")
A_LOG = indexed("log_linear", 1.0, 1.0)
"""A = −(1 … N) along the state (or, of Mamba-2 in transformers, along the heads), stored as its log."""
A_DRAWN = mapped("log_of_uniform", 1.0, 16.0)
DT = mapped("inverse_softplus_log_uniform", 1e-3, 0.1, 1e-4)
"""The bias for which softplus gives a time step log-uniform in [0.001, 0.1]."""


def mamba(
    *,
    flavor: Flavor = "reference",
    n_residuals: Branches = 1.0,
    dt_scale: Rank = 1.0,
    std: Std = 0.1,
    rescale: Rescale = False,
    conv_bound: Bound = 0.0,
) -> tuple[Rule, ...]:
    """transformers rescales only if its configuration says so, and by default does not."""
    positive("mamba", n_residuals=n_residuals, dt_scale=dt_scale)
    conv = uniform(conv_bound or TORCH)
    if flavor == "hf":
        out = Formula(lambda p: (p.L * p.fan_in) ** -0.5, "1/√(L·fan_in)") if rescale else TORCH
        return (
            *_special(dt_scale),
            Rule(normal(std)),
            Rule(conv, parts=("ssm.conv",), needed="all"),
            Rule(uniform(out), parts=("ssm.out",), needed="all"),
        )
    over = Formula(lambda p: (n_residuals * p.L) ** -0.5 * p.fan_in**-0.5, f"1/√({n_residuals:g}·L·fan_in)")
    return (
        *_special(dt_scale),
        Rule(normal(0.02), parts=("embedding",)),
        Rule(uniform(TORCH), parts=("ssm.in", "ssm.x"), needed="any"),
        Rule(conv, parts=("ssm.conv",)),
        Rule(DEFAULT, parts=("ssm.conv",), roles=("bias",)),
        Rule(uniform(over), parts=("ssm.out", "mlp.down"), needed="any"),
        Rule(uniform(TORCH), parts=("mlp.up", "mlp.gate_up")),
        Rule(uniform(TORCH), parts=("head",)),
    )


def mamba2(
    *,
    flavor: Flavor = "reference",
    n_residuals: Branches = 1.0,
    std: Std = 0.1,
    rescale: Rescale = False,
    conv_bound: Bound = 0.0,
) -> tuple[Rule, ...]:
    """As Mamba; the reference draws A for each head, transformers counts it."""
    rules = mamba(flavor=flavor, n_residuals=n_residuals, std=std, rescale=rescale, conv_bound=conv_bound)
    if flavor == "hf":
        return rules
    return (*(rule for rule in rules if rule.parts != ("ssm.A",)), Rule(A_DRAWN, parts=("ssm.A",)))


def _special(dt_scale: float) -> tuple[Rule, ...]:
    """What all of them share: dt's matrix, D, and the two laws no Fill can say."""
    rank = times(dt_scale, Formula(lambda p: p.fan_in**-0.5, "1/√dt_rank"))
    return (
        Rule(uniform(rank), parts=("ssm.dt",)),
        Rule(DT, parts=("ssm.dt",), roles=("bias",)),
        Rule(DT, parts=("ssm.dt_bias",), roles=("bare", "token", "bias")),
        Rule(A_LOG, parts=("ssm.A",)),
        Rule(ONE, parts=("ssm.D",), roles=("bare", "token")),
    )


def s4d() -> tuple[Rule, ...]:
    """Minimal S4D."""
    return (
        Rule(normal(math.sqrt(0.5)), names=("*kernel.C",), roles=("bare",)),
        Rule(normal(1.0), names=("*.D",), roles=("bare",)),
        Rule(between(math.log(1e-3), math.log(0.1)), names=("*log_dt",), roles=("bare",)),
        Rule(constant(math.log(0.5)), names=("*log_A_real",), roles=("bare",), needed="any"),
        Rule(indexed("linear", 0.0, math.pi), names=("*A_imag",), roles=("bare",), needed="any"),
        Rule(DEFAULT, roles=("weight", "bias")),
    )


def bamba() -> tuple[Rule, ...]:
    """transformers' hybrids of attention and state spaces."""
    return (
        *hf_rules(0.02),
        Rule(normal(0.02), parts=("ssm.in", "ssm.out", "ssm.conv"), needed="all"),
        Rule(ONE, parts=("ssm.dt_bias", "ssm.D"), roles=("bare", "token", "bias")),
        Rule(A_LOG, parts=("ssm.A",)),
    )


registry.add(
    RecipeRow(
        name="mamba",
        aliases=("falcon_mamba",),
        steps=mamba,
        summary="Tokens N(0, 0.02), projections and convolution as torch's, output U(±1/√fan_in) over √L, "
        "dt's matrix U(±1/√rank), dt's bias for time steps log-uniform in [0.001, 0.1], A_log = ln(1 … "
        "N), D 1. transformers: matrices N(0, 0.1), output not scaled.",
        citation="state-spaces/mamba, mamba_ssm/models/mixer_seq_simple.py, modules/mamba_simple.py; "
        "transformers, modeling_mamba",
        differences=(
            "transformers' initializer_range is 0.1, its convolution's bias 0, its rescaling off by default.",
            "transformers' Mamba-2 sets A = 1 … heads; the reference draws it from U(1, 16): "
            'recipe("mamba2").',
        ),
        avoid="biases that the reference marks _no_reinit: they are left as its constructor drew them.",
        suits=("ssm", "language model", "pre-norm", "long memory", "silu"),
    )
)
registry.add(
    RecipeRow(
        name="mamba2",
        steps=mamba2,
        summary="As mamba; A drawn from U(1, 16) for each head and stored as its log, D 1.",
        citation="state-spaces/mamba, modules/mamba2.py; transformers, modeling_mamba2",
        differences=("transformers sets A = 1 … heads and draws matrices N(0, 0.1).",),
        avoid="biases that the reference marks _no_reinit: they are left as its constructor drew them.",
        suits=("ssm", "language model", "pre-norm", "long memory", "silu"),
    )
)
registry.add(
    RecipeRow(
        name="bamba",
        aliases=("falcon_h1", "granitemoehybrid", "jamba"),
        steps=bamba,
        summary="Everything N(0, 0.02), experts and routers too; D and dt's bias 1.",
        citation="transformers, modeling_bamba, modeling_jamba, modeling_falcon_h1",
        differences=("Mamba's own code draws dt's bias and leaves its projections to torch.",),
        avoid="training state spaces from scratch: dt's bias of 1 forgets fast.",
        suits=("ssm", "language model", "hugging face", "pre-norm"),
    )
)
registry.add(
    RecipeRow(
        name="s4d",
        steps=s4d,
        summary="C complex N(0, 1), D N(0, 1), log dt U[ln 0.001, ln 0.1), A = −1/2 + iπn (S4D-Lin), "
        "output as torch's.",
        citation="state-spaces/s4, models/s4/s4d.py; Gu et al. 2022, arXiv:2206.11893",
        differences=("C is stored as two real numbers, each of std √½.",),
        avoid="selective state spaces: mamba.",
        suits=("ssm", "long memory"),
    )
)
