"""Encoders, encoder–decoders, two towers, speech."""

from __future__ import annotations

from math import log, sqrt

from recipe_bench import (
    FF,
    ONE,
    TC,
    B,
    D,
    Expected,
    Fixture,
    L,
    N,
    T,
    U,
    V,
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


def bert():
    def block():
        attention = tree(**{"self": tree(**linears("query key value")), "output": tree(dense=lin(D, D))})
        inner, outer = tree(dense=lin(D, FF)), tree(dense=lin(FF, D), LayerNorm=nn.LayerNorm(D))
        return tree(attention=attention, intermediate=inner, output=outer)

    tables = tree(
        word_embeddings=nn.Embedding(V, D, padding_idx=0),
        position_embeddings=nn.Embedding(32, D),
        token_type_embeddings=nn.Embedding(2, D),
    )
    return tree(bert=tree(embeddings=tables, encoder=tree(layer=blocks(block)), pooler=tree(dense=lin(D, D))))


def hf_bert():
    return tree(model=bert(), extras=extras())


def deberta():
    """As RoBERTa, with tables by distance."""
    model = hf_bert()
    model["model"]["bert"]["encoder"].add_module("rel_embeddings", nn.Embedding(16, D))
    return model


def modernbert():
    def block():
        attn = tree(Wqkv=lin(D, 3 * D, False), Wo=lin(D, D, False))
        return tree(attn=attn, mlp=tree(Wi=lin(D, 2 * FF, False), Wo=lin(FF, D, False)))

    body = tree(embeddings=tree(tok_embeddings=nn.Embedding(V, D)), layers=blocks(block))
    heads = {"head": tree(dense=lin(D, D)), "decoder": lin(D, V), "classifier": lin(D, 5), "odd": lin(D, D)}
    return tree(model=body, **heads, extras=extras())


def t5():
    def attention(table=False):
        made = tree(**{name: lin(D, 32, False) for name in "qkv"}, o=lin(32, D, False))
        if table:
            made.add_module("relative_attention_bias", nn.Embedding(32, 4))
        return made

    def block(first):
        mlp = tree(wi_0=lin(D, FF, False), wi_1=lin(D, FF, False), wo=lin(FF, D, False))
        layer = [tree(SelfAttention=attention(first)), tree(DenseReluDense=mlp, layer_norm=nn.RMSNorm(D))]
        return tree(layer=nn.ModuleList(layer))

    encoder = tree(block=nn.ModuleList(block(i == 0) for i in range(L)))
    heads = {"lm_head": lin(D, V, False), "classification_head": tree(dense=lin(D, D), out_proj=lin(D, 2))}
    other = {"qa_outputs": lin(D, 2), "extra": lin(D, 7)}
    return tree(shared=nn.Embedding(V, D), encoder=encoder, **heads, **other)


def fairseq():
    def block(cross):
        names = "q_proj k_proj v_proj out_proj"
        inside = {"self_attn": tree(**linears(names)), "fc1": lin(D, FF), "fc2": lin(FF, D)}
        return nn.ModuleDict(inside | ({"encoder_attn": tree(**linears(names))} if cross else {}))

    encoder = tree(embed_tokens=nn.Embedding(V, D, padding_idx=1), layers=blocks(lambda: block(False), 2))
    decoder = tree(embed_tokens=nn.Embedding(V, D), layers=blocks(lambda: block(True), 3))
    decoder.add_module("output_projection", lin(D, V, False))
    decoder.add_module("embed_out", lin(D, V, False))
    return tree(encoder=encoder, decoder=decoder)


def retnet():
    def block():
        names = "q_proj k_proj g_proj v_proj out_proj"
        ffn = tree(fc1=lin(D, FF), fc2=lin(FF, D), gate=lin(D, FF))
        return tree(retention=tree(**linears(names)), ffn=ffn)

    return tree(decoder=tree(embed_tokens=nn.Embedding(V, D), layers=blocks(block)))


def torch_transformer():
    return tree(transformer=nn.Transformer(D, 4, 2, 2, FF), embedding=nn.Embedding(V, D), lm_head=lin(D, V))


def xlm():
    attention = blocks(lambda: tree(**linears("q_lin k_lin v_lin out_lin")))
    ffns = blocks(lambda: tree(lin1=lin(D, FF), lin2=lin(FF, D)))
    body = tree(
        embeddings=nn.Embedding(V, D),
        position_embeddings=nn.Embedding(16, D),
        attentions=attention,
        ffns=ffns,
    )
    return tree(transformer=body, pred_layer=tree(proj=lin(D, V)), extras=extras())


def xlnet():
    shape = (D, 4, 16)
    bare = dict.fromkeys("qkvor", shape) | dict.fromkeys(("r_s_bias", "r_r_bias", "r_w_bias"), (4, 16))
    bare["seg_embed"] = (2, 4, 16)

    def block():
        attention = called("XLNetRelativeAttention", bare, layer_norm=nn.LayerNorm(D))
        return tree(rel_attn=attention, ff=tree(layer_1=lin(D, FF), layer_2=lin(FF, D)))

    body = owner({"mask_emb": (1, 1, D)}, word_embedding=nn.Embedding(V, D), layer=blocks(block))
    return tree(transformer=body, extras=extras())


def funnel():
    bare = {
        "r_w_bias": (4, 16),
        "r_r_bias": (4, 16),
        "r_kernel": (D, 4, 16),
        "r_s_bias": (4, 16),
        "seg_embed": (2, 4, 16),
    }

    def block():
        attention = owner(bare, **linears("q_head k_head v_head post_proj"))
        return tree(attention=attention, ffn=tree(linear_1=lin(D, FF), linear_2=lin(FF, D)))

    return tree(embeddings=tree(word_embeddings=nn.Embedding(V, D)), encoder=tree(blocks=blocks(block)))


OUT = 0.02 / sqrt(2 * L)
ALIKE = {"*": N(0.02)}
EXTRA = extra(0.02)
HALF = sqrt(0.5)
IN = "*.[qk]_proj.weight"


def default(fan: int) -> Expected:
    return U(fan**-0.5)


def scaled(side: str, factor: float) -> dict[str, Expected]:
    """TorchScale's scaled matrices of one side."""
    return {
        f"{side}.*self_attn.v_proj.weight": xavier(D, D, HALF * factor),
        f"{side}.*self_attn.out_proj.weight": xavier(D, D, factor),
        f"{side}.*fc1.weight": U(factor * D**-0.5),
        f"{side}.*fc2.weight": U(factor * FF**-0.5),
    }


def torchscale(encoder: float, decoder: float, cross: float) -> dict[str, Expected]:
    return {
        IN: xavier(D, D, HALF),
        **scaled("encoder", encoder),
        **scaled("decoder", decoder),
        "*encoder_attn.v_proj.weight": xavier(D, D, HALF * cross),
        "*encoder_attn.out_proj.weight": xavier(D, D, cross),
        **FAIRSEQ,
    }


FAIRSEQ = {
    "*embed_tokens.weight": N(D**-0.5),
    "*decoder.output_projection.weight": N(D**-0.5),
    "*embed_out.weight": N(D**-0.5),
    "*[qkv]_proj.bias": default(D),
    "*fc1.*": default(D),
    "*fc2.*": default(FF),
}
N_ENC, M_DEC = 2, 3

FIXTURES = (
    Fixture("bert", "google", bert, {"*": T(0.02)}),
    Fixture("bert", "hf", hf_bert, {**EXTRA, **ALIKE}),
    Fixture("roberta", "", deberta, {**EXTRA, **ALIKE}),
    Fixture(
        "modernbert",
        "",
        modernbert,
        {
            **extra(0.02, T(OUT)),
            "*Wo.weight": T(OUT),
            "head.dense.weight": T(OUT),
            "decoder.weight": T(OUT),
            "classifier.weight": T(D**-0.5),
            "odd.weight": N(0.02),
            "*": T(0.02),
        },
    ),
    Fixture(
        "t5",
        "hf",
        t5,
        {
            "*.q.weight": N((D * 8) ** -0.5),
            "*.[kv].weight": N(D**-0.5),
            "*.o.weight": N(32**-0.5),
            "*wi_[01].weight": N(D**-0.5),
            "*wo.weight": N(FF**-0.5),
            "*relative_attention_bias.weight": N(D**-0.5),
            "classification_head.*.weight": N(D**-0.5),
            "qa_outputs.weight": N(D**-0.5),
            "*layer_norm.weight": ONE,
            "*": N(1.0),
        },
    ),
    Fixture(
        "t5",
        "t5x",
        t5,
        {
            "*.q.weight": TC((D * 8) ** -0.5),
            "*.o.weight": TC(32**-0.5),
            "*wo.weight": TC(FF**-0.5),
            "*relative_attention_bias.weight": U(sqrt(6 / 36)),
            "shared.weight": N(1.0),
            "*layer_norm.weight": ONE,
            "*": TC(D**-0.5),
        },
    ),
    Fixture(
        "fairseq_transformer",
        "",
        fairseq,
        {
            IN: xavier(D, D, HALF),
            "*v_proj.weight": xavier(D, D, HALF),
            "*out_proj.weight": xavier(D, D),
            **FAIRSEQ,
        },
    ),
    Fixture("torchscale", "plain", fairseq, torchscale(1.0, 1.0, 1.0)),
    Fixture(
        "torchscale",
        "subln",
        fairseq,
        torchscale(sqrt(log(3 * M_DEC) * log(2 * N_ENC) / 3), sqrt(log(3 * M_DEC)), 1.0),
    ),
    Fixture(
        "torchscale",
        "deepnorm",
        fairseq,
        torchscale(0.87 * (N_ENC**4 * M_DEC) ** (-1 / 16), (12 * M_DEC) ** -0.25, (12 * M_DEC) ** -0.25),
    ),
    Fixture(
        "retnet",
        "",
        retnet,
        {
            "*out_proj.weight": xavier(D, D, 0.5),
            "*_proj.weight": xavier(D, D, 2**-2.5),
            "*fc1.*": default(D),
            "*gate.*": default(D),
            "*fc2.*": default(FF),
            "*embed_tokens.weight": N(D**-0.5),
        },
    ),
    Fixture(
        "torch_transformer",
        "",
        torch_transformer,
        {
            "*in_proj_weight": xavier(D, 3 * D),
            "*out_proj.weight": xavier(D, D),
            "*linear[12].weight": xavier(D, FF),
            "*linear1.bias": default(D),
            "*linear2.bias": default(FF),
            "lm_head.weight": xavier(D, V),
            "lm_head.bias": default(D),
            "embedding.weight": N(1.0),
        },
    ),
    Fixture(
        "t_fixup",
        "",
        fairseq,
        {
            IN: xavier(D, D, HALF),
            "encoder.layers.*.weight": Expected("uniform"),
            "decoder.layers.*.weight": Expected("uniform"),
            "encoder.embed_tokens.weight": N(D**-0.5 * 18**-0.25),
            "decoder.embed_tokens.weight": N(D**-0.5 * 27**-0.25),
            "decoder.*.weight": N(D**-0.5),
        },
    ),
    Fixture(
        "xlm",
        "",
        xlm,
        {**EXTRA, "*embeddings.weight": N(2048**-0.5), **ALIKE},
        {"unmatched": "allow"},
    ),
    Fixture("xlnet", "", xlnet, {**EXTRA, "*layer_norm.weight": ONE, "*rel_attn.*_bias": N(0.02), **ALIKE}),
    Fixture(
        "funnel",
        "",
        funnel,
        {
            "*word_embeddings.weight": N(1.0),
            "*.r_*": B(0.0, 0.1),
            "*.seg_embed": B(0.0, 0.1),
            "*linear_[12].weight": N(HALF * sqrt(2 / (D + FF))),
            "*": N(HALF * sqrt(1 / D)),
        },
    ),
)
