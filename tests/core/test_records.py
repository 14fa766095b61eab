"""Records, plans, the registry and the error tree."""

import dataclasses
import importlib
import inspect
import json
import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from initwise.core import errors, records
from initwise.core.errors import InitwiseError, OptionError, RecordError, UnhealthyError, UnknownNameError
from initwise.core.fill import Fill
from initwise.core.graph import Graph, Node
from initwise.core.parameter import ParameterInfo
from initwise.core.plan import Plan
from initwise.core.problem import Problem
from initwise.core.records import Advice, Candidate, Finding, LayerSignal, Ledger, LedgerEntry, Race, Signals
from initwise.core.registry import Registry
from initwise.core.stream import Stream

PLAN = Plan("he", (("a.weight", Fill.normal(0, 0.1)), ("a.bias", Fill.constant(0.0))), (("p", "bare"),))
SIGNALS = Signals("measure", (LayerSignal("a", "Linear", (8, 4), 1.0),), (Finding("a", "dead", "all", 1.0),))
RACE = Race("digits", "he", ("he",), (Candidate("he", loss=0.1),), (records.Arm("he", 0.1, 0, "finished"),))
RECORDS = [
    PLAN,
    SIGNALS,
    RACE,
    Advice("he", PLAN, ("because",), signals=SIGNALS, race=RACE),
    Ledger("he", 0, (LedgerEntry("a.weight", (2, 3), "float32", "filled", Fill.normal(0, 1)),), "ff"),
    records.Explanation("he", "why", facts=(("std", "0.1"),)),
    ParameterInfo("a.weight", (2, 3), "float32", "weight"),
    Graph((Node(0, "input"), Node(1, "weight", inputs=(0,)))),
    Stream(3, "a.weight"),
]


def same(a, b) -> bool:
    """Equality of JSON data in which NaN travels as a string."""
    return json.dumps(a.to_dict()) == json.dumps(b.to_dict())


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_every_record_survives_json(record):
    back = type(record).from_json(record.to_json())
    assert type(back) is type(record)
    assert same(back, record)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_records_are_frozen(record):
    field = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, field, None)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"version": 7}, "Signals: version 7; expected version 1."),
        ({"record": "Ledger"}, "Signals: a record of kind 'Ledger'; expected 'Signals'.\n  Likely cause"),
        ({"colour": 1}, "Signals with missing fields [] and unknown fields ['colour']"),
        ({"loss": "much"}, "Signals.loss: 'much'; expected a number."),
        ({"layers": 3}, "Signals.layers: 3; expected list."),
    ],
)
def test_a_record_of_another_kind_or_version_is_refused(change, text):
    with pytest.raises(RecordError) as caught:
        Signals.from_dict({**SIGNALS.to_dict(), **change})
    assert text in str(caught.value)


def test_text_that_is_not_json_is_refused():
    with pytest.raises(RecordError, match="text that is not JSON"):
        Plan.from_json("{")
    with pytest.raises(RecordError, match="list; expected a dict"):
        Plan.from_dict([1])


def test_a_lost_field_is_not_guessed():
    data = SIGNALS.to_dict()
    del data["note"]
    with pytest.raises(RecordError, match=r"missing fields \['note'\]"):
        Signals.from_dict(data)


@pytest.mark.parametrize("text", [None, b"\xff\xfe", "[1", 3])
def test_only_json_text_is_read(text):
    with pytest.raises(RecordError, match="text that is not JSON"):
        Plan.from_json(text)


def test_numpy_numbers_travel_as_plain_ones():
    record = LayerSignal("a", "Linear", forward_rms=np.float64("inf"), forward_mean=np.float64(0.5))
    assert LayerSignal.from_json(record.to_json()).forward_rms == math.inf
    assert '"forward_mean": 0.5' in record.to_json()


def test_an_integer_beyond_floats_is_refused():
    with pytest.raises(RecordError, match=r"Candidate.loss: an integer beyond the range of floats"):
        Candidate.from_dict({**Candidate("a").to_dict(), "loss": 10**400})


def test_json_has_no_infinities():
    text = Fill.normal(0, 1).to_json()
    assert '"-inf"' in text
    assert math.isinf(Fill.from_json(text).high)


def test_a_plan_is_a_mapping_that_guesses():
    assert dict(PLAN) == dict(PLAN.fills)
    assert PLAN.get("nothing") is None
    with pytest.raises(UnknownNameError) as caught:
        PLAN["a.weigth"]
    assert str(caught.value).splitlines()[:2] == [
        "plan 'he' has no parameter 'a.weigth'.",
        "  Did you mean 'a.weight'?",
    ]


def test_a_plan_cannot_name_a_tensor_twice():
    with pytest.raises(InitwiseError, match="names a twice"):
        Plan("x", (("a", Fill.constant(0)), ("a", Fill.constant(1))))


def test_replacing_a_fill_takes_it_off_the_kept_list():
    plan = PLAN.with_fills({"p": Fill.constant(1.0)}, name="mine")
    assert plan.kept == ()
    assert plan["p"].mean == 1.0
    assert plan.name == "mine"


def test_assert_healthy_names_the_worst_finding():
    with pytest.raises(UnhealthyError) as caught:
        SIGNALS.assert_healthy()
    assert str(caught.value).startswith("a: dead: all; expected a healthy signal.")
    Signals("measure", ()).assert_healthy()


def test_the_ledger_tells_filled_from_untouched():
    entry = LedgerEntry("a", (1,), "float32", "filled")
    kept = LedgerEntry("b", (1,), "float32", "kept", reason="no rule")
    tied = LedgerEntry("c", (1,), "float32", "tied", reason="a")
    ledger = Ledger("he", 0, (entry, kept, tied))
    assert ledger.filled == (entry,)
    assert ledger.untouched == (kept,)


def test_error_texts_have_one_shape():
    error = OptionError(
        "sparsity 2.0",
        where="sparse",
        expected="a share in [0, 1]",
        cause="a percentage",
        legal=("b", "a"),
        given="c",
        fix="Pass 0.02.",
    )
    assert str(error) == (
        "sparse: sparsity 2.0; expected a share in [0, 1].\n"
        "  Likely cause: a percentage\n"
        "  Known: a, b.\n"
        "  Pass 0.02."
    )


def test_the_tree_at_the_head_of_errors_is_the_tree():
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, InitwiseError)]
    assert len(classes) > 10
    for error in classes:
        assert error.__name__ in errors.__doc__
        if error is not InitwiseError:
            builtin = next(base for base in error.__mro__ if base.__module__ == "builtins")
            assert f"({builtin.__name__})" in next(
                line for line in errors.__doc__.splitlines() if f" {error.__name__} " in line
            )


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, "0", True, None])
def test_seeds_outside_64_bits_are_refused(seed):
    with pytest.raises(InitwiseError, match="expected an integer from 0 to"):
        Stream(seed, "a")


@pytest.mark.parametrize("name", ["", None, 3, b"a"])
def test_names_must_be_strings(name):
    with pytest.raises(InitwiseError, match="non-empty string"):
        Stream(0, name)


def test_the_stream_id_is_blake2b_of_the_name():
    # printf weight | b2sum -l 64, read little-endian
    assert Stream(0, "weight").id == int.from_bytes(bytes.fromhex("467271dc3e2ee084"), "little")
    assert Stream(0, "a").id != Stream(0, "b").id
    assert Stream(1, "a").part("q") == Stream(1, "a#q")


def test_a_registry_refuses_a_name_twice_and_guesses():
    registry = Registry("thing", "initwise.core")
    row = Candidate  # any class with a name will do
    registry.add(type("RowType", (), {"name": "alpha", "aliases": ("first",)})())
    with pytest.raises(OptionError, match="'first' is registered twice"):
        registry.add(type("RowType", (), {"name": "first", "aliases": ()})())
    assert registry["first"].name == "alpha"
    with pytest.raises(UnknownNameError, match="Did you mean 'alpha'"):
        registry["alfa"]
    assert row


def thing(name, *aliases):
    return type("RowType", (), {"name": name, "aliases": aliases})()


STRANGE = ["", "keep", "*", "a*", "a\nb", "\x1b[31m", "a b", "_a", "-a", "a/b", "a" * 81, None, 3, b"a"]


@pytest.mark.parametrize("name", STRANGE, ids=repr)
def test_a_name_that_cannot_be_typed_printed_or_told_apart_is_refused(name):
    registry = Registry("thing", "initwise.core")
    for row in (thing(name), thing("alpha", name)):
        with pytest.raises(OptionError) as caught:
            registry.add(row)
        assert f"thing name {name!r:.100}; expected a letter or digit, then up to 79" in str(caught.value)
    assert registry.names() == ()


def test_names_may_hold_letters_of_any_script_digits_dots_and_dashes():
    registry = Registry("thing", "initwise.core")
    for name in ("größe", "2x", "gpt-2.1+b", "a" * 80):
        assert registry.add(thing(name)).name == name


def test_rows_may_be_added_while_others_list_them():
    registry, stop, failed = Registry("thing", "initwise.core"), threading.Event(), []

    def listing():
        while not stop.is_set():
            try:
                registry.rows(), registry.names(), registry.own()
            except RuntimeError as error:
                failed.append(error)
                return

    registry.rows()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    readers = [threading.Thread(target=listing) for _ in range(3)]
    try:
        for reader in readers:
            reader.start()
        for number in range(1500):
            registry.add(thing(f"row{number}"))
    finally:
        stop.set()
        for reader in readers:
            reader.join()
        sys.setswitchinterval(before)
    assert failed == []
    assert len(registry.rows()) == 1500


@pytest.fixture
def slow_package(tmp_path, monkeypatch):
    """A package of rows that takes a while to import, and fails while `BROKEN` is set."""
    package = tmp_path / f"rows_{tmp_path.name.replace('-', '_')}"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import types\nfrom initwise.core.registry import Registry\n"
        "registry = Registry('thing', __name__)\nBROKEN = False\n"
    )
    (package / "rows.py").write_text(
        "import time, types\nimport " + package.name + " as home\ntime.sleep(0.2)\n"
        "if home.BROKEN: raise RuntimeError('broken row')\n"
        "home.registry.add(types.SimpleNamespace(name='alpha', aliases=()))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module(package.name)


def test_a_registry_first_asked_by_many_threads_knows_its_rows(slow_package):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: slow_package.registry["alpha"].name, range(8)))
    assert found == ["alpha"] * 8


def test_a_registry_that_failed_to_load_fails_again_and_then_recovers(slow_package):
    slow_package.BROKEN = True
    for _ in range(2):
        with pytest.raises(RuntimeError, match="broken row"):
            slow_package.registry.rows()
    slow_package.BROKEN = False
    assert slow_package.registry["alpha"].name == "alpha"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"model": 3}, "Problem: model is a int; expected a zero-argument callable."),
        ({"loss": None}, "Problem: loss is a NoneType; expected a callable loss(outputs, targets)."),
        ({"optimizer": "adma"}, "Did you mean 'adam'?"),
        ({"steps": 0}, "Problem: steps=0; expected steps ≥ 1."),
    ],
)
def test_a_problem_that_cannot_be_trained_is_refused(change, text):
    good = {"model": dict, "batches": [], "loss": max}
    with pytest.raises(InitwiseError) as caught:
        Problem(**{**good, **change})
    assert text in str(caught.value)
