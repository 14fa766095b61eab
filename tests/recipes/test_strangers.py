"""A model of no family: every recipe of every flavor refuses it, but for those that fit any network."""

import pytest

from initwise.core.errors import ModelError
from initwise.recipes import recipe, recipes

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from initwise.frameworks.initialize import plan_for  # noqa: E402

FITS_ANY_NETWORK = {
    "hf_default": "transformers' fallback for every family that says nothing else",
    "nerf": "a plain perceptron on coordinates, by its framework's default",
    "rl-ddpg": "plain perceptrons, of which the last layer is small",
    "rl-dqn": "plain perceptrons, by torch's default",
    "siren": "a plain perceptron on coordinates, told by the order of its layers alone",
}
"""Recipe → why its names and shapes cannot tell it from another family's."""

EVERY = [
    pytest.param(made, id=str(made))
    for row in recipes()
    for made in (
        recipe(row.name, **({"flavor": flavor} if flavor else {})) for flavor in row.flavors or ("",)
    )
]


@pytest.mark.parametrize("made", EVERY)
def test_a_stranger_is_refused_unless_the_recipe_fits_any_network(made):
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    if made.name in FITS_ANY_NETWORK:
        assert set(plan_for(model, made)) == {"0.weight", "0.bias", "2.weight", "2.bias"}
        return
    with pytest.raises(ModelError) as caught:
        plan_for(model, made)
    told = str(caught.value)
    assert told.startswith(f"recipe {made.name!r}: the model has no ")
    assert "; expected a model of this family.\n  Likely cause: it has no part the names tell" in told
    assert "For a model of another family: choose(model, example)." in told


def test_the_recipes_that_fit_any_network_are_recipes():
    assert set(FITS_ANY_NETWORK) <= {row.name for row in recipes()}
