"""Bases, and functions of them: what a `Value` is made of.

A `Base` is a random tensor of which only moments are known; different bases are independent. A
`Factor` is a function of one base. Products of factors are in `terms`.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import kin, luck, quadrature
from .axes import Array, Axes, left_blocks, right_blocks, spread_left, spread_right
from .luck import NONE, Luck
from .moments import Moments, coarse, coarse_axes, coarse_blocks, regrouped, traced
from .readings import read, with_jumps
from .samples import sampled_terms, shuffles

if TYPE_CHECKING:
    from .terms import Term

Grams = dict[frozenset["Base"], Moments]
"""Root (the bases of a tensor) → how far the second moments, given the root, stray; see `grams`."""
PARTS = ("select", "slice")
"""Moves that tell places of one tensor apart."""
KEPT = (("largest",), ("square",), ("of square",), ("projected",))
"""Origins that views keep."""
MANY, ORDINARY = 1 << 14, 1e9
"""Numbers of a function that are kept in single precision, if the largest is of such a size."""
PRODUCT = "product"
"""The origin of a product: (PRODUCT, numbers of what was drawn for both)."""


class Base:
    """A random tensor known by its moments.

    Attributes:
        moments: its moments.
        law: standardized values on the quadrature's grid for what is not Gaussian, or None.
        spread: what makes all of it larger or smaller together, from one draw of the weights to the next.
        origin: how it came about, where a later rule can use that: ("average", base, dims).
        parameter: are its elements drawn independently, as a weight's are?
        grams: what its second moments share with others that were made from the same tensor; see `grams`.
        number: one for all views of what was drawn once.
        made_from: of a view, the base it is one of (as long as that lives), and the move's key.
        opaque: the numbers of what it depends on in ways that are not followed; see `related`.
        lasting: those of which its sums and products with others are told too, up to a contraction.
        told: notes for gradients that it is multiplied with; one set for all views.
        places: of a view, the parts of the whole that were taken on the way.
        made: how it was made, where its covariance with others is found by that; see `kin`.
        marks: what it came of, once that was asked; see `kin`.
        common: what was computed of it, by name; one for all views that only group the same axes otherwise.
        reach: the lowest and the highest number of what was drawn for products that it is, or is a sum of.
        uses: what it was multiplied with on the way forward, of a weight; one list for all views.
    """

    def __init__(
        self,
        moments: Moments,
        law: Array | None = None,
        spread: Luck = NONE,
        origin: tuple[Any, ...] = (),
        *,
        parameter: bool = False,
        grams: Grams | None = None,
    ) -> None:
        self.moments, self.law, self.spread, self.origin = moments, law, spread, origin
        self.parameter, self.grams = parameter, grams or {}
        self._views: dict[Hashable, Base] = {}
        self.number = luck.number()
        self.uses: list[str] = []
        self.made: kin.Made | None = None
        self.marks: int | None = None
        self.partners: list[Any] = []
        self.made_from: tuple[weakref.ref[Base], Hashable] | None = None
        self.opaque: frozenset[int] = frozenset()
        self.lasting: frozenset[int] = frozenset()
        self.told: set[str] = set()
        self.places: frozenset[tuple[Hashable, ...]] = frozenset()
        self.common: dict[str, Any] = {}
        self.reach = _reach(origin)

    def _back(self, key: Hashable, change: Callable[[Moments], Moments]) -> Base | None:
        """The base that this is a view of, if the move undoes what made it: into groups and back."""
        before = None if self.made_from is None else self.made_from[0]()
        if before is None or self.made_from is None:
            return None
        if not _undoes(key, self.made_from[1], before.moments.shape):
            return None
        return before if change(self.moments).axes == before.moments.axes else None

    @property
    def grid(self) -> Array:
        """Values on the quadrature's grid, (blocks…, points): large, and made quicker than kept."""
        deviation = np.sqrt(self.moments.variance)[..., None]
        law = quadrature.GRID if self.law is None else self.law
        return np.asarray(self.moments.mean[..., None] + deviation * law)

    @property
    def correlation(self) -> Array:
        """Correlation of the Gaussians behind two elements, over patterns; 1 where they are the same."""
        found: Array = once(self.common, "correlation", self._correlation)
        return found

    def _correlation(self) -> Array:
        moments = self.moments
        spread = np.sqrt(moments.variance)
        product = spread_left(spread, moments.axes) * spread_right(spread, moments.axes)
        means = spread_left(moments.mean, moments.axes) * spread_right(moments.mean, moments.axes)
        floor = 1e-150 + 1e-12 * np.abs(moments.second)
        rho = np.divide(moments.second - means, product, out=np.zeros_like(product), where=product > floor)
        rho = np.clip(rho, -1.0, 1.0)
        return rho if self.law is None else quadrature.underlying(self.law, rho)

    @cached_property
    def coarse(self) -> Base:
        """This base with few blocks: enough to tell how much luck there is."""
        axes = coarse_axes(self.moments.axes)
        if axes == self.moments.axes:
            return self
        found: Moments = once(self.common, "coarse", lambda: coarse(self.moments))
        return Base(Moments(axes, found.second, found.mean), self.law)

    @cached_property
    def scales(self) -> tuple[float, ...]:
        """The scales that luck may give it, with equal weights and mean square 1."""
        # what has a mean of its own keeps it
        fixed = (self.moments.mean**2 > self.moments.square / 2).any()
        return (1.0,) if fixed else self.spread.scales

    @cached_property
    def sample(self) -> Array:
        """For a sum of terms, a stratified sample of it."""
        return sampled_terms(self.origin[1])

    def sampled_in(self, terms: tuple[Term, ...]) -> int:
        """The shuffle of this base in the sample of a sum of `terms`."""
        return shuffles(terms)[self]

    def view(self, key: Hashable, change: Callable[[Moments], Moments]) -> Base:
        """This base moved by `change`; the same base for the same key, so that it is recognised."""
        if key not in self._views:
            back = self._back(key, change)
            if back is not None:
                return back
            grams = {root: change(gram) for root, gram in self.grams.items()}
            moments = change(self.moments)
            # a mean over axes that is broadcast back is still the mean
            whole = self.origin[1].moments.shape if self.origin[:1] == ("average",) else None
            kept = moments.shape == whole or self.origin[:1] in KEPT
            origin = self.origin if kept else _product(self.origin)
            self._views[key] = Base(
                moments, self.law, self.spread, origin, parameter=self.parameter, grams=grams
            )
            self._views[key].number, self._views[key].uses = self.number, self.uses
            self._views[key].partners = self.partners
            if kin.remembered():
                self._views[key].made = kin.View(self, key, change)
            self._views[key].made_from = (weakref.ref(self), key)
            self._views[key].opaque, self._views[key].told = self.opaque, self.told
            self._views[key].lasting = self.lasting
            here = {key} if isinstance(key, tuple) and key[0] in PARTS else set()
            self._views[key].places = self.places | here
            if regrouped(self.moments, moments):
                self._views[key].common = self.common
        return self._views[key]


def once(known: dict[str, Any], name: str, make: Callable[[], Any]) -> Any:
    """What is known by that name; made where it is not yet."""
    if name not in known:
        known[name] = make()
    return known[name]


def _undoes(key: Hashable, made_by: Hashable, shape: tuple[int, ...]) -> bool:
    """Does the move `key` undo the move that made a view of a tensor of `shape`?"""
    match made_by, key:
        case ("reshape", _), ("reshape", wanted):
            return bool(wanted == shape)
        case ("permute", tuple(there)), ("permute", tuple(back) | list(back)):
            return [there[d] for d in back] == list(range(len(shape)))
    return False


def _product(origin: tuple[Any, ...]) -> tuple[Any, ...]:
    """What is left of an origin elsewhere: which products it is, or is a sum of; see `echoes`."""
    if origin[:1] == (PRODUCT,):
        return origin
    terms = origin[1] if origin[:1] == ("sum",) else ()
    found = [f.base.origin[1] for term in terms for f in term.factors if f.base.origin[:1] == (PRODUCT,)]
    return (PRODUCT, frozenset().union(*found)) if found else ()


def _reach(origin: tuple[Any, ...]) -> tuple[float, float]:
    if origin[:1] == (PRODUCT,):
        return min(origin[1], default=math.inf), max(origin[1], default=-math.inf)
    terms = origin[1] if origin[:1] == ("sum",) else ()
    parts = [term.factors[0].base.reach for term in terms if len(term.factors) == 1]
    ends = [(math.inf, -math.inf), *parts]
    return min(low for low, _ in ends), max(high for _, high in ends)


@dataclass(frozen=True, eq=False)
class Factor:
    """A function of one base: its values on the base's grid, or None for the base itself."""

    base: Base
    values: Array | None = None

    def __post_init__(self) -> None:
        """Over many blocks in single precision: kept for the way back, they are most of the memory."""
        if self.values is not None and self.values.size > MANY and self.values.dtype == np.float64:
            largest = float(np.abs(self.values).max())
            if 1 / ORDINARY < largest < ORDINARY:
                object.__setattr__(self, "values", self.values.astype(np.float32))

    @cached_property
    def _moved(self) -> dict[Hashable, Factor | None]:
        return {}

    @cached_property
    def common(self) -> dict[str, Any]:
        """What was computed of it, by name, in common with views that only group the same axes otherwise."""
        return {}

    @property
    def on_grid(self) -> Array:
        return self.base.grid if self.values is None else self.values

    @property
    def overall(self) -> Array:
        """Its values on the grid, averaged over blocks."""
        mean: Array = self.on_grid.reshape(-1, self.on_grid.shape[-1]).mean(0)
        return mean

    @property
    def mean(self) -> Array:
        """E[f], over blocks."""
        if self.values is None:
            return self.base.moments.mean
        found: Array = once(self.common, "mean", self._mean)
        return found

    @cached_property
    def centred(self) -> bool:
        """Is its mean 0 everywhere?"""
        return not self.mean.any()

    def _mean(self) -> Array:
        return _averaged([quadrature.mean(f.on_grid) for f in self.at_scales])

    @property
    def at_scales(self) -> tuple[Factor, ...]:
        """The function at each of its base's scales."""
        scales = self.base.scales
        if len(scales) == 1:
            return (self,)
        found: tuple[Factor, ...] = once(
            self.common, "at scales", lambda: tuple(self._at(scale) for scale in scales)
        )
        return found

    def _at(self, scale: float) -> Factor:
        grid = self.base.grid
        if self.values is None:
            return Factor(self.base, grid * scale)
        size = grid.shape[-1]
        pairs = zip(grid.reshape(-1, size), self.values.reshape(-1, size), strict=True)
        rows = [with_jumps(read(x * scale, x, y), x * scale, x, y) for x, y in pairs]
        return Factor(self.base, np.array(rows).reshape(grid.shape))

    @property
    def coefficients(self) -> Array:
        found: Array = once(self.common, "coefficients", lambda: quadrature.coefficients(self.on_grid))
        return found

    @cached_property
    def squares(self) -> Moments:
        """The moments of f(x)², over few blocks. Gaussian: E[x²x′²] = E[x²]·E[x′²] + 2·E[x·x′]²."""
        axes = self.base.coarse.moments.axes
        found: Moments = once(self.common, "squares", self._squares)
        return found if found.axes == axes else Moments(axes, found.second, found.mean)

    def _squares(self) -> Moments:
        base = self.base.coarse
        moments = base.moments
        if self.values is None and self.base.law is None and not moments.mean.any():
            square = moments.square
            both = spread_left(square, moments.axes) * spread_right(square, moments.axes)
            return Moments(moments.axes, both + 2 * moments.second**2, square)
        squared = Factor(base, coarse_blocks(self.on_grid**2, self.base.moments.axes))
        # at given scales
        return Moments(moments.axes, squared._meeting(squared), quadrature.mean(squared.on_grid))

    @property
    def sensitivity(self) -> float:
        """d ln E[f(x)²] / d ln E[x²]: how much of the base's spread the function passes on."""
        if self.values is None:
            return 1.0
        moments = self.base.moments
        # Stein: d E[f²]/d ln Var = E[f²·(z² − 1)]/2; what a mean contributes does not widen
        squares = self.values**2
        slope = quadrature.mean(squares * (quadrature.GRID**2 - 1)) / 2
        varied = float((moments.variance / np.maximum(moments.square, 1e-300)).mean())
        size = float(quadrature.mean(squares).mean())
        return float(slope.mean()) / size * varied if size > 0 else 0.0

    @property
    def luck(self) -> Luck:
        """Of E[f(x)²]: what the function makes of its base's scales."""
        mine = self.base.spread
        if self.values is None or mine.logs is None or mine.common is None:
            return mine
        found: Luck = once(self.common, "luck", self._luck)
        return found

    def _luck(self) -> Luck:
        mine = self.base.spread
        assert mine.logs is not None
        assert mine.common is not None
        if self.base.origin[:1] == ("of square",):
            return mine * self._power
        if len(self.base.scales) == 1:
            return mine * self.sensitivity
        sizes = [float(quadrature.mean(f.overall**2)) for f in self.at_scales]
        at = 2 * np.log(self.base.scales)
        response = np.log(np.maximum(sizes, 1e-300))
        return luck.of(read(mine.logs, at, response), read(mine.common, at, response))

    @property
    def _power(self) -> float:
        """d ln f/d ln m of a function of a mean square m, whose law is lognormal: −½ for 1/√m."""
        law, f = np.log(self.base.origin[2].reshape(-1, len(quadrature.GRID))[0]), np.abs(self.overall)
        low, high = len(f) // 2 - 8, len(f) // 2 + 8
        width = float(law[high] - law[low])
        return float(np.log(f[high] / f[low])) / width if width > 0 and f[low] * f[high] > 0 else 0.0

    def with_other(self, other: Factor) -> Array:
        """E[f(x_i)·g(x_j)] over patterns, for two functions of the same base."""
        if self.values is None and other.values is None:
            return self.base.moments.second
        if self.common is other.common:
            found: Array = once(self.common, "with itself", lambda: self._with_other(self))
            return found
        return self._with_other(other)

    def _with_other(self, other: Factor) -> Array:
        pairs = zip(self.at_scales, other.at_scales, strict=True)
        return _averaged([one._meeting(two) for one, two in pairs])

    def _meeting(self, other: Factor) -> Array:
        """E[f(x_i)·g(x_j)] at the base's own scale."""
        axes = self.base.moments.axes
        ends = quadrature.mean(self.on_grid * other.on_grid)
        ends = ends - (self.coefficients * other.coefficients).sum(-1)
        left = _patterned(self.coefficients, axes, left_blocks)
        right = _patterned(other.coefficients, axes, right_blocks)
        middle = ends.reshape(()) if ends.size == 1 else _between(ends, axes)
        return quadrature.correlated(left, right, middle, self.base.correlation)

    def moved(self, key: Hashable, change: Callable[[Moments], Moments]) -> Factor | None:
        """The same function of the moved base; None where the move mixes blocks of different values.

        The same object for the same key, so that what was computed of it is.
        """
        if key not in self._moved:
            self._moved[key] = self._after(key, change)
        return self._moved[key]

    def _after(self, key: Hashable, change: Callable[[Moments], Moments]) -> Factor | None:
        base = self.base.view(key, change)
        if base.common is self.base.common:
            return self._regrouped(base)
        if self.values is None:
            return Factor(base)
        blocks = traced(self.base.moments, change)
        if blocks is None:
            return None
        flat = self.values.reshape(-1, self.values.shape[-1])
        unmoved = blocks.size == len(flat) and np.array_equal(blocks.reshape(-1), np.arange(len(flat)))
        return Factor(base, flat.reshape(*blocks.shape, -1) if unmoved else flat[blocks])

    def _regrouped(self, base: Base) -> Factor:
        """The same function of the base with its axes grouped otherwise."""
        found = Factor(base, self.values)
        found.__dict__["common"] = self.common
        return found


def _averaged(given: list[Array]) -> Array:
    return given[0] if len(given) == 1 else np.asarray(np.mean(given, 0))


def _between(ends: Array, axes: Axes) -> Array:
    return (spread_left(ends, axes) + spread_right(ends, axes)) / 2


def _patterned(values: Array, axes: Axes, blocks: Callable[[Axes], NDArray[np.intp]]) -> Array:
    """Coefficients over blocks seen over patterns; one block's fit all."""
    if values.size == values.shape[-1]:
        return values.reshape(-1)
    found: Array = values.reshape(-1, values.shape[-1])[blocks(axes)]
    return found
