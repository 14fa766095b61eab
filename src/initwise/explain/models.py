"""Models and layers explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..activations import activation
from ..core.errors import ModelError, UnknownNameError
from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from ..core.records import Explanation
from ..frameworks.proof import read
from ..frameworks.protocol import Adapter, adapter_for
from ..schemes import registry, scheme
from .functions import told_activation
from .parts import Facts, only, weight_named

MODEL_LINES = 20


def told_model(model: Any, facts: Mapping[str, Any]) -> Explanation:
    adapter = adapter_for(model)
    infos = adapter.parameters(model)
    if not infos and callable(model):
        return told_activation(activation(model), facts)
    only(f"a {type(model).__name__}", facts, ("name",))
    if "name" in facts:
        infos = _one(infos, facts["name"])
    single = len({info.layer for info in infos}) <= 1
    told = Explanation(
        title=type(model).__name__,
        summary=_constructors(single, adapter),
        facts=_lines(model, adapter, infos),
    )
    default = constructed_by(adapter)
    if not default:
        return told
    row = registry[default]
    laws = ((info.name, _constructed(default, info)) for info in infos)
    law = "; ".join(f"{name}: {fill.formula}" for name, fill in laws if fill)
    return replace(told, law=law if single else row.formula, citation=row.citation, evidence=row.evidence)


def _one(infos: tuple[ParameterInfo, ...], name: str) -> tuple[ParameterInfo, ...]:
    name = weight_named(name, [one for info in infos for one in (info.name, *info.aliases)])
    found = tuple(info for info in infos if name in (info.name, *info.aliases))
    if not found:
        names = [info.name for info in infos]
        raise UnknownNameError(f"the model has no parameter {name!r}", legal=names, given=name)
    return found


def constructed_by(adapter: Adapter) -> str:
    """The scheme that the framework's constructors follow, "" for none."""
    return getattr(adapter, "default_scheme", "")


def _constructors(single: bool, adapter: Adapter) -> str:
    name = adapter.name
    if not constructed_by(adapter):
        return "Arrays have no constructor: these are their roles, fans and measured values."
    if single:
        return f"What {name}'s constructor draws for each parameter, beside the values measured in it now."
    return (
        f"Which law drew the values cannot be read off them. This is what {name}'s constructors draw for "
        "these layers, beside the values measured now; where they differ, something else set them."
    )


def _lines(model: Any, adapter: Adapter, infos: tuple[ParameterInfo, ...]) -> Facts:
    shown = infos[:MODEL_LINES]
    found = tuple((info.name, _line(model, adapter, info)) for info in shown)
    left = len(infos) - len(shown)
    more = f'{left} parameters; explain(model, name="…") shows one'
    return (*found, ("and", more)) if left else found


def _line(model: Any, adapter: Adapter, info: ParameterInfo) -> str:
    size = "×".join(str(size) for size in info.shape)
    parts = [f"{info.role} {size}".strip()]
    if info.fans is not None and info.role in ("weight", "recurrent", "embedding"):
        parts.append(str(info.fans))
    if default := constructed_by(adapter):
        fill = _constructed(default, info)
        parts.append(f"constructor: {fill.formula}, std {fill.std:.4g}" if fill else "no known law")
    if info.status in ("refused", "empty"):
        return ", ".join([*parts, f"{info.status}: {info.problem or 'no elements'}"])
    try:
        held = read(adapter, model, [info])[0]
    except ModelError as error:
        return ", ".join([*parts, f"not measured: {error.got}"])
    return ", ".join([*parts, f"measured: mean {held.mean:.4g}, std {held.std:.4g}"])


def _constructed(default: str, info: ParameterInfo) -> Fill | None:
    """What the framework's constructor draws for it by the scheme `default`, if that is known."""
    if info.role == "weight" and info.fans is None:
        return None
    return scheme(default).fill_parameter(info)
