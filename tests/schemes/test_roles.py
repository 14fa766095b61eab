"""What each role of parameter gets, and that torch_default is torch's own law, layer by layer."""

import math

import pytest

from initwise.core.errors import FillError, ModelError
from initwise.core.layout import Layout, fans
from initwise.core.parameter import ROLES, ParameterInfo
from initwise.schemes import scheme, schemes
from initwise.schemes.roles import RULES

LAWS = [row for row in schemes() if not row.planner and not row.needs]


def weight(shape=(96, 64), layout="oi", role="weight", **more):
    declared = layout if isinstance(layout, Layout) else Layout(layout)
    more = {"kind": "Linear", **more}
    return ParameterInfo(
        "layer.weight", shape, "float32", role, layout=declared, fans=fans(shape, declared), **more
    )


def vector(role, size=5, **more):
    return ParameterInfo("layer.bias", (size,), "float32", role, layout=Layout("o"), **more)


def table(**more):
    return weight((100, 16), "vo", "embedding", **{"kind": "Embedding", **more})


def test_every_role_has_a_rule():
    assert set(RULES) == set(ROLES)


@pytest.mark.parametrize(
    "name", ["he_normal", "xavier_uniform", "orthogonal", "uniform", "constant", "zeros"]
)
class TestEveryScheme:
    def test_weights_get_the_law_times_the_gain(self, name):
        made = scheme(name)
        info = weight()
        assert made.fill_parameter(info) == made.fill(info.fans)
        assert made.fill_parameter(info, gain=2) == made.fill(info.fans, gain=2)

    def test_vectors_do_not(self, name):
        made = scheme(name)
        values = {"bias": 0, "recurrent_bias": 0, "norm_gain": 1, "norm_bias": 0, "slope": 0.25}
        for role, value in values.items():
            assert made.fill_parameter(vector(role), gain=2).formula == f"{value:g}"

    def test_what_nobody_knows_stays(self, name):
        assert scheme(name).fill_parameter(vector("bare")) is None


def test_a_norm_that_computes_one_plus_w_starts_at_zero():
    fill = scheme("he_normal").fill_parameter(vector("norm_gain", start=0.0, kind="GemmaRMSNorm"))
    assert (fill.mean, fill.reason) == (0.0, "GemmaRMSNorm starts it at 0")


def test_gates_each_have_their_own_fans():
    gates = tuple((gate, 7) for gate in "ifgo")
    info = weight((28, 7), Layout("oi", parts=gates), "recurrent", kind="LSTM", gates=gates, fan_hidden=7)
    fill = scheme("orthogonal").fill_parameter(info)
    assert [part.formula for _, _, part in fill.parts] == ["orthogonal × 1"] * 4
    assert [part.std for _, _, part in fill.parts] == [1 / math.sqrt(7)] * 4


class TestTables:
    def test_one_row_is_one_input(self):
        assert scheme("he_normal").fill_parameter(table()).formula == "N(0, 1)"

    def test_a_tied_table_keeps_the_logits_small(self):
        fill = scheme("he_normal").fill_parameter(table(aliases=("head.weight",)))
        assert fill.formula == "N(0, 0.25)"
        assert "tied to head.weight" in fill.reason

    def test_laws_without_fans_apply_as_they_are(self):
        assert scheme("uniform", low=-1, high=1).fill_parameter(table()).formula == "U(±1)"
        assert scheme("zeros").fill_parameter(table()).formula == "0"

    def test_the_padding_row_stays_zero(self):
        assert scheme("he_normal").fill_parameter(table(zero_row=3)).zero_row == 3
        assert scheme("torch_default").fill_parameter(table(zero_row=3)).zero_row == 3

    def test_tokens_are_small(self):
        assert scheme("he_normal").fill_parameter(vector("token")).std == 0.02
        assert scheme("normal", std=0.3).fill_parameter(vector("token")).std == 0.3


def test_a_magnitude_follows_its_weight_so_that_the_law_is_in_force():
    info = ParameterInfo(
        "layer.g", (96, 1), "float32", "magnitude", layout=Layout("oi"), fans=fans((96, 64), "oi")
    )
    assert scheme("he_normal").fill_parameter(info).mean == pytest.approx(math.sqrt(64 * 2 / 64))
    assert scheme("he_normal").fill_parameter(info, gain=2).mean == pytest.approx(math.sqrt(64 * 2 / 64) * 2)
    assert scheme("he_normal").fill_parameter(vector("magnitude")) is None


@pytest.mark.parametrize("row", LAWS, ids=lambda row: row.name)
def test_nothing_is_written_where_there_is_nothing(row):
    for info in (weight((0, 4)), vector("bias", 0), vector("bare", 0)):
        assert scheme(row.name).fill_parameter(info).reason == "no elements"


class TestErrors:
    def test_a_weight_of_unknown_axes_is_named(self):
        info = ParameterInfo("odd.weight", (3, 4), "float32", "weight")
        with pytest.raises(ModelError) as caught:
            scheme("he_normal").fill_parameter(info)
        assert str(caught.value).startswith(
            "odd.weight: a weight of shape (3, 4) without fans; expected a weight whose axes are known."
        )

    def test_a_shape_the_law_cannot_fill_is_named(self):
        with pytest.raises(FillError, match=r"^layer\.weight: delta_orthogonal: 32 input and 16 output"):
            scheme("delta_orthogonal").fill_parameter(weight((16, 32, 3, 3), "oihw"))

    def test_a_role_nobody_knows_is_named(self):
        with pytest.raises(ModelError, match=r"layer\.bias: role 'baias'"):
            scheme("he_normal").fill_parameter(vector("baias"))


def torch_layer(name):
    from torch import nn

    return {
        "linear": lambda: nn.Linear(64, 50),
        "conv": lambda: nn.Conv2d(8, 48, 3, groups=4, stride=2),
        "conv1d": lambda: nn.Conv1d(8, 48, 5),
        "transposed": lambda: nn.ConvTranspose2d(16, 24, 4, stride=2, groups=2),
        "transposed3d": lambda: nn.ConvTranspose3d(6, 9, 3),
        "embedding": lambda: nn.Embedding(60, 30, padding_idx=2),
        "bag": lambda: nn.EmbeddingBag(60, 30),
        "layer_norm": lambda: nn.LayerNorm((4, 5)),
        "batch_norm": lambda: nn.BatchNorm2d(5),
        "group_norm": lambda: nn.GroupNorm(2, 6),
        "attention": lambda: nn.MultiheadAttention(32, 4, add_bias_kv=True),
        "attention_separate": lambda: nn.MultiheadAttention(32, 4, kdim=16, vdim=24),
        "rnn": lambda: nn.RNN(9, 30),
        "lstm": lambda: nn.LSTM(9, 30, proj_size=12, bidirectional=True),
        "gru": lambda: nn.GRU(9, 30, num_layers=2),
        "cell": lambda: nn.LSTMCell(9, 30),
        "bilinear": lambda: nn.Bilinear(12, 7, 40),
        "prelu": lambda: nn.PReLU(3, init=0.1),
    }[name]()


LAYERS = [
    "linear",
    "conv",
    "conv1d",
    "transposed",
    "transposed3d",
    "embedding",
    "bag",
    "layer_norm",
    "batch_norm",
    "group_norm",
    "attention",
    "attention_separate",
    "rnn",
    "lstm",
    "gru",
    "cell",
    "bilinear",
    "prelu",
]


@pytest.mark.parametrize("layer", LAYERS)
def test_torch_default_is_what_torch_draws(layer):
    torch = pytest.importorskip("torch")
    from initwise.frameworks.torch.walk import parameters

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        drawn = [torch_layer(layer) for _ in range(8)]
    for info in parameters(drawn[0]):
        fill = scheme("torch_default").fill_parameter(info)
        kept = [dict(module.named_parameters())[info.name].detach().double() for module in drawn]
        if info.zero_row is not None:
            assert fill.zero_row == info.zero_row
            kept = [torch.cat([w[: info.zero_row], w[info.zero_row + 1 :]]) for w in kept]
        values = torch.stack(kept).flatten()
        count = values.numel()
        assert values.mean().item() == pytest.approx(fill.mean, abs=5 * fill.std / math.sqrt(count) + 1e-7)
        if fill.law == "uniform":
            # the largest of n uniform values misses the bound by the share 1/n on average
            assert values.abs().max().item() <= fill.high * (1 + 1e-6)
            assert values.abs().max().item() >= fill.high * (1 - 20 / count)
        else:
            error = 5 * fill.std / math.sqrt(2 * count)
            assert values.std(correction=0).item() == pytest.approx(fill.std, abs=error + 1e-12)


def lstm():
    torch = pytest.importorskip("torch")
    from initwise.frameworks.torch.walk import parameters

    return {info.name: info for info in parameters(torch.nn.LSTM(5, 7))}


class TestKerasDefault:
    def test_the_forget_gate_is_open_once(self):
        infos = lstm()
        first = scheme("keras_default").fill_parameter(infos["bias_ih_l0"])
        assert [(name, fill.mean) for name, _, fill in first.parts] == [
            ("i", 0),
            ("f", 1),
            ("g", 0),
            ("o", 0),
        ]
        assert scheme("keras_default").fill_parameter(infos["bias_hh_l0"]).formula == "0"

    def test_all_gates_are_one_matrix(self):
        infos = lstm()
        assert scheme("keras_default").fill_parameter(infos["weight_hh_l0"]).law == "orthogonal"
        kernel = scheme("keras_default").fill_parameter(infos["weight_ih_l0"])
        assert kernel.high == pytest.approx(math.sqrt(6 / (5 + 28)))

    def test_tables_are_uniform(self):
        assert scheme("keras_default").fill_parameter(table()).formula == "U(±0.05)"


def test_flax_default_rotates_each_gate_and_leaves_biases_zero():
    infos = lstm()
    fill = scheme("flax_default").fill_parameter(infos["weight_hh_l0"])
    assert [part.law for _, _, part in fill.parts] == ["orthogonal"] * 4
    assert scheme("flax_default").fill_parameter(infos["bias_ih_l0"]).formula == "0"
    assert scheme("flax_default").fill_parameter(table()).std == 1 / math.sqrt(16)


def test_haiku_default_leaves_the_std_short():
    assert scheme("haiku_default").fill_parameter(table()).std == pytest.approx(0.8796256610342398, rel=1e-13)


def test_lasagne_default_draws_gates_with_the_textbooks_std():
    assert scheme("lasagne_default").fill_parameter(lstm()["weight_hh_l0"]).formula == "N(0, 0.1)"
    assert scheme("lasagne_default").fill_parameter(table()).formula == "N(0, 0.01)"
