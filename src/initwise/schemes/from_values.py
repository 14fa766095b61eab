"""Schemes of low-rank adapters that start from the base weight's values or from data, as rows.

A Fill is a law and no array, so these rows give arrays: `scheme("eva").start(at)` is an `Adapter`, and
`init_(model, "eva", example=batch)` does it for every adapter of a torch model. The linear algebra is in
`adapters.py` and `adapters_data.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np

from ..core.errors import UnsupportedError
from ..core.layout import Fans
from . import adapters, adapters_data
from .adapters import Adapter
from .base import SchemeRow, registry
from .needs import Site

PEFT = "peft, tuners/lora/layer.py"
MERGED = (
    "merging or unloading the adapter must give the base weight back; a second call starts from what the "
    "first left."
)


def pissa(fans: Fans | None, at: Site) -> Adapter:
    """See `adapters.pissa`."""
    return adapters.pissa(at.adapter.W, at.adapter.rank, scale=at.adapter.scale)


def olora(fans: Fans | None, at: Site) -> Adapter:
    """See `adapters.olora`."""
    return adapters.olora(at.adapter.W, at.adapter.rank, scale=at.adapter.scale)


def mica(fans: Fans | None, at: Site) -> Adapter:
    """See `adapters.mica`."""
    return adapters.mica(at.adapter.W, at.adapter.rank)


def orthogonal_lora(fans: Fans | None, at: Site) -> Adapter:
    """See `adapters.orthogonal_pair`."""
    given, weight = at.adapter, at.adapter.W
    half, (outputs, inputs) = given.rank // 2, weight.shape
    a, b = adapters.orthogonal_pair(
        given.normal("square", given.rank, given.rank),
        given.normal("rows", inputs, half),
        given.normal("columns", outputs, half),
    )
    return Adapter(a, b, weight)


def loftq(
    fans: Fans | None,
    at: Site,
    *,
    quantizer: Annotated[
        Literal["nf4", "int8"], "nf4 in blocks of 64, int8 by rows; what the base will be stored in"
    ] = "nf4",
    iterations: Annotated[float, "how often quantization and decomposition take turns"] = 1.0,
) -> Adapter:
    """See `adapters_data.loftq`."""
    given = at.adapter
    return adapters_data.loftq(
        given.W, given.rank, scale=given.scale, quantizer=quantizer, iterations=int(iterations)
    )


def corda(
    fans: Fans | None,
    at: Site,
    *,
    method: Annotated[
        Literal["ipm", "kpm"], "ipm to learn what the data show (first directions), kpm to keep it (last)"
    ] = "ipm",
) -> Adapter:
    """See `adapters_data.corda`."""
    given = at.adapter
    covariance = adapters_data.input_covariance(given.X)
    return adapters_data.corda(given.W, covariance, given.rank, scale=given.scale, method=method)


def eva(
    fans: Fans | None,
    at: Site,
    *,
    rho: Annotated[float, "1: every adapter keeps its rank; others need adapters made by eva_ranks"] = 1.0,
    whiten: Annotated[bool, "divide each row by the root of its singular value"] = False,
    centered: Annotated[bool, "subtract the inputs' mean first, as PEFT does"] = True,
) -> Adapter:
    """See `adapters_data.eva`."""
    if rho != 1:
        raise UnsupportedError(
            f"rho={rho:g}, which moves ranks between layers",
            where="scheme 'eva'",
            expected="rho=1: the adapters that the model has",
            cause="filling a model does not change the shapes of its parameters",
            fix="initwise.schemes.adapters_data.eva_ranks(shares, rank, rho=2) says the ranks: make the "
            "adapters with them, then fill.",
        )
    given = at.adapter
    return adapters_data.eva(given.X, given.rank, given.W, whiten=whiten, centered=centered)


def lora_ga(
    fans: Fans | None,
    at: Site,
    *,
    direction: Annotated[
        Literal["ArB2r", "A2rBr", "ArBr", "random"],
        "which of the gradient's first 2r directions A and B take",
    ] = "ArB2r",
    scaling: Annotated[
        Literal["stable", "weight_svd", "gd_scale", "unit"],
        "stable: B × ⁴√out/√γ; weight_svd: B by W's largest singular value; gd_scale: both / s; unit: plain",
    ] = "stable",
    gamma: Annotated[float, "γ of scaling=stable"] = 16.0,
    weighted: Annotated[bool, "B's columns times their singular values, as PEFT does"] = True,
) -> Adapter:
    """See `adapters_data.lora_ga`."""
    given = at.adapter
    order = np.argsort(given.normal("order", 2 * given.rank)) if direction == "random" else None
    return adapters_data.lora_ga(
        given.G,
        given.W,
        given.rank,
        scale=given.scale,
        direction=direction,
        scaling=scaling,
        gamma=gamma,
        weighted=weighted,
        order=None if order is None else order.tolist(),
    )


def _add(
    name: str,
    law: Callable[..., Any],
    needs: tuple[str, ...],
    summary: str,
    formula: str,
    citation: str,
    *,
    use: str,
    suits: tuple[str, ...],
    see: tuple[str, ...],
    evidence: str,
    unsuited: tuple[str, ...] = (),
    difference: str = "It changes the base weight, W ← W − s·B·A.",
    avoid: str = MERGED,
) -> None:
    registry.add(
        SchemeRow(
            name=name,
            law=law,
            needs=needs,
            arrays=True,
            summary=summary,
            formula=formula,
            citation=citation,
            evidence=evidence,
            differences=(difference,),
            avoid=avoid,
            use=use,
            suits=suits,
            unsuited=unsuited,
            see=see,
        )
    )


_add(
    "pissa",
    pissa,
    ("adapter", "values"),
    "An adapter that holds the leading singular directions of the base weight.",
    "W = USVᵀ: A = √(S/s)·Vᵀ, B = U·√(S/s), the first r",
    f"Meng et al. 2024, arXiv:2404.02948; {PEFT}",
    evidence="verified in source",
    use="adapters that are to move the base weight's main directions from the first step.",
    suits=("adapter", "fine-tuning"),
    see=("olora", "mica", "loftq"),
)
_add(
    "olora",
    olora,
    ("adapter", "values"),
    "An adapter that holds the first columns of the base weight's QR decomposition.",
    "W = QR: B = Q[:, :r], A = R[:r]",
    f"Büyükakyüz 2024, arXiv:2406.01775; {PEFT}",
    evidence="verified in source",
    use="adapters with an orthonormal start from a QR decomposition, which is cheaper than an SVD.",
    suits=("isometry", "adapter", "fine-tuning"),
    unsuited=("quantized",),
    see=("pissa", "orthogonal_lora"),
)
_add(
    "mica",
    mica,
    ("adapter", "values"),
    "An adapter on the base weight's least singular directions.",
    "B = the last r left singular vectors, frozen; A = 0",
    PEFT,
    evidence="verified in source",
    difference="The base weight is unchanged.",
    avoid="B must stay frozen.",
    use="adapters that are to stay away from what the base weight does most.",
    suits=("deterministic", "adapter", "fine-tuning"),
    see=("pissa", "lora_a"),
)
_add(
    "orthogonal_lora",
    orthogonal_lora,
    ("adapter", "values"),
    "An adapter that is nothing at the start although neither matrix is 0.",
    "A and B from the odd and the even rows of one orthogonal matrix, over 10: B·A = 0",
    PEFT,
    evidence="verified in source",
    difference="The base weight is unchanged; the values it needs are normal draws.",
    avoid="odd ranks.",
    use="adapters with an even rank that are to add nothing at the start and still have a gradient "
    "in both matrices.",
    suits=("isometry", "adapter", "fine-tuning"),
    see=("lora_a", "olora"),
)
_add(
    "loftq",
    loftq,
    ("adapter", "values"),
    "An adapter that makes up for the base weight's quantization.",
    "in turn Q = quant(W − B·A) and B·A = the first r singular directions of W − Q",
    "Li et al. 2023, arXiv:2310.08659; peft, utils/loftq_utils.py (the turns; not the quantizers, which are "
    "bitsandbytes' there)",
    evidence="verified in source",
    difference="The base weight becomes Q. PEFT's code leaves s out, which is right for α = r alone.",
    avoid="bases that are not quantized.",
    use="fine-tuning an adapter on a base that has been quantized.",
    suits=("quantized", "adapter", "fine-tuning"),
    see=("pissa", "lora_a"),
)
_add(
    "corda",
    corda,
    ("adapter", "values", "data"),
    "An adapter along directions in which the layer's inputs matter.",
    "W·C = USVᵀ, C the inputs' covariance: A = √(S/s)·Vᵀ·C⁻¹, B = U·√(S/s), the first r or the last",
    f"Yang et al. 2024, arXiv:2406.05223; peft, tuners/lora/corda.py (covariance and SVD); {PEFT}",
    evidence="verified in source",
    use="fine-tuning with an adapter that is to keep or to learn what a sample of inputs shows.",
    suits=("calibrated on data", "adapter", "fine-tuning"),
    unsuited=("quantized",),
    see=("eva", "pissa"),
)
_add(
    "eva",
    eva,
    ("adapter", "values", "data"),
    "An adapter whose A spans the layer's own inputs.",
    "A = the first r right singular vectors of the layer's inputs, their mean subtracted; B = 0",
    "Paischer et al. 2024, arXiv:2410.07170; peft, tuners/lora/eva.py and utils/incremental_pca.py",
    evidence="verified in source",
    difference="The base weight is unchanged. PEFT's SVD takes batch after batch until directions agree to "
    "0.99, here it is one of all inputs. PEFT also moves ranks between layers (rho=2): eva_ranks says which, "
    "before the adapters are made.",
    avoid="data that is not the task's.",
    use="adapters for a task of which some batches are at hand, when ranks may move to where the "
    "inputs vary.",
    suits=("calibrated on data", "adapter", "fine-tuning"),
    see=("corda", "lora_ga"),
)
_add(
    "lora_ga",
    lora_ga,
    ("adapter", "values", "gradient"),
    "An adapter whose first step is that of full fine-tuning.",
    "G = USVᵀ the gradient on one batch: A = Vᵀ[:r], B = U[:, r:2r]·S[r:2r]·⁴√out/√γ; W ← W − s·B·A",
    f"Wang et al. 2024, arXiv:2407.05000; peft, tuners/lora/loraga.py; {PEFT}",
    evidence="verified in source",
    difference="PEFT takes B's columns times their singular values; weighted=False does not, and then the "
    "first step is the gradient's best approximation of rank 2r. PEFT's SVD is randomised.",
    use="adapters that are to learn as fast as full fine-tuning in the first steps, with one batch "
    "of gradients to spare.",
    suits=("calibrated on data", "adapter", "fine-tuning"),
    unsuited=("quantized",),
    see=("pissa", "eva"),
)
