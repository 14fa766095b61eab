"""The scheme's mechanism: a row declares a law, `scheme(name, **options)` makes it a frozen noun.

A row's options are the keyword-only arguments of its law function: the default, the type and
the meaning stand there once (`Annotated[float, "what it does"]`), and checking, `explain` and
`initwise list` follow from them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..core.codec import JsonMixin
from ..core.errors import FillError, OptionError
from ..core.fill import Fill
from ..core.layout import Fans, Layout, fans
from ..core.parameter import ParameterInfo
from ..core.registry import Registry
from ..core.traits import checked_traits
from .calling import called
from .finite import check_finite
from .flavors import Flavor
from .needs import NEEDS, About, Site, missing, needs_model, no_fill, options_for, settings_of
from .options import Option, Value, by_name, checked_options, is_number, options_of

if TYPE_CHECKING:
    from .adapters import Adapter
    from .mimetic import Attention

__all__ = [
    "EVIDENCE",
    "Known",
    "Option",
    "Rule",
    "Scheme",
    "SchemeRow",
    "Site",
    "Value",
    "checked_options",
    "options_of",
    "registry",
    "scaled",
    "scheme",
    "schemes",
]

EVIDENCE = ("verified in source", "computed", "second-hand", "recalled")

FLAVOR_MEANING = "whose law of this name, its count of the fans included; None is the law stated, true fans"

Rule = Callable[["Scheme", ParameterInfo], Fill | None]
"""What a role gets: (scheme, parameter) -> Fill, or None to leave the parameter alone."""


@dataclass(frozen=True)
class Known(JsonMixin):
    """A known answer, from the paper or from the framework's own numbers, never from this code.

    Attributes:
        shape, layout, groups, parts, stride: the weight, as for `fans`.
        options: of the scheme.
        attribute, value: an attribute of the Fill ("std", "high", "gain" …) and what it must be.
        source: where the value comes from.
        at: for a row with needs, the attributes of the `Site` as (name, value).
    """

    shape: tuple[int, ...]
    layout: str
    attribute: str
    value: float
    options: tuple[tuple[str, Value], ...] = ()
    groups: int = 1
    parts: tuple[tuple[str, int], ...] = ()
    stride: tuple[int, ...] = ()
    source: str = ""
    at: tuple[tuple[str, Any], ...] = ()


CALIBRATED = "calibrated on data"
"""The trait of a scheme whose numbers follow from a batch."""


@dataclass(frozen=True)
class SchemeRow:
    """One scheme, as the registry and `explain` know it.

    Attributes:
        name, aliases: what users call it.
        law: the function `law(fans, **options) -> Fill`; with needs `law(fans, at, **options)`, which may
            give None: leave it as it is.
        summary: plain words.
        formula: the law in closed form.
        citation: paper or source, with the equation.
        evidence: one of `EVIDENCE`.
        differences: where frameworks mean different things by this name, or that none has it. avoid: when
            not to use it. Neither may stay empty: `initwise.testing.check_scheme` says so.
        use: when to use it, in one sentence.
        suits, unsuited: the same in words of `core.traits.TRAITS`, which `initwise list --for` looks through.
        see: names of related schemes; none means those of the same file.
        known: known answers, checked for every row.
        flavors: what frameworks mean by this name; each is a value of the option `flavor`.
        elementwise: the law needs no fans, so it suits tables, tokens and vectors too.
        roles: what particular roles get instead of `roles.RULES`.
        planner: "module:function" for schemes of a whole model, called as
            `function(model, example, seed=…, **options) -> Plan`; "" for all others.
        needs: what the law needs beyond fans, of `needs.NEEDS`; it comes in one `Site`.
        touches: parts it is about: a model with none of them is refused. about: where parts do not tell.
        arrays: its law gives arrays (an `Adapter`, an `Attention`) and no Fill: `Scheme.start`, not `fill`.
    """

    name: str
    law: Callable[..., Any]
    summary: str
    formula: str
    citation: str
    evidence: str
    differences: tuple[str, ...] = ()
    avoid: str = ""
    use: str = ""
    suits: tuple[str, ...] = ()
    unsuited: tuple[str, ...] = ()
    see: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    known: tuple[Known, ...] = ()
    flavors: tuple[Flavor, ...] = ()
    elementwise: bool = False
    roles: Mapping[str, Rule] = field(default_factory=dict)
    planner: str = ""
    needs: tuple[str, ...] = ()
    touches: tuple[str, ...] = ()
    about: About | None = None
    arrays: bool = False

    @property
    def calibrated(self) -> bool:
        """Does its planner look at data, beyond the model's structure?"""
        return bool(self.planner) and CALIBRATED in self.suits

    def __post_init__(self) -> None:
        strange = [need for need in self.needs if need not in NEEDS]
        if strange:
            raise OptionError(f"scheme {self.name!r} needs {strange[0]!r}", legal=NEEDS, given=strange[0])
        checked_traits(f"scheme {self.name!r}", (*self.suits, *self.unsuited))

    @property
    def options(self) -> tuple[Option, ...]:
        """The law's options with their defaults and meanings, and `flavor` if there are any."""
        names = tuple(flavor.name for flavor in self.flavors)
        flavor = Option("flavor", None, FLAVOR_MEANING, names, "choice")
        own = options_of(self.law)
        return (*own, *options_for(self.needs, own), *([flavor] if names else []))

    def flavor(self, name: Value) -> Flavor | None:
        """The flavor of this name, or None."""
        return next((flavor for flavor in self.flavors if flavor.name == name), None)

    def defaults(self, flavor: Value = None) -> dict[str, Value]:
        """Every option's default; under a flavor, what that framework defaults to."""
        chosen = self.flavor(flavor)
        plain = {option.name: option.default for option in self.options}
        return {**plain, **(chosen.settings if chosen else {})}

    def checked(self, given: Mapping[str, Any]) -> tuple[tuple[str, Value], ...]:
        """All options as (name, value), defaults filled in. Raises OptionError for what is none."""
        where = f"scheme {self.name!r}"
        found = dict(checked_options(where, self.options, given))
        chosen = self.flavor(found.get("flavor"))
        for name in chosen.required if chosen else ():
            if chosen and name not in given:
                raise OptionError(
                    f'flavor="{chosen.name}" without {name}',
                    where=where,
                    expected=f"{name}=…",
                    cause=f"{chosen.spelled} has no default for it",
                )
        defaults = self.defaults(found.get("flavor"))
        return tuple((name, found[name] if name in given else defaults[name]) for name in found)

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON data, its functions left out."""
        words = ("name", "summary", "formula", "citation", "evidence", "use", "avoid", "planner")
        lists = ("aliases", "differences", "suits", "unsuited", "see", "needs")
        return {
            **{name: getattr(self, name) for name in words},
            **{name: list(getattr(self, name)) for name in lists},
            "options": [option.to_dict() for option in self.options],
            "flavors": [flavor.to_dict() for flavor in self.flavors],
        }


_ZERO = 'Two are written like this: "zero_hadamard", the ZerO of Zhao et al. 2021, and "zeros", the number 0.'
registry: Registry[SchemeRow] = Registry(
    "scheme", "initwise.schemes", SchemeRow, "initwise.schemes", confused={"zero": _ZERO}
)


@dataclass(frozen=True)
class Scheme(JsonMixin):
    """A named law with its options: `Scheme + Fans + gain → Fill`.

    Make one with `scheme(name, **options)`.

    Attributes:
        name: the row's name (an alias is replaced by it).
        options: every option as (name, value), those not given at their defaults.

    Raises:
        UnknownNameError: no scheme has this name.
        OptionError: an unknown option, or a value it cannot have.
        FillError: options that make no law (a negative std, empty bounds …).
    """

    name: str
    options: tuple[tuple[str, Value], ...] = ()

    def __post_init__(self) -> None:
        row = registry[self.name]
        object.__setattr__(self, "name", row.name)
        object.__setattr__(self, "options", row.checked(dict(self.options)))
        if not row.planner and not row.needs:
            # a law that is none shall be refused here, not at the first weight
            self._made(fans((1, 1), "oi"))

    def __str__(self) -> str:
        defaults = self.row.defaults(dict(self.options).get("flavor"))
        given = [f"{name}={_short(value)}" for name, value in self.options if value != defaults[name]]
        return self.name + (f"({', '.join(given)})" if given else "")

    @property
    def row(self) -> SchemeRow:
        """The registry's row: summary, formula, citation, differences."""
        return registry[self.name]

    @property
    def flavor(self) -> Flavor | None:
        """The framework's flavor that was asked for, or None."""
        return self.row.flavor(dict(self.options).get("flavor"))

    @property
    def _settings(self) -> dict[str, Any]:
        """The options of the law itself."""
        return settings_of(dict(self.options), self.row.law)

    def fill(self, fans: Fans | None = None, *, gain: float = 1.0, at: Site | None = None) -> Fill:
        """The Fill this law gives a weight with these fans; packed parts each by their own fans.

        Args:
            fans: from `initwise.fans(shape, layout)`; may be left out by laws that need none.
            gain: a factor ≥ 0 on the law's values (the engine's std is multiplied by it).
            at: where the weight stands in its model, for schemes that need it (`row.needs`).

        Raises:
            OptionError: no fans for a law that needs them, a scheme of a whole model, or one that needs
                `at`.
            FillError: a fan of zero, a shape the law cannot fill, a negative or NaN gain.
        """
        fill = self.placed(fans, gain, at)
        if fill is None:
            raise OptionError(
                f"scheme {self.name!r} leaves {at.part or at.role if at else 'it'} as it is",
                expected="a parameter that it is for",
            )
        return fill

    def placed(self, fans: Fans | None, gain: float, at: Site | None) -> Fill | None:
        """As `fill`; None where a law with needs leaves the parameter as it is."""
        row = self.row
        if row.planner:
            raise needs_model(self.name)
        if row.needs and at is None:
            raise missing(row.name, row.needs)
        if row.arrays:
            raise no_fill(row.name, row.needs)
        if fans is None and (row.elementwise or row.needs):
            return self._law(None, gain, at)
        if not isinstance(fans, Fans):
            raise OptionError(
                f"fans is {'missing' if fans is None else f'a {type(fans).__name__}'}",
                where=f"scheme {self.name!r}",
                expected="Fans",
                fix='initwise.fans(shape, layout) makes them: fans((256, 64), "oi").',
            )
        if fans.shape and not math.prod(fans.shape):
            return Fill.constant(0.0, layout=fans.layout, reason="no elements")
        fans = self.flavor.of(fans) if self.flavor else fans
        if fans.parts and fans.layout is not None:
            return self._packed(fans, gain, at)
        return self._law(fans, gain, at)

    def start(self, at: Site) -> Adapter | Attention:
        """Matrices to start from, of a scheme of arrays, at `Site(given=Given(rank, scale, weight=…))`.

        Raises OptionError for a scheme that is a law, FillError for what is not given or does not fit.
        """
        if not self.row.arrays:
            raise OptionError(f"scheme {self.name!r} is a law", expected="scheme.fill(fans)")
        started: Adapter | Attention = called(self.row, str(self), None, at, self._settings)
        return started

    def fill_parameter(
        self, info: ParameterInfo, *, gain: float = 1.0, at: Site | None = None
    ) -> Fill | None:
        """The Fill for one parameter of a model, by its role (see `initwise.schemes.roles`).

        Args:
            info: the parameter, as the framework's adapter describes it.
            gain: a factor ≥ 0 on weights and recurrent matrices (and on a weight's magnitude).
            at: where it stands in its model, for schemes that need it.

        Returns:
            The Fill, or None: leave the parameter as it is.

        Raises:
            FillError, OptionError, ModelError: as `fill`, naming the parameter.
        """
        from .roles import fill_parameter

        if self.row.planner:
            raise needs_model(self.name)
        return fill_parameter(self, info, gain, at)

    def _law(self, fans: Fans | None, gain: float, at: Site | None = None) -> Fill | None:
        row = self.row
        fill = self._made(fans, at)
        if fill is None:
            return None
        check_finite(fill, str(self))
        if fill.layout is None and fans is not None:
            fill = dataclasses.replace(fill, layout=fans.layout)
        if not fill.citation:
            fill = fill.because(fill.reason or row.formula, row.citation)
        if self.flavor:
            fill = fill.because(f"{fill.reason}; as {self.flavor.spelled}")
        return scaled(fill, gain)

    def _made(self, fans: Fans | None, at: Site | None = None) -> Fill | None:
        fill: Fill | None = called(self.row, str(self), fans, at, self._settings)
        return fill

    def _packed(self, fans: Fans, gain: float, at: Site | None = None) -> Fill:
        layout = fans.layout or Layout("oi")
        sizes = dict(layout.parts)
        sites = {name: at and dataclasses.replace(at, piece=name) for name in sizes}
        pieces = [
            (name, sizes[name], self.fill(part, gain=gain, at=sites[name])) for name, part in fans.parts
        ]
        if all(fill.law == "constant" and fill.mean == pieces[0][2].mean for _, _, fill in pieces):
            return dataclasses.replace(pieces[0][2], layout=layout)
        reasons = {name: fill.reason for name, _, fill in pieces}
        reason = f"each of {', '.join(sizes)} by its own fans: {pieces[0][2].reason}"
        if self.row.needs and len(set(reasons.values())) > 1:
            reason = "; ".join(f"{name}: {why}" for name, why in reasons.items())
        return Fill.packed(pieces, layout=layout, reason=reason, citation=pieces[0][2].citation)


def scaled(fill: Fill, gain: float) -> Fill:
    """`fill` times `gain`, which is told in the reason. Raises FillError for gain < 0 or NaN."""
    if isinstance(gain, bool) or not is_number(gain) or not 0 <= float(gain) < math.inf:
        raise FillError(f"gain {gain!r}", expected="a finite number ≥ 0", fix='initwise.gain("relu") is one.')
    if gain == 1:
        return fill
    return fill.scaled(float(gain)).because(f"{fill.reason}, times gain {gain:.6g}")


def scheme(name: str, *unnamed: Any, **options: Any) -> Scheme:
    """The scheme called `name` (or alias), with `options`.

    Raises:
        UnknownNameError: no such scheme; the nearest name is in the message.
        OptionError, FillError: see `Scheme`.

    >>> print(scheme("kaiming_normal", mode="fan_out"))
    he_normal(mode="fan_out")
    """
    row = registry[name]
    if unnamed:
        raise by_name("scheme", row.name, row.options, unnamed)
    return Scheme(row.name, tuple(options.items()))


def schemes() -> tuple[SchemeRow, ...]:
    """All schemes, sorted by name."""
    return registry.rows()


def _short(value: Value) -> str:
    return (
        f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
    )
