"""Signals → Document."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ..core.paths import Row, paths
from ..core.records import Finding, LayerSignal, Signals
from .cells import ROOT, letters, number, plural
from .document import Block, Column, Document, Items, Plot, Prose, Table, fields_table
from .folding import folds
from .trend import sentence

COLUMNS = (
    Column("name", "Layer", "name"),
    Column("kind", "Kind", "name"),
    Column("shape", "Output", "shape"),
    Column("forward_rms", "Forward", "number"),
    Column("forward_mean", "Mean", "number"),
    Column("gradient_rms", "Gradient", "number"),
    Column("weight_gradient_rms", "dLoss/dW", "number"),
    Column("dead", "Dead", "share"),
    Column("saturated", "Flat", "share"),
    Column("correlation", "Corr.", "number"),
    Column("seed_spread", "Spread", "number"),
    Column("verdict", "Verdict", "verdict"),
    Column("reason", "Reason", "prose"),
)
LETTER = Column("_assumed", "Rests")
DEAD = "Dead: units that answer to no input. "
NOTE = (
    "Forward, Mean: rms and mean of the layer's output. Gradient: rms of the loss's gradient at that "
    f"output; dLoss/dW: at its weight. {DEAD}Flat: share of the next "
    "activation's inputs where it is flat. Corr.: mean cosine between different inputs' outputs."
)
PREDICTED = NOTE.replace(DEAD, "") + " Spread: of ln(Forward) from one draw of the weights to the next."
"""Which columns a prediction has."""
VERBS = {"measure": "measured on a real batch", "predict": "predicted, no weights needed"}
STREAM = 4
"""A residual stream of so many blocks is what the picture over depth shows."""
DRAWN = "the example was drawn from"
"""How a note begins to tell that no batch was given."""
ASSUMED = "assumed: "
"""How the part of a row's reason begins that tells what its numbers rest on though it may not hold."""


def signals_document(signals: Signals) -> Document:
    """The verdict, the findings worst first, then layer by layer in execution order."""
    blocks: list[Block] = [Prose(_verdict(signals), lead=True)]
    if signals.findings:
        blocks.append(Items("Findings, worst first", tuple(map(_finding, signals.findings)), numbered=True))
    if plot := depth_plot(signals):
        blocks.append(plot)
    if laws := _laws(signals):
        blocks.append(Items("Over depth", laws))
    blocks.append(layers_table(signals))
    if told := _assumptions(signals):
        blocks.append(Items("Rests on", tuple(f"{letter}: {what}" for what, letter in told.items())))
    if signals.note:
        blocks.append(Prose(f"Note: {signals.note}"))
    return Document("Signals", tuple(blocks), fields_table(COLUMNS, signals.layers))


def _laws(signals: Signals) -> tuple[str, ...]:
    """A sentence per path and direction whose law could be told."""
    return tuple(sentence(growth) for growth in signals.trend().growths if growth.law)


def layers_table(signals: Signals, title: str = "") -> Table:
    """A row per layer; a reason is shown here only when no finding tells it already."""
    told = {finding.layer for finding in signals.findings}
    unsaid = any(layer.verdict != "ok" and layer.name not in told for layer in signals.layers)
    assumptions = _assumptions(signals)
    worth = frozenset(i for i, layer in enumerate(signals.layers) if layer.verdict != "ok")
    hidden = frozenset() if unsaid else frozenset({"reason"})
    note = PREDICTED if signals.mode == "predict" else NOTE
    rows = [replace(layer, reason=_said(layer)) for layer in signals.layers]
    table = fields_table(COLUMNS, rows, title=title, keep=worth, hidden=hidden, note=note)
    marked = tuple(
        (*row, assumptions.get(_assumed(layer), ""))
        for row, layer in zip(table.rows, signals.layers, strict=True)
    )
    alike = folds(signals.layers, ("forward_rms", "gradient_rms"))
    return replace(table, columns=(*COLUMNS, LETTER), rows=marked, folds=alike)


def _said(layer: LayerSignal) -> str:
    """Its reason without what is assumed."""
    return layer.reason.partition(ASSUMED)[0].removesuffix("; ")


def _assumed(layer: LayerSignal) -> str:
    """What its numbers rest on; "" if on nothing that may fail."""
    return layer.reason.partition(ASSUMED)[2]


def _assumptions(signals: Signals) -> dict[str, str]:
    """Assumption → the letter by which the rows refer to it."""
    return letters(map(_assumed, signals.layers))


def depth_plot(signals: Signals, title: str = "") -> Plot | None:
    """Forward and gradient rms along the longest residual stream, or else over the layers with weights.

    Signals before and after an activation, in a branch and on its stream, differ by design; one of the two
    makes a line to read. None with fewer than two layers.
    """
    streams = [path.rows for path in paths(signals.layers) if path.kind == "stream"]
    stream = max(streams, key=len, default=())
    layers = stream if len(stream) >= STREAM else _weighted(signals)
    if len(layers) < 2:
        return None
    said = f"Residual stream over depth, first to last of {len(layers)} blocks"
    return Plot(
        title or (said if layers is stream else "Signal over depth, first to last layer"),
        tuple(layer.name or ROOT for layer in layers),
        (
            ("forward rms", tuple(layer.forward_rms for layer in layers)),
            ("gradient rms", tuple(layer.gradient_rms for layer in layers)),
        ),
    )


def _weighted(signals: Signals) -> Sequence[Row]:
    """The layers with weights, or all that were seen where fewer than two have any."""
    seen = [layer for layer in signals.layers if not math.isnan(layer.forward_rms)]
    weighted = [layer for layer in seen if not math.isnan(layer.weight_gradient_rms)]
    return weighted if len(weighted) > 1 else seen


def _verdict(signals: Signals) -> str:
    loss = "" if math.isnan(signals.loss) else f" Loss {number(signals.loss)}."
    layers, how = plural(len(signals.layers), "layer"), _how(signals)
    if not signals.healthy:
        if all(finding.verdict == "unpredicted" for finding in signals.findings):
            return f"Not judged: {plural(len(signals.findings), 'finding')} in {layers} ({how}).{loss}"
        return f"Unhealthy: {plural(len(signals.findings), 'finding')} in {layers} ({how}).{loss}"
    through = "signal gets" if _forward_only(signals) else "signal and gradient get"
    return f"Healthy: {through} through ({layers}, {how}).{_left_out(signals)}{loss}"


def _how(signals: Signals) -> str:
    """How the numbers came about: measured on what, and whether backward too."""
    how = VERBS.get(signals.mode, signals.mode)
    if signals.mode == "measure" and DRAWN in signals.note:
        how = "measured on a drawn example"
    return f"forward only, {how}" if _forward_only(signals) else how


def _forward_only(signals: Signals) -> bool:
    """Was the forward measured, and no gradient anywhere?"""
    seen = any(not math.isnan(layer.forward_rms) for layer in signals.layers)
    return seen and all(
        math.isnan(layer.gradient_rms) and math.isnan(layer.weight_gradient_rms) for layer in signals.layers
    )


def _left_out(signals: Signals) -> str:
    count = sum(layer.verdict == "unpredicted" for layer in signals.layers)
    return f" {plural(count, 'layer')} could not be judged." if count else ""


def _finding(finding: Finding) -> str:
    factor = (
        "" if math.isnan(finding.factor) or finding.factor == 1 else f" (factor {number(finding.factor)})"
    )
    return f"{finding.verdict} at {finding.layer or ROOT}: {finding.reason}{factor}"
