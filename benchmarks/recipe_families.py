"""The models of recipe_agreement.py, and why some of their tensors differ from our recipes."""

from __future__ import annotations

from recipe_case import Case
from recipe_decoders import DECODERS
from recipe_encoders import ENCODERS
from recipe_vision import VISION_MODELS

CASES: tuple[Case, ...] = (*DECODERS, *ENCODERS, *VISION_MODELS)

LECUN = (
    "transformers' lecun_normal_ widens the std for a cut at ±2σ but cuts at ±2 in weight units, so that its "
    "std is 1.137/√fan_in; big_vision's is 1/√fan_in, as here."
)
WEIGHT_NORM = (
    "transformers writes to the weight behind weight_norm, which is computed anew: torch's default stays."
)
MARKED = (
    "transformers marks the patch convolution as initialized before its embeddings' rule asks for it, "
    "so that "
    "the rule never runs: patches stay N(0, 0.02), class token and positions 0."
)
RESET = "transformers resets the two projections to torch's default in Wav2Vec2ForPreTraining only."
SLOPES = "Parameters of a learned activation: its constructor's values stay in transformers too."
RELATIVE = "Ones from the constructor, and no rule of transformers names them."
REGISTERS = "transformers' rule does not name the register tokens: the constructor's zeros stay."

EXPLAINED: tuple[tuple[str, str, str], ...] = (
    ("siglip*", "[hpa]*", LECUN),
    *((family, "position.conv", WEIGHT_NORM) for family in ("wav2vec2", "hubert", "wavlm", "unispeech")),
    ("vit_mae", "class_token", MARKED),
    ("vit_mae", "patch", MARKED),
    ("unispeech", "weight", RESET),
    ("unispeech", "bias bias", RESET),
    ("apertus", "bare*", SLOPES),
    ("wavlm", "bare*", RELATIVE),
    ("timesformer", "bare*", "Positions in time: the constructor's zeros stay, in transformers too."),
    ("dinov2_with_registers", "register_token", REGISTERS),
)
"""(family, part, reason); family and part are globs."""
