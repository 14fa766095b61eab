"""Sums, products and elementwise functions: of strangers, of relatives, of blocks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from conformance import case, normal, real, uniform, weight

MASK = torch.arange(24).reshape(4, 6) % 3 == 0
FINITE = "4,000 numbers on the grid, 40 terms of a series"

CASES = [
    case("sum of strangers", lambda x, y: x + 2 * y, normal(4, 6, mean=0.3), normal(4, 6, std=2)),
    case("sum with itself", lambda x: x + x, normal(4, 6, mean=0.3)),
    case("sum with a function of itself", lambda x: x - torch.relu(x), normal(4, 6, mean=0.3), slack=2e-3, reason=FINITE),
    case("alpha and a number", lambda x, y: torch.add(x, y, alpha=-3) + 1.5, normal(4, 6), normal(6)),
    case("broadcast sum", lambda x, y: x - y, normal(4, 1, 6, mean=1), normal(3, 1, std=2)),
    case("reversed subtraction", lambda x: 2 - torch.rsub(x, 3.0, alpha=2), normal(4, 6, mean=0.4)),
    case("product of strangers", lambda x, y: x * y, normal(4, 6, mean=0.5), uniform(4, 6)),
    case("square", lambda x: x * x, normal(4, 6, mean=0.5), slack=2e-3, reason=FINITE),
    case("product with a number", lambda x: 0.5 * x * 3, normal(4, 6, mean=1)),
    case("broadcast product", lambda x, y: x * y, normal(4, 6, mean=1), normal(6, mean=0.5)),
    case("quotient", lambda x, y: x / y, normal(4, 6), uniform(4, 6, mean=2.0, std=0.3), slack=2e-3, reason=FINITE),
    case("quotient with a number", lambda x: x / 4 + 1 / (x + 8), uniform(4, 6), slack=2e-3, reason=FINITE),
    case("minus", lambda x: -x, normal(4, 6, mean=0.4)),
    case("addcmul", lambda x, y, z: torch.addcmul(x, y, z, value=0.5), normal(4, 6), normal(4, 6, mean=1), normal(6)),
    case("lerp by a gate", lambda x, y, g: torch.lerp(x, y, torch.sigmoid(g)), normal(4, 6, mean=1), normal(4, 6),
         normal(4, 6), slack=2e-3, reason=FINITE),
    case("gated update", lambda n, h, g: n + torch.sigmoid(g) * (h - n), normal(4, 6, mean=1), normal(4, 6),
         normal(4, 6), slack=2e-3, reason=FINITE),
    case("relu", torch.relu, normal(4, 6, mean=0.3), slack=2e-3, reason=FINITE),
    case("relu of shared rows", lambda x: torch.relu(x.expand(5, 12)), normal(1, 12), samples=600, slack=2e-3, reason=FINITE),
    case("relu of a sum with a common part", lambda x, b: torch.relu(x + b), normal(4, 6), normal(6),
         slack=4e-3, reason="the kink's correlations, 40 terms of a series"),
    case("gelu of a layer", lambda x, w: F.gelu(x @ w), normal(3, 8), weight(8, 6, std=0.35),
         slack=0.06, reason="a sum of 8 products is not quite Gaussian"),
    case("tanh of uniform", torch.tanh, uniform(4, 6, mean=0.0, std=1.0), slack=2e-3, reason=FINITE),
    case("sigmoid, softplus, sin", lambda x: (torch.sigmoid(x), F.softplus(x), torch.sin(x)), normal(4, 6), slack=2e-3, reason=FINITE),
    case("elu and its gradient", lambda x: F.elu(x, 1.3), normal(4, 6), slack=2e-3, reason=FINITE),
    case("selu, celu", lambda x: (F.selu(x), F.celu(x, 0.7)), normal(4, 6), slack=2e-3, reason=FINITE),
    case("silu, mish, hardswish", lambda x: (F.silu(x), F.mish(x), F.hardswish(x)), normal(4, 6), slack=2e-3, reason=FINITE),
    case("leaky relu, hardtanh, softshrink", lambda x: (F.leaky_relu(x, 0.2), F.hardtanh(x), F.softshrink(x)),
         normal(4, 6, mean=0.2), slack=2e-3, reason=FINITE),
    case("gradient times activation", lambda x, g: torch.relu(x) * (g * (x > 0)), normal(4, 6), normal(4, 6, mean=1),
         slack=2e-3, reason=FINITE, backward=False, samples=1000),
    case("swish gate", lambda x, y: F.silu(x) * y, normal(4, 6), normal(4, 6), samples=1000, slack=2e-3, reason=FINITE),
    case("exp", torch.exp, normal(4, 6, std=0.5), slack=2e-3, reason=FINITE),
    case("square root of a mean square", lambda x: x.square().mean(1, keepdim=True).add(1e-6).sqrt(), normal(4, 32),
         slack=3e-3, reason="the law of a mean of 32 squares is taken as lognormal", backward=False),
    case("two that vary", lambda x, y: torch.atan2(x, y + 3), normal(4, 6), normal(4, 6, std=0.4),
         slack=4e-3, reason="product quadrature of 14 terms"),
    case("maximum of two", torch.maximum, normal(4, 6), normal(4, 6, mean=0.3), slack=0.02,
         reason="a kink on the diagonal: 48 nodes, 14 terms"),
    case("function of blocks", lambda x, y: torch.tanh(torch.cat([x, y], 1)), normal(4, 3), normal(4, 5, mean=1, std=0.3),
         slack=2e-3, reason=FINITE),
    case("chosen by a mask", lambda x, y, m: torch.where(m, x, y), normal(4, 6, mean=1), normal(4, 6, std=2), real(MASK)),
    case("filled by a mask", lambda x, m: x.masked_fill(m, 0.5), normal(4, 6, mean=1), real(MASK)),
    case("a mask's product", lambda x, m: x * m, normal(4, 6, mean=1), real(MASK.float())),
    case("logic of signs", lambda x, y: ((x > 0) | (y > 1)).float() + ((x > 1) & (y > 0)).float(), normal(4, 6), normal(6),
         slack=0.02, reason="steps on the grid", backward=False),
    case("added in place", lambda x, y: x.clone().add_(y).mul_(2), normal(4, 6), normal(4, 6, mean=1)),
]
