"""Pooling and resampling."""

from __future__ import annotations

from conformance import case, normal, weight
from torch.nn import functional as F  # noqa: N812

X = normal(2, 3, 8, 8, mean=0.5)
LINE = normal(2, 3, 12, mean=0.5)
VOLUME = normal(1, 2, 4, 4, 4, mean=0.5)


def _smooth(pool):  # type: ignore[no-untyped-def]
    return lambda x, w: pool(F.conv2d(x, w, padding=1))


CASES = [
    case("average pool", lambda x: F.avg_pool2d(x, 2), X),
    case("average pool of a line", lambda x: F.avg_pool1d(x, 3), LINE),
    case("average pool of a line, bare", lambda x: F.avg_pool1d(x, 3), LINE, bare=True),
    case("average pool of a volume", lambda x: F.avg_pool3d(x, 2), VOLUME),
    case("overlapping average pool", lambda x: F.avg_pool2d(x, 3, 1, 1), X),
    case(
        "adaptive average pool",
        lambda x: (F.adaptive_avg_pool2d(x, 2), F.adaptive_avg_pool2d(x, 1)),
        X,
        samples=600,
    ),
    case("adaptive average pool of a volume", lambda x: F.adaptive_avg_pool3d(x, 2), VOLUME),
    case("adaptive average pool of a line", lambda x: F.adaptive_avg_pool1d(x, 4), LINE),
    case("max pool", lambda x: F.max_pool2d(x, 2), X, grad_slack=0.01, reason="two of a window may both win"),
    case("max pool of a volume", lambda x: F.max_pool3d(x, 2), VOLUME),
    case("max pool of a line", lambda x: F.max_pool1d(x, 3), LINE),
    case(
        "overlapping max pool",
        lambda x: F.max_pool2d(x, 3, 2, 1),
        X,
        slack=0.03,
        grad_slack=0.12,
        reason="a place that wins two windows",
    ),
    case(
        "max pool of places that share much",
        lambda x, shared: F.max_pool2d(F.relu(x + shared.detach() + 0 * shared), 2),
        normal(2, 3, 8, 8, std=0.6),
        normal(2, 3, 1, 1),
        slack=0.02,
        grad_slack=0.1,
        reason="the gate depends on the input, and on what all places share",
    ),
    case(
        "max pool after a convolution",
        _smooth(lambda x: F.max_pool2d(F.relu(x), 2)),
        X,
        weight(4, 3, 3, 3),
        slack=0.04,
        grad_slack=0.25,
        reason="the gate depends on the input and on the weight",
    ),
    case("nearest", lambda x: F.interpolate(x, scale_factor=2), X),
    case("nearest of a line", lambda x: F.interpolate(x, scale_factor=2), LINE),
    case("nearest of a volume", lambda x: F.interpolate(x, scale_factor=2), VOLUME),
    case("exact nearest", lambda x: F.interpolate(x, scale_factor=2, mode="nearest-exact"), X),
    case("linear", lambda x: F.interpolate(x, scale_factor=2, mode="linear"), LINE),
    case("bilinear", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), X),
    case("bilinear, smaller", lambda x: F.interpolate(x, size=(4, 4), mode="bilinear"), X),
    case(
        "bilinear with antialias", lambda x: F.interpolate(x, size=(4, 4), mode="bilinear", antialias=True), X
    ),
    case("bicubic", lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"), X),
    case(
        "bicubic with antialias", lambda x: F.interpolate(x, size=(4, 4), mode="bicubic", antialias=True), X
    ),
    case("trilinear", lambda x: F.interpolate(x, scale_factor=2, mode="trilinear"), VOLUME),
]
