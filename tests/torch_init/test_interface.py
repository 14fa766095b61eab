"""A drop-in: torch's names, signatures, results and errors; what tensors may be filled, and how."""

import inspect
import re
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from initwise.core.errors import InitwiseError
from initwise.torch import init

FUNCTIONS = sorted(
    name
    for name, value in vars(torch.nn.init).items()
    if inspect.isfunction(value) and value.__module__ == "torch.nn.init" and name != "_make_deprecate"
)
DRAWING = {
    "uniform_": (),
    "normal_": (),
    "trunc_normal_": (),
    "xavier_uniform_": (),
    "xavier_normal_": (),
    "kaiming_uniform_": (),
    "kaiming_normal_": (),
    "orthogonal_": (),
    "sparse_": (0.25,),
}
FILLING = {**DRAWING, "constant_": (3.0,), "ones_": (), "zeros_": (), "eye_": ()}
filling = pytest.mark.parametrize("name", FILLING)
drawing = pytest.mark.parametrize("name", DRAWING)


def call(name, tensor):
    return getattr(init, name)(tensor, *FILLING[name])


# names and signatures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_of_torch_has_its_signature(name):
    ours, theirs = (inspect.signature(getattr(module, name)) for module in (init, torch.nn.init))
    assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
        (p.name, p.kind, p.default) for p in theirs.parameters.values()
    ]
    assert getattr(init, name).__name__ == getattr(torch.nn.init, name).__name__


def test_every_public_name_of_torch_is_there():
    assert set(torch.nn.init.__all__) <= set(init.__all__)
    assert len(set(init.__all__)) == len(init.__all__)
    assert all(getattr(init, name).__doc__ for name in init.__all__)


@pytest.mark.parametrize(
    "name", [name for name in torch.nn.init.__all__ if f"{name}_" in torch.nn.init.__all__]
)
def test_deprecated_names_warn_and_work(name):
    new = f"{name}_"
    shape = (4, 4, 3) if name == "dirac" else (4, 4)
    arguments = FILLING.get(new, ())
    torch.manual_seed(0)
    expected = getattr(init, new)(torch.empty(shape), *arguments)
    torch.manual_seed(0)
    with pytest.warns(FutureWarning, match=rf"`init.{name}` is deprecated.*`init.{new}`") as caught:
        found = getattr(init, name)(torch.empty(shape), *arguments)
    assert torch.equal(found, expected)
    assert caught[0].filename == __file__


# what is returned, and what is left alone ---------------------------------------------------------------


@filling
@pytest.mark.parametrize("requires_grad", [False, True])
def test_a_parameter_comes_back_itself_without_a_graph(name, requires_grad):
    weight = nn.Parameter(torch.full((6, 6), 9.0), requires_grad=requires_grad)
    version = weight._version
    assert call(name, weight) is weight
    assert weight.requires_grad == requires_grad
    assert weight.is_leaf
    assert weight.grad_fn is None
    assert weight._version > version
    assert not (weight == 9).any()


@filling
def test_views_and_strided_tensors_are_filled_where_they_lie(name):
    whole = torch.full((8, 12), 9.0)
    view = whole[2:8, 0:12:2]
    assert call(name, view) is view
    assert not (view == 9).any()
    assert (whole[:2] == 9).all()
    assert (whole[:, 1::2] == 9).all()


@filling
def test_a_backward_pass_that_saved_the_old_values_is_told(name):
    weight = nn.Parameter(torch.ones(4, 4))
    loss = (weight * weight).sum()
    call(name, weight)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@filling
def test_inference_mode(name):
    with torch.inference_mode():
        inside = call(name, torch.full((4, 4), 9.0))
    assert not (inside == 9).any()


@filling
def test_meta_and_fake_tensors_come_back_as_they_are_and_nothing_is_drawn(name):
    before = torch.get_rng_state()
    tensor = torch.empty(4, 4, device="meta")
    assert call(name, tensor) is tensor
    with torch.device("meta"):
        assert call(name, nn.Parameter(torch.empty(4, 4))).is_meta
    with FakeTensorMode():
        fake = torch.empty(4, 4)
        assert call(name, fake) is fake
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0)])
@filling
@pytest.mark.filterwarnings("ignore:a tensor without elements")
def test_tensors_without_elements_come_back_as_they_are(name, shape):
    before = torch.get_rng_state()
    tensor = torch.empty(shape)
    assert call(name, tensor) is tensor
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["kaiming_uniform_", "kaiming_normal_"])
def test_kaiming_warns_of_a_tensor_without_elements(name):
    with pytest.warns(UserWarning, match="nothing to initialize") as caught:
        call(name, torch.empty(0, 4))
    assert caught[0].filename == __file__


def test_a_dirac_without_elements():
    assert init.dirac_(torch.empty(4, 4, 0)).shape == (4, 4, 0)


def test_scalars_are_drawn():
    assert init.normal_(torch.tensor(9.0)) != 9


def test_numbers_may_be_tensors_or_numpy_scalars():
    drawn = init.normal_(torch.empty(3), torch.tensor(2.0), torch.tensor(0.0))
    assert drawn.tolist() == [2.0] * 3


# errors -------------------------------------------------------------------------------------------------

WRONG = {
    "one dimension": (
        lambda: init.xavier_normal_(torch.empty(3)),
        "xavier_normal_: a tensor of shape (3,) has no fan",
    ),
    "kaiming of a vector": (lambda: init.kaiming_uniform_(torch.empty(3)), "at least 2 dimensions"),
    "fans of a vector": (
        lambda: init._calculate_fan_in_and_fan_out(torch.empty(3)),
        "has no fan in and fan out",
    ),
    "mode": (
        lambda: init.kaiming_normal_(torch.empty(3, 3), mode="fan_inn"),
        "mode 'fan_inn'.\n  Did you mean 'fan_in'?\n  Known: fan_in, fan_out.",
    ),
    "mode of another type": (lambda: init.kaiming_normal_(torch.empty(3, 3), mode=1), "mode 1."),
    "nonlinearity": (lambda: init.calculate_gain("reluu"), "nonlinearity 'reluu'.\n  Did you mean 'relu'?"),
    "nonlinearity in kaiming": (
        lambda: init.kaiming_normal_(torch.empty(3, 3), nonlinearity="?"),
        "kaiming_normal_: nonlinearity '?'",
    ),
    "slope": (lambda: init.calculate_gain("leaky_relu", True), "negative_slope True; expected a number"),
    "slope as a list": (lambda: init.calculate_gain("leaky_relu", [1]), "negative_slope [1]"),
    "eye": (
        lambda: init.eye_(torch.empty(3, 3, 3)),
        "eye_: a tensor of shape (3, 3, 3); expected 2 dimensions",
    ),
    "dirac of a matrix": (lambda: init.dirac_(torch.empty(3, 3)), "expected 3, 4 or 5 dimensions"),
    "dirac's groups": (lambda: init.dirac_(torch.empty(5, 3, 3), 2), "groups=2 for shape (5, 3, 3)"),
    "no groups": (lambda: init.dirac_(torch.empty(5, 3, 3), 0), "groups=0"),
    "sparse": (lambda: init.sparse_(torch.empty(3, 3, 3), 0.1), "sparse_: a tensor of shape (3, 3, 3)"),
    "sparsity": (
        lambda: init.sparse_(torch.empty(3, 3), 30),
        "sparsity 30.0; expected a fraction from 0 to 1",
    ),
    "orthogonal": (lambda: init.orthogonal_(torch.empty(3)), "expected 2 or more dimensions"),
    "bounds": (
        lambda: init.uniform_(torch.empty(3), 2, 1),
        "uniform_: low 2.0 > high 1.0; expected low ≤ high",
    ),
    "NaN bound": (lambda: init.uniform_(torch.empty(3), 0, float("nan")), "high is NaN"),
    "std": (lambda: init.normal_(torch.empty(3), 0, -1), "normal_: std -1.0; expected std ≥ 0"),
    "NaN std": (lambda: init.normal_(torch.empty(3), 0, float("nan")), "std is NaN"),
    "NaN gain": (lambda: init.xavier_normal_(torch.empty(3, 3), float("nan")), "std is NaN"),
    "negative gain": (lambda: init.xavier_uniform_(torch.empty(3, 3), -1), "expected low ≤ high"),
    "None": (lambda: init.normal_(torch.empty(3), 0, None), "normal of (0, None); expected numbers"),
    "empty bounds": (lambda: init.trunc_normal_(torch.empty(3), a=1, b=1), "empty bounds"),
    "truncated std 0": (lambda: init.trunc_normal_(torch.empty(3), std=0), "std 0.0; expected std > 0"),
    "no probability": (
        lambda: init.trunc_normal_(torch.empty(3), 0, 1, 50, 51),
        "trunc_normal_: bounds (50.0, 51.0) hold no probability",
    ),
    "no number between": (
        lambda: init.trunc_normal_(torch.empty(3), 1, 1, 1, 1 + 1e-9),
        "no float32 lies strictly",
    ),
    "beyond float16": (
        lambda: init.normal_(torch.empty(3).half(), 0, 1e6),
        "float16 holds numbers up to 65504",
    ),
    "integers": (lambda: init.normal_(torch.zeros(3, dtype=torch.int64)), "normal_: a tensor of int64"),
    "booleans": (lambda: init.uniform_(torch.zeros(3, dtype=torch.bool)), "uniform_: a tensor of bool"),
    "float8": (lambda: init.normal_(torch.zeros(3, dtype=torch.float8_e4m3fn)), "float8_e4m3fn"),
    "quantized": (
        lambda: init.normal_(torch._empty_affine_quantized([3], scale=1.0, zero_point=0, dtype=torch.qint8)),
        "qint8",
    ),
    "complex": (
        lambda: init.orthogonal_(torch.zeros(3, 3, dtype=torch.complex64)),
        "orthogonal for a tensor of",
    ),
    "conjugated": (lambda: init.normal_(torch.zeros(3, dtype=torch.complex64).conj()), "lazily conjugated"),
    "negated": (lambda: init.normal_(torch.zeros(3, dtype=torch.complex64).conj().imag), "lazily negated"),
    "expanded": (lambda: init.normal_(torch.zeros(1, 4).expand(3, 4)), "overlaps itself"),
    "sparse layout": (lambda: init.normal_(torch.zeros(3, 3).to_sparse()), "layout torch.sparse_coo"),
    "an array": (lambda: init.normal_([0.0]), "normal_: a builtins.list; expected a torch.Tensor"),
    "a seed for a generator": (
        lambda: init.normal_(torch.empty(3), generator=3),
        "generator 3; expected a torch.Gen",
    ),
    "vmap": (
        lambda: torch.vmap(lambda x: init.normal_(x), randomness="different")(torch.zeros(3, 4)),
        "inside torch.vmap",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_error_is_a_value_and_a_runtime_error_and_draws_nothing(wrong):
    run, text = WRONG[wrong]
    before = torch.get_rng_state()
    with pytest.raises(ValueError, match=re.escape(text)) as caught:
        run()
    assert isinstance(caught.value, RuntimeError)
    assert isinstance(caught.value, InitwiseError)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_generator_that_was_given_draws_nothing_either():
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    with pytest.raises(ValueError, match="float16 holds"):
        init.normal_(torch.empty(3).half(), 0, 1e6, generator)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("name", [name for name in FILLING if name != "eye_"])
def test_lazy_parameters_say_that_they_have_no_shape(name):
    with pytest.raises(ValueError, match="uninitialized parameter"):
        call(name, nn.UninitializedParameter())


# torch functions, compiled code ---------------------------------------------------------------------------


class Watched(torch.Tensor):
    seen: list[str] = []  # noqa: RUF012

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.seen.append(getattr(func, "__name__", ""))
        return super().__torch_function__(func, types, args, kwargs)


@filling
def test_a_subclass_is_asked_first(name):
    Watched.seen.clear()
    tensor = torch.full((4, 4), 9.0).as_subclass(Watched)
    assert call(name, tensor) is tensor
    assert Watched.seen[0] == name
    assert not (tensor.as_subclass(torch.Tensor) == 9).any()


def test_modes_are_asked_first():
    seen = []

    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(func)
            return func(*args, **(kwargs or {}))

    with Mode():
        init.trunc_normal_(torch.empty(3))
    assert init.trunc_normal_ in seen


def test_compiled_code_draws_in_one_graph_what_plain_code_draws():
    def make(x):
        weight = torch.empty(4, 5)
        init.trunc_normal_(weight, std=0.02)
        init.orthogonal_(x)
        init.kaiming_uniform_(x[:2])
        init.sparse_(x[2:], 0.5)
        init.dirac_(torch.empty(4, 4, 3))
        return weight + init.eye_(torch.empty(4, 5))

    torch.manual_seed(0)
    x, y = torch.zeros(4, 5), torch.zeros(4, 5)
    expected = make(x)
    for backend in ("eager", "aot_eager"):
        torch._dynamo.reset()
        torch.manual_seed(0)
        assert torch.equal(torch.compile(make, backend=backend, fullgraph=True)(y), expected)
        assert torch.equal(x, y)


def test_a_generator_cannot_be_compiled_and_says_so():
    generator = torch.Generator()
    torch._dynamo.reset()
    with pytest.raises(NotImplementedError, match="generator= in compiled code"):
        torch.compile(lambda x: init.normal_(x, generator=generator), backend="eager")(torch.empty(3))


def test_a_missing_torch_is_told():
    code = """
import sys
sys.modules["torch"] = None
try:
    import initwise.torch
except ImportError as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MissingError initwise.torch: torch is not installed")
