"""What is larger or smaller together: sums of few terms, norms, x beside its mean square."""

from __future__ import annotations

import torch
from conformance import case, normal, weight
from torch.nn import functional as F  # noqa: N812


def _over_its_rms(x):  # type: ignore[no-untyped-def]
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


CASES = [
    case(
        "a function of sums of few",
        lambda x, w: F.hardswish(x @ w),
        normal(48, 6, std=3.0),
        weight(6, 48),
        backward=False,
        slack=0.02,
        reason="scenarios are 1024",
    ),
    case(
        "gates of sums of few, in series",
        lambda x, w, v: F.hardswish(F.hardswish(x @ w) @ v),
        normal(48, 6, std=3.0),
        weight(6, 24),
        weight(24, 48),
        backward=False,
        slack=0.06,
        reason="scenarios are 1024",
        samples=600,
    ),
    case("x over its own rms", _over_its_rms, normal(48, 16), slack=0.01, grad_slack=0.02,
         reason="a lognormal mean square: terms in 1/n²"),
    case("a gate of x over its own rms", lambda x: F.relu(_over_its_rms(x)), normal(48, 16), slack=0.01,
         grad_slack=0.05, reason="a lognormal mean square; the norm's output taken for Gaussian"),
    case("a norm layer without a mean, of few", lambda x: F.rms_norm(x, (16,)), normal(48, 16), slack=0.06,
         reason="1/v as if lognormal: terms in 1/n"),
    case(
        "layer norm of few",
        lambda x: F.layer_norm(x, (24,)),
        normal(48, 24),
        slack=0.01,
        reason="1/v as if lognormal: terms in 1/n²",
    ),
]  # fmt: skip
