"""A check that takes long: a bar where somebody is watching, and an end by Ctrl-C."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MODEL = """\
import os
import signal

from torch import nn


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Interrupted(Deep):
    def forward(self, x):
        x = self.layers[0](x)
        os.kill(os.getpid(), signal.SIGINT)
        return super().forward(x)
"""
CHECK = [sys.executable, "-m", "initwise", "check"]


@pytest.fixture
def deep(tmp_path, monkeypatch):
    """A directory with deep.py, the current one."""
    (tmp_path / "deep.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def watched(*arguments: str) -> tuple[int, str]:
    """(exit code, what a terminal shows of stderr) of `initwise check`."""
    pty = pytest.importorskip("pty")
    terminal, stderr = pty.openpty()
    process = subprocess.Popen([*CHECK, *arguments], stdout=subprocess.DEVNULL, stderr=stderr)
    os.close(stderr)
    shown = b""
    try:
        while piece := os.read(terminal, 1 << 16):
            shown += piece
    except OSError:  # Linux ends a terminal that nobody writes to any more so
        pass
    os.close(terminal)
    return process.wait(), shown.decode(errors="replace")


@pytest.mark.parametrize("mode", [(), ("--predict",)], ids=["measure", "predict"])
def test_a_terminal_shows_how_far_it_is(deep, mode):
    code, shown = watched("deep.py:Deep", "--example", "f32[8,8]", *mode)
    assert code == 0
    assert "making the model" in shown
    assert "%" in shown


def test_a_file_shows_no_bar(deep):
    said = subprocess.run(
        [*CHECK, "deep.py:Deep", "--example", "f32[8,8]", "--predict"], capture_output=True, text=True
    )
    assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize("mode", [(), ("--predict",)], ids=["measure", "predict"])
def test_ctrl_c_ends_it_shortly_with_130(deep, mode):
    said = subprocess.run(
        [*CHECK, "deep.py:Interrupted", "--example", "f32[8,8]", *mode], capture_output=True, text=True
    )
    assert said.returncode == 130
    assert said.stdout == ""
    assert said.stderr == "Interrupted: there is no result, and nothing was written.\n"
    code, shown = watched("deep.py:Interrupted", "--example", "f32[8,8]", *mode)
    assert code == 130
    assert "Traceback" not in shown
    assert "Interrupted: there is no result" in shown.splitlines()[-1]
