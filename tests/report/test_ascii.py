"""Reports where the terminal's encoding has no Greek, no roots, no powers: the words they are read as."""

from __future__ import annotations

import unicodedata

import pytest

from initwise.activations import activations
from initwise.explain import explain, glossary
from initwise.recipes import recipes
from initwise.report import text
from initwise.report.ascii import readable, spelled
from initwise.schemes import schemes

KINDS = {"scheme": schemes, "activation": activations, "recipe": recipes, "term": glossary}


@pytest.mark.parametrize(
    ("symbols", "words"),
    [
        ("χ₁", "chi1"),
        ("χ_∥ = 1", "chi_par = 1"),
        ("E[φ′²]", "E[phi'^2]"),
        ("x·Φ(x)", "x*Phi(x)"),
        ("√(q/E[φ²])/√fan_in.", "sqrt(q/E[phi^2])/sqrt(fan_in)."),
        ("x = √q·z", "x = sqrt(q)*z"),
        ("gain · Q", "gain * Q"),
        ("N(0, √½)", "N(0, sqrt(0.5))"),
        ("B × ⁴√out/√γ", "B x root4(out)/sqrt(gamma)"),
        ("±2σ ≤ σ_w²", "+-2sigma <= sigma_w^2"),
        ("cos(2πBx), αZ", "cos(2pi*Bx), alpha*Z"),
        ("u-μP", "u-muP"),
        ("ΔW", "DeltaW"),
        ("1 + Σ_{j<i} wᵢ", "1 + sum_{j<i} w_i"),
        ("W ← W − U·Vᵀ·F⁻¹", "W <- W - U*V^T*F^-1"),
        ("−log(1 + e⁻ˣ) → 2⁻⁶⁴", "-log(1 + e^-x) -> 2^-64"),
        ("⌈size/2⌉, ‖z‖, ∝ 1/n, x̂, ā", "ceil(size/2), ||z||, prop. to 1/n, x_hat, a_bar"),
        ("Büyükakyüz", "Buyukakyuz"),
        ("(…, filters) “3×3” – so", '(..., filters) "3x3" - so'),
        ("漢", "漢"),  # no stand-in: left to the stream's own errors
    ],
)
def test_symbols_are_spelled_as_they_are_read(symbols, words):
    assert spelled(symbols, "ascii") == words
    assert spelled(symbols, "utf-8") == spelled(symbols, None) == symbols


def test_only_what_the_encoding_lacks_is_spelled():
    assert spelled("φ² ± ½·√2", "latin-1") == "phi² ± ½·sqrt(2)"


def test_what_is_laid_out_keeps_its_columns():
    assert readable("▁█ ├ name…end  · 0", "ascii") == "_# | name~end  . 0"


@pytest.fixture(scope="module")
def told() -> dict[str, tuple[str, str]]:
    """Every row's explanation: (in full, for a terminal that has ASCII alone)."""
    found = {}
    for kind, rows in KINDS.items():
        for row in rows():
            record = explain(row.name, kind=kind)
            found[f"{kind} {row.name}"] = text(record), text(record, encoding="ascii")
    return found


def test_no_row_has_a_character_without_a_stand_in(told):
    strange = {name: sorted(c for c in plain if not c.isascii()) for name, (_, plain) in told.items()}
    assert {name: left for name, left in strange.items() if left} == {}


def test_no_row_gets_a_question_mark_or_a_line_too_long(told):
    for name, (full, plain) in told.items():
        assert plain.count("?") == full.count("?"), name
        assert max(map(len, plain.splitlines())) <= 100, name


def test_no_greek_letter_of_any_row_becomes_a_latin_one(told):
    letters = {letter for full, _ in told.values() for letter in full if "α" <= letter.lower() <= "ω"}
    assert {"φ", "χ", "σ", "γ"} <= letters
    for letter in letters:
        assert spelled(letter, "ascii").lower() in unicodedata.name(letter).lower().replace("lamda", "lambda")
        assert len(spelled(letter, "ascii")) > 1
