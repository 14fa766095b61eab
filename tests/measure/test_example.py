"""Examples written as shapes and dtypes: what they mean, and what is refused in which words."""

from __future__ import annotations

import math
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initwise.core.errors import ExampleError
from initwise.frameworks.example import DTYPES, FLOATS, Spec, draw, mapped, parse_spec, split


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("f32[8,3,224,224]", Spec("float32", (8, 3, 224, 224))),
        ("bf16[2, 4]", Spec("bfloat16", (2, 4))),
        ("float16[2]", Spec("float16", (2,))),
        ("i64[8,32]<50257", Spec("int64", (8, 32), 50257)),
        ("u8[4] < 256", Spec("uint8", (4,), 256)),
        ("bool[3]", Spec("bool", (3,))),
        ("f32[]", Spec("float32", ())),
        ("float[5]", Spec("float", (5,))),
    ],
)
def test_a_text_names_a_dtype_a_shape_and_a_bound(text, spec):
    assert parse_spec(text) == spec


@settings(max_examples=50)
@given(
    st.sampled_from(sorted(DTYPES)),
    st.lists(st.integers(1, 9), max_size=4),
    st.none() | st.integers(1, 100),
)
def test_a_spec_reads_back_what_it_prints(short, shape, bound):
    if DTYPES[short] in FLOATS or short == "bool":
        bound = None
    spec = Spec(DTYPES[short], tuple(shape), bound)
    assert parse_spec(str(spec)) == spec


def test_several_arguments_by_position_and_by_name():
    x, ids = Spec("float32", (8, 16)), Spec("int64", (8,), 10)
    assert split("f32[8,16], i64[8]<10") == ((x, ids), {})
    assert split("x=f32[8,16],ids=i64[8]<10") == ((), {"x": x, "ids": ids})


def test_a_tuple_is_positional_a_dict_keywords_a_list_one_argument():
    x = Spec("float32", (2,))
    assert split(("f32[2]", 3)) == ((x, 3), {})
    assert split({"a": "f32[2]"}) == ((), {"a": x})
    assert split(["f32[2]", "f32[2]"]) == (([x, x],), {})


def test_a_batch_is_taken_as_it_is():
    batch = np.zeros((2, 3))
    (argument,), keywords = split(batch)
    assert argument is batch
    assert not keywords


def test_nested_structures_keep_their_kind():
    Pair = namedtuple("Pair", "left right")
    tree = [Pair("f32[1]", 2), OrderedDict(a=("f32[2]",))]
    ((pair, mapping),), _ = split(tree)
    assert pair == Pair(Spec("float32", (1,)), 2)
    assert isinstance(mapping, OrderedDict)
    assert mapping["a"] == (Spec("float32", (2,)),)


def test_places_are_named_as_python_would():
    seen = []
    mapped(lambda leaf, where: seen.append(where), ({"x": [1]}, 2))
    assert seen == ["example[0]['x'][0]", "example[1]"]


REFUSED = [
    (
        "f31[8]",
        "example: dtype 'f31' is not known.\n  Did you mean 'f32'?\n  Known: bf16, bfloat16, bool, f16, f32, "
        "f64, float, float16, float32, float64, i16, i32, i64, i8, int16, int32, int64, int8, u8, uint8.",
    ),
    (
        "f32",
        "example: 'f32' is no dtype with a shape.\n  Write a dtype and a shape: \"f32[8,64]\", "
        '"i64[8,32]<50257" (integers below 50257), "bool[8,32]".',
    ),
    (
        "f32[0,3]",
        "example: 'f32[0,3]' has sizes (0,3); expected whole numbers ≥ 1, separated by commas.\n"
        "  Name every size, the batch too: initwise runs the model on it.",
    ),
    (
        "f32[B,3]",
        "example: 'f32[B,3]' has sizes (B,3); expected whole numbers ≥ 1, separated by commas.\n"
        "  Name every size, the batch too: initwise runs the model on it.",
    ),
    (
        "f32[8]<3",
        "example: 'f32[8]<3' puts a bound on float32; expected a bound on integers only.\n"
        '  Leave it out, or make it integers: "i64[8,32]<50257".',
    ),
    ("i64[3]<0", f"example: 'i64[3]<0' has the bound 0; expected a whole number from 1 to {2**63}."),
    ("i8[3]<129", "example: 'i8[3]<129' has the bound 129; expected a whole number from 1 to 128."),
    ("i8[3]<-1", "example: 'i8[3]<-1' has the bound -1; expected a whole number from 1 to 128."),
    (
        "a=f32[3],f32[2]",
        "example: 'a=f32[3],f32[2]' names some arguments and not others; "
        "expected all arguments by position, or all by name.",
    ),
    (
        (),
        'example: is empty; expected at least one argument.\n  Write a dtype and a shape: "f32[8,64]", '
        '"i64[8,32]<50257" (integers below 50257), "bool[8,32]".',
    ),
    (
        None,
        "example: none was given; expected a batch, or shapes and dtypes.\n"
        '  Say what the model is called with, for example check(model, "f32[8,3,224,224]"). '
        'Write a dtype and a shape: "f32[8,64]", '
        '"i64[8,32]<50257" (integers below 50257), "bool[8,32]".',
    ),
]


@pytest.mark.parametrize(("example", "text"), REFUSED, ids=lambda value: str(value)[:12])
def test_what_cannot_be_read_says_where_what_and_how(example, text):
    with pytest.raises(ExampleError) as error:
        split(example)
    assert str(error.value) == text


def test_a_fault_deep_inside_names_its_place():
    with pytest.raises(ExampleError, match=r"^example\['mask'\]\[1\]: 'f32' is no dtype"):
        split({"mask": ["f32[1]", "f32"]})


def test_floats_are_standard_normal():
    x = draw(Spec("float32", (300, 300)))
    n = x.size
    assert x.dtype == np.float32
    assert abs(x.mean()) < 5 / math.sqrt(n)
    assert abs(x.std() - 1) < 5 / math.sqrt(2 * n)


def test_integers_stay_below_their_bound_and_reach_it():
    ids = draw(Spec("int32", (1000,), 7))
    assert ids.dtype == np.int32
    assert set(ids.tolist()) == set(range(7))


def test_bools_are_a_fair_coin():
    coin = draw(Spec("bool", (10_000,)))
    assert coin.dtype == np.bool_
    assert abs(coin.mean() - 0.5) < 5 * 0.5 / 100


def test_numbers_depend_on_seed_and_place_and_on_no_global_state():
    spec = Spec("float32", (16,))
    first = draw(spec, seed=1, where="example[0]")
    np.random.seed(5)
    np.testing.assert_array_equal(first, draw(spec, seed=1, where="example[0]"))
    assert not np.array_equal(first, draw(spec, seed=2, where="example[0]"))
    assert not np.array_equal(first, draw(spec, seed=1, where="example[1]"))
