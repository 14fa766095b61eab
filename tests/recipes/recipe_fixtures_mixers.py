"""Mixers and ConvNeXt."""

from __future__ import annotations

from recipe_bench import (
    FF,
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
    nn,
    owner,
    tree,
    xavier,
)


def patches():
    return tree(proj=nn.Conv2d(3, D, 8, 8))


def mlp():
    return tree(fc1=lin(D, FF), fc2=lin(FF, D))


def convnext():
    def block():
        layers = {"dwconv": nn.Conv2d(32, 32, 7, groups=32), "pwconv1": lin(32, 128), "pwconv2": lin(128, 32)}
        grn = called("GRN", {"gamma": (1, 1, 1, 128), "beta": (1, 1, 1, 128)})
        return owner({"gamma": (32,)}, norm=nn.LayerNorm(32), grn=grn, **layers)

    stem = nn.Sequential(nn.Conv2d(3, 32, 4, 4))
    stages = nn.ModuleList([nn.Sequential(block(), block())])
    return tree(downsample_layers=nn.ModuleList([stem]), stages=stages, head=lin(32, 10))


def hf_convnext():
    made = convnext()
    made["extras"] = extras()
    return made


def mixer():
    def block():
        return tree(norm1=nn.LayerNorm(D), mlp_tokens=mlp(), norm2=nn.LayerNorm(D), mlp_channels=mlp())

    return tree(stem=patches(), blocks=blocks(block), odd=lin(D, D), head=lin(D, 10))


def gmlp():
    """timm's name of the gate, and those of other code."""

    def block(gate):
        inner = tree(fc1=lin(D, FF), fc2=lin(FF // 2, D), **gate)
        return tree(norm=nn.LayerNorm(D), mlp_channels=inner)

    gates = [{name: tree(proj=lin(16, 16))} for name in ("gate", "sgu", "spatial_gating_unit")]
    layers = nn.ModuleList(block(gate) for gate in (*gates, {"spatial_proj": lin(16, 16)}))
    return tree(stem=patches(), blocks=layers, odd=lin(D, D), head=lin(D, 10))


def default(fan: int) -> Expected:
    return U(fan**-0.5)


HF = {**extra(0.02), "*": N(0.02)}
MIXER = {
    "*.fc[12].bias": N(1e-6),
    "*mlp_channels.fc2.weight": xavier(FF // 2, D),
    "*mlp_channels.fc1.weight": xavier(D, FF),
    "odd.weight": xavier(D, D),
    "stem.proj.weight": TC(192**-0.5),
    "head.weight": ZERO,
}
GATES = {
    f"*{name}.{end}": law
    for name in ("gate.proj", "sgu.proj", "unit.proj", "spatial_proj")
    for end, law in (("weight", N(1e-6)), ("bias", ONE))
}

FIXTURES = (
    Fixture("convnext", "timm", convnext, {"*grn.*": ZERO, "*gamma": C(1e-6), "*": TA(0.02)}),
    Fixture("convnext", "hf", hf_convnext, {"*grn.*": ZERO, "*gamma": C(1e-6), **HF}),
    Fixture(
        "mixer",
        "jax",
        mixer,
        {
            "stem.proj.weight": TC(192**-0.5),
            "odd.weight": TC(D**-0.5),
            "*fc1.weight": TC(D**-0.5),
            "*fc2.weight": TC(FF**-0.5),
            "head.weight": ZERO,
        },
    ),
    Fixture("mixer", "timm", mixer, {"*fc[12].weight": xavier(D, FF), **MIXER}),
    Fixture("gmlp", "", gmlp, {**GATES, **MIXER}),
)
