"""Published numbers of networks other than attention's: convolutions, diffusion, agents, states."""

import math

import pytest
from recipe_bench import FF, D, L, V, blocks, lin, tree

from initwise.core.errors import ModelError, OptionError
from initwise.recipes import recipe, recipes

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from initwise.frameworks.initialize import init_, plan_for  # noqa: E402


def std(plan, name):
    return plan[name].std


class BasicBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, bias=False), nn.BatchNorm2d(width)


def resnet():
    return tree(
        conv1=nn.Conv2d(3, 16, 7, bias=False),
        bn1=nn.BatchNorm2d(16),
        layer1=nn.Sequential(BasicBlock(16), BasicBlock(16)),
        layer2=nn.Sequential(BasicBlock(16), BasicBlock(16)),
        fc=nn.Linear(16, 10),
    )


def test_resnets_zero_gamma_is_on_in_timm_and_off_in_torchvision():
    plans = {
        (flavor, zero): plan_for(resnet(), recipe("resnet", flavor=flavor, zero_gamma=zero))
        for flavor in ("torchvision", "timm")
        for zero in ("default", "on", "off")
    }
    last = {key: plan["layer1.0.bn2.weight"].mean for key, plan in plans.items()}
    assert last == {
        ("torchvision", "default"): 1,
        ("torchvision", "on"): 0,
        ("torchvision", "off"): 1,
        ("timm", "default"): 0,
        ("timm", "on"): 0,
        ("timm", "off"): 1,
    }
    plan = plans["timm", "default"]
    assert plan["layer1.0.bn1.weight"].mean == 1
    assert std(plan, "layer1.0.conv1.weight") == pytest.approx(math.sqrt(2 / (16 * 9)))
    assert plan["fc.bias"].high == pytest.approx(1 / 4)


def test_fixup_shrinks_the_first_convolution_by_the_number_of_blocks_and_zeroes_the_last():
    plan = plan_for(resnet(), "fixup")
    assert std(plan, "layer2.1.conv1.weight") == pytest.approx(math.sqrt(2 / (16 * 9)) * 4**-0.5)
    assert std(plan, "layer2.1.conv2.weight") == 0
    assert std(plan, "fc.weight") == 0


def test_depthwise_kernels_are_where_the_efficientnets_differ():
    model = tree(stem=nn.Conv2d(3, 32, 3), dw=nn.Conv2d(32, 32, 3, groups=32), classifier=nn.Linear(32, 10))
    stds = {
        flavor: std(plan_for(model, recipe("efficientnet", flavor=flavor)), "dw.weight")
        for flavor in ("tpu", "timm", "torchvision")
    }
    assert stds["tpu"] == stds["timm"] == pytest.approx(math.sqrt(2 / 9))
    assert stds["tpu"] / stds["torchvision"] == pytest.approx(math.sqrt(32))


def test_siren():
    model = nn.Sequential(*(tree(linear=nn.Linear(i, o)) for i, o in ((2, D), (D, D), (D, 3))))
    plan = plan_for(model, recipe("siren", w0=10.0))
    assert [plan[f"{i}.linear.weight"].high for i in range(3)] == pytest.approx(
        [1 / 2, math.sqrt(6 / D) / 10, math.sqrt(6 / D) / 10]
    )
    assert plan["1.linear.bias"].high == pytest.approx(D**-0.5)
    with pytest.raises(OptionError, match=r"recipe 'siren': w0=0\.0; expected w0 > 0"):
        recipe("siren", w0=0)


class Agent(nn.Module):
    """CleanRL's names."""

    def __init__(self):
        super().__init__()
        self.critic = nn.Sequential(lin(4, D), nn.Tanh(), lin(D, D), nn.Tanh(), lin(D, 1))
        self.actor_mean = nn.Sequential(lin(4, D), nn.Tanh(), lin(D, D), nn.Tanh(), lin(D, 2))
        self.actor_logstd = nn.Parameter(torch.ones(1, 2))


def test_ppos_heads_are_small_for_the_policy_alone():
    plan = plan_for(Agent(), "rl-ppo")
    gains = {
        name: plan[f"{name}.weight"].gain for name in ("critic.0", "critic.4", "actor_mean.2", "actor_mean.4")
    }
    root = math.sqrt(2)
    assert gains == {"critic.0": root, "critic.4": 1.0, "actor_mean.2": root, "actor_mean.4": 0.01}
    assert plan["actor_logstd"].mean == 0
    atari = tree(
        network=nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), lin(8, D)), actor=lin(D, 4), critic=lin(D, 1)
    )
    assert plan_for(atari, "ppo")["actor.weight"].gain == 0.01
    stable = tree(
        mlp_extractor=tree(policy_net=nn.Sequential(lin(4, D)), value_net=nn.Sequential(lin(4, D))),
        action_net=lin(D, 2),
        value_net=lin(D, 1),
    )
    plan = plan_for(stable, recipe("ppo", flavor="sb3"))
    assert [plan[f"{n}.weight"].gain for n in ("action_net", "value_net")] == [0.01, 1.0]
    assert (
        plan["mlp_extractor.policy_net.0.weight"].gain
        == plan["mlp_extractor.value_net.0.weight"].gain
        == root
    )


def test_ddpg_and_dqn():
    plan = plan_for(nn.Sequential(lin(4, D), nn.ReLU(), lin(D, 2)), "ddpg")
    assert (plan["2.weight"].high, plan["2.bias"].high, plan["0.weight"].high) == (3e-3, 3e-3, 0.5)
    assert plan_for(nn.Sequential(lin(4, D), lin(D, 2)), "dqn")["0.bias"].high == 0.5


def test_dlrm_draws_biases_and_scales_tables_by_their_rows():
    model = tree(bot_l=nn.Sequential(lin(4, D)), emb_l=nn.ModuleList([nn.EmbeddingBag(100, 16)]))
    plan = plan_for(model, "dlrm")
    assert std(plan, "bot_l.0.bias") == D**-0.5
    assert std(plan, "bot_l.0.weight") == pytest.approx(math.sqrt(2 / (4 + D)))
    assert plan["emb_l.0.weight"].high == 0.1


def test_dit_starts_each_block_as_the_identity():
    model = tree(
        x_embedder=tree(proj=nn.Conv2d(4, D, 2, 2)),
        t_embedder=tree(mlp=nn.Sequential(lin(32, D), nn.SiLU(), lin(D, D))),
        y_embedder=tree(embedding_table=nn.Embedding(11, D)),
        blocks=blocks(
            lambda: tree(
                attn=tree(qkv=lin(D, 3 * D), proj=lin(D, D)),
                mlp=tree(fc1=lin(D, FF), fc2=lin(FF, D)),
                adaLN_modulation=nn.Sequential(nn.SiLU(), lin(D, 6 * D)),
            )
        ),
        final_layer=tree(linear=lin(D, 32), adaLN_modulation=nn.Sequential(nn.SiLU(), lin(D, 2 * D))),
    )
    plan = plan_for(model, "dit")
    zeros = [name for name in plan if name.endswith("weight") and plan[name].std == 0]
    assert zeros == [
        *(f"blocks.{i}.adaLN_modulation.1.weight" for i in range(L)),
        "final_layer.linear.weight",
        "final_layer.adaLN_modulation.1.weight",
    ]
    assert std(plan, "t_embedder.mlp.0.weight") == std(plan, "y_embedder.embedding_table.weight") == 0.02
    assert std(plan, "blocks.0.attn.qkv.weight") == pytest.approx(math.sqrt(2 / (D + 3 * D)))
    assert plan["x_embedder.proj.weight"].high == pytest.approx(math.sqrt(6 / (16 + D)))


def test_what_ends_a_branch_of_a_u_net():
    block = tree(conv1=nn.Conv2d(8, 8, 3), conv2=nn.Conv2d(8, 8, 3), proj_out=nn.Conv2d(8, 8, 1))
    plan = plan_for(tree(block=block), "ddpm")
    assert std(plan, "block.conv1.weight") == pytest.approx(math.sqrt(1 / 72))
    assert std(plan, "block.conv2.weight") == pytest.approx(1e-5 * math.sqrt(1 / 72))
    adm = tree(
        b=tree(
            in_layers=nn.Sequential(nn.Conv2d(8, 8, 3)),
            out_layers=nn.Sequential(*(nn.Conv2d(8, 8, 3),) * 1, nn.SiLU(), nn.SiLU(), nn.Conv2d(8, 8, 3)),
        )
    )
    plan = plan_for(adm, "adm")
    assert std(plan, "b.out_layers.3.weight") == std(plan, "b.out_layers.3.bias") == 0
    assert plan["b.in_layers.0.weight"].high == pytest.approx(72**-0.5)
    edm = tree(b=tree(conv0=nn.Conv2d(8, 8, 3), conv1=nn.Conv2d(8, 8, 3), qkv=nn.Conv2d(8, 24, 1)))
    plan = plan_for(edm, "edm")
    assert std(plan, "b.conv1.weight") == pytest.approx(1e-5 / math.sqrt(72))
    assert std(plan, "b.qkv.weight") == pytest.approx(math.sqrt(0.2) * math.sqrt(2 / 32))


def test_gans():
    model = nn.Sequential(nn.ConvTranspose2d(8, 8, 4), nn.BatchNorm2d(8))
    plan = plan_for(model, "dcgan")
    assert (std(plan, "0.weight"), plan["1.weight"].mean, std(plan, "1.weight")) == (0.02, 1.0, 0.02)
    assert plan_for(model, "biggan")["0.weight"].law == "orthogonal"


def test_detection_starts_with_few_objects():
    head = tree(conv=nn.Sequential(nn.Conv2d(8, 8, 3)), cls_logits=nn.Conv2d(8, 9, 3))
    plan = plan_for(tree(head=tree(classification_head=head)), recipe("detection", prior=0.01))
    assert plan["head.classification_head.cls_logits.bias"].mean == pytest.approx(-math.log(99))
    assert std(plan, "head.classification_head.cls_logits.weight") == 0.01


def test_lora_touches_adapters_alone():
    model = tree(
        base=lin(D, D), lora_A=tree(default=lin(D, 4, bias=False)), lora_B=tree(default=lin(4, D, bias=False))
    )
    plan = plan_for(model, "lora")
    assert (plan["lora_A.default.weight"].high, std(plan, "lora_B.default.weight")) == (D**-0.5, 0)
    assert "base.weight" not in plan


def test_mamba_starts_its_state_by_index_and_its_time_step_through_softplus():
    mixer = nn.Module()
    mixer.A_log, mixer.D = nn.Parameter(torch.zeros(8, 4)), nn.Parameter(torch.zeros(8))
    for name, layer in (
        ("in_proj", lin(4, 16, False)),
        ("x_proj", lin(8, 9, False)),
        ("dt_proj", lin(1, 8)),
        ("out_proj", lin(8, 4, False)),
    ):
        mixer.add_module(name, layer)
    model = tree(embedding=nn.Embedding(9, 4), layers=nn.ModuleList([tree(mixer=mixer)]))
    ledger = init_(model, "mamba", seed=1)
    plan = plan_for(model, "mamba")
    assert plan["layers.0.mixer.D"].mean == 1
    assert plan["layers.0.mixer.out_proj.weight"].high == pytest.approx(8**-0.5)
    expected = torch.log(torch.arange(1.0, 5.0)).expand(8, 4)
    assert torch.allclose(mixer.A_log, expected)
    step = nn.functional.softplus(mixer.dt_proj.bias)
    assert bool(((step >= 1e-3) & (step <= 0.1)).all())
    assert step.unique().numel() == 8
    assert not [entry.name for entry in ledger.entries if entry.status != "filled"]
    assert plan_for(model, "mamba2")["layers.0.mixer.A_log"].formula == "ln U[1, 16)"


def test_t5x_corrects_its_truncation():
    attention = tree(q=lin(D, 32, False), k=lin(D, 32, False), v=lin(D, 32, False), o=lin(32, D, False))
    block = tree(SelfAttention=attention, DenseReluDense=tree(wi=lin(D, FF, False), wo=lin(FF, D, False)))
    model = tree(shared=nn.Embedding(V, D), block=nn.ModuleList([block]))
    plan = plan_for(model, recipe("t5", flavor="t5x", heads=4))
    assert std(plan, "block.0.SelfAttention.q.weight") == pytest.approx((D * 8) ** -0.5)
    assert std(plan, "block.0.DenseReluDense.wo.weight") == pytest.approx(FF**-0.5)
    with pytest.raises(ModelError, match=r"the model's heads is unknown"):
        plan_for(model, "t5")


@pytest.mark.parametrize("row", recipes(), ids=lambda row: row.name)
def test_no_recipe_fits_a_model_of_two_vectors_in_silence(row):
    """Either an error, or nothing drawn is left without a reason."""
    model = nn.ModuleDict({"oddity": nn.Bilinear(3, 4, 5)})
    try:
        plan = plan_for(model, recipe(row.name))
    except ModelError as error:
        told = str(error)
    else:
        told = f"recipe {row.name!r}"
        assert all(reason for _, reason in plan.kept)
        assert set(plan) | {name for name, _ in plan.kept} == {"oddity.weight", "oddity.bias"}
    assert f"recipe {row.name!r}" in told
