"""A framework is its adapter: what else the house does for its models stands on the adapter."""

import numpy as np
import pytest
import torch
from torch import nn

from initwise.core.errors import ModelError, UnsupportedError
from initwise.explain import explain
from initwise.frameworks import protocol
from initwise.frameworks.numpy import ArrayTree, NumpyAdapter
from initwise.frameworks.protocol import adapter_for, adapters, door, served
from initwise.measure import check


class Wrapped:
    """A model of a framework of its own: a torch model in a box."""

    def __init__(self):
        self.inner = nn.Linear(8, 4)


class BoxAdapter(type(adapters["torch"])):
    """Torch's adapter for boxes, with none of the optional attributes but what a test gives it."""

    name, aliases, package = "box", (), "torch"
    models = default_scheme = measure = calibrate = ""

    def recognises(self, model):
        return isinstance(model, Wrapped)

    def parameters(self, model):
        return super().parameters(model.inner)

    def values(self, model, name):
        return super().values(model.inner, name)


def measured(model, example, **options):
    return door(adapters["torch"], "measure")(model.inner, example, **options)


@pytest.fixture
def box(monkeypatch):
    """The box adapter, registered for one test."""
    adapter = BoxAdapter()
    monkeypatch.setitem(adapters._rows, "box", adapter)
    monkeypatch.setitem(adapters._names, "box", "box")
    return adapter


def test_a_new_framework_is_measured_through_its_door(box, monkeypatch):
    monkeypatch.setattr(protocol, "test_room", measured, raising=False)
    box.measure = "initwise.frameworks.protocol:test_room"
    torch.manual_seed(0)
    model = Wrapped()
    assert check(model, "f32[16,8]").layers == check(model.inner, "f32[16,8]").layers
    planned = check(model, "f32[16,8]", plan=None, seed=3)
    assert planned.layers == check(model.inner, "f32[16,8]", seed=3).layers


def test_without_the_door_check_says_who_has_one(box):
    with pytest.raises(UnsupportedError) as caught:
        check(Wrapped(), "f32[16,8]")
    assert str(caught.value) == (
        "check: a model of box holds weights and cannot be run; expected a torch.nn.Module."
    )


def test_explain_asks_the_adapter_what_constructors_draw(box):
    assert "constructor" not in str(dict(explain(Wrapped()).facts))
    box.default_scheme = "torch_default"
    assert "constructor: " in dict(explain(Wrapped()).facts)["weight"]
    assert "What box's constructor draws" in explain(Wrapped()).summary


def test_a_stranger_is_told_which_models_are_known(box):
    box.models = "a Wrapped"
    with pytest.raises(ModelError) as caught:
        adapter_for(3)
    assert str(caught.value).startswith(
        "model: builtins.int is not a model initwise knows; "
        "expected a Wrapped or an initwise.ArrayTree of NumPy arrays or a torch.nn.Module."
    )


def test_doors_open_and_missing_ones_are_none():
    assert door(NumpyAdapter(), "measure") is None
    assert door(adapters["torch"], "calibrate").__name__ == "measure_factors"
    assert door(object(), "measure") is None
    assert served("default_scheme") == "a torch.nn.Module"
    assert "Arrays have no constructor" in explain(ArrayTree({"w": np.ones((2, 3))}, {"w": "oi"})).summary


def small_net():
    return nn.Linear(4, 2)


@pytest.mark.parametrize("factory", [small_net, nn.Linear])
def test_what_makes_a_model_is_to_be_called(factory):
    with pytest.raises(ModelError, match=f"Call it: {factory.__name__}") as caught:
        adapter_for(factory)
    assert "ArrayTree(" not in str(caught.value)
