"""init_ with a scheme of low-rank adapters: the arrays of each, all found before anything is written.

What is framework's own (where the adapters are, running the model) is behind the adapter's door "adapters".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ..core.errors import FillError, OptionError, UnsupportedError
from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from ..core.records import Ledger, LedgerEntry
from ..random import fill_array
from ..schemes import Data, Given, Scheme, Site
from ..schemes.adapters import Adapter as Started
from .proof import digest, read
from .protocol import Adapter, adapter_for, door, served

F64 = NDArray[np.float64]
MATRICES = ("a", "b", "base")


@dataclass(frozen=True)
class Place:
    """One low-rank adapter of a model.

    Attributes:
        layer: the path of the layer that it is beside. a, b, base: full names of the parameters.
        rank: r. scale: s, None if the model does not tell it.
    """

    layer: str
    a: str
    b: str
    base: str
    rank: int
    scale: float | None


class Adapters(Protocol):
    """What the door "adapters" gives for a model."""

    places: tuple[Place, ...]

    def weight(self, place: Place) -> F64:
        """The base weight, (out, in)."""
        ...

    def inputs(self, example: Any, seed: int) -> Mapping[str, Callable[[], F64]]:
        """Layer → what it is given on the example, (samples, in)."""
        ...

    def gradients(self, example: Any, loss: Any, seed: int) -> Mapping[str, Callable[[], F64]]:
        """Layer → its base weight's gradient on the example, (out, in)."""
        ...

    def rounded(self, place: Place, which: str, value: F64) -> tuple[Any, F64]:
        """The value as it will be stored, and as float64 again. `which` is one of `MATRICES`."""
        ...

    def write(self, place: Place, which: str, stored: Any) -> None:
        """Write what `rounded` gave."""
        ...


def asked(plan: Any) -> Scheme | None:
    """The scheme, if `plan` is one of arrays, or its name."""
    from ..schemes import registry, scheme

    chosen = scheme(plan) if isinstance(plan, str) and plan in registry else plan
    return chosen if isinstance(chosen, Scheme) and chosen.row.arrays else None


def start_(model: Any, law: Scheme, *, seed: int, example: Any, data: Data | None, rules: Any) -> Ledger:
    """`init_` with a scheme of adapters. Raises: see there."""
    if "adapter" not in law.row.needs:
        from .attending import attend_

        return attend_(model, law, seed=seed, data=data, rules=rules)
    only(law, data, rules)
    adapter = adapter_for(model)
    opened = door(adapter, "adapters")
    if opened is None:
        raise UnsupportedError(
            f"low-rank adapters in {adapter.name} models",
            expected=served("adapters"),
            fix=f'One adapter\'s arrays: scheme("{law.name}").start(at), with at=Site(given=Given(…)).',
        )
    found: Adapters = opened(model)
    sources = _sources(law, found, example, data or Data(), seed)
    ready = [(place, _stored(found, place, law, sources, seed)) for place in found.places]
    for place, stored in ready:
        for which, value in stored.items():
            found.write(place, which, value)
    reasons = {
        getattr(place, which): _reason(law, place, which) for place, stored in ready for which in stored
    }
    return told(adapter, model, law, seed, reasons, "adapters and their base weights")


def only(law: Scheme, data: Any, rules: Any) -> None:
    if rules:
        what = "adapters" if "adapter" in law.row.needs else "attention"
        raise OptionError(
            f"rules beside scheme {law.name!r}",
            where="rules",
            expected=f"none: it fills {what}, each as a whole",
            fix="Fill the rest of the model first, by a call of its own.",
        )
    if data is not None and not isinstance(data, Data):
        raise OptionError(
            f"a value of type {type(data).__name__}",
            where="data",
            expected="Data(inputs=…, gradients=…, loss=…), from initwise.schemes",
        )


Sources = tuple[Mapping[str, Callable[[], F64]], Mapping[str, Callable[[], F64]]]


def _sources(law: Scheme, found: Adapters, example: Any, data: Data, seed: int) -> Sources:
    """Where each layer's inputs and gradient come from: given, or from running the model on the example."""
    needs = law.row.needs
    inputs: Mapping[str, Callable[[], F64]] = {}
    gradients: Mapping[str, Callable[[], F64]] = {}
    if "data" in needs:
        inputs = _handed(found, data.inputs, "inputs")
        if not inputs:
            inputs = found.inputs(_real(law, example, "inputs"), seed)
    if "gradient" in needs:
        gradients = _handed(found, data.gradients, "gradients")
        if not gradients:
            gradients = found.gradients(_real(law, example, "gradients"), data.loss, seed)
    return inputs, gradients


def _handed(found: Adapters, given: Any, what: str) -> dict[str, Callable[[], F64]]:
    """The user's own arrays, by layer. Raises OptionError unless there is one for every layer."""
    if given is None:
        return {}
    layers = [place.layer for place in found.places]
    wrong = [name for name in given if name not in layers] or [name for name in layers if name not in given]
    if wrong:
        raise OptionError(
            f"{what} for {len(given)} layers, {'no' if wrong[0] in layers else 'one of them'} {wrong[0]!r}",
            where=f"data.{what}",
            expected="an array for each layer with an adapter",
            legal=layers,
            given=None if wrong[0] in layers else wrong[0],
        )
    return {name: lambda value=value: np.asarray(value, np.float64) for name, value in given.items()}  # type: ignore[misc]


def _real(law: Scheme, example: Any, what: str) -> Any:
    """The example. Raises OptionError for none, or for shapes: random numbers tell nothing of the task."""
    if example is not None and not isinstance(example, str):
        return example
    means = "what each layer is given" if what == "inputs" else "the gradient of each base weight"
    more = "" if what == "inputs" else ", data=Data(loss=…)"
    raise OptionError(
        f"scheme {law.name!r} without {'data' if example is None else 'real data'}",
        where="example",
        expected=f"a batch of the task, or data=Data({what}={{layer: array}}), Data from initwise.schemes",
        cause=f"it starts from {means} on a batch"
        + ("" if example is None else "; numbers drawn for shapes tell nothing of it"),
        fix=f'init_(model, "{law.name}", example=batch{more}).',
    )


def _stored(found: Adapters, place: Place, law: Scheme, sources: Sources, seed: int) -> dict[str, Any]:
    """What will be stored: a and b rounded first, so that the base makes up for their rounding."""
    weight, scale = found.weight(place), _scale(law, place)
    inputs, gradients = (source.get(place.layer, lambda: None)() for source in sources)
    given = Given(place.rank, scale, weight, inputs, gradients, draws(place.a, seed), place.layer)
    try:
        started = cast(Started, law.start(Site(given=given)))
    except FillError as error:
        raise FillError(
            error.got,
            where=place.layer,
            expected=error.expected,
            cause=error.cause,
            legal=error.legal,
            fix=error.fix,
        ) from error
    stored = {}
    stored["a"], a = found.rounded(place, "a", started.a)
    stored["b"], b = found.rounded(place, "b", started.b)
    if not started.exact:
        stored["base"] = found.rounded(place, "base", started.base)[0]
    elif not np.array_equal(started.base, weight):
        stored["base"] = found.rounded(place, "base", weight - scale * (b @ a))[0]
    return stored


def _scale(law: Scheme, place: Place) -> float:
    said = dict(law.options).get("scale") or place.scale
    if said is None:
        raise OptionError(
            "the adapter does not say its factor s",
            where=place.layer,
            expected="a number `scaling` on its layer, or the option scale",
            fix=f'scheme("{law.name}", scale=alpha / rank), or alpha / rank**0.5 with rsLoRA.',
        )
    return float(said)


def draws(of: str, seed: int) -> Callable[[str, tuple[int, ...]], F64]:
    """Standard normal numbers by name and shape, from the stream of the parameter `of`."""

    def draw(name: str, shape: tuple[int, ...]) -> F64:
        return fill_array(np.empty(shape), Fill.normal(), name=f"{of}#{name}", seed=seed)

    return draw


def told(
    adapter: Adapter, model: Any, law: Scheme, seed: int, reasons: Mapping[str, str], about: str
) -> Ledger:
    """The Ledger of arrays just written: a reason for each name, and what the scheme is about."""
    infos = adapter.parameters(model)
    written = [info for info in infos if reasons.keys() & {info.name, *info.aliases}]
    held = dict(zip((info.name for info in written), read(adapter, model, written), strict=True))
    entries = []
    for info in infos:
        if info.name not in held:
            entries.append(_untouched(law, info, about))
            continue
        found = held[info.name]
        why = next(reasons[name] for name in (info.name, *info.aliases) if name in reasons)
        entries.append(
            LedgerEntry(
                info.name,
                info.shape,
                info.dtype,
                "filled",
                measured_mean=found.mean,
                measured_std=found.std,
                reason=why,
            )
        )
    return Ledger(law.name, seed, tuple(entries), digest(written, [held[info.name] for info in written]))


def _reason(law: Scheme, place: Place, which: str) -> str:
    what = {"a": "A", "b": "B", "base": "the base weight"}[which]
    return f"{what} of {law}, rank {place.rank}, s = {_scale(law, place):g}: {law.row.formula}"


def _untouched(law: Scheme, info: ParameterInfo, about: str) -> LedgerEntry:
    why = info.problem or f"{law.name} is about {about}"
    status = info.status if info.status != "ready" else "kept"
    return LedgerEntry(info.name, info.shape, info.dtype, status, reason=why)
