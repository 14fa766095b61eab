"""Residual branches that start small or as nothing: Fixup, T-Fixup, SkipInit, ReZero, LayerScale, zero-γ."""

from __future__ import annotations

import math
from typing import Annotated

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry, scheme
from .needs import SCALARS, About, Base, Site, otherwise, told_apart
from .scaling import fan

ENDS = ("attention.value", "attention.output", "mlp.up", "mlp.gate", "mlp.gate_up", "mlp.down")
"""What T-Fixup, DeepNorm and Sub-LN scale: all of a branch but queries and keys."""
BROAD = frozenset({"attention.qkv", "attention.key_value"})
"""Packed matrices of which only the values are scaled."""
LOOKED = (
    "blocks are found by numbers after a name (blocks.3.fc1.weight), as an nn.ModuleList or nn.Sequential "
    "has that is an attribute of the model, and a branch is two or more matrices of one block"
)
"""How residual branches are found."""


def in_branch(at: Site) -> bool:
    """Is it of a layer of a residual branch of two or more? A lone matrix may be a layer of a plain stack."""
    return at.block is not None and (at.layers or 0) > 1 and at.part not in ("conv.shortcut", "head")


def ends_branch(at: Site) -> bool:
    """Is it of the last layer of a residual branch?"""
    named = ("attention.output", "mlp.down", "expert.down", "ssm.out", "conv.last", "modulation")
    if at.part in named:
        return True
    return at.part in ("", "conv", "conv.depthwise") and in_branch(at) and at.layer == (at.layers or 0) - 1


def is_end(name: str, at: Site) -> bool:
    """Is it a value, an output or a matrix of the MLP? Raises FillError where scheme `name` cannot know."""
    told_apart(name, at)
    part = at.part.replace("expert.", "mlp.")
    return at.matrix and (part in ENDS or (part in BROAD and at.piece in ("v", "value")))


def times(fill: Fill | None, factor: float, why: str) -> Fill | None:
    """The fill times a factor, which is told."""
    return fill and fill.scaled(factor).because(f"{fill.reason}, times {why}")


def fixup_scaling(
    fans: Fans | None, at: Site, *, base: Annotated[str, "of what is in no branch"] = "torch_default"
) -> Fill | None:
    """In a branch of m layers: He (fan_out) · L^(−1/(2m−2)), the last one 0 with its bias; the head 0."""
    if at.part in SCALARS and at.role in ("bare", "token"):
        return Fill.constant(1.0, reason="a branch's multiplier starts at 1")
    if at.role == "bare" and at.info is not None and "bias" in at.info.name.rpartition(".")[2]:
        return Fill.constant(0.0, reason="Fixup's scalar bias starts at 0")
    if at.part == "head" and at.role in ("weight", "bias"):
        return Fill.constant(0.0, reason="the classifier starts at 0")
    if at.role == "bias" and in_branch(at) and at.layer == (at.layers or 0) - 1:
        return Fill.constant(
            0.0, reason="bias of the last layer of its branch: the block starts as its shortcut"
        )
    if not at.matrix or fans is None:
        return otherwise(base, fans, at)
    if at.part == "conv.shortcut":
        return Fill.normal(
            0.0, math.sqrt(2 / fan(fans, "fan_out")), reason="a shortcut: He by fan_out, no depth"
        )
    if (at.block is None and at.layers is None) or at.layers == 1:
        return otherwise(base, fans, at)
    m, layer = at._known(at.layers, "branch"), at._known(at.layer, "branch")
    if layer == m - 1:
        return Fill.constant(0.0, reason=f"last of its branch's {m} layers")
    factor = at.L ** (-1 / (2 * m - 2))
    std = math.sqrt(2 / fan(fans, "fan_out")) * factor
    return Fill.normal(0.0, std, reason=f"He by fan_out times {at.L}^(−1/{2 * m - 2}) = {factor:.6g}")


def t_fixup_scaling(fans: Fans | None, at: Site) -> Fill | None:
    """Xavier; values, outputs and MLPs · 0.67·N^(−1/4) or (9M)^(−1/4); tables N(0, 1/√d)·(9·depth)^(−1/4)."""
    if at.role == "embedding":
        depth = at.L if at.depth is not None else at.depth_of("decoder" if _decoders(at) else "encoder")
        factor = (9 * depth) ** -0.25
        std = at.d**-0.5 * factor
        return Fill.normal(0.0, std, reason=f"a table: 1/√{at.d} times (9·{depth})^(−1/4) = {factor:.6g}")
    if not at.matrix or fans is None:
        return otherwise("xavier_uniform", fans, at)
    fill = scheme("xavier_uniform").fill(fans)
    if not is_end("t_fixup_scaling", at):
        return fill
    if at.decoding():
        return times(fill, (9 * at.L) ** -0.25, f"(9·{at.L})^(−1/4) = {(9 * at.L) ** -0.25:.6g}")
    return times(fill, 0.67 * at.L**-0.25, f"0.67·{at.L}^(−1/4) = {0.67 * at.L**-0.25:.6g}")


def _decoders(at: Site) -> bool:
    """Is it a table of the decoder alone? One that both share takes the encoder's depth."""
    return at.info is not None and "decoder" in at.info.name and not at.info.aliases


def skipinit_gain(
    fans: Fans | None,
    at: Site,
    *,
    value: Annotated[float, "of the scalar at each branch's end; at most 1/√L"] = 0.0,
    base: Base = "he_normal",
) -> Fill | None:
    """Scalars at the ends of branches are `value`."""
    if at.part in SCALARS and at.role in ("bare", "token"):
        return Fill.constant(
            value, reason=f"a branch starts at {value:g} of itself: the block is its shortcut"
        )
    return otherwise(base, fans, at)


def rezero(fans: Fans | None, at: Site, *, base: Base = "xavier_uniform") -> Fill | None:
    """x + α·f(x) with α = 0."""
    if at.part in SCALARS and at.role in ("bare", "token"):
        return Fill.constant(0.0, reason="α = 0: every block starts as the identity")
    return otherwise(base, fans, at)


def layer_scale(
    fans: Fans | None,
    at: Site,
    *,
    value: Annotated[
        float | None, "of every factor; None: by depth as CaiT, .1 up to 18 blocks, 1e-5 up to 24, then 1e-6"
    ] = None,
    base: Base = "torch_default",
) -> Fill | None:
    """Per-channel factors on branches, small."""
    if at.part not in SCALARS or at.role not in ("bare", "token", "norm_gain"):
        return otherwise(base, fans, at)
    if value is not None:
        return Fill.constant(value, reason=f"a branch starts at {value:g} of itself")
    by_depth = 0.1 if at.L <= 18 else 1e-5 if at.L <= 24 else 1e-6
    return Fill.constant(by_depth, reason=f"{at.L} blocks: each branch starts at {by_depth:g} of itself")


CONV = (("part", "conv"), ("block", 0), ("depth", 16), ("layer", 0))
registry.add(
    SchemeRow(
        name="fixup_scaling",
        law=fixup_scaling,
        needs=("part", "block", "depth", "branch"),
        about=About(
            "residual branch that can be seen",
            lambda at: at.matrix and in_branch(at),
            LOOKED,
            "Hold the blocks in one nn.ModuleList, an attribute of the model, or fill by names: "
            "{{'*': 'torch_default', '*.last.*': 'zeros'}}.",
        ),
        summary="Residual networks without norms: branches start at 0, their first layers shrunk by depth.",
        formula="branch of m layers: N(0, √(2/fan_out)·L^(−1/(2m−2))), last layer 0, bias too; head 0; "
        "shortcuts He",
        citation="Zhang, Dauphin, Ma 2019, Fixup, arXiv:1901.09321, sec. 3; hongyi-zhang/Fixup, "
        "fixup_resnet_cifar.py",
        evidence="verified in source",
        differences=(
            "The authors' code takes fan_out: √(2/(out·k²)); the paper says a standard method, e.g. He.",
            "L counts residual blocks. The stem keeps torch's default in the authors' code.",
            "A branch of one matrix has no law in the paper (2m − 2 = 0) and keeps the base scheme.",
            "The authors' layers have no biases; here the bias of a branch's last layer is 0.",
            "It needs the model's scalar biases and multipliers: this row fills them, it cannot add them.",
        ),
        avoid="networks with norms: they need none of it.",
        use="deep ResNets without any norm, built with Fixup's scalar biases and multipliers.",
        suits=("resnet", "without norm", "relu", "cnn", "deep", "very deep", "residual branch"),
        unsuited=("norm", "plain", "transformer"),
        see=("skipinit_gain", "t_fixup_scaling", "zero_branch"),
        known=(
            # He by fan_out of (128, 8, 3, 3) is √(2/1152)
            Known(
                (128, 8, 3, 3), "oihw", "std", 0.25 / 24, at=(*CONV, ("layers", 2)), source="16^(−1/2) = 0.25"
            ),
            Known(
                (128, 8, 3, 3), "oihw", "std", 0.5 / 24, at=(*CONV, ("layers", 3)), source="16^(−1/4) = 0.5"
            ),
            Known(
                (128, 8, 3, 3),
                "oihw",
                "std",
                0.0,
                at=(*CONV[:3], ("layer", 1), ("layers", 2)),
                source="Fixup's code: a branch's last layer is 0",
            ),
        ),
    )
)
registry.add(
    SchemeRow(
        name="t_fixup_scaling",
        law=t_fixup_scaling,
        needs=("part", "packing", "depth", "stacks", "width"),
        touches=ENDS,
        summary="Transformers without LayerNorm and warm-up: values, outputs and MLPs shrunk by depth.",
        formula="Xavier; values, outputs, MLPs · 0.67·N^(−1/4) (encoder), · (9M)^(−1/4) (decoder); tables "
        "N(0, 1/√d)·(9·depth)^(−1/4)",
        citation="Huang et al. 2020, T-Fixup, ICML; layer6ai-labs/T-Fixup, transformer_layer.py",
        evidence="verified in source",
        differences=(
            "The code multiplies v_proj by √2 more: fairseq's base for it is 1/√2. Queries and keys keep "
            "fairseq's 1/√2 there; here they are Xavier.",
            "A stack alone is taken as an encoder. A table that both share takes the encoder's depth.",
        ),
        avoid="models with LayerNorm.",
        use="transformers trained without LayerNorm and without warm-up, small data sets included.",
        suits=("without norm", "without warm-up", "small data", "transformer", "deep", "residual branch"),
        unsuited=("norm", "layernorm", "cnn"),
        see=("fixup_scaling", "deepnorm_scaling", "rezero"),
        known=tuple(
            Known(
                (64, 64),
                "oi",
                "high",
                factor * math.sqrt(6 / 128),
                at=(
                    ("part", "mlp.up"),
                    ("depth", 6),
                    ("stack", stack),
                    ("stacks", (("encoder", 6), ("decoder", 6))),
                ),
                source=f"{stack} factor {factor}, Xavier's bound √(6/128)",
            )
            for stack, factor in (("encoder", 0.4280918798), ("decoder", 0.3688939732))
        ),
    )
)
registry.add(
    SchemeRow(
        name="skipinit_gain",
        law=skipinit_gain,
        needs=("part",),
        touches=SCALARS,
        summary="A scalar at the end of each residual branch starts at 0: the network starts shallow.",
        formula="scalars of branches = value; all else as the base scheme",
        citation="De and Smith 2020, Batch normalization biases residual blocks, arXiv:2002.10444, sec. 4; "
        "deepmind-research, nfnets/skipinit_resnet.py",
        evidence="verified in source",
        differences=("The paper allows any value ≤ 1/√L; NF-Nets' skip_gain is 0.",),
        avoid="models without such scalars: it cannot add them.",
        use="deep ResNets without BatchNorm that have a scalar at the end of each branch.",
        suits=("resnet", "without norm", "cnn", "deep", "very deep", "residual branch"),
        unsuited=("plain",),
        see=("rezero", "fixup_scaling", "zero_gamma"),
        known=(
            Known(
                (),
                "",
                "mean",
                0.0,
                at=(("part", "residual_scale"),),
                source="skipinit_resnet.py: the scalar starts at 0",
            ),
        ),
    )
)
registry.add(
    SchemeRow(
        name="rezero",
        law=rezero,
        needs=("part",),
        touches=SCALARS,
        summary="Every block starts as the identity: x + α·f(x) with α = 0, no LayerNorm.",
        formula="α = 0; all else as the base scheme",
        citation="Bachlechner et al. 2020, ReZero is all you need, arXiv:2003.04887; majumderb/rezero, "
        "rztx.py",
        evidence="verified in source",
        differences=("In the reference one α serves a layer's attention and its MLP.",),
        avoid="models without such scalars: it cannot add them.",
        use="deep residual networks and transformers without LayerNorm that have one scalar for each branch.",
        suits=(
            "residual branch",
            "resnet",
            "without norm",
            "transformer",
            "mlp",
            "deep",
            "very deep",
            "without warm-up",
        ),
        unsuited=("plain", "post-norm"),
        see=("skipinit_gain", "layer_scale", "zero_branch"),
        known=(
            Known((), "", "mean", 0.0, at=(("part", "residual_scale"),), source="rztx.py: α starts at 0"),
        ),
    )
)
registry.add(
    SchemeRow(
        name="layer_scale",
        law=layer_scale,
        needs=("part", "depth"),
        touches=SCALARS,
        summary="Per-channel factors on residual branches start small, smaller in deeper networks.",
        formula="γ = value, or 0.1 for L ≤ 18, 1e-5 for L ≤ 24, 1e-6 beyond; all else as the base scheme",
        citation="deit/cait_models.py (1e-5 at 24 blocks, 1e-6 at 36 and 48, read there); Touvron et "
        "al. 2021, "
        "Going deeper with image transformers, arXiv:2103.17239, sec. 2 (0.1 up to 18, recalled)",
        evidence="recalled",
        differences=(
            "CaiT's code default is 1e-4, its configurations 1e-5 and 1e-6; ConvNeXt 1e-6; timm 1e-5; "
            "DeiT-III 1e-6; BEiT 0.1 (base) and 1e-5 (large); DINOv2 in transformers 1.0.",
            "0.1 up to 18 blocks, and where one value takes over from another, are the paper's, recalled.",
        ),
        avoid="float16: it cannot hold 1e-6 (+1.3 %).",
        use="deep vision transformers and ConvNeXts that have per-channel factors on their branches.",
        suits=("residual branch", "deep", "very deep", "transformer", "cnn", "vit", "pre-norm"),
        unsuited=("without norm", "plain", "low precision"),
        see=("rezero", "skipinit_gain"),
        known=(
            Known(
                (),
                "",
                "mean",
                1e-5,
                at=(("part", "layer_scale"), ("depth", 24)),
                source="CaiT's configuration of depth 24",
            ),
            Known(
                (),
                "",
                "mean",
                1e-6,
                at=(("part", "layer_scale"), ("depth", 36)),
                source="CaiT's configuration of depth 36",
            ),
        ),
    )
)
