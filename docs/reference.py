"""The reference pages, from the same rows as everything else: docs/reference/*.md and docs/glossary.md.

`docs/build.py` writes them; tests/docs holds them to what the code says today.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from initwise.activations import activations
from initwise.core.records import Explanation
from initwise.explain import explain, glossary
from initwise.explain.terms import Term
from initwise.recipes import recipes
from initwise.report.sketch import sketch
from initwise.schemes import Known, SchemeRow, schemes

sys.path.insert(0, str(Path(__file__).resolve().parent))  # its neighbours, also where a test loads it
from tables import anchor, made, table

MADE = made("reference.py")
UNSTABLE = frozenset({"error of the quadrature"})
"""Facts that may differ in their last digits from one machine to the next."""


def pages() -> dict[str, str]:
    """Path under docs/ → the page."""
    return {
        "reference/schemes.md": _page(
            "Schemes", SCHEMES, [(row, explain(row.name, kind="scheme")) for row in schemes()]
        ),
        "reference/activations.md": _page(
            "Activations", ACTIVATIONS, [(row, explain(row.name, kind="activation")) for row in activations()]
        ),
        "reference/recipes.md": _page(
            "Recipes", RECIPES, [(row, explain(row.name, kind="recipe")) for row in recipes()]
        ),
        "glossary.md": glossary_page(),
    }


def glossary_page() -> str:
    """docs/glossary.md: the terms by topic."""
    topics: dict[str, list[str]] = {}
    for term in glossary():
        topics.setdefault(term.topic, []).append(_term(term))
    parts = [f"## {topic}\n\n" + "\n\n".join(terms) for topic, terms in topics.items()]
    return "\n\n".join(["# Glossary", MADE + GLOSSARY, *parts]) + "\n"


def _term(term: Term) -> str:
    also = f" Also: {', '.join(term.aliases)}." if term.aliases else ""
    formula = f" `{term.formula}`." if term.formula else ""
    see = f" See {', '.join(f'[{name}](#{anchor(name)})' for name in term.see)}." if term.see else ""
    return f"### {term.name}\n\n{term.meaning}{also}{formula}{see}"


GLOSSARY = (
    "What the words of reports and papers mean, for somebody who meets them first. "
    '`initwise explain "fan-in"` prints one, `initwise list glossary` all.'
)
SCHEMES = (
    "Every law: what it is, when to use it and when not, its options, what frameworks mean by its name, and "
    "the numbers it is tested against. *Verified in source* says that the code named there was read; papers "
    "beside it were not read again, nor their equation numbers. "
    "`initwise explain NAME --shape 256,128,3,3 --layout oihw` prints an entry for your weight; "
    "`initwise list schemes --for TEXT` finds one. A line for each: "
    "[schemes.md](../schemes.md)."
)
ACTIVATIONS = (
    "Every activation with its moments under x ~ N(0, 1), its gains and its edge of chaos, computed from the "
    "function; what papers and frameworks print instead. `initwise explain NAME --option q=2` prints it at "
    "another variance."
)
RECIPES = (
    "Every recipe: what it is for, its rules and its options. Rules flavor by flavor are in "
    "[recipes.md](../recipes.md); what is compared with transformers in "
    "[recipes-agreement.md](../recipes-agreement.md)."
)


def _page(title: str, intro: str, entries: list[tuple[Any, Explanation]]) -> str:
    index = ", ".join(f"[{row.name}](#{anchor(row.name)})" for row, _ in entries)
    return (
        "\n\n".join([f"# {title}", MADE + intro, index, *(_entry(row, told) for row, told in entries)]) + "\n"
    )


def _entry(row: Any, told: Explanation) -> str:
    facts = [(label, value) for label, value in told.facts if label not in UNSTABLE]
    tables = [table(("What", "Value"), ((label, value) for label, value in facts))] if facts else []
    known = [_known(row)] if isinstance(row, SchemeRow) and row.known else []
    picture = (
        [f"```text\n{sketch(told.picture)}\n```"] if told.picture and not isinstance(row, SchemeRow) else []
    )
    return "\n\n".join([f"## {row.name}", told.summary, _lines(row, told), *picture, *tables, *known])


def _lines(row: Any, told: Explanation) -> str:
    use = told.use or getattr(row, "use", "")
    said = [
        ("Law", f"`{told.law}`" if told.law and "`" not in told.law else told.law),
        ("For", use),
        ("Not for", told.avoid),
        ("Suits", ", ".join(getattr(row, "suits", ()))),
        ("Does not suit", ", ".join(getattr(row, "unsuited", ()))),
        ("Source", f"{told.citation} ({told.evidence})"),
        ("History", " → ".join(told.history)),
        ("See also", ", ".join(f"[{name}](#{anchor(name)})" for name in told.see)),
    ]
    lines = [f"- {label}: {text}" for label, text in said if text]
    return "\n".join([*lines, *(f"- Differs: {text}" for text in told.differences)])


def _known(row: SchemeRow) -> str:
    rows = ((_weight(known), known.attribute, f"{known.value:.10g}", known.source) for known in row.known)
    return table(("Known answer for", "what", "value", "from"), rows)


def _weight(known: Known) -> str:
    """The weight as a reader would say it: shape, axes, and what else is said of it."""
    said = [f"{' × '.join(map(str, known.shape))} `{known.layout}`"] if known.layout else []
    said += [f"groups {known.groups}"] if known.groups != 1 else []
    said += [f"{name} {value}" for name, value in (*known.options, *known.at)]
    return ", ".join(said)
