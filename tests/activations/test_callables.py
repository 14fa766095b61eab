"""Whatever is handed in as an activation: functions of every kind, and what is none."""

import functools
import math

import jax
import numpy as np
import pytest

from initwise.activations import activation, base, gain, memory
from initwise.core.errors import OptionError, UnknownNameError


class TestCallables:
    def test_a_numpy_function_has_its_rows_gain(self):
        assert gain(np.tanh) == pytest.approx(gain("tanh"), rel=1e-14)

    def test_torch_functions_and_modules_are_called_on_tensors(self):
        torch = pytest.importorskip("torch")
        assert gain(torch.nn.functional.gelu) == pytest.approx(gain("gelu"), rel=1e-12)
        assert gain(torch.nn.LeakyReLU(0.2), backward=True) == pytest.approx(
            gain("leaky_relu(0.2)", backward=True), rel=1e-12
        )
        assert gain(torch.nn.PReLU()) == pytest.approx(gain("prelu"), rel=1e-12)

    def test_looking_at_a_module_changes_neither_it_nor_the_global_random_state(self):
        torch = pytest.importorskip("torch")
        module = torch.nn.RReLU()
        before = torch.random.get_rng_state()
        gain(module)
        assert module.training
        assert torch.equal(torch.random.get_rng_state(), before)

    def test_a_float32_function_is_good_to_six_digits(self):
        def leaky(x):
            return np.maximum(np.float32(x), np.float32(0.1) * np.float32(x))

        assert gain(leaky) == pytest.approx(gain("leaky_relu(0.1)"), rel=1e-6)
        assert gain(leaky, backward=True) == pytest.approx(gain("leaky_relu(0.1)"), rel=1e-4)

    def test_a_callable_is_not_kept_alive(self):
        import gc
        import weakref

        class Square:
            def __call__(self, x):
                return x * x

        square = Square()
        gain(square)
        alive = weakref.ref(square)
        del square
        gc.collect()
        assert alive() is None


class TestErrors:
    def test_an_unknown_name_says_what_was_meant(self):
        with pytest.raises(UnknownNameError, match="no activation is called 'rellu'") as caught:
            gain("rellu")
        assert "Did you mean 'relu'?" in str(caught.value)

    @pytest.mark.parametrize(
        ("thing", "text"),
        [
            ("relu(3)", "activation 'relu': 'relu(3)' has too many parameters"),
            ("leaky_relu(x)", "activation 'leaky_relu': negative_slope='x'; expected a finite number"),
            ("leaky_relu(slope=1)", "activation 'leaky_relu': it has no parameter 'slope'"),
            (3, "activation is a int; expected a registered name or a function of an array"),
            (np.log, "activation 'log': the function gives nan at x = "),
            (np.sum, "activation 'sum' cannot be called on an array; expected a function of one array"),
            (lambda x: np.exp(x) / np.exp(x).sum(), "activation '<lambda>' is no elementwise function"),
            (lambda x: np.exp(x * x), "activation '<lambda>': E[f²] over N(0, 1) does not converge"),
            (
                lambda x: 0 * x,
                "activation '<lambda>': it is zero almost everywhere, or its squares are too small for",
            ),
        ],
    )
    def test_what_is_no_activation_is_refused(self, thing, text):
        with pytest.raises(OptionError) as caught:
            gain(thing)
        assert str(caught.value).startswith(text)

    def test_a_step_has_no_backward_gain(self):
        with pytest.raises(OptionError, match="its derivative is zero almost everywhere"):
            gain(lambda x: np.where(x > 0, 1.0, 0.0), backward=True)

    @pytest.mark.parametrize("q", [0, -1, math.nan, math.inf, "one"])
    def test_a_variance_that_is_none_is_refused(self, q):
        with pytest.raises(OptionError, match="expected a variance between"):
            gain("relu", q=q)


class TestScalarsAndFrameworks:
    def test_a_function_of_one_number_is_called_number_by_number(self):
        assert gain(math.tanh) == pytest.approx(gain("tanh"), rel=1e-13)
        assert gain(lambda x: x if x > 0.3 else 0.0) == pytest.approx(gain("threshold(0.3)"), rel=1e-9)

    def test_in_place_functions_do_not_disturb_the_nodes(self):
        def relu_(x):
            x[x < 0] = 0
            return x

        assert gain(relu_) == pytest.approx(gain("relu"), rel=1e-12)

    def test_jax_functions_are_called_in_float64_and_leave_jax_as_it_is(self):
        assert gain(jax.nn.gelu) == pytest.approx(gain("gelu_tanh"), rel=1e-12)
        assert gain(jax.nn.leaky_relu, negative_slope=0.3) == pytest.approx(
            gain("leaky_relu(0.3)"), rel=1e-12
        )
        assert gain(lambda x: jax.numpy.tanh(x), backward=True) == pytest.approx(
            gain("tanh", backward=True), rel=1e-12
        )
        assert jax.numpy.zeros(1).dtype == jax.numpy.float32

    def test_a_torch_class_stands_for_its_defaults(self):
        torch = pytest.importorskip("torch")
        assert gain(torch.nn.SiLU) == pytest.approx(gain("silu"), rel=1e-12)
        with pytest.raises(OptionError, match="activation 'Threshold' is a class"):
            gain(torch.nn.Threshold)

    def test_a_module_is_taken_in_eval_mode_and_a_function_that_draws_is_refused(self):
        torch = pytest.importorskip("torch")
        assert gain(torch.nn.Dropout()) == pytest.approx(1, rel=1e-12)
        with pytest.raises(OptionError, match=r"on chance \(noise in every call\)"):
            gain(lambda x: x + np.random.default_rng().normal(size=x.shape))

    def test_parameters_of_a_callable_are_handed_on(self):
        torch = pytest.importorskip("torch")
        celu = torch.nn.functional.celu
        assert gain(celu, alpha=2.0) == pytest.approx(gain("celu(2)"), rel=1e-12)
        assert gain(functools.partial(celu, alpha=2.0)) == gain(celu, alpha=2.0)
        assert activation(celu, alpha=2.0).name == "celu(alpha=2.0)"


class TestMemory:
    def test_a_second_look_computes_nothing(self, monkeypatch):
        def swish(x):
            return x / (1 + np.exp(-x))

        first = gain(swish)
        monkeypatch.setattr(base, "_moments", None)
        assert gain(swish) == first

    def test_a_function_that_changed_its_mind_is_computed_again(self):
        torch = pytest.importorskip("torch")
        module = torch.nn.PReLU(init=0.25)
        before = gain(module)
        with torch.no_grad():
            module.weight.fill_(0.5)
        assert before == pytest.approx(gain("prelu"), rel=1e-12)
        assert gain(module) == pytest.approx(gain("prelu(0.5)"), rel=1e-12)

    def test_what_is_kept_is_bounded(self):
        def square(x):
            return x * x

        for q in np.linspace(0.5, 2, memory.MOST_EACH + 5):
            gain(square, q=q)
        assert len(memory._found[square]) == memory.MOST_EACH

    def test_a_callable_that_cannot_be_hashed_is_computed(self):
        class Slope:
            __hash__ = None

            def __call__(self, x):
                return 0.5 * x

        assert gain(Slope()) == pytest.approx(2, rel=1e-13)


class TestWhatHasNoGain:
    @pytest.mark.parametrize(
        ("thing", "text"),
        [
            (
                lambda x: 1 / x,
                "E[f²] is infinite: the function has a pole at x = 0; expected a function whose",
            ),
            (lambda x: 1 / (x - 0.3), "E[f²] is infinite: the function has a pole at x = 0.3;"),
            (lambda x: abs(x - 0.3) ** -0.5, "E[f²] is infinite: the function has a pole at x = 0.3;"),
            (np.tan, "E[f²] is infinite: the function has a pole at x = "),
            (
                lambda x: np.exp(x * x),
                "E[f²] over N(0, 1) does not converge within 37 σ; expected a function that grows clearly",
            ),
            (lambda x: np.exp(x * x / 4), "E[f²] over N(0, 1) does not converge"),
            (lambda x: np.where(x > 2, np.inf, x), "the function gives inf at x = 2"),
            (lambda x: np.where(x < -2, np.nan, x), "the function gives nan at x = -2"),
        ],
    )
    def test_infinite_and_undefined_values_are_named(self, thing, text):
        with pytest.raises(OptionError) as caught:
            gain(thing)
        assert str(caught.value).partition(": ")[2].startswith(text)

    def test_a_function_that_raises_is_named_with_its_error(self):
        def broken(x):
            raise RuntimeError("no weights loaded")

        with pytest.raises(OptionError, match="'broken' cannot be called on an array") as caught:
            gain(broken)
        assert "Likely cause: RuntimeError: no weights loaded" in str(caught.value)

    def test_so_is_one_that_raises_only_far_out(self):
        def picky(x):
            if x > 5:
                raise ValueError("math range error")
            return x

        with pytest.raises(OptionError) as caught:
            gain(picky)
        assert str(caught.value).startswith(
            "activation 'picky': the function raised ValueError: math range error; expected a value for"
        )
        assert isinstance(caught.value.__cause__, ValueError)

    def test_a_slope_that_is_not_square_integrable_has_a_forward_gain_only(self):
        # E[√|z|²] = E|z| = √(2/π)
        def root(x):
            return np.sqrt(abs(x))

        assert gain(root) == pytest.approx((math.pi / 2) ** 0.25, rel=1e-12)
        with pytest.raises(OptionError, match="E\\[φ′²\\] is infinite, the gain would be zero"):
            gain(root, backward=True)

    def test_a_slope_lost_in_rounding_is_refused(self):
        # cos is 1 − x²/2 there: values around 1, differences of 1e-12, known to 1e-16
        with pytest.raises(OptionError, match="its gain 1e\\+06 is only known within"):
            gain("cos", q=1e-12, backward=True)
        assert gain("cos", q=1e-8, backward=True) == pytest.approx(1e4, rel=1e-5)

    def test_complex_values_are_refused(self):
        with pytest.raises(OptionError, match="cannot be called on an array"):
            gain(lambda x: np.emath.sqrt(x))

    def test_structure_too_fine_to_resolve_is_refused_where_it_matters(self):
        def quantised(x):
            return np.round(1000 * x) / 1000

        # uniform rounding adds its variance, 1/12 of a squared step
        assert activation(quantised).moments().second == pytest.approx(1 + 1e-6 / 12, abs=1e-6)
        with pytest.raises(OptionError, match="is only known within"):
            gain(quantised, backward=True)
