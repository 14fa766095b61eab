"""On a real CUDA device, where there is one: benchmarks/gpu.py --equal."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton is not installed")
torch = pytest.importorskip("torch")

COMMAND = [sys.executable, str(Path(__file__).parents[2] / "benchmarks" / "gpu.py"), "--equal"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_every_law_type_and_place_equals_the_cpu():
    done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_device_the_benchmark_says_so():
    done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr == "No CUDA device here: nothing was run. --paper works without one.\n"
