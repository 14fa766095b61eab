"""A user's words → traits: "deep relu cnn without norm" is deep, relu, cnn, without norm."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..activations import registry as activation_registry
from ..core.errors import OptionError
from ..core.traits import GROUPS, TRAITS
from ..recipes import registry as recipe_registry
from ..schemes import registry as scheme_registry

LONGEST = 4
"""No phrase of the vocabulary has more words than this, hyphens aside."""
SHALLOW, VERY_DEEP, LONG = 8, 100, 100
"""Fewer layers than the first are shallow, as many as the second are very deep, the others are deep; a
sequence of as many steps as the third takes a long memory."""
NOT = frozenset({"without", "no", "not", "non", "w/o", "minus", "never"})
_SILENT = (
    "a an the with for of and or in on my our is to i we use using that which has have its it from scratch "
    "net nets network networks model models neural layer layers block blocks weight weights init "
    "initialization initialisation initialize scheme schemes recipe recipes activation activations function "
    "train training trained based style like good best start starting build building by at as per "
    "free what when this some any very pretraining pretrain step steps"
)
SILENT = frozenset(_SILENT.split())
"""Words that say nothing about which row fits."""


@dataclass(frozen=True)
class Asked:
    """A description, read.

    Attributes:
        understood: (words, trait), "not TRAIT" where the words deny it.
        wanted, denied: the traits. names: rows that were called by name, as (kind, name).
        unknown: words of no meaning here.
    """

    understood: tuple[tuple[str, str], ...]
    wanted: tuple[str, ...]
    denied: tuple[str, ...]
    names: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]


OPPOSITES: Mapping[str, str] = {
    **dict.fromkeys(("norm", "batchnorm", "layernorm"), "without norm"),
    "resnet": "plain",
    "residual branch": "plain",
    "deep": "shallow",
    "very deep": "shallow",
    "smooth": "kinked",
}
"""What "without X" means where there is a trait for it."""


def read(text: str) -> Asked:
    """The traits in `text`.

    Raises:
        OptionError: nothing in it was understood; the message holds the vocabulary.
    """
    if not isinstance(text, str):
        raise OptionError(f"a {type(text).__name__}", where="--for", expected="words")
    asked = _gathered(_phrases(_tokens(text)))
    if asked.wanted or asked.names:
        return asked
    if asked.denied:
        raise OptionError(
            f"{text!r} tells only what the network is not", where="--for", expected="what it is, too"
        )
    raise _nothing(text, asked.unknown)


NEGATION, SILENCE = "not", ""
Meaning = str | tuple[str, str] | None
"""A trait, (kind, name) of a row, `NEGATION`, `SILENCE`, or None: unknown."""


def _gathered(phrases: Iterable[tuple[str, Meaning]]) -> Asked:
    found: list[tuple[str, str]] = []
    names: list[tuple[str, str]] = []
    unknown: list[str] = []
    denied = before = False
    for words, meaning in phrases:
        if meaning == NEGATION:
            denied = True
        elif meaning is None:
            unknown.append(words)
        elif isinstance(meaning, tuple):
            names.append(meaning)
            found += [(words, f"the {meaning[0]} {meaning[1]}"), *((words, t) for t in _of_row(*meaning))]
        elif meaning:
            found.append((words, _denied(meaning) if denied else meaning))
            names += [] if denied else _also(words, meaning)
        denied, before = _still_denied(words, meaning, denied, before)
    return _asked(found, names, unknown)


def _still_denied(words: str, meaning: Meaning, denied: bool, before: bool) -> tuple[bool, bool]:
    """Does "without" reach the next word, and did it reach this one: "without any norm or skips"."""
    if words in ("or", "nor"):
        return before, before
    if meaning in (NEGATION, SILENCE):
        return denied, before
    return False, denied or words.split()[0] in NOT


def _also(words: str, trait: str) -> list[tuple[str, str]]:
    """The recipe that has this word for a name too, and is about the same: "ppo", "lora"."""
    kind, name = rows().get(squeezed(words), ("", ""))
    exact = squeezed(words) in traits()  # not by a plural: the transformers library is no word for attention
    return [(kind, name)] if exact and kind == "recipe" and trait in recipe_registry[name].suits else []


def _of_row(kind: str, name: str) -> tuple[str, ...]:
    """What calling a row by name says of the network: a published model is a network of its kind."""
    if kind == "activation":
        return ("any activation",)
    if kind == "scheme":
        return ()
    groups = ("architecture", "norm", "activation")
    return tuple(trait for trait in recipe_registry[name].suits if TRAITS[trait].group in groups)


def _asked(found: list[tuple[str, str]], names: list[tuple[str, str]], unknown: list[str]) -> Asked:
    traits = list(dict.fromkeys(trait for _, trait in found if not trait.startswith("the ")))
    wanted = tuple(trait for trait in traits if not trait.startswith("not "))
    denied = tuple(trait.removeprefix("not ") for trait in traits if trait.startswith("not "))
    return Asked(
        tuple(dict.fromkeys(found)),
        wanted,
        denied,
        tuple(dict.fromkeys(names)),
        tuple(dict.fromkeys(unknown)),
    )


def _denied(trait: str) -> str:
    return OPPOSITES.get(trait, f"not {trait}")


def _tokens(text: str) -> list[str]:
    """The words, hyphens being spaces; "norm-free" is "without norm"."""
    text = re.sub(r"([\w-]+)[- ]free\b", r"without \1", text.lower().replace("w/o", "without"))
    return re.findall(r"[a-z0-9μ]+", text.replace("μ", "mu"))


def _phrases(tokens: Sequence[str]) -> Iterator[tuple[str, Meaning]]:
    """The tokens as phrases with their meanings, the longest phrase first."""
    place = 0
    while place < len(tokens):
        size, meaning = _at(tokens, place)
        yield " ".join(tokens[place : place + size]), meaning
        place += size


def _at(tokens: Sequence[str], place: int) -> tuple[int, Meaning]:
    """How many tokens from `place` on make one phrase, and what it means."""
    for size in range(min(LONGEST, len(tokens) - place), 0, -1):
        meaning = _meaning("".join(tokens[place : place + size]))
        if meaning is not None:
            return size, meaning
    word = tokens[place]
    if word in NOT:
        return 1, NEGATION
    split = re.fullmatch(r"([a-z]+)(\d+)", word)
    if split and (meaning := _meaning(split[1])) is not None:
        return 1, meaning
    return 1, (SILENCE if word in SILENT else None)


def depth(layers: int) -> str:
    """The trait of a network of so many layers."""
    return "shallow" if layers < SHALLOW else "deep" if layers < VERY_DEEP else "very deep"


def memory(steps: int) -> str:
    """The trait of sequences of so many steps; of short ones, none."""
    return "long memory" if steps >= LONG else SILENCE


def _meaning(key: str) -> Meaning:
    """A trait or row by its squeezed name, singular or plural."""
    match = re.fullmatch(r"(\d+)(layers?|blocks?|(?:time)?steps?)", key)
    if match:
        return depth(int(match[1])) if match[2][0] in "lb" else memory(int(match[1]))
    singular = [key, *([key[:-1]] if key.endswith("s") else []), *([key[:-2]] if key.endswith("es") else [])]
    for form in singular:
        if form in traits():
            return traits()[form]
    return None if key in SILENT else rows().get(key)


@functools.cache
def traits() -> Mapping[str, str]:
    """Squeezed phrase → trait."""
    found = {squeezed(word): trait.name for trait in TRAITS.values() for word in trait.words}
    return {**found, **{squeezed(name): name for name in TRAITS}}


@functools.cache
def rows() -> Mapping[str, tuple[str, str]]:
    """Squeezed name or alias → (kind, name); schemes before recipes before activations."""
    found: dict[str, tuple[str, str]] = {}
    registries: tuple[tuple[str, Iterable[object]], ...] = (
        ("activation", activation_registry),
        ("recipe", recipe_registry),
        ("scheme", scheme_registry),
    )
    for kind, registry in registries:
        for row in registry:
            name, aliases = getattr(row, "name", ""), getattr(row, "aliases", ())
            found.update({squeezed(word): (kind, name) for word in (name, *aliases)})
    return found


def squeezed(text: str) -> str:
    """Lower case, without spaces, hyphens, underscores: how phrases are compared."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def nearest(word: str) -> str:
    """The trait or phrase most like `word`, "" if none is."""
    phrases = {squeezed(w): w for trait in TRAITS.values() for w in (*trait.words, trait.name)}
    near = difflib.get_close_matches(squeezed(word), phrases, n=1, cutoff=0.7)
    return phrases[near[0]] if near else ""


def _nothing(text: str, unknown: Sequence[str]) -> OptionError:
    guesses = [f"{near} for {word}" for word in unknown if (near := nearest(word))]
    vocabulary = "\n".join(f"    {group}: {', '.join(names)}" for group, names in GROUPS.items())
    meant = f"Did you mean {', '.join(guesses)}?\n  " if guesses else ""
    return OptionError(
        f"nothing in {text!r} is understood",
        where="--for",
        expected="what the network is",
        fix=f"{meant}Words there are, and many of their synonyms:\n{vocabulary}",
    )
