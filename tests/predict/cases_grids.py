"""Images sampled at places that a grid gives."""

from __future__ import annotations

import torch
from conformance import case, normal, real
from torch.nn import functional as F  # noqa: N812

IMAGE = normal(2, 4, 8, 8, mean=0.5)
VOLUME = normal(2, 3, 4, 4, 4, mean=0.5)
TURN = torch.tensor([[0.8, -0.3, 0.1], [0.3, 0.8, -0.2]]).expand(2, 2, 3)
PLACES = F.affine_grid(TURN, [2, 4, 6, 6], align_corners=False)
BORDERS = "rows and columns are one axis; pixels and places are taken as alike"


def _at(mode, **options):  # type: ignore[no-untyped-def]
    return lambda x, places: F.grid_sample(x, places, mode=mode, align_corners=False, **options)


CASES = [
    case("image at a grid", _at("bilinear"), IMAGE, real(PLACES), samples=600, slack=0.08, reason=BORDERS),
    case(
        "image at a grid, nearest",
        _at("nearest", padding_mode="border"),
        IMAGE,
        real(PLACES),
        samples=600,
        slack=0.08,
        reason=BORDERS,
    ),
    case(
        "image at a grid, cubic",
        _at("bicubic", padding_mode="reflection"),
        IMAGE,
        real(PLACES),
        samples=600,
        slack=0.08,
        reason=BORDERS,
    ),
    case(
        "image at drawn places",
        _at("bilinear", padding_mode="border"),
        IMAGE,
        normal(2, 10, 10, 2, std=0.3),
        samples=600,
        slack=0.05,
        grad_slack=0.2,
        reason="the places are drawn once, for all inputs",
    ),
    case(
        "volume at drawn places",
        _at("bilinear", padding_mode="border"),
        VOLUME,
        normal(2, 5, 5, 5, 3, std=0.3),
        samples=600,
        slack=0.05,
        grad_slack=0.3,
        reason="the places are drawn once, for all inputs",
    ),
    case(
        "places of an affine map",
        lambda t: F.affine_grid(t, [3, 4, 5, 5], align_corners=False),
        normal(3, 2, 3, mean=0.2),
        samples=600,
    ),
    case(
        "places of an affine map in space",
        lambda t: F.affine_grid(t, [3, 4, 3, 3, 3], align_corners=True),
        normal(3, 3, 4, mean=0.2),
        samples=600,
    ),
]
