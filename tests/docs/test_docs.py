"""Docs cannot lag: generated pages are up to date, every name, command, verdict and link is there."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import initwise
from initwise.cli.main import app
from initwise.core.records import LEDGER_STATUSES, VERDICTS
from initwise.schemes import schemes

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["schemes", "recipes", "names"])
def test_generated_pages_are_what_the_code_says_today(build, page):
    made = getattr(build, f"{page}_page")()
    assert made == (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"), "run make readme"


def test_the_tour_in_the_readme_is_what_the_example_prints(build):
    command = "python examples/tour.py"
    assert build.blocks(README)[command] == build.output_of(command).strip(), "run make readme"


def test_the_answer_in_the_readme_is_an_excerpt_of_the_committed_run(build):
    report = (ROOT / "docs" / "choose.txt").read_text(encoding="utf-8")
    shown = build.blocks(README)[build.CHOOSE]
    assert shown == build.excerpt(report)
    for part in ("Use ", "Ranking, best first", "Out, and why", "Apply it"):
        assert part in shown


def test_the_picture_shows_the_same_and_needs_nothing_from_elsewhere(build):
    picture = (ROOT / "docs" / "images" / "choose.svg").read_text(encoding="utf-8")
    assert picture == build.picture(build.blocks(README)[build.CHOOSE])
    assert not re.search(r"url\(\s*[\"']?https?:|@import|<image|href=[\"']https?:", picture)


def test_the_page_on_racing_shows_what_its_example_prints(build):
    page = (ROOT / "docs" / "racing.md").read_text(encoding="utf-8")
    command = "python examples/race_on_your_data.py"

    def timeless(text: str) -> str:
        return re.sub(r"[0-9.]+ s[.]", "… s.", " ".join(text.split()))

    printed = build.without_trainings(build.output_of(command))
    assert timeless(build.blocks(page)[command]) == timeless(printed), "python docs/build.py racing"


def test_writing_the_blocks_changes_nothing_but_the_blocks(build):
    found = build.blocks(README)
    assert build.with_blocks(README, found) == README
    assert len(found) == README.count("<!-- end -->") == 2


def test_every_public_name_has_its_line():
    page = (ROOT / "docs" / "names.md").read_text(encoding="utf-8")
    for name in initwise.__all__:
        assert f"`{name}`" in page


def test_every_scheme_has_its_row():
    page = (ROOT / "docs" / "schemes.md").read_text(encoding="utf-8")
    for row in schemes():
        assert f"\n| [{row.name}](reference/schemes.md#{row.name})" in page


def test_every_command_and_exit_code_is_described():
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    for command in app.registered_commands:
        assert f"`initwise {command.name}" in page
        assert f"initwise {command.name}" in README
    for code in (0, 1, 2, 130):
        assert f"| {code} |" in page


def test_every_verdict_and_status_is_explained():
    page = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    for word in (*VERDICTS, *LEDGER_STATUSES):
        assert f"`{word}`" in page


def test_every_example_is_linked():
    for example in (ROOT / "examples").glob("*.py"):
        assert f"examples/{example.name}" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    prose = re.sub(r"`[^`]*`|^    .*$", "", page.read_text(encoding="utf-8"), flags=re.M)
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize(
    ("package", "title", "row", "conformance"),
    [
        ("schemes", "How to add a scheme", "halving", "tests/schemes/test_scheme_rows.py"),
        ("activations", "How to add an activation", "bent_identity", "tests/activations/test_gain.py"),
    ],
)
def test_what_contributing_shows_is_all_it_takes(package, title, row, conformance, tmp_path):
    """The page's file, dropped into a copy of the package, passes the tests that hold every row."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    code = text.split(f"## {title}")[1].split("```python\n")[1].split("```")[0]
    shutil.copytree(
        ROOT / "src" / "initwise", tmp_path / "initwise", ignore=shutil.ignore_patterns("__pycache__")
    )
    (tmp_path / "initwise" / package / f"{row}.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", conformance, "-k", row]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    shown = subprocess.run(
        [sys.executable, "-m", "initwise", "explain", row],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "CONTRIBUTING.md" in shown.stdout, shown.stderr


def test_what_the_page_on_filling_shows_runs():
    import re

    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/filling.md").read_text(encoding="utf-8"), re.S)
    assert blocks
    exec("\n".join(blocks), {})
