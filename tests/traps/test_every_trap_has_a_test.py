"""Every trap of the survey, T01 to T60, has a test in this folder that is called after it, and that runs."""

import ast
import re
from collections import Counter
from pathlib import Path

FILES = sorted(Path(__file__).parent.glob("test_*_traps.py"))
TRAPS = [f"t{number:02d}" for number in range(1, 61)]
NAME = re.compile(r"test_(t\d\d)_\w+")
SKIPPING = {"importorskip", "skip", "skipif", "xfail", "skipTest", "SkipTest", "slow"}


def named(source):
    """The traps that the test functions of a file are called after."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return [match[1] for node in functions if (match := NAME.fullmatch(node.name))]


def skipping(source):
    """Where a file may leave a test out: what the tests need is in the extra `dev`, so nothing may."""
    return [
        f"line {node.lineno}: {name}"
        for node in ast.walk(ast.parse(source))
        if (name := getattr(node, "attr", getattr(node, "id", ""))) in SKIPPING
    ]


def test_every_trap_has_a_test():
    count = Counter(trap for file in FILES for trap in named(file.read_text(encoding="utf-8")))
    assert sorted(count) == TRAPS


def test_no_trap_s_test_is_skipped():
    assert {file.name: found for file in FILES if (found := skipping(file.read_text(encoding="utf-8")))} == {}


def test_a_trap_without_a_test_is_seen():
    assert named("def test_t01_a():\n    def helper(): pass\nclass T:\n    def test_t02_b(self): pass") == [
        "t01",
        "t02",
    ]
    assert named("def t03_c(): pass\ndef test_t04(): pass\n# def test_t05_d(): pass") == []


def test_a_test_that_may_be_skipped_is_seen():
    source = "import pytest\n@pytest.mark.skipif(True)\ndef test_t01_a():\n    pytest.importorskip('jax')"
    assert skipping(source) == ["line 2: skipif", "line 4: importorskip"]
    assert skipping("from pytest import skip\nskip('no jax')\npytest.raises(ValueError)") == ["line 2: skip"]
