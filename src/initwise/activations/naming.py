"""Names as users type them, and what is called an activation but maps no single number."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..core.errors import UnknownNameError
from ..core.registry import Registry

if TYPE_CHECKING:
    from .base import ActivationRow

_SUM_TO_ONE = "its outputs share one sum, so each depends on all inputs and on how many there are"

NOT_ELEMENTWISE: dict[str, tuple[str, str]] = {
    "softmax": (_SUM_TO_ONE, "For attention logits take the gain of 'identity'; softmax itself has none."),
    "softmax2d": (_SUM_TO_ONE, "It is softmax over channels; it has no gain."),
    "softmin": (_SUM_TO_ONE, "It is softmax of −x; it has no gain."),
    "log_softmax": (_SUM_TO_ONE, "It ends a network: what precedes it wants the gain of 'identity'."),
    "sparsemax": (_SUM_TO_ONE, "It projects onto the simplex; it has no gain."),
    "gumbel_softmax": (_SUM_TO_ONE, "It draws random numbers too; it has no gain."),
    "multihead_attention": ("it is a layer with weights of its own", "Ask choose or check for the model."),
    "crelu": (
        "it gives two numbers for each one, max(x, 0) and max(−x, 0)",
        "Each is a relu: take the gain of 'relu', with fan_in counting both.",
    ),
    "maxout": (
        "it takes the largest of several inputs",
        "Goodfellow et al. 2013 draw its weights like a linear layer's: the gain of 'identity'.",
    ),
    "log1mexp": ("it is defined for x > 0 only", "A normal pre-activation is negative half the time."),
}
"""Name → why it has no gain, and what to do instead."""


class ActivationRegistry(Registry["ActivationRow"]):
    """Rows by name, alias, or either written in another style: "LeakyReLU", "soft-sign", "Hardswish"."""

    def __getitem__(self, name: str) -> ActivationRow:
        """The row. Raises UnknownNameError, which says why softmax and its kin have none."""
        known = self._known(name) if isinstance(name, str) else name
        if known not in self._names and squashed(name) in _DECLARED:
            label = _DECLARED[squashed(name)]
            reason, fix = NOT_ELEMENTWISE[label]
            raise UnknownNameError(
                f"{label} is not elementwise, so it has no gain", cause=f"{reason}.", fix=fix
            )
        return super().__getitem__(known)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(self._known(name) if isinstance(name, str) else name)

    def _known(self, name: str) -> str:
        """`name` if it is registered as it is, else the registered name that differs only in style."""
        alike = squashed(name)
        for load in (self._load_own, self._load):
            load()
            if name in self._names:
                return name
            found = next((known for known in self._names if squashed(known) == alike), None)
            if found is not None:
                return found
        return name


def squashed(name: object) -> str:
    """A name without case, underscores, hyphens and blanks."""
    return re.sub(r"[_\-\s]", "", str(name)).lower()


_DECLARED = {squashed(name): name for name in NOT_ELEMENTWISE}
