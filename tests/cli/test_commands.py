"""Every command: exit code, what is on stdout, what is on stderr."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from initwise import Advice, Explanation, Ledger, Signals

SPEC = "f32[32,8]"
FEW = ("--candidates", "he_normal,xavier_normal,zeros")


def test_check_says_healthy_with_exit_code_0(project, command):
    said = command("check", "models.py:healthy", "--example", SPEC)
    assert said.code == 0
    assert said.out.startswith("Healthy: ")
    assert "the user's" not in said.out
    assert "the user's function prints" in said.err


def test_check_says_unhealthy_with_exit_code_1(project, command):
    said = command("check", "models.py:symmetric", "--example", SPEC)
    assert said.code == 1
    assert "symmetric" in said.out


def test_check_judges_a_plan_instead_of_the_weights(project, command):
    bad = command("check", "models.py:healthy", "--example", SPEC, "--plan", "zeros")
    good = command("check", "models.py:symmetric", "--example", SPEC, "--plan", "he_normal")
    assert (bad.code, good.code) == (1, 0)


def test_check_takes_a_problem_with_its_loss(project, command):
    said = command("check", "models.py:problem", "--json")
    assert Signals.from_json(said.out).loss == pytest.approx(np.log(4), rel=0.5)


def test_check_without_an_example_says_how_to_give_one(project, command):
    said = command("check", "models.py:Own")
    assert said.code == 2
    assert said.out == ""
    assert "Say what the model is called with" in said.err


def test_an_error_is_one_message_without_traceback(project, command):
    said = command("check", "models.py:refuses_input", "--example", SPEC)
    assert said.code == 2
    assert "initwise: " in said.err
    assert "no forward today" in said.err
    assert "Traceback" not in said.err
    assert "Traceback" in command("check", "models.py:refuses_input", "--example", SPEC, "--debug").err


def test_an_error_nobody_foresaw_is_not_taken_for_unhealthy(command, monkeypatch):
    monkeypatch.setattr("initwise.cli.explain.explain_thing", lambda *a, **k: 1 / 0)
    said = command("explain", "he_normal")
    assert said.code == 2
    assert "ZeroDivisionError" in said.err


def test_an_interruption_exits_with_130(command, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("initwise.cli.explain.explain_thing", stop)
    said = command("explain", "he_normal")
    assert (said.code, said.out) == (130, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("choose", "models.py:healthy", "--example", SPEC, *FEW),
        ("check", "models.py:healthy", "--example", SPEC),
        ("init", "models.py:healthy", "--plan", "he_normal"),
        ("explain", "he_normal", "--fan-in", "64"),
        ("list",),
        ("list", "schemes"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_json_is_one_document_and_nothing_else(project, command, arguments):
    said = command(*arguments, "--json")
    assert said.code == 0
    json.loads(said.out)
    assert "NaN" not in said.out


def test_records_come_back_from_their_json(project, command):
    advice = command("choose", "models.py:healthy", "--example", SPEC, *FEW, "--json")
    assert {one.name for one in Advice.from_json(advice.out).ranking} == {
        "he_normal",
        "xavier_normal",
        "zeros",
    }
    told = command("explain", "he_normal", "--fan-in", "64", "--json")
    assert dict(Explanation.from_json(told.out).facts)["these fans"] == "N(0, 0.176777)"


def test_choose_ranks_and_vetoes(project, command):
    said = command("choose", "models.py:healthy", "--example", SPEC, *FEW)
    assert said.code == 0
    assert said.out.startswith("Use ")
    for part in ("Why\n", "Ranking, best first\n", "Out, and why\n", "The plan\n", "Apply it\n"):
        assert part in said.out
    assert "zeros" in said.out.split("Out, and why")[1]


def test_choose_is_told_the_loss(project, command):
    """Numbers to be met start smaller than logits; the lines to paste say it again."""
    asked = ("choose", "models.py:healthy", "--example", SPEC, "--candidates", "rule_a2")
    numbers, logits = (command(*asked, "--loss", kind) for kind in ("regression", "classification"))
    assert "std 0.3, small beside the targets" in numbers.out
    assert "std 1.0, the usual size of logits" in logits.out
    assert "loss='regression'" in numbers.out
    wrong = command(*asked, "--loss", "logits")
    assert wrong.code == 2
    assert "classification" in wrong.err


def test_choose_races_when_asked(project, command):
    said = command("choose", "models.py:problem", "--race", "--lr", "0.01", "--budget", "0.5", *FEW)
    assert said.code == 0
    assert "after a race" in said.out
    assert " ± " in said.out
    plain = command("choose", "models.py:problem", *FEW)
    assert "no training" in plain.out


def test_a_race_needs_a_problem(project, command):
    said = command("choose", "models.py:healthy", "--example", SPEC, "--race")
    assert said.code == 2
    assert "--race: the target gives a model alone" in said.err
    assert "returns initwise.Problem(model, batches, loss)" in said.err


def test_an_interrupted_race_keeps_what_ran_and_exits_130(project, command):
    arguments = ("choose", "models.py:interrupted", "--race", "--lr", "0.01", "--budget", "2", *FEW)
    said = command(*arguments)
    assert said.code == 130
    assert "interrupted" in said.out
    assert "Interrupted: the ranking is of what had run" in said.err
    assert "--store PATH" in said.err
    kept = command(*arguments, "--store", "race.sqlite", "--json")
    assert kept.code == 130
    assert Advice.from_json(kept.out).race.interrupted
    assert "finished trainings are in race.sqlite" in kept.err


def test_choose_writes_a_page_too(project, command):
    said = command("choose", "models.py:healthy", "--example", SPEC, *FEW, "--html", "advice.html")
    assert "Wrote advice.html." in said.err
    assert (project / "advice.html").read_text().startswith("<!doctype html>")


def test_init_writes_the_weights_and_the_ledger(project, command):
    from safetensors.numpy import load_file

    said = command("init", "models.py:healthy", "--plan", "he_normal", "--out", "start", "--seed", "5")
    assert said.code == 0
    ledger = Ledger.from_json((project / "start" / "ledger.json").read_text())
    weights = load_file(project / "start" / "model.safetensors")
    assert set(weights) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert ledger.seed == 5
    for entry in ledger.entries:
        assert weights[entry.name].std() == pytest.approx(entry.measured_std, rel=1e-5)
    assert sorted(path.name for path in (project / "start").iterdir()) == ["ledger.json", "model.safetensors"]


def test_the_same_seed_writes_the_same_bytes(project, command):
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        command("init", "models.py:healthy", "--plan", "he_normal", "--out", out, "--seed", seed)
    a, b, c = ((project / out / "model.safetensors").read_bytes() for out in "abc")
    assert a == b != c


def test_init_does_not_overwrite_unless_forced(project, command):
    arguments = ("init", "models.py:healthy", "--plan", "he_normal")
    assert command(*arguments).code == 0
    before = (project / "weights" / "model.safetensors").read_bytes()
    said = command(*arguments, "--seed", "9")
    assert said.code == 2
    assert "model.safetensors and ledger.json are there already" in said.err
    assert "--force" in said.err
    assert (project / "weights" / "model.safetensors").read_bytes() == before
    assert command(*arguments, "--seed", "9", "--force").code == 0
    assert (project / "weights" / "model.safetensors").read_bytes() != before


def test_init_that_fails_leaves_nothing_behind(project, command, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("initwise.cli.files.os.replace", full)
    said = command("init", "models.py:healthy", "--plan", "he_normal")
    assert said.code == 2
    assert list((project / "weights").iterdir()) == []


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("/proc/foo", "initwise: --out /proc/foo: cannot be written ("),
        ("models.py", "initwise: --out models.py: models.py is a file; expected a directory"),
        ("models.py/start", "models.py is a file; expected a directory"),
        ("full", "initwise: --out full: ledger.json in it is a directory."),
    ],
)
def test_init_says_where_it_cannot_write(project, command, out, said):
    (project / "full" / "ledger.json").mkdir(parents=True)
    result = command("init", "models.py:healthy", "--plan", "he_normal", "--out", out, "--force")
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert "Traceback" not in result.err
    assert not (project / "full" / "model.safetensors").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "models.py:healthy", "--example", SPEC),
        ("choose", "models.py:healthy", "--example", SPEC, *FEW),
        ("explain", "he_normal"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_page_that_cannot_be_is_refused_before_anything_runs(project, command, arguments):
    said = command(*arguments, "--html", "nowhere/x.html")
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "initwise: --html nowhere/x.html: there is no directory nowhere.\n"
        "  Make it (mkdir -p nowhere), or name a file elsewhere.\n"
    )
    assert "package is a directory; expected a file" in command(*arguments, "--html", "package").err


def test_a_page_is_written_whole_or_not_at_all(project, command, monkeypatch):
    from pathlib import Path

    def half(path, text, **options):
        path.write_bytes(text[:10].encode())
        raise OSError(28, "No space left on device")

    (project / "page.html").write_text("the old page")
    before = sorted(project.iterdir())
    monkeypatch.setattr(Path, "write_text", half)
    said = command("explain", "he_normal", "--html", "page.html")
    assert said.code == 2
    assert said.err.startswith("initwise: --html page.html: cannot be written (No space left on device).")
    assert (project / "page.html").read_text() == "the old page"
    assert sorted(project.iterdir()) == before


def test_a_page_can_go_to_a_device(command):
    said = command("explain", "he_normal", "--html", "/dev/null")
    assert said.code == 0
    assert not os.path.isfile("/dev/null")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("choose", "--example", SPEC), f"initwise choose model.py:make_model --example '{SPEC}'"),
        (("choose", "digits-cnn"), "initwise choose --example digits-cnn"),
        (("check", "models.py:Own"), "--example 'f32[64,8]'"),
        (("choose", "models.py:Own"), "--example 'f32[64,8]'"),
        (("init", "models.py:Own", "--plan", "lsuv"), "--example 'f32[64,8]'"),
    ],
)
def test_a_misuse_is_told_with_the_command_that_was_meant(project, command, arguments, told):
    said = command(*arguments)
    assert (said.code, said.out) == (2, "")
    assert told in said.err


def test_an_unknown_plan_suggests_the_near_one(project, command):
    said = command("init", "models.py:healthy", "--plan", "he_norml")
    assert said.code == 2
    assert "Did you mean 'he_normal'?" in said.err
    assert not (project / "weights").exists()


def test_explain_takes_shapes_activations_and_options(command):
    said = command(
        "explain", "he_normal", "--shape", "128,32,3,3", "--layout", "oihw", "--option", "mode=fan_out"
    )
    assert "0.0416667" in said.out
    assert "keeps the signal" in command("explain", "he_normal", "--fan-in", "64", "--activation", "relu").out
    assert "1.41421" in command("explain", "relu").out
    assert command("explain", "gpt2").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("explain", "he_norml"), "Did you mean 'he_normal'?"),
        (("explain", "he_normal", "--shape", "12,b"), "--shape: '12,b'; expected sizes separated by commas"),
        (("explain", "he_normal", "--option", "mode"), "--option: 'mode'; expected NAME=VALUE"),
        (("explain", "he_normal", "--option", "mode=sideways"), "sideways"),
        (("list", "scheme"), "list: nothing is called 'scheme'.\n  Did you mean 'schemes'?"),
        (("choose", "--example", "digits-mlp"), "Did you mean 'digits-mlp-relu'?"),
        (("choose", "--candidates", ","), "--candidates: no names"),
        (("choose", "--no-race", "--candidates", "he_norml"), "Did you mean 'he_normal'?"),
        (("check", "models.py:healthy", "--seed", "-1"), "seed -1"),
    ],
)
def test_wrong_words_are_refused_with_exit_code_2(project, command, arguments, said):
    result = command(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert said in result.err


@pytest.mark.parametrize(
    "arguments", [("chose",), ("choose", "--seed", "x"), ("check",), ("explain", "--what")]
)
def test_usage_errors_exit_with_2(command, arguments):
    assert command(*arguments).code == 2


def test_list_shows_every_row_of_every_kind(command):
    from initwise.activations import activations
    from initwise.choose.candidates import CANDIDATES
    from initwise.problems import problems
    from initwise.recipes import recipes
    from initwise.schemes import schemes

    said = command("list")
    for row in (*schemes(), *activations(), *recipes(), *problems(), *CANDIDATES):
        assert f"  {row.name} " in said.out
    assert list(json.loads(command("list", "recipes", "--json").out)) == ["recipes"]


@pytest.mark.parametrize("name", ["", "choose", "check", "init", "explain", "list"])
def test_help_teaches_by_example(command, name):
    said = command(*filter(None, [name]), "--help")
    assert said.code == 0
    examples = said.out.split("Examples:\n")[1].strip().splitlines()
    assert all(line.strip().startswith(f"initwise {name}".strip()) for line in examples)
    if name in ("choose", "check", "init"):
        assert "this executes your own Python" in " ".join(said.out.split())


def test_the_version_is_told(command):
    from initwise import __version__

    assert command("--version").out == f"initwise {__version__}\n"


def test_colours_only_for_a_terminal_that_wants_them(monkeypatch, capsys):
    from initwise.cli.output import coloured, put_report

    put_report("layer  vanishing")
    assert capsys.readouterr().out == "layer  vanishing\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    put_report("layer  vanishing")
    assert capsys.readouterr().out == "layer  vanishing\n"
    spans = coloured("layer  vanishing  ok").spans
    assert [span.style for span in spans] == ["green", "bold red"]
    assert os.environ["NO_COLOR"] == "1"


class TestOptionsOfThePlan:
    def test_a_plan_has_them(self, project, command):
        command("init", "models.py:healthy", "--plan", "normal", "--option", "std=0.5", "--out", "half")
        ledger = Ledger.from_json((project / "half" / "ledger.json").read_text())
        assert next(entry.fill.std for entry in ledger.entries if entry.fill.std) == 0.5
        told = command("check", "models.py:healthy", "--example", SPEC, "--plan", "normal", "--json")
        loud = ("--plan", "normal", "--option", "std=0.5", "--option", "mean=0", "--json")
        louder = command("check", "models.py:healthy", "--example", SPEC, *loud)
        first, second = (Signals.from_json(said.out).layers[0].forward_rms for said in (told, louder))
        assert second > 2 * first

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            (
                ("--option", "std=0.5"),
                "--option std=0.5: an option, and no plan that it is of.\n  Say which scheme or recipe:",
            ),
            (("--plan", "gpt2", "--option", "std"), "--option: 'std'; expected NAME=VALUE"),
            (
                ("--plan", "gpt2", "--option", "sdt=1"),
                "recipe 'gpt2': it has no option 'sdt'.\n  Did you mean 'std'",
            ),
            (("--plan", "normal", "--option", "std=1", "--option", "std=2"), "--option: std twice"),
            (("--plan", "hee", "--option", "std=1"), "no scheme or recipe is called 'hee'"),
            (("--plan", "he_normal", "--option", "name=x"), "scheme 'he_normal': it has no option 'name'"),
        ],
    )
    def test_those_that_are_none_are_refused_before_anything_runs(self, project, command, arguments, text):
        said = command("check", "models.py:boom", *arguments)
        assert (said.code, said.out) == (2, "")
        assert text in said.err

    def test_advice_about_them_is_a_command_that_can_be_typed(self, project, command):
        said = command("init", "models.py:healthy", "--plan", "gpt2")
        assert said.code == 2
        assert "--plan gpt2 --option 'assign=attention.output=GLOB, mlp.down=GLOB'." in said.err
        assert "initwise choose TARGET --example SPEC" in said.err
        assert "recipe(" not in said.err
        named = ("--option", "assign=attention.output=0.weight, mlp.down=2.weight", "--option", "depth=1")
        assert command("init", "models.py:healthy", "--plan", "gpt2", *named).code == 0
