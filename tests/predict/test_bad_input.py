"""What cannot be predicted says why: the operation, the line of the user's code, what to do."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
import torch
from torch import nn

from initwise import check
from initwise.core.errors import ExampleError, ForwardError, ModelError

EXAMPLE = "f32[8,16]"
MEASURE = 'Measure it on real numbers: check(model, example, mode="measure").'


class Middle(nn.Module):
    """Something between two layers."""

    def __init__(self, middle):
        super().__init__()
        self.first, self.last, self.middle = nn.Linear(16, 16), nn.Linear(16, 4), middle

    def forward(self, x):
        return self.last(self.middle(self.first(x)))


def raised(middle, example=EXAMPLE):
    """The error of predicting `middle` between two layers."""
    with pytest.raises(ForwardError) as error:
        check(Middle(middle), example, mode="predict")
    return error.value


def line_of(function, offset=1):
    return f"{__file__}:{function.__code__.co_firstlineno + offset}"


def through_numpy(h):
    return torch.from_numpy(np.sqrt(np.abs(h.detach().numpy())))


def through_an_array(h):
    return h * float(np.asarray(h.detach()).max())


def through_an_address(h):
    out = torch.empty_like(h)
    ctypes.memmove(out.data_ptr(), h.data_ptr(), h.numel() * 4)
    return out


@pytest.mark.parametrize(
    ("middle", "offset"), [(through_numpy, 1), (through_an_array, 1), (through_an_address, 2)]
)
def test_what_asks_for_numbers_is_told_with_its_line(middle, offset):
    error = raised(middle)
    assert error.where == "the model (Middle)"
    assert error.cause == "it asks for numbers, and a prediction has none"
    assert f"At {line_of(middle, offset)} in {middle.__name__}: " in error.fix
    assert f"Compute it with torch's own operations. Or: {MEASURE}" in error.fix
    assert "The last layer that went well is 'first'." in error.fix


def test_the_whole_message_reads_so():
    assert str(raised(through_numpy)) == (
        "the model (Middle): the forward raised RuntimeError: "
        ".numpy() is not supported for tensor subclasses.\n"
        "  Likely cause: it asks for numbers, and a prediction has none\n"
        f"  Compute it with torch's own operations. Or: {MEASURE}\n"
        f"  At {line_of(through_numpy)} in through_numpy: "
        "return torch.from_numpy(np.sqrt(np.abs(h.detach().numpy())))\n"
        "  The last layer that went well is 'first'."
    )


@pytest.fixture
def library():
    found = torch.library.Library("initwise_tests", "FRAGMENT")
    yield found
    found._destroy()


def test_a_kernel_of_the_users_own_is_named_and_how_to_declare_it(library):
    library.define("doubled(Tensor x) -> Tensor")
    library.impl("doubled", lambda x: x * 2, "CPU")

    def middle(h):
        return torch.ops.initwise_tests.doubled(h)

    error = raised(middle)
    assert "initwise_tests.doubled" in error.got
    assert error.cause == "it is a kernel of its own, of which torch does not know what shape it gives"
    assert "torch.library.register_fake('initwise_tests::doubled', …)" in error.fix
    assert line_of(middle) in error.fix


def test_an_operation_declared_in_python_is_named_and_how_to_declare_its_shape(library):
    @torch.library.custom_op("initwise_tests::tripled", mutates_args=(), schema="(Tensor x) -> Tensor")
    def tripled(x):
        return x * 3

    error = raised(lambda h: tripled(h))
    assert "torch.library.register_fake('initwise_tests::tripled', …)" in error.fix


def test_a_declared_operation_without_a_rule_is_named_where_it_stands(library):
    @torch.library.custom_op("initwise_tests::halved", mutates_args=(), schema="(Tensor x) -> Tensor")
    def halved(x):
        return x / 2

    halved.register_fake(torch.empty_like)
    halved.register_autograd(lambda ctx, gradient: gradient / 2)
    rows = {row.name: row for row in check(Middle(halved), EXAMPLE, mode="predict").layers}
    assert rows["first"].forward_rms > 0
    assert rows["last"].verdict == "unpredicted"
    assert "no rule for the operation halved" in rows["last"].reason


class Handmade(torch.autograd.Function):
    """Its gradient goes through NumPy."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return torch.from_numpy(gradient.numpy() * 2)


def test_a_gradient_that_asks_for_numbers_is_told_with_its_line():
    error = raised(Handmade.apply)
    assert error.where == "before last"
    assert error.cause == "it asks for numbers, and a prediction has none"
    assert f"At {line_of(Handmade.backward, 2)} in backward: " in error.fix


def test_an_error_of_the_models_own_is_not_blamed_on_predicting():
    def middle(h):
        raise ValueError("my own complaint")

    error = raised(middle)
    assert error.cause == ""
    assert str(error) == (
        "the model (Middle): the forward raised ValueError: my own complaint.\n"
        f'  At {line_of(middle)} in middle: raise ValueError("my own complaint")\n'
        "  The last layer that went well is 'first'."
    )


def test_shapes_that_do_not_fit_inside_are_told_once_and_with_their_line(capfd):
    def middle(h):
        return h @ torch.ones(3, 3)

    error = raised(middle)
    assert line_of(middle) in error.fix
    assert capfd.readouterr().err == ""  # torch logs a traceback of its own


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ("f32[8,17]", "its input is float32 of shape (8, 17); expected float32 (…, 16)"),
        ("i64[8,16]<4", "its input is int64 of shape (8, 16); expected float32 (…, 16)"),
        ("f64[8,16]", "its input is float64 of shape (8, 16); expected float32 (…, 16)"),
    ],
)
def test_an_example_that_does_not_fit_is_refused_as_when_measuring(example, said):
    for mode in ("measure", "predict"):
        with pytest.raises(ExampleError) as error:
            check(Middle(nn.ReLU()), example, mode=mode)
        assert str(error.value).startswith(f"first (Linear): {said}.")


def test_ids_outside_the_table_are_refused():
    with pytest.raises(
        ExampleError, match=r"its input holds integers from 0 to 1\d; expected integers from 0 to 9"
    ):
        check(nn.Sequential(nn.Embedding(10, 4)), "i64[8,64]<20", mode="predict")


# what decides on values runs, and says so


@pytest.mark.parametrize(
    "middle",
    [
        lambda h: h if h.sum() > 0 else -h,
        lambda h: h * h.abs().max().item(),
        lambda h: h + sum(h.mean(1).tolist()),
        lambda h: h[h[:, 0] > 0],
    ],
    ids=["if", "item", "tolist", "mask"],
)
def test_what_depends_on_values_runs_on_one_draw_and_says_so(middle):
    found = check(Middle(middle), EXAMPLE, mode="predict")
    rows = {row.name: row for row in found.layers}
    assert rows["last"].forward_rms > 0
    assert "decided by one draw of its values" in found.note


# constructors


def nothing():
    return None


def fails():
    return nn.Linear(16, "a")


def reads():
    model = nn.Linear(16, 4)
    model.weight.data.copy_(torch.from_numpy(model.weight.detach().numpy()))
    return model


def test_a_constructor_that_gives_no_model():
    with pytest.raises(ModelError, match=r"model: nothing gave NoneType; expected a torch\.nn\.Module"):
        check(nothing, EXAMPLE, mode="predict")


@pytest.mark.parametrize(("make", "offset", "kind"), [(fails, 1, "TypeError"), (reads, 2, "RuntimeError")])
def test_a_constructor_that_raises_is_told_with_its_line(make, offset, kind):
    with pytest.raises(ModelError) as error:
        check(make, EXAMPLE, mode="predict")
    assert f"model: {make.__name__} raised {kind}: " in str(error.value)
    assert f"At {line_of(make, offset)} in {make.__name__}: " in error.value.fix
    assert "give the model" in error.value.fix


def test_a_constructor_that_needs_arguments_is_told_to_be_called():
    with pytest.raises(ModelError) as error:
        check(lambda width: nn.Linear(width, 4), EXAMPLE, mode="predict")
    assert "makes a model" in error.value.cause


def test_a_model_on_the_meta_device_needs_a_plan():
    with torch.device("meta"):
        model = nn.Linear(16, 4)
    with pytest.raises(ModelError, match="weight: is on the meta device, and the plan says nothing about it"):
        check(model, EXAMPLE, mode="predict")
    assert check(model, EXAMPLE, plan="he_normal", mode="predict").layers[0].forward_rms > 0


def test_a_constructor_may_copy_its_layers():
    def make():
        layer = nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True)
        return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    rows = check(make, "f32[4,8,16]", mode="predict").layers
    assert all(row.forward_rms > 0 for row in rows)


# parameters that are no real dense floating-point tensors


def test_a_lazy_layer_has_no_shape_yet():
    for subject in (nn.Sequential(nn.LazyLinear(4)), lambda: nn.Sequential(nn.LazyLinear(4))):
        with pytest.raises(ModelError) as error:
            check(subject, EXAMPLE, mode="predict")
        assert error.value.where == "0.weight"
        assert "Run the model once on a real batch" in error.value.fix


def test_a_lazy_layer_that_met_a_batch_in_the_constructor_is_predicted():
    def make():
        model = nn.Sequential(nn.LazyLinear(64))
        model(torch.zeros(2, 16))
        return model

    (row,) = check(make, "f32[64,16]", mode="predict").layers
    # U(±1/√16) for weights and bias: 16/48 + 1/48
    assert row.forward_rms**2 == pytest.approx(17 / 48, rel=0.2)


class Extra(nn.Module):
    """A layer beside a parameter of another kind."""

    def __init__(self, extra):
        super().__init__()
        self.layer, self.extra = nn.Linear(16, 4), extra

    def forward(self, x):
        extra = self.extra
        if extra.is_sparse:
            extra = extra.to_dense()
        return self.layer(x) + (extra.real if extra.is_complex() else extra.float()).sum()


@pytest.mark.parametrize(
    "extra",
    [
        nn.Parameter(torch.ones(4, 4, dtype=torch.complex64)),
        nn.Parameter(torch.eye(4).to_sparse()),
        nn.Parameter(torch.ones(4, 4).to(torch.float8_e4m3fn)),
        nn.Parameter(torch.zeros(4, 4, dtype=torch.int8), requires_grad=False),
    ],
    ids=["complex", "sparse", "float8", "int8"],
)
def test_parameters_of_other_kinds_do_not_stand_in_the_way(extra):
    rows = {row.name: row for row in check(Extra(extra), EXAMPLE, mode="predict").layers}
    assert rows["layer"].forward_rms ** 2 == pytest.approx(17 / 48, rel=0.5)
    assert extra.grad is None


def test_torchscript_is_told_to_be_closed():
    model = torch.jit.script(nn.Sequential(nn.Linear(16, 4)))
    (row,) = check(model, EXAMPLE, mode="predict").layers
    assert row.verdict == "unpredicted"
    assert "TorchScript cannot be looked into" in row.reason


def test_unlike_dtypes_are_refused_as_torch_does():
    def middle(h):
        return h @ torch.ones(16, 16, dtype=torch.float64)

    assert "mm of tensors of one dtype, not float32, float64" in raised(middle).got


def test_a_triton_kernel_asks_for_numbers():
    triton = pytest.importorskip("triton")
    pytest.importorskip("triton.language")

    @triton.jit
    def nothing_at_all(x, n: triton.language.constexpr):
        pass

    def middle(h):
        nothing_at_all[(1,)](h, 16)
        return h

    error = raised(middle)
    assert error.cause == "it asks for numbers, and a prediction has none"
    assert line_of(middle) in error.fix
