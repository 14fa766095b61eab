"""Traps of where training starts (norms, biases, zeros, symmetry, shards), by their survey's numbers."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from transformers.models.qwen3_next.modeling_qwen3_next import Qwen3NextRMSNorm, Qwen3NextRMSNormGated

import initwise
from initwise.core.errors import StreamError
from initwise.core.fill import Fill
from initwise.core.layout import Layout, fans
from initwise.frameworks.initialize import init_, plan_for
from initwise.random import fill_array
from initwise.schemes import scheme
from initwise.torch import init


def batch(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class GemmaNorm(nn.Module):
    """Multiplies by 1 + weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4))

    def forward(self, x):
        return F.rms_norm(x, (4,)) * (1 + self.weight)


class TestT35:
    """Norms are told by what they compute, not by their class's name."""

    def test_t35_a_norm_of_unknown_class_keeps_its_own_start(self):
        model = nn.Sequential(GemmaNorm(), nn.RMSNorm(4), nn.Linear(4, 4))
        nn.init.ones_(model[0].weight)
        entries = {entry.name: entry for entry in init_(model, "he_normal").entries}
        # it computes 1 + w, which is seen from what it answers
        assert (entries["0.weight"].status, entries["0.weight"].reason) == (
            "filled",
            "GemmaNorm starts it at 0",
        )
        assert not model[0].weight.any()
        assert bool((model[1].weight == 1).all())

    def test_t35_asking_a_norm_of_unknown_class_leaves_hooks_and_random_state_alone(self):
        class NoisyNorm(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.ones(4))

            def forward(self, x):
                return x * self.weight * torch.rand(4)

        model, calls = nn.Sequential(nn.Linear(4, 4), NoisyNorm()), []
        model[1].register_forward_hook(lambda *_: calls.append("after"))
        model[1].register_forward_pre_hook(lambda *_: calls.append("before"))
        state = torch.random.get_rng_state()
        init_(model, "he_normal")
        assert calls == []
        assert torch.equal(torch.random.get_rng_state(), state)

    def test_t35_one_model_may_have_both_kinds(self):
        norms = Qwen3NextRMSNorm(8), Qwen3NextRMSNormGated(8)
        model = nn.Sequential(*norms, nn.Linear(8, 8))
        for norm in norms:
            nn.init.constant_(norm.weight, 0.5)
        init_(model, "he_normal")
        assert not norms[0].weight.any()
        assert bool((norms[1].weight == 1).all())


class TestT36:
    """The row of the padding token is zero, in a shard too."""

    @pytest.mark.parametrize("scheme", ["he_normal", "torch_default", "xavier_uniform", "truncated_normal"])
    def test_t36_the_padding_row_is_zero_afterwards(self, scheme):
        model = nn.Embedding(5, 3, padding_idx=-1)
        init_(model, scheme)
        assert not model.weight[4].any()
        assert model.weight[:4].any()

    def test_t36_in_a_shard_too(self):
        law = plan_for(nn.Embedding(8, 3, padding_idx=5), "he_normal")["weight"]
        first, second = (
            initwise.fill(np.empty((4, 3), np.float32), law, name="weight", shape=(8, 3), offset=(row, 0))
            for row in (0, 4)
        )
        assert first.all()
        assert [bool(row.any()) for row in second] == [True, False, True, True]


class TestT37:
    """Biases that are to be something else than zero."""

    def test_t37_a_bias_that_its_model_marks_is_not_zeroed(self):
        model = nn.Linear(4, 4)
        model.bias._no_reinit = True
        before = model.bias.clone()
        entry = init_(model, "he_normal").entries[1]
        assert torch.equal(model.bias, before)
        assert (entry.status, entry.reason.startswith("its model marks it _no_reinit")) == ("frozen", True)
        init_(model, "he_normal", rules={"bias": "zeros"})
        assert not model.bias.any()

    def test_t37_attention_biases_and_gates_have_rules_of_their_own(self):
        parts = tuple((gate, 4, Fill.constant(float(gate == "f"))) for gate in "ifgo")
        forget = Fill.packed(parts, layout=Layout("o"))
        model = nn.LSTM(4, 4)
        init_(model, "torch_default", rules={"bias_ih_l0": forget})
        assert model.bias_ih_l0.tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8

    def test_t37_recipes_give_them_what_they_need(self):
        bias = scheme("mamba_dt_bias").fill()
        assert (bias.low, bias.high) == pytest.approx((-6.9072552373, -2.252168461044), abs=6e-11)
        affine = nn.ModuleDict({"affine": nn.Linear(8, 8), "conv": nn.Conv2d(8, 8, 3)})
        assert plan_for(affine, "stylegan2")["affine.bias"].mean == 1
        assert plan_for(affine, "stylegan2")["conv.bias"].mean == 0
        keras = plan_for(nn.LSTM(4, 4), "keras_default")["bias_ih_l0"]
        assert {name: part.mean for name, _, part in keras.parts} == {"i": 0, "f": 1, "g": 0, "o": 0}

    def test_t37_the_forget_gate_s_bias_is_not_counted_twice_in_torch_s_two(self):
        model = nn.LSTM(4, 4)
        init_(model, "forget_gate_bias")
        assert (model.bias_ih_l0 + model.bias_hh_l0).tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8


class TestT38:
    """Whose random numbers."""

    def test_t38_no_generator_is_used_or_needed(self):
        model, state = nn.Linear(8, 8), torch.get_rng_state()
        first = init_(model, "orthogonal").digest
        torch.manual_seed(123)
        assert init_(model, "orthogonal").digest == first
        torch.set_rng_state(state)

    def test_t38_positions_of_zeros_come_from_the_generator_as_the_values_do(self):
        def drawn(draw, before):
            torch.manual_seed(before)
            return draw(torch.empty(50, 50), 0.3, generator=torch.Generator().manual_seed(3))

        with torch.random.fork_rng():
            assert torch.equal(drawn(init.sparse_, 1), drawn(init.sparse_, 2))
            assert not torch.equal(drawn(nn.init.sparse_, 1), drawn(nn.init.sparse_, 2))

    def test_t38_a_parameter_s_values_do_not_depend_on_its_neighbours(self):
        alone = nn.ModuleDict({"b": nn.Linear(8, 8)})
        among = nn.ModuleDict({"a": nn.Linear(8, 8), "b": nn.Linear(8, 8)})
        for model in (alone, among):
            init_(model, "he_normal", seed=3)
        assert torch.equal(alone["b"].weight, among["b"].weight)


class TestT39:
    """Memory formats."""

    def test_t39_values_do_not_depend_on_the_memory_format(self):
        layers = [nn.Conv3d(2, 4, 3), nn.Conv3d(2, 4, 3).to(memory_format=torch.channels_last_3d)]
        for layer in layers:
            init_(layer, "delta_orthogonal")
        assert torch.equal(layers[0].weight, layers[1].weight)


class Branch(nn.Module):
    """x + α·B·tanh(A·x)."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(16, 16, bias=False), nn.Linear(16, 16, bias=False)
        self.alpha = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x + self.alpha * self.b(torch.tanh(self.a(x)))


def residual():
    return nn.Sequential(Branch(), nn.Linear(16, 3))


def moved(model, steps=4):
    """Which parameters have moved after some steps of gradient descent."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        (model(batch(32, 16)) - batch(32, 3, seed=2)).square().mean().backward()
        optimizer.step()
    return {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}


def block():
    """Of a decoder, with a factor on its branches."""
    attn = nn.ModuleDict({f"{part}_proj": nn.Linear(8, 8) for part in ("q", "k", "v", "out")})
    mlp = nn.ModuleDict({"fc1": nn.Linear(8, 8), "fc2": nn.Linear(8, 8)})
    made = nn.ModuleDict({"attn": attn, "mlp": mlp})
    made.resweight = nn.Parameter(torch.ones(1))
    return made


class TestT40:
    """Two zeros in series get no gradient, ever."""

    @pytest.mark.parametrize("pair", [("0.a.weight", "0.b.weight"), ("0.b.weight", "0.alpha")])
    def test_t40_check_finds_them(self, pair):
        model = residual()
        init_(model, "lecun_normal", rules=dict.fromkeys(pair, "zeros"))
        found = initwise.check(model, batch(32, 16))
        assert not found.healthy
        assert found.findings[0].layer in ("0.a", "0.b")
        assert "which is zero: no training step can part them" in found.findings[0].reason
        assert not set(pair) & moved(model)

    @pytest.mark.parametrize("one", ["0.a.weight", "0.b.weight", "0.alpha"])
    def test_t40_one_zero_is_no_fault_and_opens_with_the_first_step(self, one):
        model = residual()
        init_(model, "lecun_normal", rules={one: "zeros"})
        assert initwise.check(model, batch(32, 16)).healthy
        assert moved(model) >= {"0.a.weight", "0.b.weight", "0.alpha"}

    @pytest.mark.parametrize("flavor", ["default", "gaussian"])
    def test_t40_lora_starts_one_of_its_two_matrices(self, flavor):
        pair = {"lora_A": nn.Linear(16, 4, bias=False), "lora_B": nn.Linear(4, 16, bias=False)}
        plan = plan_for(nn.ModuleDict(pair), initwise.recipe("lora", flavor=flavor))
        assert (plan["lora_A.weight"].std > 0, plan["lora_B.weight"].std) == (True, 0)

    @pytest.mark.parametrize("name", ["zero_query", "zero_branch", "rezero", "skipinit_gain"])
    def test_t40_no_scheme_zeroes_what_stands_before_its_zeros(self, name):
        blocks = nn.ModuleList([block() for _ in range(2)])
        plan = plan_for(nn.ModuleDict({"h": blocks, "lm_head": nn.Linear(8, 5)}), name)
        zero = {name for name, law in plan.items() if law.mean == law.std == 0}
        assert any("bias" not in name for name in zero)
        chains = (
            ("attn.q_proj.weight", "attn.k_proj.weight"),
            ("attn.v_proj.weight", "attn.out_proj.weight", "resweight"),
            ("mlp.fc1.weight", "mlp.fc2.weight", "resweight"),
        )
        for chain in chains:
            assert len({f"h.0.{part}" for part in chain} & zero) <= 1


def mlp():
    return nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))


class TestT41:
    """A zero head is fine: the gradient reaches it first, the body one step later."""

    def test_t41_check_does_not_call_it_a_fault_and_says_what_it_waits_for(self):
        model = mlp()
        init_(model, "he_normal", rules={"4.weight": "zeros"})
        found = initwise.check(model, batch(32, 16))
        assert found.healthy
        assert "'4' starts at zero and stops them until its first step" in " ".join(str(found).split())
        assert moved(model, steps=1) == {"4.weight", "4.bias"}
        assert moved(model, steps=1) >= {"0.weight", "2.weight"}


class TestT42:
    """Equal rows stay equal."""

    @pytest.mark.parametrize("law", ["ones", "constant"])
    def test_t42_constant_weights_are_found_symmetric_and_stay_so(self, law):
        model = mlp()
        init_(model, scheme(law, value=0.1) if law == "constant" else law)
        found = initwise.check(model, batch(32, 16))
        assert (found.findings[0].verdict, found.findings[0].layer) == ("symmetric", "0")
        assert "0.weight" in moved(model)
        rows = model[0].weight.detach()
        assert torch.allclose(rows, rows[:1].expand_as(rows))

    @pytest.mark.parametrize("name", ["identity", "zero_hadamard"])
    def test_t42_identities_lean_on_their_inputs_and_are_not(self, name):
        model = mlp()
        init_(model, name)
        verdicts = {finding.verdict for finding in initwise.check(model, batch(32, 16)).findings}
        assert "symmetric" not in verdicts

    @pytest.mark.parametrize("name", ["zeros", "ones", "constant"])
    def test_t42_their_rows_say_so(self, name):
        assert "unit" in next(row for row in initwise.schemes() if row.name == name).avoid


class TestT43:
    """The variance of a·φ(b) is E[a²]·E[φ(b)²] only if a and b are independent."""

    @staticmethod
    def holds(weight, expected):
        """E[(a·silu(b))²] over 2048 inputs of length √512, so that each a and b is N(0, 1), and all outputs.

        Given the inputs, the outputs' means are independent: five standard errors of theirs.
        """
        x = F.normalize(batch(2048, 512).double()) * math.sqrt(512)
        a, b = (x @ weight.double().T).chunk(2, -1)
        means = (a * F.silu(b)).square().mean(0)
        return abs(float(means.mean()) - expected) <= 5 * float(means.std()) / math.sqrt(means.numel())

    def test_t43_both_halves_are_drawn_apart_and_the_gain_holds(self):
        layout = Layout("oi", parts=(("gate", 512), ("up", 512)))
        law = scheme("lecun_normal").fill(fans((1024, 512), layout))
        weight = fill_array(np.empty((1024, 512), np.float32), law, name="w", seed=1)
        assert not np.array_equal(weight[:512], weight[512:])
        assert self.holds(torch.from_numpy(weight), 1 / initwise.gain("swiglu") ** 2)

    def test_t43_tied_halves_have_another_gain_which_is_computed_from_the_function(self):
        half = batch(512, 512, seed=9) / math.sqrt(512)
        tied = initwise.gain(lambda x: x * x / (1 + np.exp(-x)))
        assert self.holds(torch.cat([half, half]), 1 / tied**2)
        # E[x²·silu(x)²] against E[x²]·E[silu(x)²]
        assert (initwise.gain("swiglu") / tied) ** 2 > 3


class TestT44:
    """Shards hold pieces of one tensor; replicas hold the same."""

    LAWS = ("he_normal", "truncated_normal", "orthogonal", "sparse", "identity")

    @pytest.mark.parametrize("name", LAWS)
    @pytest.mark.parametrize("axis", [0, 1])
    def test_t44_a_shard_is_the_slice_of_the_whole_and_no_two_are_alike(self, name, axis):
        law = scheme(name).fill(fans((12, 8), "oi"))
        whole = initwise.fill(np.empty((12, 8), np.float32), law, name="w", seed=3)
        size = tuple(n // 2 if k == axis else n for k, n in enumerate((12, 8)))
        shards = []
        for rank in range(2):
            offset = tuple(rank * n if k == axis else 0 for k, n in enumerate(size))
            shard = np.empty(size, np.float32)
            shards.append(initwise.fill(shard, law, name="w", seed=3, shape=(12, 8), offset=offset))
        assert np.array_equal(np.concatenate(shards, axis), whole)
        assert not np.array_equal(*shards)

    def test_t44_a_replica_is_the_same_on_every_rank(self):
        law = scheme("he_normal").fill(fans((12, 8), "oi"))
        first, second = (
            initwise.fill(np.empty((12, 8), np.float32), law, name="w", seed=3) for _ in range(2)
        )
        assert np.array_equal(first, second)

    def test_t44_a_shard_without_its_place_is_refused(self):
        law = scheme("he_normal").fill(fans((12, 8), "oi"))
        with pytest.raises(StreamError, match="every shard would hold the first block's numbers"):
            initwise.fill(np.empty((6, 8), np.float32), law, name="w", shape=(12, 8))


class TestT45:
    """DKS' port to torch takes (out, in) weights for (in, out)."""

    def test_t45_delta_orthogonal_sees_the_output_axis_first(self):
        layer = nn.Conv2d(4, 8, 3, bias=False)
        init_(layer, "delta_orthogonal")
        centre = layer.weight[:, :, 1, 1]
        assert torch.allclose(centre.T @ centre, torch.eye(4), atol=1e-5)
        assert float(layer.weight.detach().abs().sum()) == pytest.approx(float(centre.detach().abs().sum()))

    def test_t45_the_port_s_flavor_turns_the_ratio_around_as_it_does(self):
        law = "scaled_uniform_orthogonal"
        assert plan_for(nn.Linear(64, 256), law)["weight"].gain == 2.0
        port = scheme(law, flavor="dks_pytorch")
        assert plan_for(nn.Linear(64, 256), port)["weight"].gain == 1.0
        assert plan_for(nn.Linear(256, 64), port)["weight"].gain == 2.0
