"""What torch's own constructors draw, law for law (`reset_parameters` of each layer)."""

from __future__ import annotations

import dataclasses
import math

from ..core.fill import Fill
from ..core.layout import Fans, fans, recounted
from ..core.parameter import ParameterInfo
from .base import Known, Scheme, SchemeRow, registry
from .roles import known_fans, start
from .scaling import fan
from .xavier import xavier_normal, xavier_uniform

CITATION = "torch/nn/modules, each layer's reset_parameters"


def torch_default(fans: Fans) -> Fill:
    """U(±1/√fan_in) with torch's fan_in: what Linear and the convolutions draw.

    It is kaiming_uniform with a = √5, variance 1/(3·fan_in), a sixth of He's.
    """
    count = fan(kernel_count(fans, "torch"), "fan_in")
    return _bounded(count, f"fan_in {count:g}")


def kernel_count(fans: Fans, compat: str) -> Fans:
    """A convolution's fans as `compat` counts them; a matrix' own fans are no framework's mistake."""
    kernel = fans.layout is not None and bool(fans.layout.spatial)
    return recounted(fans, compat) if kernel else fans


def _bounded(count: float, words: str) -> Fill:
    bound = 1 / math.sqrt(count)
    return Fill.uniform(-bound, bound, reason=f"±1/√({words}), as torch", citation=CITATION)


def whole(info: ParameterInfo) -> Fans:
    """The fans of a packed weight taken as one matrix, as a framework sees it that does not know parts."""
    found = known_fans(info)
    if not found.parts or found.layout is None or not found.shape:
        return found
    return fans(found.shape, dataclasses.replace(found.layout, parts=()), where=info.name)


def _weight(scheme: Scheme, info: ParameterInfo) -> Fill | None:
    if info.fan_hidden:
        return _hidden(scheme, info)
    if info.kind == "MultiheadAttention":
        fused = xavier_uniform(recounted(whole(info), "torch"))
        return fused.because(f"{fused.reason}, a packed matrix taken as one", f"{CITATION}: attention")
    if info.kind == "Conv1D":
        return Fill.normal(0.0, 0.02, reason="its constructor draws N(0, 0.02)", citation="transformers")
    return _plain(scheme, info)


def _plain(scheme: Scheme, info: ParameterInfo) -> Fill | None:
    found = info.fans
    if found is None:
        return None
    if found.layout is not None and found.layout.axes == "oii":
        return _bounded(float(found.shape[1]), f"in1 {found.shape[1]}")
    return torch_default(found)


def _bias(scheme: Scheme, info: ParameterInfo) -> Fill | None:
    if info.start is not None:
        return Fill.constant(info.start, reason=f"{info.kind}'s constructor sets it", citation=CITATION)
    return _plain(scheme, info)


def _hidden(scheme: Scheme, info: ParameterInfo) -> Fill | None:
    if not info.fan_hidden:
        return None
    return _bounded(float(info.fan_hidden), f"hidden size {info.fan_hidden}")


def _table(scheme: Scheme, info: ParameterInfo) -> Fill:
    return Fill.normal(0.0, 1.0, reason="torch's tables: N(0, 1)", citation=f"{CITATION}: Embedding")


def _token(scheme: Scheme, info: ParameterInfo) -> Fill | None:
    if info.kind != "MultiheadAttention":
        return None
    # torch counts the fans of a (1, 1, d) tensor as (d, d)
    width = float(info.shape[-1])
    fill = xavier_normal(Fans(width, width))
    return fill.because(f"bias_k and bias_v: {fill.reason}", f"{CITATION}: attention")


registry.add(
    SchemeRow(
        name="torch_default",
        aliases=("pytorch_default", "torch"),
        law=torch_default,
        summary="What torch's constructors draw: small uniform weights and biases, a legacy law that shrinks "
        "ReLU signals by √6 per layer.",
        formula="U(±1/√fan_in) for weights and biases; N(0, 1) tables; U(±1/√H) in recurrent layers; "
        "attention's fused matrix U(±√(6/(fan_in + fan_out)))",
        citation=CITATION,
        evidence="verified in source",
        differences=(
            "fan_in is torch's own: a transposed convolution's is out/groups·kernel, not what is summed.",
            "The same law is called kaiming_uniform(a=√5) in torch's source.",
            "Attention: one fused matrix gives a bound √2 smaller than three separate ones.",
            "nn.Transformer then draws xavier_uniform over all its matrices; here each layer keeps its own.",
            "Class tokens and other bare parameters have no default: they are left as they are.",
        ),
        avoid="deep networks without normalisation: signal and gradient fade layer by layer.",
        use="comparing with what torch's constructors draw; shallow networks, networks with norms.",
        suits=("torch", "mlp", "cnn", "lstm", "gru", "rnn", "batchnorm", "norm", "shallow", "rl"),
        unsuited=("very deep", "without norm"),
        see=("keras_default", "he_uniform", "lecun_uniform"),
        known=(
            Known((256, 64), "oi", "high", 0.125, source="1/√64"),
            Known((128, 8, 3, 3), "oihw", "high", 0.1178511302, groups=4, source="1/√72"),
            Known((64, 32, 4, 4), "iohw", "high", 0.0441941738, stride=(2, 2), source="1/√512: out·kernel"),
        ),
        roles={
            "weight": _weight,
            "recurrent": _hidden,
            "bias": _bias,
            "recurrent_bias": _hidden,
            "embedding": _table,
            "norm_gain": start(1.0, "torch's norms start at gain 1", CITATION),
            "norm_bias": start(0.0, "torch's norms start at bias 0", CITATION),
            "slope": start(0.25, "torch's PReLU starts at 0.25", CITATION),
            "token": _token,
        },
    )
)
