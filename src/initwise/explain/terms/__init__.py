"""The glossary's rows: what the words of reports and papers mean, for somebody who meets them first."""

from .base import Term
from .house import TERMS as HOUSE
from .networks import TERMS as NETWORKS
from .signal import TERMS as SIGNAL
from .weights import TERMS as WEIGHTS

TERMS: tuple[Term, ...] = (*WEIGHTS, *SIGNAL, *NETWORKS, *HOUSE)
"""All terms, topic by topic."""

__all__ = ["TERMS", "Term"]
