"""The reference: every row has its entry, no page is stale, every link in it leads somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from initwise.activations import activations
from initwise.explain import glossary
from initwise.recipes import recipes
from initwise.schemes import schemes

DOCS = Path(__file__).resolve().parents[2] / "docs"
STALE = "run python docs/build.py rows"


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("docs_reference", DOCS / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(reference):
    return reference.pages()


def test_every_page_is_what_the_code_says_today(pages):
    for path, page in pages.items():
        assert (DOCS / path).read_text(encoding="utf-8") == page, STALE


def test_a_page_names_the_file_that_writes_it(pages):
    for path in [*pages, "schemes.md", "recipes.md", "names.md"]:
        found = re.search(r"<!-- written by docs/(\w+\.py): ", (DOCS / path).read_text(encoding="utf-8"))
        assert found is not None, path
        assert found[1] == ("reference.py" if path in pages else "build.py")
        assert (DOCS / found[1]).exists()


def test_the_overview_leads_to_every_entry():
    overview = (DOCS / "schemes.md").read_text(encoding="utf-8")
    for page, rows in (("schemes", schemes), ("activations", activations), ("recipes", recipes)):
        for row in rows():
            assert f"| [{row.name}](reference/{page}.md#{row.name})" in overview


def test_there_is_no_page_that_nothing_writes(pages):
    assert {f"reference/{path.name}" for path in (DOCS / "reference").iterdir()} == {
        path for path in pages if path.startswith("reference/")
    }


@pytest.mark.parametrize(
    ("kind", "rows"), [("schemes", schemes), ("activations", activations), ("recipes", recipes)]
)
def test_every_row_has_its_entry_in_full(kind, rows):
    page = (DOCS / "reference" / f"{kind}.md").read_text(encoding="utf-8")
    entries = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", page, re.M | re.S))
    assert list(entries) == [row.name for row in rows()], STALE
    for row in rows():
        entry = entries[row.name]
        assert "- Law: " in entry
        assert f"- Source: {row.citation} (" in entry
        for option in getattr(row, "options", ()):
            assert f"| option {option.name} |" in entry
        for flavor in getattr(row, "flavors", ()) if kind == "schemes" else ():
            assert f"| flavor {flavor.name} |" in entry
        for text in filter(None, (getattr(row, "use", ""), getattr(row, "avoid", ""))):
            assert text in entry
        if kind == "schemes":
            assert entry.count("\n") > len(row.known)
            assert all(f"| {known.value:.10g} |" in entry for known in row.known)


def test_every_term_has_its_entry():
    page = (DOCS / "glossary.md").read_text(encoding="utf-8")
    for term in glossary():
        assert f"\n### {term.name}\n\n{term.meaning}" in page, STALE


def test_every_link_within_a_page_leads_to_a_heading(reference, pages):
    for path, page in pages.items():
        headings = {reference.anchor(title) for title in re.findall(r"^#+ (.+)$", page, re.M)}
        for target in re.findall(r"\]\(#([^)]+)\)", page):
            assert target in headings, f"{path}: #{target}"


def test_the_index_leads_to_every_page(pages):
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    for path in pages:
        assert f"({path})" in index
