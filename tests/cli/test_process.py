"""The real command in a process of its own: entry points, pipes, signals."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

INITWISE = [sys.executable, "-m", "initwise"]


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    return subprocess.run(
        [*INITWISE, *arguments], capture_output=True, text=True, env=environment, timeout=120, **options
    )


def test_check_from_a_file(project):
    said = run("check", "models.py:healthy", "--example", "f32[16,8]", "--json")
    assert said.returncode == 0
    assert json.loads(said.stdout)["layers"]
    assert "the user's module prints" in said.stderr


def test_the_installed_command_is_the_same(project):
    from pathlib import Path

    script = Path(sys.executable).with_name("initwise")
    if not script.exists():
        pytest.skip("initwise is not installed as a command here")
    said = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60)
    assert said.stdout == run("--version").stdout


def test_a_reader_that_stops_listening_is_no_error(project):
    # the reader is gone long before the first line is written
    line = f"{sys.executable} -m initwise explain he_normal | true; exit ${{PIPESTATUS[0]}}"
    said = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_an_output_that_cannot_show_a_root_sign_does_not_crash():
    said = subprocess.run(
        [*INITWISE, "explain", "he_normal"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        timeout=60,
    )
    assert said.returncode == 0
    assert b"N(0, sqrt(" in said.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "arguments",
    [("explain", "he_normal"), ("list", "schemes", "--json"), ("--help",), ("--version",)],
    ids=" ".join,
)
def test_a_full_disk_is_one_message(arguments):
    with open("/dev/full", "w") as full:
        said = subprocess.run([*INITWISE, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert said.returncode == 2
    assert said.stderr.startswith(b"initwise: ")
    assert b"No space left on device" in said.stderr
    assert b"Traceback" not in said.stderr
    assert b"Exception ignored" not in said.stderr


LOUD = """\
import atexit, ctypes, os, sys
from torch import nn


def loud(when):
    ctypes.CDLL(None).puts(f"C {when}".encode())
    os.system(f"echo shell {when}")
    os.write(1, f"descriptor {when}\\n".encode())
    sys.__stdout__.write(f"original stdout {when}\\n")


class Net(nn.Linear):
    def __init__(self):
        loud("made")
        super().__init__(8, 4)

    def forward(self, x):
        loud("run")
        return super().forward(x)


loud("imported")
atexit.register(loud, "at exit")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="puts is asked of the process itself")
def test_whoever_writes_to_stdout_the_json_is_alone_there(project):
    (project / "loud.py").write_text(LOUD)
    said = run("check", "loud.py:Net", "--example", "f32[16,8]", "--json")
    assert json.loads(said.stdout)["layers"]
    for who in ("C", "shell", "descriptor", "original stdout"):
        for when in ("imported", "made", "run", "at exit"):
            assert f"{who} {when}\n" in said.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_closed_stream_is_no_crash(project, closed):
    line = f"{sys.executable} -m initwise check models.py:healthy --example 'f32[16,8]' --json {closed}"
    said = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120)
    assert said.returncode == 0
    assert "Traceback" not in said.stderr
    if closed == ">&-":
        assert said.stdout == ""
    else:
        assert json.loads(said.stdout)["layers"]


def test_help_and_list_load_no_framework():
    code = (
        "import sys; from initwise.cli.main import main; main(['--help']); main(['list']); "
        "heavy = {'torch', 'jax', 'keras', 'numba', 'sklearn', 'pandas', 'plotly', 'scipy', 'rich'}; "
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert said.stderr == "[]\n"
