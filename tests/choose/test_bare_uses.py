"""What single uses make of a bare parameter: tables, experts, members, and what is left alone and why."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from bare_models import Written, bare, plain  # noqa: E402
from torch import Tensor, nn  # noqa: E402

import initwise  # noqa: E402
from initwise.choose.planners import Case, study  # noqa: E402
from initwise.core.parameter import ParameterInfo  # noqa: E402

F = nn.functional
X = "f32[64,24]"
IDS = "i64[64,5]<30"


def read(forward: Callable[..., Any], example: Any = X, **parts: Any) -> dict[str, ParameterInfo]:
    """The parameters of a model as `choose` understands them."""
    case: Case = study(Written(forward, parts), example)
    return {info.name: info for info in case.parameters}


def fans_of(info: ParameterInfo) -> tuple[float, float]:
    assert info.fans is not None
    return info.fans.fan_in, info.fans.fan_out


@pytest.mark.parametrize(
    ("forward", "shape", "axes", "fans", "said"),
    [
        (lambda m, x: x @ m.w, (24, 8), "io", (24, 8), "x @ W: axes (in, out)"),
        (lambda m, x: x @ m.w.T, (8, 24), "oi", (24, 8), "x @ W.T: axes (out, in)"),
        (lambda m, x: x @ m.w.mT, (8, 24), "oi", (24, 8), "x @ W.T: axes (out, in)"),
        (lambda m, x: (m.w @ x.T).T, (8, 24), "oi", (24, 8), "W @ x: axes (out, in)"),
        (lambda m, x: (m.w.t() @ x.T).T, (24, 8), "io", (24, 8), "W.T @ x: axes (in, out)"),
        (lambda m, x: F.linear(x, m.w), (8, 24), "oi", (24, 8), "F.linear(x, W)"),
        (lambda m, x: torch.mm(x, m.w), (24, 8), "io", (24, 8), "torch.mm(x, W)"),
        (lambda m, x: torch.mv(x, m.w), (24,), "i", (24, 1), "torch.mv(x, W): axes (in)"),
        (lambda m, x: x @ m.w, (24, 1), "io", (24, 1), "x @ W"),
        (lambda m, x: x @ m.w.T, (1, 24), "oi", (24, 1), "x @ W.T"),
        (lambda m, x: torch.inner(x, m.w), (8, 24), "oi", (24, 8), "torch.inner(x, W)"),
        (lambda m, x: torch.tensordot(x, m.w, 1), (24, 8), "io", (24, 8), "torch.tensordot(x, W)"),
        (lambda m, x: torch.tensordot(x, m.w, ([1], [1])), (8, 24), "oi", (24, 8), "torch.tensordot"),
        (lambda m, x: torch.addmm(torch.zeros(8), x, m.w), (24, 8), "io", (24, 8), "torch.addmm(x, W)"),
        (lambda m, x: torch.einsum("bi,oi->bo", x, m.w), (8, 24), "oi", (24, 8), '"bi,oi->bo"'),
        (lambda m, x: torch.einsum("io,...i", m.w, x), (24, 8), "io", (24, 8), '"io,...i"'),
        (lambda m, x: torch.einsum(x, [0, 1], m.w, [1, 2]), (24, 8), "io", (24, 8), 'einsum("AB,BC")'),
        (lambda m, x: torch.einsum("bi,hdi->bhd", x, m.w), (2, 4, 24), "ooi", (24, 8), "(out, out, in)"),
        (lambda m, x: x @ m.w.view(24, 8), (24, 2, 4), "ioo", (24, 8), "x @ W"),
        (lambda m, x: x @ m.w.flatten(1).to(x.dtype).contiguous(), (24, 2, 4), "ioo", (24, 8), "x @ W"),
        (lambda m, x: x @ m.w[None].expand(3, -1, -1), (24, 8), "io", (24, 8), "W"),
        (lambda m, x: x @ m.w[:, :4] + x @ m.w[:, 4:], (24, 8), "io", (24, 8), "x @ W"),
        (lambda m, x: F.bilinear(x, x, m.w), (4, 24, 24), "oii", (576, 4), "F.bilinear(x, W)"),
        (
            lambda m, x: torch.einsum("bi,oij,bj->bo", x, m.w, x),
            (4, 24, 24),
            "oii",
            (576, 4),
            '"bi,oij,bj->bo"',
        ),
        (
            lambda m, x: torch.einsum("bif,oif->bo", torch.stack([x, x.sin(), x.cos()], -1), m.w),
            (4, 24, 3),
            "oii",
            (72, 4),
            "axes (out, in, in)",
        ),
        (
            lambda m, x: F.conv1d(x[:, None], m.w, padding=1).flatten(1),
            (4, 1, 3),
            "oik",
            (3, 12),
            "F.conv1d(x, W): axes (out, in, kernel)",
        ),
        (
            lambda m, x: F.conv_transpose1d(x.view(-1, 8, 3), m.w),
            (8, 4, 3),
            "iok",
            (24, 12),
            "F.conv_transpose1d(x, W): axes (in, out, kernel)",
        ),
        (
            lambda m, x: F.conv2d(x.view(-1, 1, 4, 6), m.w.permute(3, 2, 0, 1)),
            (3, 3, 1, 4),
            "hwio",
            (9, 36),
            "F.conv2d(x, W)",
        ),
        (
            lambda m, x: F.conv3d(x.view(-1, 2, 2, 2, 3), m.w, groups=2),
            (6, 1, 2, 2, 2),
            "oidhw",
            (8, 24),
            "F.conv3d(x, W)",
        ),
    ],
)
def test_the_operation_tells_the_axes(forward, shape, axes, fans, said) -> None:
    info = read(forward, w=bare(*shape))["w"]
    assert (info.role, info.layout and info.layout.axes) == ("weight", axes)
    assert fans_of(info) == fans
    assert said in info.use


def test_each_member_of_an_ensemble_is_a_matrix_of_its_own() -> None:
    found = read(
        lambda m, x: torch.relu(torch.baddbmm(m.b, x, m.W)) @ m.V + m.c,
        "f32[3,64,24]",
        W=bare(3, 24, 32),
        b=bare(3, 1, 32),
        V=bare(3, 32, 2),
        c=bare(3, 1, 2),
    )
    assert [found[name].layout.axes for name in "WV"] == ["bio", "bio"]
    assert [fans_of(found[name]) for name in "WVbc"] == [(24, 32), (32, 2), (24, 32), (32, 2)]
    assert [found[name].role for name in "bc"] == ["bias", "bias"]


def experts(m: Any, x: Tensor) -> Tensor:
    gates = torch.softmax(x @ m.gate, -1)
    hidden = torch.relu(torch.einsum("td,edh->teh", x, m.w1) + m.b1)
    return torch.einsum("te,teh,ehd->td", gates, hidden, m.w2)


def grouped(m: Any, x: Tensor) -> Tensor:
    gates = torch.softmax(x @ m.gate, -1)
    hidden = torch.relu(torch.bmm(x.expand(4, -1, -1), m.w1) + m.b1.unsqueeze(1))
    return (gates.T[..., None] * torch.bmm(hidden, m.w2)).sum(0)


def looped(m: Any, x: Tensor) -> Tensor:
    gates = torch.softmax(x @ m.gate, -1)
    made = [gates[:, e, None] * (torch.relu(x @ m.w1[e] + m.b1[e]) @ m.w2[e]) for e in range(4)]
    return torch.stack(made).sum(0)


@pytest.mark.parametrize("forward", [experts, grouped, looped])
def test_experts_in_one_tensor_have_the_fans_of_one_expert(forward) -> None:
    parts = {"gate": bare(24, 4), "w1": bare(4, 24, 48), "b1": bare(4, 48), "w2": bare(4, 48, 24)}
    model = Written(forward, parts)
    advice = initwise.choose(model, "f32[256,24]", candidates="rule_a2", method="analytic", loss="regression")
    std = {name: fill.std for name, fill in advice.plan.items()}
    layers = read(forward, "f32[256,24]", **{name: bare(*part.shape) for name, part in parts.items()})
    assert [layers[name].fans.fan_in for name in ("gate", "w1", "w2")] == [24, 24, 48]
    assert std["w1"] == pytest.approx(1 / math.sqrt(24))  # variance 1 from raw inputs of variance 1
    if forward is not looped:
        assert std["b1"] == 0
    initwise.init_(model, advice)
    x = torch.randn(4096, 24, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made = torch.einsum("td,edh->teh", x, model.w1)
    # each of 4·48 units: variance 1, to 4 standard errors of a mean over rows and units
    assert float(made.square().mean()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    "look_up", [lambda m, ids: m.table[ids], lambda m, ids: F.embedding(ids, m.table, padding_idx=0)]
)
def test_a_table_is_read_by_looking_up_its_rows(look_up) -> None:
    alone = read(lambda m, ids: look_up(m, ids).mean(1) @ m.w, IDS, table=bare(30, 16), w=bare(16, 3))
    assert (alone["table"].role, alone["table"].layout.axes) == ("embedding", "vo")
    model = Written(lambda m, ids: torch.tanh(look_up(m, ids)) @ m.table.T, {"table": bare(30, 16)})
    plan = initwise.choose(model, IDS).plan
    assert plan["table"].std == 0.5 / math.sqrt(16)
    assert "embedding and head in one" in plan["table"].reason


def one_after_the_other(m: Any, x: Tensor) -> Tensor:
    for k in range(3):
        x = torch.relu(x @ m.w[k])
    return x


@pytest.mark.parametrize(
    ("forward", "shape", "why"),
    [
        (lambda m, x: x * m.w, (24,), "multiplied with the signal (x * g)"),
        (lambda m, x: x + m.w * m.lin(x), (24,), "multiplied with the signal (x * g)"),
        (lambda m, x: x / m.w, (), "multiplied with the signal (x / g)"),
        (lambda m, x: x + m.w, (24,), "added to the signal, and not to one weight's outputs alone"),
        (lambda m, x: x + m.w, (64, 24), "added to the signal, and not to one weight's outputs alone"),
        (lambda m, x: m.lin(x) + m.w, (24,), "added to the signal, and not to one weight's outputs alone"),
        (lambda m, x: torch.cat([x, m.w.expand(64, -1)], 1), (1, 24), "an argument of cat"),
        (lambda m, x: torch.cdist(x, m.w), (5, 24), "an argument of cdist"),
        (lambda m, x: x @ F.softplus(m.w), (24, 5), "changed by softplus before it is used"),
        (lambda m, x: x @ F.normalize(m.w, dim=0), (24, 5), "changed by normalize before it is used"),
        (lambda m, x: x @ (m.w * 0.1), (24, 5), "changed by mul before it is used"),
        (lambda m, x: x @ (torch.eye(24) @ m.w), (24, 5), "multiplied with something else before it is used"),
        (lambda m, x: F.prelu(x, m.w), (1,), "an argument of prelu"),
        (lambda m, x: x @ m.w[torch.arange(24)], (24, 5), "rearranged by getitem before it is used"),
        (lambda m, x: F.normalize(x) * m.w, (24,), "multiplied with the signal (x * g)"),
        (lambda m, x: F.layer_norm(x, (24,)) * m.w, (), "multiplied with the signal (x * g)"),
        (lambda m, x: x + m.norm(x) * m.w, (24,), "multiplied with the signal (x * g)"),
        (lambda m, x: m.norm(x) + m.w, (24,), "added to the signal, and not to one weight's outputs alone"),
        (lambda m, x: torch.einsum("bi,i->bi", x, m.w), (24,), "which sums over nothing"),
        (lambda m, x: torch.einsum("bi,ii->b", x, m.w), (24, 24), "one of its axes is two things at once"),
        (lambda m, x: x, (24, 5), "which no signal was seen to meet"),
        (lambda m, x: x @ m.w + m.w.sum(), (24, 5), "and changed by sum before it is used"),
        (
            lambda m, x: (
                torch.einsum("bi,iho->bho", x, m.w).sum() + torch.einsum("bi,ohi->bho", x, m.w).sum()
            ),
            (24, 3, 24),
            "used in two ways",
        ),
        (one_after_the_other, (3, 24, 24), "the weights of layers one after the other (x @ W[k])"),
    ],
)
def test_what_has_no_such_use_stays_and_is_told_why(forward, shape, why) -> None:
    model = Written(
        forward, {"w": bare(*shape), "lin": nn.Linear(24, 24), "norm": nn.LayerNorm(24), "end": plain(24, 24)}
    )
    before = model.w.detach().clone()
    example = torch.randn(64, 24)
    with_layers = Written(
        lambda m, x: (m.one(x), m.two(m.one(x)).mean()), {"one": model, "two": nn.Linear(1, 1)}
    )
    with_layers.written = lambda m, x: (forward(m.one, x), m.one.end(x))
    advice = initwise.choose(with_layers, example)
    initwise.init_(with_layers, advice)
    assert why in dict(advice.plan.kept)["one.w"]
    assert dict(advice.plan.kept)["one.w"].endswith("it stays as you have made it, unless a rule names it")
    assert torch.equal(model.w, before)


def test_a_matrix_used_both_ways_round_is_filled_as_it_is_used_first() -> None:
    """A tied autoencoder: x @ W, and back by W.T."""
    found = read(lambda m, x: torch.tanh(x @ m.w) @ m.w.T, w=bare(24, 8))["w"]
    assert (found.role, found.layout.axes) == ("weight", "io")
    assert found.use == ("a bare parameter, used as x @ W: axes (in, out), and as x @ W.T: the first decides")


def test_a_hand_written_cell_is_recurrent_whether_its_gates_are_packed_or_not() -> None:
    def packed(m: Any, x: Tensor) -> Tensor:
        h = torch.zeros(len(x), 8)
        for step in x.split(8, 1):
            z, r = torch.sigmoid(step @ m.W[:, :16] + h @ m.U[:, :16] + m.b[:16]).chunk(2, -1)
            new = torch.tanh(step @ m.W[:, 16:] + (r * h) @ m.U[:, 16:] + m.b[16:])
            h = (1 - z) * h + z * new
        return h @ m.V

    parts = {"W": bare(8, 24), "U": bare(8, 24), "b": bare(24), "V": bare(8, 3)}
    case = study(Written(packed, parts), X)
    assert [case.structure[name].role for name in "WUV"] == ["stem", "recurrent", "head"]
    found = {info.name: info for info in case.parameters}
    assert [found[name].layout.axes for name in "WU"] == ["io", "io"]


def test_a_single_output_has_a_bias_of_one_number() -> None:
    for shape, bias in (((24, 1), (1,)), ((24, 1), ()), ((24,), ()), ((24,), (1,))):
        found = read(lambda m, x: x @ m.w + m.b, w=bare(*shape), b=bare(*bias))
        assert [found[name].role for name in "wb"] == ["weight", "bias"], (shape, bias)
        assert initwise.choose(Written(lambda m, x: x @ m.w + m.b, {"w": bare(*shape), "b": bare(*bias)}), X)


def test_a_learned_first_state_stays_and_its_weight_is_recurrent() -> None:
    def cell(m: Any, x: Tensor) -> Tensor:
        h = m.h0.expand(len(x), -1)
        for step in x.split(8, 1):
            h = torch.tanh(step @ m.W + h @ m.U + m.b)
        return h @ m.V

    parts = {"W": bare(8, 16), "U": bare(16, 16), "b": bare(16), "V": bare(16, 3), "h0": bare(16)}
    case = study(Written(cell, parts), X)
    assert [case.structure[name].role for name in "WUV"] == ["stem", "recurrent", "head"]
    found = {info.name: info for info in case.parameters}
    assert (found["b"].role, found["h0"].role) == ("bias", "bare")


def test_a_cell_with_two_biases_has_one_for_each_of_its_weights() -> None:
    def cell(m: Any, x: Tensor) -> Tensor:
        h = torch.zeros(len(x), 16)
        for step in x.split(8, 1):
            h = torch.tanh(step @ m.W + m.b + h @ m.U + m.c)
        return h @ m.V

    found = read(cell, W=bare(8, 16), b=bare(16), U=bare(16, 16), c=bare(16), V=bare(16, 3))
    assert [found[name].role for name in "bc"] == ["bias", "bias"]
    assert "added to what W makes" in found["b"].use
    assert "added to what U makes" in found["c"].use


def test_two_vectors_added_to_one_output_side_by_side_are_no_biases() -> None:
    def sides(m: Any, x: Tensor) -> Tensor:
        q = x @ m.W
        return ((q + m.b) @ m.V, (q + m.c) @ m.V)

    found = read(sides, W=bare(24, 16), b=bare(16), c=bare(16), V=bare(16, 3))
    assert [found[name].role for name in "WVbc"] == ["weight", "weight", "bare", "bare"]
    assert "one of several vectors added to what W makes" in found["b"].problem


def test_weights_that_are_merged_before_they_are_used_stay() -> None:
    found = read(
        lambda m, x: x @ (m.W + m.A @ m.B), W=bare(24, 8), A=bare(24, 2), B=bare(2, 8), V=plain(8, 3)
    )
    assert {found[name].role for name in "WAB"} == {"bare"}


def test_a_norm_written_by_hand_has_its_gain_and_bias() -> None:
    def norm(m: Any, x: Tensor) -> Tensor:
        return (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * m.g + m.c) @ m.w

    found = read(norm, g=bare(24), c=bare(24), w=bare(24, 3))
    assert [found[name].role for name in "gcw"] == ["norm_gain", "norm_bias", "weight"]


def test_a_number_for_each_id_stays() -> None:
    found = read(
        lambda m, ids: m.table[ids] @ m.w + m.b[ids][..., None],
        IDS,
        table=bare(30, 4),
        w=bare(4, 1),
        b=bare(30),
    )
    assert "one number for each id, looked up by W[ids]" in found["b"].problem
    assert found["table"].role == "embedding"


def test_frozen_ones_are_read_and_left() -> None:
    model = Written(lambda m, x: torch.relu(x @ m.w) @ m.v, {"w": bare(24, 8), "v": bare(8, 3)})
    model.w.requires_grad_(False)
    advice = initwise.choose(model, X)
    assert "w" not in advice.plan
    assert "requires_grad is False" in dict(advice.plan.kept)["w"]
    assert advice.plan["v"].std > 0
