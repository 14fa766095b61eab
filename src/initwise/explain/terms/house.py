"""Words of initwise itself."""

from __future__ import annotations

from .base import Term

HOUSE = "Words of initwise"

TERMS = (
    Term(
        "scheme",
        HOUSE,
        "A law for weights with its options: he_normal, orthogonal. It makes a Fill from fans and gain.",
        formula="Scheme + Fans + gain → Fill",
        see=("fill", "recipe", "flavor"),
    ),
    Term(
        "recipe",
        HOUSE,
        "The rules of a published model, part by part: what its tables, attention, MLPs, norms and head "
        "start from.",
        formula="part → Fill",
        see=("scheme", "plan"),
    ),
    Term(
        "fill",
        HOUSE,
        "What one tensor is to be filled with, as numbers: the law, its reason and its source. Nothing "
        "random is in it.",
        see=("plan", "stream"),
    ),
    Term(
        "plan",
        HOUSE,
        "A Fill for every tensor of a model, and the reason why others are left alone.",
        formula="name → Fill",
        see=("fill", "ledger"),
    ),
    Term(
        "ledger",
        HOUSE,
        "What was written: for every tensor the law declared, the standard deviation found, and why a "
        "tensor was not filled.",
        see=("plan", "digest"),
    ),
    Term(
        "digest",
        HOUSE,
        "A short number made of all bits of the weights. Equal digests mean equal weights.",
        see=("ledger",),
    ),
    Term(
        "stream",
        HOUSE,
        "Where random numbers come from: a function of the seed, the tensor's name and the element's "
        "place, and of nothing else. So any device, order and sharding gives the same bits.",
        formula="Philox-4x32-10(seed, name, index)",
        see=("seed", "shard"),
    ),
    Term(
        "seed",
        HOUSE,
        "The number that chooses one draw among all. Another seed is another network of the same law; "
        "results are means over several.",
        see=("stream",),
    ),
    Term(
        "flavor",
        HOUSE,
        'What one framework means by a name that several use: flavor="keras" is Keras\' law of it, '
        "Keras' count of the fans included.",
        see=("scheme", "compat"),
    ),
    Term(
        "compat",
        HOUSE,
        "Fans as a framework counts them from a stored shape, true or not: for comparing with its numbers.",
        formula='fans(shape, layout, compat="torch")',
        see=("fan-in", "flavor"),
    ),
    Term(
        "role",
        HOUSE,
        "What a parameter is for: weight, bias, norm, embedding, recurrent matrix, bare factor. A "
        "scheme has a rule for each.",
        see=("scheme", "part"),
    ),
    Term(
        "part",
        HOUSE,
        "Which part of a model a parameter is, read from its name: attention.output, mlp.down.",
        see=("role", "recipe"),
    ),
    Term(
        "evidence",
        HOUSE,
        "How well a row is known: verified in source (read in the code that the citation names; papers "
        "beside it were not read again), computed (by us, to all digits), second-hand (quoted elsewhere), "
        "recalled (not looked up again).",
        aliases=("verified in source", "computed", "second-hand", "recalled"),
    ),
    Term(
        "candidate",
        HOUSE,
        "A scheme, recipe or rule that `choose` considers for a model.",
        see=("verdict", "race"),
    ),
    Term(
        "race",
        HOUSE,
        "Short trainings of the candidates left, each at several learning rates, the losers stopped early.",
        see=("arm", "rung", "regret"),
    ),
    Term(
        "arm",
        HOUSE,
        "One candidate at one learning rate and seed in a race.",
        see=("race",),
    ),
    Term(
        "rung",
        HOUSE,
        "A stage of a race, after which the worse part stops.",
        see=("race", "eliminated"),
    ),
    Term(
        "regret",
        HOUSE,
        "How much worse a choice is than the best one: 0 is the best, 1 learned nothing.",
        formula="(loss − best)/(untrained − best)",
        see=("race",),
    ),
    Term(
        "tie",
        HOUSE,
        "Candidates that the evidence cannot tell apart: their difference is within two standard errors.",
        see=("regret", "confidence"),
    ),
    Term(
        "confidence",
        HOUSE,
        "How sure an Advice is: high after a race with one winner, moderate after another race or for a "
        "rule that did well on such networks, low otherwise.",
        see=("tie",),
        aliases=("high", "moderate", "low"),
    ),
    Term(
        "veto",
        HOUSE,
        "A candidate is out because its signals at the start are broken; the verdict says how.",
        see=("verdict", "candidate"),
    ),
    Term(
        "verdict",
        HOUSE,
        "One word on a layer or a candidate: ok, or what is wrong with it.",
        see=("ok", "vanishing", "exploding"),
    ),
    Term(
        "quadrature",
        HOUSE,
        "Computing an expectation by sums over well-chosen points: gains to 12 digits, without drawing "
        "anything.",
        formula="E[φ(z)] ≈ Σ wᵢ·φ(zᵢ)",
        see=("gain",),
    ),
)
