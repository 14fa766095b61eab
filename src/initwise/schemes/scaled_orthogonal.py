"""Orthogonal matrices times a factor of their shape, of the depth, or for every weight there is."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from ..core.errors import OptionError
from ..core.fill import Fill
from ..core.layout import Fans
from ..core.shaped import matrix_sizes
from .base import Known, SchemeRow, registry
from .flavors import Flavor
from .orthogonal import Factor, orthogonal
from .roles import by_law

_SHAPES = Annotated[
    Literal["out/in", "in/out"],
    "the ratio under the root; in/out is what an (in, out) port makes of torch's (out, in) weights",
]


def scaled_uniform_orthogonal(fans: Fans, *, gain: Factor = 1.0, ratio: _SHAPES = "out/in") -> Fill:
    """gain · max(√(out/in), 1) · Q; a kernel has it at its centre and 0 elsewhere.

    An output's mean square is then the input's also where the matrix grows: Q alone keeps the norm of
    the whole vector, which is spread over more outputs. Martens et al. 2021, sec. 4.3.
    """
    rows, columns, _ = _sizes(fans)
    share = rows / columns if ratio == "out/in" else columns / rows
    factor = max(math.sqrt(share), 1.0)
    kernel = fans.layout is not None and bool(fans.layout.spatial)
    law = "delta_orthogonal" if kernel else "orthogonal"
    fill = Fill.matrix(law, gain * factor, shape=fans.shape, layout=fans.layout)
    where = "orthogonal at the kernel's centre" if kernel else "orthogonal"
    return fill.because(f"{where}, times max(√({ratio}), 1) = {factor:.6g}")


def depth_orthogonal(
    fans: Fans, *, num_layers: Annotated[float, "layers of the network, n; ≥ 1"] = 1.0
) -> Fill:
    """√(2/n) · Q, n the number of layers."""
    if not 1 <= num_layers < math.inf:
        raise OptionError(f"num_layers={num_layers!r}", where="depth_orthogonal", expected="a number ≥ 1")
    factor = math.sqrt(2 / num_layers)
    return orthogonal(fans, gain=factor).because(f"orthogonal, times √(2/{num_layers:g}) = {factor:.6g}")


def spectral_orthogonal(fans: Fans, *, gain: Factor = 1.0) -> Fill:
    """gain · √(out/in) · Q: the spectral norm that keeps an output's size, whatever the widths.

    A kernel is taken as the matrix (out, in·field), groups and experts each by themselves.
    """
    rows, columns, field = _sizes(fans)
    factor = gain * math.sqrt(rows / (columns * field))
    return orthogonal(fans, gain=factor).because(f"orthogonal, spectral norm √(out/in) = {abs(factor):.6g}")


def biggan_orthogonal(fans: Fans) -> Fill:
    """Q for every convolution, matrix and table."""
    return orthogonal(fans)


def _sizes(fans: Fans) -> tuple[float, float, int]:
    """(out, in, kernel elements) of one matrix; of fans made by hand, themselves."""
    return matrix_sizes(fans.shape, fans.layout) if fans.shape else (fans.fan_out, fans.fan_in, 1)


registry.add(
    SchemeRow(
        name="scaled_uniform_orthogonal",
        aliases=("suo",),
        law=scaled_uniform_orthogonal,
        summary="An orthogonal matrix that also keeps each output's mean square where the layer grows; "
        "kernels have it at their centre.",
        formula="gain · max(√(out/in), 1) · Q; kernels: at the centre, else 0",
        citation="Martens et al. 2021, Rapid training of deep neural networks without skip connections or "
        "normalization layers using Deep Kernel Shaping, arXiv:2110.01765; google-deepmind/dks, "
        "parameter_sampling_functions.py",
        evidence="verified in source",
        differences=(
            "DKS and TAT only. orthogonal has gain 1 whatever the shape.",
            "The authors' PyTorch port takes (out, in, …) weights for (in, out, …), so the ratio is upside "
            'down: flavor="dks_pytorch".',
            "Even kernels: refused by DKS; here torch's centre k//2.",
        ),
        avoid="networks whose activations are not shaped for it (DKS, TAT).",
        use="deep networks without norms and skips whose activations are shaped by DKS or TAT.",
        suits=("isometry", "plain", "very deep", "tanh", "leaky relu", "cnn", "mlp", "deep", "without norm"),
        unsuited=("resnet",),
        see=("orthogonal", "delta_orthogonal"),
        known=(
            Known((256, 64), "oi", "gain", 2.0, source="√(256/64)"),
            Known((64, 256), "oi", "gain", 1.0, source="max(√(64/256), 1)"),
            Known((64, 256), "io", "gain", 2.0, source="√(256/64)"),
            Known((256, 64), "oi", "gain", 1.0, (("flavor", "dks_pytorch"),), source="max(√(64/256), 1)"),
            Known((64, 256), "oi", "gain", 2.0, (("flavor", "dks_pytorch"),), source="√(256/64)"),
            Known((256, 64, 3, 3), "oihw", "gain", 2.0, source="the channels' ratio alone"),
            Known((256, 64), "oi", "gain", 2.0, (("flavor", "dks_jax"),), source="√(256/64)"),
        ),
        flavors=(
            Flavor("dks_jax", "dks.jax parameter_sampling_functions.scaled_uniform_orthogonal"),
            Flavor(
                "dks_pytorch",
                "dks.pytorch parameter_sampling_functions.scaled_uniform_orthogonal_",
                settings={"ratio": "in/out"},
                note="It takes axis 0 for the inputs, which in torch are axis 1.",
            ),
        ),
    )
)

registry.add(
    SchemeRow(
        name="depth_orthogonal",
        aliases=("neox_scaled_orthogonal",),
        law=depth_orthogonal,
        summary="An orthogonal matrix that is smaller the deeper the network: GPT-NeoX's scaled orthogonal.",
        formula="√(2/num_layers) · Q",
        citation="EleutherAI/gpt-neox, megatron/model/init_functions.py, scaled_orthogonal_init_method",
        evidence="verified in source",
        differences=(
            "GPT-NeoX only. Its plain option orthogonal divides by zero: it takes use_mup for the layers.",
        ),
        avoid="networks without skip connections: the signal shrinks by √(2/n) at every layer. "
        "Say num_layers: it is 1 unless you do.",
        use="GPT-NeoX models that ask for it: residual networks whose depth is known.",
        suits=("reproduce", "language model", "transformer", "resnet", "deep", "residual branch"),
        unsuited=("plain",),
        see=("gpt2_residual", "orthogonal"),
        known=(
            Known((64, 64), "oi", "gain", 0.2886751346, (("num_layers", 24.0),), source="√(2/24)"),
            Known((64, 64), "oi", "gain", 1.4142135624, source="√2 for one layer"),
        ),
    )
)

registry.add(
    SchemeRow(
        name="spectral_orthogonal",
        aliases=("muon_orthogonal",),
        law=spectral_orthogonal,
        summary="Singular values √(out/in): an input of unit mean square gives an output of at most that, "
        "at any width; the start that suits Muon.",
        formula="gain · √(out/in) · Q",
        citation="Yang, Simon, Bernstein 2023, A spectral condition for feature learning, arXiv:2310.17813, "
        "condition 1",
        evidence="recalled",
        differences=(
            "No framework has it. orthogonal has gain 1, scaled_uniform_orthogonal max(√(out/in), 1).",
        ),
        avoid="plain deep networks with layers that shrink a lot: the gradient shrinks with them.",
        use="networks trained with Muon or another spectral optimizer, at any width.",
        suits=("muon", "width transfer", "transformer", "mlp", "isometry"),
        see=("orthogonal", "mup_scaling"),
        known=(
            Known((256, 64), "oi", "gain", 2.0, source="√(256/64)"),
            Known((64, 256), "oi", "gain", 0.5, source="√(64/256)"),
            Known((64, 64, 3, 3), "oihw", "gain", 0.3333333333, source="√(64/576)"),
        ),
    )
)

registry.add(
    SchemeRow(
        name="biggan_orthogonal",
        aliases=("biggan",),
        law=biggan_orthogonal,
        summary="Every convolution, matrix and embedding table orthogonal with gain 1, as BigGAN starts.",
        formula="Q; tables too",
        citation="Brock, Donahue, Simonyan 2018, arXiv:1809.11096, sec. 3; ajbrock/BigGAN-PyTorch, "
        "BigGAN.py, G_init = D_init = 'ortho'",
        evidence="verified in source",
        differences=(
            "orthogonal here gives tables N(0, 1) and only matrices Q; BigGAN-PyTorch all of them.",
        ),
        avoid="language models: a table's rows get 1/√width entries or less, the smaller the more rows.",
        use="BigGAN's generator and discriminator, and GANs like it with spectral norm.",
        suits=("gan", "cnn", "weight norm", "reproduce"),
        unsuited=("language model",),
        see=("orthogonal",),
        known=(
            Known((64, 64), "oi", "gain", 1.0, source="BigGAN-PyTorch calls orthogonal_ without a gain"),
            Known((1000, 128), "vo", "std", 0.0316227766, source="1/√1000: the table's longer side"),
        ),
        roles={"embedding": by_law},
    )
)
