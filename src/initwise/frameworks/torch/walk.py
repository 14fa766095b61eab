"""Every parameter of a torch model: its name, axes, fans, role, and whether it can be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from torch import nn

from ...core.errors import LayoutError, ModelError
from ...core.layout import Fans, Layout, fans
from ...core.parameter import ParameterInfo
from .holders import INVERTED, Holding, holdings
from .layers import Slot, Slots, slots
from .obstacles import obstacle, shared
from .wrappers import clean, layers

MARKS = {
    # state-space models: biases that their constructor has set with care
    "_no_reinit": "its model marks it",
    # transformers: what from_pretrained has read from the checkpoint
    "_is_hf_initialized": "it was loaded from a checkpoint, which transformers marks",
}
"""Attributes of a tensor that say: leave it as it is, and what they mean."""
BY_NAME = "only a rule with its full name fills it"


_KNOWN: ContextVar[dict[int, tuple[ParameterInfo, ...]] | None] = ContextVar("known", default=None)


@contextmanager
def unchanging() -> Iterator[None]:
    """Within the body no model's parameters change their names, shapes or status: each is walked once."""
    token = _KNOWN.set({} if _KNOWN.get() is None else _KNOWN.get())
    try:
        yield
    finally:
        _KNOWN.reset(token)


def parameters(model: nn.Module) -> tuple[ParameterInfo, ...]:
    """Every parameter of `model`, each tensor once, under its owner's name.

    A tensor's owner is the first layer met that has it; of tied layers, the first that uses it as
    an embedding's table, because a table's law is not a matrix's. Other names of the same tensor
    are its `aliases`. Compiled and parallel models have the names of what they wrap.

    A weight behind weight_norm is listed as the effective weight ("layer.weight"), because that is
    what a Fill describes; g is listed too, as "magnitude", and refused: it follows from the weight.
    See `holders` for the other wrappers.

    Raises:
        ModelError: lazy parameters, which have no shape yet; all are named.
    """
    known = _KNOWN.get()
    if known is None:
        return _walked(model)
    if id(model) not in known:
        known[id(model)] = _walked(model)
    return known[id(model)]


def _walked(model: nn.Module) -> tuple[ParameterInfo, ...]:
    _no_lazy(model)
    names = _names(model)
    blocked = shared(model)
    owners = underlying(model)
    seen: set[int] = set()
    found: list[ParameterInfo] = []
    classes: dict[str, str] = {}
    for path, module in layers(model):
        classes[path] = type(module).__name__
        within = _within(path, classes)
        for info in _of_module(path, module, names, blocked, owners, seen):
            found.append(replace(info, within=within))
    return tuple(found)


def _within(path: str, classes: Mapping[str, str]) -> tuple[str, ...]:
    """Class names of the layer at `path` and of all around it, innermost first."""
    steps = path.split(".") if path else []
    around = [".".join(steps[:count]) for count in range(len(steps), -1, -1)]
    return tuple(classes[outer] for outer in around if outer in classes)


def underlying(model: nn.Module) -> dict[int, str]:
    """id(parameter) → the name under which `parameters` lists it, for every parameter of `model`."""
    owner: dict[int, str] = {}
    tables: dict[int, str] = {}
    for path, module in layers(model):
        row = slots(module)[1]
        for holding in holdings(module):
            slot = row.get(holding.local)
            table = slot is not None and slot.role == "embedding" and _fits(slot.layout, holding.shape)
            for _, tensor in holding.tensors:
                owner.setdefault(id(tensor), _join(path, holding.name))
                if table:
                    tables.setdefault(id(tensor), _join(path, holding.name))
    return owner | tables


def _no_lazy(model: nn.Module) -> None:
    tensors = [*model.named_parameters(), *model.named_buffers()]
    lazy = [name for name, tensor in tensors if nn.parameter.is_lazy(tensor)]
    if lazy:
        raise ModelError(
            f"{listed(lazy)} {'is' if len(lazy) == 1 else 'are'} lazy: no shape before the first forward",
            where=type(model).__name__,
            expected="a model whose layers know their shapes",
            fix="Run the model once on a real batch, then initialize: the first forward would overwrite "
            "whatever was written before it.",
        )


def listed(names: Sequence[str], limit: int = 5) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _names(model: nn.Module) -> dict[int, list[str]]:
    names: dict[int, list[str]] = {}
    for name, tensor in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(tensor), []).append(clean(model, name))
    return names


def _of_module(
    path: str,
    module: nn.Module,
    names: Mapping[int, list[str]],
    blocked: Mapping[int, str],
    owners: Mapping[int, str],
    seen: set[int],
) -> Iterator[ParameterInfo]:
    kind, row = slots(module)
    held = tuple(holdings(module))
    shapes = {holding.local: holding.shape for holding in held}
    for holding in held:
        ids = {id(tensor) for _, tensor in holding.tensors}
        if ids & seen or _join(path, holding.name) not in {owners[key] for key in ids}:
            continue
        seen |= ids
        status, problem = _status(holding, blocked)
        info = _info(path, holding, kind, row, shapes)
        aliases = _aliases(info.name, holding, names)
        yield replace(info, status=status, problem=problem, aliases=aliases, remark=holding.remark)
        yield from _magnitudes(info, holding)
    yield from _packed(path, module)


def _status(holding: Holding, blocked: Mapping[int, str]) -> tuple[str, str]:
    problem = holding.problem
    for name, tensor in holding.tensors:
        problem = problem or blocked.get(id(tensor), "") or obstacle(name, tensor)
    if problem:
        return "refused", problem
    if not all(holding.shape):
        return "empty", "it has no elements"
    if not any(tensor.requires_grad for _, tensor in holding.tensors):
        return "frozen", f"requires_grad is False; {BY_NAME}"
    for mark, meaning in MARKS.items():
        if any(getattr(tensor, mark, False) for _, tensor in holding.tensors):
            return "frozen", f"{meaning} {mark}; {BY_NAME}, or any once that attribute of it is False"
    return "ready", ""


def _info(
    path: str, holding: Holding, kind: str, row: Slots, shapes: Mapping[str, tuple[int, ...]]
) -> ParameterInfo:
    name, dtype = _join(path, holding.name), str(holding.dtype).removeprefix("torch.")
    slot = row.get(holding.local)
    if slot is None or not _fits(slot.layout, holding.shape):
        # a subclass may have replaced the weight by something of another shape
        return ParameterInfo(name, holding.shape, dtype, "bare", layer=path)
    return ParameterInfo(
        name,
        holding.shape,
        dtype,
        slot.role,
        kind,
        path,
        slot.layout,
        _fans(slot, holding.shape, row, shapes),
        slot.gates,
        slot.fan_hidden,
        slot.zero_row,
        start=slot.start,
    )


def _fits(layout: Layout, shape: tuple[int, ...]) -> bool:
    try:
        layout.check(shape)
    except LayoutError:
        return False
    return True


def _fans(
    slot: Slot, shape: tuple[int, ...], row: Slots, shapes: Mapping[str, tuple[int, ...]]
) -> Fans | None:
    """A weight's own fans; for a bias, those of the weight or weights it belongs to."""
    if set("iv") & set(slot.layout.axes):
        return fans(shape, slot.layout)
    if not slot.of or any(of not in shapes or not _fits(row[of].layout, shapes[of]) for of in slot.of):
        return None
    pieces = [fans(shapes[of], row[of].layout) for of in slot.of]
    if len(pieces) == 1:
        return pieces[0]
    return Fans(
        sum(piece.fan_in for piece in pieces) / len(pieces),
        sum(piece.fan_out for piece in pieces) / len(pieces),
        parts=tuple((name, piece) for (name, _), piece in zip(slot.gates, pieces, strict=True)),
    )


def _aliases(name: str, holding: Holding, names: Mapping[int, list[str]]) -> tuple[str, ...]:
    # an effective weight is held by its last tensor, of the same shape; g before it is a magnitude
    tensor = holding.tensors[-1][1]
    return tuple(other for other in names.get(id(tensor), ()) if other != name)


def _magnitudes(info: ParameterInfo, holding: Holding) -> Iterator[ParameterInfo]:
    """The further tensors behind an effective weight."""
    if holding.form != INVERTED:
        return
    for local, tensor in holding.tensors[:-1]:
        yield ParameterInfo(
            _join(info.layer, local),
            tuple(tensor.shape),
            str(tensor.dtype).removeprefix("torch."),
            "magnitude",
            info.kind,
            info.layer,
            status="refused",
            problem=f"it follows from {info.name}, whose fill sets it; name that instead",
        )


def _packed(path: str, module: nn.Module) -> Iterator[ParameterInfo]:
    """The weight of a quantized layer, which is no parameter and would be passed over in silence."""
    if "_packed_params" not in module.__dict__ and not hasattr(module, "_packed_params"):
        return
    weight = getattr(module, "weight", None)
    tensor = weight() if callable(weight) else weight
    if tensor is None:
        return
    yield ParameterInfo(
        _join(path, "weight"),
        tuple(tensor.shape),
        str(tensor.dtype).removeprefix("torch."),
        "weight",
        type(module).__name__,
        path,
        status="refused",
        problem="it is quantized and packed; initialize the model before quantizing it",
    )


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
