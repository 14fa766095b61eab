"""Numbers that must be the same everywhere, from exact arithmetic: no libm, only `decimal`.

Python's `decimal` rounds +, −, ×, ÷, √, exp and ln correctly to its precision, so what is made here
with `DIGITS` digits and then rounded once to a double (and once more to a single) does not depend on
the platform. Two things are made here: the polynomials of the stream's transforms (committed as
`constants.py`; a test makes them again), and the few numbers of each truncated normal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Context, Decimal, localcontext

DIGITS = 60
TAIL = Decimal(23)
"""Largest −ln(survival) a 32-bit word can ask for: 33·ln 2 = 22.87, rounded up."""
_CONTEXT = Context(prec=DIGITS, Emin=-999_999, Emax=999_999)
_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803")
_ZERO, _ONE, _TWO, _HALF = Decimal(0), Decimal(1), Decimal(2), Decimal("0.5")

Function = Callable[[Decimal], Decimal]


def interpolant(function: Function, low: Decimal, high: Decimal, degree: int) -> list[Decimal]:
    """Coefficients c₀, c₁, … of the polynomial through `function` at the Chebyshev nodes of [low, high]."""
    with localcontext(_CONTEXT):
        count = degree + 1
        middle, half = (low + high) / 2, (high - low) / 2
        nodes = [middle + half * cosine(_PI * (2 * k + 1) / (2 * count)) for k in range(count)]
        return _monomials(nodes, [function(node) for node in nodes])


def _monomials(nodes: Sequence[Decimal], values: Sequence[Decimal]) -> list[Decimal]:
    """Newton's divided differences, multiplied out."""
    table = list(values)
    for step in range(1, len(nodes)):
        for i in range(len(nodes) - 1, step - 1, -1):
            table[i] = (table[i] - table[i - 1]) / (nodes[i] - nodes[i - step])
    powers = [table[-1]]
    for i in range(len(nodes) - 2, -1, -1):
        shifted = [_ZERO, *powers]
        powers = [a - nodes[i] * b for a, b in zip(shifted, [*powers, _ZERO], strict=True)]
        powers[0] += table[i]
    return powers


def cosine(x: Decimal) -> Decimal:
    """cos x by its Taylor series, for |x| ≤ π."""
    return _taylor(x, _ONE, 0)


def sine(x: Decimal) -> Decimal:
    """sin x by its Taylor series, for |x| ≤ π."""
    return _taylor(x, x, 1)


def _taylor(x: Decimal, term: Decimal, k: int) -> Decimal:
    total, tiny = _ZERO, Decimal(10) ** (-DIGITS - 10)
    while abs(term) > tiny:
        total += term
        term = -term * x * x / ((k + 1) * (k + 2))
        k += 2
    return total


# the transforms' polynomials ----------------------------------------------------------------------


def logarithm_coefficients() -> list[Decimal]:
    """Of −2·ln(1 − x)/x on [0, 1/2], degree 8: relative error 2.7e-8."""
    return interpolant(lambda x: -2 * (1 - x).ln() / x, _ZERO, _HALF, 8)


def sine_coefficients() -> list[Decimal]:
    """Of sin(π/4·t)/t in the variable t², t² in [0, 1], degree 3: relative error 3.5e-9."""
    return interpolant(lambda y: sine(_PI / 4 * y.sqrt()) / y.sqrt(), _ZERO, _ONE, 3)


def cosine_coefficients() -> list[Decimal]:
    """Of cos(π/4·t) in the variable t², t² in [0, 1], degree 3: relative error 3.9e-8."""
    return interpolant(lambda y: cosine(_PI / 4 * y.sqrt()), _ZERO, _ONE, 3)


# the normal law beyond a point ----------------------------------------------------------------------


def density(x: Decimal) -> Decimal:
    """φ(x), the standard normal's density."""
    return (-x * x / 2).exp() / (2 * _PI).sqrt()


def central(x: Decimal) -> Decimal:
    """Φ(x) − 1/2 for x ≥ 0, relatively accurate however small x is (x ≤ 8)."""
    term, total, k = x, _ZERO, 1
    while term > total.scaleb(-DIGITS) or total == 0:
        if term == 0:
            return _ZERO
        total += term
        k += 2
        term = term * x * x / k
    return total * density(x)


def mills(x: Decimal) -> Decimal:
    """The Mills ratio (1 − Φ(x))/φ(x) for x ≥ 0, to at least 40 digits."""
    if x <= 8:
        return (_HALF - central(x)) / density(x)
    # Laplace's continued fraction 1/(x + 1/(x + 2/(x + …)))
    tail = x
    for k in range(400, 0, -1):
        tail = x + k / tail
    return 1 / tail


def survival(x: Decimal) -> Decimal:
    """1 − Φ(x) for x ≥ 0; 0 at infinity."""
    return _ZERO if x.is_infinite() else mills(x) * density(x)


def exponent(a: Decimal, t: Decimal) -> Decimal:
    """τ = ln P(z > a) − ln P(z > a + t): how much rarer it is to be t beyond a."""
    return a * t + t * t / 2 + mills(a).ln() - mills(a + t).ln()


def chord(tau: Decimal, hazard: Decimal) -> Decimal:
    """y = 2τ/(λ + √(λ² + 2τ)): what t would be if the density were exp(−λt − t²/2)/λ."""
    return 2 * tau / (hazard + (hazard * hazard + 2 * tau).sqrt())


def quantile_coefficients(a: Decimal) -> list[Decimal]:
    """Of t/y in the variable s = y/(y + 3), degree 10, for the excess t of a normal beyond a ≥ 0.

    y is `chord` of τ = −ln P(z > a + t | z > a) with λ the hazard at a; the interval is that of
    τ in [0, TAIL]. Largest relative error 2.1e-8, at a = 0.
    """
    with localcontext(_CONTEXT):
        hazard = 1 / mills(a)
        top = chord(TAIL, hazard)
        return interpolant(lambda s: _excess(a, hazard, 3 * s / (1 - s)), _ZERO, top / (top + 3), 10)


def _excess(a: Decimal, hazard: Decimal, y: Decimal) -> Decimal:
    """t/y, t solved for by Newton's method: dτ/dt is the hazard at a + t."""
    tau = y * (hazard + y / 2)  # the inverse of chord
    t = y
    for _ in range(60):
        step = (exponent(a, t) - tau) * mills(a + t)
        t -= step
        if abs(step) <= t.scaleb(-30):
            break
    return t / y
