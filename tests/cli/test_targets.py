"""What a TARGET may be, and what is said when it is something else."""

from __future__ import annotations

import contextlib
import json
import os
import sys

import pytest

from initwise.cli.target import loaded
from initwise.core.errors import TargetError
from initwise.core.problem import Problem

SPEC = "f32[16,8]"


@pytest.mark.parametrize(
    "target",
    [
        "models.py:healthy",
        "./models.py:healthy",
        "models.py:Net",
        "models.py:instance",
        "models.py:lazy_import",
        "package.inner:make",
    ],
)
def test_functions_classes_and_models_are_targets(project, target):
    with loaded(target, SPEC) as subject:
        assert subject.model.weight is not None if hasattr(subject.model, "weight") else True
        assert subject.problem is None
        assert subject.example == SPEC


def test_what_a_target_draws_comes_from_the_seed(project):
    (project / "draws.py").write_text(
        "import random\nimport numpy as np\nfrom torch import nn\n\n\ndef make():\n"
        "    model = nn.Linear(2, 2)\n    model.drawn = random.random(), np.random.rand()\n    return model\n"
    )

    def drawn(seed):
        with loaded("draws.py:make", seed=seed) as subject:
            return (*subject.model.drawn, *subject.model.weight.flatten().tolist())

    assert drawn(2**64 - 1) == drawn(2**64 - 1)
    assert not set(drawn(1)) & set(drawn(2))


def test_a_problem_brings_its_own_example_and_loss(project):
    with loaded("models.py:problem") as subject:
        assert isinstance(subject.problem, Problem)
        assert subject.example.shape == (16, 8)
        assert subject.loss(subject.model(subject.example)).ndim == 0


def test_a_shuffling_loader_gives_inputs_and_targets_of_one_batch(project):
    with loaded("models.py:shuffled") as subject:
        # the targets are the inputs' first column: any other batch has another
        assert float(subject.loss(subject.example)) == 0


def test_another_example_has_no_targets(project):
    with loaded("models.py:problem", SPEC) as subject:
        assert subject.loss is None
        assert subject.example == SPEC


def test_the_import_path_and_stdout_are_put_back(project):
    path, stdout = list(sys.path), sys.stdout
    with loaded("models.py:healthy"):
        assert sys.path[0] == str(project)
    assert sys.path == path
    assert sys.stdout is stdout
    with pytest.raises(TargetError):  # noqa: SIM117
        with loaded("models.py:boom"):
            pass
    assert sys.path == path


def test_the_descriptor_is_put_back_however_the_block_ends(project, capfd):
    for error in (None, ValueError, KeyboardInterrupt):
        with contextlib.suppress(ValueError, KeyboardInterrupt), loaded("models.py:healthy"):
            os.write(1, b"inside\n")
            if error:
                raise error
        os.write(1, b"after\n")
        said = capfd.readouterr()
        assert said.out == "after\n"
        assert "inside\n" in said.err


def test_stdout_is_kept_clean_under_a_runner_that_replaces_it(project, capfd):
    from typer.testing import CliRunner

    from initwise.cli.main import app

    (project / "shell.py").write_text(
        "import os\nfrom torch import nn\n\n\ndef make():\n    os.write(1, b'raw\\n')\n"
        "    print('told')\n    return nn.Linear(8, 4)\n"
    )
    said = CliRunner().invoke(app, ["check", "shell.py:make", "--example", SPEC, "--json"])
    assert json.loads(said.stdout)["layers"]
    assert "told" in said.stderr
    outside = capfd.readouterr()
    assert (outside.out, "raw\n" in outside.err) == ("", True)


def test_a_file_named_like_a_library_does_not_hide_it(project):
    import numpy

    (project / "numpy.py").write_text("from torch import nn\nmake = lambda: nn.Linear(2, 2)\n")
    with loaded("numpy.py:make"):
        assert sys.modules["numpy"] is numpy


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (
            "models.py",
            "'models.py': no callable is named; expected path/file.py:callable or package.module:callable.\n"
            "  For example models.py:make_model, where make_model() returns it.",
        ),
        ("models.py:", "For example models.py:make_model"),
        (
            "model.py:healthy",
            "'model.py:healthy': there is no file model.py; expected path/file.py:callable or "
            "package.module:callable.\n  Did you mean 'models.py'?\n",
        ),
        (
            "pakage.inner:make",
            "'pakage.inner:make': there is no module 'pakage'; expected path/file.py:callable",
        ),
        ("package.iner:make", "there is no module 'package.iner'"),
        ("models.py:helthy", "models.py has no 'helthy'.\n  Did you mean 'healthy'?\n  Known: "),
        (
            "models.py:number",
            "'models.py:number': it is of type int, which is not callable; expected a function or class "
            "that returns the model, or a Problem.",
        ),
        ("models.py:Needy", "needs arguments (missing a required argument: 'in_features')"),
        ("models.py:Needy", "Write one beside it, def make_model(): return Needy(…), and name that."),
        (
            "models.py:boom",
            "boom() raised ValueError: the flux is missing.\n  Likely cause: the target's own",
        ),
        ("models.py:boom", 'in boom: raise ValueError("the flux is missing")'),
        ("models.py:leaves", 'guard that part with if __name__ == "__main__":'),
        ("models.py:forgot", "it returned something of type NoneType; expected a model"),
        ("models.py:forgot", "Likely cause: a missing return"),
        ("broken.py:model", "broken.py raised while it was imported SyntaxError"),
        ("broken.py:model", "broken.py:1: def model(:"),
        ("package/inner.py:make", "the file belongs to a package: name it package.module:callable"),
    ],
)
def test_what_cannot_be_loaded_is_told_with_the_fix(project, target, said):
    with pytest.raises(TargetError) as caught:  # noqa: SIM117
        with loaded(target):
            pass
    assert said in str(caught.value)


def test_frames_of_initwise_are_left_out(project):
    with pytest.raises(TargetError) as caught:  # noqa: SIM117
        with loaded("models.py:boom"):
            pass
    assert "target.py" not in str(caught.value)
