"""The data pass: every layer meets its target on the batch, and nothing else changes."""

from __future__ import annotations

import math

import pytest
import torch
from choose_models import Block, ResidualMLP, Transformer, cnn, mlp
from torch import Tensor, nn

from initwise.choose import choose
from initwise.choose.calibrate import Target, calibrated, measure_factors, unscaled
from initwise.choose.planners import auto_plan, lsuv_plan, plan_a2, plan_b, study
from initwise.choose.rules import HEADS
from initwise.core.errors import ExampleError, ModelError, OptionError, UnsupportedError
from initwise.frameworks.initialize import init_
from initwise.measure.substitutes import weights_for


def batch(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3)) * 1.7 + 0.2


def outputs(model: nn.Module, plan, example, kinds=(nn.Linear, nn.Conv2d)) -> dict[str, Tensor]:
    """Every layer's output under `plan`."""
    found: dict[str, Tensor] = {}
    handles = [
        module.register_forward_hook(lambda _m, _i, out, name=name: found.__setitem__(name, out.detach()))
        for name, module in model.named_modules()
        if isinstance(module, kinds)
    ]
    torch.func.functional_call(model, weights_for(model, plan, seed=0), (example,))
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("make", [lambda: mlp(8, nn.ReLU), lambda: mlp(8, nn.GELU)])
def test_lsuv_gives_every_layer_unit_second_moment(make) -> None:
    model, x = make(), batch(64, 16)
    made = lsuv_plan(model, x)
    for name, out in outputs(model, made, x).items():
        assert float(out.double().square().mean()) == pytest.approx(1, rel=1e-4), name


def test_lsuv_works_on_convolutions() -> None:
    model, x = cnn(), batch(16, 3, 8, 8)
    for out in outputs(model, lsuv_plan(model, x), x).values():
        assert float(out.double().square().mean()) == pytest.approx(1, rel=1e-4)


def test_a_mean_that_all_inputs_share_counts_as_at_most_four_times_their_variance() -> None:
    model, x = nn.Linear(4, 64, bias=False), batch(512, 4)
    plan = lsuv_plan(model, x)
    for shift, common in ((0.5, 1.0), (30.0, 0.0)):
        moved = x + shift
        out = nn.functional.linear(moved, weights_for(model, plan, seed=0)["weight"]).double()
        spread = float(out.var(0, correction=0).mean())
        expected = float(out.square().mean()) if common else 5 * spread
        found = measure_factors(model, moved, plan, {"weight": Target(1.0, "signal")})
        assert found.factors["weight"].measured == pytest.approx(expected, rel=1e-4)
        found = measure_factors(model, moved, plan, {"weight": Target(1.0, "second")})
        assert found.factors["weight"].measured == pytest.approx(float(out.square().mean()), rel=1e-4)


def test_rule_b_meets_every_target_whatever_the_scale_of_the_data() -> None:
    model, x = mlp(12, nn.Tanh), 20 * batch(64, 16)
    case = study(model, x)
    points = outputs(model, plan_b(case), x)
    analytic = outputs(model, plan_a2(case), x)
    seconds = [float(points[f"{2 * k}"].double().square().mean()) for k in range(11)]
    assert seconds[1:] == pytest.approx([seconds[1]] * 10, rel=1e-3)
    # a share of the first layer's comes from biases drawn for its 24 units
    assert seconds[0] == pytest.approx(seconds[1], rel=0.1)
    assert float(points["22"].double().square().mean()) == pytest.approx(HEADS[""] ** 2, rel=1e-3)
    # without the data nobody could know: the analytic plan is off by the data's scale
    assert float(analytic["0"].double().square().mean()) > 100 * seconds[0]


def test_rule_b_steers_a_residual_branch_by_its_stream() -> None:
    model, x = ResidualMLP(blocks=8), batch(64, 16)
    found = outputs(model, plan_b(study(model, x)), x)
    stream = found["stem"].double()
    for k in range(8):
        branch = found[f"last.{k}"].double()
        assert float(branch.var() / stream.var()) == pytest.approx((2 / 8) ** 2, rel=1e-3), k
        stream = stream + branch


def test_an_in_place_residual_sum_is_seen_too() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.a, self.b = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 16)
            self.head = nn.Linear(16, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            inside = self.b(torch.relu(self.a(x)))
            inside += x
            return self.head(inside)

    model, x = Net(), batch(64, 16)
    found = outputs(model, plan_b(study(model, x)), x)
    # the hook's tensor has the stream added in place: var(stream + branch), branch alone unit share
    weights = weights_for(model, plan_b(study(model, x)), seed=0)
    inside = torch.relu(found["a"]) @ weights["b.weight"].T
    assert float(inside.double().var() / found["stem"].double().var()) == pytest.approx(1, rel=1e-3)


def test_the_pass_leaves_no_trace_not_even_when_the_forward_raises() -> None:
    model = nn.Sequential(Block(4), nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 2))
    model.eval()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    plan_b(study(model, batch(8, 4, 4, 4)))
    with pytest.raises(Exception, match="0"):
        plan_b(study(model, batch(8, 5, 4, 4)))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert not model.training
    assert not model[2].training
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_attention_s_packed_and_private_weights_are_found() -> None:
    model = Transformer(norm_first=True)
    x = torch.randint(0, 40, (8, 6), generator=torch.Generator().manual_seed(0))
    name = "encoder.layers.0.self_attn.out_proj.weight"
    plan = plan_a2(study(model, x))
    found = measure_factors(model, x, plan, {name: Target(4.0)}).factors
    assert found[name].target == 4.0
    assert found[name].factor == pytest.approx(math.sqrt(4.0 / found[name].measured))


def test_factors_go_into_the_fills_and_their_reasons() -> None:
    model, x = mlp(3, nn.ReLU), batch(32, 16)
    plan = plan_a2(study(model, x))
    found = measure_factors(model, x, plan, {"2.weight": Target(9.0)})
    made, factors = calibrated(plan, found, "mine"), found.factors
    assert made.name == "mine"
    assert made["2.weight"].std == pytest.approx(plan["2.weight"].std * factors["2.weight"].factor)
    assert "measured" in made["2.weight"].reason
    assert made["0.weight"] == plan["0.weight"]


def test_a_silent_layer_is_left_alone_and_its_reason_says_so() -> None:
    model = mlp(3, nn.ReLU)
    plan = plan_a2(study(model, "f32[8,16]"))
    # the stem draws its biases: their share is not the weight's
    found = measure_factors(model, torch.zeros(8, 16), plan, {"0.weight": Target(1.0, spread=0.2)})
    assert found.factors == {}
    assert "nearly zero" in found.missed["0.weight"]
    made = calibrated(plan, found, "mine")
    assert made["0.weight"].std == plan["0.weight"].std
    assert made["0.weight"].reason.endswith("; not scaled by the data pass: " + found.missed["0.weight"])
    assert unscaled(made) == found.missed


class Attention(nn.Module):
    """Self- or cross-attention with its own way to hold the projections."""

    def __init__(self, batch_first: bool = True, **options) -> None:
        super().__init__()
        self.mix = nn.MultiheadAttention(16, 2, dropout=0.5, batch_first=batch_first, **options)
        self.width = options.get("kdim", 16)

    def forward(self, x: Tensor) -> Tensor:
        other = x[..., : self.width]
        return self.mix(x, other, other, need_weights=False)[0]


@pytest.mark.parametrize("options", [{}, {"kdim": 12, "vdim": 12}, {"bias": False}, {"batch_first": False}])
def test_lsuv_scales_every_projection_of_fused_attention(options) -> None:
    model, x = Attention(**options), batch(8, 6, 16)
    made = lsuv_plan(model, x)
    assert unscaled(made) == {}
    assert "measured" in made["mix.out_proj.weight"].reason
    weights = weights_for(model, made, seed=0)
    model.load_state_dict(dict(weights), strict=False)
    out = model.eval()(x)
    assert float(out.detach().double().square().mean()) == pytest.approx(1, rel=1e-4)
    if "kdim" in options:
        value = x[..., :12] @ weights["mix.v_proj_weight"].T
        assert float(value.double().square().mean()) == pytest.approx(1, rel=1e-4)
    else:
        packed = x @ weights["mix.in_proj_weight"].T
        assert float(packed.double().square().mean()) == pytest.approx(1, rel=1e-4)


def test_a_transformer_layer_leaves_no_weight_before_scaling() -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    made = lsuv_plan(layer, batch(8, 6, 16))
    matrices = [fill for name, fill in made.items() if fill.law in ("orthogonal", "packed")]
    assert len(matrices) == 4
    assert all("on one batch measured" in fill.reason for fill in matrices)


class Sum(nn.Module):
    """A stream and one branch, added by `add`; the branch's end has a bias of its own."""

    def __init__(self, add, bias: float = 0.0) -> None:
        super().__init__()
        self.stem, self.first = nn.Linear(16, 24), nn.Linear(24, 24)
        self.last, self.head = nn.Linear(24, 24, bias=False), nn.Linear(24, 4)
        self.b = nn.Parameter(torch.linspace(-bias, bias, 24))
        self.add = add

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(self.add(x, self.last(torch.relu(self.first(x))) + self.b))


@pytest.mark.parametrize(
    ("add", "share"),
    [
        (torch.add, 1.0),
        (lambda x, y: torch.add(x, y, alpha=0.1), 0.1),
        (lambda x, y: torch.add(y, x, alpha=0.1), 10.0),
        (lambda x, y: x.add(other=y, alpha=0.1), 0.1),
        (lambda x, y: y.add_(x, alpha=0.5), 2.0),
        (lambda x, y: x - y, 1.0),
        (lambda x, y: torch.rsub(y, x, alpha=0.1), 0.1),
        (lambda x, y: torch.rsub(x, y, alpha=0.1), 10.0),
        (lambda x, y: x + (y + 0.0) * 0.1, 0.1),
    ],
)
def test_a_branch_is_measured_as_much_as_it_adds(add, share: float) -> None:
    # the bias between the branch's end and the sum is smaller than the branch: it is no stream
    model, x = Sum(add), batch(64, 16)
    targets = {"last.weight": Target(0.25, "relative")}
    plan = plan_a2(study(model, x))
    factor = measure_factors(model, x, plan, targets).factors["last.weight"]
    weights = weights_for(model, plan, seed=0)
    stream = x @ weights["stem.weight"].T
    branch = torch.relu(stream @ weights["first.weight"].T) @ weights["last.weight"].T
    ratio = float((share * branch).double().var() / stream.double().var())
    assert factor.factor == pytest.approx(math.sqrt(0.25 / ratio), rel=1e-4)


def test_a_bias_beside_the_branch_is_not_taken_for_its_stream() -> None:
    model, x = Sum(torch.add, bias=1e-3), batch(64, 16)
    plan = plan_a2(study(model, x))
    found = measure_factors(model, x, plan, {"last.weight": Target(1.0, "relative")})
    assert found.factors["last.weight"].target > 0.1
    model.forward = lambda x: model.last(torch.relu(model.first(model.stem(x)))) + model.b
    found = measure_factors(model, x, plan, {"last.weight": Target(1.0, "relative")})
    assert found.factors == {}
    assert "meet the residual stream" in found.missed["last.weight"]


def test_what_was_not_scaled_is_a_caveat_of_the_advice() -> None:
    class Meeting(ResidualMLP):
        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            for first, last in zip(self.first, self.last, strict=True):
                x = torch.lerp(x, x + 2 * last(torch.relu(first(x))), 0.5)
            return self.head(x)

    class Unmet(ResidualMLP):
        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            for first, last in zip(self.first, self.last, strict=True):
                x = x + torch.stack([last(torch.relu(first(x)))]).sum(0)
            return self.head(x)

    told = choose(Meeting(2), batch(64, 16), candidates=("rule_b",))
    assert not any("data pass did not scale" in reason for reason in told.reasons)
    advice = choose(Unmet(2), batch(64, 16), candidates=("rule_b",))
    caveat = next(reason for reason in advice.reasons if "data pass did not scale" in reason)
    assert caveat.startswith("Caveat: the data pass did not scale 2 of the weights (last.0.weight, last.1.")
    assert "not scaled by the data pass" in advice.plan["last.0.weight"].reason


class Own(nn.modules.dropout._DropoutNd):
    """Dropout that asks torch for nothing but random numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (torch.rand_like(x) > self.p) if self.training else x


class Functional(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, 0.9, self.training)


@pytest.mark.parametrize("noise", [nn.Dropout(0.9), Own(0.9), Functional(), nn.AlphaDropout(0.9)])
def test_dropout_is_off_in_the_pass(noise: nn.Module) -> None:
    def net(between: nn.Module) -> nn.Module:
        return nn.Sequential(nn.Linear(16, 24), nn.ReLU(), between, nn.Linear(24, 24))

    x, targets = batch(64, 16), {"3.weight": Target(1.0)}
    plan = plan_a2(study(net(nn.Identity()), x))
    quiet = measure_factors(net(nn.Identity()), x, plan, targets)
    assert measure_factors(net(noise), x, plan, targets) == quiet


def test_dropout_inside_attention_and_recurrence_is_off() -> None:
    class Net(nn.Module):
        def __init__(self, p: float) -> None:
            super().__init__()
            self.rnn = nn.GRU(16, 16, 2, batch_first=True, dropout=p)
            self.mix = nn.MultiheadAttention(16, 2, dropout=p, batch_first=True)
            self.p, self.head = p, nn.Linear(16, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.rnn(x)[0]
            x = self.mix(x, x, x)[0]
            heads = nn.functional.scaled_dot_product_attention(x, x, x, dropout_p=self.p)
            return self.head(heads)

    model, x = Net(0.9), batch(8, 6, 16)
    plan, targets = plan_a2(study(Net(0.0), x)), {"head.weight": Target(1.0)}
    assert measure_factors(model, x, plan, targets) == measure_factors(Net(0.0), x, plan, targets)
    assert (model.rnn.dropout, model.mix.dropout) == (0.9, 0.9)


def test_auto_can_do_without_data() -> None:
    model, x = mlp(6, nn.Tanh), batch(32, 16)
    assert auto_plan(model, x).name == "rule_b"
    assert auto_plan(model, x, method="analytic").name == "rule_a2"
    with pytest.raises(OptionError, match="Did you mean 'analytic'"):
        auto_plan(model, x, method="analitic")


def test_arrays_have_no_data_pass() -> None:
    import numpy as np

    from initwise.frameworks.numpy import ArrayTree

    tree = ArrayTree({"a": np.zeros((4, 4), np.float32)}, layouts={"a": "io"})
    with pytest.raises(UnsupportedError, match="data pass for numpy"):
        lsuv_plan(tree)
    assert auto_plan(tree).name == "rule_a2"


def test_the_same_seed_gives_the_same_plan() -> None:
    x = batch(32, 16)
    one, two = mlp(5, nn.ReLU), mlp(5, nn.ReLU)
    assert auto_plan(one, x, seed=4) == auto_plan(two, x, seed=4)
    assert auto_plan(one, x, seed=5) != auto_plan(two, x, seed=4)


class Spoiled(nn.Module):
    """A model whose own forward makes NaN of every batch, between its layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.second((self.first(x).abs() + 1).neg().log())


@pytest.mark.parametrize("name", ["lsuv", "auto", "rule_b"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_batch_that_is_not_finite_scales_nothing_and_writes_nothing(name: str, bad: float) -> None:
    model = mlp(3, nn.ReLU)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ExampleError, match=r"example: holds infinities or NaN; expected finite numbers"):
        init_(model, name, example=torch.full((4, 16), bad))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", ["lsuv", "auto"])
def test_a_model_that_makes_nan_is_told_of_the_layer(name: str) -> None:
    with pytest.raises(ModelError, match=r"second\.weight: its output on the example is not finite"):
        init_(Spoiled(), name, example=batch(4, 8))


@pytest.mark.parametrize("name", ["lsuv", "auto"])
def test_a_pass_that_could_scale_no_weight_at_all_is_an_error(name: str) -> None:
    with pytest.raises(ModelError, match=r"could scale none of \d weights") as caught:
        init_(mlp(3, nn.ReLU), name, example=torch.zeros(4, 16))
    assert "is nearly zero on the example" in str(caught.value)


class Added(nn.Module):
    """A linear layer of few inputs by `addmm`, whose first argument is the bias."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 32), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(torch.addmm(self.first.bias, x, self.first.weight.t())))


def test_a_drawn_bias_has_its_own_share_however_it_is_added() -> None:
    plain, x = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3)), batch(64, 4)
    made, other = plan_b(study(Added(), x)), plan_b(study(plain, x))
    assert made["first.bias"].std == pytest.approx(math.sqrt(1 / 5))
    # the product alone gets the rest, 4/5, exactly
    for plan, model, name in ((made, Added(), "first.weight"), (other, plain, "0.weight")):
        weight = weights_for(model, plan, seed=0)[name]
        assert float((x @ weight.T).double().square().mean()) == pytest.approx(4 / 5, rel=1e-4)
