"""A small S4D layer, stored as its code stores it, filled whole."""

import math

import numpy as np
import pytest

import initwise
from initwise import scheme
from initwise.core.errors import FillError, ModelError
from initwise.core.fill import Fill

torch = pytest.importorskip("torch")
nn = torch.nn

H, N, LENGTH = 24, 64, 128


class S4D(nn.Module):
    """y = K * u + D·u, K[l] = 2·Re Σ C·B·(e^(dt·A) − 1)/A·e^(dt·A·l): zero-order hold."""

    def __init__(self, with_b=False):
        super().__init__()
        self.log_dt, self.D = nn.Parameter(torch.zeros(H)), nn.Parameter(torch.zeros(H))
        self.log_A_real, self.A_imag = (nn.Parameter(torch.zeros(H, N // 2)) for _ in range(2))
        self.C = nn.Parameter(torch.zeros(H, N // 2, 2))
        self.B = nn.Parameter(torch.zeros(H, N // 2, 2)) if with_b else None
        self.output_linear = nn.Conv1d(H, 2 * H, 1)

    def states(self):
        dt = self.log_dt.double().exp()
        a = torch.complex(-self.log_A_real.double().exp(), self.A_imag.double())
        c = torch.view_as_complex(self.C.double())
        return dt, a, c if self.B is None else c * torch.view_as_complex(self.B.double())

    def kernel(self):
        dt, a, c = self.states()
        step = (a * dt[:, None]).exp()
        powers = (a * dt[:, None])[..., None] * torch.arange(LENGTH)
        return 2 * torch.einsum("hn,hnl->hl", c * (step - 1) / a, powers.exp()).real


def filled(**options):
    model = S4D(with_b=options.pop("with_b", False))
    return model, initwise.init_(model, scheme("s4d", **options))


class TestS4D:
    @pytest.mark.parametrize(
        ("kind", "law"),
        [
            ("lin", lambda n: math.pi * n),
            ("inv", lambda n: N / math.pi * (N / (2 * n + 1) - 1)),
            ("quad", lambda n: (2 * n + 1) ** 2 / math.pi),
        ],
    )
    def test_a_is_half_decay_and_the_frequencies(self, kind, law):
        _, a, _ = filled(kind=kind)[0].states()
        np.testing.assert_allclose(a.real.detach(), -0.5, rtol=1e-6)
        want = np.tile([law(n) for n in range(N // 2)], (H, 1))
        np.testing.assert_allclose(a.imag.detach(), want, rtol=1e-6)

    def test_b_is_one_and_c_is_complex_normal(self):
        model, _ = filled(with_b=True)
        b = torch.view_as_complex(model.B.detach())
        assert torch.equal(b, torch.ones(H, N // 2, dtype=torch.cfloat))
        c = torch.view_as_complex(model.C.detach()).numpy()
        # five standard errors: |C|² is exponential, of std 1; the parts have no correlation
        assert (np.abs(c) ** 2).mean() == pytest.approx(1, abs=5 / math.sqrt(c.size))
        assert abs((c**2).mean()) < 5 / math.sqrt(c.size)

    def test_time_steps_are_log_uniform(self):
        dt = filled(dt_min=0.01, dt_max=0.02)[0].log_dt.detach().exp()
        assert dt.min() >= 0.01
        assert dt.max() < 0.02 * (1 + 1e-6)
        assert dt.unique().numel() == H

    @pytest.mark.parametrize("kind", ["lin", "inv", "quad"])
    def test_the_kernel_is_the_recurrences_impulse_response(self, kind):
        model, ledger = filled(kind=kind)
        kernel = model.kernel().detach()
        dt, a, c = (tensor.detach() for tensor in model.states())
        step = (a * dt[:, None]).exp()
        state, want = (step - 1) / a, []
        for _ in range(LENGTH):
            want.append(2 * (c * state).sum(1).real)
            state = step * state
        # frequencies reach thousands of radians: e^(iwl) and the l-th power of e^(iw) differ by rounding
        np.testing.assert_allclose(kernel, torch.stack(want, 1), atol=1e-8)
        assert kernel.isfinite().all()
        assert 0 < kernel.abs().max() < 10
        assert len(ledger.untouched) == 0

    def test_all_else_is_the_base(self):
        got = {e.name: e.fill for e in filled()[1].entries}
        assert got["output_linear.weight"].formula == f"U(±{1 / math.sqrt(H):.6g})"
        assert got["D"].formula == "N(0, 1)"

    def test_a_real_pair_that_is_none(self):
        model = S4D()
        model.C = nn.Parameter(torch.zeros(H, N))
        with pytest.raises(FillError, match=r"^C: shape \(24, 64\); expected a last axis of 2"):
            initwise.init_(model, "s4d")

    def test_a_model_without_a_state_space(self):
        with pytest.raises(ModelError, match=r"the model has no ssm\.A"):
            initwise.init_(nn.Linear(3, 3), "s4d")

    def test_a_complex_tensor_is_refused_by_name_and_its_real_view_is_filled(self):
        model = S4D()
        model.C = nn.Parameter(torch.zeros(H, N // 2, dtype=torch.cfloat))
        ledger = initwise.init_(model, "s4d")
        left = {entry.name: entry.reason for entry in ledger.untouched}
        assert "complex" in left["C"]
        c = torch.empty(H, N // 2, dtype=torch.cfloat)
        initwise.fill(torch.view_as_real(c), scheme("s4d_c").fill(), name="C")
        same = initwise.fill(torch.empty(H, N // 2, 2), Fill.normal(0, math.sqrt(0.5)), name="C")
        assert torch.equal(torch.view_as_real(c), same)
