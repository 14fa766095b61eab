"""Published numbers of the families that need laws by channel, copies, halves or names of their own."""

import math

import numpy as np
import pytest

from initwise.core.errors import OptionError
from initwise.recipes import recipe

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from initwise.frameworks.initialize import init_, plan_for  # noqa: E402

D, FF, L, V, HEADS = 64, 160, 3, 300, 4
EPS = float(np.finfo("float32").eps)
"""What float32 loses of a number of about 1, at most."""


def tree(**children):
    return nn.ModuleDict(children)


def lin(i, o, bias=True):
    return nn.Linear(i, o, bias=bias)


def owner(parameters, **children):
    module = tree(**children)
    for name, shape in parameters.items():
        module.register_parameter(name, nn.Parameter(torch.full(shape, 7.0)))
    return module


def rwkv7():
    vectors = ("x_r", "x_w", "x_k", "x_v", "x_a", "x_g", "w0", "a0", "v0", "k_k", "k_a")
    low = {f"{letter}1": (D, 8) for letter in "wavg"} | {f"{letter}2": (8, D) for letter in "wavg"}
    shapes = dict.fromkeys(vectors, (1, 1, D)) | low | {"r_k": (HEADS, D // HEADS)}

    def block():
        names = ("receptance", "key", "value", "output")
        att = owner(shapes, **{name: lin(D, D, False) for name in names}, ln_x=nn.GroupNorm(HEADS, D))
        ffn = owner({"x_k": (1, 1, D)}, key=lin(D, FF, False), value=lin(FF, D, False))
        return tree(ln1=nn.LayerNorm(D), ln2=nn.LayerNorm(D), att=att, ffn=ffn)

    return tree(
        emb=nn.Embedding(V, D), blocks=nn.ModuleList(block() for _ in range(L)), head=lin(D, V, False)
    )


@pytest.fixture(scope="module")
def written():
    """An RWKV-7 with every parameter filled."""
    model = rwkv7()
    ledger = init_(model, "rwkv7", seed=1)
    assert [entry.name for entry in ledger.entries if entry.status != "filled"] == []
    return {name: p.detach().double().numpy() for name, p in model.named_parameters()}


class TestRWKV7:
    @pytest.mark.parametrize("block", range(L))
    def test_mixes_follow_channel_and_block(self, written, block):
        share, falling = np.arange(D) / D, 1 - block / L
        for name, factor in (
            ("x_r", 0.2),
            ("x_w", 0.9),
            ("x_k", 0.7),
            ("x_v", 0.7),
            ("x_a", 0.9),
            ("x_g", 0.2),
        ):
            mix = written[f"blocks.{block}.att.{name}"].ravel()
            np.testing.assert_allclose(mix, 1 - share ** (factor * falling), atol=EPS)
        mix = written[f"blocks.{block}.ffn.x_k"].ravel()
        np.testing.assert_allclose(mix, 1 - share ** (falling**4), atol=EPS)

    @pytest.mark.parametrize("block", range(L))
    def test_decays_are_a_power_and_a_sawtooth_over_each_head(self, written, block):
        n, size = np.arange(D), D // HEADS
        zigzag = ((n % size) - (size - 1) / 2) / ((size - 1) / 2)
        zigzag = zigzag * np.abs(zigzag)
        linear = n / (D - 1) - 0.5
        decay = -6 + 6 * (n / (D - 1)) ** (1 + (block / (L - 1)) ** 0.3) + 0.5 + 2.5 * zigzag
        expected = {
            "w0": decay,
            "a0": -0.19 + zigzag * 0.3 + linear * 0.4,
            "v0": 0.73 - linear * 0.4,
            "k_k": 0.71 - linear * 0.1,
            "k_a": np.full(D, 1.02),
            "r_k": np.full(D, -0.04),
        }
        for name, values in expected.items():
            found = written[f"blocks.{block}.att.{name}"].ravel()
            np.testing.assert_allclose(found, values, atol=EPS * np.abs(values).max(), err_msg=name)

    def test_low_rank_factors_start_as_nothing_and_stay_orthogonal(self, written):
        for letter in "wavg":
            assert not written[f"blocks.0.att.{letter}1"].any()
            second = written[f"blocks.0.att.{letter}2"]
            np.testing.assert_allclose(second @ second.T, 0.01 * np.eye(8), atol=0.01 * D * EPS)

    def test_what_writes_into_the_stream_is_zero_and_the_last_norm_grows_with_the_block(self, written):
        for name in ("att.output", "ffn.value"):
            assert not written[f"blocks.1.{name}.weight"].any()
        gains = [written[f"blocks.{block}.att.ln_x.weight"].max() for block in range(L)]
        np.testing.assert_allclose(gains, [((1 + block) / L) ** 0.7 for block in range(L)], rtol=EPS)
        head = written["head.weight"]
        np.testing.assert_allclose(head.T @ head, 0.25 * V / D * np.eye(D), atol=0.25 * V / D * V * EPS)


def test_rwkv_4_is_what_transformers_computes_element_by_element():
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 48, "attention_hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 100}
    model = transformers.RwkvForCausalLM(transformers.RwkvConfig(**sizes))
    theirs = {name: p.detach().clone() for name, p in model.named_parameters() if ".time_" in name}
    init_(model, "rwkv", seed=1)
    mine = dict(model.named_parameters())
    assert len(theirs) == 3 * 7
    # up to 5 in size, and rounded twice in transformers' float32
    for name, values in theirs.items():
        np.testing.assert_allclose(mine[name].detach(), values, atol=10 * EPS, err_msg=name)
    init_(model, recipe("rwkv4", flavor="intended"), seed=1)
    first = mine["rwkv.blocks.1.attention.time_first"].detach().numpy()
    expected = math.log(0.3) + 0.5 * ((np.arange(64) + 1) % 3 - 1)
    np.testing.assert_allclose(first, expected, rtol=EPS)


def test_retnets_gate_is_drawn_like_its_readers_and_its_output_at_half_of_xavier():
    names = ("q_proj", "k_proj", "v_proj", "g_proj", "out_proj")
    retention = tree(**{name: lin(D, 2 * D if name in ("v_proj", "g_proj") else D) for name in names})
    layer = tree(retention=retention, ffn=tree(fc1=lin(D, FF), fc2=lin(FF, D), gate=lin(D, FF)))
    model = tree(decoder=tree(embed_tokens=nn.Embedding(V, D), layers=nn.ModuleList([layer])))
    plan = plan_for(model, "retnet")
    root = "decoder.layers.0.retention"
    assert plan[f"{root}.q_proj.weight"].high == pytest.approx(2**-2.5 * math.sqrt(6 / (2 * D)))
    assert plan[f"{root}.g_proj.weight"].high == pytest.approx(2**-2.5 * math.sqrt(6 / (3 * D)))
    assert plan[f"{root}.out_proj.weight"].high == pytest.approx(0.5 * math.sqrt(6 / (2 * D)))
    assert plan["decoder.embed_tokens.weight"].std == D**-0.5
    for name in ("fc1", "gate"):
        assert plan[f"decoder.layers.0.ffn.{name}.weight"].high == pytest.approx(D**-0.5), name


class Bottleneck(nn.Module):
    def __init__(self, width):
        super().__init__()
        for i, (o, k) in enumerate(((width, 1), (width, 3), (width, 1)), start=1):
            self.add_module(f"conv{i}", nn.Conv2d(width, o, k, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(o))


def test_clips_tower_of_convolutions_ends_in_an_attention_pool_by_its_width():
    names = ("q_proj", "k_proj", "v_proj", "c_proj")
    pool = owner({"positional_embedding": (17, D)}, **{name: lin(D, D) for name in names})
    visual = tree(
        conv1=nn.Conv2d(3, 16, 3, bias=False),
        bn1=nn.BatchNorm2d(16),
        layer1=nn.Sequential(Bottleneck(16), Bottleneck(16)),
        attnpool=pool,
    )
    block = tree(attn=nn.MultiheadAttention(D, 4), mlp=tree(c_fc=lin(D, FF), c_proj=lin(FF, D)))
    text = tree(resblocks=nn.ModuleList([block]))
    model = owner(
        {"text_projection": (D, D), "logit_scale": ()},
        visual=visual,
        transformer=text,
        token_embedding=nn.Embedding(V, D),
    )
    plan = plan_for(model, "clip")
    assert plan["visual.attnpool.q_proj.weight"].std == plan["visual.attnpool.c_proj.weight"].std == D**-0.5
    assert plan["visual.attnpool.positional_embedding"].std == D**-0.5
    assert plan["visual.layer1.1.bn3.weight"].mean == 0
    assert plan["visual.layer1.1.bn2.weight"].mean == 1
    assert plan["visual.layer1.0.conv2.weight"].high == pytest.approx(1 / 12)
    assert plan["transformer.resblocks.0.attn.out_proj.weight"].std == pytest.approx((2 * D) ** -0.5)


@pytest.mark.parametrize("turned", [False, True])
def test_torchtitan_scales_half_of_a_fused_expert(turned):
    experts = {
        "gate_up_proj": (2, D, 2 * FF) if turned else (2, 2 * FF, D),
        "down_proj": (2, FF, D) if turned else (2, D, FF),
    }
    attention = {name: lin(D, D) for name in ("q_proj", "k_proj", "v_proj", "o_proj")}
    layers = [tree(self_attn=tree(**attention), mlp=tree(experts=owner(experts))) for _ in range(L)]
    model = tree(embed_tokens=nn.Embedding(V, D), layers=nn.ModuleList(layers), lm_head=lin(D, V, False))
    plan = plan_for(model, recipe("deepseek_v3", flavor="torchtitan"))
    fill = plan["layers.2.mlp.experts.gate_up_proj"]
    assert [(name, size) for name, size, _ in fill.parts] == [("gate", FF), ("up", FF)]
    assert [half.scale for _, _, half in fill.parts] == pytest.approx([0.02, 0.02 / math.sqrt(6)])
    init_(model, plan, seed=3)
    written = layers[2]["mlp"]["experts"].gate_up_proj.detach()
    gate, up = written.chunk(2, dim=2 if turned else 1)
    within = 5 / math.sqrt(2 * gate.numel())
    assert float(gate.std()) == pytest.approx(0.02, rel=within)
    assert float(up.std()) == pytest.approx(0.02 / math.sqrt(6), rel=within)


def test_torchtitan_scales_half_of_a_fused_mlp():
    attention = {name: lin(D, D) for name in ("q_proj", "k_proj", "v_proj", "o_proj")}
    mlp = tree(gate_up_proj=lin(D, 2 * FF, False), down_proj=lin(FF, D, False))
    model = tree(layers=nn.ModuleList([tree(self_attn=tree(**attention), mlp=mlp)]))
    fill = plan_for(model, recipe("llama", flavor="torchtitan"))["layers.0.mlp.gate_up_proj.weight"]
    assert [half.scale for _, _, half in fill.parts] == pytest.approx([0.02, 0.02 / math.sqrt(2)])


def inception():
    aux = tree(conv1=tree(conv=nn.Conv2d(8, 16, 5, bias=False)), fc=lin(16, 10))
    return tree(
        Conv2d_1a_3x3=tree(conv=nn.Conv2d(3, 8, 3, bias=False), bn=nn.BatchNorm2d(8)),
        AuxLogits=aux,
        fc=lin(16, 10),
    )


def test_inceptions_auxiliary_classifier_alone_has_its_own_std():
    plan = plan_for(inception(), "inception_v3")
    stds = {name: plan[f"{name}.weight"].scale for name in ("AuxLogits.fc", "AuxLogits.conv1.conv", "fc")}
    assert stds == {"AuxLogits.fc": 0.001, "AuxLogits.conv1.conv": 0.1, "fc": 0.1}
    assert plan["fc.weight"].high == 2
    assert plan_for(inception(), "googlenet")["fc.weight"].scale == 0.01


def test_mnasnet_and_the_networks_that_keep_torchs_defaults():
    model = tree(stem=nn.Conv2d(3, 32, 3), dw=nn.Conv2d(32, 32, 3, groups=32), classifier=lin(32, 10))
    plan = plan_for(model, "mnasnet")
    assert plan["dw.weight"].std == pytest.approx(math.sqrt(2 / (32 * 9)))
    assert plan["classifier.weight"].high == pytest.approx(math.sqrt(3 / 10))
    assert plan["classifier.bias"].mean == plan["classifier.bias"].std == 0
    plan = plan_for(model, "shufflenet_v2")
    assert plan["dw.weight"].high == plan["dw.bias"].high == pytest.approx(1 / 3)
    assert plan_for(model, "maxvit")["dw.weight"].std == 0.02


def test_gmlps_gate_starts_open():
    gate = tree(norm=nn.LayerNorm(FF // 2), proj=lin(16, 16))
    block = tree(norm=nn.LayerNorm(D), mlp_channels=tree(fc1=lin(D, FF), gate=gate, fc2=lin(FF // 2, D)))
    model = tree(stem=tree(proj=nn.Conv2d(3, D, 8, 8)), blocks=nn.ModuleList([block]), head=lin(D, 10))
    plan = plan_for(model, "gmlp")
    assert plan["blocks.0.mlp_channels.gate.proj.weight"].std == 1e-6
    assert plan["blocks.0.mlp_channels.gate.proj.bias"].mean == 1
    assert plan["blocks.0.mlp_channels.fc1.weight"].std == pytest.approx(math.sqrt(2 / (D + FF)))
    assert plan["blocks.0.mlp_channels.fc1.bias"].std == 1e-6


def modded(vocabulary=V):
    block = tree(
        attn=tree(c_attn=lin(D, 3 * D), c_proj=lin(D, D)), mlp=tree(c_fc=lin(D, FF), c_proj=lin(FF, D))
    )
    return tree(embed=nn.Embedding(vocabulary, D), blocks=nn.ModuleList([block]), lm_head=lin(D, V, False))


def test_modded_nanogpts_table_starts_as_a_copy_of_its_head():
    model = modded()
    ledger = init_(model, "modded_nanogpt", seed=5)
    assert torch.equal(model["embed"].weight, model["lm_head"].weight)
    entry = next(entry for entry in ledger.entries if entry.name == "embed.weight")
    assert (entry.fill.draw, entry.reason) == ("lm_head.weight", "starts as a copy of the head")
    # a table of another size cannot be one
    other = plan_for(modded(V + 4), "modded_nanogpt")["embed.weight"]
    assert (other.draw, other.std) == ("", 0.005)


def llama():
    names = ("wq", "wk", "wv", "wo")
    mlp = {"w1": lin(D, FF), "w2": lin(FF, D), "w3": lin(D, FF)}
    block = tree(attention=tree(**{name: lin(D, D) for name in names}), feed_forward=tree(**mlp))
    return tree(tok_embeddings=nn.Embedding(V, D), layers=nn.ModuleList([block]), output=lin(D, V, False))


@pytest.mark.parametrize(
    ("name", "options", "parent"),
    [
        ("olmo", {"scale_embedding": True}, 0.02 * math.sqrt(D)),
        ("olmo", {"embedding_std": 0.5}, 0.5),
        ("olmo", {"flavor": "full_megatron", "scale_embedding": True}, 0.02 * math.sqrt(D)),
        ("olmo", {"flavor": "mitchell", "embedding_std": 1.0}, 1.0),
        ("olmo", {"flavor": "mitchell", "scale_embedding": True}, 1.0),
        ("olmo_core", {"flavor": "fan_in", "embedding_scale": 8.0}, 1 / 8),
    ],
)
def test_options_of_olmos_table(name, options, parent):
    fill = plan_for(llama(), recipe(name, **options))["tok_embeddings.weight"]
    assert (fill.scale or fill.std) == pytest.approx(parent)


def test_an_embedding_scale_of_zero_is_refused():
    with pytest.raises(
        OptionError, match=r"recipe 'olmo_core': embedding_scale=0\.0; expected embedding_scale > 0"
    ):
        recipe("olmo_core", embedding_scale=0.0)


def test_detection_heads_have_their_own_scales():
    head = tree(conv1=nn.Conv2d(8, 8, 3), fc6=lin(72, 16))
    predictor = tree(cls_score=lin(16, 4), bbox_pred=lin(16, 16))
    model = tree(
        rpn=tree(head=tree(conv=nn.Conv2d(8, 8, 3))),
        roi_heads=tree(box_head=head, box_predictor=predictor),
        backbone=tree(extra=nn.Sequential(nn.Conv2d(8, 8, 1))),
    )
    plan = plan_for(model, "faster_rcnn")
    assert plan["rpn.head.conv.weight"].std == plan["roi_heads.box_predictor.cls_score.weight"].std == 0.01
    assert plan["roi_heads.box_head.conv1.weight"].std == pytest.approx(math.sqrt(2 / 72))
    assert plan["roi_heads.box_head.fc6.weight"].std == pytest.approx(72**-0.5)
    assert plan["backbone.extra.0.weight"].high == pytest.approx(math.sqrt(6 / 16))


def test_a_classifiers_mean_of_all_layers():
    layers = nn.ModuleList(
        [
            tree(self_attn=tree(**{n: lin(D, D) for n in ("q_proj", "k_proj", "v_proj", "out_proj")}))
            for _ in range(2)
        ]
    )
    for layer in layers:
        layer["fc1"], layer["fc2"] = lin(D, FF), lin(FF, D)
    model = owner({"layer_weights": (3,)}, encoder=tree(layers=layers))
    assert plan_for(model, "whisper")["layer_weights"].mean == pytest.approx(1 / 3)


def test_mambas_convolution_can_be_bounded_and_transformers_output_rescaled():
    mixer = owner({"A_log": (8, 4), "D": (8,)}, in_proj=lin(4, 16), conv1d=nn.Conv1d(8, 8, 4, groups=8))
    mixer["x_proj"], mixer["dt_proj"], mixer["out_proj"] = lin(8, 9), lin(1, 8), lin(8, 4)
    layers = nn.ModuleList([tree(mixer=mixer), tree(mixer=nn.ModuleDict({"out_proj": lin(8, 4)}))])
    model = tree(embedding=nn.Embedding(9, 4), layers=layers)
    assert plan_for(model, recipe("mamba", conv_bound=0.1))["layers.0.mixer.conv1d.weight"].high == 0.1
    assert plan_for(model, "mamba")["layers.0.mixer.conv1d.weight"].high == 0.5
    plan = plan_for(model, recipe("mamba", flavor="hf", rescale=True))
    assert plan["layers.0.mixer.out_proj.weight"].high == pytest.approx((2 * 8) ** -0.5)


def test_a_vits_stem_of_convolutions_ends_in_one_by_its_outputs():
    stem = tree(conv_bn_relu_0=nn.Sequential(nn.Conv2d(3, 8, 3, bias=False)), conv_last=nn.Conv2d(8, D, 1))
    block = tree(
        self_attention=nn.MultiheadAttention(D, 4), mlp=tree(linear_1=lin(D, FF), linear_2=lin(FF, D))
    )
    layers = nn.ModuleDict({"encoder_layer_0": block})
    model = owner({"class_token": (1, 1, D)}, conv_proj=stem, encoder=tree(layers=layers), head=lin(D, 10))
    plan = plan_for(
        model, recipe("vit", flavor="torchvision", assign="mlp.up=*linear_1*, mlp.down=*linear_2*")
    )
    assert plan["conv_proj.conv_last.weight"].std == pytest.approx(math.sqrt(2 / D))
    assert plan["conv_proj.conv_bn_relu_0.0.weight"].high == pytest.approx(27**-0.5)


def test_convnexts_head_can_be_scaled_with_its_bounds():
    conv = tree(dwconv=nn.Conv2d(8, 8, 7, groups=8), pwconv1=lin(8, 32), pwconv2=lin(32, 8))
    model = tree(stages=nn.ModuleList([conv]), head=lin(8, 10))
    fill = plan_for(model, recipe("convnext", head_scale=0.001))["head.weight"]
    assert (fill.scale, fill.high) == pytest.approx((2e-5, 2e-3))
