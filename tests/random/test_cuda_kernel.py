"""The Triton kernel equals the reference, bit for bit, run by Triton's interpreter on the CPU.

One process, because the interpreter is chosen when Triton is imported: it prints a line for each case.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton is not installed")
pytest.importorskip("torch")

CASES = Path(__file__).with_name("cuda_cases.py")


@pytest.fixture(scope="module")
def verdicts():
    done = subprocess.run(
        [sys.executable, str(CASES)],
        capture_output=True,
        text=True,
        env={**os.environ, "TRITON_INTERPRET": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("place", ["runs", "far", "shards", "memory orders", "constants"])
def test_one_launch_writes_the_reference_and_nothing_beside_it(verdicts, place, dtype):
    assert verdicts[f"{place} {dtype}"] == "equal, 1 launch"


def test_long_blocks_are_cut_so_that_the_kernel_counts_in_32_bits(verdicts):
    assert verdicts["cut"] == "equal"


@pytest.mark.parametrize(
    "case", ["packed", "zero row", "plan of four dtypes", "matrix law", "repeated", "empty", "subnormal"]
)
def test_fill_on_a_device_equals_fill_on_the_cpu(verdicts, case):
    assert verdicts[case] == "equal"


def test_init_fills_a_model_on_a_device_by_one_launch(verdicts):
    assert verdicts["model"] == "equal, 1 launch"


def test_a_broken_triton_falls_back_to_the_cpu_with_one_warning(verdicts):
    assert verdicts["broken"] == "equal, 1 warning: no compiler"


def test_bad_input_writes_nothing(verdicts):
    assert verdicts["bad input"] == "untouched"
