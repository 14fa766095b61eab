"""Which file describes which record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.errors import RecordError
from ..core.matches import Matches
from ..core.plan import Plan
from ..core.records import Advice, Explanation, Ledger, Race, Signals
from ..core.trends import Trend
from ..core.widths import WidthCheck
from .advice import advice_document
from .document import Document
from .explanation import explanation_document
from .ledger import ledger_document
from .matches import matches_document
from .plan import plan_document
from .race import race_document
from .signals import signals_document
from .trend import trend_document
from .widths import widths_document

DESCRIPTIONS: dict[type, Callable[[Any], Document]] = {
    Advice: advice_document,
    Explanation: explanation_document,
    Ledger: ledger_document,
    Matches: matches_document,
    Plan: plan_document,
    Race: race_document,
    Signals: signals_document,
    Trend: trend_document,
    WidthCheck: widths_document,
}


def describe(record: Any) -> Document:
    """The document for `record`. Raises RecordError if no report knows it."""
    if type(record) not in DESCRIPTIONS:
        raise RecordError(
            f"no report for a {type(record).__name__}",
            where="report",
            legal=[kind.__name__ for kind in DESCRIPTIONS],
            given=type(record).__name__,
        )
    return DESCRIPTIONS[type(record)](record)
