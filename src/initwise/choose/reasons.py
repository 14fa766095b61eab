"""The reasons of an Advice: plain sentences with numbers, the most important first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..core.records import Race
from .calibrate import unscaled
from .candidates import family
from .facts import Structure
from .measuring import FAMILIAR
from .planners import ASKED, Case
from .rules import point_of
from .stand_in import LARGE, stood_in
from .verdicts import Judged

LENGTH = 50
"""Optimiser steps below which a race's lead is no more than moderate evidence."""
SHOWN = 5
"""Vetoed candidates named per verdict."""
MEANING = {
    "vanishing": "because signal or gradient fade over the depth (last to first layer)",
    "exploding": "because signal or gradient blow up over the depth (last to first layer)",
    "symmetric": "because their units are identical and training cannot part them",
    "dead": "because most of their units answer to no input",
    "saturated": "because they drive the activation to where it is flat",
    "collapsed": "because different inputs become indistinguishable",
    "overflow": "because values leave the range of the dtype",
    "underflow": "because values fall below the range of the dtype",
    "rounded": "because weights differ by less than the dtype can tell",
}


def reasons(order: Sequence[Judged], ties: Sequence[str], case: Case, race: Race | None) -> tuple[str, ...]:
    """What a careful colleague would say about the choice `order[0]`.

    Args:
        order: the candidates, best first.
        ties: names that cannot be told from the best.
        case: the model's structure and example.
        race: the race, if one ran.
    """
    return tuple(_all(order, ties, case, race))


def _all(order: Sequence[Judged], ties: Sequence[str], case: Case, race: Race | None) -> Iterator[str]:
    structure = case.structure
    yield describe(structure)
    yield _method(case)
    if race is not None:
        yield _raced(order, race)
    yield _chosen(order[0])
    yield from _unmeasured(order, case)
    if race is None or order[0].row.name.startswith("rule_"):
        yield from _depth(structure, order[0])
    yield from _vetoed(order)
    if race is not None:
        yield from _controls(order)
    yield from _ties(order, ties, race)
    yield from caveats(case)
    yield from _unscaled(order[0])
    yield from _stand_ins(order[0], case)


def describe(structure: Structure) -> str:
    """The network in one sentence: "10 weights deep, sigmoid, no normalisation, no residual sums."."""
    if not structure.traced:
        return f"{len(structure.weights)} weights; the model could not be run, so their order is a guess."
    if not structure.weights:
        return "No weight that initwise may fill took part in the run."
    kind = f"{structure.activation} layers" if structure.activation else "layers"
    parts = [f"{structure.depth} {kind} deep" if structure.depth > 1 else "a single layer"]
    parts.append(f"{structure.norms} normalisations" if structure.norms else "no normalisation")
    where = " (post-LN: the sums are normalised)" if structure.post_norm else ""
    parts.append(f"{structure.adds} residual sums{where}" if structure.adds else "no residual sums")
    if structure.attention:
        parts.append("attention")
    if structure.recurrent:
        parts.append("recurrence")
    return f"The network: {', '.join(parts)}."


def _method(case: Case) -> str:
    """Which method was taken, and why."""
    return f"Method {case.method}: {'it was ' if case.why == ASKED else ''}{case.why}."


def _unmeasured(order: Sequence[Judged], case: Case) -> Iterator[str]:
    """Those that were left out because asking is to stay cheap."""
    left = [one.row.name for one in order[1:] if one.unmeasured]
    if not left:
        return
    shown = ", ".join(left[:SHOWN]) + (f" and {len(left) - SHOWN} more" if len(left) > SHOWN else "")
    if case.valueless:
        why = "each prediction takes as long as the first"
    else:
        why = "asking takes no longer than three training steps and a second"
    yield f'Not measured: {shown}, because {why}; candidates="all" looks at every one.'


def _chosen(best: Judged) -> str:
    text = f"{best.row.name}: {best.row.says}." if best.row.says else f"{best.row.name}."
    if best.unmeasured:
        return f"{text} Nothing was measured or predicted ({best.candidate.reason})."
    if not best.healthy:
        return f"{text} Every candidate was vetoed; this one is the least damaged ({best.candidate.reason})."
    told = ratios(best.candidate.forward, best.candidate.backward) or "healthy"
    predicted = best.signals is not None and best.signals.mode == "predict"
    return f"{text} {'Predicted, without values' if predicted else 'Measured on the example'}: {told}."


def ratios(forward: float, backward: float) -> str:
    """ "the signal changes ×0.98 over the depth, its gradient ×1.2 from last to first layer"."""
    parts = []
    if math.isfinite(forward):
        parts.append(f"the signal changes ×{forward:.2g} from first to last hidden layer")
    if math.isfinite(backward):
        parts.append(f"its gradient ×{backward:.2g} from last to first")
    return ", ".join(parts)


def _depth(structure: Structure, best: Judged) -> Iterator[str]:
    """The operating point, where depth made one necessary."""
    if best.row.name not in ("rule_a2", "rule_b"):
        return
    deepest = max(
        (facts for facts in structure if facts.feeds and facts.role in ("stem", "hidden")),
        key=lambda facts: facts.chain,
        default=None,
    )
    if deepest is None or structure.post_norm or deepest.normed_output:
        return
    point = point_of(deepest, structure)
    if not point.activation or point.depth < 3:
        return
    bias = f" around a bias of {point.bias:g}" if point.bias else ""
    yield (
        f"Over {point.depth} layers without a norm, {point.activation} works best at a pre-activation "
        f"variance of {point.q:.3g}{bias}: each layer then changes the gradient² by ×{point.chi:.3f} "
        f"(×{point.chi**point.depth:.2g} over all)."
    )


def _vetoed(order: Sequence[Judged]) -> Iterator[str]:
    """One sentence per verdict, the best known schemes first, each with its number."""
    broken = [one for one in order[1:] if one.plan is not None and not (one.healthy or one.unmeasured)]
    for verdict in dict.fromkeys(one.candidate.verdict for one in broken):
        those = [one for one in broken if one.candidate.verdict == verdict]
        those.sort(key=lambda one: one.row.name not in FAMILIAR)
        shown = ", ".join(_damage(one) for one in those[:SHOWN])
        more = f" and {len(those) - SHOWN} more" if len(those) > SHOWN else ""
        yield f"Out, {MEANING.get(verdict, verdict)}: {shown}{more}."


def _controls(order: Sequence[Judged]) -> Iterator[str]:
    """What became of the vetoed candidates that raced."""
    lost = [one.candidate for one in order[1:] if not one.healthy and one.candidate.share > 0]
    told = [
        f"{one.name} {one.loss:.3g} after {one.share:.0%}"
        if math.isfinite(one.loss)
        else f"{one.name} diverged"
        for one in lost
    ]
    if told:
        yield f"The vetoes were tested: validation loss of {', '.join(told)} of a training."


def _damage(one: Judged) -> str:
    candidate = one.candidate
    if candidate.verdict in ("vanishing", "exploding") and math.isfinite(candidate.backward):
        return f"{one.row.name} (gradient ×{candidate.backward:.1g}, signal ×{candidate.forward:.1g})"
    return one.row.name


def _ties(order: Sequence[Judged], ties: Sequence[str], race: Race | None) -> Iterator[str]:
    others = [name for name in ties if name != order[0].row.name]
    if not others:
        return
    source = "the race" if race is not None else "what is known without training"
    yield f"{source[0].upper()}{source[1:]} cannot tell it from {', '.join(others)}."
    if "torch_default" in others:
        yield "Nothing here speaks strongly against the framework's default."


def _raced(order: Sequence[Judged], race: Race) -> str:
    best = order[0].candidate
    if not race.winner or not math.isfinite(best.loss):
        return "The race had no survivor: no candidate trained."
    stopped = ", interrupted" if race.interrupted else ""
    error = f" ± {best.loss_error:.2g}" if math.isfinite(best.loss_error) else ""
    second = next((o.candidate for o in order[1:] if math.isfinite(o.candidate.loss)), None)
    place = "first" if race.winner == best.name else "ahead of all that can learn"
    text = (
        f"A race at {race.cost:.0%} of a full grid's cost{stopped} put it {place}: validation loss "
        f"{best.loss:.3g}{error} with {race.optimizer} at learning rate {best.learning_rate:.2g}"
    )
    return text + (f"; next {second.name}, {second.loss:.3g}." if second else ".")


def caveats(case: Case) -> Iterator[str]:
    """What makes this advice less certain than it sounds."""
    structure = case.structure
    if structure.post_norm:
        yield (
            "Caveat: in post-LN networks early leaders of a race often lose, and learning-rate warm-up "
            "matters more than the scheme; small starts, the framework's own too, did best."
        )
    if structure.recurrent:
        yield "Caveat: recurrent networks were few among those that the rules were measured on."
    if isinstance(case.example, str) or case.example is None:
        told = "predicted numbers nearer" if case.valueless else "measured numbers true"
        yield f"Caveat: the example was drawn at random from shapes; a batch of your data makes the {told}."
    if structure.unnamed:
        yield (
            f"Caveat: {structure.unnamed} elementwise functions are no activation that initwise knows; "
            "rules A and A2 take them for linear, rule B's data pass measures what they do."
        )
    unused = [facts.name for facts in structure if facts.role == "unused"]
    if unused and structure.traced:
        shown = ", ".join(unused[:3]) + (" …" if len(unused) > 3 else "")
        yield f"Caveat: {len(unused)} weights did not run on the example ({shown})."
    yield from _read_by_use(case)
    bare = sum(info.role == "bare" for info in case.parameters)
    if bare:
        yield f"{bare} bare parameters of unknown purpose are left as they are; name them in a rule."


def _read_by_use(case: Case) -> Iterator[str]:
    """The bare parameters that are filled, because the run showed what they are."""
    read = [info for info in case.parameters if info.use]
    weights = [info for info in read if info.role in ("weight", "embedding")]
    if weights:
        first = weights[0]
        more = f", {len(read)} in all" if len(read) > 1 else ""
        yield (
            f"Bare parameters are filled as the layers that would do the same ({first.name}: "
            f"{first.use.removeprefix('a bare parameter, ')}{more}); "
            "each reason in the plan says how it was read."
        )


def _unscaled(best: Judged) -> Iterator[str]:
    """The weights of the chosen plan that its data pass could not scale, by why."""
    missed = {} if best.plan is None else unscaled(best.plan)
    for why in dict.fromkeys(missed.values()):
        names = [name for name, other in missed.items() if other == why]
        shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
        yield f"Caveat: the data pass did not scale {len(names)} of the weights ({shown}): {why}."


def _stand_ins(best: Judged, case: Case) -> Iterator[str]:
    """Weights that were measured as others."""
    if best.plan is None or case.valueless or stood_in(best.plan, case.parameters, case.work) is best.plan:
        return
    yield (
        f"Orthogonal matrices of {LARGE} rows and columns or more were measured as normal ones of the same "
        "std: drawing them takes longer than all the rest, and to second moments they do the same."
    )


def _length(best: Judged, race: Race) -> float:
    """Optimiser steps that the best candidate ran."""
    return best.candidate.share * race.steps


def confidence(order: Sequence[Judged], ties: Sequence[str], case: Case, race: Race | None) -> str:
    """ "high", "moderate" or "low".

    High: a race ran to its end, for some length, and its winner stands alone before others that ran.
    Moderate: any other race with a winner; without one, a healthy rule on a family of networks where it
    did well. Low: everything else, and whatever looked broken before training.
    """
    structure = case.structure
    thin = structure.post_norm or structure.recurrent or not structure.traced or not structure.weights
    if not order[0].healthy:
        return "low"
    if race is not None and race.winner and not race.interrupted:
        alone = len(ties) == 1 and len(race.ranking) > 2
        return "high" if not thin and alone and _length(order[0], race) >= LENGTH else "moderate"
    if thin or order[0].row.expected(family(structure)) > 0.1:
        return "low"
    return "moderate"
