"""Weights, their shapes and their laws."""

from __future__ import annotations

from .base import Term

WEIGHTS = "Weights and their shapes"
LAWS = "Laws of random weights"

TERMS = (
    Term(
        "layout",
        WEIGHTS,
        "What each axis of a stored weight is. torch stores a linear layer as (out, in), Keras as (in, "
        "out): the same shape can be two different layers, so the axes are declared and never guessed.",
        formula='o out, i in, h w d or k spatial, b a batch of matrices: "oihw", "hwio"',
        see=("fan-in", "packed weight"),
    ),
    Term(
        "fan-in",
        WEIGHTS,
        "How many products are summed into one output of a layer. The more there are, the smaller each "
        "weight must be for the sum to keep its size.",
        formula="linear: inputs; convolution: inputs per group × kernel elements",
        see=("fan-out", "variance scaling"),
        aliases=("fan_in", "fans", "fan"),
    ),
    Term(
        "fan-out",
        WEIGHTS,
        "How many outputs one input feeds: the fan-in of the backward pass, in which gradients are summed.",
        formula="linear: outputs; convolution: outputs per group × kernel elements / stride",
        see=("fan-in", "backward"),
        aliases=("fan_out",),
    ),
    Term(
        "fan average",
        WEIGHTS,
        "The mean of fan-in and fan-out: Glorot's compromise between signal and gradient.",
        formula="(fan_in + fan_out)/2",
        see=("fan-in", "fan-out"),
        aliases=("fan_avg",),
    ),
    Term(
        "packed weight",
        WEIGHTS,
        "Several matrices stored as one tensor: queries, keys and values, or the gates of an LSTM. Each "
        "has its own fans; a rule that takes the tensor for one matrix gets them wrong.",
        formula="q, k, v of width d in one: fan_out is d, not 3d",
        see=("layout", "fan-out"),
        aliases=("fused weight", "parts"),
    ),
    Term(
        "bias",
        WEIGHTS,
        "The number added to a layer's output. Zero at the start unless a gate or a prior asks for more.",
        formula="y = W·x + b",
        see=("prior bias", "gate"),
    ),
    Term(
        "tied",
        WEIGHTS,
        "Two layers that share one tensor, as a language model's table and head often do. It is filled "
        "once, by the role that its owner has.",
        see=("embedding", "head"),
        aliases=("tied weights", "weight tying"),
    ),
    Term(
        "shard",
        WEIGHTS,
        "The piece of a tensor that one of several machines holds. Its fans are those of the whole "
        "tensor; it is filled from its place in the whole, and holds the same numbers as if there were "
        "one machine.",
        see=("stream",),
    ),
    Term(
        "meta device",
        WEIGHTS,
        "Where torch keeps tensors that have a shape and no memory: for models too large to build first "
        "and fill later.",
        see=("fill", "shard"),
        aliases=("meta",),
    ),
    Term(
        "constant law",
        LAWS,
        "Every weight is the same number. In a hidden matrix all units are then equal and stay so.",
        formula="w = c",
        see=("symmetry breaking",),
    ),
    Term(
        "normal law",
        LAWS,
        "The bell curve, by its mean and standard deviation. N(m, s) here always has the standard "
        "deviation s, never the variance.",
        formula="N(m, s)",
        see=("standard deviation", "truncated normal"),
        aliases=("Gaussian",),
    ),
    Term(
        "uniform law",
        LAWS,
        "All values between two bounds are equally likely.",
        formula="U(±a) has standard deviation a/√3",
        see=("standard deviation",),
    ),
    Term(
        "truncated normal",
        LAWS,
        "A normal law whose values outside two bounds are drawn again, so that no weight is an outlier. "
        "Its standard deviation is smaller than its parent's: 0.87963 of it for bounds at ±2σ, unless "
        "that is made up for. Bounds in sigmas and bounds in weight units are different laws.",
        formula="N(0, s) given |w| ≤ 2s",
        see=("standard deviation", "normal law"),
        aliases=("trunc_normal",),
    ),
    Term(
        "standard deviation",
        LAWS,
        "The typical distance of a weight from the mean. The variance is its square.",
        formula="σ = √E[(w − E[w])²]",
        see=("second moment",),
        aliases=("std", "sigma", "σ"),
    ),
    Term(
        "variance",
        LAWS,
        "The square of the standard deviation. Variances of independent terms add up, which is why laws "
        "are stated by them.",
        formula="Var[w] = σ²",
        see=("standard deviation", "variance scaling"),
    ),
    Term(
        "variance scaling",
        LAWS,
        "A law whose variance is a number over the fan, so that a sum over the fan keeps its size "
        "whatever the width. Scale 1 is LeCun's and, with the average fan, Glorot's; 2 is He's.",
        formula="Var[w] = scale/fan",
        see=("fan-in", "gain"),
    ),
    Term(
        "gain",
        LAWS,
        "The factor by which weights must be larger because an activation has made the signal smaller. "
        "ReLU needs √2, for it halves the second moment.",
        formula="gain = √(q/E[φ(√q·z)²]), std = gain/√fan_in",
        see=("activation", "second moment", "operating point"),
    ),
    Term(
        "semi-orthogonal",
        LAWS,
        "A matrix whose rows or columns, whichever are longer, have length 1 and stand at right angles "
        "to each other. A square one is a rotation or a reflection: it changes no length.",
        formula="WWᵀ = I or WᵀW = I",
        see=("Haar", "isometry"),
        aliases=("orthogonal matrix",),
    ),
    Term(
        "Haar",
        LAWS,
        "The law under which all rotations are equally likely. It takes a QR decomposition of normal "
        "numbers and a fix of signs.",
        formula="Q·sign(diag R)",
        see=("semi-orthogonal",),
        aliases=("Haar measure",),
    ),
    Term(
        "delta-orthogonal",
        LAWS,
        "A convolution that is an orthogonal matrix at its centre and zero around it: it keeps the "
        "length of every input.",
        formula="W[:, :, centre] = Q, else 0",
        see=("semi-orthogonal", "isometry"),
        aliases=("delta orthogonal",),
    ),
    Term(
        "isometry",
        LAWS,
        "A map that keeps lengths and angles. A deep network is near one (dynamical isometry) if all "
        "singular values of its Jacobian are near 1.",
        formula="|W·x| = |x|",
        see=("singular value", "semi-orthogonal"),
        aliases=("dynamical isometry",),
    ),
    Term(
        "singular value",
        LAWS,
        "By how much a matrix stretches one of its main directions. A normal matrix has large and small "
        "ones, an orthogonal one equal ones.",
        formula="W = U·diag(s)·Vᵀ",
        see=("isometry",),
    ),
)
