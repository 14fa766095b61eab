"""initwise check --predict, --widths and --dtype: what is printed, what is called, and the exit code."""

import json
import sys

import pytest

from initwise import Signals, WidthCheck
from initwise.cli.main import main

MODELS = """\
import torch
from torch import nn

import initwise


def sized(width):
    return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, width), nn.Linear(width, 4))


def growing(width):
    model = sized(width)
    for layer in model[1:]:
        for parameter in layer.parameters():
            nn.init.normal_(parameter, std=0.1)
    return model


def model():
    return sized(32)


def huge():
    # 4 TB, if it had memory
    return nn.Sequential(*(nn.Linear(2**18, 2**18, bias=False) for _ in range(16)))


def vanishing():
    return nn.Sequential(*(nn.Sequential(nn.Linear(32, 32, bias=False), nn.ReLU()) for _ in range(20)))


def with_numbers():
    made = model()
    if float(made[0].weight.detach().abs().max()) > 1e9:
        raise ValueError
    return made


def in_numpy():
    made = model()
    made[0].weight.detach().numpy()
    return made


def problem():
    data = [(torch.randn(8, 8), torch.zeros(8, dtype=torch.long))]
    return initwise.Problem(model, data, nn.functional.cross_entropy)


def boom(width=None):
    raise ValueError("the flux is missing")


ready = model()
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    (tmp_path / "sized_models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)

    def command(name, *options):
        code = main(["check", f"sized_models.py:{name}", *options])
        out, err = capsys.readouterr()
        sys.modules.pop("sized_models", None)
        return code, out, err

    return command


def test_a_prediction_needs_no_memory_for_the_model(run):
    code, out, _ = run("huge", "--predict", "--json", "--example", "f32[2,262144]")
    signals = Signals.from_json(out)
    assert (signals.mode, len(signals.layers)) == ("predict", 16)
    assert code == (0 if signals.healthy else 1)


def test_an_unhealthy_prediction_exits_with_one_and_tells_the_trend(run):
    code, out, err = run("vanishing", "--predict")
    assert code == 1
    assert "vanishing at" in out
    assert "forward shrinks exponentially: ×0.408 per layer" in out
    assert "Next, find weights that are healthy" in err


@pytest.mark.parametrize("name", ["model", "ready", "with_numbers"])
def test_functions_models_and_constructors_that_need_numbers_can_be_predicted(run, name):
    code, out, _ = run(name, "--predict")
    assert code == 0
    assert "predicted, no weights needed" in out


def test_a_model_that_had_to_be_made_in_memory_is_said_to_be(run):
    said = "the model was made in memory, with all its weights: without, in_numpy raised RuntimeError"
    code, out, _ = run("in_numpy", "--predict", "--json", "--example", "f32[4,8]")
    assert code == 0
    assert said in Signals.from_json(out).note
    for name in ("model", "ready", "with_numbers"):
        assert "in memory" not in run(name, "--predict", "--example", "f32[4,8]")[1]
    assert "in memory" not in run("problem", "--predict")[1]


def test_a_problem_is_predicted_with_its_own_loss(run):
    code, out, _ = run("problem", "--predict")
    assert code == 0
    assert "Loss 1." in out
    assert "the gradient is that of the loss given" in out


def test_widths_are_compared(run):
    code, out, _ = run("sized", "--widths", "64,128,256", "--predict", "--example", "f32[4,8]")
    assert code == 0
    assert out.startswith("Stable in width")
    code, out, err = run("growing", "--widths", "64,256,1024", "--example", "f32[4,8]", "--json")
    check = WidthCheck.from_json(out)
    assert (code, check.mode, check.widths) == (1, "measure", (64, 256, 1024))
    assert json.loads(out)["findings"][0]["verdict"] == "exploding"
    assert err == ""


def test_a_number_format_is_judged(run):
    code, out, _ = run("model", "--predict", "--dtype", "e4m3")
    assert "precision is judged as if all were float8_e4m3fn" in " ".join(out.split())
    assert code in (0, 1)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("boom", ["--predict"], "boom() raised ValueError: the flux is missing"),
        ("boom", ["--widths", "1,2", "--predict"], "boom(1) raised ValueError: the flux is missing"),
        ("model", ["--widths", "1,2"], "model(1) raised TypeError"),
        ("ready", ["--widths", "1,2"], "expected a function of one argument, the width"),
        ("sized", ["--predict"], "expected a callable without required arguments"),
        ("sized", ["--widths", "64,wide"], "--widths: '64,wide'; expected whole numbers: 64,128,256"),
        ("sized", ["--widths", "64"], "expected two or more different widths"),
        ("model", ["--dtype", "fp12"], "dtype 'fp12'"),
    ],
)
def test_what_cannot_be_asked_is_told(run, name, options, said):
    code, out, err = run(name, *options, "--example", "f32[4,8]")
    assert (code, out) == (2, "")
    assert said in err
