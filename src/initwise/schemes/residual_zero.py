"""Residual branches that start as nothing: the last norm's gain or the last layer at zero."""

from __future__ import annotations

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .needs import About, Base, Site, otherwise
from .residual import LOOKED, ends_branch


def zero_gamma(fans: Fans | None, at: Site, *, base: Base = "he_fan_out") -> Fill | None:
    """The last norm of each branch has gain 0."""
    if at.part == "norm.last" and at.role == "norm_gain":
        return Fill.constant(0.0, reason="last norm of its branch: the block starts as its shortcut")
    return otherwise(base, fans, at)


def zero_branch(fans: Fans | None, at: Site, *, base: Base = "lecun_normal") -> Fill | None:
    """The matrix at the end of each branch is 0, and its bias."""
    if ends_branch(at) and at.role in ("weight", "bias"):
        return Fill.constant(0.0, reason="end of its branch: the block starts as the identity")
    return otherwise(base, fans, at)


registry.add(
    SchemeRow(
        name="zero_gamma",
        aliases=("zero_init_residual",),
        law=zero_gamma,
        needs=("part",),
        touches=("norm.last",),
        summary="The last norm of every residual branch starts at gain 0: each block starts as its shortcut.",
        formula="γ of the branch's last norm = 0; all else as the base scheme",
        citation="Goyal et al. 2017, Accurate, large minibatch SGD, arXiv:1706.02677, sec. 5.1; torchvision, "
        "models/resnet.py; timm, models/resnet.py",
        evidence="verified in source",
        differences=(
            "torchvision's zero_init_residual is off by default, timm's on.",
            "SwinV2 zeros gain and bias of both norms after its branches.",
        ),
        avoid="networks whose branches end without a norm.",
        use="ResNets with BatchNorm, large batches above all: each block starts as its shortcut.",
        suits=("resnet", "batchnorm", "cnn", "residual branch", "deep", "norm gain", "norm"),
        unsuited=("without norm", "plain"),
        see=("zero_branch", "skipinit_gain", "rezero"),
        known=(
            Known((128, 32, 3, 3), "oihw", "std", 0.0416666667, at=(("part", "conv"),), source="√(2/1152)"),
        ),
    )
)
registry.add(
    SchemeRow(
        name="zero_branch",
        aliases=("zero_module", "zero_residual_outputs"),
        law=zero_branch,
        needs=("part", "branch"),
        about=About(
            "residual branch that can be seen",
            ends_branch,
            LOOKED + "; attention outputs and MLPs are found by their names too",
            'Say which matrix ends a branch: scheme("{name}", assign="conv.last=*.last.weight"), or hold the '
            "blocks in one nn.ModuleList.",
        ),
        summary="The last matrix of every residual branch is 0: each block starts as the identity.",
        formula="branch ends and modulations (adaLN-zero) 0, bias too; all else as the base scheme",
        citation="guided-diffusion, nn.py, zero_module; DiT, models.py; karpathy/nanochat, gpt.py",
        evidence="verified in source",
        differences=(
            "DDPM uses variance scaling with scale 1e-10 instead of 0, EDM's SongUNet a factor 1e-5.",
            "modded-nanogpt zeros only the MLP's output.",
        ),
        avoid="two zero matrices in series: neither would ever move.",
        use="residual networks, with norms or without, that are to start as the identity.",
        suits=(
            "residual branch",
            "resnet",
            "diffusion",
            "transformer",
            "cnn",
            "deep",
            "very deep",
            "without norm",
            "norm",
        ),
        unsuited=("plain",),
        see=("zero_gamma", "rezero", "skipinit_gain", "fixup_scaling"),
        known=(
            Known(
                (64, 256),
                "oi",
                "std",
                0.0,
                at=(("part", "mlp.down"),),
                source="zero_module: every parameter is 0",
            ),
        ),
    )
)
