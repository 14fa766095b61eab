"""What a scheme may need beyond one weight's fans, and the one record that gives it: a `Site`.

A row says `needs=("part", "depth")`; its law is then `law(fans, at, **options)`, with `at` the Site. For a
whole model `init_` makes the Sites. By hand: `scheme("gpt2_residual").fill(fans, at=Site(part=…, depth=12))`.
What was declared and is not given is refused, with how to give it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from ..core.errors import FillError, OptionError, UnsupportedError
from ..core.fill import Fill
from ..core.layout import Fans
from ..core.layout import fans as fans_of
from ..core.parameter import ParameterInfo
from .given import Given
from .options import Option, Value, options_of

NEEDS: Mapping[str, str] = {
    "part": "which part of the network a parameter is (attention.output, mlp.down …), from its name",
    "block": "the index l of the block it is in, from its name",
    "depth": "the number L of blocks, from the names",
    "stacks": "the stacks of blocks and their depths: an encoder's N, a decoder's M",
    "width": "the model's width d",
    "packing": "which rows of a fused matrix are queries, keys and values",
    "heads": "the number of attention heads",
    "branch": "how many layers its residual branch has, and which of them it is",
    "values": "the pretrained weight itself",
    "adapter": "the low-rank adapter beside the weight: its rank r and its factor s",
    "data": "a batch: what the layer is given on it",
    "gradient": "a batch and a loss: the gradient of the weight on it",
}
"""What a row may declare."""

SCALARS = ("residual_scale", "layer_scale")
"""Parts that are factors on a branch or on a shortcut."""
MATRIX_ROLES = frozenset({"weight", "recurrent"})
Base = Annotated[str, "the scheme of everything this one says nothing about"]


def _given(
    *,
    assign: Annotated[str, 'parts the names do not tell: "part=glob, part=glob"'] = "",
    depth: Annotated[float, "number of blocks; 0 means: as the names tell it"] = 0.0,
    width: Annotated[float, "the model's width; 0 means: as the shapes tell it"] = 0.0,
    heads: Annotated[float, "number of attention heads; 0 means: as the shapes tell it"] = 0.0,
    fused: Annotated[
        Literal["unknown", "thirds"],
        "a matrix of queries, keys and values that nobody told apart: thirds has them one after another",
    ] = "unknown",
    scale: Annotated[float, "s of W + s·B·A; 0 means: as the adapter tells it"] = 0.0,
) -> None:
    """Options of schemes with needs: what a model's names and shapes do not tell."""


@dataclass(frozen=True)
class Size(Option):
    """A number that the model tells unless it is given: 0 means that it is not."""

    def checked(self, value: Any, where: str) -> Value:
        """As any option; OptionError too for a negative number, or a broken one of things."""
        number = super().checked(value, where)
        counted = self.name != "scale"
        if not isinstance(number, float) or (0 <= number < math.inf and not (counted and number % 1)):
            return number
        raise OptionError(
            f"{self.name}={value!r}",
            where=where,
            expected=f"a {'whole ' if counted else ''}number > 0, or 0 for what the model tells",
        )


def options_for(needs: tuple[str, ...], own: tuple[Option, ...]) -> tuple[Option, ...]:
    """The options by which a user can say what the scheme needs; none its law has itself."""
    wanted = {"assign"} | set(needs) | ({"depth"} if {"block", "stacks"} & set(needs) else set())
    wanted |= {"fused"} if "packing" in needs else set()
    wanted = {"scale"} if "adapter" in needs else wanted
    taken = {option.name for option in own}
    return tuple(
        Size(option.name, option.default, option.meaning) if option.kind == "number" else option
        for option in options_of(_given)
        if needs and option.name in wanted and option.name not in taken
    )


@dataclass(frozen=True)
class Site:
    """Where a parameter stands in its model. Everything has a default: unknown.

    Attributes:
        part: one of `recipes.parts.PARTS`, "" if unknown. piece: the packed part ("q"), "" if none.
        block: its block's index l, from 0. depth: number L of blocks of its stack.
        stack: its stack's path ("encoder.layers"). stacks: all stacks and their depths.
        width, heads: of the model; 0 if unknown.
        layer, layers: which layer of its residual branch it is, from 0, and how many the branch has.
        position: "first", "last", "only" or "middle" of its chain of layers.
        info: the parameter, if there is a model.
        given: of a low-rank adapter, its rank and factor, the base weight and what data there is.
    """

    part: str = ""
    piece: str = ""
    block: int | None = None
    depth: int | None = None
    stack: str = ""
    stacks: tuple[tuple[str, int], ...] = ()
    width: int = 0
    heads: int = 0
    layer: int | None = None
    layers: int | None = None
    position: str = ""
    info: ParameterInfo | None = None
    given: Given | None = None

    @property
    def adapter(self) -> Given:
        """The adapter's rank and factor, weight and data. Raises FillError if it is unknown."""
        if self.given is None:
            raise FillError("adapter is unknown", expected=NEEDS["adapter"], fix=_HOW["adapter"])
        return self.given

    @property
    def l(self) -> int:  # noqa: E743 - the literature's letter
        """The block's index. Raises FillError if it is unknown."""
        return self._known(self.block, "block")

    @property
    def L(self) -> int:  # noqa: N802 - the literature's letter
        """Number of blocks. Raises FillError if it is unknown."""
        return self._known(self.depth, "depth")

    @property
    def d(self) -> int:
        """The model's width. Raises FillError if it is unknown."""
        return self._known(self.width or None, "width")

    @property
    def h(self) -> int:
        """Number of heads. Raises FillError if it is unknown."""
        return self._known(self.heads or None, "heads")

    @property
    def role(self) -> str:
        """The parameter's role; where there is no model, that of its part: "bare" for a factor."""
        if self.info is not None:
            return self.info.role
        return "bare" if self.part in SCALARS else "weight"

    @property
    def writes(self) -> bool:
        """Is it a matrix that writes into the residual stream?"""
        return self.part in ("attention.output", "mlp.down", "expert.down", "ssm.out") and self.matrix

    @property
    def matrix(self) -> bool:
        """Is it a weight, not a bias or a vector?"""
        return self.role in MATRIX_ROLES

    def decoding(self) -> bool:
        """Is it in a decoder beside an encoder, by the names of the stacks?"""
        return len(self.stacks) > 1 and "decoder" in self.stack

    def depth_of(self, kind: str) -> int:
        """Depth of the stack whose name has `kind` in it. Raises FillError if there is none."""
        found = next((depth for name, depth in self.stacks if kind in name), None)
        return self._known(found, "stacks")

    def _known(self, value: int | None, need: str) -> int:
        if value is None:
            raise FillError(
                f"{need} is unknown",
                where=self.info.name if self.info is not None else "",
                expected=NEEDS[need],
                cause="the name has no block number, and nothing says it"
                if need in ("block", "depth")
                else "",
                fix=_HOW.get(need, f"Say it: scheme(…, {need}=12)."),
            )
        return value


@dataclass(frozen=True)
class About:
    """What a scheme is about, where parts alone do not tell: a model without it is refused.

    Attributes:
        what: in words, as "the model has no …" ends. holds: is the parameter at a Site such a one?
        where: how models are looked through for it. fix: how to say where it is.
    """

    what: str
    holds: Callable[[Site], bool]
    where: str
    fix: str


_HOW = {
    "block": 'Blocks are found by numbers in names ("h.3.attn.c_proj.weight").',
    "stacks": 'Stacks are found by names ("encoder.layers.0 …", "decoder.layers.0 …").',
    "branch": "Branches are found as the matrices of one numbered block.",
    "adapter": "Give it: Site(given=Given(rank, scale, weight=W)), both from initwise.schemes.",
}


def shaped(fans: Fans | None) -> dict[str, Any]:
    """Shape and layout, as a law of the place takes them; unknown without fans."""
    return {"shape": fans.shape, "layout": fans.layout} if fans is not None else {}


def positive(where: str, **given: float) -> float:
    """The one number given by name. Raises OptionError unless it is finite and > 0."""
    ((name, value),) = given.items()
    if not 0 < value < math.inf:
        raise OptionError(f"{name}={value!r}", where=where, expected="a finite number > 0")
    return value


def in_thirds(fans: Fans, at: Site, options: Mapping[str, Any]) -> Fans:
    """The fans of a fused matrix, taken as queries, keys and values if the options say so."""
    layout = fans.layout
    if options.get("fused") != "thirds" or at.part != "attention.qkv" or layout is None or layout.parts:
        return fans
    size, rest = divmod(layout.size(fans.shape, "o"), 3)
    if rest:
        raise FillError(
            f"{3 * size + rest} outputs", expected="a multiple of 3", cause='fused="thirds" was said of it'
        )
    parts = tuple((name, size) for name in ("q", "k", "v"))
    return fans_of(fans.shape, dataclasses.replace(layout, parts=parts))


def told_apart(name: str, at: Site) -> None:
    """Raise FillError for queries, keys and values in one matrix that nobody told apart."""
    if at.matrix and at.part in ("attention.qkv", "attention.key_value") and not at.piece:
        raise FillError(
            "queries, keys and values are one matrix",
            where=at.info.name if at.info is not None else "",
            expected="a layout that names its parts q, k, v: the scheme treats them differently",
            fix=f'If they follow one another: scheme("{name}", fused="thirds").',
        )


def otherwise(base: str, fans: Fans | None, at: Site) -> Fill | None:
    """What the scheme `base` gives this parameter; None: it leaves it alone."""
    from .base import scheme

    law = scheme(base)
    if at.info is not None and not at.piece:
        info = (
            at.info if at.info.role != "weight" or fans is None else dataclasses.replace(at.info, fans=fans)
        )
        return law.fill_parameter(info, at=at)
    return law.fill(fans, at=at) if law.row.needs else law.fill(fans)


def missing(name: str, needs: tuple[str, ...]) -> OptionError:
    """One weight's fans were given to a scheme that needs more."""
    return OptionError(
        f"scheme {name!r} without a place in a model",
        expected="at=Site(…) with " + "; ".join(f"{need}: {NEEDS[need]}" for need in needs),
        cause="the fans of one weight are not enough for it",
        fix=f'initwise.init_(model, "{name}") finds them; one weight: scheme("{name}").fill(fans, '
        'at=Site(part="attention.output", block=0, depth=12)), Site from initwise.schemes.',
    )


def needs_model(name: str) -> OptionError:
    """One weight was given to a scheme that plans a whole model."""
    return OptionError(
        f"scheme {name!r} decides for a whole model, one weight's fans are not enough",
        cause="it looks at the layers around a weight, or at data passing through it",
        fix=f'initwise.init_(model, "{name}", example=example) applies it.',
    )


def no_fill(name: str, needs: tuple[str, ...]) -> UnsupportedError:
    """A scheme of arrays was asked for a Fill."""
    if "adapter" not in needs:
        return UnsupportedError(
            "it prescribes products of matrices, and a Fill is a law of one",
            where=f"scheme {name!r}",
            expected="the attention of a whole model, as the only plan",
            fix=f'initwise.init_(model, "{name}") fills every attention; of one: scheme("{name}").start('
            "at), with at=Site(width=…, heads=…, given=Given(rank, draw=…)).",
        )
    return UnsupportedError(
        "it starts from values, and a Fill is a law, not an array",
        where=f"scheme {name!r}",
        expected="the adapters of a whole model, as the only plan, or the arrays of one",
        fix=f'initwise.init_(model, "{name}") fills a model\'s adapters; of one: scheme("{name}").start(at).',
    )


def settings_of(options: Mapping[str, Any], law: Any) -> dict[str, Any]:
    """The options that the law itself takes."""
    names = {option.name for option in options_of(law)}
    return {name: value for name, value in options.items() if name in names}
