"""The bundled problems: real data, always the same, and as described."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import torch

from initwise.core.errors import MissingError, UnknownNameError
from initwise.problems import DEFAULT, problem, problems

NAMES = [row.name for row in problems()]


def test_the_three_are_there_and_the_default_is_one_of_them():
    assert NAMES == ["digits-cnn", "digits-mlp-relu", "digits-mlp-sigmoid"]
    assert problem().name == DEFAULT == "digits-mlp-sigmoid"


@pytest.mark.parametrize("name", NAMES)
def test_every_problem_runs_and_is_what_it_says(name):
    bundled = problem(name)
    given, model = bundled.problem, bundled.problem.model()
    assert bundled.name == given.name == name
    assert bundled.summary
    inputs, targets = next(iter(given.stream()))
    assert torch.equal(inputs, bundled.example)
    outputs = model(bundled.example)
    assert outputs.shape == (len(targets), 10)
    assert 1.5 < given.loss(outputs, targets).item() < 3.5
    assert 0 <= given.metric(outputs, targets) <= 1
    depth = sum(isinstance(layer, torch.nn.Linear | torch.nn.Conv2d) for layer in model)
    assert depth >= 10
    counted = re.search(r"([\d,]+) parameters", bundled.architecture)
    if counted:
        total = sum(parameter.numel() for parameter in model.parameters())
        assert total == int(counted[1].replace(",", ""))


@pytest.mark.parametrize("name", NAMES)
def test_the_data_are_standardised_complete_and_apart(name):
    given = problem(name).problem
    training = torch.cat([inputs for inputs, _ in given.batches]).flatten(1)
    validation = torch.cat([inputs for inputs, _ in given.validation]).flatten(1)
    assert (len(training), len(validation)) == (1500, 297)
    assert float(training.mean()) == pytest.approx(0, abs=1e-5)
    assert float(training.std(correction=0)) == pytest.approx(1, abs=1e-5)
    labels = torch.cat([targets for _, targets in (*given.batches, *given.validation)])
    # scikit-learn's description of the data: 1797 images, 174 to 183 of each digit
    assert torch.bincount(labels).min() == 174
    assert torch.bincount(labels).max() == 183
    seen = {row.numpy().tobytes() for row in training}
    assert not any(row.numpy().tobytes() in seen for row in validation)


def test_the_split_is_the_same_every_time():
    one, other = (problem().problem for _ in range(2))
    for (inputs, targets), (again, same) in zip(one.batches, other.batches, strict=True):
        assert torch.equal(inputs, again)
        assert torch.equal(targets, same)


def test_an_unknown_name_is_guessed():
    with pytest.raises(UnknownNameError) as caught:
        problem("digits-mlp-sigmod")
    assert str(caught.value) == (
        "no problem is called 'digits-mlp-sigmod'.\n  Did you mean 'digits-mlp-sigmoid'?\n"
        "  Known: digits-cnn, digits-mlp-relu, digits-mlp-sigmoid."
    )


@pytest.mark.parametrize(("package", "title"), [("sklearn", "scikit-learn"), ("torch", "PyTorch")])
def test_a_missing_package_says_how_to_install_it(monkeypatch, package, title):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingError) as caught:
        problem()
    assert str(caught.value) == (
        f'the bundled problems: {title} is not installed.\n  Install it with: pip install "initwise[demo]"'
    )


def test_listing_them_loads_neither_torch_nor_sklearn():
    code = (
        "import sys; from initwise.problems import problems; problems(); "
        "print([name for name in ('torch', 'sklearn', 'numba') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
