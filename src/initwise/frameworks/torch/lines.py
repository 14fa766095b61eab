"""Which line of the user's own code an error came out of."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

LIBRARIES = frozenset({"torch", "functorch", "numpy", "triton"})
"""Packages whose frames are no place to mend anything."""
HERE = str(Path(__file__).parents[2])
STANDARD = sysconfig.get_path("stdlib")
SITE = ("site-packages", "dist-packages")


def own_line(error: BaseException | None) -> str:
    """ "model.py:12 in forward: x = x.numpy()": the innermost frame outside torch and initwise, or ""."""
    frames = [] if error is None else traceback.extract_tb(error.__traceback__)
    frame = next((frame for frame in reversed(frames) if _own(frame.filename)), None)
    if frame is None:
        return ""
    return f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line}".removesuffix(": ")


def _own(filename: str) -> bool:
    path = Path(filename)
    if filename.startswith("<") or path.is_relative_to(HERE):
        return False
    for place in SITE:
        if place in path.parts:
            return path.parts[path.parts.index(place) + 1] not in LIBRARIES
    return not path.is_relative_to(STANDARD)
