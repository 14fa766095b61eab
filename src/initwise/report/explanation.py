"""Explanation → Document."""

from __future__ import annotations

from ..core.records import Explanation
from .document import Block, Column, Document, Items, Prose, Sketch, Table

COLUMNS = (Column("label", "What"), Column("value", "Value", "prose"))


def explanation_document(explanation: Explanation) -> Document:
    """Title, plain words, closed form, when to use it, a picture, numbers, where names differ, source."""
    main = Table(COLUMNS, explanation.facts)
    blocks: list[Block] = [Prose(f"{explanation.title}: {explanation.summary}", lead=True)]
    if explanation.law:
        blocks.append(Prose(f"Law: {explanation.law}"))
    if explanation.use:
        blocks.append(Prose(f"For: {explanation.use}"))
    if explanation.avoid:
        blocks.append(Prose(f"Not for: {explanation.avoid}"))
    if explanation.picture is not None:
        blocks.append(Sketch(explanation.picture))
    if explanation.facts:
        blocks.append(main)
    if explanation.differences:
        blocks.append(Items("Others mean different things by this name", explanation.differences))
    return Document(explanation.title, (*blocks, *_origin(explanation)), main)


def _origin(explanation: Explanation) -> list[Block]:
    """Where it comes from, and what stands beside it."""
    blocks: list[Block] = []
    if explanation.citation:
        proof = f" ({explanation.evidence})" if explanation.evidence else ""
        blocks.append(Prose(f"Source: {explanation.citation}{proof}"))
    if explanation.history:
        blocks.append(Prose(f"History: {' → '.join(explanation.history)}"))
    if explanation.see:
        blocks.append(Prose(f"See also: {', '.join(explanation.see)}"))
    return blocks
