"""Losses, and what sends their gradients back."""

from __future__ import annotations

import torch
from conformance import case, normal, real, uniform
from torch.nn import functional as F  # noqa: N812

X, Y = normal(6, 8, mean=0.3), normal(6, 8)
TARGET = real([0, 3, 3, 7, 1, 2])
UNIT = uniform(6, 8, mean=0.5, std=0.2)
GRID = "the grid"
SOFTMAX = "ln Σ exp and the softmax at their expectations, classes as Gaussian scores"


def _plain(loss, **options):  # type: ignore[no-untyped-def]
    return lambda x, y: (loss(x, y, reduction="none", **options), loss(x, y, **options).view(1))


CASES = [
    case("squared error", lambda x, y: F.mse_loss(x, y), X, Y, samples=2000),
    case("squared errors", lambda x, y: F.mse_loss(x, y, reduction="none"), X, Y, samples=600),
    case(
        "absolute errors",
        lambda x, y: F.l1_loss(x, y, reduction="none"),
        X,
        Y,
        samples=600,
        slack=2e-3,
        reason=GRID,
    ),
    case(
        "smooth errors",
        lambda x, y: F.smooth_l1_loss(x, y, reduction="none"),
        X,
        Y,
        samples=1000,
        slack=5e-3,
        reason=GRID,
    ),
    case(
        "Huber's errors",
        lambda x, y: F.huber_loss(x, y, reduction="none"),
        X,
        Y,
        samples=1000,
        slack=5e-3,
        reason=GRID,
    ),
    case(
        "soft margins",
        lambda x, y: F.soft_margin_loss(x, y, reduction="none"),
        X,
        real(torch.ones(6, 8)),
        slack=5e-3,
        reason=GRID,
    ),
    case(
        "cross entropy of two classes",
        lambda x, y: F.binary_cross_entropy_with_logits(x, y),
        X,
        real(torch.ones(6, 8)),
        samples=1000,
        slack=5e-3,
        reason=GRID,
    ),
    case(
        "cross entropy of probabilities",
        lambda x, y: F.binary_cross_entropy(x, y, reduction="none"),
        UNIT,
        real(torch.ones(6, 8)),
        slack=5e-3,
        reason=GRID,
    ),
    case("likelihood of targets", lambda x, t: F.nll_loss(x, t), X, TARGET, samples=1500),
    case(
        "likelihood of targets, each",
        lambda x, t: F.nll_loss(x, t, reduction="none"),
        X,
        TARGET,
        samples=1500,
    ),
    case(
        "likelihood of pixels",
        lambda x, t: F.nll_loss(x, t),
        normal(2, 8, 3, 3, mean=0.3),
        real(torch.arange(18).reshape(2, 3, 3) % 8),
        samples=1500,
    ),
    case(
        "cross entropy",
        lambda x, t: F.cross_entropy(x, t),
        normal(6, 64),
        real([0, 3, 3, 17, 41, 22]),
        samples=1000,
        slack=0.02,
        reason=SOFTMAX,
    ),
    case(
        "cross entropy of far logits",
        lambda x, t: F.cross_entropy(x, t),
        normal(6, 64, std=5.0),
        real([0, 3, 3, 17, 41, 22]),
        samples=1000,
        slack=0.02,
        reason=SOFTMAX,
    ),
    case(
        "margins to one target",
        lambda x, t: F.multi_margin_loss(x, t),
        X,
        TARGET,
        samples=2000,
        slack=0.02,
        reason=GRID,
    ),
    case(
        "margins to one target, each, squared",
        lambda x, t: F.multi_margin_loss(x, t, p=2, reduction="none"),
        X,
        TARGET,
        samples=2000,
        slack=0.05,
        reason="pairs of one target are taken as independent in the loss",
    ),
    case(
        "margins to several targets",
        lambda x, t: F.multilabel_margin_loss(x, t),
        X,
        real([[1, 2, -1, 0, 0, 0, 0, 0]] * 3 + [[4, -1, 0, 0, 0, 0, 0, 0]] * 3),
        samples=2000,
        slack=0.05,
        reason="pairs of one target are taken as independent in the loss",
    ),
    case(
        "alignments",
        lambda x: F.ctc_loss(
            x.log_softmax(2), torch.tensor([[1, 2], [2, 1]]), torch.tensor([12, 12]), torch.tensor([2, 2])
        ),
        normal(12, 2, 16, std=0.3),
        samples=3000,
        slack=0.1,
        reason="the loss is one draw's, alignments share as under even probabilities",
    ),
]
