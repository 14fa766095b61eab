"""State spaces, RWKV and hybrids."""

from __future__ import annotations

from math import log, pi, sqrt

import numpy as np
from recipe_bench import (
    FF,
    ONE,
    ORTH,
    ZERO,
    C,
    D,
    Expected,
    F,
    Fixture,
    I,
    L,
    N,
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

HEADS = 4


def model(block, **more):
    body = tree(embed_tokens=nn.Embedding(V, D), layers=blocks(block), norm=nn.RMSNorm(D))
    return tree(model=body, lm_head=lin(D, V, False), **more)


def attention():
    return tree(**linears("q_proj k_proj v_proj o_proj"))


def mamba_mixer(bare, **layers):
    conv = nn.Conv1d(2 * D, 2 * D, 4, groups=2 * D)
    return called("Mamba", bare, in_proj=lin(D, 4 * D, False), conv1d=conv, out_proj=lin(2 * D, D), **layers)


def mamba():
    def block():
        layers = {"x_proj": lin(2 * D, 36, False), "dt_proj": lin(4, 2 * D)}
        return tree(norm=nn.RMSNorm(D), mixer=mamba_mixer({"A_log": (2 * D, 16), "D": (2 * D,)}, **layers))

    body = tree(embedding=nn.Embedding(V, D), layers=blocks(block), norm_f=nn.RMSNorm(D))
    return tree(backbone=body, lm_head=lin(D, V, False))


def mamba_with_mlp():
    """As the reference has it with d_intermediate > 0."""
    made = mamba()
    for block in made["backbone"]["layers"]:
        block.add_module("mlp", tree(fc1=lin(D, 2 * FF, False), fc2=lin(FF, D, False)))
    return made


def mamba2():
    def block():
        bare = {"A_log": (8,), "D": (8,), "dt_bias": (8,)}
        layers = {"x_proj": lin(2 * D, 36, False), "dt_proj": lin(4, 2 * D)}
        return tree(
            mixer=mamba_mixer(bare, **layers), mlp=tree(fc1=lin(D, 2 * FF, False), fc2=lin(FF, D, False))
        )

    body = tree(embedding=nn.Embedding(V, D), layers=blocks(block))
    return tree(backbone=body, lm_head=lin(D, V, False))


def bamba():
    def block():
        bare = {"A_log": (8,), "D": (8,), "dt_bias": (8,)}
        return tree(
            mamba=mamba_mixer(bare),
            feed_forward=tree(**linears("gate_proj up_proj", D, FF), down_proj=lin(FF, D)),
        )

    return model(block, extras=extras())


def s4d():
    def block():
        kernel = owner({"C": (D, 16, 2), "log_dt": (D,), "log_A_real": (D, 16), "A_imag": (D, 16)})
        return owner(
            {"D": (D,)}, kernel=kernel, output_linear=nn.Sequential(nn.Conv1d(D, 2 * D, 1), nn.GLU(-2))
        )

    return tree(encoder=lin(3, D), s4_layers=blocks(block), decoder=lin(D, 10))


def griffin():
    class GemmaRMSNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(nn.Linear(1, D).bias.detach().clone())

        def forward(self, x):
            return x * (x.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt() * (1.0 + self.weight)

    gates = {"input_gate_weight": (4, 16, 16), "recurrent_gate_weight": (4, 16, 16)}
    biases = {"input_gate_bias": (4, 16), "recurrent_gate_bias": (4, 16)}

    def block():
        unit = owner(gates | biases | {"recurrent_param": (D,)})
        recurrent = tree(**linears("linear_x linear_y linear_out"), rg_lru=unit)
        mlp = tree(**linears("gate_proj up_proj", D, FF), down_proj=lin(FF, D))
        return tree(
            temporal_block=recurrent, attn=attention(), mlp_block=mlp, channel_pre_norm=GemmaRMSNorm()
        )

    return tree(model=tree(embed_tokens=nn.Embedding(V, D), layers=blocks(block)))


def rwkv4():
    def block():
        times = dict.fromkeys(("time_mix_key", "time_mix_value", "time_mix_receptance"), (1, 1, D))
        att = owner(
            times | {"time_decay": (D,), "time_first": (D,)}, **linears("key value receptance output")
        )
        mixes = dict.fromkeys(("time_mix_key", "time_mix_receptance"), (1, 1, D))
        ffn = owner(mixes, key=lin(D, FF), receptance=lin(D, D), value=lin(FF, D))
        return tree(attention=att, feed_forward=ffn)

    body = tree(embeddings=nn.Embedding(V, D), blocks=blocks(block))
    return tree(rwkv=body, head=lin(D, V, False))


def rwkv7():
    vectors = ("x_r", "x_w", "x_k", "x_v", "x_a", "x_g", "w0", "a0", "v0", "k_k", "k_a")
    low = {f"{letter}1": (D, 8) for letter in "wavg"} | {f"{letter}2": (8, D) for letter in "wavg"}
    shapes = dict.fromkeys(vectors, (1, 1, D)) | low | {"r_k": (HEADS, D // HEADS)}

    def block():
        att = owner(shapes, **linears("receptance key value output gate"), ln_x=nn.GroupNorm(HEADS, D))
        ffn = owner({"x_k": (1, 1, D)}, key=lin(D, FF), value=lin(FF, D), receptance=lin(D, D))
        return tree(ln1=nn.LayerNorm(D), att=att, ffn=ffn)

    return tree(emb=nn.Embedding(V, D), blocks=blocks(block), head=lin(D, V, False))


SHARE = np.arange(D) / D
ALONG = np.arange(D) / (D - 1)


def mixes(path, rest, power, lift=0.0):
    """(n/C)^power(block) + lift·l/(L−1), or one minus it, for each block."""
    rows = {i: SHARE ** power(i) + lift * i / (L - 1) for i in range(L)}
    return {f"*blocks.{i}.{path}": I(1 - row if rest else row) for i, row in rows.items()}


def mix7(factor):
    return lambda i: factor * (1 - i / L)


SAW = (np.arange(D) % 16 - 7.5) / 7.5
SAW = SAW * np.abs(SAW)
"""RWKV-7's sawtooth over heads of 16 channels."""
RWKV7 = {
    "emb.weight": U(1e-4),
    "*att.receptance.weight": ORTH(1.0),
    "*att.value.weight": ORTH(1.0),
    "*att.key.weight": ORTH(0.1),
    "*att.gate.weight": ORTH(0.1),
    "*ffn.key.weight": ORTH(1.0),
    "*att.output.weight": ZERO,
    "*ffn.value.weight": ZERO,
    "*ffn.receptance.weight": ZERO,
    "head.weight": ORTH(0.5 * sqrt(V / D)),
    "*att.k_a": C(1.02),
    "*att.r_k": C(-0.04),
    "*att.?1": ZERO,
    "*att.?2": ORTH(0.1),
    **{f"blocks.{i}.att.ln_x.weight": C(((1 + i) / L) ** 0.7) for i in range(L)},
    **{k: v for letter in "rg" for k, v in mixes(f"att.x_{letter}", True, mix7(0.2)).items()},
    **{k: v for letter in "wa" for k, v in mixes(f"att.x_{letter}", True, mix7(0.9)).items()},
    **{k: v for letter in "kv" for k, v in mixes(f"att.x_{letter}", True, mix7(0.7)).items()},
    **mixes("ffn.x_k", True, lambda i: (1 - i / L) ** 4),
    **{f"blocks.{i}.att.w0": I(-5.5 + 6 * ALONG ** (1 + (i / (L - 1)) ** 0.3) + 2.5 * SAW) for i in range(L)},
    "*att.a0": I(-0.19 + 0.3 * SAW + 0.4 * (ALONG - 0.5)),
    "*att.v0": I(0.73 - 0.4 * (ALONG - 0.5)),
    "*att.k_k": I(0.71 - 0.1 * (ALONG - 0.5)),
}
RWKV4 = {
    "*embeddings.weight": ORTH(1e-4 * sqrt(V)),
    "head.weight": ORTH(0.5 * sqrt(V / D)),
    **{f"*blocks.{i}.attention.time_decay": I(-5 + 8 * ALONG ** (0.7 + 1.3 * i / (L - 1))) for i in range(L)},
    **mixes("*.time_mix_key", False, lambda i: 1 - i / L),
    **mixes("feed_forward.time_mix_receptance", False, lambda i: 1 - i / L),
    **mixes("attention.time_mix_receptance", False, lambda i: 0.5 * (1 - i / L)),
    **mixes("*.time_mix_value", False, lambda i: 1 - i / L, 0.3),
    "*feed_forward.key.weight": ORTH(sqrt(FF / D)),
    "*": ORTH(1.0),
}
ZIGZAG = log(0.3) + 0.5 * ((np.arange(D) + 1) % 3 - 1)
OUT = 0.02 / sqrt(2 * L)
ALIKE = {**extra(0.02), "*": N(0.02)}


def default(fan: int) -> Expected:
    return U(fan**-0.5)


DT = F("mapped", "softplus⁻¹(exp U[ln 0.001, ln 0.1))")
A_LINE = np.log(np.arange(1, 17))
MAMBA = {
    "*A_log": I(np.log(np.arange(1, 17))),
    "*mixer.D": ONE,
    "*dt_proj.weight": U(4**-0.5),
    "*dt_proj.bias": Expected("mapped"),
    "*dt_bias": Expected("mapped"),
    "*conv1d.weight": default(4),
}
REFERENCE = {
    "*embedding.weight": N(0.02),
    "*conv1d.bias": default(4),
    "*in_proj.weight": default(D),
    "*x_proj.weight": default(2 * D),
    "lm_head.weight": default(D),
    "*fc1.weight": default(D),
}


def outputs(branches):
    over = sqrt(branches * L)
    return {"*out_proj.weight": U((2 * D) ** -0.5 / over), "*fc2.weight": U(FF**-0.5 / over)}


HF_MAMBA = {**MAMBA, "*out_proj.weight": default(2 * D), "*": N(0.1)}
HEADS2 = {"*A_log": I(np.log(np.arange(1, 9)))}
DRAWN_A = {"*A_log": F("mapped", "ln U[1, 16)")}

FIXTURES = (
    Fixture("mamba", "reference", mamba, {**MAMBA, **REFERENCE, **outputs(1)}),
    Fixture("mamba", "reference", mamba_with_mlp, {**MAMBA, **REFERENCE, **outputs(2)}, {"n_residuals": 2.0}),
    Fixture("mamba", "reference", mamba2, {**MAMBA, **HEADS2, **REFERENCE, **outputs(1)}),
    Fixture("mamba", "hf", mamba, HF_MAMBA),
    Fixture("mamba", "hf", mamba2, {**HF_MAMBA, **HEADS2}),
    Fixture("mamba2", "reference", mamba2, {**MAMBA, **DRAWN_A, **REFERENCE, **outputs(1)}),
    Fixture("mamba2", "hf", mamba2, {**HF_MAMBA, **HEADS2}),
    Fixture("bamba", "", bamba, {"*dt_bias": ONE, "*mamba.D": ONE, **HEADS2, **ALIKE}),
    Fixture(
        "s4d",
        "",
        s4d,
        {
            "*kernel.C": N(sqrt(0.5)),
            "*.D": N(1.0),
            "*log_dt": Expected("uniform", (("low", log(1e-3)), ("high", log(0.1)))),
            "*log_A_real": C(log(0.5)),
            "*A_imag": I(pi * np.arange(16)),
            "encoder.*": default(3),
            "bias:*": default(D),
            "*": default(D),
        },
    ),
    Fixture(
        "recurrent_gemma",
        "",
        griffin,
        {
            "*[qkv]_proj.weight": N(D**-0.5),
            "*linear_[xy].weight": N(D**-0.5),
            "*o_proj.weight": N(sqrt(2 / (L * D))),
            "*linear_out.weight": N(sqrt(2 / (L * D))),
            "*gate_weight": N(sqrt(0.01 / 16)),
            "*gate_bias": ZERO,
            "*recurrent_param": F("mapped", "ln(1/√U[0.81, 0.998001) − 1)"),
            "*norm.weight": ZERO,
            "*": N(0.05),
        },
    ),
    Fixture("rwkv4", "hf", rwkv4, {"*time_first": ONE, **RWKV4}),
    Fixture("rwkv4", "intended", rwkv4, {"*time_first": I(ZIGZAG), **RWKV4}),
    Fixture("rwkv7", "", rwkv7, RWKV7),
)
