"""What is met less often: norms, running sums, windows, extremes, parts of other operations."""

from __future__ import annotations

import torch
from conformance import case, normal, real, uniform, weight
from torch.nn import functional as F  # noqa: N812

X = normal(4, 6, mean=0.5)
IMAGE = normal(2, 4, 6, 6, mean=0.5)
LINE = normal(2, 3, 12, mean=0.5)
VOLUME = normal(1, 2, 4, 4, 4, mean=0.5)
LOGNORMAL = "the law of a sum of squares is taken as lognormal, and as independent of its terms"
GRID = "the grid"


def _pad(mode, *sizes):  # type: ignore[no-untyped-def]
    return lambda x: F.pad(x, sizes, mode=mode)


CASES = [
    case(
        "vector norm",
        lambda x: torch.linalg.vector_norm(x, dim=1),
        normal(6, 48),
        backward=False,
        slack=5e-3,
        reason=LOGNORMAL,
    ),
    case(
        "sum of absolutes",
        lambda x: x.norm(p=1, dim=1),
        normal(6, 48),
        backward=False,
        slack=5e-3,
        reason=LOGNORMAL,
    ),
    case(
        "norm of everything",
        lambda x: torch.ops.aten.norm(x).view(1),
        normal(6, 48),
        backward=False,
        slack=5e-3,
        reason=LOGNORMAL,
    ),
    case("normalised vectors", lambda x: F.normalize(x), normal(6, 48), slack=0.05, reason=LOGNORMAL),
    case(
        "variance and mean",
        lambda x: torch.var_mean(x, 1),
        normal(6, 48, mean=0.5),
        backward=False,
        slack=5e-3,
        reason=LOGNORMAL,
    ),
    case(
        "standard deviation and mean",
        lambda x: torch.std_mean(x, 1),
        normal(6, 48, mean=0.5),
        backward=False,
        slack=5e-3,
        reason=LOGNORMAL,
    ),
    case("variance", lambda x: x.var(1), normal(6, 48, mean=0.5), slack=0.02, reason=LOGNORMAL),
    case(
        "standard deviation",
        lambda x: x.std(1, correction=0),
        normal(6, 48, mean=0.5),
        slack=0.05,
        reason=LOGNORMAL,
    ),
    case(
        "log of a sum",
        lambda x: x.logsumexp(1),
        normal(8, 64, mean=0.5, std=0.5),
        backward=False,
        slack=0.02,
        reason="at its expectation",
    ),
    case("running sums", lambda x: x.cumsum(1), normal(6, 16, mean=0.2)),
    case("running sums of tokens", lambda x: x.cumsum(0), normal(6, 16)),
    case(
        "weight normalisation",
        lambda x, v, g: x @ torch._weight_norm(v, g, 0).t(),
        X,
        weight(5, 6, std=2.0),
        normal(5, 1, mean=1.0, std=0.1),
        slack=0.25,
        grad_slack=0.4,
        samples=1000,
        reason="|v|² over 6 elements is taken at its expectation",
    ),
    case(
        "weight normalisation of a wide layer",
        lambda x, v, g: x @ torch._weight_norm(v, g, 0).t(),
        normal(4, 64),
        weight(5, 64),
        normal(5, 1, mean=1.0, std=0.1),
        slack=0.05,
        samples=600,
        reason="as the narrow one: 1/64",
    ),
    case(
        "diagonal", lambda x: torch.ops.aten.diagonal(x), normal(6, 6, mean=0.5), backward=False, samples=2000
    ),
    case(
        "diagonal of tokens",
        lambda x, y: torch.ops.aten.diagonal(x + y, 0, 1, 2),
        normal(3, 6, 6, mean=0.5),
        normal(1, 6, 6),
        backward=False,
        samples=1000,
    ),
    case("as a diagonal", lambda x: torch.diag_embed(x), X, backward=False),
    case("lower triangle", lambda x: x.tril(), normal(6, 6, mean=0.5)),
    case("upper triangle", lambda x: x.triu(1), normal(6, 6, mean=0.5)),
    case("windows", lambda x: x.unfold(2, 4, 2), LINE),
    case("windows side by side", lambda x: x.unfold(1, 2, 2), X),
    case(
        "blocks of an image",
        lambda x: F.unfold(x, 3, padding=1),
        IMAGE,
        slack=0.12,
        reason="overlapping blocks coincide in pairs that are averaged over",
    ),
    case(
        "blocks into an image",
        lambda x: F.fold(x, (5, 5), 3),
        normal(2, 18, 9),
        slack=0.12,
        reason="as blocks of an image",
    ),
    case("shuffled pixels", lambda x: F.pixel_shuffle(x, 2), IMAGE),
    case("unshuffled pixels", lambda x: F.pixel_unshuffle(x, 2), IMAGE),
    case("shuffled channels", lambda x: torch.channel_shuffle(x, 2), IMAGE),
    case("reflected", _pad("reflect", 1, 2, 2, 1), IMAGE),
    case("reflected line", _pad("reflect", 2, 1), LINE),
    case("reflected volume", _pad("reflect", 1, 1, 1, 1, 1, 1), VOLUME),
    case("replicated", _pad("replicate", 1, 2, 2, 1), IMAGE),
    case("replicated line", _pad("replicate", 2, 1), LINE),
    case("replicated volume", _pad("replicate", 1, 1, 1, 1, 1, 1), VOLUME),
    case("exact nearest of a line", lambda x: F.interpolate(x, scale_factor=2, mode="nearest-exact"), LINE),
    case(
        "exact nearest of a volume", lambda x: F.interpolate(x, scale_factor=2, mode="nearest-exact"), VOLUME
    ),
    case(
        "largest along an axis",
        lambda x: (x.amax(1), x.max(1)[0]),
        normal(6, 12, mean=0.3),
        backward=False,
        samples=600,
    ),
    case(
        "smallest along an axis",
        lambda x: (x.amin(1), x.min(1)[0]),
        normal(6, 12, mean=0.3),
        backward=False,
        samples=600,
    ),
    case(
        "adaptive max pool",
        lambda x: F.adaptive_max_pool2d(x, 2),
        IMAGE,
        slack=0.02,
        reason="windows of one size",
    ),
    case(
        "adaptive max pool of a volume",
        lambda x: F.adaptive_max_pool3d(x, 2),
        VOLUME,
        samples=600,
        slack=0.02,
        reason="two of one window may both be the largest",
    ),
    case("gated linear unit", lambda x: F.glu(x), normal(4, 12), slack=2e-3, reason=GRID, samples=1000),
    case(
        "rectifier with a slope",
        lambda x, a: F.prelu(x, a),
        IMAGE,
        normal(4, mean=0.25, std=0.01),
        slack=5e-3,
        reason=GRID,
    ),
    case(
        "hard sigmoid, hard shrink",
        lambda x: (F.hardsigmoid(x), F.hardshrink(x)),
        normal(4, 6, std=3),
        slack=5e-3,
        reason=GRID,
    ),
    case("log sigmoid", F.logsigmoid, X, slack=5e-3, reason=GRID),
    case("random slopes at rest", lambda x: F.rrelu(x), X, slack=5e-3, reason=GRID),
    case("random slopes", lambda x: F.rrelu(x, training=True), X, slack=5e-3, reason=GRID),
    case(
        "modified Bessel function",
        lambda x: torch.special.i0(x),
        normal(4, 6, std=0.5),
        backward=False,
        slack=5e-3,
        reason=GRID,
    ),
    case(
        "outer product added",
        lambda b, x, y: torch.addr(b, x, y, alpha=0.5),
        normal(4, 6),
        normal(4, mean=1),
        normal(6),
        samples=1000,
    ),
    case(
        "safe softmax",
        lambda x: torch.ops.aten._safe_softmax(x, -1),
        normal(6, 32, std=0.3),
        backward=False,
        slack=0.02,
        reason="as softmax",
    ),
    case(
        "views of complex numbers' interface",
        lambda x: (torch.ops.aten.resolve_conj(x), x.positive()),
        X,
        bare=True,
    ),
    case(
        "pieces, bare",
        lambda x: (
            *torch.ops.aten.chunk(x, 2, 1),
            torch.ops.aten.narrow(x, 1, 0, 2),
            torch.concat([x, 2 * x], 0)[:4],
        ),
        X,
        bare=True,
    ),
    case(
        "pieces by composites",
        lambda x: (
            *torch.ops.aten.unsafe_chunk(x, 2, 1),
            torch.ops.aten.unflatten(x, 1, [2, 3]),
            torch.ops.aten.swapaxes(x, 0, 1),
        ),
        X,
        bare=True,
    ),
    case(
        "matmul in inference mode",
        lambda x, w: torch.matmul(x, w),
        normal(2, 3, 6, mean=0.5),
        weight(6, 4),
        bare=True,
    ),
    case(
        "gradient of the largest",
        lambda x: x.max(1)[0],
        normal(6, 12),
        slack=0.02,
        reason="as independent of the values",
    ),
    case(
        "one hot",
        lambda x: torch.zeros_like(x).scatter(1, x.max(1, keepdim=True)[1], 2.0),
        normal(6, 12),
        backward=False,
    ),
    case(
        "fractional max pool",
        lambda x: F.fractional_max_pool2d(x, 2, output_size=3),
        IMAGE,
        slack=0.02,
        reason="windows do not overlap",
    ),
    case(
        "fractional max pool of a volume",
        lambda x: F.fractional_max_pool3d(x, 2, output_size=2),
        VOLUME,
        slack=0.02,
        samples=600,
        reason="two of one window may both be the largest",
    ),
    case("dropout and its mask", lambda x: torch.native_dropout(x, 0.3, True)[0], X, samples=600),
    case(
        "lifted",
        lambda x: (torch.ops.aten.lift(x), torch.ops.aten.lift_fresh(x), torch.ops.aten.lift_fresh_copy(x)),
        X,
        bare=True,
    ),
    case(
        "another name of a view",
        lambda x: torch.ops.aten._reshape_alias(x, [6, 4], [4, 1]),
        X,
        backward=False,
    ),
    case(
        "channels and diagonals, bare",
        lambda x, y: (torch.ops.aten.native_channel_shuffle(x, 2), torch.diagonal_copy(y)),
        IMAGE,
        normal(6, 6),
        bare=True,
        samples=600,
    ),
    case("adaptive average pool of a line, bare", lambda x: F.adaptive_avg_pool1d(x, 4), LINE, bare=True),
    case(
        "convolution by another name",
        lambda x, w: torch.ops.aten._convolution(
            x, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, False, False, False, False
        ),
        IMAGE,
        weight(3, 4, 3, 3),
        bare=True,
    ),
    case(
        "batch norm by other names",
        lambda x, m, v, w: (
            torch.ops.aten._native_batch_norm_legit(x, w, m, m.clone(), v.clone(), True, 0.1, 1e-5)[0],
            torch.ops.aten._native_batch_norm_legit_functional(x, w, m, m, v, True, 0.1, 1e-5)[0],
            torch.ops.aten._native_batch_norm_legit_no_training(x, w, m, m, v, 0.1, 1e-5)[0],
            torch.ops.aten._batch_norm_with_update(x, w, m, m.clone(), v.clone(), 0.1, 1e-5)[0],
            torch.ops.aten._batch_norm_no_update(x, w, m, m, v, 0.1, 1e-5)[0],
        ),
        normal(8, 4, 4, 4, mean=0.5),
        real(torch.zeros(4)),
        real(torch.ones(4)),
        real(torch.ones(4)),
        backward=False,
        slack=0.03,
        reason="1/128",
    ),
]
