"""Norm layers, softmax and dropout."""

from __future__ import annotations

import torch
from conformance import case, normal, real, weight
from torch.nn import functional as F  # noqa: N812

FLUCTUATION = "the variance over n elements is taken at its expectation: 1/n terms, here n = {}"
CAUSAL = torch.full((16, 16), float("-inf")).triu(1)
GAIN = normal(64, mean=1.0, std=0.2)


def _attention(q, k, v, mask=None):  # type: ignore[no-untyped-def]
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    return torch.softmax(scores if mask is None else scores + mask, -1) @ v


CASES = [
    case(
        "layer norm",
        lambda x, w, b: F.layer_norm(x, (64,), w, b),
        normal(3, 4, 64, mean=0.5, std=2),
        GAIN,
        normal(64, std=0.3),
        slack=0.03,
        reason=FLUCTUATION.format(64),
    ),
    case(
        "layer norm of unlike tokens",
        lambda c, x: F.layer_norm(torch.cat([c, x], 1), (64,)),
        normal(3, 1, 64, std=0.1),
        normal(3, 4, 64, std=2),
        slack=0.04,
        reason=FLUCTUATION.format(64),
    ),
    case(
        "layer norm after relu",
        lambda x: F.relu(F.layer_norm(x, (64,))),
        normal(6, 64),
        slack=0.04,
        reason=FLUCTUATION.format(64),
    ),
    case(
        "rms norm",
        lambda x, w: F.rms_norm(x, (64,), w),
        normal(3, 4, 64, mean=0.5, std=2),
        GAIN,
        slack=0.05,
        reason=FLUCTUATION.format(64),
    ),
    case(
        "batch norm",
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        normal(8, 3, 4, 4, mean=0.5, std=2),
        normal(3, mean=1, std=0.2),
        normal(3, std=0.3),
        slack=0.03,
        reason=FLUCTUATION.format(128),
        samples=600,
    ),
    case(
        "batch norm of a layer",
        lambda x, w: F.batch_norm(x @ w, None, None, training=True),
        normal(64, 16),
        weight(16, 8),
        slack=0.05,
        reason=FLUCTUATION.format(64),
    ),
    case(
        "batch norm, running",
        lambda x, w, b, m, v: F.batch_norm(x, m, v, w, b, training=False),
        normal(8, 3, 4, 4, mean=0.5, std=2),
        normal(3, mean=1, std=0.2),
        normal(3, std=0.3),
        real(torch.zeros(3)),
        real(torch.ones(3)),
        samples=600,
    ),
    case(
        "group norm",
        lambda x, w, b: F.group_norm(x, 2, w, b),
        normal(4, 8, 5, 5, mean=0.5, std=2),
        normal(8, mean=1, std=0.2),
        normal(8, std=0.3),
        slack=0.03,
        reason=FLUCTUATION.format(100),
        samples=600,
    ),
    case(
        "instance norm",
        lambda x: F.instance_norm(x),
        normal(4, 3, 8, 8, mean=0.5, std=2),
        slack=0.03,
        reason=FLUCTUATION.format(64),
    ),
    case(
        "softmax of small scores",
        lambda x: torch.softmax(x, -1),
        normal(6, 32, std=0.3),
        slack=0.02,
        reason="a Gaussian's exponential moments, 32 keys",
        samples=600,
    ),
    case(
        "softmax of scores",
        lambda x: torch.softmax(x, -1),
        normal(6, 64, std=1.0),
        slack=0.15,
        reason="the chosen share saturates as a logistic curve",
    ),
    case(
        "log softmax",
        lambda x: torch.log_softmax(x, -1),
        normal(6, 64, std=0.5),
        slack=0.03,
        reason="ln Σ exp at its expectation",
    ),
    case(
        "attention",
        _attention,
        normal(2, 16, 24),
        normal(2, 16, 24),
        normal(2, 16, 24),
        slack=0.15,
        reason="as softmax",
    ),
    case(
        "causal attention",
        _attention,
        normal(2, 16, 24),
        normal(2, 16, 24),
        normal(2, 16, 24),
        real(CAUSAL),
        slack=0.2,
        reason="as softmax; queries in blocks",
    ),
    case("dropout", lambda x: F.dropout(x, 0.3), normal(4, 6, mean=1)),
    case(
        "no dropout", lambda x: torch.native_dropout(x, 0.3, False)[0], normal(4, 6, mean=1), backward=False
    ),
    case(
        "dropout of everything",
        lambda x: torch.native_dropout(x + 1e-3, 1.0, True)[0] + x,
        normal(4, 6, mean=1),
        backward=False,
    ),
]
