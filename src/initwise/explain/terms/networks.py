"""Parts of networks and how they are trained."""

from __future__ import annotations

from .base import Term

ARCHITECTURE = "Parts of networks"
PRACTICE = "Training and parametrisation"

TERMS = (
    Term(
        "residual branch",
        ARCHITECTURE,
        "What a block adds to its input. Sums of many branches grow unless branches start small.",
        formula="x + f(x); variance grows with the number of branches",
        see=("branch end", "residual scaling"),
        aliases=("skip connection", "shortcut", "residual"),
    ),
    Term(
        "branch end",
        ARCHITECTURE,
        "The last matrix or norm of a residual branch, the one that writes into the sum: where a branch "
        "is made small.",
        formula="attention.output, mlp.down",
        see=("residual branch", "zero-γ"),
        aliases=("residual output",),
    ),
    Term(
        "residual scaling",
        ARCHITECTURE,
        "Making branch ends smaller the more of them there are, as GPT-2 does.",
        formula="std/√(2L) for L blocks of two branches",
        see=("residual branch", "branch end"),
    ),
    Term(
        "zero-γ",
        ARCHITECTURE,
        "The last norm of each residual branch starts with gain 0: each block starts by handing its "
        "input through.",
        formula="γ = 0",
        see=("branch end", "norm"),
        aliases=("zero gamma", "zero-gamma", "zero-init residual"),
    ),
    Term(
        "norm",
        ARCHITECTURE,
        "A layer that divides its input by its own size: BatchNorm over a batch, LayerNorm and RMSNorm "
        "over a unit's features. What is behind it does not see the scale before it.",
        formula="γ·(x − mean)/std + β",
        see=("pre-norm", "post-norm"),
        aliases=("normalization", "BatchNorm", "LayerNorm", "RMSNorm"),
    ),
    Term(
        "pre-norm",
        ARCHITECTURE,
        "The norm stands at the start of the branch: the sum itself is never divided, and grows with depth.",
        formula="x + f(norm(x))",
        see=("post-norm", "residual scaling"),
        aliases=("pre-LN",),
    ),
    Term(
        "post-norm",
        ARCHITECTURE,
        "The norm stands after the sum: gradients pass every norm on their way, so depth needs warm-up "
        "or scaling.",
        formula="norm(x + f(x))",
        see=("pre-norm", "warm-up"),
        aliases=("post-LN",),
    ),
    Term(
        "LayerScale",
        ARCHITECTURE,
        "A factor for each channel at the end of a branch, that starts near 0.",
        formula="x + γ·f(x), γ = 1e-4 to 1e-6",
        see=("residual branch",),
    ),
    Term(
        "gate",
        ARCHITECTURE,
        "A number between 0 and 1 that multiplies another signal. Its bias decides whether it starts "
        "open or shut.",
        formula="σ(g)·x",
        see=("forget gate", "bias"),
    ),
    Term(
        "forget gate",
        ARCHITECTURE,
        "The gate of an LSTM that keeps its memory. With bias 1 it starts by remembering.",
        formula="c ← σ(f)·c + …",
        see=("gate",),
    ),
    Term(
        "embedding",
        ARCHITECTURE,
        "A table with a row per token. A look-up sums nothing, so fans say nothing about its scale.",
        formula="x = E[token]",
        see=("tied", "head"),
        aliases=("embedding table",),
    ),
    Term(
        "head",
        ARCHITECTURE,
        "The last layer, which makes the prediction. Small or zero, it starts with all classes alike.",
        formula="logits = W·x + b",
        see=("prior bias",),
        aliases=("readout", "output layer"),
    ),
    Term(
        "prior bias",
        ARCHITECTURE,
        "A head's bias that starts at how frequent the classes are, so that the first steps are not "
        "spent on it.",
        formula="b = ln(π/(1 − π))",
        see=("head", "bias"),
    ),
    Term(
        "learning rate",
        PRACTICE,
        "How far a step goes. A scheme is compared at its own best one: a scheme that looks bad at a "
        "shared rate may only want another.",
        formula="w ← w − η·gradient",
        see=("LR range",),
        aliases=("LR", "lr"),
    ),
    Term(
        "LR range",
        PRACTICE,
        "The learning rates at which a network trains well, from the lowest to the highest. A good "
        "start makes it wide.",
        see=("learning rate",),
        aliases=("learning-rate range",),
    ),
    Term(
        "warm-up",
        PRACTICE,
        "Small learning rates for the first steps, which some networks need because their start is "
        "unbalanced.",
        see=("learning rate", "post-norm"),
        aliases=("warmup",),
    ),
    Term(
        "muP",
        PRACTICE,
        "The maximal update parametrisation: scales and learning rates by width such that what was "
        "tuned on a narrow network holds for a wide one.",
        formula="hidden std ∝ 1/√width, its Adam rate ∝ 1/width",
        see=("NTK", "parametrisation"),
        aliases=("μP", "maximal update parametrisation"),
    ),
    Term(
        "NTK",
        PRACTICE,
        "Neural tangent kernel: what a network of infinite width learns by, if its scales are in the "
        "forward pass. Features do not change in that limit.",
        formula="y = (σ_w/√fan_in)·W·x, W ~ N(0, 1)",
        see=("muP", "parametrisation"),
        aliases=("neural tangent kernel",),
    ),
    Term(
        "parametrisation",
        PRACTICE,
        "How a scale is split between the stored weight, a factor in the forward pass and the learning "
        "rate. The same function at the start, another training.",
        see=("muP", "NTK"),
        aliases=("parameterization",),
    ),
    Term(
        "overflow and underflow",
        PRACTICE,
        "Numbers beyond the largest, or below the smallest, that a type can hold: 65504 and 6e-8 for "
        "float16.",
        see=("overflow", "underflow"),
        aliases=("half precision",),
    ),
)
