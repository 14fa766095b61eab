"""Choosing: candidates, rules, verdicts → Advice.

`choose` is the door. Behind it: `structure` reads the network, `operating` and `rules` decide,
`calibrate` measures, `candidates` lists who competes, `verdicts` vetoes, `rank` orders, `reasons` tells.
"""

from __future__ import annotations

from .advise import choose

__all__ = ["choose"]
