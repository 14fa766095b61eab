"""initwise: the right starting weights for any network, chosen, explained, proven.

    import initwise
    initwise.init_(model, initwise.choose(model, example), seed=0)

The rooms and the order of their imports (machine-checked, one way):

    cli > problems > explain > race > choose > predict | measure > frameworks
        > recipes | random | report > schemes > activations > core

Importing this loads NumPy and nothing else: no framework, no compiler, no plotting.
"""

from __future__ import annotations

from .activations import activations, gain
from .choose import choose
from .core.errors import InitwiseError
from .core.fill import Fill
from .core.layout import Fans, Layout, fans
from .core.plan import Plan
from .core.problem import Problem
from .core.records import Advice, Explanation, Ledger, Race, Signals
from .core.stream import Stream
from .explain import explain
from .frameworks.initialize import init_
from .frameworks.memory import fill
from .frameworks.numpy import ArrayTree
from .measure import check
from .race import race
from .recipes import Recipe, recipe, recipes
from .schemes import Scheme, scheme, schemes

__version__ = "0.1.0.dev0"

__all__ = [
    "__version__",
    "activations",
    "Advice",
    "ArrayTree",
    "check",
    "choose",
    "explain",
    "Explanation",
    "Fans",
    "fans",
    "Fill",
    "fill",
    "gain",
    "init_",
    "InitwiseError",
    "Layout",
    "Ledger",
    "Plan",
    "Problem",
    "Race",
    "race",
    "Recipe",
    "recipe",
    "recipes",
    "Scheme",
    "scheme",
    "schemes",
    "Signals",
    "Stream",
]
