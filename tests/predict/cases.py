"""All cases, of all files cases_*.py beside this one."""

from __future__ import annotations

import importlib
from pathlib import Path

from conformance import Case

CASES: list[Case] = [
    case
    for path in sorted(Path(__file__).parent.glob("cases_*.py"))
    for case in importlib.import_module(path.stem).CASES
]
