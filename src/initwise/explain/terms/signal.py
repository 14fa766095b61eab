"""Signal, gradient, and the words that judge them."""

from __future__ import annotations

from .base import Term

SIGNAL = "Signal and gradient"
VERDICT = "Verdicts and statuses"

TERMS = (
    Term(
        "forward",
        SIGNAL,
        "From input to output: how large the signal is in each layer.",
        see=("backward", "second moment"),
        aliases=("forward pass",),
    ),
    Term(
        "backward",
        SIGNAL,
        "From the loss to the input: how large the gradient is in each layer.",
        see=("forward", "χ₁"),
        aliases=("backward pass", "gradient"),
    ),
    Term(
        "pre-activation",
        SIGNAL,
        "A layer's output before the activation. Over random weights it is nearly normal in a wide layer.",
        formula="a = W·x + b ~ N(0, √q)",
        see=("operating point", "activation"),
    ),
    Term(
        "activation",
        SIGNAL,
        "The function between two layers, applied to each number. Without it a network of any depth is "
        "one matrix.",
        formula="x ↦ φ(x)",
        see=("gain", "pre-activation"),
        aliases=("nonlinearity",),
    ),
    Term(
        "second moment",
        SIGNAL,
        "The mean square: how large a signal is. With mean 0 it is the variance.",
        formula="E[x²]",
        see=("variance", "gain"),
        aliases=("mean square",),
    ),
    Term(
        "rms",
        SIGNAL,
        "Root mean square: the root of the second moment, in the signal's own unit.",
        formula="√E[x²]",
        see=("second moment",),
        aliases=("root mean square",),
    ),
    Term(
        "operating point",
        SIGNAL,
        "The variance of the pre-activation at which an activation is used. Gains depend on it, those "
        "of ReLU excepted.",
        formula="q",
        see=("gain", "fixed point"),
        aliases=("q",),
    ),
    Term(
        "fixed point",
        SIGNAL,
        "The variance that a layer gives back as it got it. Where it attracts, deep signals settle "
        "there; where it repels, they drift away.",
        formula="q* = σ_w²·E[φ(√q*·z)²] + σ_b²",
        see=("operating point", "χ_∥"),
        aliases=("q*",),
    ),
    Term(
        "χ₁",
        SIGNAL,
        "By how much one layer multiplies the gradient's second moment. Over L layers it is χ₁ to the "
        "L: only 1 survives depth.",
        formula="χ₁ = σ_w²·E[φ′(√q·z)²]",
        see=("edge of chaos", "backward"),
        aliases=("chi1", "chi_1", "chi"),
    ),
    Term(
        "χ_∥",
        SIGNAL,
        "By how much one layer multiplies a small disturbance of the signal's variance. Below 1 it "
        "comes back, above 1 it drifts.",
        formula="χ_∥ = dq_next/dq",
        see=("fixed point", "χ₁"),
        aliases=("chi_parallel", "chi parallel"),
    ),
    Term(
        "edge of chaos",
        SIGNAL,
        "Weights and biases at which gradients neither vanish nor explode. On one side (order) all "
        "inputs become alike, on the other (chaos) near inputs become strangers; on the edge deep plain "
        "networks can be trained.",
        formula="χ₁ = 1 at q*",
        see=("χ₁", "fixed point", "depth scale"),
        aliases=("critical", "criticality", "critical initialization"),
    ),
    Term(
        "depth scale",
        SIGNAL,
        "After how many layers signals, or their differences, have faded to 1/e. Networks much deeper "
        "do not train.",
        formula="ξ = −1/ln χ",
        see=("edge of chaos",),
    ),
    Term(
        "correlation",
        SIGNAL,
        "How alike the network makes two inputs: the cosine between their outputs. At 1 they are no "
        "longer told apart.",
        formula="cos(x, x′)",
        see=("collapsed",),
        aliases=("cosine",),
    ),
    Term(
        "dead unit",
        SIGNAL,
        "A unit whose output is the same for every input, so that it learns nothing; for ReLU, one that "
        "is never positive.",
        see=("dead", "activation"),
    ),
    Term(
        "symmetry breaking",
        SIGNAL,
        "Units that start equal get equal gradients and stay equal, so weights must differ: the reason "
        "why they are random at all.",
        see=("symmetric", "constant law"),
        aliases=("symmetry",),
    ),
    Term(
        "mean-field theory",
        SIGNAL,
        "Following only variances and correlations from layer to layer, exact for wide layers: how "
        "predictions are made without running the network.",
        formula="q → q, c → c",
        see=("edge of chaos", "NTK"),
        aliases=("mean field",),
    ),
    Term(
        "ok",
        VERDICT,
        "Nothing speaks against training.",
        see=("verdict",),
    ),
    Term(
        "vanishing",
        VERDICT,
        "The signal or its gradient shrinks from layer to layer until nothing is learned from it.",
        formula="factor < 1 to the power of the depth",
        see=("χ₁", "gain"),
    ),
    Term(
        "exploding",
        VERDICT,
        "The signal or its gradient grows from layer to layer until steps are useless or numbers run out.",
        formula="factor > 1 to the power of the depth",
        see=("χ₁", "overflow"),
    ),
    Term(
        "symmetric",
        VERDICT,
        "Units of a layer are identical, and training cannot part them.",
        see=("symmetry breaking",),
    ),
    Term(
        "dead",
        VERDICT,
        "Units answer to no input of the batch: their output is the same for all.",
        see=("dead unit",),
    ),
    Term(
        "saturated",
        VERDICT,
        "Units are driven to where their activation is flat, so that almost no gradient passes.",
        formula="|φ′| < 5 % of its largest",
        see=("activation",),
    ),
    Term(
        "collapsed",
        VERDICT,
        "Different inputs have become indistinguishable: the network says the same of all.",
        formula="cosine → 1",
        see=("correlation",),
    ),
    Term(
        "overflow",
        VERDICT,
        "Numbers beyond the range of the model's type.",
        see=("overflow and underflow",),
    ),
    Term(
        "underflow",
        VERDICT,
        "Numbers below the smallest of the model's type, so that they are 0.",
        see=("overflow and underflow", "rounded"),
    ),
    Term(
        "rounded",
        VERDICT,
        "Weights that differ by less than their type can tell, so that most of them become the same: 1 plus "
        "a noise of 0.001 in bfloat16, whose next number below 1 is 0.9961.",
        formula="std < half the distance between two numbers",
        see=("overflow and underflow",),
    ),
    Term(
        "unpredicted",
        VERDICT,
        "It could not be judged; the reason says why.",
        see=("verdict",),
    ),
    Term(
        "untouched",
        VERDICT,
        "The layer did not run, or nothing of it was filled.",
        see=("verdict",),
    ),
    Term(
        "filled",
        VERDICT,
        "Written, as the plan says.",
        see=("ledger",),
    ),
    Term(
        "frozen",
        VERDICT,
        "Not filled: it is not to be trained (requires_grad is False).",
        see=("ledger",),
    ),
    Term(
        "kept",
        VERDICT,
        "Not filled: the plan or a rule leaves it as it is.",
        see=("plan",),
    ),
    Term(
        "empty",
        VERDICT,
        "Not filled: it has no elements.",
        see=("ledger",),
    ),
    Term(
        "refused",
        VERDICT,
        "Not filled, because it cannot be; the reason says what to do.",
        see=("ledger", "meta device"),
    ),
    Term(
        "unnamed",
        VERDICT,
        "Not filled: no rule named it.",
        see=("ledger",),
    ),
    Term(
        "finished",
        VERDICT,
        "It ran to the end of the race.",
        see=("race",),
    ),
    Term(
        "eliminated",
        VERDICT,
        "It was stopped at an earlier rung: it was behind there.",
        see=("race", "rung"),
    ),
    Term(
        "diverged",
        VERDICT,
        "Its loss was no finite number any more.",
        see=("race", "exploding"),
    ),
    Term(
        "failed",
        VERDICT,
        "Its training raised an error; the reason says which.",
        see=("race",),
    ),
    Term(
        "interrupted",
        VERDICT,
        "Stopped by hand; what had run is kept.",
        see=("race",),
    ),
)
