"""Two towers and speech."""

from __future__ import annotations

from math import log, sqrt

from recipe_bench import (
    FF,
    KEPT,
    ONE,
    TC,
    ZERO,
    B,
    C,
    D,
    Expected,
    Fixture,
    L,
    N,
    U,
    V,
    blocks,
    extra,
    extras,
    lin,
    linears,
    nn,
    owner,
    tree,
    xavier,
)


def text_tower():
    mlp = tree(c_fc=lin(D, FF), c_proj=lin(FF, D))
    return tree(
        resblocks=blocks(lambda: tree(attn=nn.MultiheadAttention(D, 4), ln_1=nn.LayerNorm(D), mlp=mlp), 2)
    )


TEXT = {"text_projection": (D, D), "logit_scale": (), "positional_embedding": (16, D)}


def clip():
    def block():
        mlp = tree(c_fc=lin(96, FF), c_proj=lin(FF, 96))
        return tree(attn=nn.MultiheadAttention(96, 4), mlp=mlp)

    vision = {"class_embedding": (96,), "positional_embedding": (17, 96), "proj": (96, D)}
    body = tree(resblocks=blocks(block))
    visual = owner(vision, conv1=nn.Conv2d(3, 96, 8, 8, bias=False), transformer=body)
    return owner(TEXT, visual=visual, transformer=text_tower(), token_embedding=nn.Embedding(V, D))


class Bottleneck(nn.Module):
    def __init__(self, width):
        super().__init__()
        for i, k in enumerate((1, 3, 1), start=1):
            self.add_module(f"conv{i}", nn.Conv2d(width, width, k, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(width))


def clip_resnet():
    pool = owner({"positional_embedding": (17, D)}, **linears("q_proj k_proj v_proj c_proj"))
    visual = tree(
        conv1=nn.Conv2d(3, 16, 3, bias=False),
        bn1=nn.BatchNorm2d(16),
        layer1=nn.Sequential(Bottleneck(16), Bottleneck(16)),
        attnpool=pool,
    )
    return owner(TEXT, visual=visual, transformer=text_tower(), token_embedding=nn.Embedding(V, D))


def hf_towers(block, count=2):
    text = tree(
        embeddings=tree(token_embedding=nn.Embedding(V, D), position_embedding=nn.Embedding(16, D)),
        encoder=tree(layers=blocks(block, count)),
    )
    patches = {
        "patch_embedding": nn.Conv2d(3, D, 8, 8, bias=False),
        "position_embedding": nn.Embedding(17, D),
    }
    vision = tree(
        embeddings=owner({"class_embedding": (D,)}, **patches), encoder=tree(layers=blocks(block, count))
    )
    return text, vision


def hf_block():
    attention = tree(**linears("q_proj k_proj v_proj out_proj"))
    return tree(self_attn=attention, layer_norm1=nn.LayerNorm(D), mlp=tree(fc1=lin(D, FF), fc2=lin(FF, D)))


def hf_clip():
    text, vision = hf_towers(hf_block)
    projections = {
        "odd": lin(D, D),
        "visual_projection": lin(D, 48, False),
        "text_projection": lin(D, 48, False),
    }
    return owner({"logit_scale": ()}, text_model=text, vision_model=vision, **projections, extras=extras())


def siglip():
    text, vision = hf_towers(hf_block)
    del vision["embeddings"].class_embedding
    head = owner(
        {"probe": (1, 1, D)}, attention=nn.MultiheadAttention(D, 4), mlp=tree(fc1=lin(D, FF), fc2=lin(FF, D))
    )
    vision.add_module("head", head)
    scales = {"logit_scale": (1,), "logit_bias": (1,)}
    return owner(scales, text_model=text, vision_model=vision, classifier=lin(D, 5))


def whisper():
    """OpenAI's names."""

    def block():
        attn = tree(**linears("query key value out"))
        return tree(attn=attn, attn_ln=nn.LayerNorm(D), mlp=nn.Sequential(lin(D, FF), nn.GELU(), lin(FF, D)))

    encoder = tree(conv1=nn.Conv1d(40, D, 3), conv2=nn.Conv1d(D, D, 3, 2), blocks=blocks(block))
    decoder = owner(
        {"positional_embedding": (16, D)}, token_embedding=nn.Embedding(V, D), blocks=blocks(block)
    )
    return tree(encoder=encoder, decoder=decoder)


def hf_seq2seq():
    """BART's and Whisper's names in transformers."""

    def block():
        attention = tree(**linears("q_proj k_proj v_proj out_proj"))
        return tree(self_attn=attention, fc1=lin(D, FF), fc2=lin(FF, D), final_layer_norm=nn.LayerNorm(D))

    model = tree(
        shared=nn.Embedding(V, D), encoder=tree(layers=blocks(block)), decoder=tree(layers=blocks(block))
    )
    bare = {"final_logits_bias": (1, V), "layer_weights": (L + 1,)}
    return owner(bare, model=model, extras=extras())


def bart():
    model = hf_seq2seq()
    del model.layer_weights
    return model


def hf_whisper():
    model = hf_seq2seq()
    del model.final_logits_bias
    return model


def speech():
    """wav2vec 2.0's names in transformers."""

    def layer(i):
        return tree(conv=nn.Conv1d(i, 48, 3), layer_norm=nn.LayerNorm(48))

    def block():
        attention = tree(**linears("q_proj k_proj v_proj out_proj"))
        return tree(
            attention=attention, feed_forward=tree(intermediate_dense=lin(D, FF), output_dense=lin(FF, D))
        )

    body = owner(
        {"masked_spec_embed": (D,)},
        feature_extractor=tree(conv_layers=nn.ModuleList([layer(1), layer(48)])),
        feature_projection=tree(projection=lin(48, D), layer_norm=nn.LayerNorm(48)),
        encoder=tree(pos_conv_embed=tree(conv=nn.Conv1d(D, D, 16, groups=4)), layers=blocks(block)),
    )
    quantizer = owner({"codevectors": (1, 40, 16)}, weight_proj=lin(48, 40))
    more = {"quantizer": quantizer, "project_hid": lin(D, 32), "project_q": lin(32, 32)}
    return owner({"layer_weights": (L + 1,)}, wav2vec2=body, **more, extras=extras())


def hubert():
    model = speech()
    for name in ("quantizer", "project_hid", "project_q"):
        delattr(model, name)
    return model


OUT = 0.02 / sqrt(2 * L)
ALIKE = {"*": N(0.02)}
EXTRA = extra(0.02)
HALF = sqrt(0.5)


def default(fan: int) -> Expected:
    return U(fan**-0.5)


VISION = 96**-0.5
NARROW = 1 / sqrt(2 * D * 2)
CLIP_TEXT = {
    "visual.attnpool.*.weight": N(D**-0.5),
    "visual.attnpool.*.bias": default(D),
    "visual.attnpool.positional_embedding": N(D**-0.5),
    "visual.layer*.bn3.weight": ZERO,
    "visual.layer*.conv2.weight": default(144),
    "visual.layer*.conv[13].weight": default(16),
    "transformer.*in_proj_weight": N(D**-0.5),
    "transformer.*out_proj.weight": N(NARROW),
    "transformer.*c_fc.weight": N((2 * D) ** -0.5),
    "transformer.*c_proj.weight": N(NARROW),
    "text_projection": N(D**-0.5),
    "logit_scale": C(log(1 / 0.07)),
    "positional_embedding": N(0.01),
    "token_embedding.weight": N(0.02),
}
CLIP_VISION = {
    "visual.conv1.weight": default(192),
    "visual.*in_proj_weight": xavier(96, 3 * 96),
    "visual.*out_proj.weight": default(96),
    "visual.*c_fc.*": default(96),
    "visual.*c_proj.*": default(FF),
    "visual.class_embedding": N(VISION),
    "visual.positional_embedding": N(VISION),
    "visual.proj": N(VISION),
}
WAV = {
    "*conv_layers.0.conv.weight": N(sqrt(2 / 3)),
    "*conv_layers.1.conv.weight": N(sqrt(2 / 144)),
    "*masked_spec_embed": B(0.0, 1.0),
    "layer_weights": C(1 / (L + 1)),
}

FIXTURES = (
    Fixture("clip", "openai", clip, {**CLIP_VISION, **CLIP_TEXT}),
    Fixture("clip", "openai", clip_resnet, {"visual.conv1.weight": default(27), **CLIP_TEXT}),
    Fixture(
        "clip",
        "hf",
        hf_clip,
        {
            **extra(0.02, N(D**-0.5)),
            "*.[qkv]_proj.weight": N(NARROW),
            "*.out_proj.weight": N(D**-0.5),
            "*.fc1.weight": N((2 * D) ** -0.5),
            "*.fc2.weight": N(NARROW),
            "*class_embedding": N(D**-0.5),
            "*_projection.weight": N(D**-0.5),
            "logit_scale": C(2.6592),
            "*": N(0.02),
        },
        {"depth": 2},
    ),
    Fixture(
        "siglip",
        "",
        siglip,
        {
            "*token_embedding.weight": N(D**-0.5),
            "*position_embedding.weight": N(D**-0.5),
            "*[qkv]_proj.weight": xavier(D, D),
            "*self_attn.out_proj.weight": xavier(D, D),
            "*head.attention.in_proj_weight": xavier(D, 3 * D),
            "*head.attention.out_proj.weight": TC(D**-0.5),
            "*fc[12].weight": xavier(D, FF),
            "*fc[12].bias": N(1e-6),
            "*patch_embedding.weight": TC(192**-0.5),
            "*probe": U(sqrt(3 / D)),
            "logit_*": ZERO,
            "classifier.weight": N(D**-0.5),
        },
    ),
    Fixture("whisper", "hf", hf_whisper, {**EXTRA, "layer_weights": C(1 / (L + 1)), **ALIKE}),
    Fixture(
        "whisper",
        "openai",
        whisper,
        {
            "*token_embedding.weight": N(1.0),
            "*positional_embedding": KEPT,
            "*conv1.*": default(120),
            "*conv2.*": default(3 * D),
            "*mlp.2.*": default(FF),
            "norm_gain:*": ONE,
            "*_ln.bias": ZERO,
            "bias:*": default(D),
            "*": default(D),
        },
    ),
    Fixture("bart", "", bart, {**EXTRA, "final_logits_bias": ZERO, **ALIKE}),
    Fixture(
        "wav2vec2",
        "",
        speech,
        {
            **EXTRA,
            **WAV,
            "*conv_layers.0.conv.bias": default(3),
            "*conv_layers.1.conv.bias": default(144),
            "*pos_conv_embed.conv.weight": N(2 / sqrt(16 * D)),
            "*feature_projection.projection.*": default(48),
            "project_hid.*": default(D),
            "project_q.*": default(32),
            "*weight_proj.weight": N(1.0),
            "*codevectors": B(0.0, 1.0),
            **ALIKE,
        },
    ),
    Fixture("hubert", "", hubert, {**EXTRA, **WAV, "*pos_conv_embed.conv.weight": N(sqrt(2 / 256)), **ALIKE}),
)
