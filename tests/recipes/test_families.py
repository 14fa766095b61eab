"""Published numbers of each family, on models with the families' own names."""

import math

import pytest
from recipe_bench import FF, D, L, V, blocks, lin, tree

from initwise.core.parameter import ParameterInfo
from initwise.recipes import recipe

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from initwise.frameworks.initialize import init_, plan_for  # noqa: E402


def gpt():
    """nanoGPT's names."""
    return tree(
        wte=nn.Embedding(V, D),
        wpe=nn.Embedding(32, D),
        h=blocks(
            lambda: tree(
                ln_1=nn.LayerNorm(D),
                attn=tree(c_attn=lin(D, 3 * D), c_proj=lin(D, D)),
                mlp=tree(c_fc=lin(D, FF), c_proj=lin(FF, D)),
            )
        ),
        lm_head=lin(D, V, bias=False),
    )


def llama():
    """torchtitan's and Meta's names."""
    return tree(
        tok_embeddings=nn.Embedding(V, D),
        layers=blocks(
            lambda: tree(
                attention=tree(wq=lin(D, D), wk=lin(D, D), wv=lin(D, D), wo=lin(D, D)),
                feed_forward=tree(w1=lin(D, FF), w2=lin(FF, D), w3=lin(D, FF)),
            )
        ),
        output=lin(D, V, bias=False),
    )


class ViT(nn.Module):
    """timm's names."""

    def __init__(self):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, D))
        self.pos_embed = nn.Parameter(torch.zeros(1, 17, D))
        self.patch_embed = tree(proj=nn.Conv2d(3, D, 8, 8))
        self.blocks = blocks(
            lambda: tree(
                norm1=nn.LayerNorm(D),
                attn=tree(qkv=lin(D, 3 * D), proj=lin(D, D)),
                mlp=tree(fc1=lin(D, FF), fc2=lin(FF, D)),
            )
        )
        self.head = lin(D, 10)


def std(plan, name):
    return plan[name].std


def test_small_and_wang_init_follow_the_width_even_from_the_mlps_inside():
    plan = plan_for(gpt(), "pythia")
    assert std(plan, "h.0.attn.c_attn.weight") == pytest.approx(math.sqrt(2 / (5 * D)))
    assert std(plan, "wte.weight") == pytest.approx(math.sqrt(2 / (5 * D)))
    assert std(plan, "h.2.mlp.c_proj.weight") == pytest.approx(2 / (L * math.sqrt(D)))


def test_neox_20b_has_its_published_stds():
    from initwise.recipes.gpt_neox import SMALL, WANG
    from initwise.recipes.structure import Place

    info = ParameterInfo("embed_in.weight", (50432, 6144), "float32", "embedding")
    place = Place(info, blocks=44, sizes=(("width", 6144),))
    assert SMALL.value(place) == pytest.approx(0.0080687, abs=5e-8)
    assert WANG.value(place) == pytest.approx(0.00057990, abs=5e-9)


def test_torchtitans_llama_scales_by_the_index_of_the_block_and_up_too():
    plan = plan_for(llama(), recipe("llama", flavor="torchtitan"))
    assert std(plan, "tok_embeddings.weight") == 1.0
    for block in range(L):
        for name in ("attention.wo", "feed_forward.w2", "feed_forward.w3"):
            expected = 0.02 / math.sqrt(2 * (block + 1))
            assert std(plan, f"layers.{block}.{name}.weight") == pytest.approx(expected)
        assert std(plan, f"layers.{block}.feed_forward.w1.weight") == pytest.approx(0.02)
    head = plan["output.weight"]
    assert (head.scale, head.high) == pytest.approx((D**-0.5, 3 * D**-0.5))
    assert plan["layers.0.attention.wq.weight"].low == -2.0


@pytest.mark.parametrize(
    ("name", "options", "weight", "expected"),
    [
        ("megatron", {}, "h.0.mlp.c_proj.weight", 0.02 / math.sqrt(2 * L)),
        ("megatron", {"hybrid": True}, "h.0.mlp.c_proj.weight", 0.02 / math.sqrt(L)),
        ("megatron", {"embedding_std": 1.0}, "wte.weight", 1.0),
        ("opt", {}, "h.0.attn.c_proj.weight", 0.006 / math.sqrt(2 * L)),
        ("gpt2", {"flavor": "openai"}, "wpe.weight", 0.01),
        ("mup", {"base_width": 16.0}, "h.0.attn.c_attn.weight", 0.01),
        ("mup", {"base_width": 16.0}, "h.0.attn.c_proj.weight", 0.01 / math.sqrt(2 * L)),
        ("mup", {"base_width": 16.0}, "wte.weight", 0.02),
        ("nanochat", {}, "h.0.attn.c_attn.weight", D**-0.5),
        ("nanochat", {}, "h.0.mlp.c_fc.weight", 0.4 * D**-0.5),
        ("nanochat", {}, "h.0.mlp.c_proj.weight", 0.0),
        ("nanochat", {}, "wte.weight", 0.8),
        ("nanochat", {}, "lm_head.weight", 0.001),
        ("modded_nanogpt", {}, "h.0.attn.c_proj.weight", 0.5 * D**-0.5),
        ("modded_nanogpt", {}, "h.0.mlp.c_proj.weight", 0.0),
    ],
)
def test_decoders(name, options, weight, expected):
    assert std(plan_for(gpt(), recipe(name, **options)), weight) == pytest.approx(expected)


CUT3 = 0.9865783925581086


@pytest.mark.parametrize(
    ("name", "flavor", "weight", "expected"),
    [
        ("olmo", "normal", "layers.0.attention.wo.weight", 0.02),
        ("olmo", "full_megatron", "layers.0.attention.wo.weight", CUT3 * 0.02 / math.sqrt(2 * L)),
        ("olmo", "full_megatron", "output.weight", CUT3 * D**-0.5),
        ("olmo", "mitchell", "layers.0.attention.wq.weight", CUT3 * D**-0.5),
        ("olmo", "mitchell", "layers.2.attention.wo.weight", CUT3 / math.sqrt(2 * D * 3)),
        ("olmo", "mitchell", "layers.2.feed_forward.w2.weight", CUT3 / math.sqrt(2 * FF * 3)),
        ("olmo_core", "llama", "layers.0.feed_forward.w3.weight", CUT3 * 0.02 / math.sqrt(2 * L)),
        ("olmo_core", "llama_depth", "layers.1.feed_forward.w3.weight", CUT3 * 0.02 / math.sqrt(4)),
        ("olmo_core", "fan_in", "layers.0.feed_forward.w2.weight", CUT3 * FF**-0.5),
        ("olmo_core", "normalized", "layers.0.feed_forward.w2.weight", CUT3 * D**-0.5 / math.sqrt(2 * L)),
        ("olmo_core", "normalized", "tok_embeddings.weight", D**-0.5),
        ("olmo_core", "normal", "layers.0.feed_forward.w2.weight", CUT3 * 0.02),
    ],
)
def test_olmo(name, flavor, weight, expected):
    assert std(plan_for(llama(), recipe(name, flavor=flavor)), weight) == pytest.approx(expected)


def test_berts_truncation_writes_the_known_std():
    plan = plan_for(gpt(), recipe("bert"))
    assert std(plan, "h.0.mlp.c_fc.weight") == pytest.approx(0.01759, abs=5e-6)


@pytest.mark.parametrize(
    ("flavor", "weight", "expected"),
    [
        ("jax", "head.weight", 0.0),
        ("jax", "blocks.0.mlp.fc1.bias", 1e-6),
        ("jax", "blocks.0.mlp.fc1.weight", math.sqrt(2 / (D + FF))),
        ("jax", "patch_embed.proj.weight", 192**-0.5),
        ("jax", "pos_embed", 0.02),
        ("jax", "cls_token", 0.0),
        ("big_vision", "pos_embed", D**-0.5),
        ("timm", "blocks.0.attn.proj.weight", 0.02),
        ("timm", "patch_embed.proj.weight", 1 / math.sqrt(3 * 192)),
        ("timm", "patch_embed.proj.bias", 1 / math.sqrt(3 * 192)),
        ("timm", "head.weight", 0.02),
        ("timm", "cls_token", 1e-6),
        ("timm_jax", "head.weight", 0.0),
        ("moco", "blocks.0.attn.qkv.weight", math.sqrt(2 / (D + D))),
        ("moco", "blocks.0.attn.proj.weight", math.sqrt(2 / (D + D))),
        ("torchvision", "patch_embed.proj.weight", 192**-0.5),
        ("hf", "blocks.0.mlp.fc2.weight", 0.02),
    ],
)
def test_vision_transformers(flavor, weight, expected):
    plan = plan_for(ViT(), recipe("vit", flavor=flavor))
    assert std(plan, weight) == pytest.approx(expected)


def test_timms_options():
    plan = plan_for(ViT(), recipe("vit", flavor="timm_jax", nlhb=math.log(10)))
    assert plan["head.bias"].mean == pytest.approx(-math.log(10))
    fixed = plan_for(ViT(), recipe("vit", flavor="timm", fix_init=True))
    assert std(fixed, "blocks.2.mlp.fc2.weight") == pytest.approx(0.02 / math.sqrt(6))


def test_nn_transformer_is_what_torch_does_itself():
    model = nn.Transformer(D, 4, 2, 2, FF)
    init_(model, "torch_transformer", seed=1)
    mine = {name: p.detach() for name, p in model.named_parameters() if p.ndim == 2}
    theirs = {n: p.detach() for n, p in nn.Transformer(D, 4, 2, 2, FF).named_parameters() if p.ndim == 2}
    for name, tensor in mine.items():
        # of a uniform sample the std is off by a relative √(1/(5n)); here two samples, five standard errors
        within = 5 * math.sqrt(2 / (5 * tensor.numel()))
        assert float(tensor.std()) == pytest.approx(float(theirs[name].std()), rel=within), name


def fairseq(encoder=2, decoder=3):
    def block(cross):
        def attention():
            return tree(q_proj=lin(D, D), k_proj=lin(D, D), v_proj=lin(D, D), out_proj=lin(D, D))

        inside = {"self_attn": attention(), "fc1": lin(D, FF), "fc2": lin(FF, D)}
        return nn.ModuleDict(inside | ({"encoder_attn": attention()} if cross else {}))

    sides = {}
    if encoder:
        sides["encoder"] = tree(embed_tokens=nn.Embedding(V, D), layers=blocks(lambda: block(False), encoder))
    if decoder:
        sides["decoder"] = tree(embed_tokens=nn.Embedding(V, D), layers=blocks(lambda: block(True), decoder))
    return nn.ModuleDict(sides)


XAVIER = math.sqrt(2 / (2 * D))


@pytest.mark.parametrize(
    ("flavor", "sides", "weight", "factor"),
    [
        ("plain", (4, 0), "encoder.layers.0.self_attn.v_proj.weight", math.sqrt(0.5)),
        ("deepnorm", (4, 0), "encoder.layers.0.self_attn.out_proj.weight", 32**-0.25),
        ("subln", (4, 0), "encoder.layers.0.self_attn.out_proj.weight", math.sqrt(math.log(8))),
        ("deepnorm", (2, 3), "encoder.layers.0.self_attn.out_proj.weight", 0.87 * (16 * 3) ** (-1 / 16)),
        ("deepnorm", (2, 3), "decoder.layers.0.self_attn.out_proj.weight", 36**-0.25),
        (
            "subln",
            (2, 3),
            "encoder.layers.0.self_attn.out_proj.weight",
            math.sqrt(math.log(9) * math.log(4) / 3),
        ),
        ("subln", (2, 3), "decoder.layers.0.self_attn.out_proj.weight", math.sqrt(math.log(9))),
        ("subln", (2, 3), "decoder.layers.0.encoder_attn.out_proj.weight", 1.0),
        ("deepnorm", (4, 0), "encoder.layers.0.self_attn.q_proj.weight", math.sqrt(0.5)),
    ],
)
def test_torchscale(flavor, sides, weight, factor):
    plan = plan_for(fairseq(*sides), recipe("torchscale", flavor=flavor))
    assert std(plan, weight) == pytest.approx(factor * XAVIER)


def test_t_fixup():
    plan = plan_for(fairseq(2, 3), "t_fixup")
    assert std(plan, "encoder.layers.0.self_attn.v_proj.weight") == pytest.approx(XAVIER * 0.67 * 2**-0.25)
    assert std(plan, "decoder.layers.1.self_attn.out_proj.weight") == pytest.approx(XAVIER * 27**-0.25)
    assert std(plan, "decoder.layers.1.self_attn.q_proj.weight") == pytest.approx(XAVIER * math.sqrt(0.5))
    assert std(plan, "encoder.embed_tokens.weight") == pytest.approx(D**-0.5 * 18**-0.25)
    assert std(plan, "decoder.embed_tokens.weight") == pytest.approx(D**-0.5 * 27**-0.25)


def test_fairseqs_transformer():
    plan = plan_for(fairseq(), "fairseq_transformer")
    assert std(plan, "encoder.layers.0.self_attn.q_proj.weight") == pytest.approx(XAVIER * math.sqrt(0.5))
    assert std(plan, "encoder.layers.0.fc1.weight") == pytest.approx(1 / math.sqrt(3 * D))
    assert std(plan, "encoder.embed_tokens.weight") == D**-0.5
