"""Every trap of the survey, T01 to T60, has a test in this folder that is called after it."""

import ast
import re
from collections import Counter
from pathlib import Path

TRAPS = [f"t{number:02d}" for number in range(1, 61)]
NAME = re.compile(r"test_(t\d\d)_\w+")


def named(source):
    """The traps that the test functions of a file are called after."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return [match[1] for node in functions if (match := NAME.fullmatch(node.name))]


def test_every_trap_has_a_test():
    files = sorted(Path(__file__).parent.glob("test_*_traps.py"))
    count = Counter(trap for file in files for trap in named(file.read_text(encoding="utf-8")))
    assert sorted(count) == TRAPS


def test_a_trap_without_a_test_is_seen():
    assert named("def test_t01_a():\n    def helper(): pass\nclass T:\n    def test_t02_b(self): pass") == [
        "t01",
        "t02",
    ]
    assert named("def t03_c(): pass\ndef test_t04(): pass\n# def test_t05_d(): pass") == []
