"""The house itself: imports go one way, and importing initwise loads no framework."""

import subprocess
import sys

FRAMEWORKS = (
    "torch",
    "jax",
    "keras",
    "tensorflow",
    "numba",
    "llvmlite",
    "triton",
    "plotly",
    "pandas",
    "scipy",
    "sklearn",
)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_initwise_pulls_in_no_framework():
    loaded = run(f"import sys, initwise; print([m for m in {FRAMEWORKS!r} if m in sys.modules])")
    assert loaded == "[]"


def test_nor_does_asking_what_it_knows():
    code = f"""
import sys, initwise
initwise.schemes(); initwise.activations(); initwise.recipes()
initwise.scheme("he_normal").fill(initwise.fans((4, 3), "oi"))
initwise.gain("gelu"); str(initwise.explain("he_normal"))
print([m for m in {FRAMEWORKS!r} if m in sys.modules])"""
    assert run(code) == "[]"


def test_public_functions_are_not_hidden_by_the_rooms_of_the_same_name():
    code = """
import initwise, inspect
import initwise.choose, initwise.race, initwise.schemes, initwise.explain, initwise.cli
from initwise.choose import rules
names = "choose race check init_ fill explain schemes recipes activations gain fans".split()
for name in names:
    assert inspect.isfunction(getattr(initwise, name)), name
print("ok")"""
    assert run(code) == "ok"


def test_the_public_names_are_few_and_present():
    import initwise

    assert len(initwise.__all__) <= 40
    assert initwise.__all__ == sorted(initwise.__all__, key=str.lower)
    assert all(getattr(initwise, name).__doc__ for name in initwise.__all__ if name != "__version__")
    public = {name for name in dir(initwise) if not name.startswith("_")}
    assert public == {*initwise.__all__, "testing", "torch"} - {"__version__"}


def test_a_name_that_is_not_there_is_an_attribute_error():
    assert run("import initwise; print(hasattr(initwise, 'initialise'))") == "False"
