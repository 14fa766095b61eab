"""What feeds what, found by running models written in many styles."""

import copy
import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from initwise.core.errors import ExampleError, ForwardError
from initwise.core.graph import OPS
from initwise.frameworks.torch.trace import trace


class After(nn.Module):
    """A function of a linear layer's output."""

    def __init__(self, function):
        super().__init__()
        self.linear, self.function = nn.Linear(32, 32), function

    def forward(self, x):
        return self.function(self.linear(x))


def steps(model, example="f32[16,32]"):
    """(op, label) of every node between the linear layer and the output."""
    nodes = trace(model, example).nodes
    return [(node.op, node.label) for node in nodes[2:] if node.op != "output"]


ACTIVATIONS = {
    "function": (F.relu, "relu"),
    "torch function": (torch.relu, "relu"),
    "method": (lambda x: x.relu(), "relu"),
    "in-place method": (lambda x: x.relu_(), "relu"),
    "in-place function": (torch.relu_, "relu"),
    "module": (nn.ReLU(), "relu"),
    "in-place module": (nn.ReLU(inplace=True), "relu"),
    "clamp": (lambda x: x.clamp(min=0), "relu"),
    "mask": (lambda x: x * (x > 0), "relu"),
    "threshold": (lambda x: F.threshold(x, 0, 0), "relu"),
    "threshold of its own": (nn.Threshold(0.5, 20), "threshold(0.5, 20)"),
    "leaky": (lambda x: F.leaky_relu(x, 0.2), "leaky_relu(0.2)"),
    "leaky by where": (lambda x: torch.where(x > 0, x, 0.3 * x), "leaky_relu(0.3)"),
    "elu": (lambda x: F.elu(x, alpha=0.5), "elu(0.5)"),
    "gelu": (F.gelu, "gelu"),
    "gelu, tanh": (nn.GELU("tanh"), "gelu_tanh"),
    "gelu, written out": (
        lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3)))),
        "gelu_tanh",
    ),
    "gelu by erf, written out": (lambda x: x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0))), "gelu"),
    "quick gelu, written out": (lambda x: x * torch.sigmoid(1.702 * x), "quick_gelu"),
    "silu, written out": (lambda x: x * x.sigmoid(), "silu"),
    "swish by exp": (lambda x: x / (1 + torch.exp(-x)), "silu"),
    "mish, written out": (lambda x: x * torch.tanh(F.softplus(x)), "mish"),
    "squared relu": (lambda x: F.relu(x) ** 2, "relu_squared"),
    "tanh": (torch.tanh, "tanh"),
    "hardtanh": (nn.Hardtanh(), "hard_tanh"),
    "softsign": (F.softsign, "softsign"),
    "logsigmoid": (F.logsigmoid, "log_sigmoid"),
    "prelu": (nn.PReLU(), "prelu"),
    "bfloat16": (lambda x: (lambda y: y * y.sigmoid())(x.bfloat16()), "silu"),
}


@pytest.mark.parametrize("style", ACTIVATIONS)
def test_an_activation_is_found_in_whatever_style_it_is_written(style):
    function, label = ACTIVATIONS[style]
    assert steps(After(function)) == [("activation", label)]


STYLES = {
    "softmax by hand": (
        lambda x: torch.exp(x) / torch.exp(x).sum(-1, keepdim=True),
        [("softmax", "softmax")],
    ),
    "rms norm by hand": (
        lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6),
        [("norm", "rms")],
    ),
    "layer norm by hand": (
        lambda x: (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, keepdim=True) + 1e-5),
        [("norm", "layer")],
    ),
    "norm by vector norm": (lambda x: x / x.norm(dim=-1, keepdim=True), [("norm", "rms")]),
    "swiglu": (
        lambda x: (lambda a, b: a * F.silu(b))(*x.chunk(2, -1)),
        [("view", "chunk"), ("activation", "silu"), ("mul", "")],
    ),
    "geglu by slices": (
        lambda x: x[:, :16] * F.gelu(x[:, 16:]),
        [("view", "getitem"), ("view", "getitem"), ("activation", "gelu"), ("mul", "")],
    ),
    "glu": (F.glu, [("view", "chunk"), ("view", "chunk"), ("activation", "sigmoid"), ("mul", "")]),
    "unnamed function": (lambda x: x + torch.sin(x) ** 3, [("pointwise", "")]),
    "number": (lambda x: x / 4, [("scale", "0.25")]),
    "in-place number": (lambda x: x.mul_(0.5), [("scale", "0.5")]),
    "casts": (lambda x: x.double().contiguous().clone().float(), []),
    "dropout": (lambda x: F.dropout(x, 0.1), [("dropout", "dropout")]),
    "pool": (lambda x: x.mean(-1), [("pool", "mean")]),
    "views": (lambda x: x.view(16, 4, 8).transpose(1, 2), [("view", "view"), ("view", "transpose")]),
    "matmul": (lambda x: x @ x.T, [("view", "T"), ("matmul", "matmul")]),
    "einsum": (lambda x: torch.einsum("bi,ci->bc", x, x), [("matmul", "einsum")]),
    "concat": (lambda x: torch.cat([x, F.relu(x)], -1), [("activation", "relu"), ("concat", "cat")]),
    "rotation": (lambda x: x * torch.cos(torch.arange(32.0)), [("pointwise", "mul")]),
    "clamp that never bites": (lambda x: x.clamp(-100, 100), [("pointwise", "clamp")]),
    "unknown": (torch.fft.rfft, [("other", "fft_rfft")]),
}


@pytest.mark.parametrize("style", STYLES)
def test_an_operation_is_what_it_is(style):
    function, expected = STYLES[style]
    assert steps(After(function)) == expected
    assert {op for op, _ in expected} <= set(OPS)


def test_what_is_used_elsewhere_is_not_merged():
    def gate_and_product(x):
        gate = x.sigmoid()
        return x * gate, gate

    nodes = trace(After(gate_and_product), "f32[16,32]").nodes
    sigmoid, silu = (node for node in nodes if node.op == "activation")
    assert (sigmoid.label, silu.label) == ("sigmoid", "silu")
    assert sigmoid.inputs == silu.inputs == (1,)
    assert [nodes[node.inputs[0]].label for node in nodes if node.op == "output"] == ["silu", "sigmoid"]


class Residual(nn.Module):
    """x + f(x) with a LayerScale, the sum written in the way asked for."""

    def __init__(self, way):
        super().__init__()
        self.norm, self.linear, self.way = nn.LayerNorm(8), nn.Linear(8, 8), way
        self.scale = nn.Parameter(torch.ones(8))

    def forward(self, x):
        x = x * 1.0
        branch = self.scale * F.relu(self.linear(self.norm(x)))
        if self.way == "in place":
            x += branch
            return x
        return torch.add(x, branch) if self.way == "function" else x + branch


@pytest.mark.parametrize("way", ["operator", "function", "in place"])
def test_a_residual_sum_joins_skip_and_branch(way):
    nodes = trace(Residual(way), "f32[4,8]").nodes
    [add] = [node for node in nodes if node.op == "add"]
    skip, branch = (nodes[index] for index in add.inputs)
    assert (skip.op, branch.op, branch.parameters) == ("scale", "scale", ("scale",))
    assert nodes[-1].inputs == (add.index,)


class Functional(nn.Module):
    """Parameters used without layers, one of them tied, one through other operations."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 4)
        self.position = nn.Parameter(torch.zeros(6, 4))
        self.token = nn.Parameter(torch.zeros(1, 1, 4))
        self.kernel = nn.Parameter(torch.randn(4, 4))
        self.bias = nn.Parameter(torch.zeros(4))

    def forward(self, ids, *, mask=None):
        x = self.table(ids) + self.position[: ids.shape[1]]
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        x = x @ (self.kernel * 2).t() + self.bias
        return {"logits": F.linear(torch.tanh(x), self.table.weight)}


def test_parameters_are_recognised_by_identity():
    nodes = trace(Functional(), "i64[2,6]<10").nodes
    found = [(node.op, node.parameters) for node in nodes]
    assert found == [
        ("input", ()),
        ("embedding", ("table.weight",)),
        ("parameter", ("position",)),
        ("add", ()),
        ("parameter", ("token",)),
        ("concat", ()),
        ("weight", ("kernel",)),
        ("parameter", ("bias",)),
        ("add", ()),
        ("activation", ()),
        ("weight", ("table.weight",)),
        ("output", ()),
    ]
    assert nodes[-2].shape == (2, 7, 10)


def test_attention_is_taken_apart():
    nodes = trace(nn.MultiheadAttention(8, 2, batch_first=True), ("f32[2,5,8]",) * 3).nodes
    weights = [(node.label, node.parameters) for node in nodes if node.op == "weight"]
    assert weights == [
        ("query", ("in_proj_weight", "in_proj_bias")),
        ("key", ("in_proj_weight", "in_proj_bias")),
        ("value", ("in_proj_weight", "in_proj_bias")),
        ("out", ("out_proj.weight", "out_proj.bias")),
    ]
    scores, values = [node for node in nodes if node.op == "matmul"]
    softmax = next(node for node in nodes if node.op == "softmax")
    assert softmax.index in values.inputs
    assert len(scores.inputs) == 2


@pytest.mark.parametrize("training", [True, False])
def test_no_fast_path_hides_a_transformer_layer(training):
    model = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True).train(training)
    ops = [node.op for node in trace(model, "f32[2,5,8]").nodes]
    assert (ops.count("weight"), ops.count("norm"), ops.count("add")) == (6, 2, 2)


def test_flash_attention_is_taken_apart():
    ops = [
        node.op
        for node in trace(After(lambda x: F.scaled_dot_product_attention(x, x, x)), "f32[2,4,32]").nodes
    ]
    assert ops == ["input", "weight", "matmul", "scale", "softmax", "matmul", "output"]


def test_a_recurrent_layer_is_one_node():
    nodes = trace(nn.LSTM(3, 4, num_layers=2), "f32[5,2,3]").nodes
    assert [node.op for node in nodes] == ["input", "recurrent", "output", "output", "output"]
    assert len(nodes[1].parameters) == 8


def test_a_cell_in_a_loop_is_one_node_per_step():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(3, 4)

        def forward(self, x):
            state = x.new_zeros(x.shape[1], 4)
            for piece in x:
                state = self.cell(piece, state)
            return state

    nodes = [node for node in trace(Loop(), "f32[3,2,3]").nodes if node.op == "recurrent"]
    assert len(nodes) == 3
    assert nodes[0].index in nodes[1].inputs


def test_layers_are_named_by_their_path():
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))
    nodes = trace(model, "f32[2,4]").nodes
    assert [node.layer for node in nodes] == ["", "0", "1.0", "1.1", ""]


def test_a_layer_used_twice_appears_twice():
    layer = nn.Linear(4, 4)
    nodes = trace(nn.Sequential(layer, nn.Tanh(), layer), "f32[2,4]").nodes
    assert [node.parameters for node in nodes if node.op == "weight"] == [("0.weight", "0.bias")] * 2


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.from_numpy(2 * x.detach().numpy())

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x.sigmoid()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def test_a_custom_autograd_function_is_other_with_its_inputs():
    nodes = trace(nn.Sequential(After(Double.apply), nn.ReLU()), "f32[2,32]").nodes
    other = next(node for node in nodes if node.op == "other")
    assert nodes[other.inputs[0]].op == "weight"
    assert nodes[other.index + 1].op == "activation"
    assert nodes[other.index + 1].inputs == (other.index,)


def test_torch_operations_inside_an_autograd_function_are_seen():
    assert steps(After(Swish.apply)) == [("activation", "silu")]


def test_what_is_done_out_of_sight_starts_at_the_autograd_functions_result():
    model = nn.Sequential(After(Swish.apply), torch.jit.script(nn.Sequential(nn.Linear(32, 4))))
    nodes = trace(model, "f32[16,32]").nodes
    other = next(node for node in nodes if node.op == "other")
    assert [nodes[index].label for index in other.inputs] == ["silu"]


def test_changing_a_view_in_place_changes_what_it_views():
    def through_a_view(x):
        x.view(-1).relu_()
        return x

    nodes = trace(After(through_a_view), "f32[16,32]").nodes
    assert nodes[nodes[-1].inputs[0]].label == "relu"


def test_a_scripted_module_is_other_with_its_parameters():
    model = nn.Sequential(
        nn.Linear(4, 4), torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.ReLU())), nn.Tanh()
    )
    other = next(node for node in trace(model, "f32[2,4]").nodes if node.op == "other")
    assert set(other.parameters) == {"1.0.weight", "1.0.bias"}


def test_a_compiled_model_is_seen_through_without_compiling_it():
    def backend(*_):
        raise AssertionError("compiled")

    model = torch.compile(nn.Sequential(nn.Linear(4, 4), nn.Tanh()), backend=backend)
    assert [node.op for node in trace(model, "f32[2,4]").nodes] == ["input", "weight", "activation", "output"]


def test_parametrized_weights_have_the_names_of_the_walk():
    wrap = torch.nn.utils.parametrizations
    model = nn.Sequential(wrap.weight_norm(nn.Linear(4, 4)), wrap.spectral_norm(nn.Linear(4, 4)))
    weights = [node.parameters[0] for node in trace(model, "f32[2,4]").nodes if node.op == "weight"]
    assert weights == ["0.weight", "1.parametrizations.weight.original"]


@dataclasses.dataclass
class Result:
    first: torch.Tensor
    rest: tuple


def test_outputs_in_a_dataclass_and_arguments_of_several_kinds():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(3, 4), nn.Linear(5, 4)

        def forward(self, x, extra):
            a, b = self.left(x), self.right(extra["y"])
            return Result(a * b, (a, b.argmax(-1)))

    nodes = trace(Model(), (torch.randn(2, 3), {"y": torch.randn(2, 5)})).nodes
    assert [node.label for node in nodes if node.op == "input"] == ["x", "extra.y"]
    outputs = [nodes[node.inputs[0]].op for node in nodes if node.op == "output"]
    assert outputs == ["mul", "weight"]


def test_masks_and_indices_are_no_signals():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.linear = nn.Embedding(9, 4), nn.Linear(4, 4)

        def forward(self, ids, mask):
            x = self.linear(self.table(ids + 1 - 1))
            return x + (1.0 - mask.float())[..., None] * -1e4

    nodes = trace(Model(), {"ids": "i64[2,3]<9", "mask": "i64[2,3]<2"}).nodes
    assert [node.op for node in nodes] == ["input", "input", "embedding", "weight", "pointwise", "output"]
    assert nodes[2].inputs == (0,)


@pytest.mark.parametrize(
    "mask", [lambda ids: ids.to(torch.bool), lambda ids: ids.bool(), lambda ids: ids > 0]
)
def test_a_mask_made_of_token_ids_is_no_signal(mask):
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.linear = nn.Embedding(9, 4), nn.Linear(4, 4)

        def forward(self, ids):
            return self.linear(self.table(ids) * mask(ids)[..., None])

    nodes = trace(Masked(), "i64[2,3]<9").nodes
    assert [(node.op, node.inputs) for node in nodes[1:3]] == [("embedding", (0,)), ("pointwise", (1,))]


def test_writing_into_a_slice_carries_the_signal():
    def shift(x):
        out = torch.zeros_like(x)
        out[:, 1:] = x[:, :-1]
        return out

    assert steps(After(shift)) == [("view", "getitem"), ("view", "setitem")]


def world(model):
    """Everything that tracing must leave as it is."""
    return (
        copy.deepcopy(model.state_dict()),
        [(p.grad is None, p._version, p.requires_grad) for p in model.parameters()],
        [m.training for m in model.modules()],
        [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in model.modules()],
        torch.get_rng_state(),
        torch.is_grad_enabled(),
    )


def same(one, other):
    tensors = all(torch.equal(one[0][name], other[0][name]) for name in one[0])
    return tensors and one[1:4] == other[1:4] and torch.equal(one[4], other[4]) and one[5] == other[5]


class Stormy(nn.Module):
    """Draws, counts, changes its mode, and may raise."""

    def __init__(self, fails):
        super().__init__()
        self.norm, self.linear, self.fails = nn.BatchNorm1d(4), nn.Linear(4, 4), fails
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x):
        self.calls += 1
        self.eval()
        x = self.linear(F.dropout(self.norm(x), 0.5, True))
        if self.fails:
            raise RuntimeError("storm")
        return x


@pytest.mark.parametrize("fails", [True, False])
def test_tracing_leaves_everything_as_it_was(fails):
    model = Stormy(fails)
    model.norm.eval()
    before = world(model)
    if fails:
        with pytest.raises(ForwardError, match="storm"):
            trace(model, "f32[3,4]")
    else:
        trace(model, "f32[3,4]")
    assert same(before, world(model))


def test_an_example_that_does_not_fit_is_refused():
    with pytest.raises(ExampleError):
        trace(nn.Linear(4, 4), "f32[3,5]")


def test_a_meta_model_is_traced_without_values():
    real, meta = nn.Linear(4, 4), nn.Linear(4, 4, device="meta")
    assert trace(meta, "f32[3,4]") == trace(real, "f32[3,4]")
    assert meta.weight.device.type == "meta"


def test_the_graph_is_plain_data():
    graph = trace(Residual("operator"), "f32[4,8]")
    assert type(graph).from_json(graph.to_json()) == graph
    assert [node.index for node in graph.nodes] == list(range(len(graph.nodes)))
    assert all(index < node.index for node in graph.nodes for index in node.inputs)
