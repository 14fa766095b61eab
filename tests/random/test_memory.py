"""`fill` writes through a tensor's own memory, and touches nothing else."""

import subprocess
import sys

import numpy as np
import pytest

from initwise.core.fill import Fill
from initwise.frameworks.memory import fill

torch = pytest.importorskip("torch")
LAW = Fill.normal(0, 0.02)


def numbers(shape=(6, 5), dtype=np.float32):
    return fill(np.zeros(shape, dtype), LAW, name="w")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_a_tensor_holds_what_an_array_holds(dtype):
    tensor = fill(torch.zeros(6, 5, dtype=dtype), LAW, name="w")
    if dtype == torch.float64:
        np.testing.assert_array_equal(tensor.numpy(), numbers(dtype=np.float64))
    else:
        assert torch.equal(tensor, torch.from_numpy(numbers()).to(dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_memory_formats_and_views(dtype):
    plain = fill(torch.zeros(4, 3, 5, 5, dtype=dtype), LAW, name="w")
    last = torch.zeros(4, 3, 5, 5, dtype=dtype).to(memory_format=torch.channels_last)
    assert torch.equal(fill(last, LAW, name="w"), plain)
    turned = torch.zeros(5, 5, 3, 4, dtype=dtype).permute(3, 2, 0, 1)
    assert torch.equal(fill(turned, LAW, name="w"), plain)
    room = torch.zeros(9, 9, dtype=dtype)
    fill(room[2:8:2, 1:9:3], LAW, name="v")
    assert torch.count_nonzero(room) == 9


def test_ml_dtypes_arrays():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    brain = fill(np.zeros((6, 5), ml_dtypes.bfloat16), LAW, name="w")
    np.testing.assert_array_equal(brain, numbers().astype(ml_dtypes.bfloat16))


def test_the_same_object_comes_back():
    array, tensor = np.zeros(3), torch.zeros(3)
    assert fill(array, LAW, name="w") is array
    assert fill(tensor, LAW, name="w") is tensor


def test_a_leaf_that_requires_grad_keeps_its_gradient():
    weight = torch.nn.Parameter(torch.zeros(6, 5))
    weight.grad = torch.ones(6, 5)
    fill(weight, LAW, name="w")
    assert weight.requires_grad
    assert weight.is_leaf
    assert torch.equal(weight.grad, torch.ones(6, 5))
    assert torch.equal(weight.detach(), torch.from_numpy(numbers()))


def test_autograd_notices_the_change():
    weight = torch.ones(3, requires_grad=True)
    loss = (weight * weight).sum()
    fill(weight, LAW, name="w")
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_inference_tensors():
    with torch.inference_mode():
        tensor = fill(torch.zeros(6, 5), LAW, name="w")
    assert torch.equal(torch.tensor(tensor.tolist()), torch.from_numpy(numbers()))


def test_global_random_states_stay():
    torch.manual_seed(0)
    state, legacy = torch.get_rng_state(), np.random.get_state()
    threads = torch.get_num_threads()
    fill(torch.zeros(1 << 20), LAW, name="w")
    assert torch.equal(torch.get_rng_state(), state)
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), legacy, strict=True))
    assert torch.get_num_threads() == threads
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()


def imports(code):
    done = subprocess.run(
        [sys.executable, "-c", code + "; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_importing_the_engine_loads_no_compiler_and_no_framework():
    loaded = imports("import initwise.random, initwise.frameworks.memory")
    assert not loaded & {"numba", "llvmlite", "torch", "jax", "scipy", "triton"}


def test_filling_an_array_loads_no_framework():
    loaded = imports(
        "import numpy as np; from initwise.core.fill import Fill; "
        "from initwise.frameworks.memory import fill; "
        "fill(np.zeros(3), Fill.normal(), name='w')"
    )
    assert not loaded & {"torch", "numba", "scipy"}
