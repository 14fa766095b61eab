"""Other people's packages: theirs are rows like ours, and what is broken of them breaks nothing else."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import initwise

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "initwise-example"
SOURCE = Path(initwise.__file__).resolve().parents[1]


def python(*arguments, path=(), fails=False):
    """What this Python says with these arguments, with more folders on its path."""
    folders = [str(SOURCE), *(str(folder) for folder in path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=300, env=environment
    )
    assert bool(done.returncode) == fails, done.stdout + done.stderr
    return done


def said(code, *path):
    return python("-c", code, path=path).stdout.strip()


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that the example package is installed in, by pip and without a network."""
    pytest.importorskip("torch")
    pytest.importorskip("setuptools", minversion="70.1")
    # a copy, because building writes beside the sources
    source, site = tmp_path_factory.mktemp("source") / "package", tmp_path_factory.mktemp("site")
    shutil.copytree(EXAMPLE, source)
    options = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation")
    python("-m", "pip", "install", *options, "--target", str(site), str(source))
    return site


class TestTheExamplePackage:
    def test_list_shows_its_rows_among_ours(self, installed):
        listed = json.loads(python("-m", "initwise", "list", "--json", path=[installed]).stdout)
        names = {kind: {row["name"] for row in rows} for kind, rows in listed.items()}
        assert "broken" not in listed
        assert {"kumar", "he_normal"} <= names["schemes"]
        assert {"penalized_tanh", "tanh"} <= names["activations"]
        assert {"block_gated", "gpt2"} <= names["recipes"]
        assert {"block_gated_linear", "linear"} <= names["layouts"]

    def test_it_is_found_by_what_it_suits(self, installed):
        def fitting(words):
            listed = python("-m", "initwise", "list", "schemes", "--for", words, path=[installed]).stdout
            fits, _, against = listed.partition("What something speaks against")
            return fits, against

        fits, _ = fitting("plain sigmoid mlp")
        assert 0 < fits.index("kumar") < fits.index("xavier_normal")
        fits, against = fitting("relu mlp")
        assert "kumar" not in fits
        assert "[against it: relu; for it: mlp]" in against[against.index("kumar") :]

    def test_listing_loads_no_framework(self, installed):
        code = """
import sys, initwise
from initwise.frameworks.layouts import layouts
initwise.schemes(), initwise.activations(), initwise.recipes(), layouts()
print(initwise.gain("penalized_tanh") > 0, "torch" in sys.modules)"""
        assert said(code, installed) == "True False"

    def test_explain_tells_of_them(self, installed):
        told = python("-m", "initwise", "explain", "kumar", path=[installed]).stdout
        assert "One law for all activations that are differentiable at 0." in told
        assert "N(0, v), v² = 1/(fan_in · g′(0)² · (1 + g(0)²))" in told
        assert "what follows the weights" in told
        assert (
            "penalized_tanh" in python("-m", "initwise", "explain", "penalized_tanh", path=[installed]).stdout
        )
        assert (
            "BlockGatedLinear" in python("-m", "initwise", "explain", "block_gated", path=[installed]).stdout
        )

    def test_its_scheme_fills_an_array(self, installed):
        code = """
import numpy as np, initwise
law = initwise.scheme("kumar", activation="tanh").fill(initwise.fans((256, 64), "oi"))
array = initwise.fill(np.empty((256, 64), np.float32), law, name="w", seed=1)
print(law.std, abs(array.std() / law.std - 1) < 5 / (2 * array.size) ** 0.5)"""
        assert said(code, installed) == "0.125 True"

    def test_its_scheme_recipe_and_layout_fill_its_model(self, installed):
        code = """
import initwise
from initwise_example.model import BlockGatedNet
found = {}
for plan in ("kumar", "block_gated", {"*": "lecun_normal", "head.*": "zeros"}):
    for entry in initwise.init_(BlockGatedNet(), plan).entries:
        found.setdefault(entry.name, []).append((entry.status, round(entry.declared_std, 9)))
print(json.dumps(found))"""
        found = json.loads(said("import json" + code, installed))
        # 8 inputs each, 12.8 = 16/1.25
        assert found["blocks.0.gated.weight"] == [
            ["filled", round((12.8 / 8) ** 0.5, 9)],
            *[["filled", round(8**-0.5, 9)]] * 2,
        ]
        assert found["head.weight"] == [["filled", round((12.8 / 32) ** 0.5, 9)], *[["filled", 0.0]] * 2]
        assert found["blocks.0.gated.bias"] == [["filled", 0.0]] * 3

    def test_without_its_layout_the_layer_is_left_alone(self, installed, tmp_path):
        shutil.copytree(installed / "initwise_example", tmp_path / "initwise_example")
        code = """
import initwise
from initwise_example.model import BlockGatedNet
entries = {entry.name: entry for entry in initwise.init_(BlockGatedNet(), "lecun_normal").entries}
print(entries["blocks.0.gated.weight"].status, entries["stem.weight"].status)"""
        assert said(code, tmp_path) == "kept filled"

    def test_its_own_tests_pass(self, installed):
        options = ("-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(EXAMPLE))
        python("-m", "pytest", *options, str(EXAMPLE / "tests"), path=[installed])


ROW = """
from initwise import Fill
from initwise.schemes import SchemeRow
def law(fans):
    return Fill.normal(0.0, 0.5, reason="half")
def made(name, *aliases):
    words = dict(summary="Half.", formula="N(0, ½)", citation="here", evidence="computed")
    return SchemeRow(name=name, law=law, differences=("none",), avoid="all", aliases=aliases, **words)
"""


@pytest.fixture
def package(tmp_path):
    """Makes packages, each with one entry point for a scheme."""

    def make(name, code, entry=None, point="half", group="initwise.schemes", points=None):
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
        folder = tmp_path / f"{name}-2.1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.1\n")
        text = points if points is not None else f"[{group}]\n{point} = {entry or f'{name}:row'}\n"
        (folder / "entry_points.txt").write_text(text)
        return tmp_path

    return make


BROKEN = {
    "it fails to import": (
        "import no_such_library",
        None,
        "ModuleNotFoundError: No module named 'no_such_library'",
    ),
    "it is of another version": (
        "from initwise.schemes import Row",
        None,
        "ImportError: cannot import name 'Row'",
    ),
    "it leaves": ("import sys; sys.exit(3)", None, "SystemExit: 3"),
    "the row is not there": ("other = 1", None, "AttributeError: module 'theirs' has no attribute 'row'"),
    "it is no row": ("row = 3", None, "theirs: a int is no scheme; expected a SchemeRow."),
    "it is a function": ("def row(): pass", None, "theirs: a function is no scheme; expected a SchemeRow."),
    "its module adds nothing": ("x = 1", "theirs", "module theirs adds no scheme; expected registry.add(…)."),
    "it cannot be made": (
        ROW + "row = made()",
        None,
        "TypeError: made() missing 1 required positional argument",
    ),
    "it needs what there is not": (
        ROW + "import dataclasses\nrow = dataclasses.replace(made('half'), needs=('luck',))",
        None,
        "scheme 'half' needs 'luck'.",
    ),
    "its name is ours": (
        ROW + "row = made('he_normal')",
        None,
        "theirs: scheme 'he_normal' is registered twice. 'he_normal' is a name of 'he_normal' of "
        "initwise.schemes.he. Give it a name of its own; names that differ by case alone count as one.",
    ),
    "its alias is ours": (
        ROW + "row = made('half', 'kaiming')",
        None,
        "theirs: alias 'kaiming' of scheme 'half' is taken. 'kaiming' is a name of 'he_normal'",
    ),
    "its name is not its entry point's": (
        ROW + "row = made('third')",
        None,
        "the entry point is called 'half', its scheme 'third'; expected one name. Give the entry point",
    ),
    "its name is ours but for its case": (
        ROW + "row = made('He_Normal')",
        None,
        "differ by case alone count as one",
    ),
}


class TestBrokenPackages:
    @pytest.mark.parametrize("case", BROKEN)
    def test_a_broken_row_breaks_only_itself(self, package, case):
        code, entry, cause = BROKEN[case]
        path = package("theirs", code, entry)
        told = said(
            """
import warnings, initwise
from initwise.core.errors import BrokenRowError
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    fill = initwise.scheme("he_normal").fill(initwise.fans((256, 64), "oi"))
    print(len(caught), fill.std == (2 / 64) ** 0.5)
    print(len(initwise.schemes()) > 50, [warning.category.__name__ for warning in caught])
    try:
        initwise.scheme("half")
    except BrokenRowError as error:
        print(isinstance(error, ImportError), error)""",
            path,
        )
        first, second, error = told.split("\n", 2)
        # a name of ours does not even look at other packages
        assert first == "0 True"
        assert second == "True ['BrokenRowWarning']"
        assert error.startswith(
            f"True scheme 'half' comes from theirs 2.1 ({entry or 'theirs:row'}) and cannot be had.\n"
            "  Likely cause: "
        )
        assert cause in error
        assert error.endswith("Repair or uninstall theirs; everything else works without it.")

    def test_all_of_a_module_or_nothing(self, package):
        code = ROW + "from initwise.schemes import registry\n"
        code += "registry.add(made('first'))\nregistry.add(made('he_normal'))"
        path = package("theirs", code, "theirs", point="both")
        assert (
            said("import initwise; print('first' in [row.name for row in initwise.schemes()])", path)
            == "False"
        )

    def test_list_shows_what_is_broken(self, package):
        path = package("theirs", BROKEN["it fails to import"][0])
        shown = python("-m", "initwise", "list", "schemes", path=[path])
        assert "Broken: left out, all else works" in shown.stdout
        assert "No module named 'no_such_library'" in " ".join(shown.stdout.split())
        assert shown.stderr == ""
        listed = json.loads(python("-m", "initwise", "list", "schemes", "--json", path=[path]).stdout)
        assert listed["broken"] == [
            {
                "kind": "scheme",
                "name": "half",
                "package": "theirs 2.1",
                "entry": "theirs:row",
                "cause": "ModuleNotFoundError: No module named 'no_such_library'",
            }
        ]

    def test_a_misspelled_name_is_told_what_is_missing(self, package):
        path = package("theirs", BROKEN["it fails to import"][0], point="others_name")
        shown = python("-m", "initwise", "explain", "hlaf", path=[path], fails=True)
        text = " ".join(shown.stderr.split())
        assert "is called 'hlaf'" in text
        assert "scheme 'others_name' of theirs 2.1 (theirs:row) is left out: ModuleNotFoundError" in text
        lines = shown.stderr.split("\n")
        start = lines.index("  Likely cause: it may be of a package whose rows are left out:")
        assert lines[start + 1].startswith("    scheme 'others_name' of theirs 2.1")
        assert lines[start + 2].startswith("  Known: ")

    def test_damaged_metadata_hides_no_other_package(self, package):
        package("damaged", "", points="[initwise.schemes]\nthis is no entry point\n")
        path = package("theirs", ROW + "row = made('half')")
        assert said("import initwise; print(initwise.scheme('half'))", path) == "half"

    def test_of_two_packages_with_one_name_the_first_by_name_has_it(self, package):
        package("aaa", ROW + "row = made('half')")
        path = package("bbb", ROW + "row = made('half')")
        code = """
import warnings; warnings.simplefilter("ignore")
import initwise
from initwise.schemes import registry
print(registry["half"].law.__module__, [broken.package for broken in registry.broken()])"""
        assert said(code, path) == "aaa ['bbb 2.1']"

    def test_being_imported_first_takes_no_name_of_ours(self, package):
        path = package(
            "theirs", ROW + "from initwise.schemes import registry\nregistry.add(made('xavier_normal'))"
        )
        code = """
try:
    import theirs
except ValueError as error:
    print(error)
import initwise
print(initwise.scheme("xavier_normal").row.law.__module__)"""
        told = said(code, path).split("\n")
        assert told[0] == "theirs: scheme 'xavier_normal' is registered twice."
        assert told[-1] == "initwise.schemes.xavier"

    def test_a_module_may_add_several_rows(self, package):
        code = ROW + "from initwise.schemes import registry\n"
        path = package("theirs", code + "registry.add(made('half'))\nregistry.add(made('other'))", "theirs")
        assert (
            said("import initwise; print(initwise.scheme('other'), initwise.scheme('half'))", path)
            == "other half"
        )

    def test_a_broken_recipe_is_told_where_a_plan_is_asked_for(self, package):
        pytest.importorskip("torch")
        path = package("theirs", "import nothing_here", point="famous", group="initwise.recipes")
        code = """
import warnings; warnings.simplefilter("ignore")
import initwise, torch
model = torch.nn.Linear(3, 3)
init_ = lambda name: initwise.init_(model, name)
for call in (init_, initwise.explain, initwise.recipe):
    try:
        call("famous")
    except ImportError as error:
        print(str(error).split("\\n")[0])"""
        assert (
            said(code, path).split("\n")
            == ["recipe 'famous' comes from theirs 2.1 (theirs:row) and cannot be had."] * 3
        )

    def test_a_layout_that_fails_is_named(self, package):
        pytest.importorskip("torch")
        code = """
import torch
from initwise.frameworks.layouts import LayoutRow
class Mine(torch.nn.Linear): pass
def slots(layer): return {"weight": layer.wieght}
row = LayoutRow("mine", ("theirs.Mine",), slots, "Mine.", "here")"""
        path = package("theirs", code, point="mine", group="initwise.layouts")
        told = said(
            """
import initwise, theirs
try:
    initwise.init_(theirs.Mine(3, 3), "he_normal")
except initwise.InitwiseError as error:
    print(error)""",
            path,
        )
        assert told.startswith(
            "layout 'mine' of Mine: its function raised AttributeError: 'Mine' object has no"
        )

    def test_a_layout_for_a_layer_of_ours_is_refused(self, package):
        code = """
from initwise.frameworks.layouts import LayoutRow
row = LayoutRow("mine", ("torch.nn.Linear",), dict, "Mine.", "here")"""
        path = package("theirs", code, point="mine", group="initwise.layouts")
        told = said(
            """
import warnings; warnings.simplefilter("ignore")
from initwise.frameworks.layouts import registry
print(registry.broken()[0].cause)""",
            path,
        )
        assert told.startswith("theirs: layer torch.nn.Linear has two layouts. 'linear' of initwise.")
