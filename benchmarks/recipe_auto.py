"""Families of transformers whose models are built from their own configuration, made small.

Each agrees with the recipe it stands under, or its disagreement is explained; families whose models need
packages that are not installed, or a law that no recipe has yet, are not here.
"""

from __future__ import annotations

from typing import Any

CHANGES: dict[str, dict[str, Any]] = {
    "dbrx": {"attn_config": {"rope_theta": 10000.0}},
    "donut-swin": {"embed_dim": 48, "depths": [1, 1], "num_heads": [3, 6]},
    "gemma3n_text": {"num_kv_shared_layers": 0},
    "maskformer-swin": {"embed_dim": 48, "depths": [1, 1], "num_heads": [3, 6]},
}
"""What a configuration needs besides small sizes."""


def _families(names: str) -> dict[str, dict[str, Any]]:
    return {name: CHANGES.get(name, {}) for name in names.split()}


AUTO: tuple[tuple[str, dict[str, Any], dict[str, dict[str, Any]]], ...] = (
    (
        "hf_default",
        {},
        _families(
            """
            afmoe aria aria_text audioflamingo3 audioflamingo3_encoder axk1 axk2 aya_vision beam blip
            blip-2 blip_2_qformer bros canary canine cohere2_moe cohere2_vision cohere_asr
            cohere_compass_vision colpali colqwen2 conditional_detr cosmos3_edge cosmos3_edge_text
            cosmos3_edge_vision cosmos3_omni cwm dbrx deepseek_v32 deepseek_vl detr dia diffllama
            dinov3_convnext doge donut-swin dots3_note_text edgetam_video embedding_gemma2
            embedding_gemma2_text encoder-decoder esmc eurobert exaone4_5 exaone4_5_vision exaone_moe
            flava flex_olmo flint fun_asr_nano fun_asr_nano_encoder fuyu gemma3_text gemma3n_audio
            gemma3n_text gemma4 gemma4_audio gemma4_text gemma4_unified gemma4_unified_text
            gemma4_vision glm46v glm4_moe_lite glm4v glm4v_moe glm4v_moe_text glm4v_moe_vision
            glm4v_text glm4v_vision glm5_next_vision glm_image glm_image_text glm_image_vision
            glm_image_vqmodel glm_moe_dsa glm_ocr glm_ocr_text glm_ocr_vision glmasr glmasr_encoder
            glmga glpn got_ocr2 gpt_neox_japanese gradium_phonon_tts granite_docling
            granite_docling_text granite_docling_vision granite_speech5_ctc granite_speech5_encoder
            granite_swa granitemoe_swa granitemoeshared gte hgnet_v2 higgs_audio_v2 hrm_text hy_v3
            hyperclovax hyperclovax_vision_v2 idefics idefics2 idefics3 idefics3_vision instructblip
            instructblipvideo internlm3 internvl internvl_vision iquestcoder jais2 jetmoe
            jina_embeddings_v3 kolibri1 laguna lasr_ctc lasr_encoder levit lfm2_vl lfm3 lfm3_vl
            lfm3_vl_vision lightglue lighton_ocr lilt llama4_text llava longcat_flash lxmert markuplm
            maskformer-swin mellum minicpm3 minicpm_ocr_vision minicpmv4_7_vision minimax_m2
            minimax_m3_vl minimax_m3_vl_text ministral3 mistral3 mistral4 mobilevit mobilevitv2
            molmo2_text moonshine moshi moss_transcribe_diarize moss_transcribe_diarize_audio mra
            muse_glimmer_assistant muse_glimmer_vision muse_spark_audio muse_spark_vision musicflamingo
            nemotron3_5_asr nemotron3_5_transcribe_asr_audio nemotron3_5_transcribe_word_timestamp
            nemotron3_diarization_audio nemotron_asr_streaming nemotron_asr_streaming_encoder nllb-moe
            nomic_bert openai-gpt openai_privacy_filter ovis2 paddleocr_vl paligemma parakeet_ctc
            parakeet_encoder parakeet_rnnt patchtsmixer patchtst perceiver pi0 pixtral pocket_tts
            pp_chart2table pp_formulanet pp_lcnet pp_ocrv5_mobile_det pp_ocrv5_mobile_rec
            pp_ocrv5_server_rec pp_ocrv6_small_det pp_ocrv6_small_rec pp_ocrv6_tiny_rec qianfan_ocr
            qianfan_ocr_vision qwen2_5_omni_thinker qwen2_5_vl qwen2_5_vl_text qwen2_5_vl_vision
            qwen2_audio qwen2_audio_encoder qwen2_vl qwen2_vl_text qwen3_5_moe_text qwen3_5_moe_vision
            qwen3_5_text qwen3_5_vision qwen3_asr qwen3_asr_encoder qwen3_omni_moe_thinker qwen3_vl
            qwen3_vl_moe qwen3_vl_moe_text qwen3_vl_moe_vision qwen3_vl_text qwen3_vl_vision
            qwen4_exp_vision roberta-prelayernorm roc_bert sam2 seamless_m4t seamless_m4t_v2 smolvlm
            smolvlm_vision solar_open splinter superpoint t5gemma table-transformer tapas textnet
            tipsv2_text_model ultrabert univnet uvdoc vaultgemma video_llama_3 video_llama_3_vision
            visual_bert voxtral voxtral_encoder voxtral_realtime voxtral_realtime_encoder xlm-roberta-xl
            zamba2
            """
        ),
    ),
    (
        "dinov2",
        {},
        _families(
            """
            aimv2_vision_model chmv2 depth_anything dinov3_vit git mgp-str molmo2 pixio
            prompt_depth_anything sam3_vision_model sam3_vit_model sapiens2 vision-encoder-decoder
            """
        ),
    ),
    (
        "clip",
        {"flavor": "hf"},
        _families(
            """
            chinese_clip_vision_model clip_text_model clip_vision_model owlv2
            """
        ),
    ),
    (
        "gpt2",
        {},
        _families(
            """
            gpt-sw3
            """
        ),
    ),
    (
        "hf_vision",
        {},
        _families(
            """
            layoutlmv3 vilt
            """
        ),
    ),
    (
        "t5",
        {},
        _families(
            """
            pop2piano
            """
        ),
    ),
    (
        "beit",
        {"flavor": "hf"},
        _families(
            """
            data2vec-vision
            """
        ),
    ),
)
"""(recipe, options, {family: changes})."""

_SIGLIP = """
    aya_vision cohere2_vision colpali deepseek_vl lfm2_vl paligemma pi0
"""
SIGLIP_TOWERS = tuple(_SIGLIP.split())
"""Families with a tower of SigLIP's, which transformers truncates in its own way."""
