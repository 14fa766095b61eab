"""The automatic rules: structure → what each weight gets and why. Pure functions, no data, no weights.

- **A** keeps the second moment at 1: gain 1/√E[φ(z)²] at q = 1; residual branch ends × 1/√(number of
  sums); orthogonal when the chain is deep; normed networks keep He and Xavier; the head by the loss.
- **A2** chooses the working point of each activation (`operating`), so that the gradient survives too; pairs
  ±z where no plain point does (`mirror`); nearly linear starts where norms or gates hold the signal; all
  matrices orthogonal; branch ends by the number of sums; heads by the kind of loss (`losses`); drawn biases
  for stems of few inputs; post-LN networks and language models at BERT's and GPT-2's scale.
- **B** is A2 plus one data pass that brings every layer to its target (`calibrate`).
- **LSUV** is orthogonal plus one data pass to variance 1.

Why each part is there: docs/decisions/0024 and 0026; what all reach: benchmarks/regret.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from ..core.parameter import ParameterInfo
from .facts import Structure, WeightFacts
from .laws import Decision
from .mirror import BALDUZZI, mirrored_point, mirrors
from .operating import OperatingPoint, known, operating_point, point_at
from .pacing import TURNED, before_norm

Rule = Callable[[WeightFacts, Structure, ParameterInfo], Decision]

HE = "He et al. 2015, arXiv:1502.01852"
LECUN = "LeCun et al. 1998, Efficient BackProp"
SAXE = "Saxe et al. 2013, arXiv:1312.6120"
DEPTH = "Schoenholz et al. 2017, arXiv:1611.01232"
RESIDUAL = "Radford et al. 2019 (GPT-2); De and Smith 2020, arXiv:2002.10444"
FIXUP = "Zhang et al. 2019, arXiv:1901.09321; De and Smith 2020, arXiv:2002.10444"
GPT2 = "Radford et al. 2019 (GPT-2)"
BERT = "Devlin et al. 2018, arXiv:1810.04805"
IDENTITY = "Le et al. 2015, arXiv:1504.00941; Zhao et al. 2022 (ZerO), arXiv:2110.12661"
LSUV = "Mishkin and Matas 2015, arXiv:1511.06422"
SOBER = "Steinwart 2019, arXiv:1903.11482"
RECURRENT = "Saxe et al. 2013, arXiv:1312.6120; Le et al. 2015, arXiv:1504.00941"

HIGHWAY = "Srivastava et al. 2015, arXiv:1505.00387, section 2.2"
DELTA = "Xiao et al. 2018, arXiv:1806.05393"

DEEP = 10
"""Chains longer than this are deep: rule A draws orthogonal matrices, A2 delta-orthogonal kernels."""
HEADS = {"classification": 1.0, "regression": 0.3, "": 0.6}
"""Standard deviation that the model's output starts with, by the kind of loss. Logits of std 1 cost little
before training and send back gradients that tell the features apart; a regression starts near its mean."""
STEADY = 0.3
"""Share of the variance that activations get where norms or gates keep the signal steady over the depth: they
start nearly linear, as torch's own layers do (variance 1/3)."""
SMALL = 0.55
"""Gain of every weight in post-LN networks and language models: BERT's and GPT-2's std 0.02 at width 768."""
CARRY = 2.0
"""Size of the bias of a highway's gates: deep ones were trained from −1 to −4, most from −2."""
_CARRIED = 1 / (1 + math.exp(-CARRY))
FEW_INPUTS = 0.05
"""A stem whose bias, as one more input, would have a smaller share (twenty inputs) starts without."""


def rule_a(facts: WeightFacts, structure: Structure, info: ParameterInfo) -> Decision:
    """Rule A for one weight."""
    if facts.role in ("recurrent", "unused"):
        return _recurrent(facts)
    point = point_at(facts.fed_by)
    deep = facts.chain > DEEP and not facts.normed_output and facts.role == "hidden"
    law = "orthogonal" if deep else "normal"
    gain, why = point.gain, _keeps(facts, point)
    if facts.role == "head":
        size = HEADS[structure.loss]
        return Decision(size * gain, reason=f"{why}; × {size} for {_output(structure)}", citation=HE)
    if facts.role == "branch_end" and not facts.normed_output:
        gain /= math.sqrt(max(facts.adds, 1))
        why += f"; × 1/√{facts.adds} because {facts.adds} residual sums add up"
        return Decision(gain, law, reason=why, citation=RESIDUAL)
    if deep:
        why += f"; orthogonal because the chain is {facts.chain} weights deep"
    return Decision(gain, law, reason=why, citation=SAXE if deep else HE)


def rule_a2(facts: WeightFacts, structure: Structure, info: ParameterInfo) -> Decision:
    """Rule A2 for one weight; `Decision.target` is what rule B's data pass steers to."""
    decision = _decided(facts, structure, info)
    if structure.light and facts.role != "stem":  # the data pass would make up for the light embeddings
        return replace(decision, target=None)
    return decision


def _decided(facts: WeightFacts, structure: Structure, info: ParameterInfo) -> Decision:
    if facts.role in ("recurrent", "unused"):
        return _recurrent(facts)
    if structure.post_norm or structure.language:
        return _published(facts, structure)
    if facts.normed_output:
        return _before_norm(facts, structure, info)
    if facts.role == "head":
        return _mirrored(_head(input_point(facts, structure), structure), facts, structure, info)
    if facts.role == "branch_end":
        return _branch_end(facts, structure)
    if facts.role == "input":
        return Decision(1.0, reason=_unit("a recurrent layer's input"), citation=LECUN)
    return _shared(_mirrored(_inner(facts, structure), facts, structure, info), facts, info)


def rule_lsuv(facts: WeightFacts, structure: Structure, info: ParameterInfo) -> Decision:
    """LSUV for one weight: orthogonal, to be scaled to variance 1. Recurrent matrices stay orthogonal."""
    inside = facts.role in ("recurrent", "input", "unused") or facts.attention in ("query", "key")
    target = None if inside else 1.0
    reason = "orthogonal, before scaling"
    return Decision(1.0, "orthogonal", target=target, measure="second", reason=reason, citation=LSUV)


def point_of(facts: WeightFacts, structure: Structure) -> OperatingPoint:
    """The operating point of the activation that this weight feeds."""
    mirrored = mirrored_point(facts.feeds, facts.chain) if mirrors(facts, structure) else None
    if mirrored is not None:
        return mirrored
    chained = facts.role in ("stem", "hidden") and not facts.gate
    point = operating_point(
        facts.feeds,
        1 if facts.gate else facts.chain,
        centred=chained and structure.centrable(facts.feeds),
        biased=chained and bool(facts.bias),
    )
    # a stem without an activation begins the stream to which branches are made to add 1
    begins = facts.role == "stem" and not facts.feeds and not facts.gate
    return point_at(facts.feeds, STEADY * point.q) if structure.steadied and not begins else point


def input_point(facts: WeightFacts, structure: Structure) -> OperatingPoint:
    """The operating point of the activation that feeds this weight (linear, if none does)."""
    if facts.source not in ("activation", "gate") or not known(facts.fed_by):
        return OperatingPoint("", facts.chain)
    if facts.source == "gate" and structure.steadied:
        # a product of two independent signals, the activated one and one of variance STEADY
        made = point_at(facts.fed_by, STEADY)
        return replace(made, second=STEADY * made.second, mean=0.0)
    before = structure.find(facts.before)
    if before is None or before.normed_output or before.role not in ("stem", "hidden"):
        return point_at(facts.fed_by)
    return point_of(before, structure)


def _inner(facts: WeightFacts, structure: Structure) -> Decision:
    """A stem or a hidden weight: bring its output to the working point of what it feeds."""
    point, before = point_of(facts, structure), input_point(facts, structure)
    gain = math.sqrt(point.q / before.carried)
    reason = _works(facts, point, before)
    citation = DEPTH if point.activation else LECUN
    if before.centred and facts.square:
        cancelled = -gain * before.mean
        reason += (
            f"; identity rows sum to the gain, so a bias of {cancelled:.3g} cancels E[φ] = {before.mean:.3g}"
        )
        bias, citation = point.bias + cancelled, f"{citation}; {IDENTITY}"
        return Decision(gain, "identity", bias, reason=reason, citation=citation)
    citation = f"{citation}; {SAXE}"
    if facts.carry and facts.bias and facts.uses == 1:
        bias = CARRY * facts.carry
        reason += f"; bias {bias:g}, so that at first {_CARRIED:.0%} of the stream is carried on"
        return Decision(gain, "orthogonal", bias, point.q, reason=reason, citation=f"{citation}; {HIGHWAY}")
    if facts.attention in ("query", "key", "query_key_value"):
        return Decision(before.carried**-0.5, "orthogonal", reason=_unit("attention"), citation=citation)
    return Decision(gain, "orthogonal", point.bias, point.q, reason=reason, citation=citation)


def _shared(decision: Decision, facts: WeightFacts, info: ParameterInfo) -> Decision:
    """The decision for a stem of few inputs, its bias counted as one more of them.

    With zero biases the kinks of all its units meet in the origin; drawn ones spread them over the data.
    """
    share = 1 / (1 + info.fans.fan_in) if info.fans else 0.0
    if decision.mirror:  # drawn biases would part the pairs ±z
        return decision
    if facts.role != "stem" or not facts.bias or not facts.feeds or decision.bias or share < FEW_INPUTS:
        return decision
    spread = math.sqrt(share * (decision.target or 1.0))
    reason = f"{decision.reason}; {share:.2g} of it from the bias, which counts as one more input"
    return replace(
        decision,
        gain=decision.gain * math.sqrt(1 - share),
        spread=spread,
        reason=reason,
        citation=f"{decision.citation}; {SOBER}",
    )


def _mirrored(decision: Decision, facts: WeightFacts, structure: Structure, info: ParameterInfo) -> Decision:
    """The decision, with pairs ±z of outputs or inputs, and at the centre of kernels in deep chains."""
    law = "delta_orthogonal" if deep_kernel(facts, info) else decision.law
    reason, citation = decision.reason, decision.citation
    if law == "delta_orthogonal":
        reason += f"; at the kernel's centre, so that {facts.chain} convolutions keep every place's length"
        citation = f"{citation}; {DELTA}"
    rows, columns = mirrors(facts, structure), input_point(facts, structure).mirrored
    if not rows and not columns:
        return replace(decision, law=law, reason=reason, citation=citation)
    if columns:
        reason += f"; rows [Q, −Q] over pairs ±z cancel the mean of {facts.fed_by} in every draw"
    if rows:
        reason += "; outputs in pairs ±z"
    sides = "both" if rows and columns else "rows" if rows else "columns"
    law = law if law == "delta_orthogonal" else "orthogonal"
    return replace(decision, law=law, mirror=sides, reason=reason, citation=f"{citation}; {BALDUZZI}")


def deep_kernel(facts: WeightFacts, info: ParameterInfo) -> bool:
    """Is it a convolution in a chain so deep that only its centre should start with weights?"""
    if facts.chain <= DEEP or not facts.inputs or info.layout is None:
        return False
    sizes = [info.shape[axis] for axis in info.layout.spatial]
    odd = all(size % 2 for size in sizes) and math.prod(sizes) > 1
    return odd and facts.role == "hidden" and facts.inputs <= facts.outputs


def _head(before: OperatingPoint, structure: Structure) -> Decision:
    carried, size = before.carried, HEADS[structure.loss]
    what = "Var[x]" if before.centred else "E[x²]"
    reason = f"the head: std {size}, {_output(structure)}, from inputs with {what} = {carried:.3g}"
    kind = "spread" if before.centred else "second"
    gain = size / math.sqrt(carried)
    return Decision(gain, "orthogonal", target=size**2, measure=kind, reason=reason, citation=FIXUP)


def _output(structure: Structure) -> str:
    return {
        "classification": "the usual size of logits",
        "regression": "small beside the targets",
        "": "between what logits and what regressions start with, as the loss is not known",
    }[structure.loss]


def _branch_end(facts: WeightFacts, structure: Structure) -> Decision:
    """How much one of N branches may add to the stream.

    With norms inside the branches every branch writes at unit scale whatever the stream holds: 1/N of its
    variance, so that all together add 1. What attention's averages or a small working point take away, the
    data pass gives back. Without norms branches amplify what is there: min(1, 2/N) of the stream's std.
    """
    count = max(facts.adds, 1)
    if structure.norms:
        second = point_at(facts.fed_by).carried if known(facts.fed_by) else 1.0
        reason = (
            f"end of one of {count} normalised residual branches: × 1/√{count}, so their sum has variance 1"
        )
        gain = 1 / math.sqrt(count * second)
        return Decision(gain, "orthogonal", target=1 / count, reason=reason, citation=RESIDUAL)
    second = input_point(facts, structure).carried
    share = min(1.0, 2.0 / count)
    reason = f"end of one of {count} residual branches without a norm: adds {share:.3g} of the stream's std"
    gain = share / math.sqrt(second)
    return Decision(gain, "orthogonal", target=share**2, measure="relative", reason=reason, citation=FIXUP)


def _before_norm(facts: WeightFacts, structure: Structure, info: ParameterInfo) -> Decision:
    """A norm follows, so the forward scale is its matter; He's gain keeps the effective step size usual."""
    point = point_at(facts.fed_by)
    reason = f"a norm follows and fixes the scale; {_keeps(facts, point)}"
    factor = before_norm(structure.rate, structure.optimizer, info.fans.fan_in if info.fans else 1.0)
    if factor != 1:
        reason += f"; × {factor:.3g}, so that steps at rate {structure.rate:g} turn it as they should"
        return Decision(factor * point.gain, "orthogonal", reason=reason, citation=f"{HE}; {TURNED}")
    return Decision(point.gain, "orthogonal", reason=reason, citation=f"{HE}; {SAXE}")


def _published(facts: WeightFacts, structure: Structure) -> Decision:
    """Post-LN networks and language models: what BERT and GPT-2 do, at this network's widths.

    Their std 0.02 is 0.55/√fan_in at their width of 768. The N branches of a pre-LN stream are kept from
    adding up to more than the embeddings' variance, 1: at most 1/√(N·E[φ²]).
    """
    if structure.post_norm:
        reason = (
            "post-LN: the sum of stream and branch is normalised, so every unit of branch variance shrinks "
            f"the gradient of the layers below; std {SMALL}/√fan_in, BERT's 0.02 at its width, is small"
        )
        return Decision(SMALL, reason=reason, citation=BERT)
    gain, reason = SMALL, f"a language model: std {SMALL}/√fan_in, GPT-2's 0.02 at its width"
    if facts.role == "branch_end":
        second = point_at(facts.fed_by, STEADY).second if known(facts.fed_by) else STEADY
        gain = min(gain, 1 / math.sqrt(facts.adds * second))
        reason += f"; one of {facts.adds} branch ends: {gain:.3g}, so their sum has at most variance 1"
    return Decision(gain, reason=reason, citation=GPT2)


def _recurrent(facts: WeightFacts) -> Decision:
    if facts.role == "unused":
        return Decision(1.0, reason="it did not run on the example: variance 1/fan_in", citation=LECUN)
    reason = (
        "it multiplies its own output at every step: orthogonal, so that the state neither grows nor fades"
    )
    return Decision(1.0, "orthogonal", reason=reason, citation=RECURRENT)


def _unit(what: str) -> str:
    return f"{what}: variance 1 from inputs of variance 1"


def _keeps(facts: WeightFacts, point: OperatingPoint) -> str:
    if not known(facts.fed_by):
        return f"{_SOURCE_WORDS.get(facts.source, 'its input')}: gain 1 keeps the variance"
    return f"after {facts.fed_by}, E[φ²] = {point.second:.4g} at q = 1: gain {point.gain:.4g}"


def _works(facts: WeightFacts, point: OperatingPoint, before: OperatingPoint) -> str:
    source = f"from {_SOURCE_WORDS.get(facts.source, 'its input')} with E[x²] = {before.second:.3g}"
    if not point.activation:
        return f"variance 1 {source}"
    chain = f"over {point.depth} layers" if point.depth > 1 else "in its one layer"
    text = (
        f"takes the input of {point.activation} to variance q = {point.q:.3g} {source}; there χ₁ = "
        f"{point.chi:.3f}, so {chain} the gradient² changes ×{point.chi**point.depth:.2g}"
    )
    return text + (f" (with bias {point.bias:g})" if point.bias else "")


_SOURCE_WORDS = {
    "raw": "raw inputs",
    "linear": "a linear layer",
    "activation": "the activation",
    "norm": "a normalised input",
    "stream": "the residual stream",
    "gate": "a gate",
    "attention": "attention",
    "embedding": "an embedding",
    "recurrent": "a recurrent layer",
}
