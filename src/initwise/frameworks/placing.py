"""Where each parameter of a model stands, for schemes that need to know it: names and shapes → Sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..core.errors import ModelError
from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from ..recipes.structure import Place, places
from ..schemes import Scheme, SchemeRow, Site

READS = frozenset({"attention", "mlp", "expert"})
"""Branches of two layers: what reads the residual stream, side by side, and what writes into it."""
ASIDE = frozenset({"conv.shortcut", "conv.squeeze", "router"})
"""Matrices of a block that are no layer of its residual branch."""
NAMED = 6
"""How many parts an error names."""


@dataclass(frozen=True)
class Placed:
    """A scheme and the Sites of one model's parameters; answers as the scheme itself does."""

    scheme: Scheme
    sites: Mapping[str, Site]
    head: str = ""
    """The layer taken for the head although nothing is called so, "" if there is none."""

    @property
    def name(self) -> str:
        """The scheme's name."""
        return self.scheme.name

    @property
    def row(self) -> SchemeRow:
        """The scheme's row."""
        return self.scheme.row

    def fill_parameter(self, info: ParameterInfo) -> Fill | None:
        """See `Scheme.fill_parameter`."""
        fill = self.scheme.fill_parameter(info, at=self.sites[info.name])
        if fill is None or not self.head or info.layer != self.head:
            return fill
        why = f"{self.head} is taken for the head: the last of the model's only chain, and none is called so"
        return fill.because(f"{fill.reason}; {why}")


def placed(law: Any, infos: Sequence[ParameterInfo]) -> Any:
    """`law`, with the model's Sites if it is a scheme that needs them.

    Raises:
        ModelError: a scheme that is about parts of which the model's names tell none.
    """
    if not getattr(getattr(law, "row", None), "needs", ()) or not isinstance(law, Scheme):
        return law
    found = sites(infos, dict(law.options))
    head = _last(found) if law.row.touches == ("head",) and not _parts(found, ("head",)) else ""
    if head:
        found = {name: _as_head(site, head) for name, site in found.items()}
    _touched(law, found)
    return Placed(law, found, head)


def _parts(found: Mapping[str, Site], wanted: Sequence[str]) -> set[str]:
    return {site.part for site in found.values()} & set(wanted)


def _last(found: Mapping[str, Site]) -> str:
    """The layer that ends the model, if its layers are one chain, and it is a matrix of unknown part."""
    ends = {s.info.layer for s in found.values() if s.info and s.position in ("last", "only")}
    weights = [site for site in found.values() if site.info and site.matrix]
    tables = any(site.role == "embedding" for site in found.values())  # one may be the head as well
    last = weights[-1] if weights and len(ends) == 1 and not tables else None
    if last is None or last.info is None or last.position != "last" or last.part:
        return ""
    return last.info.layer if len(last.info.shape) == 2 else ""


def _as_head(site: Site, layer: str) -> Site:
    return replace(site, part="head") if site.info and site.info.layer == layer else site


def _touched(law: Scheme, found: Mapping[str, Site]) -> None:
    """Raise ModelError if the scheme is about parts of which the model has none."""
    wanted, about = law.row.touches, law.row.about
    if about is not None and not any(map(about.holds, found.values())):
        raise ModelError(
            f"the model has no {about.what}",
            where=f"scheme {law.name!r}",
            expected="one: the scheme fills what is there, it cannot add it",
            cause=about.where,
            fix=about.fix.format(name=law.name),
        )
    has = sorted({site.part for site in found.values() if site.part})
    if wanted and not set(wanted) & set(has):
        raise ModelError(
            f"the model has {'no' if len(wanted) == 1 else 'none of'} {_some(wanted)}",
            where=f"scheme {law.name!r}",
            expected="one of them: the scheme fills them, it cannot add them",
            cause=f"it has {_some(has)}" if has else "its names tell no part",
            fix=f'If it has one by another name: scheme("{law.name}", assign="{wanted[0]}=GLOB").',
        )


def _some(parts: Sequence[str]) -> str:
    """The parts' names, the first `NAMED` of many."""
    more = f" and {len(parts) - NAMED} more" if len(parts) > NAMED else ""
    return ", ".join(parts[:NAMED]) + more


def sites(infos: Sequence[ParameterInfo], options: Mapping[str, Any] | None = None) -> dict[str, Site]:
    """Every parameter's Site, by its name.

    Args:
        options: `assign`, `depth`, `width`, `heads`, as for recipes.
    """
    found = places(infos, options)
    branches = _branches(found)
    return {place.info.name: _site(place, branches.get(place.info.layer)) for place in found}


def _site(place: Place, branch: tuple[int, int] | None) -> Site:
    sizes = dict(place.sizes)
    return Site(
        part=place.part,
        block=place.block,
        depth=place.blocks,
        stack=place.stack,
        stacks=place.stacks,
        width=_width(place),
        heads=sizes.get("heads", 0),
        layer=branch and branch[0],
        layers=branch and branch[1],
        position=place.position,
        info=place.info,
    )


def _width(place: Place) -> int:
    try:
        return place.d
    except ModelError:
        return 0


def _branches(found: Sequence[Place]) -> dict[str, tuple[int, int]]:
    """(which layer of its residual branch, how many it has) of each layer in a block, by its path."""
    chains: dict[tuple[str, int, str], list[list[str]]] = {}
    for place in found:
        if place.block is None or place.info.role != "weight" or place.part in ASIDE:
            continue
        kind = place.part.partition(".")[0]
        side = kind if kind in READS else ""
        chain = chains.setdefault((place.stack, place.block, side), [])
        if not side or not chain or (place.part.endswith((".output", ".down")) and len(chain) == 1):
            chain.append([])
        if place.info.layer not in chain[-1]:
            chain[-1].append(place.info.layer)
    return {
        layer: (index, len(chain))
        for chain in chains.values()
        for index, layers in enumerate(chain)
        for layer in layers
    }
