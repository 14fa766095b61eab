"""One comparison of recipe_agreement.py, and the sizes that its small models share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One model to build: its family, our recipe with options, transformers' class and configuration.

    Attributes:
        small: the configuration is the family's own with every size made small (`recipe_shrink`), and
            `config` what is changed in it besides.
    """

    family: str
    recipe: str
    model: str
    config: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    small: bool = False


HF = {"flavor": "hf"}
DECODER = {
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 160,
    "vocab_size": 300,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
PLAIN = {key: value for key, value in DECODER.items() if key not in ("num_key_value_heads", "head_dim")}
EXPERTS = {
    **DECODER,
    "moe_intermediate_size": 48,
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
}
GPT = {
    "n_embd": 64,
    "n_layer": 3,
    "n_head": 4,
    "vocab_size": 300,
    "n_positions": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
ENCODER = {**PLAIN, "type_vocab_size": 2}
PROPHET = {key: value for key, value in ENCODER.items() if key != "num_hidden_layers"}
T5 = {"d_model": 64, "d_kv": 24, "num_heads": 4, "d_ff": 160, "num_layers": 2, "vocab_size": 300}
BART = {
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 160,
    "decoder_ffn_dim": 160,
    "vocab_size": 300,
    "max_position_embeddings": 64,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
}
WHISPER = {**BART, "num_mel_bins": 40, "max_source_positions": 64, "max_target_positions": 32}
VISION = {**PLAIN, "image_size": 32, "patch_size": 8, "num_channels": 3}
TEXT = {**PLAIN, "projection_dim": 48}
TOWERS = {
    "text_config": TEXT,
    "vision_config": {**VISION, "hidden_size": 96, "num_hidden_layers": 2},
    "projection_dim": 48,
}
SWIN = {
    "embed_dim": 48,
    "depths": [2, 2],
    "num_heads": [2, 4],
    "image_size": 64,
    "window_size": 4,
    "patch_size": 4,
}
SPEECH = {
    **PLAIN,
    "conv_dim": (48, 48),
    "conv_stride": (5, 2),
    "conv_kernel": (10, 3),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "feat_extract_norm": "layer",
    "num_codevectors_per_group": 20,
    "codevector_dim": 32,
    "proj_codevector_dim": 32,
}
MAMBA = {"hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 300, "state_size": 8}
CONVNEXT = {"hidden_sizes": [32, 64], "depths": [2, 2], "num_stages": 2, "image_size": 32}

LATENT = {
    **EXPERTS,
    "num_key_value_heads": 4,
    "n_routed_experts": 4,
    "n_group": 2,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "q_lora_rank": 24,
    "kv_lora_rank": 20,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 16,
}
