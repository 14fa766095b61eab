"""measure: one real forward and backward under hooks → Signals.

check(model, example)            the public call
checking.py     what is asked, which room answers
passing.py      one pass of a torch model, as Readings
inputs.py       what the example itself is like;  ends.py  where the backward pass starts
watch.py        what is read on the way: hooks and functions
statistics.py   the numbers, on the device;  scalars.py  their one way to the host
roles.py        which modules get a row
substitutes.py  a plan's weights in place of the model's
verdicts.py     what the numbers mean: pure functions, all thresholds
"""

from __future__ import annotations

from .checking import check

__all__ = ["check"]
