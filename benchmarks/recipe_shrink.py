"""A small model of any family of transformers, from its configuration class alone.

The defaults of a configuration describe the published model. Here every size in it, in nested
configurations too, is replaced by a small one chosen by the size's name, with widths that tell the
formulas apart; everything that is no size stays. Nothing is downloaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import transformers
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

WIDTH, HEADS, HEAD, INNER, LAYERS, VOCABULARY = 64, 4, 16, 96, 2, 300

STD = 0.02
"""initializer_range of every configuration: published ones differ from part to part, down to 1e-10."""

SIZES: tuple[tuple[str, int], ...] = (
    (r"(num_|n_)?(key_value|kv)_heads|(num_)?.*key_value_heads|n_head_kv|num_kv_heads", 2),
    (r".*head_dim(_\w+)?|attention_head_size|d_kv|head_size|d_head|kv_channels|.*_head_dim", HEAD),
    (r"(num_|n_)(\w+_)?heads?|(\w+_)?attention_heads|num_heads_\w+|heads|n_head|attention_num_heads", HEADS),
    (
        r"(num_|n_)(\w+_)?(layers?|blocks?)|(\w+_)?layers|num_hidden_layers|depth|n_layer|num_layers_\w+|"
        r"(encoder|decoder)_depth|text_layers|vision_layers",
        LAYERS,
    ),
    (r"(\w+_)?vocab_size(_\w+)?|n_vocab|\w*vocabulary_size|n_words|num_embeddings", VOCABULARY),
    (
        r"(\w*_)?(intermediate|ffn|feedforward|ff|mlp|inner)(_\w+)?_(size|dim|hidden_size|width)|"
        r"(\w*_)?intermediate_size|(\w*_)?ffn_dim|d_ff|dim_feedforward|n_inner|d_inner|dff|encoder_ffn_dim|"
        r"ffn_hidden_size|moe_intermediate_size|dim_feedforward",
        INNER,
    ),
    (
        r"(\w+_)?hidden_(size|dim)|d_model|n_embd|embed_dim|(\w+_)?embed_dim|dim|emb_dim|width|"
        r"(\w+_)?embedding_(size|dim)|model_dim|word_embed_proj_dim|attention_hidden_size|hidden_dimensions",
        WIDTH,
    ),
    (r"(\w+_)?projection_dim|out_hidden_size|proj_dim|(\w+_)?output_dim", WIDTH),
    (r"(num|n)_(local_|routed_)?experts|num_local_experts|moe_num_experts|n_routed_experts", 4),
    (r"(num_|n_)?experts_per_tok|moe_k|moe_top_k|top_k_experts|num_selected_experts", 2),
    (r"q_lora_rank|kv_lora_rank|\w*lora_rank|lora_dim", 24),
    (r"qk_rope_head_dim|qk_nope_head_dim", 8),
    (r"max_(\w+_)?position_embeddings|n_positions|max_seq_len|max_(source|target)_positions|seq_length", 64),
    (r"num_queries|num_query_tokens|num_denoising|num_object_queries", 8),
    (r"state_size|d_state|mamba_d_state|ssm_state_size", 8),
    (r"\w*codebook_size|\w*codevectors_per_group", 64),
)
"""(names of sizes as regular expression, small value): the first that matches counts."""

ORDER = (
    "MODEL_FOR_PRETRAINING",
    "MODEL_FOR_CAUSAL_LM",
    "MODEL_FOR_IMAGE_TEXT_TO_TEXT",
    "MODEL_FOR_MASKED_LM",
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM",
    "MODEL_FOR_SPEECH_SEQ_2_SEQ",
    "MODEL_FOR_OBJECT_DETECTION",
    "MODEL_FOR_UNIVERSAL_SEGMENTATION",
    "MODEL_FOR_DEPTH_ESTIMATION",
    "MODEL_FOR_IMAGE_CLASSIFICATION",
    "MODEL_FOR_VIDEO_CLASSIFICATION",
    "MODEL_FOR_CTC",
    "MODEL_FOR_AUDIO_CLASSIFICATION",
    "MODEL_FOR_TEXT_TO_WAVEFORM",
    "MODEL_FOR_MASK_GENERATION",
    "MODEL_FOR_KEYPOINT_DETECTION",
    "MODEL_FOR_TIME_SERIES_PREDICTION",
    "MODEL",
    "BACKBONE",
)
"""Which class of a family is built: the first table of transformers that has one."""


def model_class(family: str) -> str:
    """The name of the class built for a family, "" if transformers' tables have none."""
    for table in ORDER:
        name = getattr(modeling_auto, f"{table}_MAPPING_NAMES", {}).get(family)
        name = name[0] if isinstance(name, (tuple, list)) else name
        if name and hasattr(transformers, name):
            return str(name)
    return ""


def small(family: str, changes: Mapping[str, Any] | None = None) -> Any:
    """A family's configuration with small sizes.

    Args:
        changes: values by name, for a nested configuration a mapping.
    """
    return shrunk(CONFIG_MAPPING[family](), changes)


def shrunk(config: Any, changes: Mapping[str, Any] | None = None) -> Any:
    """The configuration itself, its sizes made small; see `small`."""
    changes = dict(changes or {})
    for name, value in list(vars(config).items()):
        if type(value).__name__ == "TimmBackboneConfig":
            setattr(config, name, backbone())
        elif hasattr(value, "to_dict"):
            setattr(config, name, shrunk(value, changes.pop(name, {})))
        elif name not in changes:
            _shrink(config, name, value)
    for name, value in changes.items():
        setattr(config, name, value)
    return config


def backbone() -> Any:
    """A small ResNet in the place of a backbone of timm, which is not needed for the rest."""
    sizes = {"embedding_size": 16, "hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 1, 1]}
    return transformers.ResNetConfig(**sizes, layer_type="basic", out_features=["stage2", "stage3", "stage4"])


def _shrink(config: Any, name: str, value: Any) -> None:
    size = _size(name)
    if name == "initializer_range" and isinstance(value, float):
        config.initializer_range = STD
    if name in ("layer_types", "layers_block_type", "mlp_layer_types") and isinstance(value, (list, tuple)):
        setattr(config, name, _kinds(value))
    elif isinstance(value, int) and not isinstance(value, bool) and size and value > size:
        setattr(config, name, size)


def _kinds(value: Sequence[Any]) -> list[Any]:
    """The first layers, so many that every kind is among them, at most `LAYERS`."""
    kinds = list(dict.fromkeys(value))[:LAYERS]
    return kinds + kinds[-1:] * (LAYERS - len(kinds))


def _size(name: str) -> int:
    if re.fullmatch(r"\w*(token|start|pad|eos|bos|unk|sep|cls|mask)_(id|index|idx)|\w*_token_ids?", name):
        return 3
    return next((size for pattern, size in SIZES if re.fullmatch(pattern, name)), 0)
