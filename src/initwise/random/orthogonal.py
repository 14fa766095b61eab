"""Orthogonal matrices by Haar's law.

By Stewart (1980, "The efficient generation of random orthogonal matrices"): for a matrix
whose longer side is L and shorter side S, reflector k = 1 … S comes from L − k + 1 standard normals x:
v = x + sign(x₁)‖x‖e₁, H = I − 2vvᵀ/vᵀv, and Q = H₁ … H_S·diag(−sign(x₁)). It equals the Q of a QR
factorisation of an L × S matrix of normals with R's diagonal positive, without a factorisation.

The arithmetic is `reflectors.py`'s: float64 in one order, so the bits depend on no thread and no BLAS.
Here the work is cut into tasks, and memory is found for it. docs/notes/haar.md has figures.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.fill import Fill
from ..core.stream import Stream
from .draw import draw_of
from .threads import run_all, thread_count

F64 = NDArray[np.float64]
STRIP = 8
WIDTH, STEP = 192, 24
"""Most reflectors to a panel; widths are multiples of STEP."""
SMALL = 1 << 25
"""rows · columns² up to which one thread makes a matrix and others make the next ones."""
SHARE = 1 << 18
"""Elements of small matrices that are drawn at once, at most."""
TASK = 32
"""Strips of eight columns to a task, about."""
_STANDARD = Fill.normal()
_Call = Callable[..., None]


def haar(rows: int, columns: int, stream: Stream, index: int = 0) -> F64:
    """A rows × columns matrix with orthonormal columns (rows ≥ columns) or rows, by Haar's law.

    Matrix `index` of the stream draws from elements index·rows·columns on, as if an L × S matrix of
    normals lay there row by row, of which column k is used from row k down.
    """
    out: F64 = np.empty((rows, columns))
    fill_haar(out[None], stream, first=index)
    return out


def fill_haar(out: NDArray[Any], stream: Stream, gain: float = 1.0, first: int = 0) -> None:
    """out[k] ← gain · Haar matrix number first + k of the stream; float64 or float32, any strides.

    Computed in float64 and rounded once. A large matrix takes, beyond `out`, itself in float64 and a
    panel of its reflectors (a third of its columns, from 24 to 192).
    """
    count, rows, columns = out.shape
    if rows < columns:
        fill_haar(out.transpose(0, 2, 1), stream, gain, first)
    elif rows * columns**2 <= SMALL:
        size = max(1, min(-(-count // (2 * thread_count())), SHARE // (rows * columns)))
        run_all(
            [
                functools.partial(_small, out[begin : begin + size], stream, gain, first + begin)
                for begin in range(0, count, size)
            ]
        )
    else:
        for k in range(count):
            _large(out[k], stream, gain, first + k)


def _width(columns: int) -> int:
    """Reflectors to a panel: few enough that a panel is a third of the matrix, at most."""
    return min(WIDTH, _rounded(-(-columns // 3)))


def _rounded(count: int) -> int:
    return -(-count // STEP) * STEP


def _small(out: NDArray[Any], stream: Stream, gain: float, first: int) -> None:
    """Matrices one after the other, in this thread and in one call."""
    count, rows, columns = out.shape
    height, padded, width = rows + STEP, _rounded(columns), _width(columns)
    normals = np.zeros((count, height, padded))
    _draw(normals[:, :rows, :columns], stream, first * rows * columns, (rows * columns, columns, 1))
    sizes = (padded * height, width * height, width * width, width * padded, padded)
    scratch = np.empty(sum(sizes))
    begins = itertools.accumulate((0, *sizes[:-1]))
    _code().whole[out.itemsize](
        normals.ctypes.data,
        *(count, rows, columns, padded, width),
        *(scratch.ctypes.data + 8 * begin for begin in begins),
        gain,
        out.ctypes.data,
        *out.strides,
    )


def _large(out: NDArray[Any], stream: Stream, gain: float, index: int) -> None:
    """One matrix, panel by panel from the last, each step shared by all threads."""
    rows, columns = out.shape
    width, strips = _width(columns), -(-columns // STRIP)
    height = rows + STEP
    matrix = np.zeros((strips, height, STRIP))
    diagonal = np.arange(columns)
    matrix[diagonal // STRIP, diagonal, diagonal % STRIP] = 1.0
    memory, signs = np.empty(height * width), np.ones(_rounded(columns))
    for begin in range((columns - 1) // width * width, -1, -width):
        count = min(width, columns - begin)
        panel = memory[: (height - begin) * _rounded(count)].reshape(height - begin, -1)
        panel[:, count:] = 0.0
        panel[rows - begin :] = 0.0
        corner = (index * rows + begin) * columns + begin
        run_all(
            [
                functools.partial(
                    _draw, panel[None, a:b, :count], stream, corner + a * columns, (0, columns, 1)
                )
                for a, b in _pieces(rows - begin, 1024)
            ]
        )
        _apply(panel, rows - begin, signs[begin:], matrix[begin // STRIP :, begin:])
    code, pitch = _code().finish[out.itemsize], matrix.strides[0]
    run_all(
        [
            functools.partial(
                code,
                *(matrix.ctypes.data, pitch, begin, end, columns, signs.ctypes.data),
                *(gain, out.ctypes.data, *out.strides),
            )
            for begin, end in _pieces(rows, 256)
        ]
    )


def _draw(out: F64, stream: Stream, first: int, steps: tuple[int, ...]) -> None:
    """Standard normals: the stream's element first + index · steps at each index."""
    from . import cpu

    draw = draw_of(_STANDARD)
    key, _keep_key = cpu.key_memory(stream)
    law, _keep_law = cpu.law_memory(draw)
    fill = cpu.kernel_for(draw, "float64").fill
    fill(key, law, first, *steps, *out.shape, *out.strides, out.ctypes.data)


def _apply(panel: F64, rows: int, signs: F64, matrix: F64) -> None:
    """Make reflectors of a panel of normals and apply them to the matrix, which is the identity in their
    own rows and columns."""
    code, width, own = _code(), panel.shape[1], panel.shape[1] // STRIP
    place = (panel.ctypes.data, width, rows)
    run_all([functools.partial(code.prepare, *place, *cut, signs.ctypes.data) for cut in _pieces(own, 4)])
    gram = np.empty((width, width))
    run_all([functools.partial(code.gram, *place, *cut, gram.ctypes.data) for cut in _pieces(own, 4)[::-1]])
    own = min(own, len(matrix))
    tasks = [(cut, 0, min(width, rows)) for cut in _pieces(own, TASK)]
    tasks += [((own + a, own + b), width, rows) for a, b in _pieces(len(matrix) - own, TASK)]
    run_all([functools.partial(_apply_to, panel, rows, gram, matrix[a:b], *area) for (a, b), *area in tasks])


def _apply_to(panel: F64, rows: int, gram: F64, strips: F64, low: int, high: int) -> None:
    width, count = panel.shape[1], len(strips)
    work = np.empty((count, width, STRIP))
    _code().apply(
        *(panel.ctypes.data, gram.ctypes.data, width, rows, low, high),
        *(strips.ctypes.data, strips.strides[0], count, work.ctypes.data),
    )


def _pieces(count: int, size: int) -> list[tuple[int, int]]:
    """0 … count in pieces of about `size`, as many for every thread."""
    threads = thread_count()
    pieces = max(1, round(count / (size * threads))) * threads
    cuts = [count * k // pieces for k in range(pieces + 1)]
    return [(a, b) for a, b in itertools.pairwise(cuts) if a < b]


@dataclass(frozen=True)
class Code:
    """The compiled functions of `reflectors.py`; whole and finish by the bytes of an element."""

    prepare: _Call
    gram: _Call
    apply: _Call
    whole: dict[int, _Call]
    finish: dict[int, _Call]


@functools.cache
def _code() -> Code:
    """Compiled at the first orthogonal fill."""
    from . import native

    # wider registers hold a taller tile; the sums are the same
    return compiled(12 if native.features().get("avx512f") else 6)


def compiled(tile: int) -> Code:
    """The functions of `reflectors.py` with tiles of so many rows."""
    from . import native

    address, count, number = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double
    whole = (address, *[count] * 5, *[address] * 5, number, address, *[count] * 3)
    finish = (address, *[count] * 4, address, number, address, count, count)
    kinds = {
        "prepare": (address, *[count] * 4, address),
        "gram": (address, *[count] * 4, address),
        "apply": (address, address, *[count] * 4, address, count, count, address),
        "whole_float32": whole,
        "whole_float64": whole,
        "finish_float32": finish,
        "finish_float64": finish,
    }
    found = native.functions(f"reflectors {tile}", functools.partial(_module, tile), tuple(kinds))
    at = {name: ctypes.CFUNCTYPE(None, *kinds[name])(place) for name, place in zip(kinds, found, strict=True)}
    return Code(
        at["prepare"],
        at["gram"],
        at["apply"],
        {4: at["whole_float32"], 8: at["whole_float64"]},
        {4: at["finish_float32"], 8: at["finish_float64"]},
    )


def _module(tile: int) -> Any:
    from .reflectors import Reflectors

    return Reflectors(tile).module
