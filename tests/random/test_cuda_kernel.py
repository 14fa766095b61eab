"""The Triton kernel equals the reference, bit for bit, run by Triton's interpreter on the CPU."""

import os
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("triton", reason="Triton is not installed")
pytest.importorskip("torch")

SCRIPT = """
import math
import numpy as np, torch
from initwise.core.fill import Fill
from initwise.core.stream import Stream
from initwise.random import cuda, reference
from initwise.random.draw import draw_of

laws = [
    Fill.normal(0.01, 0.1), Fill.uniform(-0.3, 0.4), Fill.truncated_normal(0, 0.02, -0.04, 0.04),
    Fill.truncated_normal(0, 1, 6, 7), Fill.truncated_normal(0, 1, -0.3, math.inf),
    Fill.truncated_normal(0, 1, -0.001, 0.001),
]
places = [(0, 1100), (77, 1), (2**31 - 3, 70), (2**34 - 500, 1500), (2**62 - 9, 17000), (5, 0)]
for dtype in ("float32", "float64", "float16", "bfloat16"):
    kind = torch.int16 if dtype in ("float16", "bfloat16") else getattr(torch, dtype)
    outs, runs = [], []
    for k, fill in enumerate(laws):
        first, count = places[k]
        out = torch.full((count + 2,), 7, dtype=kind)
        outs.append(out)
        address, stream = out.data_ptr() + out.element_size(), Stream(2**63 + k, f"w{k}")
        runs.append(cuda.Run(address, first, count, stream, draw_of(fill)))
    cuda.launch(runs, dtype, "cpu")
    for out, run in zip(outs, runs):
        index = np.arange(run.first, run.first + run.count, dtype=np.uint64)
        wanted = reference.values(run.stream, run.draw, index, dtype)
        bits = f"u{wanted.itemsize}"
        assert np.array_equal(out.numpy()[1:-1].view(bits), wanted.view(bits)), (dtype, run)
        assert out[0] == out[-1] == 7
print("equal")
"""


def test_interpreter_equals_the_reference():
    """Several tensors, laws, streams and positions in one launch; nothing beside them is written."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        capture_output=True,
        text=True,
        env={**os.environ, "TRITON_INTERPRET": "1"},
        timeout=300,
    )
    assert done.stdout.strip() == "equal", done.stderr[-3000:]
