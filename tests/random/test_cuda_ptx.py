"""The kernel compiled for a Hopper GPU holds exactly rounded float operations only. No GPU is needed."""

import re

import pytest

pytest.importorskip("triton", reason="Triton is not installed")
pytest.importorskip("torch")

FLOATS = re.compile(r"^\s*(?:@\S+\s+)?([a-z]+(?:\.[a-z0-9]+)*\.f(?:16|32|64)(?:\.[a-z0-9]+)*)\s", re.M)
EXACT = {
    # one IEEE operation each, rounded to nearest even
    *(f"{name}.rn.{kind}" for name in ("add", "sub", "mul", "sqrt", "div") for kind in ("f32", "f64")),
    *("cvt.rn.f32.s32", "cvt.rn.f32.u32", "cvt.rn.f16.f32", "cvt.f64.f32"),
    # no arithmetic
    *(f"{name}.{kind}" for name in ("min", "max", "selp", "neg", "mov") for kind in ("f32", "f64")),
}
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "dtype",
    ["float32", *(pytest.param(dtype, marks=SLOW) for dtype in ("float64", "float16", "bfloat16"))],
)
def test_every_float_instruction_is_exact(dtype, tmp_path, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from initwise.random import cuda

    ptx = cuda.assembly(dtype)["ptx"]
    found = set(FLOATS.findall(ptx))
    assert {"mul.rn.f32", "add.rn.f32", "sqrt.rn.f32", "div.rn.f32"} <= found
    assert found <= EXACT, sorted(found - EXACT)
    for word in (".ftz", ".approx", ".full", "fma."):
        assert word not in ptx, word
