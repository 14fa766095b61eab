"""The command in this process, and a small project of a user's to point it at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from initwise.cli.main import main

MODELS = """\
import torch
from torch import nn

from sizes import WIDTH  # a module beside the file
from initwise import Problem

print("the user's module prints")


def healthy():
    print("the user's function prints")
    return nn.Sequential(nn.Linear(WIDTH, 32), nn.ReLU(), nn.Linear(32, 4))


def symmetric():
    model = healthy()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.1)
    return model


class Net(nn.Linear):
    def __init__(self):
        super().__init__(WIDTH, 4)


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(WIDTH, 4)

    def forward(self, x):
        return self.layer(x)


class Needy(nn.Linear):
    pass


def lazy_import():
    import later  # found because the directory stays importable while the command runs

    return healthy()


def boom():
    raise ValueError("the flux is missing")


def leaves():
    raise SystemExit(3)


def forgot():
    healthy()


def refuses_input():
    model = healthy()
    model.forward = boom_forward
    return model


def boom_forward(x):
    raise RuntimeError("no forward today")


def batches():
    g = torch.Generator().manual_seed(0)
    for _ in range(16):
        x = torch.randn(16, WIDTH, generator=g)
        yield x, x[:, :4].argmax(1)


def problem():
    return Problem(healthy, batches, nn.CrossEntropyLoss(), steps=40, name="toy")


def shuffled():
    numbers = torch.arange(4096.0).reshape(512, 8)
    data = torch.utils.data.TensorDataset(numbers, numbers[:, 0])
    loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
    return Problem(healthy, loader, lambda outputs, targets: (outputs[:, 0] - targets).abs().max())


class Stops(nn.CrossEntropyLoss):
    calls = 0

    def forward(self, outputs, targets):
        Stops.calls += 1
        if Stops.calls > 60:
            raise KeyboardInterrupt
        return super().forward(outputs, targets)


def interrupted():
    Stops.calls = 0
    return Problem(healthy, batches, Stops(), steps=40, name="toy")


instance = nn.Linear(WIDTH, 4)
number = 3
"""


@dataclass(frozen=True)
class Said:
    """A command's exit code, stdout and stderr."""

    code: int
    out: str
    err: str


@pytest.fixture
def project(tmp_path: Path, monkeypatch) -> Path:
    """A directory with models.py, the current one."""
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "sizes.py").write_text("WIDTH = 8\n")
    (tmp_path / "later.py").write_text("")
    (tmp_path / "broken.py").write_text("def model(:\n    pass\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "inner.py").write_text("from . import sibling\nmake = sibling.make\n")
    (tmp_path / "package" / "sibling.py").write_text(
        "from torch import nn\n\n\ndef make():\n    return nn.Linear(8, 4)\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(capfd, monkeypatch):
    """`command("check", …) -> Said`: a run of the command line in this process."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments: str) -> Said:
        capfd.readouterr()
        code = main(arguments)
        captured = capfd.readouterr()
        return Said(code, captured.out, captured.err)

    return run
