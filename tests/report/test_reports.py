"""Every record as text (golden files), as a page, as a frame.

After a wanted change: INITWISE_GOLDEN=write pytest tests/report, then read the diff.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from initwise.core.errors import MissingError, RecordError
from initwise.core.fill import Fill
from initwise.core.plan import Plan
from initwise.core.records import Candidate, Finding, LayerSignal, Race, Signals
from initwise.report import frame, html, text

GOLDEN = Path(__file__).parent / "golden"
NAMES = ("plan", "signals", "race", "advice", "ledger", "explanation", "matches")
EVIL = '<script>alert("x")</script>&co'


@pytest.mark.parametrize("name", NAMES)
def test_the_text_is_the_golden_one(samples, name):
    path = GOLDEN / f"{name}.txt"
    said = text(samples[name]) + "\n"
    if os.environ.get("INITWISE_GOLDEN") == "write":
        path.write_text(said, encoding="utf-8")
    assert said == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_text_has_one_width_whatever_the_terminal(samples, name, monkeypatch):
    before = text(samples[name])
    monkeypatch.setenv("COLUMNS", "40")
    assert text(samples[name]) == before
    assert max(map(len, before.splitlines())) <= 100
    assert not re.search(r"[ \t]$|\x1b", before, re.MULTILINE)


@pytest.mark.parametrize("columns", [60, 61, 72, 80, 99])
@pytest.mark.parametrize("name", NAMES)
def test_a_narrower_terminal_gets_lines_as_wide(samples, name, columns):
    said = text(samples[name], columns)
    code = "Apply it" if name == "advice" else "\0"
    lines = said.partition(code)[0].splitlines()
    assert [line for line in lines if len(line) > columns and " " in line.strip()] == []  # a path is whole
    assert not re.search(r"[ \t]$", said, re.MULTILINE)


def test_below_60_columns_and_above_100_text_stays_as_it_is_there(samples):
    assert text(samples["ledger"], 20) == text(samples["ledger"], 60)
    assert text(samples["ledger"], 300) == text(samples["ledger"])


@pytest.mark.parametrize("name", NAMES)
def test_print_shows_the_report(samples, name):
    assert str(samples[name]) == text(samples[name])


class _Page(HTMLParser):
    void = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.void:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag


def _parsed(page: str) -> _Page:
    parser = _Page()
    parser.feed(page)
    assert parser.stack == []
    return parser


@pytest.mark.parametrize("name", NAMES)
def test_the_page_stands_alone(samples, name):
    page = html(samples[name])
    parser = _parsed(page)
    assert page.startswith("<!doctype html>")
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in parser.seen}
    assert not any("src" in attrs or "href" in attrs for _, attrs in parser.seen)
    assert "url(" not in page
    assert "@import" not in page
    assert "prefers-color-scheme: dark" in page


def test_the_page_escapes_what_a_model_is_called():
    layer = LayerSignal(EVIL, EVIL, (1,), 1.0, gradient_rms=1.0, verdict="dead", reason=EVIL)
    signals = Signals("measure", (layer, layer), (Finding(EVIL, "dead", EVIL),), note=EVIL)
    page = html(signals)
    _parsed(page)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_page_plots_forward_and_backward_over_depth(samples):
    page = html(samples["signals"])
    assert page.count("<path") == 2
    assert "forward rms" in page
    assert "gradient rms" in page
    assert "features.0: gradient rms 3.00e-6" in page
    assert "features.1: gradient rms" not in page  # an activation: no weights, another signal by design


def test_a_plot_without_numbers_is_still_a_page():
    layers = tuple(
        LayerSignal(str(i), "Linear", (1,), value, gradient_rms=value)
        for i, value in enumerate((0.0, math.inf, 0.0))
    )
    _parsed(html(Signals("measure", layers)))
    assert "_!_" in text(Signals("measure", layers))


def test_to_html_writes_the_page_and_returns_it(samples, tmp_path):
    page = samples["advice"].to_html(tmp_path / "advice.html")
    assert (tmp_path / "advice.html").read_text(encoding="utf-8") == page


def test_frames_hold_raw_values(samples):
    signals = frame(samples["signals"])
    assert list(signals["forward_rms"]) == [0.71, 0.52, 1234.5]
    assert {"verdict", "reason", "seed_spread", "weight_gradient_rms"} <= set(signals.columns)
    ranking = frame(samples["advice"])
    assert list(ranking["loss"][:2]) == [0.3121, 0.3142]
    assert not [key for key in ranking.columns if key.startswith("_")]
    assert list(frame(samples["plan"])["law"]) == ["normal", "constant", "normal"]
    assert list(frame(samples["ledger"])["status"]) == ["filled", "filled", "tied", "frozen"]
    assert list(frame(samples["explanation"])["label"]) == ["fan_in", "std"]
    assert len(frame(samples["race"])) == 4


def test_a_frame_without_pandas_says_what_to_install(samples, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(MissingError) as caught:
        samples["plan"].to_frame()
    assert str(caught.value) == (
        "to_frame(): pandas is not installed.\n"
        '  Install it: pip install "initwise[report]" (or pip install pandas).'
    )


def test_what_is_no_record_is_refused():
    with pytest.raises(RecordError, match="no report for a dict"):
        text({})


def test_ties_are_said_as_ties(samples):
    said = text(samples["advice"])
    assert "It ties with lsuv: the evidence cannot tell them apart." in said.replace("\n", " ")
    assert said.count("1=") == 2


def test_a_lone_winner_is_no_tie(samples):
    said = text(replace(samples["race"], ties=("rule_b",)))
    assert "rule_b wins the race on digits." in said
    assert "1=" not in said


def test_an_interrupted_race_says_so(samples):
    assert "interrupted" in text(replace(samples["race"], interrupted=True))


def test_a_race_without_survivors_says_so():
    lost = Race("digits", "", (), (Candidate("zeros", "symmetric", "all units identical"),))
    assert text(lost).startswith("No scheme survived the race on digits.")


def test_a_healthy_model_is_said_healthy():
    layers = (
        LayerSignal("0", "Linear", (4, 4), 1.0, 0.0, 1.0),
        LayerSignal("1", "ReLU", (4, 4), 0.7, 0.4, 1.0),
    )
    said = text(Signals("predict", layers))
    assert said.startswith("Healthy: signal and gradient get through (2 layers, predicted")
    assert "Findings" not in said


def test_a_reason_without_a_finding_is_shown_in_the_table():
    layers = (
        LayerSignal("0", "Linear", (4, 4), 1.0),
        LayerSignal("1", "FFT", (4, 4), verdict="unpredicted", reason="no rule for this operation"),
    )
    assert "no rule for this operation" in text(Signals("predict", layers))


def test_a_long_table_keeps_its_ends_and_what_is_wrong():
    # no two alike, so that there is nothing to fold
    layers = [LayerSignal(f"layer{i}", f"Linear{i}", (4, 4), 1.0, gradient_rms=1.0) for i in range(300)]
    layers[150] = replace(layers[150], verdict="dead", reason="no unit answers")
    said = text(Signals("measure", tuple(layers), (Finding("layer150", "dead", "no unit answers"),)))
    for name in ("layer0 ", "layer299 ", "layer150 "):
        assert name in said
    assert "layer100 " not in said
    assert re.search(r"… \d+ more", said)
    assert len(said.splitlines()) < 70


def test_names_in_a_wide_table_are_whole_and_so_are_kinds():
    names = [f"transformer.blocks.{i}.attention.{part}" for i in range(3) for part in ("q_proj", "k_proj")]
    layers = tuple(
        LayerSignal(name, "BatchNorm2d", (32, 512, 28, 28), 1e-9, -1e-10, 1e-10, 1e-10, 0.5, 0.5, -1e-10)
        for name in names
    )
    said = text(Signals("measure", layers))
    assert max(map(len, said.splitlines())) <= 100
    for name in names:
        assert said.count(name) == 1
    assert said.count("BatchNorm2d") == len(names)
    assert "…" not in said


def test_columns_move_closer_before_names_go_above():
    layer = LayerSignal("blocks.0.conv1", "Conv2d", (4, 8, 14, 14), 0.355, 0.044, 0.00864, 0.129, 0.0, 0.51)
    said = text(Signals("measure", (replace(layer, correlation=-0.0636, verdict="exploding"), layer)))
    assert re.search(r"^  blocks.0.conv1 +Conv2d +4×8×14×14 +0.355", said, re.MULTILINE)


def test_a_healthy_scheme_that_stayed_out_of_the_race_has_no_rank(samples):
    out = Candidate("xavier_normal", "ok", "no room in the race", 1.0, 1.0, 0.3)
    race = samples["race"]
    said = text(replace(race, ranking=(*race.ranking[:3], out, *race.ranking[3:])))
    assert re.search(r"^  3 +he_normal", said, re.MULTILINE)
    assert re.search(r"^  – +xavier_normal", said, re.MULTILINE)
    ranked = tuple(replace(one, loss=math.nan, loss_error=math.nan, share=0.0) for one in race.ranking)
    assert re.search(r"^  3 +he_normal", text(replace(race, ranking=ranked)), re.MULTILINE)


def test_a_flat_signal_looks_flat():
    layers = tuple(LayerSignal(str(i), "Linear", (1,), 1 + 0.01 * i, gradient_rms=1.0) for i in range(10))
    line = next(line for line in text(Signals("measure", layers)).splitlines() if "forward rms" in line)
    assert len(set(re.findall("[▁▂▃▄▅▆▇█]", line))) == 1


def test_the_root_module_has_a_name_to_read():
    said = text(Signals("measure", (LayerSignal("", "Linear", (4, 4), 1.0),), (Finding("", "dead", "why"),)))
    assert "dead at (model): why" in said
    assert re.search(r"^  \(model\)  Linear", said, re.MULTILINE)


def test_what_is_out_stands_apart_from_the_ranking(samples):
    said = text(samples["advice"])
    assert said.index("Ranking, best first") < said.index("he_normal") < said.index("Out, and why")
    assert said.index("Out, and why") < said.index("symmetric")
    lost = replace(samples["race"], ranking=samples["race"].ranking[3:], winner="", ties=())
    assert "All are out, the least damaged first" in text(lost)


def test_reasons_that_tensors_share_are_told_once(samples):
    said = text(samples["plan"])
    assert said.count("fan_in 64, gain √2 of relu") == 1
    many = Plan("many", tuple((f"w{i}", Fill.constant(0.0, reason=f"reason {i}")) for i in range(30)))
    assert "z1" not in text(many)
    assert "… 14 more in to_frame()" in text(many)
    assert re.search(r"^  w26 +0 +0  a1$", text(many), re.MULTILINE)


def test_an_empty_plan_is_a_report_too():
    assert "fills 0 tensors" in text(Plan("nothing", ()))
    assert "(none)" in text(Plan("nothing", ()))
    _parsed(html(Plan("nothing", ())))


def test_a_mean_that_is_not_zero_is_shown(samples):
    ledger = samples["ledger"]
    assert "Mean found" not in text(ledger)
    entry = replace(ledger.entries[0], fill=Fill.constant(1.0), declared_mean=1.0)
    assert "Mean found" in text(replace(ledger, entries=(entry,)))
