"""initwise.testing: every row passes, and each thing a row can have wrong is named."""

import dataclasses
import math
from typing import Annotated

import numpy as np
import pytest

from initwise.activations import activations
from initwise.activations import registry as activation_registry
from initwise.core.errors import FillError
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.core.registry import Registry
from initwise.frameworks.layouts import Slot
from initwise.frameworks.layouts import registry as layout_registry
from initwise.recipes import recipe
from initwise.recipes import registry as recipe_registry
from initwise.schemes import Known, registry
from initwise.testing import check_activation, check_layout, check_recipe, check_scheme

torch = pytest.importorskip("torch")
nn = torch.nn


@pytest.mark.parametrize("row", activations(), ids=lambda row: row.name)
def test_every_activation_conforms(row):
    check_activation(row)


@pytest.fixture
def replaced(monkeypatch):
    """A registry's row with some fields changed, in its place."""

    def replace(held: Registry, name: str, **fields):
        row = dataclasses.replace(held[name], **fields)
        monkeypatch.setitem(held._rows, name, row)
        return row

    return replace


def half(fans, *, factor: Annotated[float, "how much smaller"] = 2.0):
    return Fill.normal(0.0, 1 / (factor * math.sqrt(fans.fan_in)), reason="half")


def silent(fans, *, factor: float = 2.0):
    return half(fans, factor=factor)


def lying(fans):
    # of other laws a declared std that is not the law's is refused by Fill itself
    return dataclasses.replace(Fill.matrix("orthogonal", reason="r"), std=0.1)


def crashing(fans, *, factor: Annotated[float, "how much smaller"] = 2.0):
    return Fill.normal(0.0, math.sqrt(1 if factor > 0 else None) / 8)


def fussy(fans):
    if fans.fan_in > 8:
        raise FillError("never")
    return Fill.normal(0.0, 0.1)


RIGHT = (Known((256, 64), "oi", "std", 0.0625, source="1/(2·√64)"),)
WRONG = {
    "no summary": ({"summary": ""}, "summary is empty"),
    "half a sentence": ({"summary": "A law"}, "its summary does not end with a full stop"),
    "strange evidence": ({"evidence": "trust me"}, "evidence 'trust me' is none of"),
    "no differences": ({"differences": ()}, "differences is empty"),
    "no word on when to avoid it": ({"avoid": ""}, "avoid is empty"),
    "no known answer": ({"known": ()}, "known is empty: add an answer"),
    "a wrong answer": (
        {"known": (Known((256, 64), "oi", "std", 0.1, source="no paper"),)},
        "std of (256, 64) is 0.0625, not 0.1",
    ),
    "a wrong answer with options": (
        {"known": (Known((256, 64), "oi", "std", 0.1, options=(("factor", 4.0),), source="no paper"),)},
        "std of (256, 64), factor=4.0 is 0.03125, not 0.1",
    ),
    "an alias that is not there": (
        {"aliases": ("lecun_half",)},
        "no scheme is called 'lecun_half': is the package",
    ),
    "an alias of another": ({"aliases": ("he_normal",)}, "'he_normal' is another row's name"),
    "an option without a meaning": ({"law": silent}, "option 'factor' has no meaning"),
    "moments that are not those of the numbers": (
        {"law": lying, "known": (Known((8, 8), "oi", "std", 0.1, source="no paper"),)},
        "rms 0.102062, declared 0.1",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_scheme_that_is_wrong_is_told_what_is(replaced, case):
    fields, text = WRONG[case]
    row = replaced(
        registry, "lecun_normal", **{"law": half, "known": RIGHT, "aliases": (), "flavors": (), **fields}
    )
    with pytest.raises(AssertionError) as caught:
        check_scheme(row)
    assert str(caught.value).startswith("scheme 'lecun_normal': ")
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("law", "text"),
    [
        (fussy, "it refuses a matrix (96, 64) and a kernel (48, 32, 3, 3)"),
        (crashing, "raises TypeError: must be real number, not NoneType"),
    ],
)
def test_a_law_that_fails_is_told_so(replaced, law, text):
    known = {"known": (Known((8, 8), "oi", "mean", 0.0, source="no paper"),), "aliases": (), "flavors": ()}
    with pytest.raises(AssertionError) as caught:
        check_scheme(replaced(registry, "lecun_normal", law=law, **known))
    assert text in str(caught.value)


def test_an_activation_with_a_spike_nobody_declared_is_told_so(replaced):
    def spiked(x):
        return np.tanh(x) + 4 * np.exp(-(((x - 0.7071) / 0.0002) ** 2))

    def cumulative(x):
        return np.cumsum(x)

    def narrow(x):
        return np.tanh(x).astype(np.float32)

    def shared(x):
        return x / np.sum(x)

    def infinite(x):
        return np.exp(x * x)

    def undefined(x):
        return np.log(np.abs(x))

    assert activation_registry["tanh"].kinks == ()
    for function, text in (
        (cumulative, "its values depend on each other"),
        (narrow, "float64 becomes float32"),
        (shared, "its values depend on each other"),
        (undefined, r"it is not finite at \[0\.\]"),
        (infinite, "it has no moments: "),
    ):
        with pytest.raises(AssertionError, match=text):
            check_activation(replaced(activation_registry, "tanh", function=function))
    with pytest.raises(AssertionError, match=r"by quadrature, .* by summing: declare its kinks"):
        check_activation(replaced(activation_registry, "tanh", function=spiked))


class TestLayouts:
    def test_a_layer_of_torch_conforms(self):
        check_layout(layout_registry["linear"], nn.Linear(5, 3), torch.randn(2, 5))
        check_layout(layout_registry["convolution"], nn.Conv2d(4, 6, 3, groups=2), torch.randn(1, 4, 5, 5))
        check_layout(layout_registry["bilinear"], nn.Bilinear(3, 4, 5))

    def test_axes_the_wrong_way_round_are_counted(self, replaced):
        def slots(module):
            return {"weight": Slot("weight", Layout("io")), "bias": Slot("bias", Layout("o"), ("weight",))}

        class Mine(nn.Linear):
            """A class of its own: which row a class has is remembered."""

        row = replaced(layout_registry, "linear", slots=slots)
        with pytest.raises(AssertionError) as caught:
            check_layout(row, Mine(5, 3), torch.randn(2, 5))
        assert str(caught.value) == (
            "layout 'linear': weight: an output depends on 5 entries, the layout says fan_in 3"
        )

    def test_a_parameter_without_a_slot_is_named(self):
        class Gained(nn.Linear):
            def __init__(self):
                super().__init__(4, 4)
                self.factor = nn.Parameter(torch.ones(4))

        with pytest.raises(
            AssertionError, match=r"parameter factor of shape \(4,\) has no slot that fits it"
        ):
            check_layout(layout_registry["linear"], Gained())


class TestRecipes:
    def test_a_recipe_is_held_to_its_model(self):
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
        check_recipe(recipe_registry["hf_default"], model)

    def test_one_that_takes_a_stranger_is_told_so(self):
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
        with pytest.raises(AssertionError, match="it takes a model that it is not for"):
            check_recipe(recipe_registry["hf_default"], model, stranger=nn.Sequential(nn.Linear(3, 3)))

    def test_the_name_is_the_registrys(self):
        assert recipe("hf_default").row is recipe_registry["hf_default"]
