"""Matrix products and convolutions."""

from __future__ import annotations

import torch
from conformance import case, normal, weight
from torch.nn import functional as F  # noqa: N812

X = normal(4, 6, mean=0.5)


def _tall(x, y):  # type: ignore[no-untyped-def]
    return torch.cat([x, 3 * y], 1)


CASES = [
    case("matrix product", lambda x, w: x @ w, X, weight(6, 5), samples=1500),
    case("product of blocks", lambda x, y, w: _tall(x, y) @ w, X, normal(4, 2), weight(8, 5, std=0.5)),
    case("linear with bias", lambda x, w, b: F.linear(x, w, b), X, weight(5, 6), normal(5, std=0.3)),
    case(
        "linear of rank 3",
        lambda x, w, b: F.linear(x, w, b),
        normal(2, 3, 6, mean=0.5),
        weight(5, 6),
        normal(5),
    ),
    case(
        "linear in inference mode",
        lambda x, w, b: F.linear(x, w, b),
        normal(2, 3, 6, mean=0.5),
        weight(5, 6),
        normal(5),
        bare=True,
    ),
    case("two layers", lambda x, w, v: (x @ w) @ v, X, weight(6, 8), weight(8, 5)),
    case(
        "scaled affine", lambda b, x, w: torch.addmm(b, x, w, beta=0.5, alpha=2), normal(5), X, weight(6, 5)
    ),
    case("batched product", torch.bmm, normal(3, 4, 6, mean=0.5), normal(3, 6, 2, mean=0.2)),
    case(
        "batched affine",
        lambda b, x, y: torch.baddbmm(b, x, y, alpha=0.3),
        normal(3, 4, 2),
        normal(3, 4, 6),
        normal(3, 6, 2),
    ),
    case("matrix and vector", torch.mv, X, normal(6, mean=0.2), samples=1500),
    case(
        "affine of a vector",
        lambda b, a, v: torch.addmv(b, a, v, alpha=2),
        normal(4),
        X,
        normal(6),
        samples=1500,
    ),
    case("inner product", torch.dot, normal(6, mean=0.5), normal(6), samples=2000),
    case("inner product of complex numbers", torch.vdot, normal(6, mean=0.5), normal(6), samples=2000),
    case(
        "gram of tokens",
        lambda x, w, v: (x @ w) @ (x @ v).t(),
        normal(4, 16),
        weight(16, 8),
        weight(16, 8),
        backward=False,
    ),
    case(
        "convolution",
        lambda x, w, b: F.conv2d(x, w, b, padding=1),
        normal(2, 3, 5, 5, mean=0.3),
        weight(4, 3, 3, 3),
        normal(4),
    ),
    case(
        "strided convolution",
        lambda x, w: F.conv2d(x, w, stride=2, padding=1),
        normal(2, 3, 7, 6),
        weight(4, 3, 3, 3),
    ),
    case(
        "dilated convolution",
        lambda x, w: F.conv2d(x, w, dilation=2, padding=(2, 0)),
        normal(2, 3, 7, 6),
        weight(4, 3, 3, 3),
    ),
    case(
        "grouped convolution",
        lambda x, w: F.conv2d(x, w, groups=2, padding=1),
        normal(2, 4, 5, 5),
        weight(6, 2, 3, 3),
    ),
    case(
        "depthwise convolution", lambda x, w: F.conv2d(x, w, groups=4), normal(2, 4, 5, 5), weight(4, 1, 3, 3)
    ),
    case(
        "two convolutions",
        lambda x, w, v: F.conv2d(F.conv2d(x, w, padding=1), v, padding=1),
        normal(2, 3, 6, 6),
        weight(4, 3, 3, 3),
        weight(3, 4, 3, 3),
    ),
    case(
        "convolution 1x1, strided",
        lambda x, w: F.conv2d(x, w, stride=2),
        normal(2, 3, 6, 6),
        weight(4, 3, 1, 1),
    ),
    case(
        "convolution of a line",
        lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=2),
        normal(2, 3, 9, mean=0.5),
        weight(4, 3, 5),
        normal(4),
    ),
    case(
        "convolution of a volume",
        lambda x, w: F.conv3d(x, w, padding=1),
        normal(1, 2, 4, 3, 4),
        weight(3, 2, 3, 3, 3),
    ),
    case(
        "transposed convolution",
        lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1),
        normal(2, 3, 4, 4, mean=0.3),
        weight(3, 4, 3, 3, std=0.2),
        normal(4),
    ),
    case(
        "transposed convolution in groups",
        lambda x, w: F.conv_transpose1d(x, w, stride=2, groups=2),
        normal(2, 4, 5),
        weight(4, 3, 3, std=0.2),
    ),
    case(
        "transposed convolution of a volume",
        lambda x, w: F.conv_transpose3d(x, w),
        normal(1, 2, 3, 3, 3),
        weight(2, 3, 2, 2, 2, std=0.2),
    ),
    case(
        "patches",
        lambda x, w: F.conv2d(x, w, stride=4).flatten(2).transpose(1, 2),
        normal(2, 3, 8, 8),
        weight(6, 3, 4, 4),
    ),
]
