"""What a family of transformers is called with, from its configuration and its forward's signature.

Models of several modalities get text, and their towers are families of their own; those that compare
or need modalities (`PAIRS`) get both.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

BATCH, LENGTH, SAMPLES = 2, 24, 8000
LOWEST_ID = 5
"""Ids below have special meanings in the small configurations."""


def words(text: str) -> frozenset[str]:
    """Those of a text."""
    return frozenset(text.split())


PAIRS = words(
    """
    aimv2 align altclip bridgetower chinese_clip clap clip clipseg flava groupvit layoutlmv3 metaclip_2
    owlv2 owlvit sam3 siglip siglip2 tipsv2 tvp vilt vision-text-dual-encoder xclip blip blip-2
    instructblip instructblipvideo grounding-dino mm-grounding-dino pe_audio pe_video pe_audio_video
    videoprism lxmert bros idefics layoutlmv2 omdet-turbo udop pix2struct kosmos-2 sam3_lite_text
    """
)
"""Families that do not run on text alone."""

Made = Any


def inputs(family: str, config: Any, model: type) -> dict[str, Any]:
    """Keyword arguments for the forward of `model`, texts standing for random tensors.

    Raises:
        LookupError: an argument is required that nothing here knows how to make.
    """
    taken = inspect.signature(model.forward).parameters  # type: ignore[attr-defined]
    required = [
        n for n, p in taken.items() if n != "self" and p.default is p.empty and p.kind < p.VAR_POSITIONAL
    ]
    own = EXTRA.get(family, lambda config: {})(config)
    names = [name for name in dict.fromkeys([*_main(family, model, taken), *required]) if name not in own]
    found = {name: _made(name, family, config) for name in names if name in taken}
    if "decoder_input_ids" in taken:
        found["decoder_input_ids"] = ids(config)
    if "grid_thw" in taken:
        found["grid_thw"] = GRID.clone()
    return {**found, **own}


def _main(family: str, model: Any, taken: Any) -> list[str]:
    main = model.main_input_name
    mains = [main] if isinstance(main, str) else list(main)
    if family in PAIRS:
        return [
            name
            for name in (
                *mains,
                "input_ids",
                "pixel_values",
                "input_features",
                "bbox",
                "visual_feats",
                "visual_pos",
            )
            if name in taken
        ]
    return [name for name in mains if name in taken]


def _made(name: str, family: str, config: Any) -> Any:
    maker = MAKERS.get(name)
    if maker is None:
        raise LookupError(f"nothing known makes the argument {name}")
    return maker(family, config)


def ids(config: Any, length: int = LENGTH) -> Tensor:
    """Token ids, (batch, length), without special ones."""
    bound = min([size for size in (find(config, "vocab_size"), 300) if isinstance(size, int)])
    generator = torch.Generator().manual_seed(0)
    return torch.randint(min(LOWEST_ID, bound - 1), bound, (BATCH, length), generator=generator)


def find(config: Any, *names: str, among: tuple[str, ...] = ()) -> Any:
    """The first of the attributes that the configuration, or one nested in it, has."""
    for name in names:
        if getattr(config, name, None) is not None:
            return getattr(config, name)
    nested = [value for key, value in vars(config).items() if hasattr(value, "to_dict")]
    for value in nested:
        found = find(value, *names)
        if found is not None:
            return found
    return None


def image(family: str, config: Any) -> str:
    """Images of the size that the configuration names, else 224."""
    size = find(config, "image_size", "img_size", "input_size") or 224
    size = [size.get("height", 224), size.get("width", 224)] if isinstance(size, dict) else size
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    channels = find(config, "num_channels", "in_channels", "in_chans") or 3
    frames = f"{FRAMES[family](config)}," if family in FRAMES else ""
    return f"f32[{BATCH},{frames}{channels if isinstance(channels, int) else 3},{height},{width}]"


GRID = torch.tensor([[1, 8, 8], [1, 8, 8]])


def patches(family: str, config: Any) -> str:
    """Flattened patches of two images of 8×8."""
    inner = find(config, "in_channels", "in_chans", "num_channels") or 3
    side, times = find(config, "patch_size") or 14, find(config, "temporal_patch_size") or 1
    side = side if isinstance(side, int) else side[0]
    return f"f32[{int(GRID.prod(1).sum())},{inner * times * side * side}]"


def pixels(family: str, config: Any) -> str:
    return patches(family, config) if family in PATCHED else image(family, config)


def mel(family: str, config: Any) -> str:
    """Log-mel frames: bins before time where the encoder is Whisper's."""
    bins = (
        find(
            config, "num_mel_bins", "feature_size", "input_feat_per_channel", "num_mel_features", "input_dim"
        )
        or 80
    )
    if family in BINS_FIRST:
        return f"f32[{BATCH},{bins},{2 * (find(config, 'max_source_positions') or 64)}]"
    return f"f32[{BATCH},96,{bins}]"


def wave(family: str, config: Any) -> str:
    """Sound: with a channel for codecs."""
    return f"f32[{BATCH},1,{SAMPLES}]" if family in CHANNEL else f"f32[{BATCH},{SAMPLES}]"


def boxes(family: str, config: Any) -> Tensor:
    """Ordered corners, below the two-dimensional position tables."""
    low = torch.randint(0, 20, (BATCH, LENGTH, 2), generator=torch.Generator().manual_seed(0))
    return torch.cat([low, low + 10], -1)


MAKERS: dict[str, Callable[[str, Any], Any]] = {
    "input_ids": lambda family, config: ids(config),
    "decoder_input_ids": lambda family, config: ids(config),
    "attention_mask": lambda family, config: torch.ones(BATCH, LENGTH, dtype=torch.int64),
    "pixel_values": pixels,
    "pixel_values_videos": lambda family, config: image(family, config).replace(
        f"[{BATCH},", f"[{BATCH},4,", 1
    ),
    "hidden_states": patches,
    "grid_thw": lambda family, config: GRID.clone(),
    "input_features": mel,
    "input_values": wave,
    "bbox": boxes,
    "input_features_mask": lambda family, config: torch.ones(BATCH, 96, dtype=torch.bool),
    "padding_mask": lambda family, config: torch.ones(BATCH, SAMPLES, dtype=torch.bool),
    "image_grid_thw": lambda family, config: GRID.clone(),
    "target_sizes": lambda family, config: torch.tensor([[8, 8], [8, 8]]),
    "query_embeds": lambda family, config: f"f32[{BATCH},8,{config.hidden_size}]",
    "qformer_input_ids": lambda family, config: ids(config),
    "inputs_embeds": lambda family, config: f"f32[{BATCH},{LENGTH},{find(config, 'hidden_size', 'd_model')}]",
    "visual_feats": lambda family, config: f"f32[{BATCH},10,{config.visual_feat_dim}]",
    "visual_pos": lambda family, config: f"f32[{BATCH},10,4]",
    "flattened_patches": lambda family, config: f"f32[{BATCH},64,770]",
}
"""Argument → what makes it."""

BINS_FIRST = words(
    """
    whisper qwen2_audio_encoder voxtral_encoder voxtral_realtime_encoder glmasr_encoder
    audioflamingo3_encoder moss_transcribe_diarize_audio qwen2_audio voxtral
    """
)
PATCHED = words(
    """
    cosmos3_edge_vision glm_image_vision hunyuan_vl_vision muse_glimmer_vision muse_spark_vision
    video_llama_3_vision lfm3_vl_vision inkling2_vision
    """
)
CHANNEL = words(
    """
    dac encodec mimi mimi_encoder xcodec xcodec2 neucodec vibevoice_acoustic_tokenizer
    pocket_tts_audio_tokenizer pocket_tts_audio_tokenizer_encoder pe_audio_encoder
    """
)
FRAMES: dict[str, Callable[[Any], int]] = {
    family: lambda config: find(config, "num_frames") or 8
    for family in (
        "timesformer",
        "videomae",
        "vivit",
        "tvp",
        "xclip",
        "edgetam_video",
        "superglue",
        "videomt",
        "vjepa2",
    )
}
FRAMES |= {family: lambda config: 2 for family in ("lightglue", "superglue", "efficientloftr")}
"""Families whose images come in sequences."""

EXTRA: dict[str, Callable[[Any], dict[str, Any]]] = {
    "patchtst": lambda c: {"past_values": f"f32[{BATCH},{c.context_length},{c.num_input_channels}]"},
    "patchtsmixer": lambda c: {"past_values": f"f32[{BATCH},{c.context_length},{c.num_input_channels}]"},
    "audio-spectrogram-transformer": lambda c: {
        "input_values": f"f32[{BATCH},{c.max_length},{c.num_mel_bins}]"
    },
    "decision_transformer": lambda c: {
        "states": f"f32[{BATCH},{LENGTH},{c.state_dim}]",
        "actions": f"f32[{BATCH},{LENGTH},{c.act_dim}]",
        "rewards": f"f32[{BATCH},{LENGTH},1]",
        "returns_to_go": f"f32[{BATCH},{LENGTH},1]",
        "timesteps": torch.arange(LENGTH).expand(BATCH, -1).contiguous(),
        "attention_mask": torch.ones(BATCH, LENGTH, dtype=torch.int64),
    },
    **{
        family: lambda c: {
            "past_values": f"f32[{BATCH},{c.context_length + max(c.lags_sequence)}]",
            "past_time_features": f"f32[{BATCH},{c.context_length + max(c.lags_sequence)},1]",
            "past_observed_mask": torch.ones(BATCH, c.context_length + max(c.lags_sequence)),
            "future_values": f"f32[{BATCH},{c.prediction_length}]",
            "future_time_features": f"f32[{BATCH},{c.prediction_length},1]",
        }
        for family in ("autoformer", "informer", "time_series_transformer")
    },
}
"""Family → arguments of its own."""
