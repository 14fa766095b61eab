"""Vision transformers and mixers."""

from __future__ import annotations

from math import log, sqrt

from recipe_bench import (
    FF,
    KEPT,
    ONE,
    TA,
    TC,
    ZERO,
    C,
    D,
    Expected,
    Fixture,
    N,
    U,
    blocks,
    called,
    extra,
    extras,
    lin,
    linears,
    nn,
    owner,
    tree,
    xavier,
)

TOKENS = {"cls_token": (1, 1, D), "pos_embed": (1, 17, D), "reg_token": (1, 2, D), "mask_token": (1, 1, D)}


def patches():
    return tree(proj=nn.Conv2d(3, D, 8, 8))


def mlp():
    return tree(fc1=lin(D, FF), fc2=lin(FF, D))


def timm(tokens=("cls_token", "pos_embed", "reg_token"), scale=True, relative=False, **attention):
    """timm's names."""

    def block():
        bare = {"q_bias": (D,), "v_bias": (D,)} if relative else {}
        bare |= {"relative_position_bias_table": (49, 4)} if relative else {}
        attn = owner(bare, qkv=lin(D, 3 * D), proj=lin(D, D))
        scales = {"gamma_1": (D,), "gamma_2": (D,)} if scale else {}
        return owner(scales, norm1=nn.LayerNorm(D), attn=attn, norm2=nn.LayerNorm(D), mlp=mlp())

    bare = {name: TOKENS[name] for name in tokens}
    return owner(bare, patch_embed=patches(), blocks=blocks(block), head=lin(D, 10))


def beit():
    return timm(("cls_token", "pos_embed", "mask_token"), relative=True)


def dinov2():
    return timm(("cls_token", "pos_embed", "reg_token", "mask_token"))


def mae():
    return timm(("cls_token", "mask_token"), scale=False)


def swin(kind="SwinTransformerBlock", scale=False):
    def block():
        bare = {"relative_position_bias_table": (49, 4)} | ({"logit_scale": (4, 1, 1)} if scale else {})
        attn = owner(bare, qkv=lin(D, 3 * D), proj=lin(D, D))
        return called(kind, norm1=nn.LayerNorm(D), attn=attn, norm2=nn.LayerNorm(D), mlp=mlp())

    stages = nn.ModuleList([tree(blocks=blocks(block, 2)), tree(blocks=blocks(block, 1))])
    embed = tree(proj=nn.Conv2d(3, D, 4, 4), norm=nn.LayerNorm(D))
    return owner({"absolute_pos_embed": (1, 16, D)}, patch_embed=embed, layers=stages, head=lin(D, 10))


def swinv2():
    return swin("SwinTransformerBlock", True)


def hf(kinds=("cls_token", "position_embeddings", "mask_token", "distillation_token"), **more):
    """The names of ViT, DeiT and DINOv2 in transformers."""

    def block():
        attention = tree(attention=tree(**linears("query key value")), output=tree(dense=lin(D, D)))
        inner = {"intermediate": tree(dense=lin(D, FF)), "output": tree(dense=lin(FF, D))}
        scale = owner({"lambda1": (D,)})
        return tree(attention=attention, layer_scale1=scale, layernorm_before=nn.LayerNorm(D), **inner)

    embeddings = owner(
        {name: (1, 17 if "position" in name else 1, D) for name in kinds},
        patch_embeddings=tree(projection=nn.Conv2d(3, D, 8, 8)),
    )
    body = tree(embeddings=embeddings, encoder=tree(layer=blocks(block)))
    return tree(vit=body, classifier=lin(D, 10), extras=extras(), **more)


def hf_plain():
    made = hf()
    for block in made["vit"]["encoder"]["layer"]:
        del block["layer_scale1"]
    return made


def hf_mae():
    made = hf_plain()
    del made["vit"]["embeddings"].position_embeddings, made["vit"]["embeddings"].distillation_token
    del made["vit"]["embeddings"].mask_token
    made["decoder"] = owner({"mask_token": (1, 1, D)})
    return made


def hf_beit():
    made = hf(("cls_token", "position_embeddings", "mask_token"))
    for block in made["vit"]["encoder"]["layer"]:
        own = block["attention"]["attention"]
        own.add_module("relative_position_bias", owner({"relative_position_bias_table": (49, 4)}))
        own.register_parameter("q_bias", nn.Parameter(nn.Linear(1, D).bias.detach()))
        own.register_parameter("v_bias", nn.Parameter(nn.Linear(1, D).bias.detach()))
        del block["layer_scale1"]
        block.register_parameter("lambda_1", nn.Parameter(nn.Linear(1, D).bias.detach()))
    return made


def hf_swin():
    made = swin()
    made.add_module("extras", extras())
    made.register_parameter("mask_token", nn.Parameter(nn.Linear(1, D).bias.detach().view(1, 1, D)))
    return made


def hf_swinv2():
    made = swinv2()
    made.add_module("extras", extras())
    made.register_parameter("mask_token", nn.Parameter(nn.Linear(1, D).bias.detach().view(1, 1, D)))
    return made


def jax():
    """The original's names in torch's spelling."""

    def block():
        attn = tree(**linears("query key value out"))
        return owner({"gamma_1": (D,)}, norm1=nn.LayerNorm(D), attn=attn, mlp=mlp())

    bare = {"cls_token": (1, 1, D), "pos_embed": (1, 17, D)}
    layers = {"patch_embed": patches(), "pre_logits": lin(D, D), "head": lin(D, 10)}
    return owner(bare, blocks=blocks(block), **layers)


def torchvision():
    """A stem of convolutions, and every head it can have."""

    def block():
        inner = nn.Sequential(lin(D, FF), nn.GELU(), nn.Dropout(), lin(FF, D))
        layers = {"self_attention": nn.MultiheadAttention(D, 4), "mlp": inner, "ln_1": nn.LayerNorm(D)}
        return owner({"layer_scale_1": (D,)}, **layers)

    stem = tree(conv_bn_relu_0=nn.Sequential(nn.Conv2d(3, 8, 3, bias=False)), conv_last=nn.Conv2d(8, D, 1))
    layers = nn.ModuleDict({f"encoder_layer_{i}": block() for i in range(2)})
    encoder = owner({"pos_embedding": (1, 17, D)}, layers=layers)
    return owner({"class_token": (1, 1, D)}, conv_proj=stem, encoder=encoder, heads=HEADS())


def torchvision_patches():
    made = torchvision()
    made.conv_proj = nn.Conv2d(3, D, 8, 8)
    return made


def HEADS():  # noqa: N802
    return tree(pre_logits=lin(D, D), head=lin(D, 10))


def default(fan: int) -> Expected:
    return U(fan**-0.5)


PATCH = {"patch_embed.proj.*": default(192)}
SWIN_PATCH = {"patch_embed.proj.*": default(48)}
HF = {**extra(0.02), "*": N(0.02)}
JAX = {
    "*gamma_1": C(1e-5),
    "*.fc[12].bias": N(1e-6),
    "*.fc[12].weight": xavier(D, FF),
    "patch_embed.proj.weight": TC(192**-0.5),
    "pre_logits.weight": TC(D**-0.5),
    "cls_token": ZERO,
    "head.weight": ZERO,
    "*.attn.*.weight": xavier(D, D),
}
TORCHVISION = {
    "*layer_scale_1": C(1e-5),
    "conv_proj.weight": TA(192**-0.5),
    "conv_proj.conv_bn_relu_0.0.weight": default(27),
    "conv_proj.conv_last.weight": N(sqrt(2 / D)),
    "*pre_logits.weight": TA(D**-0.5),
    "*in_proj_weight": xavier(D, 3 * D),
    "*out_proj.weight": default(D),
    "*mlp.[03].bias": N(1e-6),
    "*mlp.[03].weight": xavier(D, FF),
    "*pos_embedding": N(0.02),
    "class_token": ZERO,
    "heads.head.weight": ZERO,
}
PATCH_XAVIER = U(sqrt(6 / (192 + D)))
ASSIGN = {"assign": "mlp.up=*mlp.0.*, mlp.down=*mlp.3.*"}
LN10 = C(log(10))

FIXTURES = (
    Fixture("vit", "jax", jax, {"pos_embed": N(0.02), **JAX}),
    Fixture("vit", "big_vision", jax, {"pos_embed": N(D**-0.5), **JAX}),
    Fixture(
        "vit",
        "timm",
        timm,
        {**PATCH, "cls_token": N(1e-6), "reg_token": N(1e-6), "*gamma_[12]": C(1e-5), "*": TA(0.02)},
    ),
    Fixture(
        "vit",
        "timm_jax",
        timm,
        {
            "pos_embed": TA(0.02),
            "*_token": N(1e-6),
            "*gamma_[12]": C(1e-5),
            "*qkv.weight": xavier(D, 3 * D),
            "*attn.proj.weight": xavier(D, D),
            "*fc[12].weight": xavier(D, FF),
            "*fc[12].bias": N(1e-6),
            "patch_embed.proj.weight": TC(192**-0.5),
            "head.weight": ZERO,
            "head.bias": C(-log(10)),
        },
        {"nlhb": log(10)},
    ),
    Fixture(
        "vit",
        "moco",
        timm,
        {
            "pos_embed": TA(0.02),
            "*_token": N(1e-6),
            "*gamma_[12]": C(1e-5),
            "*qkv.weight": xavier(D, D),
            "*attn.proj.weight": xavier(D, D),
            "*fc[12].weight": xavier(D, FF),
            "patch_embed.proj.weight": PATCH_XAVIER,
            "head.weight": xavier(D, 10),
        },
    ),
    Fixture("vit", "torchvision", torchvision, TORCHVISION, ASSIGN),
    Fixture("vit", "torchvision", torchvision_patches, TORCHVISION, ASSIGN),
    Fixture(
        "vit",
        "hf",
        hf,
        {
            "*position_embeddings": TA(0.02),
            "*cls_token": TA(0.02),
            "*mask_token": ZERO,
            "*lambda1": C(1e-5),
            "*distillation_token": KEPT,
            **HF,
        },
    ),
    Fixture(
        "mae",
        "",
        mae,
        {
            "*_token": N(0.02),
            "patch_embed.proj.weight": PATCH_XAVIER,
            "*qkv.weight": xavier(D, 3 * D),
            "*attn.proj.weight": xavier(D, D),
            "*fc[12].weight": xavier(D, FF),
            "head.weight": xavier(D, 10),
        },
    ),
    Fixture(
        "mae_hf",
        "",
        hf_mae,
        {"*cls_token": N(0.02), "*projection.weight": PATCH_XAVIER, "decoder.mask_token": ZERO, **HF},
    ),
    Fixture("deit", "timm", timm, {**PATCH, "*gamma_[12]": C(1e-4), "*": TA(0.02)}),
    Fixture("deit", "hf", hf_plain, {"*_token": ZERO, "*position_embeddings": ZERO, **HF}),
    Fixture(
        "beit",
        "timm",
        beit,
        {
            **PATCH,
            "*gamma_[12]": C(0.1),
            "mask_token": ZERO,
            "*bias_table": ZERO,
            "*[qv]_bias": ZERO,
            "*": TA(0.02),
        },
    ),
    Fixture(
        "beit",
        "hf",
        hf_beit,
        {
            "*_token": ZERO,
            "*position_embeddings": ZERO,
            "*bias_table": ZERO,
            "*[qv]_bias": ZERO,
            "*lambda_1": C(0.1),
            **HF,
        },
    ),
    Fixture(
        "dinov2",
        "timm",
        dinov2,
        {**PATCH, "*gamma_[12]": C(1e-5), "mask_token": ZERO, "*_token": N(1e-6), "*": TA(0.02)},
    ),
    Fixture("dinov2", "hf", dinov2, {"*gamma_[12]": ONE, "mask_token": ZERO, "*": TA(0.02)}),
    Fixture("swin", "timm", swin, {**SWIN_PATCH, "*": TA(0.02)}),
    Fixture("swin", "hf", hf_swin, {"*pos_embed": ZERO, "*bias_table": ZERO, "mask_token": ZERO, **HF}),
    Fixture(
        "swinv2",
        "timm",
        swinv2,
        {**SWIN_PATCH, "*blocks.*norm[12].weight": ZERO, "*logit_scale": LN10, "*": TA(0.02)},
    ),
    Fixture(
        "swinv2",
        "hf",
        hf_swinv2,
        {"*pos_embed": ZERO, "*bias_table": ZERO, "mask_token": ZERO, "*logit_scale": LN10, **HF},
    ),
    Fixture(
        "hf_vision",
        "",
        hf,
        {"*_token": ZERO, "*position_embeddings": ZERO, "*lambda1": C(1e-5), **HF},
    ),
)
