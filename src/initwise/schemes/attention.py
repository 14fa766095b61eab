"""Attention and routers as published code starts them: fairseq, MoCo v3, X-MoE."""

from __future__ import annotations

import math
from typing import Annotated

from ..core.fill import Fill
from ..core.layout import Fans, Layout
from .base import Known, SchemeRow, registry, scheme
from .needs import Base, Site, otherwise, positive
from .scaling import fan

QKV = ("attention.query", "attention.key", "attention.value", "attention.qkv", "attention.key_value")
HALF = math.sqrt(0.5)


def fairseq_attention(
    fans: Fans | None,
    at: Site,
    *,
    gain: Annotated[
        float | None,
        "of queries, keys and values; None: 1/√2 of square matrices, else 1. Say 1 for all where keys or "
        "values have a width of their own",
    ] = None,
    base: Annotated[str, "the scheme of everything outside of attention"] = "torch_default",
) -> Fill | None:
    """Queries, keys, values Xavier uniform · gain; the output Xavier uniform, its bias 0."""
    if at.part == "attention.output" and at.role in ("weight", "bias"):
        return otherwise("xavier_uniform", fans, at)
    if at.part not in QKV or not at.matrix or fans is None:
        return otherwise(base, fans, at)
    square = fans.fan_in == fans.fan_out
    factor = positive("fairseq_attention", gain=gain) if gain is not None else HALF if square else 1.0
    fill = scheme("xavier_uniform").fill(fans).scaled(factor)
    return fill.because(f"{fill.reason}, times {factor:.6g}")


def moco_attention(fans: Fans | None, at: Site) -> Fill | None:
    """Fused queries, keys, values U(±√(6/(out/3 + in))); patches as one matrix; others Xavier uniform."""
    if not at.matrix or fans is None:
        return otherwise("xavier_uniform", fans, at)
    if at.part == "attention.qkv" and not at.piece:
        count = fans.fan_out / 3 + fans.fan_in
        bound = math.sqrt(6 / count)
        return Fill.uniform(-bound, bound, reason=f"queries, keys and values each by itself: ±√(6/{count:g})")
    if at.part == "patch" and fans.layout is not None and fans.layout.spatial:
        count = fan(fans, "fan_in") + fans.layout.size(fans.shape, "o")
        bound = math.sqrt(6 / count)
        return Fill.uniform(-bound, bound, reason=f"patches as one matrix: ±√(6/{count:g})")
    return otherwise("xavier_uniform", fans, at)


def xmoe_router(
    fans: Fans | None,
    at: Site,
    *,
    gain: Annotated[float, "factor on the orthogonal matrix of experts"] = 0.32,
    base: Base = "xavier_uniform",
) -> Fill | None:
    """The router's matrix of experts orthogonal × gain."""
    if at.part != "router" or at.role not in ("weight", "bare", "token"):
        return otherwise(base, fans, at)
    shape = fans.shape if fans is not None else at.info.shape if at.info is not None else ()
    layout = fans.layout if fans is not None else Layout("oi") if len(shape) == 2 else None
    if len(shape) != 2:
        return otherwise(base, fans, at)
    reason = f"experts as directions far apart: orthogonal × {gain:g}"
    return Fill.matrix("orthogonal", gain, shape=shape, layout=layout, reason=reason)


registry.add(
    SchemeRow(
        name="fairseq_attention",
        law=fairseq_attention,
        needs=("part",),
        touches=(*QKV, "attention.output"),
        summary="fairseq's attention: queries, keys and values as if they were one Xavier matrix, the "
        "output Xavier.",
        formula="q, k, v: U(±√(6/(fan_in + fan_out))/√2), or without 1/√2 if widths differ; output "
        "Xavier, bias 0",
        citation="fairseq, modules/multihead_attention.py, reset_parameters",
        evidence="verified in source",
        differences=(
            "1/√2 is what Xavier on one fused (3d, d) matrix gives, as in torch.nn.MultiheadAttention.",
            "fairseq drops the factor for all three as soon as keys or values have a width of their own; "
            "here the "
            "matrices that are not square lose it, gain=1 all.",
        ),
        avoid="post-norm models that are deep and have no warm-up.",
        use="transformers in fairseq's style, and models ported from it; the recipe fairseq_transformer "
        "does the whole.",
        suits=("reproduce", "transformer", "post-norm"),
        unsuited=("very deep",),
        see=("xavier_uniform", "moco_attention", "zero_query"),
        known=(
            Known(
                (512, 512),
                "oi",
                "high",
                0.0541265877,
                at=(("part", "attention.query"),),
                source="√(6/1024)/√2",
            ),
            Known((512, 256), "oi", "high", 0.0883883476, at=(("part", "attention.key"),), source="√(6/768)"),
            Known(
                (512, 512), "oi", "high", 0.0765465545, at=(("part", "attention.output"),), source="√(6/1024)"
            ),
            Known(
                (512, 512),
                "oi",
                "high",
                0.0765465545,
                (("gain", 1.0),),
                at=(("part", "attention.value"),),
                source="√(6/1024)",
            ),
        ),
    )
)
registry.add(
    SchemeRow(
        name="moco_attention",
        aliases=("timm_moco",),
        law=moco_attention,
        needs=("part",),
        touches=("attention.qkv", "attention.query", "patch"),
        summary="Vision transformers of MoCo v3: the fused matrix as three, patches as one matrix, all "
        "else Xavier.",
        formula="qkv U(±√(6/(out/3 + in))); patches U(±√(6/(3p² + d))); others Xavier uniform; biases 0",
        citation="Chen, Xie, He 2021, MoCo v3, arXiv:2104.02057; moco-v3, vits.py; timm, weight_init='moco'",
        evidence="verified in source",
        differences=(
            "Xavier on the fused matrix as a whole, as torch counts it, is smaller by √2.",
            'The recipe vit(flavor="moco") does a whole model, tokens and positions included.',
        ),
        avoid="grouped queries: the fused matrix is not three of one size; tell its parts, and Xavier "
        "does it.",
        use="vision transformers trained without labels, and ports of MoCo v3.",
        suits=("reproduce", "vit", "bounded"),
        see=("xavier_uniform", "fairseq_attention"),
        known=(
            Known((2304, 768), "oi", "high", 0.0625, at=(("part", "attention.qkv"),), source="√(6/1536)"),
            Known(
                (768, 3, 16, 16), "oihw", "high", 0.0625, at=(("part", "patch"),), source="√(6/(768 + 768))"
            ),
            Known((3072, 768), "oi", "high", 0.0395284708, at=(("part", "mlp.up"),), source="√(6/3840)"),
        ),
    )
)
registry.add(
    SchemeRow(
        name="xmoe_router",
        law=xmoe_router,
        needs=("part",),
        touches=("router",),
        summary="A router that compares directions starts with its experts' as far apart as they can be.",
        formula="the router's matrix of experts 0.32 · Q; all else as the base scheme",
        citation="Chi et al. 2022, On the representation collapse of sparse mixture of experts, "
        "arXiv:2204.09179; "
        "torchscale, component/xmoe/routing.py",
        evidence="verified in source",
        differences=(
            "The reduction to the routing dimensions before it keeps torch's default in torchscale.",
        ),
        avoid="routers of plain logits: they start small, N(0, 0.02) or less, so that all experts get work.",
        use="cosine routers of mixtures of experts.",
        suits=("moe",),
        see=("orthogonal",),
        known=(
            Known((8, 16), "oi", "gain", 0.32, at=(("part", "router"),), source="torchscale"),
            Known((8, 16), "oi", "std", 0.08, at=(("part", "router"),), source="0.32/√16"),
        ),
    )
)
