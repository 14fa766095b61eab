"""Generative adversarial networks, diffusion, coordinate networks."""

from __future__ import annotations

from math import sqrt

from recipe_bench import (
    FF,
    ONE,
    ORTH,
    ZERO,
    D,
    Expected,
    Fixture,
    N,
    U,
    blocks,
    called,
    conv,
    lin,
    nn,
    tree,
    xavier,
)


def dcgan():
    layers = (
        nn.ConvTranspose2d(100, 16, 4, bias=False),
        nn.BatchNorm2d(16),
        nn.ConvTranspose2d(16, 3, 4, bias=False),
    )
    return tree(main=nn.Sequential(*layers))


def biggan():
    block = tree(conv1=conv(16, 16), conv2=conv(16, 16), bn1=tree(gain=lin(20, 16, False)))
    return tree(
        shared=nn.Embedding(10, 20), linear=lin(20, 256), blocks=nn.ModuleList([tree(**{"0": block})])
    )


def stylegan2():
    """The reference's own layers, whose tensors are bare."""

    def fully(i, o):
        return called("FullyConnectedLayer", {"weight": (o, i), "bias": (o,)})

    def layer(kind):
        noise = {"noise_strength": ()} if kind == "SynthesisLayer" else {}
        return called(kind, {"weight": (8, 8, 3, 3), "bias": (8,)} | noise, affine=fully(D, 8))

    layers = {"conv1": layer("SynthesisLayer"), "torgb": layer("ToRGBLayer")}
    synthesis = called("SynthesisNetwork", None, b4=called("SynthesisBlock", {"const": (8, 4, 4)}, **layers))
    mapping = called("MappingNetwork", None, fc0=fully(D, D), embed=fully(3, D))
    fromrgb = called("Conv2dLayer", {"weight": (8, 3, 1, 1), "bias": (8,)})
    discriminator = tree(b8=tree(fromrgb=fromrgb), b4=tree(fc=fully(D, D)))
    return tree(G=tree(synthesis=synthesis, mapping=mapping), D=discriminator)


def stylegan2_synthesis():
    """The synthesis network by itself, of one convolution."""
    return tree(synthesis=conv(8, 8))


def ddpm():
    block = tree(conv1=conv(8, 8), temb_proj=lin(32, 8), conv2=conv(8, 8))
    attn = tree(q=conv(8, 8, 1), proj_out=conv(8, 8, 1))
    diffusers = tree(to_out=nn.Sequential(lin(8, 8)))
    return tree(conv_in=conv(3, 8), down=tree(block=block, attn=attn, other=diffusers), conv_out=conv(8, 3))


def adm():
    block = tree(
        in_layers=nn.Sequential(nn.GroupNorm(2, 8), nn.SiLU(), conv(8, 8)),
        emb_layers=nn.Sequential(nn.SiLU(), lin(32, 8)),
        out_layers=nn.Sequential(nn.GroupNorm(2, 8), nn.SiLU(), nn.Dropout(), conv(8, 8)),
    )
    attn = tree(qkv=nn.Conv1d(8, 24, 1), proj_out=nn.Conv1d(8, 8, 1))
    inputs = nn.ModuleList([nn.Sequential(block, attn)])
    out = nn.Sequential(nn.GroupNorm(2, 8), nn.SiLU(), conv(8, 3))
    return tree(label_emb=nn.Embedding(10, 32), input_blocks=inputs, out=out)


def edm():
    block = tree(
        conv0=conv(8, 8), conv1=conv(8, 8), qkv=conv(8, 24, 1), proj=conv(8, 8, 1), affine=lin(32, 8)
    )
    return tree(map_label=lin(10, 32, False), enc=tree(block=block, aux_conv=conv(8, 3)), out_conv=conv(8, 3))


def dit():
    def block():
        attn = tree(qkv=lin(D, 3 * D), proj=lin(D, D))
        modulation = nn.Sequential(nn.SiLU(), lin(D, 6 * D))
        return tree(attn=attn, mlp=tree(fc1=lin(D, FF), fc2=lin(FF, D)), adaLN_modulation=modulation)

    final = tree(linear=lin(D, 32), adaLN_modulation=nn.Sequential(nn.SiLU(), lin(D, 2 * D)))
    embedders = {
        "x_embedder": tree(proj=nn.Conv2d(4, D, 2, 2)),
        "t_embedder": tree(mlp=nn.Sequential(lin(32, D), nn.SiLU(), lin(D, D))),
        "y_embedder": tree(embedding_table=nn.Embedding(11, D)),
    }
    return tree(**embedders, blocks=blocks(block), final_layer=final)


def flux():
    def block():
        stream = {"img_mod": tree(lin=lin(D, 6 * D)), "img_attn": tree(qkv=lin(D, 3 * D), proj=lin(D, D))}
        return tree(**stream, img_mlp=nn.Sequential(lin(D, FF), nn.GELU(), lin(FF, D)))

    final = tree(linear=lin(D, 16), adaLN_modulation=nn.Sequential(nn.SiLU(), lin(D, 2 * D)))
    embedders = {name: tree(in_layer=lin(32, D), out_layer=lin(D, D)) for name in ("time_in", "vector_in")}
    return tree(img_in=lin(16, D), **embedders, double_blocks=blocks(block), final_layer=final)


def siren():
    """siren-pytorch's and the original's: Sequential of sine layers."""
    return tree(net=nn.Sequential(*(tree(linear=lin(i, o)) for i, o in ((2, D), (D, D), (D, 3)))))


def nerf():
    return tree(
        pts_linears=nn.ModuleList([lin(63, D), lin(D, D)]),
        feature_linear=lin(D, D),
        views_linears=nn.ModuleList([lin(D + 27, 32)]),
        alpha_linear=lin(D, 1),
        rgb_linear=lin(32, 3),
    )


def default(fan: int) -> Expected:
    return U(fan**-0.5)


def fan_avg(i, o, k=1, scale=1.0):
    return U(sqrt(3 * scale / ((i + o) * k * k / 2)))


DDPM = {
    "conv_in.weight": fan_avg(3, 8, 3),
    "*conv1.weight": fan_avg(8, 8, 3),
    "*conv2.weight": fan_avg(8, 8, 3, 1e-10),
    "*temb_proj.weight": fan_avg(32, 8),
    "*.q.weight": fan_avg(8, 8),
    "*proj_out.weight": fan_avg(8, 8, 1, 1e-10),
    "*to_out.0.weight": fan_avg(8, 8, 1, 1e-10),
    "conv_out.weight": fan_avg(8, 3, 3, 1e-10),
}
SONG = {
    "*conv0.weight": xavier(72, 72),
    "*conv1.weight": xavier(72, 72, 1e-5),
    "*proj.weight": xavier(8, 8, 1e-5),
    "*qkv.weight": xavier(8, 24, sqrt(0.2)),
    "*_conv.weight": xavier(72, 27, 1e-5),
    "*affine.weight": xavier(32, 8),
    "map_label.weight": xavier(10, 32),
}
DHARIWAL = {
    "map_label.weight": N(1.0),
    "*conv0.*": default(72),
    "*qkv.*": default(8),
    "*affine.*": default(32),
    "*": ZERO,
}
TRANSFORMER = {
    "*qkv.weight": xavier(D, 3 * D),
    "*proj.weight": xavier(D, D),
    "*fc[12].weight": xavier(D, FF),
    "*img_mlp.*.weight": xavier(D, FF),
    "img_in.weight": xavier(16, D),
}
NERF = {
    "pts_linears.0": (63, D),
    "pts_linears.1": (D, D),
    "feature_linear": (D, D),
    "views_linears.0": (D + 27, 32),
    "alpha_linear": (D, 1),
    "rgb_linear": (32, 3),
}

FIXTURES = (
    Fixture("dcgan", "", dcgan, {"main.1.weight": N(0.02, 1.0), "*": N(0.02)}),
    Fixture("biggan", "", biggan, {"*": ORTH(1.0)}),
    Fixture("biggan", "", biggan, {"*": N(0.02)}, {"init": "n02"}),
    Fixture(
        "stylegan2",
        "",
        stylegan2,
        {
            "*mapping.*.weight": N(100.0),
            "*affine.bias": ONE,
            "*bias": ZERO,
            "*noise_strength": ZERO,
            "*": N(1.0),
        },
    ),
    Fixture("stylegan2", "", stylegan2_synthesis, {"*": N(1.0)}),
    Fixture("ddpm", "", ddpm, DDPM),
    Fixture(
        "adm",
        "",
        adm,
        {
            "label_emb.weight": N(1.0),
            "*in_layers.2.*": default(72),
            "*emb_layers.1.*": default(32),
            "*qkv.*": default(8),
            "*out_layers.3.*": ZERO,
            "*proj_out.*": ZERO,
            "out.2.*": ZERO,
        },
    ),
    Fixture("edm", "song", edm, SONG),
    Fixture("edm", "dhariwal", edm, {**DHARIWAL, "bias:*": ZERO}),
    Fixture(
        "dit",
        "",
        dit,
        {
            "x_embedder.proj.weight": U(sqrt(6 / (16 + D))),
            "t_embedder.*.weight": N(0.02),
            "y_embedder.*.weight": N(0.02),
            "*modulation*": ZERO,
            "final_layer.linear.*": ZERO,
            **TRANSFORMER,
        },
    ),
    Fixture(
        "flux",
        "",
        flux,
        {"*_mod.*": ZERO, "final_layer.*": ZERO, "*_in.*_layer.weight": N(0.02), **TRANSFORMER},
    ),
    Fixture(
        "siren",
        "",
        siren,
        {
            "net.0.linear.weight": U(1 / 2),
            "*.weight": U(sqrt(6 / D) / 30),
            "net.0.linear.bias": default(2),
            "*.bias": default(D),
        },
    ),
    Fixture("nerf", "keras", nerf, {f"{name}.weight": xavier(*sizes) for name, sizes in NERF.items()}),
    Fixture("nerf", "torch", nerf, {f"{name}.*": default(sizes[0]) for name, sizes in NERF.items()}),
)
