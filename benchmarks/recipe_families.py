"""The models of recipe_agreement.py, and why some of their tensors differ from our recipes."""

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

CASES: tuple[Case, ...] = (
    # decoders
    Case("gpt2", "gpt2", "GPT2LMHeadModel", GPT),
    Case("imagegpt", "gpt2", "ImageGPTForCausalImageModeling", GPT),
    Case("gpt_bigcode", "gpt2", "GPTBigCodeForCausalLM", GPT),
    Case(
        "gpt_neo",
        "gpt_neo",
        "GPTNeoForCausalLM",
        {
            "hidden_size": 64,
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "vocab_size": 300,
        },
    ),
    Case("gptj", "gptj", "GPTJForCausalLM", {**GPT, "rotary_dim": 8}),
    Case("codegen", "codegen", "CodeGenForCausalLM", {**GPT, "rotary_dim": 8}),
    Case("ctrl", "ctrl", "CTRLLMHeadModel", {**GPT, "dff": 160}),
    Case("gpt_neox", "gpt_neox", "GPTNeoXForCausalLM", PLAIN, HF),
    Case("opt", "opt", "OPTForCausalLM", {**PLAIN, "ffn_dim": 160, "word_embed_proj_dim": 64}, HF),
    Case("bloom", "bloom", "BloomForCausalLM", {**PLAIN, "n_layer": 3, "n_head": 4}),
    Case("falcon", "falcon", "FalconForCausalLM", PLAIN),
    Case(
        "mpt",
        "mpt",
        "MptForCausalLM",
        {"d_model": 64, "n_heads": 4, "n_layers": 3, "vocab_size": 300, "expansion_ratio": 2},
    ),
    Case("biogpt", "biogpt", "BioGptForCausalLM", PLAIN),
    Case(
        "xglm",
        "xglm",
        "XGLMForCausalLM",
        {**PLAIN, "d_model": 64, "num_layers": 3, "attention_heads": 4, "ffn_dim": 160},
    ),
    Case("llama", "llama", "LlamaForCausalLM", DECODER),
    Case("mistral", "mistral", "MistralForCausalLM", DECODER),
    Case("phi", "phi", "PhiForCausalLM", PLAIN),
    Case("phi3", "phi3", "Phi3ForCausalLM", DECODER),
    Case("exaone4", "exaone4", "Exaone4ForCausalLM", DECODER),
    Case("qwen2", "qwen2", "Qwen2ForCausalLM", DECODER),
    Case("qwen3", "qwen3", "Qwen3ForCausalLM", DECODER),
    Case("qwen2_moe", "qwen2_moe", "Qwen2MoeForCausalLM", {**EXPERTS, "shared_expert_intermediate_size": 80}),
    Case("qwen3_moe", "qwen3", "Qwen3MoeForCausalLM", EXPERTS),
    Case(
        "qwen3_next",
        "qwen3_next",
        "Qwen3NextForCausalLM",
        {
            **EXPERTS,
            "num_hidden_layers": 4,
            "linear_num_value_heads": 4,
            "linear_num_key_heads": 2,
            "linear_key_head_dim": 16,
            "linear_value_head_dim": 16,
            "shared_expert_intermediate_size": 80,
        },
    ),
    Case("mixtral", "mixtral", "MixtralForCausalLM", EXPERTS),
    Case("olmoe", "olmoe", "OlmoeForCausalLM", EXPERTS),
    Case("granitemoe", "granitemoe", "GraniteMoeForCausalLM", EXPERTS),
    Case("phimoe", "phimoe", "PhimoeForCausalLM", EXPERTS),
    Case("gpt_oss", "gpt_oss", "GptOssForCausalLM", EXPERTS),
    Case("deepseek_v3", "deepseek_v3", "DeepseekV3ForCausalLM", LATENT),
    Case("olmo", "olmo", "OlmoForCausalLM", DECODER, HF),
    Case("olmo2", "olmo2", "Olmo2ForCausalLM", DECODER, HF),
    Case("gemma", "gemma", "GemmaForCausalLM", DECODER),
    Case("gemma2", "gemma2", "Gemma2ForCausalLM", DECODER),
    Case("gemma3", "gemma3", "Gemma3ForCausalLM", DECODER),
    Case("nanochat", "nanochat", "NanoChatForCausalLM", DECODER, HF),
    Case("cohere", "cohere", "CohereForCausalLM", DECODER),
    Case("stablelm", "stablelm", "StableLmForCausalLM", DECODER),
    Case("starcoder2", "starcoder2", "Starcoder2ForCausalLM", DECODER, {"std": 0.018042}),
    Case("granite", "granite", "GraniteForCausalLM", DECODER),
    Case("nemotron", "nemotron", "NemotronForCausalLM", DECODER, {"std": 0.0134}),
    Case("persimmon", "persimmon", "PersimmonForCausalLM", PLAIN),
    Case("glm", "glm", "GlmForCausalLM", DECODER),
    Case("helium", "helium", "HeliumForCausalLM", DECODER),
    Case("arcee", "arcee", "ArceeForCausalLM", DECODER),
    Case("smollm3", "smollm3", "SmolLM3ForCausalLM", DECODER),
    *(
        Case(name, name, f"{stem}ForCausalLM", DECODER)
        for name, stem in (
            ("apertus", "Apertus"),
            ("bitnet", "BitNet"),
            ("cohere2", "Cohere2"),
            ("ernie4_5", "Ernie4_5"),
            ("glm4", "Glm4"),
            ("hunyuan_v1_dense", "HunYuanDenseV1"),
            ("lfm2", "Lfm2"),
            ("ministral", "Ministral"),
            ("olmo3", "Olmo3"),
            ("seed_oss", "SeedOss"),
        )
    ),
    Case(
        "rwkv",
        "rwkv",
        "RwkvForCausalLM",
        {
            "hidden_size": 64,
            "attention_hidden_size": 64,
            "num_hidden_layers": 3,
            "vocab_size": 300,
            "intermediate_size": 160,
        },
    ),
    Case("openai", "openai", "OpenAIGPTLMHeadModel", GPT),
    Case("ernie4_5_moe", "ernie4_5_moe", "Ernie4_5_MoeForCausalLM", {**EXPERTS, "moe_num_experts": 4}),
    Case("minimax", "minimax", "MiniMaxForCausalLM", EXPERTS),
    Case("deepseek_v2", "deepseek_v2", "DeepseekV2ForCausalLM", LATENT),
    Case(
        "glm4_moe",
        "glm4_moe",
        "Glm4MoeForCausalLM",
        {**EXPERTS, "n_routed_experts": 4, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1},
    ),
    Case(
        "dots1",
        "dots1",
        "Dots1ForCausalLM",
        {
            **EXPERTS,
            "n_routed_experts": 4,
            "n_group": 1,
            "topk_group": 1,
            "first_k_dense_replace": 1,
            "n_shared_experts": 1,
        },
    ),
    Case(
        "jamba",
        "jamba",
        "JambaForCausalLM",
        {
            **EXPERTS,
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "expert_layer_period": 2,
            "expert_layer_offset": 1,
            "use_mamba_kernels": False,
        },
    ),
    Case(
        "bamba",
        "bamba",
        "BambaForCausalLM",
        {**DECODER, "attn_layer_indices": [1], "mamba_n_heads": 8, "mamba_d_head": 16, "mamba_d_state": 8},
    ),
    Case(
        "falcon_h1",
        "falcon_h1",
        "FalconH1ForCausalLM",
        {**DECODER, "mamba_n_heads": 8, "mamba_d_head": 16, "mamba_d_state": 8, "mamba_d_ssm": 128},
    ),
    Case(
        "granitemoehybrid",
        "granitemoehybrid",
        "GraniteMoeHybridForCausalLM",
        {
            **EXPERTS,
            "layer_types": ["mamba", "attention", "mamba"],
            "mamba_n_heads": 8,
            "mamba_d_head": 16,
            "mamba_d_state": 8,
            "shared_intermediate_size": 96,
        },
    ),
    Case(
        "recurrent_gemma",
        "recurrent_gemma",
        "RecurrentGemmaForCausalLM",
        {**DECODER, "head_dim": 16, "lru_width": 96, "attention_window_size": 16},
    ),
    # encoders and encoder–decoders
    *(
        Case(name, name, f"{stem}ForMaskedLM", {**ENCODER, "embedding_size": 48})
        for name, stem in (
            ("convbert", "ConvBert"),
            ("data2vec_text", "Data2VecText"),
            ("fnet", "FNet"),
            ("luke", "Luke"),
            ("megatron_bert", "MegatronBert"),
            ("nystromformer", "Nystromformer"),
            ("rembert", "RemBert"),
            ("roformer", "RoFormer"),
            ("yoso", "Yoso"),
        )
    ),
    Case("squeezebert", "squeezebert", "SqueezeBertForMaskedLM", {**ENCODER, "embedding_size": 64}),
    Case("esm", "esm", "EsmForMaskedLM", {**ENCODER, "position_embedding_type": "absolute"}),
    Case(
        "mobilebert",
        "mobilebert",
        "MobileBertForMaskedLM",
        {
            **ENCODER,
            "hidden_size": 64,
            "embedding_size": 32,
            "intra_bottleneck_size": 64,
            "true_hidden_size": 64,
        },
    ),
    Case(
        "funnel",
        "funnel",
        "FunnelForMaskedLM",
        {"d_model": 64, "block_sizes": [1, 1], "n_head": 4, "d_head": 16, "d_inner": 160, "vocab_size": 300},
    ),
    Case("xmod", "xmod", "XmodForMaskedLM", {**ENCODER, "languages": ["en_XX"]}),
    Case("bert_generation", "bert_generation", "BertGenerationDecoder", {**ENCODER, "is_decoder": True}),
    Case("dpr", "dpr", "DPRQuestionEncoder", ENCODER),
    Case(
        "xlnet",
        "xlnet",
        "XLNetLMHeadModel",
        {"d_model": 64, "n_layer": 3, "n_head": 4, "d_inner": 160, "vocab_size": 300},
    ),
    Case(
        "xlm",
        "xlm",
        "XLMWithLMHeadModel",
        {
            "emb_dim": 64,
            "n_layers": 3,
            "n_heads": 4,
            "n_words": 300,
            "n_langs": 2,
            "max_position_embeddings": 64,
        },
    ),
    Case(
        "flaubert",
        "flaubert",
        "FlaubertWithLMHeadModel",
        {
            "emb_dim": 64,
            "n_layers": 3,
            "n_heads": 4,
            "n_words": 300,
            "n_langs": 2,
            "max_position_embeddings": 64,
        },
    ),
    Case("bert", "bert", "BertForPreTraining", ENCODER, HF),
    Case("roberta", "roberta", "RobertaForMaskedLM", ENCODER),
    Case("xlm_roberta", "xlm_roberta", "XLMRobertaForSequenceClassification", ENCODER),
    Case("camembert", "camembert", "CamembertForMaskedLM", ENCODER),
    Case("electra", "electra", "ElectraForPreTraining", {**ENCODER, "embedding_size": 48}, HF),
    Case(
        "deberta",
        "deberta",
        "DebertaForMaskedLM",
        {**ENCODER, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    ),
    Case(
        "deberta_v2",
        "deberta_v2",
        "DebertaV2ForMaskedLM",
        {**ENCODER, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    ),
    Case("albert", "albert", "AlbertForMaskedLM", {**ENCODER, "embedding_size": 48}, HF),
    Case(
        "distilbert",
        "distilbert",
        "DistilBertForMaskedLM",
        {
            "dim": 64,
            "n_layers": 3,
            "n_heads": 4,
            "hidden_dim": 160,
            "vocab_size": 300,
            "max_position_embeddings": 64,
        },
    ),
    Case("mpnet", "mpnet", "MPNetForMaskedLM", ENCODER),
    Case("ernie", "ernie", "ErnieForMaskedLM", ENCODER),
    Case("layoutlm", "layoutlm", "LayoutLMForMaskedLM", ENCODER),
    Case("longformer", "longformer", "LongformerForMaskedLM", {**ENCODER, "attention_window": 4}),
    Case("big_bird", "big_bird", "BigBirdForMaskedLM", ENCODER),
    Case("modernbert", "modernbert", "ModernBertForSequenceClassification", ENCODER),
    Case("t5", "t5", "T5ForConditionalGeneration", {**T5, "tie_word_embeddings": False}),
    Case("t5_gated", "t5", "T5ForConditionalGeneration", {**T5, "feed_forward_proj": "gated-gelu"}),
    Case("t5_tokens", "t5", "T5ForTokenClassification", T5),
    Case("mt5", "mt5", "MT5ForConditionalGeneration", T5),
    Case("umt5", "umt5", "UMT5ForConditionalGeneration", T5),
    Case("longt5", "longt5", "LongT5ForConditionalGeneration", T5),
    Case(
        "switch_transformers",
        "switch_transformers",
        "SwitchTransformersForConditionalGeneration",
        {**T5, "num_experts": 4, "num_decoder_layers": 2},
    ),
    Case("bart", "bart", "BartForConditionalGeneration", BART),
    Case("mbart", "mbart", "MBartForConditionalGeneration", BART),
    Case("pegasus", "pegasus", "PegasusForConditionalGeneration", BART),
    Case("blenderbot", "blenderbot", "BlenderbotForConditionalGeneration", BART),
    Case("marian", "marian", "MarianMTModel", BART),
    Case("m2m_100", "m2m_100", "M2M100ForConditionalGeneration", BART),
    Case("blenderbot_small", "blenderbot_small", "BlenderbotSmallForConditionalGeneration", BART),
    Case("plbart", "plbart", "PLBartForConditionalGeneration", BART),
    Case("mvp", "mvp", "MvpForConditionalGeneration", BART),
    Case("pegasus_x", "pegasus_x", "PegasusXForConditionalGeneration", BART),
    Case("bigbird_pegasus", "bigbird_pegasus", "BigBirdPegasusForConditionalGeneration", BART),
    Case(
        "led",
        "led",
        "LEDForConditionalGeneration",
        {
            **BART,
            "max_encoder_position_embeddings": 64,
            "max_decoder_position_embeddings": 64,
            "attention_window": 4,
        },
    ),
    Case("trocr", "trocr", "TrOCRForCausalLM", BART),
    Case(
        "speech_to_text",
        "speech_to_text",
        "Speech2TextForConditionalGeneration",
        {
            **BART,
            "max_source_positions": 64,
            "max_target_positions": 32,
            "input_feat_per_channel": 40,
            "conv_channels": 48,
        },
    ),
    Case(
        "prophetnet",
        "prophetnet",
        "ProphetNetForConditionalGeneration",
        {
            **PROPHET,
            "num_encoder_layers": 2,
            "num_decoder_layers": 2,
            "num_encoder_attention_heads": 4,
            "num_decoder_attention_heads": 4,
            "encoder_ffn_dim": 160,
            "decoder_ffn_dim": 160,
            "decoder_start_token_id": 1,
        },
    ),
    # several towers, speech
    Case("clip", "clip", "CLIPModel", TOWERS, HF),
    Case("owlvit", "owlvit", "OwlViTModel", TOWERS, HF),
    Case("clipseg", "clipseg", "CLIPSegModel", TOWERS, HF),
    Case("wavlm", "wavlm", "WavLMModel", SPEECH),
    Case("unispeech", "unispeech", "UniSpeechForPreTraining", SPEECH),
    Case(
        "siglip2",
        "siglip2",
        "Siglip2Model",
        {"text_config": TEXT, "vision_config": {**VISION, "hidden_size": 96, "num_patches": 16}},
    ),
    Case("siglip", "siglip", "SiglipModel", TOWERS),
    Case("whisper", "whisper", "WhisperForConditionalGeneration", WHISPER),
    Case("wav2vec2", "wav2vec2", "Wav2Vec2ForPreTraining", SPEECH),
    Case("hubert", "hubert", "HubertModel", SPEECH),
    # vision
    Case("vit", "vit", "ViTForImageClassification", VISION, HF),
    Case(
        "vit_mae",
        "vit_mae",
        "ViTMAEForPreTraining",
        {
            **VISION,
            "decoder_hidden_size": 48,
            "decoder_num_hidden_layers": 2,
            "decoder_num_attention_heads": 4,
            "decoder_intermediate_size": 96,
        },
    ),
    Case("deit", "deit", "DeiTForImageClassificationWithTeacher", VISION, HF),
    Case(
        "beit",
        "beit",
        "BeitForImageClassification",
        {**VISION, "use_relative_position_bias": True, "layer_scale_init_value": 0.1},
        HF,
    ),
    Case("dinov2", "dinov2", "Dinov2ForImageClassification", {**VISION, "mlp_ratio": 2}),
    Case("dinov3", "dinov3", "DINOv3ViTModel", {**VISION, "num_register_tokens": 2}),
    Case("ijepa", "ijepa", "IJepaModel", VISION),
    Case("swin", "swin", "SwinForImageClassification", SWIN, HF),
    Case("swinv2", "swinv2", "Swinv2ForImageClassification", SWIN, HF),
    Case("convnext", "convnext", "ConvNextForImageClassification", CONVNEXT, HF),
    Case("convnextv2", "convnextv2", "ConvNextV2ForImageClassification", CONVNEXT, HF),
    Case(
        "resnet",
        "resnet",
        "ResNetForImageClassification",
        {"embedding_size": 32, "hidden_sizes": [32, 64], "depths": [2, 2], "layer_type": "basic"},
        HF,
    ),
    Case(
        "resnet_bottleneck",
        "resnet",
        "ResNetForImageClassification",
        {"embedding_size": 32, "hidden_sizes": [64, 128], "depths": [2, 2]},
        HF,
    ),
    Case(
        "bit",
        "bit",
        "BitForImageClassification",
        {"embedding_size": 32, "num_groups": 8, "hidden_sizes": [64, 128], "depths": [2, 2]},
        HF,
    ),
    Case(
        "regnet",
        "regnet",
        "RegNetForImageClassification",
        {"embedding_size": 32, "hidden_sizes": [32, 64], "depths": [1, 1], "groups_width": 16},
        HF,
    ),
    Case(
        "efficientnet",
        "efficientnet",
        "EfficientNetForImageClassification",
        {"width_coefficient": 1.0, "depth_coefficient": 0.2, "image_size": 32},
        HF,
    ),
    Case(
        "mobilenet_v1",
        "mobilenet",
        "MobileNetV1ForImageClassification",
        {"depth_multiplier": 0.25, "image_size": 32, "min_depth": 8},
        HF,
    ),
    Case(
        "mobilenet_v2",
        "mobilenet",
        "MobileNetV2ForImageClassification",
        {"depth_multiplier": 0.25, "image_size": 32},
        HF,
    ),
    Case("dpt", "dpt", "DPTModel", VISION),
    Case("yolos", "yolos", "YolosModel", {**VISION, "image_size": [32, 32]}),
    Case("videomae", "videomae", "VideoMAEForVideoClassification", {**VISION, "num_frames": 4}),
    Case("vivit", "vivit", "VivitForVideoClassification", {**VISION, "num_frames": 4}),
    Case("vit_msn", "vit_msn", "ViTMSNForImageClassification", VISION),
    Case(
        "segformer",
        "segformer",
        "SegformerForImageClassification",
        {"hidden_sizes": [16, 32, 40, 64], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4]},
    ),
    Case(
        "poolformer",
        "poolformer",
        "PoolFormerForImageClassification",
        {"hidden_sizes": [16, 32, 40, 64], "depths": [1, 1, 1, 1]},
    ),
    Case(
        "focalnet",
        "focalnet",
        "FocalNetForImageClassification",
        {
            "embed_dim": 32,
            "depths": [1, 1],
            "hidden_sizes": [32, 64],
            "focal_levels": [2, 2],
            "focal_windows": [3, 3],
            "image_size": 32,
            "use_layerscale": True,
            "layerscale_value": 1e-5,
        },
    ),
    Case("timesformer", "timesformer", "TimesformerForVideoClassification", {**VISION, "num_frames": 4}),
    Case(
        "cvt",
        "cvt",
        "CvtForImageClassification",
        {"embed_dim": [16, 32, 48], "num_heads": [1, 2, 3], "depth": [1, 2, 3]},
    ),
    Case(
        "pvt",
        "pvt",
        "PvtForImageClassification",
        {"hidden_sizes": [16, 32, 40, 64], "depths": [1, 1, 1, 1], "image_size": 64},
    ),
    Case(
        "dinov2_with_registers",
        "dinov2_with_registers",
        "Dinov2WithRegistersModel",
        {**VISION, "mlp_ratio": 2},
    ),
    Case(
        "audio_spectrogram_transformer",
        "audio_spectrogram_transformer",
        "ASTForAudioClassification",
        {
            **PLAIN,
            "patch_size": 8,
            "num_mel_bins": 24,
            "max_length": 32,
            "frequency_stride": 8,
            "time_stride": 8,
        },
    ),
    Case("vitdet", "vitdet", "VitDetModel", {**VISION, "mlp_ratio": 2}),
    Case(
        "decision_transformer",
        "decision_transformer",
        "DecisionTransformerModel",
        {"hidden_size": 64, "n_layer": 3, "n_head": 4, "state_dim": 5, "act_dim": 3},
    ),
    # state spaces
    Case("mamba", "mamba", "MambaForCausalLM", MAMBA, HF),
    Case(
        "mamba2", "mamba2", "Mamba2ForCausalLM", {**MAMBA, "num_heads": 8, "head_dim": 16, "n_groups": 1}, HF
    ),
    Case("falcon_mamba", "falcon_mamba", "FalconMambaForCausalLM", MAMBA, HF),
)

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
