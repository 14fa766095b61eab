"""Complex numbers and spectra."""

from __future__ import annotations

import torch
from conformance import case, normal, real, weight

X = normal(4, 6, mean=0.5)
SIGNAL = normal(6, 10, mean=0.3)
TURNS = torch.polar(torch.ones(8, 3), torch.outer(torch.arange(8.0), 10.0 ** -torch.arange(3.0)))
GRID = "the grid"
RANDOM_PARTS = "the parts of what was not made from them are taken as alike and unrelated"


def _pairs(z):  # type: ignore[no-untyped-def]
    return torch.view_as_real(z.resolve_conj())


def _rotated(x, turns):  # type: ignore[no-untyped-def]
    """Rotary positions as complex numbers, as published models write them."""
    paired = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(paired * turns[:, None]).flatten(3)


CASES = [
    case("rotated queries", _rotated, normal(2, 8, 2, 6), real(TURNS)),
    case(
        "rotated queries with a common part",
        lambda x, c, turns: _rotated(x + c, turns),
        normal(2, 8, 2, 6),
        normal(1, 1, 2, 6),
        real(TURNS),
        samples=600,
    ),
    case(
        "scores of rotated tokens",
        lambda x, q, k, turns: torch.einsum(
            "bthd,bshd->bhts",
            _rotated((x @ q).view(2, 8, 2, 6), turns),
            _rotated((x @ k).view(2, 8, 2, 6), turns),
        ),
        normal(2, 8, 16),
        weight(16, 12, std=0.25),
        weight(16, 12, std=0.25),
        real(TURNS),
        samples=600,
    ),
    case("from parts", lambda x, y: _pairs(torch.complex(x, y)), X, normal(4, 6, std=0.5)),
    case("from length and angle", lambda r, a: _pairs(torch.polar(r, a)), X, normal(4, 6)),
    case("parts", lambda x, y: (torch.complex(x, y).real, torch.complex(x, y).imag), X, X),
    case("conjugates", lambda x, y: _pairs(torch.complex(x, y).conj() * 2.0), X, X),
    case("conjugates, bare", lambda x, y: _pairs(torch.complex(x, y).conj_physical()), X, X, bare=True),
    case("complex product", lambda x, y, u, v: _pairs(torch.complex(x, y) * torch.complex(u, v)), X, X, X, X),
    case(
        "complex matrix product",
        lambda x, y, u, v: _pairs(torch.complex(x, y) @ torch.complex(u, v)),
        normal(4, 6),
        normal(4, 6),
        normal(6, 3),
        normal(6, 3),
    ),
    case("squared length", lambda x, y: (torch.complex(x, y) * torch.complex(x, y).conj()).real, X, X),
    case(
        "length of a complex number",
        lambda x, y: torch.complex(x, y).abs(),
        X,
        X,
        backward=False,
        slack=5e-3,
        reason=GRID,
    ),
    case(
        "angle of a complex number",
        lambda x, y: torch.complex(x, y).angle(),
        normal(4, 6),
        normal(4, 6),
        backward=False,
        slack=0.02,
        reason="the step at π",
    ),
    case(
        "complex exponential", lambda x, y: _pairs(torch.exp(torch.complex(x, y))), normal(4, 6, std=0.3), X
    ),
    case("real and complex", lambda x, y: _pairs((x.to(torch.complex64) + 1j * y) * x), X, X, backward=False),
    case("spectrum", lambda x: _pairs(torch.fft.fft(x)), SIGNAL, samples=600),
    case("half a spectrum", lambda x: _pairs(torch.fft.rfft(x, norm="ortho")), SIGNAL, samples=600),
    case("mixed tokens", lambda x: torch.fft.fft(torch.fft.fft(x, dim=-1), dim=-2).real, normal(2, 6, 8)),
    case("there and back", lambda x: torch.fft.irfft(torch.fft.rfft(x), 10), SIGNAL),
    case(
        "there and back in space",
        lambda x: torch.fft.irfft2(torch.fft.rfft2(x), (6, 8)),
        normal(3, 6, 8),
        slack=0.12,
        reason="that bins of opposite frequencies are conjugates is lost: one of eight columns counts half",
    ),
    case(
        "global filter",
        lambda x, w: torch.fft.irfft2(
            torch.fft.rfft2(x, dim=(1, 2), norm="ortho") * torch.view_as_complex(w),
            s=(6, 6),
            dim=(1, 2),
            norm="ortho",
        ),
        normal(2, 6, 6, 3),
        normal(6, 4, 3, 2, std=0.5),
        samples=600,
        slack=0.05,
        reason=RANDOM_PARTS,
    ),
    case(
        "long convolution",
        lambda x, k: torch.fft.irfft(torch.fft.rfft(x, n=32) * torch.fft.rfft(k, n=32), n=32)[..., :16],
        normal(3, 16),
        normal(3, 16, std=0.25),
        slack=0.1,
        reason="the first places see less of the filter; all are taken as alike",
        samples=600,
    ),
    case(
        "autocorrelation",
        lambda q, k: torch.fft.irfft(torch.fft.rfft(q) * torch.conj(torch.fft.rfft(k)), n=10),
        normal(3, 10),
        normal(3, 10),
        samples=600,
    ),
]
