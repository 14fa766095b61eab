"""Repeated blocks in the tables of Signals and WidthCheck."""

import math
from dataclasses import replace

from initwise.core.records import LayerSignal, Signals
from initwise.report import text
from initwise.report.folding import Fold, folds

NUMBERS = ("forward_rms", "gradient_rms")


def row(name, kind="Linear", forward=1.0, gradient=1.0, weight=1.0, verdict="ok"):
    return LayerSignal(
        name, kind, (2, 8), forward, gradient_rms=gradient, weight_gradient_rms=weight, verdict=verdict
    )


def decoder(blocks=12, growth=1.1):
    rows = [row("embed", "Embedding")]
    for i in range(blocks):
        q = growth**i
        rows += [row(f"h.{i}.norm", "LayerNorm"), row(f"h.{i}.mlp.up"), row(f"h.{i}.mlp.down", forward=q)]
        rows.append(row(f"h.{i}+", "add", q, 1 / q, math.nan))
    return [*rows, row("norm", "LayerNorm"), row("head")]


def changed(rows, name, **fields):
    return [replace(r, **fields) if r.name == name else r for r in rows]


def found(rows):
    return [fold.text for fold in folds(rows, NUMBERS)]


def test_the_first_and_the_last_block_stand_for_all():
    (fold,) = folds(decoder(), NUMBERS)
    assert fold == Fold(5, 45, "10 blocks like it: h.1 to h.10")


def test_few_blocks_are_shown():
    assert found(decoder(3)) == []
    assert found(decoder(4)) == ["2 blocks like it: h.1 to h.2"]


def test_a_block_with_another_verdict_is_shown():
    rows = changed(decoder(), "h.6.mlp.up", verdict="saturated")
    assert found(rows) == ["4 blocks like it: h.1 to h.4", "3 blocks like it: h.8 to h.10"]


def test_blocks_that_share_a_verdict_are_folded_and_it_is_said():
    rows = [replace(r, verdict="exploding") if ".mlp.down" in r.name else r for r in decoder()]
    assert found(rows) == ["10 blocks like it: h.1 to h.10, with the same verdicts: exploding"]


def test_a_block_of_another_make_or_off_the_line_is_shown():
    assert len(found(changed(decoder(), "h.6.mlp.up", kind="Conv1d"))) == 2
    assert len(found(changed(decoder(), "h.6.mlp.up", forward_rms=5.0))) == 2
    assert len(found(changed(decoder(), "h.6.mlp.up", forward_rms=1.9))) == 1


def test_experts_fold_inside_the_blocks_that_are_shown():
    rows = [row(f"h.{i}.experts.{k}.up") for i in range(6) for k in range(8)]
    assert found(rows) == [
        "6 blocks like it: h.0.experts.1 to h.0.experts.6",
        "4 blocks like it: h.1 to h.4",
        "6 blocks like it: h.5.experts.1 to h.5.experts.6",
    ]


def test_stages_fold_by_themselves():
    rows = [row(f"layer{s}.{b}.conv", f"Conv{s}") for s in (1, 2) for b in range(6)]
    assert found(rows) == [
        "4 blocks like it: layer1.1 to layer1.4",
        "4 blocks like it: layer2.1 to layer2.4",
    ]


def test_numbers_that_alternate_are_no_repetition():
    rows = [row(str(i), "Linear" if i % 2 else "ReLU") for i in range(40)]
    assert found(rows) == []


def test_the_report_of_a_deep_decoder_is_short_and_tells_its_law():
    said = text(Signals("predict", tuple(decoder(48))))
    assert "… 46 blocks like it: h.1 to h.46" in said
    assert "h.47.mlp.down" in said
    assert "h.20" not in said
    assert "Residual stream over depth, first to last of 48 blocks" in said
    assert "forward grows exponentially: ×1.1 per block" in said
    assert "backward shrinks exponentially: ×0.909 per block" not in said
    assert "backward grows exponentially: ×1.1 per block" in said
    assert len(said.splitlines()) < 40


def test_a_short_table_is_not_folded_and_a_frame_never_is():
    signals = Signals("predict", tuple(decoder(6)))
    assert "blocks like it" not in text(signals)
    assert len(Signals("predict", tuple(decoder(48))).to_frame()) == 195
