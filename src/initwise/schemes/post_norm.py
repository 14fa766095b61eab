"""Post-norm transformers that train deep: DeepNorm, Admin; and Sub-LN."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from ..core.errors import OptionError, UnsupportedError
from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .needs import SCALARS, Base, Site, otherwise
from .residual import ENDS, is_end, times

BOTH = (("encoder", 6), ("decoder", 6))


def _pair(at: Site) -> tuple[int, int] | None:
    """(N, M) of an encoder beside a decoder, or None for one stack."""
    names = " ".join(name for name, _ in at.stacks)
    return (
        (at.depth_of("encoder"), at.depth_of("decoder"))
        if "encoder" in names and "decoder" in names
        else None
    )


def deepnorm_constants(
    layers: int = 0, *, encoder: int = 0, decoder: int = 0
) -> dict[str, tuple[float, float]]:
    """(α, β) of LN(α·x + f(x)) and of the factor β on weights; by "stack", or "encoder" and "decoder".

    Args:
        layers: L of a single stack. encoder, decoder: N and M of both.

    >>> deepnorm_constants(encoder=6, decoder=6)["decoder"][0].__round__(6)
    2.059767
    """
    if not encoder or not decoder:
        return {"stack": ((2 * layers) ** 0.25, (8 * layers) ** -0.25)}
    mixed = (encoder**4 * decoder) ** (1 / 16)
    return {
        "encoder": (0.81 * mixed, 1 / (mixed / 0.87)),
        "decoder": ((3 * decoder) ** 0.25, (12 * decoder) ** -0.25),
    }


def deepnorm_scaling(fans: Fans | None, at: Site, *, base: Base = "xavier_normal") -> Fill | None:
    """The base scheme; values, outputs and MLPs times β."""
    fill = otherwise(base, fans, at)
    if not is_end("deepnorm_scaling", at):
        return fill
    pair = _pair(at)
    if pair is None:
        alpha, beta = deepnorm_constants(at.L)["stack"]
    else:
        both = deepnorm_constants(encoder=pair[0], decoder=pair[1])
        alpha, beta = both["decoder" if "decoder" in at.stack else "encoder"]
    return times(fill, beta, f"β = {beta:.6g}; the model must add with α = {alpha:.6g}")


def sub_ln(fans: Fans | None, at: Site, *, base: Base = "xavier_uniform") -> Fill | None:
    """The base scheme; values, outputs and MLPs times γ."""
    fill = otherwise(base, fans, at)
    crossing = at.info is not None and any(
        word in at.info.name for word in ("encoder_attn", "crossattention")
    )
    if not is_end("sub_ln", at) or crossing:
        return fill
    pair = _pair(at)
    if pair is None:
        gamma = math.sqrt(math.log(2 * at.L))
    elif "decoder" in at.stack:
        gamma = math.sqrt(math.log(3 * pair[1]))
    else:
        gamma = math.sqrt(math.log(3 * pair[1]) * math.log(2 * pair[0]) / 3)
    return times(fill, gamma, f"γ = {gamma:.6g}: the branch has a norm inside")


def admin_constant(branches: float, output: str = "log") -> float:
    """ω of x·ω + f(x), with `branches` residual branches in all.

    >>> round(admin_constant(12), 10)
    2.0170092187
    """
    if output == "constant":
        return 1.0
    if output == "root":
        return math.sqrt(branches)
    return math.sqrt((branches + 1) / math.log(branches + 1) - 1)


def admin_profiled(fans: Fans | None, *, base: Base = "xavier_uniform") -> Fill:
    """ω by the measured variances of the branches before it."""
    raise UnsupportedError("scheme 'admin_profiled' decides for a whole model")


def admin(
    fans: Fans | None,
    at: Site,
    *,
    output: Annotated[
        Literal["log", "constant", "root", "profiled"],
        "how the output may change with depth: O(log n), O(n) → 1, O(1) → √n; profiled needs data",
    ] = "log",
    branches: Annotated[float, "residual branches per block"] = 2.0,
    base: Base = "xavier_uniform",
) -> Fill | None:
    """Factors ω on the shortcuts of a post-norm model."""
    if output == "profiled":
        raise OptionError(
            'output="profiled" without the variances of its branches',
            where="scheme 'admin'",
            expected="one pass over a batch that measures them",
            cause="a law of one parameter sees no data",
            fix='initwise.init_(model, "admin_profiled", example=batch) measures them.',
        )
    if at.part not in SCALARS or at.role not in ("bare", "token"):
        return otherwise(base, fans, at)
    n = branches * at.L
    omega = admin_constant(n, output)
    return Fill.constant(omega, reason=f"{n:g} branches: ω = {omega:.6g} on the shortcut")


registry.add(
    SchemeRow(
        name="deepnorm_scaling",
        law=deepnorm_scaling,
        needs=("part", "packing", "depth", "stacks"),
        touches=ENDS,
        summary="Post-norm transformers of hundreds of layers: what a branch passes on is shrunk by β, the "
        "shortcut enlarged by α in the model.",
        formula="one stack: β = (8L)^(−1/4); encoder beside decoder: 0.87(N⁴M)^(−1/16), (12M)^(−1/4)",
        citation="Wang et al. 2022, DeepNet, arXiv:2203.00555, fig. 2; torchscale, architecture/*.py",
        evidence="verified in source",
        differences=(
            "torchscale divides by (N⁴M)^(1/16)/1.15: β is 0.8696 of the inverse root, the paper's 0.87.",
            "Queries and keys are not scaled. α is the model's: deepnorm_constants(L) has both.",
        ),
        avoid="pre-norm models, and post-norm ones that do not multiply the shortcut by α.",
        use="post-norm transformers of 100 layers and more that multiply their shortcut by α.",
        suits=("post-norm", "very deep", "deep", "transformer", "residual branch"),
        unsuited=("pre-norm", "without norm"),
        see=("admin", "sub_ln", "t_fixup_scaling"),
        known=tuple(
            # Xavier normal of (64, 64) has std 0.125
            Known(
                (64, 64),
                "oi",
                "std",
                value * 0.125,
                at=(("part", "mlp.up"), ("stack", stack), ("stacks", BOTH)),
                source=f"{stack} β {value:.10f}",
            )
            for stack, value in (("encoder", 0.4969892408), ("decoder", 0.3432945240))
        ),
    )
)
registry.add(
    SchemeRow(
        name="sub_ln",
        aliases=("magneto_scaling",),
        law=sub_ln,
        needs=("part", "packing", "depth", "stacks"),
        touches=ENDS,
        summary="A norm inside each branch allows larger matrices: values, outputs and MLPs times γ.",
        formula="one stack: γ = √(ln 2L); decoder √(ln 3M), encoder √(ln(3M)·ln(2N)/3)",
        citation="Wang et al. 2022, Magneto, arXiv:2210.06423; torchscale, architecture/*.py",
        evidence="verified in source",
        differences=("torchscale has subln on by default; a decoder's cross-attention is left as it is.",),
        avoid="models without the norm inside the branch.",
        use="transformers with a second norm inside each branch (Magneto), at great depth.",
        suits=("layernorm", "deep", "very deep", "transformer", "pre-norm", "residual branch"),
        unsuited=("without norm",),
        see=("deepnorm_scaling",),
        known=(
            Known(
                (64, 64),
                "oi",
                "high",
                math.sqrt(math.log(24)) * math.sqrt(6 / 128),
                at=(("part", "mlp.up"), ("depth", 12)),
                source="γ = √(ln 24) on Xavier's bound",
            ),
        ),
    )
)
registry.add(
    SchemeRow(
        name="admin",
        law=admin,
        needs=("part", "depth"),
        touches=SCALARS,
        summary="Post-norm models whose shortcuts carry a factor ω, so that no branch outweighs the others.",
        formula="ω = √((n + 1)/ln(n + 1) − 1), n the residual branches; all else as the base scheme",
        citation="Liu et al. 2020, Understanding the difficulty of training transformers, arXiv:2004.08249; "
        "admin-torch, admin.py",
        evidence="verified in source",
        differences=(
            "The paper measures the branches' variances on one batch; admin-torch has this closed form.",
            "admin-torch also offers ω = 1 and ω = √n.",
        ),
        avoid="pre-norm models, and models without such factors: it cannot add them.",
        use="post-norm transformers with a factor ω on the shortcut, trained without their branches "
        "drowning it out.",
        suits=("post-norm", "deep", "residual branch", "transformer"),
        unsuited=("pre-norm", "without norm"),
        see=("deepnorm_scaling", "sub_ln"),
        known=(
            Known(
                (),
                "",
                "mean",
                2.0170092187,
                at=(("part", "residual_scale"), ("depth", 6)),
                source="12 branches",
            ),
        ),
    )
)
registry.add(
    SchemeRow(
        name="admin_profiled",
        law=admin_profiled,
        summary="Admin as its paper has it: factors on shortcuts from the branches' variances on a batch.",
        formula="ω_i² = Var[x₀] + Σ_{j<i} Var[f_j], measured with ω = 1; all else as the base scheme",
        citation="Liu et al. 2020, Understanding the difficulty of training transformers, arXiv:2004.08249",
        evidence="recalled",
        differences=(
            "admin-torch replaced the measurement by a closed form: admin.",
            "The paper's sum has no first term of its own; here the first stream's variance stands there.",
        ),
        avoid="pre-norm models, and factors that stand on the branch instead of the shortcut.",
        use="post-norm transformers with a factor on each shortcut, when a batch of data is at hand.",
        suits=("post-norm", "transformer", "deep", "calibrated on data"),
        unsuited=("pre-norm",),
        see=("admin", "deepnorm_scaling"),
        planner="initwise.choose.profile:admin_plan",
    )
)
