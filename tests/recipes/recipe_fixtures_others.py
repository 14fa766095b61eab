"""Reinforcement learning, recommenders, adapters, and transformers' fallback with its towers."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import numpy as np
from recipe_bench import (
    FF,
    KEPT,
    ONE,
    ORTH,
    TA,
    TC,
    ZERO,
    C,
    D,
    Expected,
    F,
    Fixture,
    I,
    N,
    U,
    V,
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


def mlp(*sizes):
    return nn.Sequential(*(lin(i, o) for i, o in pairwise(sizes)))


def cleanrl():
    """ppo_continuous_action and ppo_atari_lstm in one."""
    layers = {"critic": mlp(4, D, 1), "actor_mean": mlp(4, D, 2), "lstm": nn.LSTM(D, D)}
    return owner({"actor_logstd": (1, 2)}, **layers)


def cleanrl_shared():
    return owner({"log_std": (2,)}, agent=tree(network=mlp(4, D, D), actor=lin(D, 2), critic=lin(D, 1)))


def sb3():
    extractor = tree(policy_net=mlp(4, D, D), value_net=mlp(4, D, D))
    return owner(
        {"log_std": (2,)},
        mlp_extractor=extractor,
        action_net=lin(D, 2),
        value_net=lin(D, 1),
        lstm=nn.GRU(D, D),
    )


def baselines():
    return owner({"logstd": (1, 2)}, pi=mlp(4, D, 2), vf=mlp(4, D, 1), lstm=nn.LSTM(D, D))


def heads():
    """The names that other code gives the two heads."""
    first = {
        "actor_head": lin(D, 2),
        "critic_head": lin(D, 1),
        "policy_head": lin(D, 2),
        "value_head": lin(D, 1),
    }
    second = tree(pi=lin(D, 2), vf=lin(D, 1))
    return owner(
        {"log_std": (2,)},
        body=mlp(4, D, D),
        **first,
        actor=lin(D, 2),
        critic=lin(D, 1),
        net=second,
        gru=nn.GRU(D, D),
    )


def ddpg():
    return tree(actor=mlp(4, D, D, 2), critic=mlp(6, D, D, 1))


def sac():
    return owner({"log_std": (2,), "logstd": (2,)}, latent_pi=mlp(4, D, D), log_std_head=lin(D, 2))


def dlrm():
    tables = nn.ModuleList([nn.EmbeddingBag(100, 16), nn.EmbeddingBag(25, 16)])
    return tree(bot_l=mlp(4, D, 16), emb_l=tables, top_l=mlp(16, 1))


def lora():
    linear = tree(base_layer=lin(D, D), lora_A=tree(default=lin(D, 4, False)), lora_B=tree(default=lin(4, D)))
    linear.add_module(
        "lora_embedding_A", nn.ParameterDict({"default": nn.Parameter(nn.Linear(V, 4).weight.detach())})
    )
    linear.add_module(
        "lora_embedding_B", nn.ParameterDict({"default": nn.Parameter(nn.Linear(4, D).weight.detach())})
    )
    older = called("LoRALayer", {"lora_a": (4, D), "lora_b": (D, 4)})
    return tree(q_proj=linear, c_attn=older)


ATTENTION = "q_proj k_proj v_proj out_proj"


def clip_tower():
    layers = [
        tree(self_attn=tree(**linears(ATTENTION)), mlp=tree(fc1=lin(D, FF), fc2=lin(FF, D))) for _ in range(2)
    ]
    embeddings = owner(
        {"class_embedding": (D,)},
        patch_embedding=nn.Conv2d(3, D, 8, 8, bias=False),
        position_embedding=nn.Embedding(17, D),
        token_embedding=nn.Embedding(V, D),
    )
    more = {"projection": tree(visual_projection=lin(D, 48, False)), "router": tree(router=lin(D, 2))}
    other = {"lstm": nn.LSTM(D, D), "mha": nn.MultiheadAttention(D, 4), "odd": lin(D, D)}
    body = owner(
        {"logit_scale": ()},
        embeddings=embeddings,
        encoder=tree(layers=nn.ModuleList(layers)),
        **more,
        **other,
    )
    return called("CLIPVisionTransformer", None, body=body)


def siglip_tower():
    head = owner(
        {"probe": (1, 1, D)}, attention=nn.MultiheadAttention(D, 4), mlp=tree(fc1=lin(D, FF), fc2=lin(FF, D))
    )
    layer = tree(self_attn=tree(**linears(ATTENTION)), mlp=tree(fc1=lin(D, FF), fc2=lin(FF, D)))
    embeddings = tree(patch_embedding=nn.Conv2d(3, D, 8, 8), position_embedding=nn.Embedding(16, D))
    scales = {"logit_scale": (1,), "logit_bias": (1,)}
    body = owner(
        scales, embeddings=embeddings, layers=nn.ModuleList([layer]), head=head, classifier=lin(D, 5)
    )
    return called("SiglipVisionTransformer", None, body=body)


def zoo():
    """One layer of each class that transformers treats by itself."""
    vectors = {"A_log": (8,), "dt_bias": (8,)}
    return tree(
        clip=clip_tower(),
        siglip=siglip_tower(),
        conformer=called("ConformerAttention", {"bias_u": (4, 16), "bias_v": (4, 16)}),
        gpt=tree(attn=called("OssAttention", {"sinks": (4,)})),
        swa=tree(attn=called("GraniteSwaAttention", {"sinks": (4,)})),
        blip=called("BlipVisionEmbeddings", {"class_embedding": (1, 1, D), "position_embedding": (1, 17, D)}),
        qformer=owner({"query_tokens": (1, 32, D)}),
        mobilevit=called("MobileViTConvLayer", None, normalization=nn.BatchNorm2d(8)),
        plain_norm=nn.BatchNorm2d(8),
        jetmoe=called("JetMoeParallelExperts", {"weight": (2, FF, D)}),
        perceiver=called("PerceiverEmbeddings", {"latents": (8, D)}),
        diff=called("DiffLlamaAttention", {f"lambda_{x}{i}": (16,) for x in "qk" for i in (1, 2)}),
        afmoe=called("AfmoeMoE", None, mlp=tree(router=lin(D, 4))),
        privacy=called("OpenAIPrivacyFilterMLP", None, mlp=tree(router=lin(D, 4))),
        zamba=tree(mamba=called("Zamba2MambaMixer", vectors | {"D": (8,)})),
        delta=tree(linear_attn=called("Qwen3NextGatedDeltaNet", vectors)),
        extras=extras(),
        embed_tokens=nn.Embedding(V, D, padding_idx=0),
    )


def default(fan: int) -> Expected:
    return U(fan**-0.5)


NARROW = (2 * D * 2) ** -0.5
CLIP = {
    "clip.*mha.in_proj_weight": xavier(D, 3 * D),
    "clip.*mha.out_proj.weight": N(D**-0.5),
    "clip.*lstm.weight*": xavier(D, 4 * D),
    "clip.*[qkv]_proj.weight": N(NARROW),
    "clip.*out_proj.weight": N(D**-0.5),
    "clip.*fc1.weight": N((2 * D) ** -0.5),
    "clip.*fc2.weight": N(NARROW),
    "clip.*class_embedding": N(D**-0.5),
    "clip.*visual_projection.weight": N(D**-0.5),
    "clip.*logit_scale": C(2.6592),
    "clip.*": N(0.02),
}
SIGLIP = {
    "siglip.*position_embedding.weight": N(D**-0.5),
    "siglip.*head.attention.in_proj_weight": xavier(D, 3 * D),
    "siglip.*head.attention.out_proj.weight": TC(D**-0.5),
    "siglip.*_proj.weight": xavier(D, D),
    "siglip.*fc?.weight": xavier(D, FF),
    "siglip.*fc?.bias": N(1e-6),
    "siglip.*patch_embedding.weight": TC(192**-0.5),
    "siglip.*probe": U(sqrt(3 / D)),
    "siglip.*logit_*": ZERO,
    "siglip.*classifier.weight": N(D**-0.5),
}
ZOO = {
    "bias:clip.*": ZERO,
    "recurrent_bias:clip.*": ZERO,
    **CLIP,
    **SIGLIP,
    "conformer.bias_?": N(0.02),
    "gpt.attn.sinks": N(0.02),
    "swa.attn.sinks": ZERO,
    "blip.*": TA(0.02),
    "qformer.query_tokens": ZERO,
    "mobilevit.*.weight": N(0.02),
    "plain_norm.weight": ONE,
    "diff.*": N(0.1),
    "afmoe.*.weight": ZERO,
    "privacy.*": N(0.02),
    "zamba.mamba.A_log": I(np.log(np.arange(1, 9))),
    "zamba.mamba.D": ONE,
    "zamba.mamba.dt_bias": Expected("mapped"),
    "delta.*A_log": F("mapped", "ln U[0.01, 16)"),
    "delta.*dt_bias": ONE,
    **extra(0.02),
    "*": N(0.02),
}

ROOT = sqrt(2)
RECURRENT = {"*lstm.weight*": ORTH(1.0), "*gru.weight*": ORTH(1.0), "*log*std": ZERO}
POLICY = {
    "critic.1.weight": ORTH(1.0),
    "vf.1.weight": ORTH(1.0),
    "actor_mean.1.weight": ORTH(0.01),
    "pi.1.weight": ORTH(0.01),
    "agent.actor.weight": ORTH(0.01),
    "agent.critic.weight": ORTH(1.0),
    "action_net.weight": ORTH(0.01),
    "value_net.weight": ORTH(1.0),
    **{
        name: ORTH(0.01)
        for name in ("actor.weight", "actor_head.weight", "policy_head.weight", "net.pi.weight")
    },
    **{
        name: ORTH(1.0)
        for name in ("critic.weight", "critic_head.weight", "value_head.weight", "net.vf.weight")
    },
    **RECURRENT,
    "*": ORTH(ROOT),
}
LORA = {
    "*base_layer*": KEPT,
    "*lora_B*": ZERO,
    "*lora_b": ZERO,
    "*embedding_A*": ZERO,
    "*embedding_B*": N(1.0),
}

FIXTURES = (
    *(
        Fixture("rl-ppo", flavor, build, POLICY)
        for flavor in ("cleanrl", "sb3", "baselines")
        for build in (cleanrl, cleanrl_shared, sb3, baselines, heads)
    ),
    Fixture(
        "rl-ddpg",
        "",
        ddpg,
        {"*.2.*": U(3e-3), "actor.0.*": default(4), "critic.0.*": default(6), "*.1.*": default(D)},
    ),
    Fixture("rl-dqn", "", sac, {"log*std": ZERO, "latent_pi.0.*": default(4), "*.*": default(D)}),
    Fixture(
        "dlrm",
        "",
        dlrm,
        {
            "bot_l.0.weight": N(sqrt(2 / (4 + D))),
            "bot_l.1.weight": N(sqrt(2 / (D + 16))),
            "top_l.0.weight": N(sqrt(2 / 17)),
            "bot_l.0.bias": N(D**-0.5),
            "bot_l.1.bias": N(1 / 4),
            "top_l.0.bias": N(1.0),
            "emb_l.0.weight": U(0.1),
            "emb_l.1.weight": U(0.2),
        },
    ),
    Fixture("lora", "default", lora, {"*lora_A*": default(D), "*lora_a": default(D), **LORA}),
    Fixture("lora", "gaussian", lora, {"*lora_A*": N(1 / 4), "*lora_a": N(1 / 4), **LORA}),
    Fixture("hf_default", "", zoo, ZOO),
)
