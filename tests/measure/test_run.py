"""Calling a torch model on an example: what it is called with, and what is said when it fails."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from initwise.core.errors import ExampleError, ForwardError, ModelError
from initwise.frameworks.torch.run import arguments, call, example_for, tensors


def test_specs_become_tensors_of_their_dtype():
    model = nn.Sequential(nn.Embedding(20, 4), nn.Linear(4, 2))
    (x, ids, mask), _ = arguments(model, ("bf16[2,3]", "i64[100]<7", "bool[4]"))
    assert (x.dtype, tuple(x.shape)) == (torch.bfloat16, (2, 3))
    assert (ids.dtype, int(ids.max()), int(ids.min())) == (torch.int64, 6, 0)
    assert mask.dtype == torch.bool


def test_integers_without_a_bound_fit_the_smallest_table():
    model = nn.ModuleList([nn.Embedding(20, 4), nn.Embedding(3, 4)])
    (ids,), _ = arguments(model, "i64[200]")
    assert set(ids.tolist()) == {0, 1, 2}


def test_float_is_the_models_own_dtype_and_so_are_arrays():
    model = nn.Linear(3, 2).to(torch.float64)
    (drawn,), _ = arguments(model, "float[4,3]")
    assert drawn.dtype == torch.float64
    half = nn.Linear(3, 2).to(torch.bfloat16)
    (given,), _ = arguments(half, np.zeros((4, 3)))
    assert given.dtype == torch.bfloat16
    (kept,), _ = arguments(half, torch.zeros(4, 3))
    assert kept.dtype == torch.float32


class TwoArguments(nn.Module):
    def forward(self, x, mask=None):
        return x if mask is None else x * mask


class OneDict(nn.Module):
    def forward(self, batch):
        return batch["x"]


def test_a_dict_is_keywords_unless_its_keys_are_no_parameters():
    x = torch.ones(2)
    args, kwargs = arguments(TwoArguments(), {"x": x, "mask": x})
    assert args == ()
    assert set(kwargs) == {"x", "mask"}
    args, kwargs = arguments(OneDict(), {"x": x})
    assert kwargs == {}
    assert torch.equal(args[0]["x"], x)


def test_one_input_is_inferred_only_where_it_is_obvious():
    assert (
        example_for(nn.Sequential(nn.Sequential(nn.Dropout(), nn.Linear(5, 2)), nn.ReLU())) == "float[64,5]"
    )
    assert example_for(nn.Linear(5, 2)) == "float[64,5]"
    assert example_for(nn.Sequential(nn.Flatten(), nn.Linear(5, 2))) is None
    assert example_for(TwoArguments()) is None


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3)), '"f32[8,3,32,32]"'),
        (nn.Sequential(nn.Embedding(50, 4)), '"i64[8,32]<50"'),
        (nn.Sequential(nn.LSTM(7, 4)), '"f32[8,32,7]"'),
        (nn.Sequential(nn.Flatten(), nn.Linear(9, 4)), '"f32[64,9]"'),
    ],
)
def test_without_an_example_the_error_shows_one_for_this_model(model, hint):
    with pytest.raises(ExampleError) as error:
        arguments(model, None)
    assert str(error.value) == (
        "example: none was given, and the model does not say what it takes; "
        "expected a batch, or shapes and dtypes.\n"
        f"  Say what the model is called with, for example {hint}."
    )


def test_integers_without_bound_or_table_are_refused():
    with pytest.raises(ExampleError) as error:
        arguments(nn.Linear(3, 2), "i64[4]")
    assert str(error.value) == (
        'example[0]: "i64[4]" does not say how large its integers may be; expected a bound: '
        "the model has no embedding table to take it from.\n"
        '  Write "i64[4]<10" for integers from 0 to 9.'
    )


def test_lazy_and_meta_models_are_refused_with_the_fix():
    with pytest.raises(ModelError) as error:
        arguments(nn.Sequential(nn.LazyLinear(3)), "f32[2,4]")
    assert str(error.value) == (
        "0.weight: is lazy: it has no shape before the first forward.\n"
        "  Run the model once on a real batch, then ask again."
    )
    with pytest.raises(ModelError) as error:
        arguments(nn.Linear(3, 2, device="meta"), "f32[2,3]")
    assert str(error.value) == (
        "weight: is on the meta device: it has no values.\n"
        '  Give it memory and values: model.to_empty(device="cpu"), then initwise.init_(model, …).'
    )


def run(model, example):
    return call(model, *arguments(model, example))


def test_an_example_of_the_wrong_size_is_told_what_the_first_layer_takes():
    with pytest.raises(ExampleError) as error:
        run(nn.Sequential(nn.Linear(64, 32), nn.ReLU()), "f32[8,63]")
    assert str(error.value) == (
        "0 (Linear): its input is float32 of shape (8, 63); expected float32 (…, 64).\n"
        "  Likely cause: the example does not fit the model's first layer "
        "(RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x63 and 64x32))\n"
        "  Give an example of the shape and dtype the layer expects."
    )
    assert isinstance(error.value.__cause__, RuntimeError)


@pytest.mark.parametrize(
    ("layer", "example", "got", "expected"),
    [
        (nn.Linear(4, 2), "f64[3,4]", "float64 of shape (3, 4)", "float32 (…, 4)"),
        (nn.Linear(4, 2), "i64[3,4]<5", "int64 of shape (3, 4)", "float32 (…, 4)"),
        (
            nn.Conv2d(3, 4, 3),
            "f32[8,1,9,9]",
            "float32 of shape (8, 1, 9, 9)",
            "float32 (batch, 3, height, width)",
        ),
        (nn.Conv1d(3, 4, 3), "f32[8,1,9]", "float32 of shape (8, 1, 9)", "float32 (batch, 3, length)"),
        (nn.LSTM(5, 4), "f32[7,8,6]", "float32 of shape (7, 8, 6)", "float32 (time, batch, 5)"),
        (nn.LayerNorm(5), "f32[8,6]", "float32 of shape (8, 6)", "float32 (…, 5)"),
        (nn.BatchNorm1d(5), "f32[8,6]", "float32 of shape (8, 6)", "float32 (batch, 5, …)"),
        (nn.Embedding(5, 2), "f32[8]", "float32 of shape (8,)", "integers from 0 to 4 (int64 or int32)"),
    ],
)
def test_each_layer_with_declared_sizes_says_what_it_takes(layer, example, got, expected):
    with pytest.raises(ExampleError) as error:
        run(nn.Sequential(layer), example)
    assert error.value.got == f"its input is {got}"
    assert error.value.expected == expected


def test_token_ids_beyond_the_table_are_told_the_table():
    with pytest.raises(ExampleError) as error:
        run(nn.Sequential(nn.Embedding(10, 4)), torch.tensor([3, 10]))
    assert error.value.got == "its input holds integers from 3 to 10"
    assert error.value.expected == "integers from 0 to 9"


@pytest.mark.parametrize(
    ("example", "shown", "cause"),
    [
        ([1, 2], "the list [1, 2]", "a list is one argument, also a DataLoader's [inputs, targets]"),
        ([torch.zeros(2, 3, 8, 8)], "the list of 1", "a list is one argument, also a DataLoader's"),
        ({"foo": torch.zeros(2, 3)}, "the dict of 1", "a dict whose keys are no parameters of `forward`"),
        (3, "the int 3", ""),
    ],
)
def test_an_example_that_is_no_tensor_is_told_what_it_was_and_what_fits(example, shown, cause):
    with pytest.raises(ExampleError) as error:
        run(nn.Sequential(nn.Conv2d(3, 4, 3)), example)
    assert error.value.got.startswith(
        f"{shown} was given to Sequential.forward(input) as it is, which raised "
    )
    assert error.value.got.endswith(" …")
    assert len(error.value.got) < 220
    assert error.value.cause.startswith(cause)
    assert error.value.fix == (
        'Give the tensor that the model takes, or its dtype and shape, for example "f32[8,3,32,32]".'
    )


def test_a_model_may_take_a_list_and_fail_by_itself():
    class Listed(nn.Linear):
        def forward(self, x):
            return super().forward(x[0]) if len(x) == 1 else super().forward(x[0]).nothing

    assert run(Listed(3, 2), [torch.zeros(2, 3)]).shape == (2, 2)


@pytest.mark.parametrize(("name", "guess"), [("foo", ""), ("inputs", "  Did you mean 'input'?\n")])
def test_a_text_that_names_no_argument_of_the_model_is_told_its_names(name, guess):
    with pytest.raises(ExampleError) as error:
        arguments(nn.Sequential(nn.Linear(64, 3)), f"{name}=f32[8,64]")
    assert str(error.value) == (
        f"example: Sequential.forward has no argument {name!r}.\n{guess}"
        "  Known: input.\n"
        '  Leave the name out to give it by position, for example "f32[64,64]".'
    )


def test_a_long_message_is_cut_after_a_word():
    class Talks(nn.Module):
        def forward(self, x):
            raise ValueError("much " + "ado " * 100)

    with pytest.raises(ForwardError) as error:
        run(Talks(), "f32[2]")
    assert error.value.got.endswith(" ado …")


def test_a_dataloaders_pair_is_recognised():
    with pytest.raises(ExampleError) as error:
        run(nn.Sequential(nn.Linear(4, 2)), (torch.zeros(3, 4), torch.zeros(3)))
    assert str(error.value) == (
        "example: Sequential.forward(input) cannot be called so: too many positional arguments.\n"
        "  Likely cause: a DataLoader's (inputs, targets); a tuple means positional arguments\n"
        "  Give the inputs alone."
    )


def test_a_forward_that_raises_names_the_layer_and_the_last_good_one():
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.BatchNorm1d(6), nn.Linear(6, 2))
    with pytest.raises(ForwardError) as error:
        run(model, "f32[8,4]")
    assert str(error.value) == (
        "2 (BatchNorm1d): the forward raised RuntimeError: running_mean should contain 5 elements not 6 (its "
        "input is float32 of shape (8, 5), the layer expects float32 (batch, 6, …)).\n"
        "  Likely cause: the size of the example, or the sizes of this layer and of those before it\n"
        "  The last layer that went well is '1'."
    )
    assert isinstance(error.value.__cause__, RuntimeError)


class RaisesItself(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        self.layer(x)
        raise KeyError("nothing there")


def test_a_model_that_raises_between_layers_is_named_itself():
    with pytest.raises(ForwardError) as error:
        run(RaisesItself(), "f32[2,4]")
    line = RaisesItself.forward.__code__.co_firstlineno + 2
    assert str(error.value) == (
        "the model (RaisesItself): the forward raised KeyError: 'nothing there'.\n"
        f'  At {__file__}:{line} in forward: raise KeyError("nothing there")\n'
        "  The last layer that went well is 'layer'."
    )


class Forgiving(nn.Module):
    """Catches what a layer raises, and fails later: in another layer, or by itself."""

    def __init__(self, later):
        super().__init__()
        self.bad, self.good, self.worse = nn.Linear(3, 3), nn.Linear(4, 4), nn.Linear(5, 5)
        self.later = later

    def forward(self, x):
        x = self.good(x)
        try:
            return self.bad(x)
        except RuntimeError:
            if self.later:
                return self.worse(x)
        raise ValueError("by itself")


@pytest.mark.parametrize(("later", "where"), [(True, "worse (Linear)"), (False, "the model (Forgiving)")])
def test_a_layer_whose_error_the_model_caught_is_not_blamed(later, where):
    with pytest.raises(ForwardError) as error:
        run(Forgiving(later), "f32[2,4]")
    assert error.value.where == where
    assert error.value.fix.endswith("The last layer that went well is 'good'.")


class Tries(nn.Module):
    """Catches what a layer inside it raises, and goes on."""

    def __init__(self):
        super().__init__()
        self.bad = nn.Linear(3, 3)

    def forward(self, x):
        try:
            return self.bad(x)
        except RuntimeError:
            return x


def test_layers_after_a_caught_error_are_named_right():
    with pytest.raises(ForwardError) as error:
        run(nn.Sequential(nn.Linear(4, 4), Tries(), nn.Linear(4, 4), nn.Linear(5, 5)), "f32[2,4]")
    assert error.value.where == "3 (Linear)"
    assert error.value.fix == "The last layer that went well is '2'."


def test_given_weights_are_used_and_the_models_own_stay():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    args, kwargs = arguments(model, "f32[8,4]")
    out = call(model, args, kwargs, {"1.weight": torch.zeros(3), "1.bias": torch.full((3,), 7.0)})
    assert torch.equal(out, torch.full((8, 3), 7.0))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_take_given_weights_too(kind):
    model = kind(4, 4)
    zeros = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    args, kwargs = arguments(model, "f32[3,2,4]")
    assert not call(model, args, kwargs, zeros)[0].any()
    assert model(*args)[0].any()


def test_a_tied_weight_is_replaced_everywhere(transformer):
    model = transformer(1)
    args, kwargs = arguments(model, "i64[2,5]")
    out = call(model, args, kwargs, {"tokens.weight": torch.zeros_like(model.tokens.weight)})
    assert not out.any()


def test_a_parametrized_weight_is_replaced_behind_its_parametrization():
    model = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3, bias=False))
    name = "parametrizations.weight.original0"
    args, kwargs = arguments(model, "f32[2,4]")
    out = call(model, args, kwargs, {name: torch.zeros(3, 1)})
    assert not out.any()


def test_a_model_that_overwrites_its_input_leaves_the_callers_alone():
    x = torch.randn(4, 3)
    before = x.clone()
    call(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 2)), *arguments(nn.Linear(3, 2), x))
    assert torch.equal(x, before)


@dataclasses.dataclass
class Output:
    logits: torch.Tensor
    hidden: tuple
    name: str = "x"


def test_tensors_are_found_in_whatever_a_model_returns():
    a, b, c = torch.zeros(1), torch.ones(1), torch.full((1,), 2.0)
    assert [float(t) for t in tensors(Output(a, (b, [c, None])))] == [0, 1, 2]
    assert [float(t) for t in tensors({"x": a, "y": {"z": b}})] == [0, 1]
    assert tensors(a)[0] is a
    assert tensors("nothing") == []
