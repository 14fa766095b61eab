"""Explanation → Document."""

from __future__ import annotations

from ..core.records import Explanation
from .document import Block, Column, Document, Items, Prose, Table

COLUMNS = (Column("label", "What"), Column("value", "Value", "prose"))


def explanation_document(explanation: Explanation) -> Document:
    """Title, plain words, closed form, numbers, where names differ, when not to use it, source."""
    main = Table(COLUMNS, explanation.facts)
    blocks: list[Block] = [Prose(f"{explanation.title}: {explanation.summary}", lead=True)]
    if explanation.law:
        blocks.append(Prose(f"Law: {explanation.law}"))
    if explanation.facts:
        blocks.append(main)
    if explanation.differences:
        blocks.append(Items("Others mean different things by this name", explanation.differences))
    if explanation.avoid:
        blocks.append(Prose(f"Not for: {explanation.avoid}"))
    if explanation.citation:
        proof = f" ({explanation.evidence})" if explanation.evidence else ""
        blocks.append(Prose(f"Source: {explanation.citation}{proof}"))
    return Document(explanation.title, tuple(blocks), main)
