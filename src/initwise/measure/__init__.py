"""measure: one real forward and backward under hooks → Signals.

check(model, example)            the public call
checking.py     what is asked, which room answers
real.py         the gauge for tensors that hold numbers: what `signals` reads them with
inputs.py       what the example itself is like
statistics.py   the numbers, on the device
substitutes.py  a plan's weights in place of the model's
"""

from __future__ import annotations

from .checking import check

__all__ = ["check"]
