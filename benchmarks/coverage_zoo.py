"""Every module class of torch.nn, each inside a small net: name → (constructor, example).

A class is in `ZOO` or, with the reason, in `WITHOUT`; `forgotten()` names what is in neither.
"""

from __future__ import annotations

import torch
from torch import nn

from coverage_subjects import Subject
from coverage_zoo_nets import (
    CHANNELS,
    FLAT,
    SEQUENCE,
    SPATIAL,
    Adaptive,
    Attended,
    Bagged,
    Bilinear,
    Built,
    Ctc,
    LinearLoss,
    Listed,
    Recurrent,
    Stepped,
    Summed,
    Translated,
    Unpooled,
    Variances,
    bits,
    classes,
    decoder_layer,
    encoder_layer,
    flat,
    lazy,
    loss,
    numbers,
    pair,
    shares,
    signs,
    spatial,
)


def _activations() -> dict[str, tuple[Built, str]]:
    plain = (
        "CELU ELU GELU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid Mish PReLU RReLU ReLU "
        "ReLU6 SELU SiLU Sigmoid Softplus Softshrink Softsign Tanh Tanhshrink Identity Dropout AlphaDropout"
    )
    found = {name: flat(getattr(nn, name)) for name in plain.split()}
    found["Threshold"] = flat(lambda: nn.Threshold(0.1, 0.0))
    found["GLU"] = flat(nn.GLU, 24)
    for name in ("Softmax", "Softmin", "LogSoftmax"):
        found[name] = flat(lambda name=name: getattr(nn, name)(dim=1))
    return found


def _pooling(rank: int) -> dict[str, tuple[Built, str]]:
    layers = {
        f"AdaptiveAvgPool{rank}d": lambda: getattr(nn, f"AdaptiveAvgPool{rank}d")(4),
        f"AdaptiveMaxPool{rank}d": lambda: getattr(nn, f"AdaptiveMaxPool{rank}d")(4),
        f"AvgPool{rank}d": lambda: getattr(nn, f"AvgPool{rank}d")(2),
        f"MaxPool{rank}d": lambda: getattr(nn, f"MaxPool{rank}d")(2),
        f"LPPool{rank}d": lambda: getattr(nn, f"LPPool{rank}d")(2, 2),
    }
    found = {name: spatial(rank, layer) for name, layer in layers.items()}
    found[f"MaxUnpool{rank}d"] = (lambda: Unpooled(rank), SPATIAL[rank])
    if rank > 1:
        name = f"FractionalMaxPool{rank}d"
        found[name] = spatial(rank, lambda: getattr(nn, name)(2, output_ratio=0.6))
    return found


def _padding(rank: int) -> dict[str, tuple[Built, str]]:
    kinds = ("CircularPad", "ReflectionPad", "ReplicationPad", "ZeroPad")
    found = {
        f"{kind}{rank}d": spatial(rank, lambda kind=kind: getattr(nn, f"{kind}{rank}d")(2)) for kind in kinds
    }
    found[f"ConstantPad{rank}d"] = spatial(rank, lambda: getattr(nn, f"ConstantPad{rank}d")(2, 0.5))
    return found


def _of_rank(rank: int) -> dict[str, tuple[Built, str]]:
    found = {**_pooling(rank), **_padding(rank)}
    for kind in ("Conv", "ConvTranspose"):
        layer = getattr(nn, f"{kind}{rank}d")
        found[f"{kind}{rank}d"] = spatial(rank, lambda layer=layer: layer(CHANNELS, CHANNELS, 3, 2, 1))
        found[f"Lazy{kind}{rank}d"] = lazy(lambda kind=kind: getattr(nn, f"Lazy{kind}{rank}d")(16, 3), rank)
    for kind in ("BatchNorm", "InstanceNorm"):
        layer = getattr(nn, f"{kind}{rank}d")
        found[f"{kind}{rank}d"] = spatial(rank, lambda layer=layer: layer(CHANNELS, affine=True))
        found[f"Lazy{kind}{rank}d"] = lazy(lambda kind=kind: getattr(nn, f"Lazy{kind}{rank}d")(), rank)
    found[f"Dropout{rank}d"] = spatial(rank, getattr(nn, f"Dropout{rank}d"))
    return found


def _losses() -> dict[str, tuple[Built, str]]:
    found = {
        name: loss(getattr(nn, name), numbers) for name in ("HuberLoss", "L1Loss", "MSELoss", "SmoothL1Loss")
    }
    found |= {name: loss(getattr(nn, name), classes) for name in ("CrossEntropyLoss", "MultiMarginLoss")}
    found |= {name: loss(getattr(nn, name), signs) for name in ("HingeEmbeddingLoss", "SoftMarginLoss")}
    found |= {
        "BCELoss": loss(nn.BCELoss, bits, torch.sigmoid),
        "BCEWithLogitsLoss": loss(nn.BCEWithLogitsLoss, bits),
        "KLDivLoss": loss(lambda: nn.KLDivLoss(reduction="batchmean"), shares, lambda x: x.log_softmax(1)),
        "MultiLabelMarginLoss": loss(nn.MultiLabelMarginLoss, lambda: torch.arange(320).reshape(32, 10) % 10),
        "MultiLabelSoftMarginLoss": loss(nn.MultiLabelSoftMarginLoss, bits),
        "NLLLoss": loss(nn.NLLLoss, classes, lambda x: x.log_softmax(1)),
        "PoissonNLLLoss": loss(nn.PoissonNLLLoss, bits),
        "GaussianNLLLoss": (Variances, FLAT),
        "CTCLoss": (Ctc, SEQUENCE),
        "AdaptiveLogSoftmaxWithLoss": (Adaptive, FLAT),
        "LinearCrossEntropyLoss": (LinearLoss, FLAT),
        "CosineEmbeddingLoss": pair(nn.CosineEmbeddingLoss, target=True),
        "MarginRankingLoss": pair(
            lambda: Summed(nn.MarginRankingLoss()), target=True
        ),
        "TripletMarginLoss": pair(nn.TripletMarginLoss, 3),
        "TripletMarginWithDistanceLoss": pair(nn.TripletMarginWithDistanceLoss, 3),
    }  # fmt: skip
    return found


def _rest() -> dict[str, tuple[Built, str]]:
    return {
        "Linear": (lambda: nn.Sequential(nn.Linear(48, 48), nn.Linear(48, 24)), FLAT),
        "Bilinear": (Bilinear, FLAT),
        "LazyLinear": lazy(lambda: nn.LazyLinear(24), 0),
        "Embedding": (lambda: nn.Sequential(nn.Embedding(100, 48), nn.Linear(48, 10)), "i64[8,16]<100"),
        "EmbeddingBag": (Bagged, "i64[16,4]<100"),
        "CosineSimilarity": pair(nn.CosineSimilarity),
        "PairwiseDistance": pair(nn.PairwiseDistance),
        "Flatten": (
            lambda: nn.Sequential(nn.Conv2d(4, 8, 3), nn.Flatten(), nn.Linear(1568, 10)),
            SPATIAL[2],
        ),
        "Unflatten": (
            lambda: nn.Sequential(nn.Linear(48, 64), nn.Unflatten(1, (4, 4, 4)), nn.Conv2d(4, 16, 3)),
            FLAT,
        ),
        "Sequential": (lambda: nn.Sequential(nn.Sequential(nn.Linear(48, 48)), nn.Linear(48, 10)), FLAT),
        **{name: (lambda name=name: Listed(name), FLAT)
           for name in ("ModuleList", "ModuleDict", "ParameterList", "ParameterDict")},
    }  # fmt: skip


def _images() -> dict[str, tuple[Built, str]]:
    return {
        "ChannelShuffle": spatial(2, lambda: nn.ChannelShuffle(4)),
        "PixelShuffle": spatial(2, lambda: nn.PixelShuffle(2), 8),
        "PixelUnshuffle": spatial(2, lambda: nn.PixelUnshuffle(2), 128),
        "Unfold": (
            lambda: nn.Sequential(nn.Conv2d(4, 8, 1), nn.Unfold(4, stride=4), nn.Conv1d(128, 16, 1)),
            SPATIAL[2],
        ),
        "Fold": (
            lambda: nn.Sequential(nn.Conv1d(4, 72, 1), nn.Fold((8, 4), 3, padding=1), nn.Conv2d(8, 16, 3)),
            SPATIAL[1],
        ),
        "Upsample": spatial(2, lambda: nn.Upsample(scale_factor=2, mode="bilinear")),
        "UpsamplingBilinear2d": spatial(2, lambda: nn.UpsamplingBilinear2d(scale_factor=2)),
        "UpsamplingNearest2d": spatial(2, lambda: nn.UpsamplingNearest2d(scale_factor=2)),
        "CrossMapLRN2d": spatial(2, lambda: nn.CrossMapLRN2d(5)),
        "LocalResponseNorm": spatial(2, lambda: nn.LocalResponseNorm(5)),
        "FeatureAlphaDropout": spatial(2, nn.FeatureAlphaDropout),
        "Softmax2d": spatial(2, nn.Softmax2d),
        "GroupNorm": spatial(2, lambda: nn.GroupNorm(4, CHANNELS)),
        "LayerNorm": flat(lambda: nn.LayerNorm(48)),
        "RMSNorm": flat(lambda: nn.RMSNorm(48)),
    }


def _sequences() -> dict[str, tuple[Built, str]]:
    return {
        "RNN": (lambda: Recurrent(nn.RNN), SEQUENCE),
        "GRU": (lambda: Recurrent(nn.GRU), SEQUENCE),
        "LSTM": (lambda: Recurrent(nn.LSTM), SEQUENCE),
        "RNNCell": (lambda: Stepped(nn.RNNCell), SEQUENCE),
        "GRUCell": (lambda: Stepped(nn.GRUCell), SEQUENCE),
        "LSTMCell": (lambda: Stepped(nn.LSTMCell), SEQUENCE),
        "MultiheadAttention": (Attended, SEQUENCE),
        "TransformerEncoderLayer": (encoder_layer, SEQUENCE),
        "TransformerEncoder": (
            lambda: nn.TransformerEncoder(encoder_layer(), 2, enable_nested_tensor=False), SEQUENCE
        ),
        "TransformerDecoderLayer": (lambda: Translated(decoder_layer()), SEQUENCE),
        "TransformerDecoder": (lambda: Translated(nn.TransformerDecoder(decoder_layer(), 2)), SEQUENCE),
        "Transformer": (
            lambda: Translated(nn.Transformer(48, 4, 2, 2, 96, 0.0, batch_first=True)), SEQUENCE
        ),
    }  # fmt: skip


WITHOUT = {
    "Module": "the base class",
    "Container": "the base class of old containers",
    "RNNBase": "the base class of RNN, GRU and LSTM",
    "RNNCellBase": "the base class of the cells",
    "LinearCrossEntropyOptions": "options of LinearCrossEntropyLoss, no module",
    "NLLLoss2d": "an old name of NLLLoss",
    "SyncBatchNorm": "it runs on accelerators alone",
    "DataParallel": "it runs on accelerators alone",
}

ZOO: dict[str, tuple[Built, str]] = {
    **_activations(),
    **_of_rank(1),
    **_of_rank(2),
    **_of_rank(3),
    **_losses(),
    **_rest(),
    **_images(),
    **_sequences(),
}


def forgotten() -> list[str]:
    """Classes of torch.nn of which there is neither an example nor a reason."""
    known = {n for n in dir(nn) if isinstance(getattr(nn, n), type) and issubclass(getattr(nn, n), nn.Module)}
    return sorted((known | set(nn.modules.__all__)) - set(ZOO) - set(WITHOUT))


def _nothing() -> nn.Module:
    raise NotImplementedError


SUBJECTS = (
    *(Subject(name, "zoo", build, example) for name, (build, example) in ZOO.items()),
    *(Subject(name, "zoo", _nothing, None, untried=why) for name, why in WITHOUT.items()),
    *(Subject(name, "zoo", _nothing, None, untried="new to this file") for name in forgotten()),
)
