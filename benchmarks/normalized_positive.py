"""The moments of an entry of (I + RᵀR/n)/λ for small n: the table in core/whole.py.

    python benchmarks/normalized_positive.py

The eigenvalues w of RᵀR, R an n×n matrix of standard normal numbers, have the density
∏ w_i^(−1/2) e^(−w_i/2) ∏|w_i − w_j| (Wishart, n degrees of freedom). Their sum is a χ² variate of n²
degrees, independent of their ratios. With w_max = r and w_i = r·s_i², s_i = s_{i+1}·v_i, all singularities
are gone: Gauss–Legendre in each v, generalised Gauss–Laguerre in the sum. The law turns with the
coordinates, so an entry's mean is E[Σ_i m_i]/n² and its second moment E[Σ_i m_i²]/n², with
m_i = (1 + w_i/n)/(1 + r/n).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import roots_genlaguerre

LARGEST = 7
NODES = {2: (60, 60), 3: (40, 50), 4: (32, 50), 5: (24, 40), 6: (18, 30), 7: (14, 24)}
"""Nodes of each ratio, and of the sum."""


def moments(n: int, ratio_nodes: int, sum_nodes: int) -> tuple[float, float]:
    """Mean and std of an entry taken at random."""
    half, weight = roots_genlaguerre(sum_nodes, n * n / 2 - 1)
    node, mass = np.polynomial.legendre.leggauss(ratio_nodes)
    node, mass = (node + 1) / 2, mass / 2
    first, second, total = 0.0, 0.0, 0.0
    for value, share in zip(node, mass, strict=True):
        # the outermost ratio in turn, so that seven dimensions fit into memory
        grids = np.meshgrid(*[node] * (n - 2), indexing="ij")
        shares = np.meshgrid(*[mass] * (n - 2), indexing="ij")
        roots = [np.ones(1), np.full(1, value)]
        density = np.full(1, share)
        for grid, part in zip(grids, shares, strict=True):
            density = density * part.ravel() * roots[-1]
            roots.append(roots[-1] * grid.ravel())
        t = np.stack(np.broadcast_arrays(*[root**2 for root in roots]))
        for i in range(n):
            for j in range(i):
                density = density * (t[j] - t[i])
        density = density * t.sum(axis=0) ** (-n * n / 2)
        largest = 2 / n / t.sum(axis=0)
        for sum_half, sum_weight in zip(half, weight, strict=True):
            r = largest * sum_half
            m = (1 + r * t) / (1 + r)
            first += sum_weight * float((density * m.sum(axis=0)).sum())
            second += sum_weight * float((density * (m**2).sum(axis=0)).sum())
        total += float(np.sum(density)) * float(weight.sum())
    mean = first / total / n**2
    return mean, math.sqrt(second / total / n**2 - mean**2)


if __name__ == "__main__":
    for n in range(2, LARGEST + 1):
        nodes, of_sum = NODES[n]
        once, again = moments(n, nodes, of_sum), moments(n, nodes - 2, of_sum - 4)
        gap = max(abs(one - other) for one, other in zip(once, again, strict=True))
        print(f"    {n}: ({once[0]:.10f}, {once[1]:.10f}),  # fewer nodes: {gap:.0e} off")
