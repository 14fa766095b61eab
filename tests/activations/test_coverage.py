"""Every elementwise activation of torch.nn, jax.nn and keras.activations has a row of the same values."""

import inspect

import jax
import numpy as np
import pytest

from initwise.activations import activation, gain, registry
from initwise.activations.naming import NOT_ELEMENTWISE, squashed
from initwise.core.errors import UnknownNameError

GRID = np.arange(-160, 161) / 16
DECLARED = {squashed(name) for name in NOT_ELEMENTWISE}

# the public functions of keras.activations in Keras 3.15.1 (keras/activations/__init__.py), less
# deserialize, get and serialize
KERAS = (
    *("celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish"),
    *("hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu"),
    *("sigmoid", "silu", "swish", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus"),
    *("sparse_sigmoid", "sparsemax", "squareplus", "tanh", "tanh_shrink", "threshold"),
)

# what jax.nn has besides activations
JAX_OTHER = {
    "dot_product_attention": "attention",
    "get_scaled_dot_general_config": "configuration",
    "initializers": "a module",
    "logmeanexp": "a reduction",
    "logsumexp": "a reduction",
    "one_hot": "an encoding",
    "scaled_dot_general": "a matrix product",
    "scaled_matmul": "a matrix product",
    "standardize": "a norm",
}
# default parameters that a framework does not share with the row of that name
TORCH_ARGUMENTS = {"Threshold": (0.5, 20.0)}
ROW_OF = {"Threshold": "threshold(0.5, 20)", "jax gelu": "gelu_tanh"}


def known(name):
    return name in registry or squashed(name) in DECLARED


def torch_activations():
    torch = pytest.importorskip("torch")
    return torch.nn.modules.activation.__all__


def jax_names():
    return [name for name in dir(jax.nn) if not name.startswith("_") and name not in JAX_OTHER]


def test_torch_has_nothing_that_is_missing_here():
    assert [name for name in torch_activations() if not known(name)] == []


def test_jax_has_nothing_that_is_missing_here():
    assert [name for name in jax_names() if not known(name)] == []


def test_keras_has_nothing_that_is_missing_here():
    assert [name for name in KERAS if not known(name)] == []


def test_what_torch_computes_is_what_the_row_computes():
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(GRID)
    compared = 0
    for name in torch_activations():
        if squashed(name) in DECLARED or name == "GLU":
            continue
        module = getattr(torch.nn, name)(*TORCH_ARGUMENTS.get(name, ())).double().eval()
        with torch.no_grad():
            expected = module(x).numpy()
        # beyond 20 torch takes softplus for linear; the grid ends at 10
        ours = activation(ROW_OF.get(name, name)).numpy(GRID)
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-12, err_msg=name)
        compared += 1
    assert compared >= 23


def test_what_jax_computes_is_what_the_row_computes():
    for name in jax_names():
        if squashed(name) in DECLARED or name == "glu":
            continue
        with jax.enable_x64(True):
            expected = np.asarray(getattr(jax.nn, name)(GRID))
        ours = activation(ROW_OF.get(f"jax {name}", name)).numpy(GRID)
        np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-12, err_msg=name)


def test_glu_halves_are_taken_in_torchs_order():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((3, 8))
    expected = torch.nn.functional.glu(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(activation("glu").numpy(x), expected, rtol=1e-14)


def test_modules_of_every_kind_have_their_rows_gain():
    torch = pytest.importorskip("torch")
    for module, row in [
        (torch.nn.RReLU(0.1, 0.5), "rrelu(0.1, 0.5)"),
        (torch.nn.Hardtanh(-2, 3), "hard_tanh(-2, 3)"),
        (torch.nn.Softplus(beta=3), "softplus(3)"),
        (torch.nn.Hardshrink(1.0), "hard_shrink(1)"),
        (torch.nn.CELU(0.5), "celu(0.5)"),
        (torch.nn.Threshold(0.1, -2), "threshold(0.1, -2)"),
        (torch.nn.Hardsigmoid(), "hard_sigmoid"),
    ]:
        assert gain(module) == pytest.approx(gain(row), rel=1e-8), row
        assert gain(module, backward=True) == pytest.approx(gain(row, backward=True), rel=1e-7), row


def test_a_random_slope_counts_with_its_square():
    lower, upper = 1 / 8, 1 / 3
    mean_square = (lower**2 + lower * upper + upper**2) / 3
    expected = (2 / (1 + mean_square)) ** 0.5
    assert gain("rrelu_train") == pytest.approx(expected, rel=1e-13)
    assert gain("rrelu_train", backward=True) == pytest.approx(expected, rel=1e-13)
    assert gain("rrelu") == pytest.approx((2 / (1 + ((lower + upper) / 2) ** 2)) ** 0.5, rel=1e-13)


@pytest.mark.parametrize("name", ["LeakyReLU", "leakyrelu", "Leaky-ReLU", "leaky_relu", "LEAKY RELU"])
def test_names_are_understood_in_any_style(name):
    assert activation(name).row is activation("leaky_relu").row


@pytest.mark.parametrize("name", NOT_ELEMENTWISE)
def test_what_is_not_elementwise_says_why(name):
    reason, fix = NOT_ELEMENTWISE[name]
    with pytest.raises(UnknownNameError) as caught:
        gain(name)
    assert str(caught.value) == (
        f"{name} is not elementwise, so it has no gain.\n  Likely cause: {reason}.\n  {fix}"
    )


def test_not_one_of_jaxs_other_names_is_an_activation():
    for name, reason in JAX_OTHER.items():
        assert reason
        if hasattr(jax.nn, name) and inspect.isfunction(getattr(jax.nn, name)):
            assert not known(name)
