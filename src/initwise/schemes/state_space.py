"""State-space models: Mamba's time step and decay, S4D's frequencies, HiPPO."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .needs import positive, shaped
from .scaling import fan

MAMBA = "Gu and Dao 2023, Mamba, arXiv:2312.00752; mamba_ssm/modules/mamba_simple.py"
S4D = "Gu et al. 2022, On the parameterization of diagonal state space models, arXiv:2206.11893; s4d.py"
HIPPO = "Gu et al. 2020, HiPPO, arXiv:2008.07669; state-spaces/s4, src/models/hippo/hippo.py"

Least = Annotated[float, "the least time step, > 0"]
Most = Annotated[float, "the greatest time step"]


def mamba_dt_bias(
    fans: Fans | None,
    *,
    dt_min: Least = 1e-3,
    dt_max: Most = 0.1,
    floor: Annotated[float, "time steps below it are set to it"] = 1e-4,
) -> Fill:
    """softplus⁻¹(dt), dt log-uniform in [dt_min, dt_max), at least `floor`."""
    reason = f"time steps log-uniform from {dt_min:g} to {dt_max:g} behind softplus"
    return Fill.mapped("inverse_softplus_log_uniform", dt_min, dt_max, floor, reason=reason)


def mamba_dt(
    fans: Fans,
    *,
    dt_scale: Annotated[float, "a factor on the bound"] = 1.0,
    kind: Annotated[
        Literal["random", "constant"], "uniform within the bound, or the bound itself"
    ] = "random",
) -> Fill:
    """U(±dt_scale/√dt_rank), dt_rank the fan-in; or that value everywhere."""
    rank = fan(fans, "fan_in")
    bound = positive("mamba_dt", dt_scale=dt_scale) / math.sqrt(rank)
    reason = f"{dt_scale:g}/√{rank:g}, by dt's rank"
    return (
        Fill.constant(bound, reason=reason)
        if kind == "constant"
        else Fill.uniform(-bound, bound, reason=reason)
    )


def mamba_a_log(fans: Fans | None) -> Fill:
    """ln(1 … N) along the last axis: S4D-Real, A = −(1, 2, …, N)."""
    reason = "A = −(1 … N) along the state, stored as its logarithm"
    return Fill.indexed("log_linear", 1.0, 1.0, **shaped(fans), reason=reason)


def mamba2_a_log(
    fans: Fans | None,
    *,
    low: Annotated[float, "the least decay, > 0; Qwen3-Next has 0.01"] = 1.0,
    high: Annotated[float, "the greatest decay"] = 16.0,
) -> Fill:
    """ln U[low, high)."""
    return Fill.mapped(
        "log_of_uniform", low, high, reason=f"A = −U[{low:g}, {high:g}) per head, as its logarithm"
    )


def s4d_log_dt(fans: Fans | None, *, dt_min: Least = 1e-3, dt_max: Most = 0.1) -> Fill:
    """U[ln dt_min, ln dt_max)."""
    low, high = (
        math.log(positive("s4d_log_dt", dt_min=dt_min)),
        math.log(positive("s4d_log_dt", dt_max=dt_max)),
    )
    return Fill.uniform(low, high, reason=f"log dt uniform: dt from {dt_min:g} to {dt_max:g}")


def s4d_imaginary(
    fans: Fans | None,
    *,
    kind: Annotated[
        Literal["lin", "inv", "quad"], "lin is π·n; inv (N/π)(N/(2n + 1) − 1); quad (2n + 1)²/π"
    ] = "lin",
) -> Fill:
    """The frequencies, n = 0 … N/2 − 1 along the last axis."""
    reason = f"S4D-{kind.capitalize()}: imaginary parts along the state"
    if kind == "lin":
        return Fill.indexed("linear", 0.0, math.pi, **shaped(fans), reason=reason)
    name = "s4d_inverse" if kind == "inv" else "s4d_quadratic"
    return Fill.indexed(name, **shaped(fans), reason=reason)


def hippo_legs(fans: Fans) -> Fill:
    """A[n, k] = −√((2n + 1)(2k + 1)) below the diagonal, −(n + 1) on it, 0 above."""
    return Fill.indexed("hippo_legs", shape=fans.shape, layout=fans.layout, reason="HiPPO-LegS")


def hippo_legs_b(fans: Fans | None) -> Fill:
    """B[n] = √(2n + 1)."""
    return Fill.indexed("root_odd", **shaped(fans), reason="B of HiPPO-LegS: √(2n + 1)")


registry.add(
    SchemeRow(
        name="mamba_dt_bias",
        law=mamba_dt_bias,
        summary="Time steps spread evenly over two orders of magnitude, behind softplus.",
        formula="dt + ln(1 − e^(−dt)), dt = max(exp(U[ln dt_min, ln dt_max)), floor)",
        citation=MAMBA,
        evidence="verified in source",
        differences=("transformers' Qwen3-Next starts it at 1; Mamba-2 draws the same law per head.",),
        avoid="half types and weight decay: keep it in float32, and out of any pass that zeros biases.",
        use="time steps that come out of a softplus: Mamba, Mamba-2 and what follows them.",
        suits=("ssm", "language model", "gate", "bias", "long memory"),
        unsuited=("low precision",),
        see=("mamba_dt", "s4d_log_dt"),
        known=(
            Known((8, 8), "oi", "low", -6.9072552373, source="softplus⁻¹(0.001)"),
            Known((8, 8), "oi", "high", -2.252168461044, source="softplus⁻¹(0.1) = ln(e^0.1 − 1)"),
        ),
        elementwise=True,
    )
)
registry.add(
    SchemeRow(
        name="mamba_dt",
        law=mamba_dt,
        summary="The matrix that makes time steps of dt's low-rank projection.",
        formula="U(±dt_scale/√dt_rank)",
        citation=MAMBA,
        evidence="verified in source",
        differences=('dt_init="constant" writes the bound itself: kind="constant".',),
        avoid="any other matrix: its bias carries the scale.",
        use="the low-rank projection that makes a selective state space's time steps.",
        suits=("ssm", "language model", "gate"),
        see=("mamba_dt_bias",),
        known=(Known((1536, 48), "oi", "high", 0.1443375673, source="d_model 768: 1/√48"),),
    )
)
registry.add(
    SchemeRow(
        name="mamba_a_log",
        law=mamba_a_log,
        summary="S4D-Real: the state's decays are 1 to N, stored as logarithms.",
        formula="ln(n + 1) along the last axis",
        citation=MAMBA,
        evidence="verified in source",
        differences=("transformers' Mamba-2 has 1 … heads, this law; the reference draws: mamba2_a_log.",),
        avoid="half types and weight decay.",
        use="the state of Mamba and of other real diagonal state spaces.",
        suits=("ssm", "language model", "long memory", "gate", "deterministic"),
        unsuited=("low precision",),
        see=("mamba2_a_log", "s4d_imaginary"),
        known=(Known((8, 16), "oi", "high", math.log(16), source="ln N, N = 16"),),
        aliases=("s4d_real",),
        elementwise=True,
    )
)
registry.add(
    SchemeRow(
        name="mamba2_a_log",
        law=mamba2_a_log,
        summary="Mamba-2's decays, one per head.",
        formula="ln U[low, high)",
        citation="Dao and Gu 2024, Mamba-2, arXiv:2405.21060; mamba_ssm/modules/mamba2.py",
        evidence="verified in source",
        differences=("transformers sets 1 … heads instead: mamba_a_log. Qwen3-Next draws from U(0.01, 16).",),
        avoid="half types and weight decay.",
        use="Mamba-2's state: one decay for each head.",
        suits=("ssm", "language model", "long memory", "gate"),
        unsuited=("low precision",),
        see=("mamba_a_log", "mamba_dt_bias"),
        known=(
            Known((8, 8), "oi", "high", math.log(16), source="ln 16"),
            Known((8, 8), "oi", "low", 0.0, source="ln 1"),
        ),
        elementwise=True,
    )
)
registry.add(
    SchemeRow(
        name="s4d_log_dt",
        law=s4d_log_dt,
        summary="Logarithms of time steps, uniform.",
        formula="U[ln dt_min, ln dt_max)",
        citation=S4D,
        evidence="verified in source",
        differences=("Mamba stores softplus⁻¹ of the same law: mamba_dt_bias.",),
        avoid="models that put softplus around it.",
        use="time steps of S4 and S4D, which take the exponential of the parameter.",
        suits=("ssm", "long memory"),
        see=("mamba_dt_bias", "s4d_imaginary"),
        known=(Known((8, 8), "oi", "low", math.log(0.001), source="ln 0.001"),),
        elementwise=True,
    )
)
registry.add(
    SchemeRow(
        name="s4d_imaginary",
        law=s4d_imaginary,
        summary="Frequencies of a diagonal state space; the real parts are −1/2.",
        formula="π·n, (N/π)(N/(2n + 1) − 1) or (2n + 1)²/π, N twice the last axis",
        citation=S4D,
        evidence="verified in source",
        differences=("Half of the conjugate pairs are stored: N = 64 has 32 numbers.",),
        avoid="real state spaces: mamba_a_log.",
        use="diagonal state spaces with complex states and fixed dynamics (S4D).",
        suits=("ssm", "long memory", "deterministic"),
        see=("mamba_a_log", "s4d_log_dt", "hippo_legs"),
        known=(
            Known((4, 32), "oi", "high", 31 * math.pi, source="π·(N/2 − 1), N = 64"),
            Known((4, 32), "oi", "high", 64 / math.pi * 63, (("kind", "inv"),), source="(N/π)(N − 1)"),
        ),
        elementwise=True,
    )
)
registry.add(
    SchemeRow(
        name="hippo_legs",
        law=hippo_legs,
        summary="The state matrix that remembers a function's whole past by Legendre polynomials.",
        formula="−√((2n + 1)(2k + 1)) for n > k, −(n + 1) for n = k, 0 for n < k",
        citation=HIPPO,
        evidence="verified in source",
        differences=("The repository builds it as T·M·T⁻¹; the closed form is the same.",),
        avoid="anything but the state matrix itself; S4 stores it diagonalised.",
        use="state spaces that approximate the whole past of a signal, S4's before it is diagonalised.",
        suits=("long memory", "ssm", "recurrent matrix", "deterministic"),
        unsuited=("rnn",),
        see=("hippo_legs_b", "s4d_imaginary"),
        known=(
            Known((4, 4), "oi", "high", 0.0, source="above the diagonal"),
            Known((4, 4), "oi", "low", -math.sqrt(35), source="−√(7·5)"),
        ),
    )
)
registry.add(
    SchemeRow(
        name="hippo_legs_b",
        law=hippo_legs_b,
        summary="The input vector that belongs to HiPPO-LegS.",
        formula="√(2n + 1)",
        citation=HIPPO,
        evidence="verified in source",
        differences=("S4D sets B to 1 instead.",),
        avoid="anything but B.",
        use="the input vector of a state space whose matrix is HiPPO-LegS.",
        suits=("long memory", "ssm", "deterministic"),
        unsuited=("rnn",),
        see=("hippo_legs",),
        known=(Known((1, 8), "oi", "high", math.sqrt(15), source="√(2·7 + 1)"),),
        elementwise=True,
    )
)
