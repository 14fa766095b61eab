"""S4D whole: every tensor of a diagonal state space, by the names its code gives them.

Complex tensors are stored as that code stores them: A as its real and imaginary parts, B and C with a last
axis (real, imaginary), `torch.view_as_real`. A complex dtype itself is refused by `init_`.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from ..core.errors import FillError
from ..core.fill import Fill
from ..core.layout import Fans
from ..core.parameter import ParameterInfo
from .base import Known, SchemeRow, registry
from .needs import Base, Site, otherwise
from .state_space import S4D, Least, Most, s4d_imaginary, s4d_log_dt

Kind = Annotated[
    Literal["lin", "inv", "quad"], "frequencies: lin is π·n; inv (N/π)(N/(2n + 1) − 1); quad (2n + 1)²/π"
]
FREQUENCIES = ParameterInfo("layers.0.A_imag", (4, 32), "float32", "bare")
DECAYS = ParameterInfo("layers.0.log_A_real", (4, 32), "float32", "bare")
READ = ParameterInfo("layers.0.C", (4, 32, 2), "float32", "bare")


def s4d_c(fans: Fans | None) -> Fill:
    """N(0, √½) each: a complex normal number of variance 1, its two parts stored side by side."""
    return Fill.normal(0.0, math.sqrt(0.5), reason="each part of variance 1/2: |C|² is 1 on average")


def s4d(
    fans: Fans | None,
    at: Site,
    *,
    kind: Kind = "lin",
    dt_min: Least = 1e-3,
    dt_max: Most = 0.1,
    base: Base = "torch_default",
) -> Fill | None:
    """Each tensor of the state space by its name; all else as the base scheme."""
    info = at.info
    name = info.name.rpartition(".")[2] if info is not None and info.role in ("bare", "token") else ""
    if info is None or name not in NAMES:
        return otherwise(base, fans, at)
    if name in ("log_dt", "inv_dt"):
        return s4d_log_dt(None, dt_min=dt_min, dt_max=dt_max)
    if name in ("A_imag", "inv_A_imag"):
        return s4d_imaginary(None, kind=kind).of_shape(info.shape)
    if name in ("log_A_real", "inv_A_real"):
        return Fill.constant(math.log(0.5), reason="real parts −1/2, stored as ln 1/2")
    if name == "A_real":
        return Fill.constant(-0.5, reason="real parts −1/2")
    if name == "D":
        return Fill.normal(0.0, 1.0, reason="the skip around the state: N(0, 1)")
    _paired(info)
    if name == "C":
        return s4d_c(None)
    return Fill.indexed("linear", 1.0, -1.0, shape=info.shape, reason="B = 1 + 0i")


NAMES = ("log_dt", "inv_dt", "A_imag", "inv_A_imag", "log_A_real", "inv_A_real", "A_real", "B", "C", "D")


def _paired(info: ParameterInfo) -> None:
    """Raise FillError unless the last axis is (real, imaginary)."""
    if not info.shape or info.shape[-1] != 2:
        raise FillError(
            f"shape {info.shape}",
            expected="a last axis of 2, real and imaginary part, as torch.view_as_real stores it",
            cause="a real state space, or one that stores its parts apart",
            fix=f"Give it a rule of its own: rules={{{info.name!r}: …}}.",
        )


registry.add(
    SchemeRow(
        name="s4d",
        law=s4d,
        needs=("part",),
        touches=("ssm.A",),
        summary="A diagonal state space as S4D starts it: decays 1/2, frequencies by one of three laws.",
        formula="A = −1/2 + i·(π·n, (N/π)(N/(2n + 1) − 1) or (2n + 1)²/π), B = 1, C complex N(0, 1), "
        "D N(0, 1), log dt uniform; all else as the base scheme",
        citation=S4D + ", src/models/sequence/kernels/dplr.py",
        evidence="verified in source",
        differences=(
            "The small S4D code has no B: it is folded into C.",
            "The large one transforms A's parts by option (log_A_real, inv_A_real): here the exponential.",
        ),
        avoid="Mamba, whose A is real: the recipe mamba.",
        use="layers of S4D and its like, whose tensors are called A_imag, log_A_real, C, D, log_dt.",
        suits=("ssm", "long memory"),
        see=("s4d_imaginary", "s4d_c", "s4d_log_dt"),
        known=(
            Known((), "", "high", 31 * math.pi, at=(("info", FREQUENCIES),), source="π·(N/2 − 1), N = 64"),
            Known((), "", "mean", -0.6931471806, at=(("info", DECAYS),), source="ln 1/2"),
            Known((), "", "std", 0.7071067812, at=(("info", READ),), source="torch.randn of a complex dtype"),
        ),
    )
)
registry.add(
    SchemeRow(
        name="s4d_c",
        aliases=("complex_normal",),
        law=s4d_c,
        summary="Complex normal numbers of variance 1, stored as pairs of real and imaginary part.",
        formula="N(0, √½) for each part",
        citation=S4D,
        evidence="verified in source",
        differences=("torch.randn of a complex dtype draws this law; of a real pair it draws N(0, 1).",),
        avoid="real tensors.",
        use="C of a diagonal state space, stored by view_as_real; of a complex tensor fill that view.",
        suits=("ssm",),
        see=("s4d", "s4d_imaginary"),
        known=(Known((4, 64), "oi", "std", 0.7071067812, source="√½"),),
        elementwise=True,
    )
)
