"""What transformers' models do beside the default: towers of other families, and parameters of some classes.

A model of several towers is initialized by each tower's own class; so is a layer that needs a law of its own.
"""

from __future__ import annotations

from .clip import clip, siglip
from .laws import ONE, ZERO, mapped, normal
from .rules import Rule, tower

DELTA_NETS = ("Qwen3_5*GatedDeltaNet", "Qwen3_5Moe*GatedDeltaNet", "*GatedDeltaNet")
VECTORS = ("bare", "token", "bias")


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
        Rule(ONE, parts=("ssm.dt_bias",), layers=DELTA_NETS, roles=VECTORS),
        Rule(mapped("log_of_uniform", 0.01, 16.0), parts=("ssm.A",), layers=DELTA_NETS),
    )
