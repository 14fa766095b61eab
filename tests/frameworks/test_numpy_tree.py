"""Plain arrays through the same protocol: it is not torch in disguise."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from initwise.core.errors import LayoutError, ModelError, UnknownNameError, UnsupportedError
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.frameworks.initialize import init_
from initwise.frameworks.numpy import ArrayTree
from initwise.frameworks.protocol import adapter_for


def dense(i, o, dtype=np.float32):
    return {"kernel": np.full((i, o), 9, dtype), "bias": np.full(o, 9, dtype)}


def tree(**roles):
    arrays = {
        "conv": {"kernel": np.full((3, 3, 8, 16), 9, np.float32)},
        "layers": [dense(32, 64), {**dense(64, 10), "scale": np.full(10, 9, np.float64)}],
        "table": np.full((50, 8), 9, np.float16),
        "odd": np.full((2, 2), 9, np.float32),
    }
    layouts = {"*.kernel": "io", "conv.kernel": "hwio", "table": "vo"}
    return ArrayTree(arrays, layouts, {"*.scale": "norm_gain", **roles})


def infos(model):
    return {info.name: info for info in adapter_for(model).parameters(model)}


def test_names_roles_and_fans():
    found = infos(tree())
    assert {name: info.role for name, info in found.items()} == {
        "conv.kernel": "weight",
        "layers.0.kernel": "weight",
        "layers.0.bias": "bias",
        "layers.1.kernel": "weight",
        "layers.1.bias": "bias",
        "layers.1.scale": "norm_gain",
        "table": "embedding",
        "odd": "bare",
    }
    assert (found["conv.kernel"].fans.fan_in, found["conv.kernel"].fans.fan_out) == (72, 144)
    assert found["layers.0.bias"].fans.fan_in == 32
    assert found["layers.1.kernel"].layer == "layers.1"


def test_every_array_is_filled_in_place_or_listed():
    model = tree()
    kernel = model.arrays["layers"][0]["kernel"]
    ledger = init_(model, "he_normal")
    statuses = {entry.name: entry.status for entry in ledger.entries}
    assert statuses.pop("odd") == "kept"
    assert set(statuses.values()) == {"filled"}
    assert kernel.std() == pytest.approx(math.sqrt(2 / 32), rel=6 / math.sqrt(2 * kernel.size))
    assert not model.arrays["layers"][1]["bias"].any()
    assert (model.arrays["layers"][1]["scale"] == 1).all()
    assert (model.arrays["odd"] == 9).all()
    assert ledger.entries[1].measured_std == pytest.approx(float(kernel.std(dtype=np.float64)))


def test_a_kernel_stored_input_first_holds_the_numbers_of_torch_transposed():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = nn.Linear(16, 24)

    net, kernel = Net(), np.empty((16, 24), np.float32)
    init_(net, "he_normal", seed=7)
    init_(ArrayTree({"dense": {"weight": kernel}}, {"*.weight": "io"}), "he_normal", seed=7)
    np.testing.assert_array_equal(kernel.T, net.dense.weight.detach().numpy())


def test_equal_names_and_bytes_give_the_digest_of_torch():
    linear = nn.Linear(8, 4)
    arrays = {"weight": np.empty((4, 8), np.float32), "bias": np.empty(4, np.float32)}
    assert (
        init_(linear, "xavier_normal").digest
        == init_(ArrayTree(arrays, {"weight": "oi"}), "xavier_normal").digest
    )


def test_packed_and_grouped_layouts():
    parts = (("q", 8), ("k", 8), ("v", 8))
    arrays = {"qkv": np.empty((24, 8), np.float32), "conv": np.empty((16, 2, 3), np.float32)}
    model = ArrayTree(arrays, {"qkv": Layout("oi", parts=parts), "conv": Layout("oik", groups=4)})
    found = infos(model)
    assert found["qkv"].gates == parts
    assert found["conv"].fans.fan_out == 12
    assert [name for name, _, _ in init_(model, "xavier_normal").entries[0].fill.parts] == ["q", "k", "v"]


def test_layouts_in_any_memory_order_give_the_same_bytes():
    order = [
        np.empty((32, 64), np.float32),
        np.empty((64, 32), np.float32).T,
        np.empty((64, 64), np.float32)[::2],
    ]
    digests = {init_(ArrayTree({"w": array}, {"w": "oi"}), "he_normal").digest for array in order}
    assert len(digests) == 1


def test_large_arrays_are_read_in_pieces():
    whole = np.empty((3, 700, 1000), np.float32)
    strided = whole.transpose(0, 2, 1)
    for array in (whole, strided):
        entry = init_(ArrayTree({"w": array}, {"w": "boi"}), {"w": Fill.uniform(2.0, 3.0)}).entries[0]
        assert entry.measured_mean == pytest.approx(float(array.mean(dtype=np.float64)), rel=1e-12)
        assert entry.measured_std == pytest.approx(float(array.std(dtype=np.float64)), rel=1e-9)


def test_one_array_twice_is_tied_and_overlapping_arrays_are_refused():
    array = np.empty((4, 4), np.float32)
    tied = ArrayTree({"a": array, "b": array}, {"a": "oi", "b": "oi"})
    assert [(e.name, e.status) for e in init_(tied, "he_normal").entries] == [("a", "filled"), ("b", "tied")]
    shared = infos(ArrayTree({"a": array, "b": array[1:]}, {"*": "oi"}))
    assert {info.status for info in shared.values()} == {"refused"}
    assert "shares memory with b" in shared["a"].problem


def readonly():
    array = np.zeros((3, 3), np.float32)
    array.flags.writeable = False
    return array


REFUSED = {
    "integers": (lambda: np.zeros((3, 3), np.int64), "int64"),
    "complex": (lambda: np.zeros((3, 3), np.complex64), "complex64"),
    "read-only": (readonly, "read-only"),
    "broadcast": (lambda: np.broadcast_to(np.zeros(3, np.float32), (3, 3)), "read-only"),
    "other byte order": (lambda: np.zeros((3, 3), ">f4"), "other order"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_written_is_refused(case):
    build, text = REFUSED[case]
    info = infos(ArrayTree({"w": build()}, {"w": "oi"}))["w"]
    assert info.status == "refused"
    assert text in info.problem


def test_empty_and_scalar_arrays():
    model = ArrayTree({"none": np.zeros((0, 3), np.float32), "one": np.zeros((), np.float32)}, {"none": "oi"})
    statuses = {entry.name: entry.status for entry in init_(model, {"one": Fill.constant(3.0)}).entries}
    assert statuses == {"none": "empty", "one": "filled"}
    assert model.arrays["one"] == 3


BAD = {
    "a misspelled layout": (
        lambda: ArrayTree({"kernel": np.zeros((2, 2))}, {"kernle": "io"}),
        UnknownNameError,
        "layout 'kernle' matches no array.\n  Did you mean 'kernel'?",
    ),
    "an unknown role": (
        lambda: ArrayTree({"kernel": np.zeros((2, 2))}, {}, {"kernel": "wieght"}),
        UnknownNameError,
        "role 'wieght'.\n  Did you mean 'weight'?",
    ),
    "another rank": (
        lambda: ArrayTree({"kernel": np.zeros((2, 2))}, {"kernel": "hwio"}),
        LayoutError,
        'kernel: layout "hwio" needs 4 axes, shape is (2, 2)',
    ),
    "no array": (
        lambda: ArrayTree({"a": {"b": 1.0}}, {}),
        ModelError,
        "a.b: a float; expected a NumPy array",
    ),
    "one name twice": (
        lambda: ArrayTree({"a": {"b": np.zeros(1)}, "a.b": np.zeros(1)}, {}),
        ModelError,
        "a.b: two arrays have this name",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_trees_say_what_is_wrong(case):
    build, error, text = BAD[case]
    with pytest.raises(error) as caught:
        build()
    assert text in str(caught.value)


def test_arrays_cannot_be_traced():
    with pytest.raises(UnsupportedError, match="holds weights and no forward pass"):
        adapter_for(tree()).trace(tree(), "f32[2,3]")


def test_torch_is_not_needed():
    code = (
        "import sys, numpy as np\n"
        "from initwise.frameworks.numpy import ArrayTree\n"
        "from initwise.frameworks.initialize import init_\n"
        "ledger = init_(ArrayTree({'w': np.empty((4, 4), np.float32)}, {'w': 'oi'}), 'he_normal')\n"
        "assert ledger.entries[0].status == 'filled' and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_torch_tensor_in_the_tree_is_refused():
    with pytest.raises(ModelError, match="a Tensor"):
        ArrayTree({"w": torch.zeros(2, 2)}, {})
