"""Stand-ins for characters that a terminal's encoding does not have.

What pictures and tables are made of is replaced one for one, after it is laid out (`readable`). Symbols in
formulas become the words they are read as, before text is laid out (`spelled`), because words are longer.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

_SAME_WIDTH = {
    **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)),
    **dict(zip("░▒▓", "-+%", strict=True)),
    **dict(zip("─│┼┴├└╶•…", "-|++|`--~", strict=True)),
}
"""One character for one, so that pictures and tables keep their columns."""
BRAILLE, FEW, SOME = 0x2800, 2, 4
"""A cell of up to so many dots is "." and ":", of more "#"."""

_SYMBOLS = {
    **dict(zip("−–—’‘“”′×÷‖", ["-", "-", "-", "'", "'", '"', '"', "'", "x", "/", "||"], strict=True)),
    **{"±": "+-", "→": "->", "←": "<-", "↔": "<->", "↦": "|->", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~="},
    **{"∈": "in", "∞": "inf", "∂": "d", "∝": "prop. to", "∏": "prod", "∥": "par", "√": "sqrt", "§": "sec. "},
    **{"⌈": "ceil(", "⌉": ")", "⌊": "floor(", "⌋": ")", "½": "0.5", "¼": "0.25", "·": ".", "…": "..."},
    **{"\u0302": "_hat", "\u0304": "_bar"},
}
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ᵀˣᵏʲⁿ", "0123456789-+Txkjn", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉ᵢⱼₖₙ", [*"0123456789", "_i", "_j", "_k", "_n"], strict=True))
_GREEK = r"[Α-Ωα-ωµ]"
_ROOT = re.compile(
    r"(?P<order>[²³⁴]?)√(?P<of>\d+(?:\.\d+)?|\|[^|]+\||(?:\w+\.)*\w+(?:\[[^\[\]]*\]|\([^()]*\))?)"
)
_ROOTS = {"": "sqrt", "²": "sqrt", "³": "root3", "⁴": "root4"}
_POWER = re.compile(f"[{''.join(_RAISED)}]+")
_TIMES = re.compile(r"(?<=[^\s·█░▒▓])·(?=[^\s·█░▒▓])|(?<=[^\s·█░▒▓]) · (?=[^\s·█░▒▓])")
_SUM = re.compile(r"Σ(?=[\s_])")
_PRODUCT = re.compile(rf"(?<={_GREEK})(?=[A-Za-z0-9Α-Ωα-ω])(?<!Δ)(?<!μ(?=P))|(?<=[A-Za-z])(?={_GREEK})")


def readable(text: str, encoding: str | None) -> str:
    """A text already laid out as `encoding` can show it; characters without a stand-in stay as they are."""
    known = encoding or "utf-8"
    if _has(known, text):
        return text
    drawn = "".join(character if _has(known, character) else _drawn(character) for character in text)
    return spelled(drawn, encoding)


def spelled(text: str, encoding: str | None) -> str:
    """A text whose symbols are written as words where `encoding` lacks them: "χ₁" as "chi1"."""
    known = encoding or "utf-8"
    if _has(known, text):
        return text
    lacking = frozenset(character for character in text if not _has(known, character))
    if "√" in lacking:
        text = _ROOT.sub(lambda root: f"{_ROOTS[root['order']]}({root['of']})", text)
    if lacking & _RAISED.keys():
        text = _POWER.sub(lambda power: _raised(power, text), text)
    if "·" in lacking:
        text = _TIMES.sub(lambda times: times[0].replace("·", "*"), text)
    if any("GREEK" in unicodedata.name(character, "") for character in lacking):
        text = _SUM.sub("sum", _PRODUCT.sub("*", text))
    return "".join(_word(character) if character in lacking else character for character in text)


def spelled_in(thing: Any, encoding: str | None) -> Any:
    """A Document, or any part of one, with every text in it `spelled`."""
    if isinstance(thing, str):
        return spelled(thing, encoding)
    if isinstance(thing, tuple):
        return tuple(spelled_in(part, encoding) for part in thing)
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        fields: Mapping[str, Any] = {
            field.name: spelled_in(getattr(thing, field.name), encoding)
            for field in dataclasses.fields(thing)
        }
        return dataclasses.replace(thing, **fields)
    return thing


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _drawn(character: str) -> str:
    code = ord(character) - BRAILLE
    if 0 <= code < 256:
        dots = code.bit_count()
        return " " if not dots else "." if dots <= FEW else ":" if dots <= SOME else "#"
    return _SAME_WIDTH.get(character, character)


def _raised(power: re.Match[str], text: str) -> str:
    plain = "".join(_RAISED[character] for character in power[0])
    return plain if not text[: power.start()].strip() or text[power.start() - 1].isspace() else f"^{plain}"


def _word(character: str) -> str:
    """The word for one symbol; an accented letter without its accent."""
    found = _SYMBOLS.get(character) or _LOWERED.get(character) or _RAISED.get(character)
    if found is not None:
        return found
    kind, _, letter = unicodedata.name(character, "").partition(" LETTER ")
    if kind in ("GREEK SMALL", "GREEK CAPITAL"):
        word = letter.lower().replace("lamda", "lambda")
        return word.capitalize() if kind == "GREEK CAPITAL" else word
    parts = unicodedata.normalize("NFKD", character)
    return "".join(_SYMBOLS.get(part, "") if unicodedata.combining(part) else part for part in parts)
