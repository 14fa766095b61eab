"""Stds that depend on depth and on what a matrix is for: GPT-2, Mitchell, small and wang init."""

from __future__ import annotations

import math
from typing import Annotated

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .needs import Base, Site, otherwise, positive

Std = Annotated[float, "std of matrices that do not write into the residual stream"]
Cut = Annotated[float, "sigmas at which normals are cut"]
WRITERS = ("attention.output", "mlp.down", "expert.down", "ssm.out")
OUTPUT = (("part", "attention.output"), ("depth", 12), ("block", 0))


def _others(at: Site) -> bool:
    """Biases and norms, and what else no std is for."""
    return at.role not in ("weight", "recurrent", "embedding", "token")


def gpt2_residual(
    fans: Fans | None,
    at: Site,
    *,
    std: Std = 0.02,
    branches: Annotated[float, "residual branches per block; Megatron's hybrids and Mamba have 1"] = 2.0,
    base: Base = "zeros",
) -> Fill | None:
    """N(0, std); what writes into the residual stream N(0, std/√(branches·L))."""
    if _others(at):
        return otherwise(base, fans, at)
    if not at.writes:
        return Fill.normal(0.0, std, reason=f"std {std:g}")
    ends = positive("gpt2_residual", branches=branches) * at.L
    return Fill.normal(0.0, std / math.sqrt(ends), reason=f"one of {ends:g} branch ends: {std:g}/√{ends:g}")


def depth_index(fans: Fans | None, at: Site, *, std: Std = 0.02, base: Base = "zeros") -> Fill | None:
    """N(0, std); what writes into the residual stream N(0, std/√(2(l+1)))."""
    if _others(at):
        return otherwise(base, fans, at)
    if not at.writes:
        return Fill.normal(0.0, std, reason=f"std {std:g}")
    ends = 2 * (at.l + 1)
    return Fill.normal(0.0, std / math.sqrt(ends), reason=f"block {at.l}: {std:g}/√{ends}")


def _cut_normal(std: float, cut: float, reason: str) -> Fill:
    return Fill.truncated_normal(0.0, std, -cut * std, cut * std, reason=reason)


def mitchell(fans: Fans | None, at: Site, *, cut: Cut = 3.0, base: Base = "zeros") -> Fill | None:
    """1/√d, cut; attention's output 1/√(2d(l+1)), the MLP's 1/√(2·fan_in·(l+1))."""
    positive("mitchell", cut=cut)
    if _others(at):
        return otherwise(base, fans, at)
    if not at.writes:
        return _cut_normal(at.d**-0.5, cut, f"1/√{at.d}")
    inner = at.d if at.part == "attention.output" else fans.fan_in if fans is not None else at.d
    return _cut_normal((2 * inner * (at.l + 1)) ** -0.5, cut, f"block {at.l}: 1/√(2·{inner:g}·{at.l + 1})")


def small_init(fans: Fans | None, at: Site, *, base: Base = "zeros") -> Fill | None:
    """N(0, √(2/(5d)))."""
    if _others(at):
        return otherwise(base, fans, at)
    return Fill.normal(0.0, math.sqrt(2 / (5 * at.d)), reason=f"√(2/(5·{at.d})), d the model's width")


def wang_init(fans: Fans | None, at: Site, *, base: Base = "small_init") -> Fill | None:
    """What writes into the residual stream N(0, 2/(L·√d)); all else small_init."""
    if not at.writes:
        return otherwise(base, fans, at)
    return Fill.normal(0.0, 2 / (at.L * math.sqrt(at.d)), reason=f"branch end: 2/({at.L}·√{at.d})")


def ngpt_init(fans: Fans | None, at: Site, *, cut: Cut = 3.0, base: Base = "zeros") -> Fill | None:
    """1/√d, cut; branch ends 1/√(2Ld); tables not cut."""
    positive("ngpt_init", cut=cut)
    if _others(at):
        return otherwise(base, fans, at)
    if at.role == "embedding":
        return Fill.normal(0.0, at.d**-0.5, reason=f"a table: 1/√{at.d}, not cut")
    if not at.writes:
        return _cut_normal(at.d**-0.5, cut, f"1/√{at.d}")
    return _cut_normal((2 * at.L * at.d) ** -0.5, cut, f"branch end: 1/√(2·{at.L}·{at.d})")


registry.add(
    SchemeRow(
        name="gpt2_residual",
        aliases=("megatron_residual",),
        law=gpt2_residual,
        needs=("part", "depth"),
        touches=WRITERS,
        summary="GPT-2's rule: everything N(0, 0.02), the ends of residual branches smaller by the root of "
        "their number, so that the sum keeps its size.",
        formula="N(0, std); branch ends N(0, std/√(branches·L))",
        citation="Radford et al. 2019 (GPT-2), sec. 2.3; transformers, modeling_gpt2; Megatron-LM, utils.py",
        evidence="verified in source",
        differences=(
            "Megatron's multiplier is 2, for hybrids with state spaces 1; Mamba's is 1, or 2 with an MLP.",
            "transformers' default is std 0.02 for everything; only GPT-2's own class rescales.",
        ),
        avoid="post-norm models: their branches are normalised after the sum.",
        use="pre-norm transformers, decoders above all, whose blocks add two branches each.",
        suits=("language model", "transformer", "pre-norm", "residual branch", "deep", "gelu", "reproduce"),
        unsuited=("post-norm", "cnn"),
        see=("depth_index", "mitchell", "wang_init", "small_init"),
        known=(
            Known((768, 768), "oi", "std", 0.0040824829, at=OUTPUT, source="0.02/√24"),
            Known(
                (768, 768),
                "oi",
                "std",
                0.0020412415,
                at=(("part", "mlp.down"), ("depth", 48)),
                source="0.02/√96",
            ),
            Known(
                (768, 768),
                "oi",
                "std",
                0.02,
                at=(("part", "mlp.up"), ("depth", 48)),
                source="initializer_range 0.02: no branch end",
            ),
        ),
    )
)
registry.add(
    SchemeRow(
        name="depth_index",
        aliases=("torchtitan_depth",),
        law=depth_index,
        needs=("part", "block"),
        touches=WRITERS,
        summary="Branch ends smaller the deeper they are: each adds less to a sum that has grown.",
        formula="N(0, std); branch ends N(0, std/√(2(l+1))), l the block from 0",
        citation="torchtitan, models/common/param_init.py; timm, vision_transformer.py, fix_init_weight",
        evidence="verified in source",
        differences=(
            "timm divides what its own init has drawn by √(2(l+1)), torchtitan draws at std 0.02 over it.",
            "torchtitan's Llama draws the head at 1/√d cut at 3σ: the recipe llama has it.",
        ),
        avoid="models whose blocks have no numbers.",
        use="pre-norm decoders as torchtitan and timm's fix_init_weight start them: early blocks "
        "add more than late ones.",
        suits=("residual branch", "deep", "language model", "transformer", "vit", "pre-norm"),
        unsuited=("post-norm",),
        see=("gpt2_residual", "mitchell", "wang_init"),
        known=(
            Known((64, 64), "oi", "std", 0.0141421356, at=OUTPUT, source="torchtitan, l = 0"),
            Known(
                (64, 64),
                "oi",
                "std",
                0.0025,
                at=(("part", "mlp.down"), ("block", 31)),
                source="torchtitan, l = 31",
            ),
        ),
    )
)
registry.add(
    SchemeRow(
        name="mitchell",
        aliases=("olmo_init",),
        law=mitchell,
        needs=("part", "block", "width"),
        touches=WRITERS,
        summary="OLMo's rule: inverse roots of widths, branch ends smaller with the block's index, all cut "
        "at three sigmas.",
        formula="1/√d; attention's output 1/√(2d(l+1)); MLP's output 1/√(2·fan_in·(l+1)); cut at ±3σ",
        citation="OLMo, olmo/model.py, init fn mitchell; Groeneveld et al. 2024, arXiv:2402.00838",
        evidence="verified in source",
        differences=(
            "No correction for the cut: what is written has std 0.98658 of the one stated.",
            "Embeddings, positions and the head are drawn at 1/√d too; att_proj and ff_proj have no depth.",
        ),
        avoid="tied tables: 1/√d is a head's std.",
        use="decoders of OLMo's kind with untied heads; every matrix by its own fan-in.",
        suits=("reproduce", "language model", "transformer", "pre-norm", "deep", "residual branch"),
        unsuited=("post-norm",),
        see=("gpt2_residual", "depth_index"),
        known=(
            Known(
                (4096, 4096),
                "oi",
                "scale",
                0.0110485435,
                at=(*OUTPUT[:1], ("block", 0), ("width", 4096)),
                source="1/√(2·4096)",
            ),
            Known(
                (4096, 4096),
                "oi",
                "scale",
                0.001953125,
                at=(*OUTPUT[:1], ("block", 31), ("width", 4096)),
                source="1/√(2·4096·32)",
            ),
            Known(
                (4096, 11008),
                "oi",
                "scale",
                0.0067395483,
                at=(("part", "mlp.down"), ("block", 0), ("width", 4096)),
                source="1/√(2·11008)",
            ),
        ),
    )
)
registry.add(
    SchemeRow(
        name="small_init",
        law=small_init,
        needs=("width",),
        summary="One std for all matrices, by the model's width.",
        formula="N(0, √(2/(5d)))",
        citation="Nguyen and Salazar 2019, Transformers without tears, arXiv:1910.05895; gpt-neox, "
        "init_functions.py",
        evidence="verified in source",
        differences=(
            "d is the model's width for every matrix, not its fan-in. √(2/(5d)) is Xavier for d → 4d.",
        ),
        avoid="models whose matrices are much wider than d: their outputs grow.",
        use="inputs of attention and MLPs, and tables, of pre-norm transformers as in GPT-NeoX-20B.",
        suits=("pre-norm", "language model", "embedding", "transformer", "reproduce"),
        see=("wang_init", "gpt2_residual"),
        known=(Known((2048, 2048), "oi", "std", 0.0139754249, at=(("width", 2048),), source="√(2/10240)"),),
    )
)
registry.add(
    SchemeRow(
        name="wang_init",
        law=wang_init,
        needs=("part", "depth", "width"),
        touches=WRITERS,
        summary="Branch ends of GPT-NeoX and Pythia: smaller with the depth itself, not with its root.",
        formula="branch ends N(0, 2/(L·√d)); all else small_init",
        citation="gpt-neox, init_functions.py; Black et al. 2022, GPT-NeoX-20B, arXiv:2204.06745",
        evidence="verified in source",
        differences=("d is the model's width, also for the MLP's output, whose fan-in is 4d.",),
        avoid="shallow models: at L = 2 branch ends are larger than all else.",
        use="branch ends of GPT-NeoX-20B and Pythia, beside small_init.",
        suits=("reproduce", "language model", "transformer", "pre-norm", "deep", "residual branch"),
        unsuited=("shallow", "post-norm"),
        see=("small_init", "gpt2_residual"),
        known=(
            Known(
                (2048, 2048),
                "oi",
                "std",
                0.0018414239,
                at=(("part", "attention.output"), ("depth", 24), ("width", 2048)),
                source="2/(24·√2048)",
            ),
            Known(
                (2048, 2048),
                "oi",
                "std",
                0.0139754249,
                at=(("part", "mlp.up"), ("width", 2048)),
                source="√(2/(5·2048))",
            ),
        ),
    )
)
registry.add(
    SchemeRow(
        name="ngpt_init",
        aliases=("normalized_init",),
        law=ngpt_init,
        needs=("part", "depth", "width"),
        touches=WRITERS,
        summary="OLMo-core's rule for normalised transformers.",
        formula="1/√d cut at ±3σ; branch ends 1/√(2Ld); tables N(0, 1/√d)",
        citation="OLMo-core, nn/transformer/init.py, InitMethod.normalized; Loshchilov et al. 2024, "
        "arXiv:2410.01131",
        evidence="verified in source",
        differences=("nGPT normalises its matrices afterwards: only their directions matter there.",),
        avoid="models that are not normalised: the MLP's output matrix has fan-in 4d.",
        use="transformers that keep their vectors on the unit sphere (nGPT).",
        suits=("weight norm", "residual branch", "reproduce", "transformer", "language model"),
        unsuited=("without norm",),
        see=("mitchell",),
        known=(
            Known((64, 256), "oi", "scale", 0.125, at=(("part", "mlp.up"), ("width", 64)), source="1/√64"),
            Known(
                (64, 64),
                "oi",
                "scale",
                0.03125,
                at=(("part", "attention.output"), ("width", 64), ("depth", 8)),
                source="1/√(2·8·64)",
            ),
        ),
    )
)
