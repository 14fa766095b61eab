"""Every torch layer's parameters: role, layout, fans, status."""

import itertools

import pytest
import torch
from torch import nn

from initwise.core.errors import ModelError
from initwise.frameworks.initialize import init_
from initwise.frameworks.protocol import adapter_for
from initwise.frameworks.torch.walk import parameters


def walked(model):
    return {info.name: info for info in parameters(model)}


# layer, then for each parameter: role, axes, (fan_in, fan_out) or None
LAYERS = {
    "Linear": (
        lambda: nn.Linear(64, 256),
        {"weight": ("weight", "oi", (64, 256)), "bias": ("bias", "o", (64, 256))},
    ),
    "Conv1d": (
        lambda: nn.Conv1d(8, 16, 3),
        {"weight": ("weight", "oik", (24, 48)), "bias": ("bias", "o", (24, 48))},
    ),
    "Conv2d": (
        lambda: nn.Conv2d(32, 128, 3),
        {"weight": ("weight", "oihw", (288, 1152)), "bias": ("bias", "o", (288, 1152))},
    ),
    "Conv3d": (
        lambda: nn.Conv3d(4, 8, 3, stride=(1, 2, 2)),
        {"weight": ("weight", "oidhw", (108, 54)), "bias": ("bias", "o", (108, 54))},
    ),
    "ConvTranspose1d": (
        lambda: nn.ConvTranspose1d(8, 16, 4, stride=2),
        {"weight": ("weight", "iok", (16, 64)), "bias": ("bias", "o", (16, 64))},
    ),
    "ConvTranspose2d": (
        lambda: nn.ConvTranspose2d(64, 32, 4, stride=2),
        {"weight": ("weight", "iohw", (256, 512)), "bias": ("bias", "o", (256, 512))},
    ),
    "ConvTranspose3d": (
        lambda: nn.ConvTranspose3d(4, 8, 2, groups=2),
        {"weight": ("weight", "iodhw", (16, 32)), "bias": ("bias", "o", (16, 32))},
    ),
    "Bilinear": (
        lambda: nn.Bilinear(2, 3, 4),
        {"weight": ("weight", "oii", (6, 4)), "bias": ("bias", "o", (6, 4))},
    ),
    "Embedding": (lambda: nn.Embedding(50, 8), {"weight": ("embedding", "vo", (1, 8))}),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(50, 8), {"weight": ("embedding", "vo", (1, 8))}),
    "BatchNorm1d": (
        lambda: nn.BatchNorm1d(4),
        {"weight": ("norm_gain", "o", None), "bias": ("norm_bias", "o", None)},
    ),
    "BatchNorm2d": (
        lambda: nn.BatchNorm2d(4),
        {"weight": ("norm_gain", "o", None), "bias": ("norm_bias", "o", None)},
    ),
    "BatchNorm3d": (
        lambda: nn.BatchNorm3d(4),
        {"weight": ("norm_gain", "o", None), "bias": ("norm_bias", "o", None)},
    ),
    "SyncBatchNorm": (
        lambda: nn.SyncBatchNorm(4),
        {"weight": ("norm_gain", "o", None), "bias": ("norm_bias", "o", None)},
    ),
    "InstanceNorm1d": (
        lambda: nn.InstanceNorm1d(4, affine=True),
        {"weight": ("norm_gain", "o", None), "bias": ("norm_bias", "o", None)},
    ),
    "InstanceNorm2d": (
        lambda: nn.InstanceNorm2d(4, affine=True),
        {"weight": ("norm_gain", "o", None), "bias": ("norm_bias", "o", None)},
    ),
    "InstanceNorm3d": (
        lambda: nn.InstanceNorm3d(4, affine=True),
        {"weight": ("norm_gain", "o", None), "bias": ("norm_bias", "o", None)},
    ),
    "GroupNorm": (
        lambda: nn.GroupNorm(2, 4),
        {"weight": ("norm_gain", "o", None), "bias": ("norm_bias", "o", None)},
    ),
    "LayerNorm": (
        lambda: nn.LayerNorm((3, 4)),
        {"weight": ("norm_gain", "oo", None), "bias": ("norm_bias", "oo", None)},
    ),
    "RMSNorm": (lambda: nn.RMSNorm(4), {"weight": ("norm_gain", "o", None)}),
    "PReLU": (lambda: nn.PReLU(3, init=0.1), {"weight": ("slope", "o", None)}),
    "MultiheadAttention": (
        lambda: nn.MultiheadAttention(8, 2, add_bias_kv=True),
        {
            "in_proj_weight": ("weight", "oi", (8, 8)),
            "in_proj_bias": ("bias", "o", (8, 8)),
            "bias_k": ("token", "ooo", None),
            "bias_v": ("token", "ooo", None),
            "out_proj.weight": ("weight", "oi", (8, 8)),
            "out_proj.bias": ("bias", "o", (8, 8)),
        },
    ),
    "RNN": (
        lambda: nn.RNN(3, 5),
        {
            "weight_ih_l0": ("weight", "oi", (3, 5)),
            "weight_hh_l0": ("recurrent", "oi", (5, 5)),
            "bias_ih_l0": ("recurrent_bias", "o", (3, 5)),
            "bias_hh_l0": ("recurrent_bias", "o", (5, 5)),
        },
    ),
    "LSTM": (
        lambda: nn.LSTM(3, 5, proj_size=2),
        {
            "weight_ih_l0": ("weight", "oi", (3, 5)),
            "weight_hh_l0": ("recurrent", "oi", (2, 5)),
            "bias_ih_l0": ("recurrent_bias", "o", (3, 5)),
            "bias_hh_l0": ("recurrent_bias", "o", (2, 5)),
            "weight_hr_l0": ("weight", "oi", (5, 2)),
        },
    ),
    "GRU": (
        lambda: nn.GRU(3, 5),
        {
            "weight_ih_l0": ("weight", "oi", (3, 5)),
            "weight_hh_l0": ("recurrent", "oi", (5, 5)),
            "bias_ih_l0": ("recurrent_bias", "o", (3, 5)),
            "bias_hh_l0": ("recurrent_bias", "o", (5, 5)),
        },
    ),
    **{
        name: (
            lambda cls=cls: cls(3, 5),
            {
                "weight_ih": ("weight", "oi", (3, 5)),
                "weight_hh": ("recurrent", "oi", (5, 5)),
                "bias_ih": ("recurrent_bias", "o", (3, 5)),
                "bias_hh": ("recurrent_bias", "o", (5, 5)),
            },
        )
        for name, cls in {"RNNCell": nn.RNNCell, "LSTMCell": nn.LSTMCell, "GRUCell": nn.GRUCell}.items()
    },
}

COMPOSED = {
    "AdaptiveLogSoftmaxWithLoss": lambda: nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10]),
    "LinearCrossEntropyLoss": lambda: nn.LinearCrossEntropyLoss(8, 5),
    "Transformer": lambda: nn.Transformer(8, 2, 1, 1, 16),
    "TransformerDecoderLayer": lambda: nn.TransformerDecoderLayer(8, 2, 16),
    "TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(8, 2, 16),
}
"""Layers made of others: every parameter must belong to one of those."""

CONTAINERS = {"ParameterDict", "ParameterList", "RNNBase", "RNNCellBase"}
"""Hold whatever they are given, or are bases that nobody constructs."""


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_is_known(kind):
    build, expected = LAYERS[kind]
    found = walked(build())
    assert set(found) == set(expected)
    for name, (role, axes, fans) in expected.items():
        info = found[name]
        own = (info.fans.fan_in, info.fans.fan_out) if info.fans else None
        assert (info.role, info.layout.axes, own, info.status) == (role, axes, fans, "ready"), name
        assert info.kind == ("Linear" if name.startswith("out_proj") else kind)


def _constructible(cls):
    """An instance, from whatever small integers the constructor takes."""
    for count in range(5):
        for values in itertools.product((2, 4), repeat=count):
            try:
                return cls(*values)
            except Exception:
                continue
    return None


def test_no_layer_of_torch_nn_is_left_out():
    """Whatever class of torch.nn owns parameters is in the tables above, so that a new one fails here."""
    unknown = []
    for name in dir(nn):
        cls = getattr(nn, name)
        if not isinstance(cls, type) or not issubclass(cls, nn.Module) or name.startswith("Lazy"):
            continue
        made = _constructible(cls) if name not in LAYERS and name not in COMPOSED else None
        if made is not None and list(made.parameters()) and name not in CONTAINERS:
            unknown.append(name)
    assert not unknown


@pytest.mark.parametrize("kind", [name for name in COMPOSED if hasattr(nn, name)])
def test_a_composed_layer_is_known_by_its_parts(kind):
    assert all(info.role != "bare" for info in parameters(COMPOSED[kind]()))


def test_gates_are_packed_in_torch_order():
    lstm, gru = walked(nn.LSTM(3, 5)), walked(nn.GRU(3, 5))
    assert lstm["weight_hh_l0"].gates == (("i", 5), ("f", 5), ("g", 5), ("o", 5))
    assert gru["bias_ih_l0"].gates == (("r", 5), ("z", 5), ("n", 5))
    assert [name for name, _ in lstm["weight_ih_l0"].fans.parts] == ["i", "f", "g", "o"]
    assert walked(nn.RNN(3, 5))["weight_hh_l0"].gates == ()


def test_the_forget_gate_is_the_second_quarter():
    """An LSTM whose second quarter of the bias is huge forgets nothing: the names fit torch's use."""
    cell = nn.LSTMCell(1, 2)
    info = walked(cell)["bias_ih"]
    start = 0
    for gate, size in info.gates:
        if gate == "f":
            with torch.no_grad():
                for parameter in cell.parameters():
                    parameter.zero_()
                cell.bias_ih[start : start + size] = 50.0
        start += size
    state = torch.full((1, 2), 3.0)
    _, after = cell(torch.zeros(1, 1), (torch.zeros(1, 2), state))
    assert torch.allclose(after, state)


def test_every_layer_and_direction_of_a_deep_lstm_is_named():
    found = walked(nn.LSTM(3, 4, num_layers=2, bidirectional=True, proj_size=2))
    assert len(found) == 2 * 2 * 5
    assert found["weight_ih_l1_reverse"].fans.fan_in == 4
    assert found["weight_hr_l1_reverse"].fan_hidden == 4


def test_separate_projections_have_their_own_fans():
    found = walked(nn.MultiheadAttention(8, 2, kdim=4, vdim=6))
    fans = {name: found[f"{name}_proj_weight"].fans.fan_in for name in "qkv"}
    assert fans == {"q": 8, "k": 4, "v": 6}
    assert {name: part.fan_in for name, part in found["in_proj_bias"].fans.parts} == fans


def test_what_starts_where():
    found = {
        "gain": walked(nn.LayerNorm(3))["weight"].start,
        "shift": walked(nn.LayerNorm(3))["bias"].start,
        "slope": walked(nn.PReLU(init=0.1))["weight"].start,
        "attention": walked(nn.MultiheadAttention(4, 1))["in_proj_bias"].start,
        "linear": walked(nn.Linear(3, 3))["bias"].start,
    }
    assert found == {"gain": 1.0, "shift": 0.0, "slope": 0.1, "attention": 0.0, "linear": None}


def test_a_subclass_is_known_by_the_layer_it_extends():
    class Scaled(nn.Linear):
        def __init__(self):
            super().__init__(4, 3)
            self.factor = nn.Parameter(torch.ones(3))

    found = walked(Scaled())
    assert (found["weight"].kind, found["weight"].role) == ("Linear", "weight")
    assert found["factor"].role == "bare"


def test_a_subclass_with_a_weight_of_another_rank_is_bare():
    class Experts(nn.Linear):
        def __init__(self):
            super().__init__(4, 3)
            self.weight = nn.Parameter(torch.zeros(2, 3, 4))

    found = walked(Experts())
    assert found["weight"].role == "bare"
    assert found["bias"].fans is None


def test_a_weight_of_an_unknown_class_is_bare():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3, 4))
            self.scalar = nn.Parameter(torch.zeros(()))

    found = walked(Odd())
    assert {info.role for info in found.values()} == {"bare"}
    assert found["scalar"].shape == ()
    assert found["weight"].fans is None


def test_parameter_containers_are_bare():
    model = nn.ParameterDict({"a": nn.Parameter(torch.zeros(2, 2)), "b": nn.ParameterList([torch.zeros(3)])})
    assert {info.name: info.role for info in parameters(model)} == {"a": "bare", "b.0": "bare"}


def test_tied_weights_are_listed_once_under_the_first_name():
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5))
    model[1].weight = model[0].weight
    found = walked(model)
    assert "1.weight" not in found
    assert found["0.weight"].aliases == ("1.weight",)
    assert found["0.weight"].role == "embedding"


def pair(table_first):
    """A table that is a head's weight too, the two registered in either order."""
    model = nn.Module()
    for name in ("table", "head") if table_first else ("head", "table"):
        model.add_module(name, nn.Embedding(50, 16, padding_idx=3) if name == "table" else nn.Linear(16, 50))
    model.head.weight = model.table.weight
    return model


@pytest.mark.parametrize("scheme", ["he_normal", "torch_default"])
def test_a_tied_table_is_a_table_in_whatever_order(scheme):
    one, other = pair(table_first=True), pair(table_first=False)
    init_(one, scheme)
    init_(other, scheme)
    assert torch.equal(one.table.weight, other.table.weight)
    assert torch.equal(one.head.bias, other.head.bias)
    found, same = walked(one), walked(other)
    assert found == same
    assert (found["table.weight"].role, found["table.weight"].aliases) == ("embedding", ("head.weight",))
    assert found["table.weight"].zero_row == 3
    assert found["head.bias"].fans.fan_in == 16


def test_a_shared_module_is_listed_once():
    layer = nn.Linear(4, 4)
    found = walked(nn.Sequential(layer, nn.ReLU(), layer))
    assert list(found) == ["0.weight", "0.bias"]
    assert found["0.weight"].aliases == ("2.weight",)


def test_two_parameters_over_the_same_memory_are_refused():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = nn.Parameter(model[0].weight.data)
    found = walked(model)
    for name, other in (("0.weight", "1.weight"), ("1.weight", "0.weight")):
        assert found[name].status == "refused"
        assert f"shares memory with {other}" in found[name].problem
    assert found["0.bias"].status == "ready"


def test_a_parameter_over_a_buffer_is_refused():
    model = nn.Linear(4, 4)
    model.register_buffer("copy", model.weight.data[1:])
    assert "shares memory with copy" in walked(model)["weight"].problem


def test_slices_of_one_storage_that_do_not_overlap_are_fine():
    model, whole = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), torch.zeros(32)
    for layer, piece in zip(model, whole.split(16), strict=True):
        layer.weight = nn.Parameter(piece.view(4, 4))
    assert {info.status for info in parameters(model)} == {"ready"}


REFUSED = {
    "integers": (lambda: nn.Parameter(torch.zeros(3, dtype=torch.int8), requires_grad=False), "int8"),
    "complex": (lambda: nn.Parameter(torch.zeros(3, dtype=torch.complex64)), "complex"),
    "float8": (lambda: nn.Parameter(torch.zeros(3).to(torch.float8_e4m3fn), requires_grad=False), "float8"),
    "expanded": (lambda: nn.Parameter(torch.zeros(1).expand(3)), "expanded view"),
    "flat": (lambda: type("FlatParameter", (nn.Parameter,), {})(torch.zeros(3)), "FSDP's flat parameters"),
    "sparse": (lambda: nn.Parameter(torch.zeros(3, 3).to_sparse()), "sparse_coo"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_written_is_refused_with_a_reason(case):
    build, text = REFUSED[case]
    model = nn.Module()
    model.odd = build()
    info = walked(model)["odd"]
    assert info.status == "refused"
    assert text in info.problem


def test_a_deepspeed_placeholder_is_refused_not_empty():
    model = nn.Linear(3, 3)
    model.weight = nn.Parameter(torch.zeros(0))
    model.weight.ds_shape = torch.Size([3, 3])
    assert "DeepSpeed" in walked(model)["weight"].problem


def test_a_quantized_layer_is_listed():
    info = walked(nn.Sequential(torch.ao.nn.quantized.Linear(4, 3)))["0.weight"]
    assert (info.status, info.shape) == ("refused", (3, 4))
    assert "before quantizing" in info.problem


def test_a_fake_tensor_is_refused():
    from torch._subclasses import FakeTensorMode

    with FakeTensorMode():
        model = nn.Linear(3, 3)
    assert "fake" in walked(model)["weight"].problem


def test_frozen_and_empty_say_so():
    model = nn.Sequential(nn.Linear(3, 3).requires_grad_(False), nn.Linear(0, 2))
    found = walked(model)
    assert found["0.weight"].status == "frozen"
    assert found["1.weight"].status == "empty"
    assert found["1.bias"].status == "ready"


def test_lazy_modules_are_refused_with_the_fix():
    with pytest.raises(ModelError) as caught:
        parameters(nn.Sequential(nn.LazyLinear(3), nn.ReLU(), nn.LazyConv2d(3, 3)))
    assert str(caught.value) == (
        "Sequential: 0.weight, 0.bias, 2.weight, 2.bias are lazy: no shape before the first forward; "
        "expected a model whose layers know their shapes.\n"
        "  Run the model once on a real batch, then initialize: the first forward would overwrite whatever "
        "was written before it."
    )


def test_transformers_conv1d_is_stored_input_first():
    class Conv1D(nn.Module):
        def __init__(self, nf, nx):
            super().__init__()
            self.nf = nf
            self.weight = nn.Parameter(torch.empty(nx, nf))
            self.bias = nn.Parameter(torch.zeros(nf))

    info = walked(Conv1D(12, 4))["weight"]
    assert (info.layout.axes, info.fans.fan_in, info.fans.fan_out) == ("io", 4, 12)


def test_reading_changes_nothing():
    model = nn.Sequential(torch.nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)), nn.BatchNorm1d(4))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    generator = torch.get_rng_state()
    parameters(model)
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training


def test_the_adapter_is_found_for_a_module():
    assert adapter_for(nn.Linear(2, 2)).name == "torch"


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_a_sharded_parameter_is_refused():
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import distribute_tensor

    fake = pytest.importorskip("torch.testing._internal.distributed.fake_pg")
    dist.init_process_group("fake", store=fake.FakeStore(), rank=0, world_size=2)
    try:
        model = nn.Linear(4, 4)
        model.weight = nn.Parameter(distribute_tensor(model.weight.detach(), init_device_mesh("cpu", (2,))))
        info = walked(model)["weight"]
    finally:
        dist.destroy_process_group()
    assert (info.status, info.shape) == ("refused", (4, 4))
    assert "sharded (DTensor), which is not supported yet" in info.problem
