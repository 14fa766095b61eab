"""What a report leads to: lines to paste that run, the command to run next, the same again with a seed."""

from __future__ import annotations

import re

import pytest
import torch

from initwise import Advice

SPEC = "f32[32,8]"
FEW = ("--candidates", "he_normal,xavier_normal,zeros")


def test_choose_without_target_takes_a_bundled_problem(command):
    said = command("choose", "--example", "digits-mlp-relu", "--no-race", *FEW)
    assert said.code == 0
    assert "relu layers deep" in said.out
    names = _pasted(said.out)
    assert names["problem"].name == "digits-mlp-relu"
    assert names["model"] is not None
    assert "On your own model: initwise choose model.py:make_model" in said.err


def _pasted(report: str) -> dict:
    """What the lines under "Apply it" make, all but the last two, which choose and fill."""
    lines = [line.strip() for line in report.split("Apply it\n")[1].splitlines()]
    choose, fill = lines[-2:]
    assert choose.startswith("advice = initwise.choose(")
    assert fill.startswith("initwise.init_(model, advice")
    names: dict = {}
    exec("\n".join(lines[:-2]), names)
    for argument in re.findall(r"\w+", choose.split("(")[1].split(", seed")[0]):
        assert argument in names or argument in ("race", "True")
    return names


@pytest.mark.parametrize(
    ("target", "made"),
    [
        ("models.py:healthy", ("model = healthy()",)),
        ("models.py:instance", ("from models import instance", "model = instance")),
        ("my-model.py:make", ('model = importlib.import_module("my-model").make()',)),
        ("package.inner:make", ("from package.inner import make", "model = make()")),
    ],
)
def test_the_lines_that_apply_it_make_what_they_name(project, command, monkeypatch, target, made):
    (project / "my-model.py").write_text("from torch import nn\nmake = lambda: nn.Linear(8, 4)\n")
    monkeypatch.syspath_prepend(str(project))
    said = command("choose", target, "--example", SPEC, *FEW)
    for line in made:
        assert f"    {line}\n" in said.out
    assert ("# run this in the folder of" in said.out) == (".py:" in target)
    names = _pasted(said.out)
    assert names["example"] == SPEC
    assert names["model"](torch.zeros(2, 8)).shape == (2, 4)


def test_a_problem_that_applies_itself_makes_its_model(project, command, monkeypatch):
    monkeypatch.syspath_prepend(str(project))
    said = command("choose", "models.py:problem", *FEW)
    names = _pasted(said.out)
    assert names["problem"].name == "toy"
    assert names["model"](torch.zeros(2, 8)).shape == (2, 4)


def test_json_holds_the_three_lines_alone(project, command):
    said = command("choose", "models.py:healthy", "--example", SPEC, *FEW, "--json")
    assert Advice.from_json(said.out).apply.splitlines()[0] == "import initwise"


def test_an_unhealthy_check_says_what_to_run_next(project, command):
    said = command("check", "models.py:symmetric", "--example", SPEC)
    assert said.err.endswith(f"initwise choose models.py:symmetric --example '{SPEC}'\n")
    assert "initwise choose" not in command("check", "models.py:healthy", "--example", SPEC).err
    assert "initwise choose" not in command("check", "models.py:symmetric", "--example", SPEC, "--json").err


def test_the_seed_is_the_targets_too(project, command):
    def loss_of(seed: str) -> str:
        return command("check", "models.py:healthy", "--example", SPEC, "--seed", seed, "--json").out

    assert loss_of("1") == loss_of("1") != loss_of("2")
