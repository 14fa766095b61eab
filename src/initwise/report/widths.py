"""WidthCheck → Document."""

from __future__ import annotations

from ..core.records import Finding
from ..core.widths import LayerScaling, WidthCheck
from .cells import ROOT, plural
from .document import Block, Column, Document, Items, Prose, Table
from .folding import folds

COLUMNS = (
    Column("name", "Layer", "name"),
    Column("kind", "Kind", "name"),
    Column("_span", "Forward rms", "figure"),
    Column("forward", "Forward", "exponent"),
    Column("gradient", "Gradient", "exponent"),
    Column("weight_gradient", "dLoss/dW", "exponent"),
    Column("sgd", "SGD step", "exponent"),
    Column("adam", "Adam step", "exponent"),
    Column("verdict", "Verdict", "verdict"),
    Column("reason", "Reason", "prose"),
)
NOTE = (
    "Exponents of the width: 0 does not change, 1 grows with it, -0.5 shrinks with its root. Forward, "
    "Gradient, dLoss/dW: rms of the output, of the gradient there, of the weight's. SGD step, Adam step: the "
    "change that the first step on its own weight makes in the output, at one learning rate for all widths; "
    "a learning rate that goes as width to minus this keeps it the same. Forward rms: at the narrowest and "
    "the widest."
)
VERBS = {"measure": "measured", "predict": "predicted, no weights needed"}


def widths_document(check: WidthCheck) -> Document:
    """The verdict, the findings, then layer by layer."""
    main = _table(check)
    blocks: list[Block] = [Prose(_verdict(check), lead=True)]
    if check.findings:
        blocks.append(Items("Findings", tuple(map(_finding, check.findings)), numbered=True))
    blocks.append(main)
    if check.note:
        blocks.append(Prose(f"Note: {check.note}"))
    return Document("Widths", tuple(blocks), main)


def _verdict(check: WidthCheck) -> str:
    widths = ", ".join(map(str, check.widths))
    how = f"{plural(len(check.layers), 'layer')}, widths {widths}, {VERBS.get(check.mode, check.mode)}"
    if check.healthy:
        return f"Stable in width: no output grows or vanishes with it ({how})."
    return f"Not stable in width: {plural(len(check.findings), 'finding')} ({how})."


def _finding(finding: Finding) -> str:
    return f"{finding.verdict} with width at {finding.layer or ROOT}: {finding.reason}"


def _table(check: WidthCheck) -> Table:
    rows = tuple(tuple(_cell(layer, column.key) for column in COLUMNS) for layer in check.layers)
    keep = frozenset(i for i, layer in enumerate(check.layers) if layer.verdict == "unpredicted")
    return Table(COLUMNS, rows, keep=keep, note=NOTE, folds=folds(check.layers, ()))


def _cell(layer: LayerScaling, key: str) -> object:
    if key == "_span":
        return f"{layer.forward_rms[0]:.3g} → {layer.forward_rms[-1]:.3g}" if layer.forward_rms else ""
    if key == "reason" and layer.verdict in ("exploding", "vanishing"):
        return ""  # the exponent says it
    return getattr(layer, key)
