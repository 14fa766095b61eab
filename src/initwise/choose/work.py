"""Work: how much a model has to compute, from shapes alone, and how many candidates may be measured for it.

No clock is read, so that the same model gets the same Advice each time. The constants are a slow core's, on
the careful side: `python benchmarks/asking.py --estimate` prints what they say of a check beside what it
takes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..core.graph import Graph
from ..core.parameter import ParameterInfo

PER_MULTIPLICATION = 2.5e-10
"""Seconds of a check, forward and backward and what is read of them, per multiplication of the forward."""
PER_ELEMENT = 4e-8
"""Seconds of a check per element of an output or a parameter."""
PER_NODE = 2.2e-3
"""Seconds of a check per operation, however small."""
PER_DRAWN = 5e-11
"""Seconds of drawing an orthogonal matrix per rows · columns · the smaller of both."""
ALLOWANCE = 0.6
"""Seconds for all that is measured beside training steps' time; the rest of one second is for loading."""


@dataclass(frozen=True)
class Work:
    """What one forward of a model takes.

    Attributes:
        multiplications: of its weights with their inputs, over the whole example.
        elements: of all outputs and parameters.
        nodes: operations.
    """

    multiplications: float = 0.0
    elements: float = 0.0
    nodes: int = 0

    @property
    def check(self) -> float:
        """Estimated seconds of one measuring pass."""
        return self.multiplications * PER_MULTIPLICATION + self.elements * PER_ELEMENT + self.nodes * PER_NODE

    @property
    def affordable(self) -> int:
        """How many candidates may be measured beside the chosen one.

        Reading the model, its data pass and the chosen candidate's check count as two checks.
        """
        return int(max(0.0, ALLOWANCE / self.check - 2)) if self.nodes else 0

    def draws(self, products: float) -> bool:
        """May orthogonal matrices that take so many products be drawn to be measured?"""
        return products * PER_DRAWN <= ALLOWANCE + self.check


NO_WORK = Work()
"""Of a model that could not be traced."""


def work_of(graph: Graph, parameters: Sequence[ParameterInfo]) -> Work:
    """The work of a traced model."""
    infos = {info.name: info for info in parameters}
    products = 0.0
    elements = float(sum(math.prod(info.shape) for info in parameters))
    for node in graph.nodes:
        outputs = math.prod(node.shape)
        elements += outputs
        if node.op in ("weight", "recurrent"):
            products += sum(_products(infos[name], outputs) for name in node.parameters if name in infos)
    return Work(products, elements, len(graph.nodes))


def _products(info: ParameterInfo, outputs: int) -> float:
    """Multiplications by one weight: each of its elements once per place of the output."""
    if info.layout is None or "o" not in info.layout.axes or len(info.shape) < 2:
        return 0.0
    return math.prod(info.shape) * outputs / max(1.0, info.layout.size(info.shape, "o"))
