"""explain and list --for, as people see them: golden texts, JSON, plain and narrow terminals, errors.

After a wanted change: INITWISE_GOLDEN=write pytest tests/cli/test_explaining.py, then read the diff.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from initwise.core.matches import Matches
from initwise.core.records import Explanation

GOLDEN = Path(__file__).parent / "golden"


def golden(name: str, said: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("INITWISE_GOLDEN") == "write":
        path.write_text(said, encoding="utf-8")
    assert said == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["he_normal", "orthogonal", "dirac", "relu", "fan-in"])
def test_explain_says_what_the_golden_text_says(command, name):
    said = command("explain", name)
    assert (said.code, said.err) == (0, "")
    assert max(map(len, said.out.splitlines())) <= 100
    golden(f"explain-{name}", said.out)


def test_list_for_says_what_the_golden_text_says(command):
    said = command("list", "schemes", "--for", "Deep ReLU CNNs, no batchnorm, gleu", "--limit", "2")
    assert (said.code, said.err) == (0, "")
    # further rows come with further schemes
    golden("list-for", said.out.split("more rows")[0].rsplit("\n", 1)[0] + "\n")


def test_list_for_looks_through_schemes_and_recipes(command):
    found = Matches.from_json(command("list", "--for", "ViT", "--json").out)
    assert {match.kind for match in found.rows} == {"scheme", "recipe"}
    assert found.rows[0].name == "vit"
    only = Matches.from_json(command("list", "recipes", "--for", "ViT", "--json").out)
    assert {match.kind for match in only.rows} == {"recipe"}


def test_filters_without_words(command):
    data = json.loads(command("list", "--needs", "heads", "--json").out)
    assert list(data) == ["schemes"]
    assert "mimetic_attention" in [row["name"] for row in data["schemes"]]
    assert "he_normal" not in [row["name"] for row in data["schemes"]]
    data = json.loads(command("list", "--evidence", "recalled", "--json").out)
    assert list(data) == ["schemes", "recipes"]
    assert "chrono" in [row["name"] for row in data["schemes"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("list", "--for", "blorp"),
            "initwise: --for: nothing in 'blorp' is understood; expected what the network is.\n"
            "  Words there are, and many of their synonyms:\n    architecture: mlp, cnn,",
        ),
        (("list", "--for", "glue"), "  Did you mean glu for glue?\n  Words there are"),
        (
            ("list", "--for", "no tanh"),
            "--for: 'no tanh' tells only what the network is not; expected what it",
        ),
        (
            ("list", "problems", "--for", "relu"),
            "--for: problems cannot be looked through.\n  Known: activations, recipes, schemes.",
        ),
        (("list", "schemes", "--needs", "depht"), "--needs: 'depht'.\n  Did you mean 'depth'?"),
        (("list", "--evidence", "sure"), "--evidence: 'sure'.\n  Known: computed, recalled, second-hand"),
        (
            ("list", "recipes", "--needs", "depth"),
            "--needs: recipes have nothing of the kind.\n  Known: schemes.",
        ),
        (("list", "problems", "--evidence", "computed"), "--evidence: problems have nothing of the kind."),
        (("list", "--for", "relu", "--limit", "0"), "Invalid value for '--limit'"),
        (
            ("explain", "fan-im"),
            "no scheme, activation, recipe or term is called 'fan-im'.\n  Did you mean 'fan-in'?",
        ),
        (
            ("explain", "gain", "--fan-in", "3"),
            "explain term 'gain': it takes no fan_in; expected nothing but the name.\n  Likely cause: a term",
        ),
        (
            ("explain", "small_init", "--fan-in", "768"),
            "explain scheme 'small_init': it takes no fan_in.\n"
            "  Likely cause: one weight does not tell what it needs, width: the model's width d.\n"
            "  Known: assign, base, width.",
        ),
        (
            ("explain", "truncated_normal", "--option", "low=3", "--option", "high=1"),
            "truncated_normal: empty bounds (3, 1) in sigmas; expected low < high.",
        ),
        (
            ("explain", "mup_scaling", "--option", "base_width=-4"),
            "mup_scaling: base_width=-4.0; expected a finite number > 0.",
        ),
        (
            ("explain", "depth_index", "--option", "std=-1"),
            "scheme 'depth_index(std=-1)': normal: std -0.707",
        ),
        (
            ("explain", "pissa", "--option", "scale=-1"),
            "scheme 'pissa': scale=-1.0; expected a number > 0, or 0 for what the model tells.",
        ),
        (
            ("explain", "small_init", "--option", "width=0.5"),
            "scheme 'small_init': width=0.5; expected a whole number > 0, or 0 for what the model tells.",
        ),
        (("explain", "torch.nn.GELU"), "is called 'torch.nn.GELU'.\n  Did you mean the activation 'gelu'?"),
        (("explain", "torch.nn.init.kaiming_normal_"), "Did you mean the scheme 'he_normal'?"),
        (("explain", "constant(3)"), "explain: 'constant(3)'; expected options by their names."),
        (("explain", "he_normal(mode='fan_out'"), "expected options by their names."),
        (("explain", "he_normal(mode=no)"), "scheme 'he_normal': mode='no'.\n  Known: fan_in, fan_out."),
    ],
)
def test_wrong_words_are_refused(command, arguments, said):
    result = command(*arguments)
    assert (result.code, result.out) == (2, "")
    assert said in " ".join(result.err.split(" "))


@pytest.mark.parametrize(
    "spelled", ["he_normal(mode='fan_out')", 'he_normal(mode="fan_out")', "he_normal(mode=fan_out)"]
)
def test_a_scheme_is_explained_as_it_is_printed(command, spelled):
    said = command("explain", spelled, "--fan-out", "8")
    assert said.out == command("explain", "he_normal", "--fan-out", "8", "--option", "mode=fan_out").out
    assert 'he_normal(mode="fan_out"): ' in said.out
    assert "option std" in command("explain", "gpt2(std=0.01)").out


def _process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "initwise", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        check=True,
    )


def test_a_terminal_of_ascii_gets_a_picture_of_ascii():
    said = _process("explain", "he_normal", PYTHONIOENCODING="ascii").stdout
    assert said.isascii()
    text = said.decode("ascii")
    assert "###" in text
    assert "sqrt(scale" in text
    assert "?" not in text.split("Density")[1].split("What")[0]


def test_json_is_escaped_there_and_loses_nothing():
    plain = _process("explain", "gelu", "--json", PYTHONIOENCODING="ascii").stdout
    full = _process("explain", "gelu", "--json", PYTHONIOENCODING="utf-8").stdout
    assert plain.isascii()
    assert json.loads(plain) == json.loads(full)
    found = Explanation.from_json(full.decode("utf-8"))
    assert found.picture.series[0][0] == "φ(x)"
    assert len(found.picture.x) == len(found.picture.series[0][1])


def test_a_narrow_terminal_gets_a_narrow_picture(command, monkeypatch):
    monkeypatch.setattr("initwise.cli.output._columns", lambda: 40)
    lines = command("explain", "relu").out.split("over ±4σ")[1].split("What")[0].splitlines()
    assert max(map(len, lines[1:])) <= 40


def test_in_a_pipe_a_report_is_as_wide_as_columns_says():
    for columns, widest in (("60", 60), ("300", 100), ("", 100), ("none", 100), ("0", 100)):
        for arguments in (("explain", "gelu"), ("list", "activations")):
            said = _process(*arguments, COLUMNS=columns, PYTHONIOENCODING="utf-8").stdout.decode()
            assert widest - 10 < max(map(len, said.splitlines())) <= widest


def test_words_stand_in_for_symbols_on_stderr_too():
    said = subprocess.run(
        [sys.executable, "-m", "initwise", "explain", "leaky_relu", "--option", "q=-1", "--option", "φ=1"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 2
    assert "it takes no phi." in said.stderr
