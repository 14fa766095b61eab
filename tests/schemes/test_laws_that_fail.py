"""A row's law that raises or gives nonsense: the error says whose it is, and for which parameter."""

import numpy as np
import pytest

import initwise
from initwise.core.errors import FillError, LawError, LayoutError, OutputError
from initwise.core.layout import fans
from initwise.frameworks.vocabulary import extend_table_
from initwise.schemes import SchemeRow, registry, scheme


def raising(error):
    def law(fans):
        raise error

    return law


@pytest.fixture
def row(monkeypatch):
    """Puts a row of a third party's into the registry for one test."""

    def put(law, **fields):
        law.__module__ = "their_package.rows"
        row = SchemeRow("theirs", law, "S.", "f", "c", "computed", ("d",), "a", **fields)
        monkeypatch.setitem(registry._rows, "theirs", row)
        monkeypatch.setitem(registry._names, "theirs", "theirs")
        return row

    return put


CAUSES = [RuntimeError("no licence"), KeyError("width"), TypeError("bad"), SystemExit(3), AttributeError("x")]


@pytest.mark.parametrize("error", CAUSES, ids=lambda error: type(error).__name__)
def test_a_law_that_raises_is_named_with_its_package_and_the_cause(row, error):
    row(raising(error))
    with pytest.raises(LawError) as caught:
        scheme("theirs")
    assert str(caught.value).startswith(
        f"scheme 'theirs' of their_package: its law raised {type(error).__name__}: {error}."
    )
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("result", [3, "normal", 0.1])
def test_a_law_that_gives_no_fill_is_told_so(row, result):
    row(lambda fans: result)
    with pytest.raises(LawError) as caught:
        scheme("theirs")
    assert f"its law gave {result!r}; expected a Fill, or None" in str(caught.value)


def test_a_law_that_fails_at_one_weight_names_the_parameter(row):
    torch = pytest.importorskip("torch")

    def law(fans):
        if fans.fan_in > 4:
            raise RuntimeError("too wide")
        return initwise.Fill.normal(0.0, 0.1)

    row(law)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Linear(8, 2))
    before = model[0].weight.detach().clone()
    with pytest.raises(LawError) as caught:
        initwise.init_(model, "theirs")
    assert str(caught.value).startswith("1.weight: scheme 'theirs' of their_package: its law raised")
    assert torch.equal(model[0].weight, before)


def test_what_a_law_refuses_on_purpose_stays_as_it_is(row):
    row(raising(FillError("a kernel")))
    with pytest.raises(FillError, match=r"^a kernel\.$") as caught:
        scheme("theirs")
    assert type(caught.value) is FillError


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), MemoryError()])
def test_what_is_no_fault_of_the_law_passes(row, stop):
    row(raising(stop))
    with pytest.raises(type(stop)):
        scheme("theirs").fill(fans((2, 2), "oi"))


@pytest.mark.parametrize("flavor", [None, "keras", "jax", "flax", "haiku", "sonnet", "baselines"])
def test_a_lookup_table_is_no_orthogonal_matrix_and_fill_says_so(flavor):
    with pytest.raises(
        LayoutError, match=r"orthogonal of shape \(5, 3\) with layout \"vi\"; expected a matrix"
    ):
        scheme("orthogonal", flavor=flavor).fill(fans((5, 3), "vi"))


def test_a_table_to_extend_has_a_whole_number_of_rows_with_memory_of_their_own():
    torch = pytest.importorskip("torch")
    with pytest.raises(FillError, match=r"^e: 2\.0 trained rows"):
        extend_table_(np.ones((6, 4)), 2.0, name="e")
    for table in (torch.ones(1, 4).expand(6, 4), np.broadcast_to(np.ones((1, 4)), (6, 4))):
        with pytest.raises(OutputError, match=r"strides \(0, 1\), whose elements share memory"):
            extend_table_(table, 4, name="e")
    sliced = torch.ones(6, 8)[:, ::2]
    assert extend_table_(sliced, 4, name="e") is sliced
