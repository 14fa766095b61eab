"""Correlations of normal elements, and of their squares, between names, seeds, shards and distances.

    python benchmarks/stream_neighbours.py
    python benchmarks/stream_neighbours.py --rounds 2     a control: words of a weakened Philox

256 tensors of 2²⁰ elements each: all 32 640 pairs. And one tensor of 2²⁴: all distances up to 65 536.
n·Σr² of independent normals is χ² with a degree of freedom for each pair; the largest √n·|r| of M pairs
exceeds x with probability 1 − (2Φ(x) − 1)ᴹ. Prints Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import fft, special, stats

import stream_words
from initwise.core.fill import Fill
from initwise.core.stream import Stream
from initwise.random import fill_array

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
COUNT, LONG, LAGS = 1 << 20, 1 << 24, 1 << 16
WHOLE = (1 << 62,)
PAIRED = {"names": "256 names", "seeds": "seeds 0 … 255", "shards": "offsets 2⁴⁰ apart"}


def normals(out: F32, stream: Stream, first: int, rounds: int) -> None:
    """The engine's own normals; with fewer than ten rounds, quantiles of the weakened words."""
    if rounds == stream_words.ROUNDS:
        fill_array(out, Fill.normal(), name=stream.name, seed=stream.seed, shape=WHOLE, offset=(first,))
        return
    words = np.empty(out.size, np.uint32)
    stream_words.fill_words(words, stream, first, rounds)
    out[:] = special.ndtri((words + 0.5) / 2**32)


def standard(rows: F32, power: int) -> F32:
    """zᵏ less its mean over its standard deviation, both of the law."""
    return rows if power == 1 else (rows * rows - np.float32(1)) * np.float32(0.5**0.5)


def pairs(order: str, power: int, rounds: int) -> F64:
    """√n·r of each pair of tensors."""
    who = stream_words.tensors(order)
    total = np.zeros((len(who), len(who)))
    rows = np.empty((len(who), 1 << 14), np.float32)
    for begin in range(0, COUNT, rows.shape[1]):
        for row, (stream, first) in zip(rows, who, strict=True):
            normals(row, stream, first + begin, rounds)
        z = standard(rows, power)
        total += z @ z.T
    above: F64 = total[np.triu_indices(len(who), 1)] / np.sqrt(COUNT)
    return above


def distances(power: int, rounds: int) -> F64:
    """√n·r at each distance within one tensor, by the transform of its spectrum."""
    values = np.empty(LONG, np.float32)
    normals(values, stream_words.tensors("one")[0][0], 0, rounds)
    spectrum = fft.rfft(standard(values, power), LONG + LAGS)
    sums = fft.irfft(np.abs(spectrum) ** 2, LONG + LAGS)[1 : LAGS + 1].astype(np.float64)
    scores: F64 = sums / np.sqrt(LONG - np.arange(1, LAGS + 1))
    return scores


def row(title: str, power: int, scores: F64) -> str:
    chi = float(stats.chi2.sf((scores**2).sum(), scores.size))
    largest = float(np.abs(scores).max())
    p = -np.expm1(scores.size * np.log1p(-2 * special.ndtr(-largest)))
    of = "z" if power == 1 else "z²"
    return f"| {title} | {of} | {scores.size} | {chi:.2g} | {largest:.2f} | {p:.2g} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=stream_words.ROUNDS)
    rounds = parser.parse_args().rounds
    print("| between | of | pairs | Σr², p | largest √n·\\|r\\| | p |\n|---|---|---|---|---|---|")
    measured: list[tuple[str, Callable[[int], F64]]] = [
        (title, lambda power, order=order: pairs(order, power, rounds))  # type: ignore[misc]
        for order, title in PAIRED.items()
    ]
    measured.append(("elements 1 … 65 536 apart", lambda power: distances(power, rounds)))
    found = [(title, power, scores(power)) for title, scores in measured for power in (1, 2)]
    for title, power, scores in found:
        print(row(title, power, scores))
    _, power, near = found[-2]
    print(row("… multiples of 64 alone", power, near[63::64]))


if __name__ == "__main__":
    main()
