"""Orthogonal matrices, and convolutions that are orthogonal as operators."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from ..core.errors import FillError
from ..core.fill import Fill
from ..core.layout import Fans, Layout
from ..core.shaped import matrix_sizes
from .base import Known, SchemeRow, registry
from .flavors import Flavor, no_output

Factor = Annotated[float, "a factor on the matrix; it may be negative, not zero or NaN"]
Even = Annotated[
    Literal["refuse", "upper", "lower"],
    "an even kernel size: an error, or its centre at index k//2 (torch's dirac_) or (k−1)//2 (JAX)",
]


def _axes(fans: Fans | None) -> tuple[tuple[int, ...], Layout | None]:
    return (fans.shape, fans.layout) if fans is not None else ((), None)


def orthogonal(fans: Fans, *, gain: Factor = 1.0) -> Fill:
    """gain · Q, Q a semi-orthogonal matrix drawn uniformly (Haar). Saxe et al. 2013, sec. 3.

    A convolution's kernel is taken as the matrix (out, in·field).
    """
    shape, layout = _axes(fans)
    if shape and layout is not None and "o" not in layout.axes:
        raise no_output(shape, layout)
    fill = Fill.matrix("orthogonal", gain, shape=shape, layout=layout)
    return fill.because(f"all singular values are {abs(gain):.6g}")


def delta_orthogonal(fans: Fans, *, gain: Factor = 1.0, even: Even = "refuse") -> Fill:
    """gain · Q at the kernel's centre and 0 elsewhere: an orthogonal convolution. Xiao et al. 2018, alg. 1.

    Raises:
        FillError: more input than output channels, or an even kernel size unless `even` says where.
    """
    shape, layout = _axes(fans)
    if layout is None or not layout.spatial:
        return orthogonal(fans, gain=gain).because("no kernel axes: an orthogonal matrix")
    outputs, inputs, _ = matrix_sizes(shape, layout)
    if inputs > outputs:
        raise FillError(
            f"delta_orthogonal: {inputs} input and {outputs} output channels",
            expected="no more inputs than outputs",
            cause="a matrix that shrinks cannot keep the norm of every input",
            fix='Use "orthogonal" for this layer.',
        )
    sizes = [shape[axis] for axis in layout.spatial if shape[axis] % 2 == 0]
    if sizes and even == "refuse":
        raise FillError(
            f"delta_orthogonal: kernel size {sizes[0]} has no centre",
            expected="odd kernel sizes",
            fix='Use "orthogonal" for this layer, or say where: even="upper" is k//2, even="lower" (k−1)//2.',
        )
    fill = Fill.matrix("delta_orthogonal", gain, shape=shape, layout=layout)
    fill = dataclasses.replace(fill, low_centre=bool(sizes) and even == "lower")
    return fill.because(f"orthogonal at the kernel's centre, singular values {abs(gain):.6g}")


_SVD = "By SVD, signs left to LAPACK: nearly Haar's law, which is drawn here."

registry.add(
    SchemeRow(
        name="orthogonal",
        aliases=("ortho",),
        law=orthogonal,
        summary="A random rotation: every direction keeps its length, however many layers follow.",
        formula="gain · Q, Q from the QR of a normal matrix, columns signed by R's diagonal",
        citation="torch/nn/init.py, orthogonal_; keras/src/initializers/random_initializers.py; "
        "jax/_src/nn/initializers.py; Saxe, McClelland, Ganguli 2013, arXiv:1312.6120; Mezzadri 2007, "
        "math-ph/0609050 (signs)",
        evidence="verified in source",
        differences=(
            "torch, Keras and JAX: QR with signs fixed (Haar), as here. Lasagne, LSUV and OpenAI baselines: "
            "SVD, whose signs are left to LAPACK; as a flavor they are Haar's too.",
            "torch and Lasagne flatten (out, in·field), Keras and JAX (field·in, out): the same law, but not "
            "for groups, experts or a transposed convolution, of whose inputs torch and Keras make rows.",
            "A matrix with more inputs than outputs keeps lengths only on average: some inputs are lost.",
        ),
        avoid="convolutions where the operator itself is to be orthogonal: delta_orthogonal does that.",
        use="recurrent matrices, reinforcement learning, and deep linear or tanh networks without norms.",
        suits=(
            "linear",
            "tanh",
            "rnn",
            "lstm",
            "gru",
            "recurrent matrix",
            "rl",
            "long memory",
            "deep",
            "very deep",
            "plain",
            "mlp",
            "without norm",
            "isometry",
            "head",
        ),
        unsuited=("embedding",),
        see=("delta_orthogonal", "scaled_uniform_orthogonal", "spectral_orthogonal", "identity", "lsuv"),
        known=(
            Known((64, 64), "oi", "std", 0.125, source="an entry of Q: 1/√64"),
            Known((256, 64), "oi", "std", 0.0625, source="1/√256, the longer side"),
            Known((64, 64), "oi", "gain", 2**0.5, (("gain", 2**0.5),), source="CleanRL, layer_init: √2"),
            Known((64, 16, 3, 3), "oihw", "std", 0.0833333333, source="1/√max(64, 144)"),
            Known((64, 16, 3, 3), "oihw", "std", 0.0833333333, groups=4, source="a group: 1/√max(16, 144)"),
            Known((64, 32, 4, 4), "iohw", "std", 0.0312500000, source="1/√max(32, 64·16)"),
            Known((64, 32, 4, 4), "iohw", "std", 0.0441941738, (("flavor", "torch"),), source="1/√(32·16)"),
            Known((64, 32, 4, 4), "iohw", "std", 0.0441941738, (("flavor", "keras"),), source="1/√(4·4·32)"),
            Known((64, 32, 4, 4), "iohw", "std", 0.0312500000, (("flavor", "jax"),), source="1/√(4·4·64)"),
            Known((8, 64, 64), "boi", "std", 0.0156250000, (("flavor", "torch"),), source="as (8, 4096)"),
            Known((8, 64, 64), "boi", "std", 0.1250000000, source="each expert: 1/√64"),
        ),
        flavors=(
            Flavor("torch", "torch.nn.init.orthogonal_(gain=1)", flattens="torch"),
            Flavor("keras", "keras.initializers.Orthogonal(gain=1.0)", flattens="keras"),
            Flavor("jax", "jax.nn.initializers.orthogonal(scale=1.0)", flattens="jax"),
            Flavor("flax", "flax.linen.initializers.orthogonal(scale=1.0)", flattens="jax"),
            Flavor("haiku", "hk.initializers.Orthogonal(scale=1.0, axis=-1)", flattens="haiku"),
            Flavor("sonnet", "snt.initializers.Orthogonal(gain=1.0)", flattens="haiku"),
            Flavor("lasagne", "lasagne.init.Orthogonal(gain=1.0)", flattens="torch", note=_SVD),
            Flavor("baselines", "baselines ortho_init(scale=1.0)", flattens="jax", note=_SVD),
        ),
    )
)

registry.add(
    SchemeRow(
        name="delta_orthogonal",
        law=delta_orthogonal,
        summary="An orthogonal matrix at the kernel's centre, zeros around it: the convolution keeps the "
        "norm of every input.",
        formula="W[:, :, centre] = gain · Q, else 0",
        citation="jax/_src/nn/initializers.py, delta_orthogonal; brain-research/mean-field-cnns, its "
        "notebook; "
        "Xiao et al. 2018, arXiv:1806.05393, algorithm 1",
        evidence="verified in source",
        differences=(
            "JAX and DKS have it; torch and Keras do not.",
            'JAX centres even kernels at (k−1)//2: flavor="jax", or even="lower"; here they are '
            "refused, as in DKS, unless `even` says where.",
            "JAX knows no groups: a depthwise or grouped kernel has one matrix for all of them, with smaller "
            "entries; here each group is orthogonal. JAX refuses matrices; here they are orthogonal.",
        ),
        avoid="layers with more input than output channels (an error), and strided ones.",
        use="very deep convolutional networks without skips and norms: with a critical gain they "
        "train at thousands of layers.",
        suits=("very deep", "plain", "tanh", "cnn", "linear", "without norm", "isometry", "deep"),
        unsuited=("mlp", "transformer", "rnn", "upsampling"),
        see=("orthogonal", "dirac", "edge_of_chaos"),
        known=(
            Known((64, 64, 3, 3), "oihw", "std", 0.0416666667, source="1/√(64·9)"),
            Known((64, 32, 3, 3), "oihw", "gain", 1.0, source="JAX's scale=1"),
            Known((64, 64, 4, 4), "oihw", "std", 0.03125, (("even", "upper"),), source="1/√(64·16)"),
            Known((64, 64, 4, 4), "oihw", "low_centre", 1.0, (("flavor", "jax"),), source="(k−1)//2"),
            Known(
                (7, 7, 1, 96),
                "hwio",
                "std",
                0.0145802961,
                (("flavor", "jax"),),
                groups=96,
                source="1/√(96·49)",
            ),
            Known(
                (3, 3, 8, 32), "hwio", "std", 0.0589255651, (("flavor", "jax"),), groups=4, source="1/√(32·9)"
            ),
        ),
        flavors=(
            Flavor(
                "jax",
                "jax.nn.initializers.delta_orthogonal(scale=1.0)",
                settings={"even": "lower"},
                flattens="kernel",
                note="It knows no groups: one matrix, (in of a group) × out, at the centre. It refuses 2-D.",
            ),
        ),
    )
)
