"""What transformers' models do beside the default: towers of other families, and parameters of some classes.

A model of several towers is initialized by each tower's own class; so is a layer that needs a law of its own.
"""

from __future__ import annotations

from .clip import clip, siglip
from .laws import ONE, ZERO, mapped, normal, truncated_at
from .mamba import A_LOG, DT
from .rules import Rule, tower

DELTA_NETS = ("*GatedDeltaNet",)
VECTORS = ("bare", "token", "bias")


BLIP = ("Blip*VisionEmbeddings", "InstructBlip*VisionEmbeddings")
BATCH_NORMS = ("MobileViT*", "EfficientNet*", "AlignVision*")


def _vision(std: float) -> tuple[Rule, ...]:
    """Tokens and positions that a vision tower draws, and norms that are drawn like matrices."""
    return (
        Rule(truncated_at(std), parts=("position", "class_token"), layers=BLIP),
        Rule(ZERO, names=("*query_tokens",), roles=("bare", "token")),
        *tower((Rule(normal(std), layers=("BatchNorm2d",), roles=("norm_gain",)),), *BATCH_NORMS),
    )


def hf_towers(std: float) -> tuple[Rule, ...]:
    """Rules for layers told by their classes.

    Args:
        std: the configuration's initializer_range.
    """
    drawn, conformers = normal(std), ("*.bias_u", "*.bias_v")
    return (
        *tower(siglip(), "Siglip*", "Lfm2VlVision*"),
        *tower(clip(flavor="hf"), "CLIPVision*", "CLIPText*"),
        Rule(drawn, names=conformers, layers=("*Attention",), roles=("bare", "token", "bias")),
        Rule(drawn, parts=("attention.sink",)),
        Rule(ZERO, parts=("attention.sink",), layers=("GraniteSwa*", "GraniteMoeSwa*", "DeepseekV4*")),
        *_vision(std),
        Rule(drawn, layers=("JetMoeParallelExperts", "DbrxExpertGLU")),
        Rule(drawn, layers=("Perceiver*", "AriaProjector"), roles=("bare", "token")),
        Rule(normal(0.1), names=("*.lambda_q[12]", "*.lambda_k[12]"), layers=("DiffLlama*",)),
        Rule(ZERO, parts=("router",), layers=("Afmoe*",)),
        Rule(drawn, parts=("router",), layers=("OpenAIPrivacyFilter*",), roles=("bias",)),
        Rule(DT, parts=("ssm.dt_bias",), layers=("Zamba2*",), roles=VECTORS),
        Rule(A_LOG, parts=("ssm.A",), layers=("Zamba2*",)),
        Rule(ONE, parts=("ssm.D",), layers=("Zamba2*",)),
        Rule(ONE, parts=("ssm.dt_bias",), layers=DELTA_NETS, roles=VECTORS),
        Rule(mapped("log_of_uniform", 0.01, 16.0), parts=("ssm.A",), layers=DELTA_NETS),
    )
