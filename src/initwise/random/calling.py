"""What the compiled kernels and their callers agree on."""

from __future__ import annotations

from typing import Final

CENTRED: Final = "centred "
"""Prefix of the kinds for laws around 0 whose values need no bounds: scale·z is all there is to do."""

SIZE: Final = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of an element."""

# where things lie in the law's memory: doubles, then singles, then integers, then the table
AFFINE_DOUBLE: Final = 0
AFFINE_SINGLE: Final = 32
SIDES: Final = 48
TABLE: Final = 72
LAW_BYTES: Final = 144
