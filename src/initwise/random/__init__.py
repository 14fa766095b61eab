"""Stream v1 and the engine that writes it: the only place where weights are made.

reference.py   the specification in plain NumPy
constants.py   its constants; exact.py makes them from exact arithmetic
draw.py        Fill → the numbers a backend needs
kernel.py      the same as LLVM vector code: transforms.py, written with lanes.py
cpu.py         compiles and calls it (loaded at the first fill); threads.py its threads
matrix.py      orthogonal, delta-orthogonal, identity, dirac
output.py      what may be written; engine.py ties it together, direct.py is its short way
cuda.py        the same on CUDA devices: table and launch of cuda_kernel.py (Triton)
"""

from .engine import fill_array, fill_arrays

__all__ = ["fill_array", "fill_arrays"]
