"""Advice → Document."""

from __future__ import annotations

from ..core.records import Advice
from .cells import listed
from .document import Block, Code, Document, Items, Prose
from .plan import plan_notes, plan_table
from .ranking import ranking_blocks, ranking_table
from .signals import depth_plot


def advice_document(advice: Advice) -> Document:
    """The choice and how sure it is, the reasons, the evidence, the plan, the lines that apply it."""
    main = ranking_table(advice.ranking, advice.ties)
    blocks: list[Block] = [Prose(_decision(advice), lead=True)]
    if advice.reasons:
        blocks.append(Items("Why", advice.reasons, numbered=True))
    if advice.ranking:
        blocks += ranking_blocks(advice.ranking, advice.ties)
    if advice.signals and (plot := depth_plot(advice.signals, f"Signal over depth with {advice.name}")):
        blocks.append(plot)
    blocks += [plan_table(advice.plan, "The plan"), *plan_notes(advice.plan)]
    if advice.apply:
        blocks.append(Code("Apply it", advice.apply))
    return Document(f"Initialization: {advice.name}", tuple(blocks), main)


def _decision(advice: Advice) -> str:
    rate = ""
    if advice.learning_rate is not None:
        trained = f"{advice.race.optimizer} at " if advice.race and advice.race.optimizer else ""
        rate = f", with {trained}learning rate {advice.learning_rate:.3g}"
    text = f"Use {advice.name}{rate} (confidence {advice.confidence}, {_evidence(advice)})."
    others = tuple(name for name in advice.ties if name != advice.name)
    if others:
        text += f" It ties with {listed(others)}: the evidence cannot tell them apart."
    return text


def _evidence(advice: Advice) -> str:
    seconds = f"{advice.cost:.1f} s"
    if advice.race is None:
        return f"{seconds}, no training"
    stopped = ", interrupted" if advice.race.interrupted else ""
    return f"{seconds}, after a race{stopped}"
