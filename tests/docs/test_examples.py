"""Every example runs, and says what it promises."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SAID = {
    "quickstart.py": ("Use ", "Ranking, best first", "Filled 18 of 18 tensors"),
    "check_in_ci.py": ("2 layers: healthy", "12 layers: ", "expected a healthy signal"),
    "custom_rules.py": ("Filled 3 of 4 tensors", "rule '0.bias' keeps it", "N(0, 0.01)"),
    "numpy_arrays.py": ("Filled 4 of 4 tensors by plan he_normal", "drawn alone: the same bits"),
    "race_on_your_data.py": ("he_normal", "Trainings", "on near or far"),
    "tour.py": ("fan_in 144, fan_out 144", "vanishing", "True"),
}


def test_every_example_is_run_here():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAID)


@pytest.mark.parametrize("name", sorted(set(SAID) - {"tour.py"}))  # the tour runs in test_docs
def test_the_example_runs(name, capsys):
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    said = capsys.readouterr().out
    for part in SAID[name]:
        assert part in said
