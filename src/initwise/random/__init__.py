"""Stream v1 and the engine that writes it: the only place where weights are made.

reference.py   the specification in plain NumPy
constants.py   its constants; exact.py makes them from exact arithmetic
draw.py        Fill → the numbers a backend needs
cpu.py         numba kernels (loaded at the first fill); threads.py their threads
matrix.py      orthogonal, delta-orthogonal, identity, dirac
output.py      what may be written; engine.py ties it together
"""

from .engine import fill_array, fill_arrays

__all__ = ["fill_array", "fill_arrays"]
