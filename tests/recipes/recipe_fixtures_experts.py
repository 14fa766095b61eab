"""Mixtures of experts, RWKV, state spaces, hybrids."""

from __future__ import annotations

from math import sqrt

from recipe_bench import (
    FF,
    HALVES,
    ONE,
    TA,
    ZERO,
    D,
    Expected,
    F,
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
)


def model(block, **more):
    body = tree(embed_tokens=nn.Embedding(V, D), layers=blocks(block), norm=nn.RMSNorm(D))
    return tree(model=body, lm_head=lin(D, V, False), **more)


def attention():
    return tree(**linears("q_proj k_proj v_proj o_proj"))


def mixtral():
    def block():
        experts = blocks(lambda: tree(w1=lin(D, FF), w2=lin(FF, D), w3=lin(D, FF)), 2)
        return tree(self_attn=attention(), block_sparse_moe=tree(gate=lin(D, 2, False), experts=experts))

    return model(block, extras=extras())


def gpt_oss():
    def block():
        fused = {"gate_up_proj": (2, D, 2 * FF), "gate_up_proj_bias": (2, 2 * FF), "down_proj": (2, FF, D)}
        experts = owner(fused | {"down_proj_bias": (2, D)})
        router = called("GptOssTopKRouter", {"weight": (2, D), "bias": (2,)})
        sinks = owner({"sinks": (4,)}, **linears("q_proj k_proj v_proj o_proj"))
        return tree(self_attn=sinks, mlp=tree(router=router, experts=experts))

    return model(block, extras=extras())


def deepseek(fused):
    def block():
        latent = {
            "q_a_proj": lin(D, 24, False),
            "q_b_proj": lin(24, D, False),
            "kv_a_proj_with_mqa": lin(D, 20, False),
            "kv_b_proj": lin(20, D, False),
            "o_proj": lin(D, D, False),
        }
        gate = called("TopkRouter", {"weight": (2, D), "e_score_correction_bias": (2,)})
        shared = tree(**linears("gate_proj up_proj", D, FF), down_proj=lin(FF, D))
        one = {"gate_up_proj": (2, 2 * FF, D), "down_proj": (2, D, FF)}
        several = blocks(lambda: tree(gate_proj=lin(D, FF), up_proj=lin(D, FF), down_proj=lin(FF, D)), 2)
        mlp = tree(gate=gate, shared_experts=shared, experts=owner(one) if fused else several)
        return tree(self_attn=tree(**latent), mlp=mlp)

    def dense():
        mlp = tree(**linears("gate_proj up_proj", D, FF), down_proj=lin(FF, D))
        return tree(self_attn=attention(), mlp=mlp)

    made = model(block)
    made["model"]["layers"].append(dense())
    return made


def deepseek_fused():
    return deepseek(True)


def deepseek_apart():
    return deepseek(False)


def deepseek_hf():
    made = deepseek(True)
    made["extras"] = extras()
    return made


def qwen3_moe():
    def block():
        experts = blocks(lambda: tree(**linears("gate_proj up_proj", D, FF), down_proj=lin(FF, D)), 2)
        return tree(self_attn=attention(), mlp=tree(gate=lin(D, 2, False), experts=experts))

    return model(block)


def qwen3_experts():
    made = qwen3_moe()
    made["extras"] = extras()
    return made


def qwen3_next():
    def block():
        vectors = {"dt_bias": (4,), "A_log": (4,)}
        layers = {"conv1d": nn.Conv1d(D, D, 4, groups=D, bias=False), "norm": nn.RMSNorm(16)}
        net = called(
            "Qwen3NextGatedDeltaNet", vectors, in_proj_qkvz=lin(D, 4 * D), out_proj=lin(D, D), **layers
        )
        return tree(linear_attn=net, mlp=tree(**linears("gate_proj up_proj", D, FF), down_proj=lin(FF, D)))

    return model(block, extras=extras())


OUT = 0.02 / sqrt(2 * L)
ALIKE = {**extra(0.02), "*": N(0.02)}


def default(fan: int) -> Expected:
    return U(fan**-0.5)


def titan(i):
    return TA(0.02 / sqrt(2 * (i + 1)))


TITAN = {
    "*embed_tokens.weight": N(1.0),
    "lm_head.weight": T(D**-0.5, 3),
    "*e_score_correction_bias": ZERO,
    **{f"*layers.{i}.*experts*gate_up_proj": HALVES(TA(0.02), titan(i)) for i in range(L + 1)},
    **{
        f"*layers.{i}.{name}": titan(i)
        for i in range(L + 1)
        for name in (
            "*o_proj.weight",
            "*.up_proj.weight",
            "*.down_proj",
            "*.down_proj.weight",
            "mlp.gate.weight",
        )
    },
    "*": TA(0.02),
}

FIXTURES = (
    Fixture("mixtral", "", mixtral, ALIKE),
    Fixture("gpt_oss", "", gpt_oss, {**extra(0.02), "*router.bias": N(0.02), "*proj_bias": ZERO, **ALIKE}),
    Fixture("deepseek_v3", "hf", deepseek_hf, {"*correction_bias": ZERO, **ALIKE}),
    Fixture("deepseek_v3", "paper", deepseek_hf, {"*correction_bias": ZERO, **extra(0.006), "*": N(0.006)}),
    Fixture("deepseek_v3", "torchtitan", deepseek_fused, TITAN),
    Fixture("deepseek_v3", "torchtitan", deepseek_apart, TITAN),
    Fixture(
        "qwen3",
        "torchtitan",
        qwen3_experts,
        {"*.down_proj.weight": N(OUT), "*.experts.down_proj": N(OUT), **ALIKE},
    ),
    Fixture(
        "qwen3_moe", "", qwen3_moe, {"*down_proj.weight": N(OUT), "*o_proj.weight": N(OUT), "*": N(0.02)}
    ),
    Fixture(
        "qwen3_next",
        "",
        qwen3_next,
        {"*dt_bias": ONE, "*A_log": F("mapped", "ln U[0.01, 16)"), **ALIKE},
    ),
)
