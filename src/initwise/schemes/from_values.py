"""Schemes that start from a pretrained weight's values or from data: told, and refused with what to call.

A Fill is a law and no array, so `init_` cannot hold them. Those that are exact linear algebra on given
arrays are functions in `adapters.py` and `mimetic.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from ..core.errors import UnsupportedError
from ..core.fill import Fill
from ..core.layout import Fans
from .base import SchemeRow, registry
from .needs import Site

PEFT = "peft, tuners/lora/layer.py"
MERGED = "merging or unloading the adapter must give the base weight back."


def _refusing(name: str, call: str) -> Callable[..., Fill | None]:
    def law(fans: Fans | None, at: Site) -> Fill | None:
        raise UnsupportedError(
            "it starts from values, and a Fill is a law, not an array",
            where=f"scheme {name!r}",
            expected="a function from arrays to arrays" if call else "an implementation: there is none yet",
            fix=f"Call initwise.schemes.{call} and copy what it gives into the model."
            if call
            else 'The neutral start is the recipe "lora".',
        )

    return law


def _add(
    name: str,
    needs: tuple[str, ...],
    call: str,
    summary: str,
    formula: str,
    citation: str,
    *,
    use: str,
    suits: tuple[str, ...],
    see: tuple[str, ...],
    unsuited: tuple[str, ...] = (),
    evidence: str = "verified in source",
    difference: str = "It changes the base weight, W ← W − s·B·A.",
    avoid: str = MERGED,
    aliases: tuple[str, ...] = (),
) -> None:
    registry.add(
        SchemeRow(
            name=name,
            aliases=aliases,
            law=_refusing(name, call),
            needs=needs,
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
    ("values",),
    "adapters.pissa(weight, rank, scale=s)",
    "An adapter that holds the leading singular directions of the base weight.",
    "W = USVᵀ: A = √(S/s)·Vᵀ, B = U·√(S/s), the first r",
    f"Meng et al. 2024, arXiv:2404.02948; {PEFT}",
    use="adapters that are to move the base weight's main directions from the first step.",
    suits=("adapter", "fine-tuning"),
    unsuited=("quantized",),
    see=("olora", "mica", "loftq"),
)
_add(
    "olora",
    ("values",),
    "adapters.olora(weight, rank, scale=s)",
    "An adapter that holds the first columns of the base weight's QR decomposition.",
    "W = QR: B = Q[:, :r], A = R[:r]",
    f"Büyükakyüz 2024, arXiv:2406.01775; {PEFT}",
    use="adapters with an orthonormal start from a QR decomposition, which is cheaper than an SVD.",
    suits=("adapter", "fine-tuning", "isometry"),
    unsuited=("quantized",),
    see=("pissa", "orthogonal_lora"),
)
_add(
    "mica",
    ("values",),
    "adapters.mica(weight, rank)",
    "An adapter on the base weight's least singular directions.",
    "B = the last r left singular vectors, frozen; A = 0",
    PEFT,
    difference="The base weight is unchanged.",
    avoid="B must stay frozen.",
    use="adapters that are to stay away from what the base weight does most.",
    suits=("adapter", "fine-tuning"),
    see=("pissa", "lora_a"),
)
_add(
    "orthogonal_lora",
    ("values",),
    "adapters.orthogonal_pair(square, rows, columns)",
    "An adapter that is nothing at the start although neither matrix is 0.",
    "A and B from the odd and the even rows of one orthogonal matrix, over 10: B·A = 0",
    PEFT,
    difference="The base weight is unchanged; the values it needs are normal draws.",
    avoid="odd ranks.",
    use="adapters with an even rank that are to add nothing at the start and still have a gradient "
    "in both matrices.",
    suits=("adapter", "fine-tuning", "isometry"),
    see=("lora_a", "olora"),
)
_add(
    "loftq",
    ("values",),
    "",
    "An adapter that makes up for the base weight's quantization.",
    "in turn Q = quant(W − B·A) and B·A = the first r singular directions of W − Q",
    f"Li et al. 2023, arXiv:2310.08659; {PEFT}",
    difference="The base weight becomes Q.",
    avoid="bases that are not quantized.",
    use="fine-tuning an adapter on a base that has been quantized.",
    suits=("adapter", "fine-tuning", "quantized"),
    see=("pissa", "lora_a"),
)
_add(
    "corda",
    ("values", "data"),
    "",
    "An adapter along directions in which the layer's inputs matter.",
    "SVD of W·C, C the inputs' covariance, C⁻¹ folded into V",
    f"Yang et al. 2024, arXiv:2406.05223; {PEFT}",
    use="fine-tuning with an adapter that is to keep or to learn what a sample of inputs shows.",
    suits=("adapter", "fine-tuning", "calibrated on data"),
    unsuited=("quantized",),
    see=("eva", "pissa"),
)
_add(
    "eva",
    ("data",),
    "",
    "An adapter whose A spans the layer's own inputs.",
    "A = the first r right singular vectors of the layer's inputs, B = 0",
    f"Paischer et al. 2024, arXiv:2410.07170; {PEFT}",
    difference="The base weight is unchanged; ranks move between layers.",
    avoid="data that is not the task's.",
    use="adapters for a task of which some batches are at hand, when ranks may move to where the "
    "inputs vary.",
    suits=("adapter", "fine-tuning", "calibrated on data"),
    see=("corda", "lora_ga"),
)
_add(
    "lora_ga",
    ("values", "data"),
    "",
    "An adapter whose first step is that of full fine-tuning.",
    "G = USVᵀ the gradient on one batch: A = Vᵀ[:r], B = U[:, r:2r], scaled",
    f"Wang et al. 2024, arXiv:2407.05000; {PEFT}",
    use="adapters that are to learn as fast as full fine-tuning in the first steps, with one batch "
    "of gradients to spare.",
    suits=("adapter", "fine-tuning", "calibrated on data"),
    unsuited=("quantized",),
    see=("pissa", "eva"),
)
_add(
    "mimetic_attention",
    ("heads", "values"),
    "mimetic.mimetic_attention(heads, joint)",
    "Attention that looks like a trained vision transformer's: products of weights near the identity.",
    "W_Q·W_Kᵀ ≈ αZ + βI per head, W_V·W_proj = α′Z − β′I",
    "Trockman and Kolter 2023, Mimetic initialization of self-attention layers, arXiv:2305.09828",
    evidence="second-hand",
    difference="Two public ports store W_V and W_proj untransposed: another matrix of the same spectrum.",
    avoid="language models: they need other signs.",
    aliases=("mimetic",),
    use="vision transformers trained on little data, with fixed sine-cosine positions.",
    suits=("vit", "transformer", "small data"),
    unsuited=("language model",),
    see=("identity", "zero_query"),
)
