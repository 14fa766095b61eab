"""The glossary: every word of a report is in it, terms are found however they are written."""

from __future__ import annotations

import pytest

from initwise.core.errors import UnknownNameError
from initwise.core.records import LEDGER_STATUSES, VERDICTS
from initwise.explain import explain, glossary
from initwise.explain.glossary import plain, registry
from initwise.schemes.base import EVIDENCE

RACE = ("finished", "eliminated", "diverged", "failed", "interrupted")
REPORTS = ("regret", "tie", "confidence", "high", "moderate", "low", "q", "χ₁", "LR", "digest", "rms")
ISSUE = (
    "fan-in", "fan-out", "gain", "variance scaling", "second moment", "operating point", "critical",
    "edge of chaos", "χ_∥", "dead unit", "symmetry breaking", "truncated normal", "semi-orthogonal", "Haar",
    "delta-orthogonal", "residual branch", "branch end", "pre-norm", "post-norm", "LayerScale", "muP", "NTK",
    "tied", "meta device", "stream", "seed", "shard", "ledger", "plan", "fill", "recipe", "flavor", "compat",
    "evidence", "LR range",
)  # fmt: skip


@pytest.mark.parametrize("word", [*VERDICTS, *LEDGER_STATUSES, *EVIDENCE, *RACE, *REPORTS, *ISSUE])
def test_every_word_of_reports_and_verdicts_is_a_term(word):
    assert word in registry
    assert explain(word, kind="term").summary


@pytest.mark.parametrize("text", ["fan-in", "fan_in", "Fan In", "FANIN"])
def test_spelling_does_not_matter(text):
    assert explain(text).title == "fan-in"


def test_a_term_is_told_with_its_symbols_and_neighbours():
    found = explain("gain")
    assert dict(found.facts)["in symbols"] == "gain = √(q/E[φ(√q·z)²]), std = gain/√fan_in"
    assert found.see == ("activation", "second moment", "operating point")
    assert "See also: activation, second moment, operating point" in str(found)


def test_no_two_terms_share_a_name():
    names = [plain(word) for term in glossary() for word in {plain(w) for w in (term.name, *term.aliases)}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("term", glossary(), ids=lambda term: term.name)
def test_a_term_is_complete(term):
    assert term.meaning.endswith(".")
    assert term.name not in term.see
    assert all(name in {other.name for other in glossary()} for name in term.see)


def test_a_scheme_comes_before_a_term_and_tells_of_it():
    assert explain("recipe").title == "recipe"
    with pytest.raises(UnknownNameError) as caught:
        explain("edge of chaoss")
    assert str(caught.value).startswith(
        "no scheme, activation, recipe or term is called 'edge of chaoss'.\n  Did you mean 'edge of chaos'?"
    )
    with pytest.raises(UnknownNameError, match="no term is called 'he_normal'"):
        explain("he_normal", kind="term")
