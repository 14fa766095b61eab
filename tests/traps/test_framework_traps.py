"""Quirks of frameworks, by their survey's numbers: what we do by default, and as whom we do as they do."""

import math

import jax
import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import nn

import initwise
from initwise.core.errors import OptionError
from initwise.core.layout import fans
from initwise.frameworks.initialize import plan_for
from initwise.random import fill_array
from initwise.recipes import recipe
from initwise.schemes import scheme
from initwise.torch import init

WEIGHT = fans((256, 64), "oi")


def spread(tensor):
    """The std and what its estimate may be off: five standard errors of a normal's."""
    return float(tensor.detach().double().std()), 5 / math.sqrt(2 * tensor.numel())


def holds(tensor, std):
    found, tolerance = spread(tensor)
    return found == pytest.approx(std, rel=tolerance)


class TestT50:
    """GPT-NeoX's option "orthogonal" takes use_mup, which is False, for the number of layers: √(2/0)."""

    def test_t50_there_is_no_division_by_zero(self):
        with pytest.raises(ZeroDivisionError):
            math.sqrt(2 / False)
        with pytest.raises(OptionError, match=r"num_layers=0\.0; expected a number ≥ 1"):
            scheme("depth_orthogonal", num_layers=0)
        assert scheme("orthogonal").fill(WEIGHT).gain == 1
        assert scheme("neox_scaled_orthogonal", num_layers=8).fill(WEIGHT).gain == 0.5


def gpt():
    """nanoGPT's names."""

    def block():
        attn = nn.ModuleDict({"c_attn": nn.Linear(64, 192), "c_proj": nn.Linear(64, 64)})
        mlp = nn.ModuleDict({"c_fc": nn.Linear(64, 64), "c_proj": nn.Linear(64, 64)})
        return nn.ModuleDict({"attn": attn, "mlp": mlp})

    tables = {"wte": nn.Embedding(50, 64), "wpe": nn.Embedding(8, 64)}
    return nn.ModuleDict({**tables, "h": nn.ModuleList([block() for _ in range(8)])})


class TestT51:
    """The GPT-2 paper scales residual outputs, its released code does not and halves the positions' std."""

    @pytest.mark.parametrize(("flavor", "output", "positions"), [("hf", 0.005, 0.02), ("openai", 0.02, 0.01)])
    def test_t51_both_are_there(self, flavor, output, positions):
        plan = plan_for(gpt(), recipe("gpt2", flavor=flavor))
        assert plan["h.0.attn.c_proj.weight"].std == pytest.approx(output)
        assert (plan["wpe.weight"].std, plan["wte.weight"].std) == (positions, 0.02)

    def test_t51_the_paper_s_is_the_default(self):
        assert dict(recipe("gpt2").options)["flavor"] == "hf"


class TestT52:
    """nn.MultiheadAttention: √2 between one packed matrix and three separate ones."""

    def test_t52_the_law_is_the_same_for_both_here(self):
        packed, apart = nn.MultiheadAttention(64, 2), nn.MultiheadAttention(64, 2, kdim=32, vdim=64)
        plans = [plan_for(layer, "xavier_uniform") for layer in (packed, apart)]
        first = plans[0]["in_proj_weight"].parts[0][2]
        assert first.high == plans[1]["q_proj_weight"].high == pytest.approx(math.sqrt(6 / 128))

    def test_t52_torch_default_draws_as_torch_does(self):
        packed, apart = nn.MultiheadAttention(64, 2), nn.MultiheadAttention(64, 2, kdim=32, vdim=64)
        bounds = {
            (packed, "in_proj_weight"): math.sqrt(6 / 256),
            (packed, "out_proj.weight"): 1 / 8,
            (apart, "q_proj_weight"): math.sqrt(6 / 128),
            (apart, "k_proj_weight"): math.sqrt(6 / 96),
        }
        for (layer, name), bound in bounds.items():
            weight = layer.get_parameter(name).detach()
            fill = plan_for(layer, "torch_default")[name]
            assert fill.high == pytest.approx(bound)
            # the largest of n uniforms lies within 14/n of the bound but for one in a million
            assert float(weight.abs().max()) == pytest.approx(bound, rel=14 / weight.numel())


class TestT53:
    """torch's calculate_gain knows few names, and kaiming_* reads a slope only for leaky_relu."""

    @pytest.mark.parametrize("name", ["gelu", "silu", "elu"])
    def test_t53_gains_that_torch_refuses_are_computed(self, name):
        with pytest.raises(ValueError, match="nonlinearity"):
            nn.init.calculate_gain(name)
        assert init.calculate_gain(name) == initwise.gain(name)
        # 1/√E[φ(z)²], z ~ N(0, 1), by another quadrature
        function = getattr(nn.functional, name)

        def squared(z):
            return float(function(torch.tensor(z, dtype=torch.float64))) ** 2 * stats.norm.pdf(z)

        second = sum(integrate.quad(squared, *ends, epsabs=1e-11)[0] for ends in ((-12, 0), (0, 12)))
        assert initwise.gain(name) == pytest.approx(second**-0.5, rel=1e-8)

    def test_t53_a_slope_beside_relu_is_ignored_by_the_drop_in_as_by_torch(self):
        def drawn(a, name):
            generator = torch.Generator().manual_seed(1)
            return init.kaiming_normal_(torch.empty(64, 64), a=a, nonlinearity=name, generator=generator)

        assert torch.equal(drawn(2.0, "relu"), drawn(0.0, "relu"))
        assert not torch.equal(drawn(2.0, "leaky_relu"), drawn(0.0, "leaky_relu"))
        theirs = nn.init.kaiming_normal_(
            torch.empty(256, 256), a=2.0, nonlinearity="relu", generator=torch.Generator().manual_seed(1)
        )
        assert holds(theirs, math.sqrt(2 / 256))

    def test_t53_a_scheme_s_slope_counts_whatever_its_name(self):
        sloped = scheme("he_normal", negative_slope=2.0).fill(WEIGHT).std
        assert sloped == pytest.approx(math.sqrt(2 / (1 + 4) / 64))


class TestT54:
    """Flax's tables have std 1/√d by counting axis 0 twice; Haiku truncates without making up for it."""

    def test_t54_their_defaults_are_theirs(self):
        table = nn.Embedding(1000, 64)
        assert plan_for(table, "flax_default")["weight"].std == pytest.approx(1 / 8)
        assert plan_for(table, "he_normal")["weight"].std == 1
        haiku = plan_for(nn.Linear(64, 256), "haiku_default")["weight"]
        assert haiku.std == pytest.approx(0.1099532076, abs=6e-11)
        assert haiku.high == pytest.approx(2 / 8)
        flax = plan_for(nn.Linear(64, 256), "flax_default")["weight"]
        assert (flax.law, flax.std) == ("truncated_normal", pytest.approx(1 / 8, rel=1e-14))

    def test_t54_flax_s_axes_in_jax_itself(self):
        draw = jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal", in_axis=-2, out_axis=0)
        theirs = torch.from_numpy(np.array(draw(jax.random.key(1), (1000, 64))))
        assert holds(theirs, 1 / 8)


class TestT55:
    """Lasagne's docstring gives the bound without the gain."""

    def test_t55_its_code_s_bound_is_drawn(self):
        law = scheme("lasagne_glorot_uniform", gain="relu").fill(WEIGHT)
        assert law.high == pytest.approx(math.sqrt(12 / 320), rel=1e-14)
        weight = fill_array(np.empty((256, 64)), law, name="w", seed=1)
        assert weight.max() == pytest.approx(law.high, rel=28 / weight.size)
        assert scheme("lasagne_glorot_uniform").fill(WEIGHT).high == pytest.approx(math.sqrt(6 / 320))
        assert "docstring" in " ".join(scheme("lasagne_glorot_uniform").row.differences)

    def test_t55_uniform_is_quiet_and_has_lasagne_s_range(self, recwarn):
        law = scheme("uniform", flavor="lasagne").fill()
        assert (law.low, law.high) == (-0.01, 0.01)
        assert not recwarn.list


class TestT56:
    """neural-tangents' text names the output's width, its code takes the input's."""

    @pytest.mark.parametrize("shape", [(256, 64), (64, 64), (7, 64)])
    def test_t56_the_input_s_width_counts(self, shape):
        assert scheme("ntk_standard").fill(fans(shape, "oi")).std == 1 / 8
        assert scheme("ntk").fill(fans(shape, "oi")).std == 1


def llama():
    """torchtitan's names."""

    def block():
        attention = nn.ModuleDict({name: nn.Linear(64, 64) for name in ("wq", "wk", "wv", "wo")})
        return nn.ModuleDict(
            {
                "attention": attention,
                "feed_forward": nn.ModuleDict({name: nn.Linear(64, 64) for name in ("w1", "w2", "w3")}),
            }
        )

    layers = nn.ModuleList([block() for _ in range(8)])
    return nn.ModuleDict(
        {"tok_embeddings": nn.Embedding(50, 64), "layers": layers, "output": nn.Linear(64, 50)}
    )


class TestT57:
    """torchtitan scales w3, the up projection, by depth, and not the gate w1."""

    def test_t57_only_its_flavor_does(self):
        titan = plan_for(llama(), recipe("llama", flavor="torchtitan"))
        stds = [titan[f"layers.7.feed_forward.{name}.weight"].std for name in ("w1", "w2", "w3")]
        assert stds == pytest.approx([0.02, 0.005, 0.005])
        # what is scaled by the block's index elsewhere is what writes into the residual stream
        plain = plan_for(llama(), "depth_index")
        stds = [plain[f"layers.7.feed_forward.{name}.weight"].std for name in ("w1", "w2", "w3")]
        assert stds == pytest.approx([0.02, 0.005, 0.02])


class TestT59:
    """torchvision's EfficientNet does not divide by the groups: √channels smaller than the original."""

    def test_t59_the_original_is_the_default(self):
        model = nn.ModuleDict(
            {"stem": nn.Conv2d(3, 32, 3), "dw": nn.Conv2d(32, 32, 3, groups=32), "head": nn.Linear(32, 10)}
        )
        stds = {
            name: plan_for(model, plan)["dw.weight"].std
            for name, plan in (
                ("ours", "efficientnet"),
                ("timm", recipe("efficientnet", flavor="timm")),
                ("torchvision", recipe("efficientnet", flavor="torchvision")),
            )
        }
        assert stds["ours"] == stds["timm"] == pytest.approx(math.sqrt(2 / 9))
        assert stds["torchvision"] == pytest.approx(math.sqrt(2 / (9 * 32)))
        generator = torch.Generator().manual_seed(1)
        theirs = nn.init.kaiming_normal_(torch.empty(32, 1, 3, 3), mode="fan_out", generator=generator)
        assert holds(theirs, stds["torchvision"])


class TestT60:
    """timm keeps the inverse of the distribution function, whatever torch does."""

    def test_t60_its_flavor_is_the_law_without_the_atoms(self):
        law = scheme("truncated_normal", flavor="timm", std=0.002).fill()
        assert (law.low, law.high, law.scale) == (-2, 2, 0.002)
        weight = fill_array(np.empty(1 << 22, np.float32), law, name="w", seed=1)
        # timm in float32: about two of 67 million at exactly −2, a thousand sigmas out
        assert np.abs(weight).max() < 7 * 0.002

    def test_t60_where_it_truncates_both_agree(self):
        timm = scheme("truncated_normal", flavor="timm", std=1.0).fill()
        assert timm.std == pytest.approx(0.8796256610, abs=6e-11)
        assert timm == scheme("truncated_normal", flavor="torch", std=1.0).fill().because(
            timm.reason, timm.citation
        )
