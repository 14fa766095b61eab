"""Decoder language models without experts."""

from __future__ import annotations

from math import sqrt

from recipe_bench import (
    FF,
    HALVES,
    ONE,
    TA,
    ZERO,
    B,
    C,
    D,
    Fixture,
    I,
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
)


def nanogpt():
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


def neox():
    def block():
        attention = tree(query_key_value=lin(D, 3 * D), dense=lin(D, D))
        mlp = tree(dense_h_to_4h=lin(D, FF), dense_4h_to_h=lin(FF, D))
        return tree(input_layernorm=nn.LayerNorm(D), attention=attention, mlp=mlp)

    body = tree(embed_in=nn.Embedding(V, D), layers=blocks(block))
    return tree(gpt_neox=body, embed_out=lin(D, V, False), extras=extras())


def pythia():
    model = neox()
    del model["extras"]
    return model


def megatron():
    def block():
        experts = blocks(lambda: tree(dense_h_to_4h=lin(D, FF), dense_4h_to_h=lin(FF, D)), 2)
        return tree(
            self_attention=tree(query_key_value=lin(D, 3 * D), dense=lin(D, D)),
            mlp=tree(router=lin(D, 4), experts=experts),
        )

    embedding = tree(word_embeddings=nn.Embedding(V, D), position_embeddings=nn.Embedding(32, D))
    return tree(embedding=embedding, encoder=tree(layers=blocks(block)))


def opt():
    def block():
        return tree(
            self_attn=tree(**linears("q_proj k_proj v_proj out_proj")), fc1=lin(D, FF), fc2=lin(FF, D)
        )

    tables = {"embed_tokens": nn.Embedding(V, D), "embed_positions": nn.Embedding(34, D)}
    decoder = tree(**tables, layers=blocks(block))
    return tree(model=tree(decoder=decoder), extras=extras())


def plain_opt():
    model = opt()
    del model["extras"]
    return model


def llama():
    def block():
        return tree(
            self_attn=tree(**linears("q_proj k_proj v_proj o_proj")),
            mlp=tree(gate_proj=lin(D, FF, False), up_proj=lin(D, FF, False), down_proj=lin(FF, D, False)),
            input_layernorm=nn.RMSNorm(D),
        )

    body = tree(embed_tokens=nn.Embedding(V, D), layers=blocks(block), norm=nn.RMSNorm(D))
    return tree(model=body, lm_head=lin(D, V, False), extras=extras())


def metas_llama():
    """torchtitan's and OLMo-core's names too."""
    return tree(
        tok_embeddings=nn.Embedding(V, D),
        layers=blocks(
            lambda: tree(
                attention=tree(**linears("wq wk wv wo")),
                feed_forward=tree(w1=lin(D, FF), w2=lin(FF, D), w3=lin(D, FF)),
            )
        ),
        output=lin(D, V, bias=False),
    )


def phi3():
    def block():
        mlp = tree(gate_up_proj=lin(D, 2 * FF, False), down_proj=lin(FF, D, False))
        return tree(self_attn=tree(qkv_proj=lin(D, 3 * D, False), o_proj=lin(D, D, False)), mlp=mlp)

    return tree(model=tree(layers=blocks(block)))


def gemma():
    class GemmaRMSNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(nn.init.zeros_(nn.Linear(1, D).bias.detach()))

        def forward(self, x):
            return x * (x.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt() * (1.0 + self.weight)

    model = llama()
    for layer in model["model"]["layers"]:
        layer["input_layernorm"] = GemmaRMSNorm()
    projector = called("Gemma3MultiModalProjector", {"mm_input_projection_weight": (48, D)})
    model["multi_modal_projector"] = projector
    return model


def nanochat():
    def block():
        attn = tree(**linears("c_q c_k c_v c_proj"), ve_gate=lin(12, 4, False))
        return tree(attn=attn, mlp=tree(c_fc=lin(D, FF, False), c_proj=lin(FF, D, False)))

    body = tree(wte=nn.Embedding(V, D), h=blocks(block))
    scalars = {"resid_lambdas": (L,), "x0_lambdas": (L,), "backout_lambda": (1,)}
    tables = tree(**{"1": nn.Embedding(V, D)})
    return owner(scalars, transformer=body, lm_head=lin(D, V, False), value_embeds=tables)


def modded():
    def block():
        attn = owner({}, **linears("c_q c_k c_v c_proj"), attn_gate=lin(12, 4))
        return tree(attn=attn, mlp=tree(c_fc=lin(D, FF, False), c_proj=lin(FF, D, False)))

    tables = {
        "embed": nn.Embedding(V, D),
        "value_embeds": blocks(lambda: nn.Embedding(V, D), 2),
        "bigram_embed": nn.Embedding(V, D),
    }
    return owner({"resid_lambdas": (L,)}, **tables, blocks=blocks(block), lm_head=lin(D, V, False))


OUT = 0.02 / sqrt(2 * L)
WIDTH = D**-0.5
ALIKE = {"*": N(0.02)}
GPT_OUT = "*c_proj.weight"


def by_index(law, *names):
    """The laws of what depends on the block's number."""
    return {f"*layers.{i}.{name}.weight": law(i) for i in range(L) for name in names}


def index_scaled(i):
    return 0.02 / sqrt(2 * (i + 1))


TITAN_OUT = ("attention.wo", "feed_forward.w2", "feed_forward.w3")
BOUND = sqrt(3 / D)
CORE = {
    "normal": (by_index(lambda i: T(0.02, 3), "attention.wo"), T(0.02, 3), T(0.02, 3), T(0.02, 3)),
    "llama": (by_index(lambda i: T(OUT, 3), *TITAN_OUT), T(0.02, 3), T(WIDTH, 3), N(1.0)),
    "llama_depth": (by_index(lambda i: T(index_scaled(i), 3), *TITAN_OUT), T(0.02, 3), T(WIDTH, 3), N(1.0)),
    "fan_in": ({"*w2.weight": T(FF**-0.5, 3)}, T(WIDTH, 3), T(WIDTH, 3), N(1.0)),
    "normalized": (
        {glob: T(WIDTH / sqrt(2 * L), 3) for glob in ("*wo.weight", "*w2.weight")},
        T(WIDTH, 3),
        T(WIDTH, 3),
        N(WIDTH),
    ),
}
"""OLMo-core's InitMethod → outputs, other matrices, head, table."""

FIXTURES = (
    Fixture("gpt2", "hf", nanogpt, {GPT_OUT: N(OUT), **ALIKE}),
    Fixture("gpt2", "openai", nanogpt, {"wpe.weight": N(0.01), **ALIKE}),
    Fixture(
        "gpt_neox",
        "neox",
        pythia,
        {
            "*layers.*dense.weight": N(2 / (L * sqrt(D))),
            "*dense_4h_to_h.weight": N(2 / (L * sqrt(D))),
            "*": N(sqrt(2 / (5 * D))),
        },
    ),
    Fixture("gpt_neox", "hf", neox, {**extra(0.02), **ALIKE}),
    Fixture(
        "megatron", "", megatron, {"*attention.dense.weight": N(OUT), "*4h_to_h.weight": N(OUT), **ALIKE}
    ),
    Fixture(
        "opt",
        "meta",
        plain_opt,
        {"*out_proj.weight": N(0.006 / sqrt(2 * L)), "*fc2.weight": N(0.006 / sqrt(2 * L)), "*": N(0.006)},
    ),
    Fixture("opt", "hf", opt, {**extra(0.02), **ALIKE}),
    Fixture("llama", "hf", llama, {**extra(0.02), **ALIKE}),
    Fixture(
        "llama",
        "torchtitan",
        metas_llama,
        {
            **by_index(lambda i: TA(index_scaled(i)), *TITAN_OUT),
            "tok_embeddings.weight": N(1.0),
            "output.weight": T(WIDTH, 3),
            "*": TA(0.02),
        },
    ),
    Fixture(
        "llama",
        "torchtitan",
        phi3,
        {
            **by_index(lambda i: TA(index_scaled(i)), "self_attn.o_proj", "mlp.down_proj"),
            **by_index(lambda i: HALVES(TA(0.02), TA(index_scaled(i))), "mlp.gate_up_proj"),
            "*qkv_proj.weight": TA(0.02),
        },
    ),
    Fixture(
        "gemma",
        "",
        gemma,
        {**extra(0.02), "*input_layernorm.weight": ZERO, "*mm_input*": ZERO, "*.norm.weight": ONE, **ALIKE},
    ),
    Fixture("qwen3", "hf", llama, {**extra(0.02), **ALIKE}),
    Fixture("nanochat", "hf", llama, {"*o_proj.weight": N(OUT), **extra(0.02, N(OUT)), **ALIKE}),
    Fixture(
        "nanochat",
        "nanochat",
        nanochat,
        {
            "transformer.wte.weight": N(0.8),
            "value_embeds*": U(BOUND),
            "*c_[qkv].weight": U(BOUND),
            "*c_fc.weight": U(0.4 * BOUND),
            GPT_OUT: ZERO,
            "lm_head.weight": N(0.001),
            "*ve_gate.weight": B(0.0, 0.02),
            "backout_lambda": C(0.2),
            "resid_lambdas": I([1.15, 1.10, 1.05]),
            "x0_lambdas": I([0.20, 0.125, 0.05]),
        },
        {"assign": "attention.query=*c_q.weight, attention.key=*c_k.weight, attention.value=*c_v.weight"},
    ),
    Fixture(
        "modded_nanogpt",
        "",
        modded,
        {
            "embed.weight": N(0.005),
            "lm_head.weight": N(0.005),
            "value_embeds*": N(0.01),
            "bigram*": ZERO,
            "*mlp.c_proj.weight": ZERO,
            "*attn_gate.weight": ZERO,
            "resid_lambdas": C(sqrt(1.1)),
            "*": U(0.5 * BOUND),
        },
        {
            "assign": "attention.query=*c_q.weight, attention.key=*c_k.weight, attention.value=*c_v.weight, "
            "attention.gate=*attn_gate.weight"
        },
    ),
    Fixture("olmo", "normal", llama, {**extra(0.02), **ALIKE}),
    Fixture("olmo", "hf", llama, {**extra(0.02), **ALIKE}),
    Fixture(
        "olmo",
        "full_megatron",
        metas_llama,
        {
            "*wo.weight": T(OUT, 3),
            "*w2.weight": T(OUT, 3),
            "output.weight": T(WIDTH, 3),
            "*": T(0.02, 3),
        },
    ),
    Fixture(
        "olmo",
        "mitchell",
        metas_llama,
        {
            **by_index(lambda i: T((2 * D * (i + 1)) ** -0.5, 3), "attention.wo"),
            **by_index(lambda i: T((2 * FF * (i + 1)) ** -0.5, 3), "feed_forward.w2"),
            "*": T(WIDTH, 3),
        },
    ),
    *(
        Fixture(
            "olmo_core",
            flavor,
            metas_llama,
            {**outputs, "tok_embeddings.weight": table, "output.weight": head, "*": first},
        )
        for flavor, (outputs, first, head, table) in CORE.items()
    ),
    Fixture("mup", "unit", nanogpt, {"*": N(1.0)}),
    Fixture(
        "mup",
        "gpt",
        nanogpt,
        {
            "w[tp]e.weight": N(0.02),
            "lm_head.weight": N(0.02),
            GPT_OUT: N(0.02 * sqrt(16 / (2 * L * D))),
            "*": N(0.01),
        },
        {"base_width": 16.0},
    ),
)
