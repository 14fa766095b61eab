"""init_: fill a model's parameters, and prove it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.errors import ModelError
from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from ..core.plan import Plan
from ..core.records import Ledger, LedgerEntry
from ..core.stream import checked_seed
from ..schemes import Data
from .adapting import asked, start_
from .planning import Resolved, resolve, same_tensor
from .proof import Found, declared, digest, proven, read
from .protocol import Adapter, adapter_for, door

__all__ = ["init_", "plan_for"]


def plan_for(
    model: Any,
    scheme: Any,
    *,
    rules: Mapping[str, Any] | None = None,
    example: Any = None,
    seed: int = 0,
) -> Plan:
    """The Plan that a scheme, a recipe or rules mean for this model; nothing is written.

    Args:
        scheme: a scheme's or recipe's name, a Scheme, a Recipe, a mapping {glob: scheme, Fill or
            "keep"}; a Plan or Advice is taken as it is.
        rules: {name or glob: scheme, Fill or "keep"}, over full parameter names, of a tied one
            any; `*` matches dots; a name that a parameter has is no pattern. Where two match, a
            name wins over a pattern, of two patterns the later; `rules` win over the plan.
        example: for schemes that run the model ("auto", "lsuv").
        seed: for those too.

    Raises:
        UnknownNameError: a scheme nobody knows, a glob that matches nothing.
        OptionError: a value that is no plan, a missing example.
        ModelError: names the model does not have, a rule for what cannot be filled.
        LayoutError, FillError: a Fill that does not fit its parameter.
    """
    seed = checked_seed(seed)
    return resolve(
        model, adapter_for(model).parameters(model), scheme, rules, example=example, seed=seed
    ).plan


def init_(
    model: Any,
    plan: Any,
    *,
    seed: int = 0,
    example: Any = None,
    rules: Mapping[str, Any] | None = None,
    data: Data | None = None,
) -> Ledger:
    """Fill `model`'s parameters in place by `plan`.

    Everything is checked before anything is written. A parameter's values depend on the seed, its
    name and its fill alone: not on other parameters, the order of calls, the device or the
    number of threads. Gradients, requires_grad, hooks, buffers and every random state stay as they
    are (a spectral norm's singular vectors follow the new weight). Frozen parameters are left
    alone unless a rule gives their full name.

    Args:
        model: a `torch.nn.Module` or an `ArrayTree`.
        plan: a Plan, an Advice, a scheme's or recipe's name, a Scheme, or {glob: scheme, Fill or
            "keep"}.
        seed: an integer in [0, 2⁶⁴).
        example: for schemes that run the model ("auto", "lsuv"): a batch or its shapes.
        rules: {glob: scheme, Fill or "keep"} on top of the plan; a full name wins over a
            pattern, the later of two patterns over the earlier.
        data: for schemes of low-rank adapters that need more than the example ("lora_ga" a loss), or have
            their layers' inputs or gradients already; see `initwise.schemes.Data`.

    Returns:
        A Ledger: what each tensor was filled with and by which rule, the mean and std then found
        in memory, the reason for each one that was not touched, and a digest of all filled bytes.

    Raises:
        As `plan_for`; StreamError for a bad seed; ModelError too for a lazy or meta model, for a
        wrapped weight that cannot hold its fill, for a model without parameters, and when nothing at all
        could be filled, unless a rule says "keep".
    """
    seed = checked_seed(seed)
    starting = asked(plan)
    if starting is not None:
        return start_(model, starting, seed=seed, example=example, data=data, rules=rules)
    adapter = adapter_for(model)
    infos = adapter.parameters(model)
    resolved = resolve(model, infos, plan, rules, example=example, seed=seed)
    fills = _to_write(infos, resolved)
    adapter.check(model, fills, seed=seed)
    if not fills and not resolved.spared:
        _not_nothing(model, infos, dict(resolved.plan.kept))
    _write(adapter, model, fills, seed)
    written = [info for info, _ in fills]
    found = read(adapter, model, written)
    filled = {info.name: _proven(info, fill, held) for (info, fill), held in zip(fills, found, strict=True)}
    entries = tuple(_entries(infos, dict(resolved.plan.kept), filled))
    return Ledger(resolved.plan.name, seed, entries, digest(written, found))


def _write(adapter: Adapter, model: Any, fills: Sequence[tuple[ParameterInfo, Fill]], seed: int) -> None:
    together = door(adapter, "together")
    if together is not None:
        together(model, fills, seed=seed)
        return
    for info, fill in fills:
        adapter.write(model, info, fill, seed=seed)


def _to_write(infos: Sequence[ParameterInfo], resolved: Resolved) -> tuple[tuple[ParameterInfo, Fill], ...]:
    chosen = []
    for info in infos:
        allowed = info.status == "ready" or (info.status == "frozen" and info.name in resolved.named)
        if allowed and info.name in resolved.plan:
            chosen.append((info, resolved.plan[info.name]))
    return tuple(chosen)


def _not_nothing(model: Any, infos: Sequence[ParameterInfo], kept: Mapping[str, str]) -> None:
    """A model with parameters of which none is filled is a mistake somewhere."""
    if not infos:
        raise ModelError(
            f"a {type(model).__name__} has no parameters",
            where="init_",
            expected="a model with at least one",
            cause="a layer without weights, or layers kept in a plain list, where they are not registered",
        )
    blocked = [info for info in infos if info.status in ("frozen", "refused")]
    left = blocked or [info for info in infos if info.status != "empty"]
    if not left:
        return
    reasons = [_untouched(info, kept, follows=False).reason for info in left]
    more = reasons.count(reasons[0]) - 1
    raise ModelError(
        f"none of {len(infos)} parameters can be filled; {left[0].name}: {reasons[0]}"
        + (f"; so are {more} more" if more else ""),
        where="init_",
        expected="at least one parameter that can be written",
        fix=_thawed(blocked) if blocked else _way_out(model, left[0]),
    )


def _thawed(blocked: Sequence[ParameterInfo]) -> str:
    """How to fill what is frozen all the same; "" where nothing is."""
    frozen = next((info for info in blocked if info.status == "frozen"), None)
    if frozen is None:
        return ""
    one = f"One by its full name: rules={{{frozen.name!r}: 'normal'}}. "
    return one + "All of them: undo on every parameter what froze it (see there), then call init_ again."


def _way_out(model: Any, info: ParameterInfo) -> str:
    kinds = {cls.__name__ for cls in type(model).__mro__}
    if "ScriptModule" in kinds:
        return "Initialize the model before scripting or tracing it: its layers' kinds are gone afterwards."
    if "ArrayTree" in kinds:
        return f"Declare the arrays' axes: ArrayTree(arrays, layouts={{{info.name!r}: 'io'}})."
    return f"Name it in a rule: rules={{{info.name!r}: 'normal'}}, or any other law that needs no fans."


def _proven(info: ParameterInfo, fill: Fill, found: Found) -> LedgerEntry:
    """The entry of a parameter just filled. Raises ModelError if the write did not stick."""
    proven(info, fill, found)
    reason = "; ".join(filter(None, (fill.reason, info.remark)))
    return LedgerEntry(
        info.name,
        info.shape,
        info.dtype,
        "filled",
        fill,
        *declared(info, fill),
        found.mean,
        found.std,
        reason,
    )


def _entries(
    infos: Sequence[ParameterInfo], kept: Mapping[str, str], filled: Mapping[str, LedgerEntry]
) -> list[LedgerEntry]:
    entries: list[LedgerEntry] = []
    owner = ""
    for info in infos:
        # the magnitude of a parametrized weight is listed right after it and written with it
        follows = info.role == "magnitude" and info.status == "refused" and owner in filled
        owner = owner if info.role == "magnitude" else info.name
        entries.append(filled.get(info.name) or _untouched(info, kept, follows))
        entries += [_tied(info, alias, entries[-1].reason) for alias in info.aliases]
    return entries


def _untouched(info: ParameterInfo, kept: Mapping[str, str], follows: bool) -> LedgerEntry:
    if follows:
        status, reason = "tied", info.problem
    elif info.status != "ready":
        status, reason = info.status, info.problem
    elif info.name in kept:
        status, reason = "kept", kept[info.name]
    else:
        status, reason = "unnamed", "neither the plan nor a rule names it"
    return LedgerEntry(info.name, info.shape, info.dtype, status, reason=reason)


def _tied(info: ParameterInfo, alias: str, why: str) -> LedgerEntry:
    decided = ", which its rule decided" if same_tensor(alias) in why else ""
    reason = f"another name of {info.name}{decided}: see there"
    return LedgerEntry(alias, info.shape, info.dtype, "tied", reason=reason)
