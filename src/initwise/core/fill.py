"""Fill: what to write into one tensor, as frozen numbers. How to write it is the engine's matter."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import curves
from .codec import LATER, JsonMixin
from .curves import Curve
from .errors import FillError
from .formulas import formula_of
from .laws import CURVES as CURVES
from .laws import LAWS as LAWS
from .laws import MATRIX_LAWS as MATRIX_LAWS
from .laws import SHAPED_LAWS as SHAPED_LAWS
from .laws import consistent
from .layout import Layout
from .numbers import deviation, finite, number, times_gain
from .shaped import Sparsity, matrix_moments, sparse_std
from .truncation import FARTHEST as FARTHEST
from .truncation import truncated_moments as truncated_moments
from .whole import WHOLE, Repeat, single, whole_moments


@dataclass(frozen=True)
class Fill(JsonMixin):
    """One tensor's law. Make one with the class methods; `scheme(...).fill(fans)` does.

    Attributes:
        law: one of `LAWS`.
        mean, std: the *realised* mean and standard deviation of the written values: of the
            truncated law, not of its parent. For matrix laws and "sparse", of an entry taken at
            random, zeros included; NaN while the shape is not known.
        low, high: the support. ±inf for a normal; equal for a constant.
        loc, scale: the parent normal's mean and std (truncated normal and sparse only).
        gain: the factor of a matrix law (Q·gain) or a curve; of a curve it may be negative.
        layout: the axes, needed by matrix laws and by the canonical element order;
            None means storage order, and (rows, rest) for a matrix.
        parts: `(name, size, fill)` along the layout's part axis, for law "packed"; the one law that is
            repeated, for law "repeated".
        zero_row: index along axis 0 whose values are zero after filling (an embedding's padding).
        reason: one sentence: which rule made this, with its numbers.
        citation: the paper or source the rule comes from.
        sparsity: how many weights of each unit are zero, for law "sparse".
        curve: the function, for laws "mapped", "indexed" and "whole".
        draw: of a packed part, the name of the part whose numbers it draws too; of a whole tensor, the
            name of the parameter whose numbers it draws (a table that starts as a copy of the head);
            "" is its own.
        repeat: how often each filter stands, for law "repeated".
        low_centre: of even kernels the centre is (k − 1)//2, as JAX has it, and not k//2; for matrix laws.
    """

    law: str
    mean: float
    std: float
    low: float = -math.inf
    high: float = math.inf
    loc: float = 0.0
    scale: float = 0.0
    gain: float = 1.0
    layout: Layout | None = None
    parts: tuple[tuple[str, int, Fill], ...] = ()
    zero_row: int | None = None
    reason: str = ""
    citation: str = ""
    sparsity: Sparsity | None = field(default=None, metadata=LATER)
    curve: Curve | None = field(default=None, metadata=LATER)
    draw: str = field(default="", metadata=LATER)
    repeat: Repeat | None = field(default=None, metadata=LATER)
    low_centre: bool = field(default=False, metadata=LATER)

    def __post_init__(self) -> None:
        consistent(self)

    @classmethod
    def constant(cls, value: float, **why: Any) -> Fill:
        """Every element is `value`."""
        value = finite("constant", "value", value)
        return cls("constant", value, 0.0, value, value, **why)

    @classmethod
    def normal(cls, mean: float = 0.0, std: float = 1.0, **why: Any) -> Fill:
        """N(mean, std); std is a standard deviation, ≥ 0. std 0 is the constant `mean`."""
        mean, std = finite("normal", "mean", mean), deviation("normal", std)
        if std == 0:
            return cls.constant(mean, **why)
        return cls("normal", mean, std, **why)

    @classmethod
    def uniform(cls, low: float, high: float, **why: Any) -> Fill:
        """U[low, high); low == high is that constant."""
        low, high = finite("uniform", "low", low), finite("uniform", "high", high)
        if low == high:
            return cls.constant(low, **why)
        if math.isinf(high - low):
            raise FillError(
                f"uniform: bounds ({low!r}, {high!r}) are farther apart than floats reach",
                expected="high - low < 1.8e308",
            )
        return cls("uniform", low + (high - low) / 2, (high / 2 - low / 2) / math.sqrt(3), low, high, **why)

    @classmethod
    def truncated_normal(
        cls,
        mean: float = 0.0,
        std: float = 1.0,
        low: float | None = None,
        high: float | None = None,
        **why: Any,
    ) -> Fill:
        """N(mean, std) conditioned on low < x < high: the law of redrawing, never of clamping.

        Args:
            mean, std: of the parent normal (the realised ones become `Fill.mean`, `Fill.std`).
            low, high: bounds **in weight units, not in sigmas**; may be infinite. Left out, they are -2
                and 2, as in torch.nn.init.trunc_normal_: for N(0, 0.02) that is 100σ, which cuts nothing.

        Raises:
            FillError: std ≤ 0 or NaN, empty bounds, bounds that hold no probability, or bounds left out
                that would cut nothing (both beyond 8σ).

        >>> Fill.truncated_normal(0.0, 0.02, -0.04, 0.04).formula
        'N(0, 0.02) on (-0.04, 0.04), std 0.0175925'
        """
        left_out = low is None and high is None
        low, high = (-2.0 if low is None else low), (2.0 if high is None else high)
        mean, std = finite("truncated_normal", "mean", mean), deviation("truncated_normal", std)
        low, high = (
            number("truncated_normal", "low", low),
            number("truncated_normal", "high", high),
        )
        if std == 0:
            raise FillError("truncated_normal: std 0.0", expected="std > 0", fix="Use constant(value).")
        if not low < high:
            raise FillError(f"truncated_normal: empty bounds ({low!r}, {high!r})", expected="low < high")
        if left_out and mean - low > 8 * std and high - mean > 8 * std:
            raise FillError(
                f"truncated_normal: N({mean:g}, {std:g}) without bounds",
                expected="low and high",
                cause=f"left out, they are -2 and 2 in weight units, {2 / std:.3g}σ: they would cut nothing",
                fix=f"For ±2σ: low={mean - 2 * std:g}, high={mean + 2 * std:g}; "
                "to cut nothing on purpose: low=-2, high=2.",
            )
        if math.isinf(low) and math.isinf(high):
            return cls.normal(mean, std, **why)
        realised = truncated_moments((low - mean) / std, (high - mean) / std)
        if realised is None:
            raise FillError(
                f"truncated_normal: bounds ({low!r}, {high!r}) hold no probability of N({mean!r}, {std!r})",
                cause="bounds are in weight units; sigmas were meant, or the std is wrong",
                fix='Pass bounds="sigma" to scheme("truncated_normal", …), or bounds nearer to the mean.',
            )
        return cls(
            "truncated_normal",
            mean + std * realised[0],
            std * realised[1],
            low,
            high,
            loc=mean,
            scale=std,
            **why,
        )

    @classmethod
    def matrix(
        cls,
        law: str,
        gain: float = 1.0,
        *,
        shape: Sequence[int] = (),
        layout: Layout | None = None,
        **why: Any,
    ) -> Fill:
        """A law of the whole matrix: one of `MATRIX_LAWS`.

        Args:
            gain: the factor; may be negative, not NaN or infinite.
            shape: the tensor's global shape, from which `mean` and `std` of an entry follow;
                () leaves them NaN.
            layout: the axes; None means axis 0 is `o`, axis 1 `i`, the rest spatial.
        """
        gain = finite(law, "gain", gain)
        if law not in MATRIX_LAWS:
            raise FillError(f"law {law!r} is not a law of a matrix", legal=MATRIX_LAWS, given=law)
        mean, std = matrix_moments(law, gain, tuple(shape), layout)
        return cls(law, mean, std, gain=gain, layout=layout, **why)

    @classmethod
    def sparse(
        cls,
        std: float,
        rule: str,
        amount: float,
        unit: str,
        *,
        shape: Sequence[int] = (),
        layout: Layout | None = None,
        **why: Any,
    ) -> Fill:
        """N(0, std), of which an exact number of weights of each unit is set to zero.

        Args:
            std: of the weights that are not zero (`Fill.std` counts the zeros too).
            rule, amount, unit: how many are zero, and of what; see `Sparsity`.
            shape, layout: as for `matrix`.

        >>> Fill.sparse(0.01, "zero", 0.1, "input", shape=(20, 5)).formula
        'N(0, 0.01), each input ⌈0.1·n⌉ zero'
        """
        std, sparsity = deviation("sparse", std), Sparsity(rule, amount, unit)
        if std == 0:
            return cls.constant(0.0, layout=layout, **why)
        realised = sparse_std(std, sparsity, tuple(shape), layout)
        return cls("sparse", 0.0, realised, scale=std, layout=layout, sparsity=sparsity, **why)

    @classmethod
    def mapped(cls, curve: str, *numbers: float, gain: float = 1.0, **why: Any) -> Fill:
        """gain·f(u): a function of the element's uniform variate, one of `curves.MAPPED`.

        >>> Fill.mapped("log_uniform", 0.001, 0.1).formula
        'log-uniform on [0.001, 0.1)'
        """
        gain, law = finite("mapped", "gain", gain), Curve(curve, numbers)
        curves.checked(curves.MAPPED, law)
        mean, std, low, high = times_gain(gain, curves.mapped_moments(law))
        return cls("mapped", mean, std, low, high, gain=gain, curve=law, **why)

    @classmethod
    def indexed(
        cls,
        curve: str,
        *numbers: float,
        gain: float = 1.0,
        shape: Sequence[int] = (),
        layout: Layout | None = None,
        **why: Any,
    ) -> Fill:
        """gain·f(place): nothing is drawn; a function of the element's indices, one of `curves.INDEXED`.

        Args:
            shape, layout: as for `matrix`.

        >>> Fill.indexed("log_linear", 1, 1, shape=(64, 16)).formula
        'ln(1 + 1·n)'
        """
        gain, law = finite("indexed", "gain", gain), Curve(curve, numbers)
        curves.checked(curves.INDEXED, law)
        mean, std, low, high = times_gain(gain, curves.indexed_moments(law, tuple(shape), layout))
        return cls("indexed", mean, std, low, high, gain=gain, layout=layout, curve=law, **why)

    @classmethod
    def whole(
        cls,
        curve: str,
        *given: float,
        gain: float = 1.0,
        shape: Sequence[int] = (),
        layout: Layout | None = None,
        **why: Any,
    ) -> Fill:
        """gain·f(all normal variates of the tensor), f one of `whole.WHOLE`.

        Args:
            shape, layout: as for `matrix`.

        >>> Fill.whole("unit_outputs", gain=0.01).formula
        "(each output's weights of length 1) × 0.01"
        """
        gain, law = finite("whole", "gain", gain), Curve(curve, given)
        curves.checked(WHOLE, law)
        mean, std, low, high = times_gain(gain, whole_moments(curve, tuple(shape), layout))
        return cls("whole", mean, std, low, high, gain=gain, layout=layout, curve=law, **why)

    @classmethod
    def repeated(cls, fill: Fill, times: int, order: str = "neighbours", **why: Any) -> Fill:
        """The filters of a tensor with outputs/times outputs, each `times` times: see `whole.Repeat`.

        Args:
            fill: the law of that smaller tensor; its layout is the whole one's.

        >>> Fill.repeated(Fill.normal(0.0, 0.1), 4).formula
        'N(0, 0.1), each filter 4 times'
        """
        why = {"layout": fill.layout, "reason": fill.reason, "citation": fill.citation, **why}
        parts = (("filter", 0, fill),)
        return cls(
            "repeated",
            fill.mean,
            fill.std,
            fill.low,
            fill.high,
            parts=parts,
            repeat=Repeat(times, order),
            **why,
        )

    @classmethod
    def packed(cls, parts: Iterable[tuple[str, int, Fill]], *, layout: Layout, **why: Any) -> Fill:
        """Named pieces along the layout's part axis, each with its own law and its own stream."""
        pieces = tuple((str(name), int(size), fill) for name, size, fill in parts)
        total = sum(size for _, size, _ in pieces)
        if not pieces or any(size < 0 for _, size, _ in pieces):
            raise FillError(f"packed: parts {[(n, s) for n, s, _ in pieces]}", expected="named sizes ≥ 0")
        sizes = {name: size for name, size, _ in pieces}
        for name, size, fill in pieces:
            if fill.draw and sizes.get(fill.draw) != size:
                raise FillError(
                    f"packed: part {name!r} of {size} draws the numbers of {fill.draw!r}",
                    expected="a part of the same size",
                    legal=sizes,
                )
        share = [size / total if total else 0.0 for _, size, _ in pieces]
        mean = sum(w * fill.mean for w, (_, _, fill) in zip(share, pieces, strict=True))
        second = sum(w * (fill.std**2 + fill.mean**2) for w, (_, _, fill) in zip(share, pieces, strict=True))
        return cls(
            "packed",
            mean,
            math.sqrt(max(second - mean**2, 0.0)),
            min(fill.low for _, _, fill in pieces),
            max(fill.high for _, _, fill in pieces),
            layout=layout,
            parts=pieces,
            **why,
        )

    def of_shape(self, shape: Sequence[int], layout: Layout | None = None) -> Fill:
        """This fill with the mean and std that it has in a tensor of this shape.

        Args:
            layout: the axes, if the fill has none of its own.
        """
        axes, sizes = self.layout or layout, tuple(shape)
        if self.law == "sparse" and self.sparsity is not None:
            return replace(self, std=sparse_std(self.scale, self.sparsity, sizes, axes))
        if self.law == "indexed" and self.curve is not None:
            mean, std, low, high = times_gain(self.gain, curves.indexed_moments(self.curve, sizes, axes))
            return replace(self, mean=mean, std=std, low=low, high=high)
        if self.law == "whole" and self.curve is not None:
            mean, std, low, high = times_gain(self.gain, whole_moments(self.curve.name, sizes, axes))
            return replace(self, mean=mean, std=std, low=low, high=high)
        if self.repeat is not None:
            name, size, fill = self.parts[0]
            axis = axes.part_axis if axes is not None else 0
            one = fill.of_shape(single(sizes, axis, self.repeat.times), axes)
            return replace(
                self, mean=one.mean, std=one.std, low=one.low, high=one.high, parts=((name, size, one),)
            )
        if self.law in MATRIX_LAWS:
            mean, std = matrix_moments(self.law, self.gain, sizes, axes)
            return replace(self, mean=mean, std=std)
        return self

    def because(self, reason: str, citation: str = "") -> Fill:
        """This fill with another reason (and citation, if given)."""
        return replace(self, reason=reason, citation=citation or self.citation)

    def scaled(self, factor: float) -> Fill:
        """The law of `factor` times these values, factor ≥ 0; the reason is kept."""
        factor = deviation("scaled", factor)
        if factor == 0:
            return Fill.constant(0.0, layout=self.layout, reason=self.reason, citation=self.citation)
        if self.parts:
            parts = tuple((name, size, fill.scaled(factor)) for name, size, fill in self.parts)
            return replace(
                self,
                mean=self.mean * factor,
                std=self.std * factor,
                low=self.low * factor,
                high=self.high * factor,
                parts=parts,
            )
        return replace(
            self,
            mean=self.mean * factor,
            std=self.std * factor,
            low=self.low * factor,
            high=self.high * factor,
            loc=self.loc * factor,
            scale=self.scale * factor,
            gain=self.gain * factor if self.law in MATRIX_LAWS or self.law in CURVES else self.gain,
        )

    @property
    def formula(self) -> str:
        """The law in closed form: "N(0, 0.0417)", "U(±0.137)", "orthogonal × 1.41" …"""
        return formula_of(self)

    def __str__(self) -> str:
        text = self.formula
        if self.zero_row is not None:
            text += f", row {self.zero_row} zero"
        if self.reason:
            text += f", because {self.reason}"
        return text + (f" [{self.citation}]" if self.citation else "")
