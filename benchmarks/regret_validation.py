"""The validation problems, made after the rules were fixed by one who had seen neither rules nor results.

They share families with the development sets, but no data, and their networks are written anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from regret_problem import Problem, token_loss
from regret_validation_data import (
    HEAT_STEP,
    brackets,
    bumps,
    clouds,
    cover,
    depths,
    described_shapes,
    flat_shapes,
    flipped,
    friedman,
    heat,
    impedance,
    lorenz,
    moons,
    moves,
    own_shapes,
    preferred,
    progressions,
    reversed_tokens,
    shapes,
    skewed,
    sound,
    stripes,
    topics,
    triangles,
    unsorted,
    wines,
)
from regret_validation_images import (
    SignalUNet,
    Vit,
    bottlenecks,
    convnext,
    painter,
    plain_residual,
    pooled_cnn,
)
from regret_validation_sequences import (
    Block,
    Forecast,
    Isomorphism,
    PointNet,
    Tagger,
    TokenMixer,
    Tokens,
    llama,
)

Activation = Callable[[], nn.Module]


def net(activation: Activation, *sizes: int) -> nn.Module:
    """Linear layers of these sizes with an activation between."""
    pairs = list(itertools.pairwise(sizes))
    layers = [part for a, b in pairs[:-1] for part in (nn.Linear(a, b), activation())]
    return nn.Sequential(*layers, nn.Linear(*pairs[-1]))


class GatedBlock(nn.Module):
    """x + W₃(gelu(a) · b) of the layer norm of x, a and b halves of one layer (arXiv 2002.05202)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner, self.outer = nn.Linear(width, 2 * hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.inner(self.norm(x)).chunk(2, -1)
        return x + self.outer(functional.gelu(a) * b)  # type: ignore[no-any-return]


def gated(blocks: int, before: int, classes: int, width: int = 24) -> nn.Module:
    """Gated residual blocks between two linear layers."""
    body = (GatedBlock(width, 32) for _ in range(blocks))
    return nn.Sequential(nn.Linear(before, width), *body, nn.LayerNorm(width), nn.Linear(width, classes))


class Carry(nn.Module):
    """A highway layer of tanh (arXiv 1505.00387): the gate says how much of x is replaced."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.transform, self.gate = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.sigmoid(self.gate(x)) * (torch.tanh(self.transform(x)) - x)


def highway(layers: int, before: int, classes: int, width: int = 32) -> nn.Module:
    """Highway layers after a tanh layer."""
    body = (Carry(width) for _ in range(layers))
    return nn.Sequential(nn.Linear(before, width), nn.Tanh(), *body, nn.Linear(width, classes))


class NormedBlock(nn.Module):
    """x + W₂·relu(norm(W₁·relu(norm(x)))), norms over the batch."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.BatchNorm1d(width, track_running_stats=False), nn.ReLU(), nn.Linear(width, width)),
            *(nn.BatchNorm1d(width, track_running_stats=False), nn.ReLU(), nn.Linear(width, width)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)  # type: ignore[no-any-return]


def normed(blocks: int, before: int, after: int, width: int = 32) -> nn.Module:
    """A residual MLP with batch norms first."""
    body = (NormedBlock(width) for _ in range(blocks))
    return nn.Sequential(nn.Linear(before, width), *body, nn.Linear(width, after))


class Dense(nn.Module):
    """Every layer reads the inputs and all layers before it."""

    def __init__(self, before: int, layers: int, growth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(before + k * growth, growth) for k in range(layers))
        self.head = nn.Linear(before + layers * growth, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, functional.softsign(layer(x))], -1)
        return self.head(x)  # type: ignore[no-any-return]


class Siren(nn.Module):
    """sin(30·(W·x + b)), layer by layer (arXiv 2006.09661), as torch draws its linear layers."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.out = nn.Linear(sizes[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.sin(30 * layer(x))
        return self.out(x)  # type: ignore[no-any-return]


class Ranker(nn.Module):
    """A user and a thing, embedded side by side, through an MLP: scores of two things (n, 2)."""

    def __init__(self, users: int = 40, items: int = 50, width: int = 12) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(users, width), nn.Embedding(items, width)
        self.score = net(nn.ReLU, 2 * width, 32, 16, 1)

    def forward(self, ids: Tensor) -> Tensor:
        things = self.items(ids[..., 1:])
        user = self.users(ids[..., :1]).expand(things.shape)
        return self.score(torch.cat([user, things], -1))[..., 0]  # type: ignore[no-any-return]


class ActorCritic(nn.Module):
    """A shared tanh trunk, three actions and a value: (n, 4)."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
        self.policy, self.value = nn.Linear(width, 3), nn.Linear(width, 1)

    def forward(self, state: Tensor) -> Tensor:
        h = self.trunk(state)
        return torch.cat([self.policy(h), self.value(h)], -1)


# losses

MSE, HUBER = functional.mse_loss, functional.huber_loss
BINARY = functional.binary_cross_entropy_with_logits


def ranking_loss(output: Tensor, target: Tensor) -> Tensor:
    """−log of the odds that what was taken ranks first (Rendle et al. 2009, BPR)."""
    return BINARY(output[..., 0] - output[..., 1], target)


def actor_critic_loss(output: Tensor, target: Tensor) -> Tensor:
    """Weighted −log odds of the actions taken, and half the value's squared error."""
    policy = -(output[..., :3].log_softmax(-1) * target[..., :3]).sum(-1).mean()
    return policy + 0.5 * MSE(output[..., 3], target[..., 3])


def heat_loss(output: Tensor, target: Tensor) -> Tensor:
    """(u_t − u_xx/10)² by differences; ten times the squared errors at time 0 and at both ends."""
    here, left, right, before, after, first, start, end = output[..., 0].unbind(-1)
    slope = (after - before) / (2 * HEAT_STEP)
    bend = (left - 2 * here + right) / HEAT_STEP**2
    edges = (first - target[..., 0]) ** 2 + start**2 + end**2
    return ((slope - 0.1 * bend) ** 2).mean() + 10 * edges.mean()


def deep_relu() -> nn.Module:
    """Forty weights of width 24."""
    return net(nn.ReLU, 100, *[24] * 39, 5)


def gpt(layers: int, width: int = 24) -> nn.Module:
    """Norms first, causal; the head is the table of tokens."""
    body: list[nn.Module] = [Block(width, 3, causal=True) for _ in range(layers)]
    return Tokens(4, 14, width, body, norm=True, tied=True)


def reverser(layers: int, width: int = 32) -> nn.Module:
    """Norms last, in both directions."""
    body: list[nn.Module] = [Block(width, 4, last=True) for _ in range(layers)]
    return Tokens(9, 8, width, body, norm=False, tied=False)


def sorter(layers: int, width: int = 32) -> nn.Module:
    """A mixer that gives a token at every place."""
    body: list[nn.Module] = [TokenMixer(8, width) for _ in range(layers)]
    return Tokens(10, 8, width, body, norm=True, tied=False)


def vit(layers: int, width: int = 24) -> nn.Module:
    """Norms first, the class token read."""
    return Vit([Block(width, 3) for _ in range(layers)], width)


PROBLEMS = (
    Problem(
        "mlp2-relu-wines",
        "shallow",
        lambda: net(nn.ReLU, 13, 32, 3),
        wines,
        optimizer="sgd",
        steps=150,
        batch=16,
    ),
    Problem(
        "mlp4-relu-skewed",
        "table",
        lambda: net(nn.ReLU, 10, 40, 40, 40, 1),
        skewed,
        HUBER,
        steps=200,
        batch=32,
    ),
    Problem(
        "mlp6-leaky-topics",
        "table",
        lambda: net(nn.LeakyReLU, 20, *[32] * 5, 6),
        topics,
        BINARY,
        "sgd",
        steps=200,
        batch=32,
    ),
    Problem(
        "mlp8-elu-moons",
        "deep",
        lambda: net(nn.ELU, 2, *[32] * 7, 2),
        moons,
        optimizer="sgd",
        steps=150,
        batch=32,
    ),
    Problem(
        "mlp24-tanh-flipped",
        "deep",
        lambda: net(nn.Tanh, 20, *[32] * 23, 3),
        flipped,
        optimizer="sgd",
        steps=120,
        batch=32,
    ),
    Problem("mlp40-relu-shapes", "deep", deep_relu, flat_shapes, steps=100, batch=32),
    Problem(
        "autoencoder4-sigmoid",
        "decoder",
        lambda: net(nn.Sigmoid, 100, 40, 12, 40, 100),
        own_shapes,
        BINARY,
        batch=32,
    ),
    Problem("geglu4-cover", "gated", lambda: gated(4, 20, 7), cover, steps=150, batch=32),
    Problem(
        "highway8-tanh-shapes",
        "gated",
        lambda: highway(8, 100, 5),
        flat_shapes,
        optimizer="sgd",
        steps=150,
        batch=32,
    ),
    Problem("mixer2-sorting", "normed", lambda: sorter(2), unsorted, token_loss, steps=150, batch=24),
    Problem("cnn4-maxpool-shapes", "cnn", pooled_cnn, shapes, optimizer="sgd", steps=150, batch=16),
    Problem("residual4-mish-stripes", "residual", lambda: plain_residual(4, 8), stripes, steps=120, batch=16),
    Problem(
        "bottleneck3-shapes",
        "normed",
        lambda: bottlenecks(3),
        shapes,
        optimizer="sgd",
        steps=120,
        batch=24,
    ),
    Problem("convnext3-stripes", "normed", lambda: convnext(3), stripes, steps=120, batch=16),
    Problem("painter-shapes", "decoder", painter, described_shapes, BINARY, steps=150, batch=16),
    Problem("unet-bumps", "decoder", SignalUNet, bumps, BINARY, steps=100, batch=12),
    Problem(
        "residual8-batchnorm-table",
        "normed",
        lambda: normed(8, 4, 1),
        impedance,
        MSE,
        "sgd",
        steps=120,
        batch=32,
    ),
    Problem("dense6-softsign", "table", lambda: Dense(10, 6, 12), friedman, MSE, steps=150, batch=24),
    Problem("gpt2-brackets", "normed", lambda: gpt(2), brackets, token_loss, steps=120, batch=16),
    Problem(
        "encoder2-norm-last",
        "post_norm",
        lambda: reverser(2),
        reversed_tokens,
        token_loss,
        steps=150,
        batch=16,
    ),
    Problem(
        "llama2-progressions", "normed", lambda: llama(2, 13), progressions, token_loss, steps=120, batch=16
    ),
    Problem("vit2-stripes", "normed", lambda: vit(2), stripes, steps=120, batch=12),
    Problem("gru-lorenz", "recurrent", Forecast, lorenz, MSE, steps=120, batch=24),
    Problem("lstm-depth", "recurrent", lambda: Tagger(4, 7), depths, token_loss, steps=120, batch=24),
    Problem("gin3-triangles", "sets", Isomorphism, triangles, MSE, steps=150, batch=24),
    Problem("pointnet-clouds", "sets", PointNet, clouds, steps=150, batch=24),
    Problem("heat4-silu", "coordinates", lambda: net(nn.SiLU, 2, 32, 32, 32, 1), heat, heat_loss, batch=32),
    Problem("siren4-sound", "coordinates", lambda: Siren(1, 40, 40, 40), sound, MSE, batch=48),
    Problem("ranker-pairs", "embeddings", Ranker, preferred, ranking_loss, batch=48),
    Problem("actor-critic3-tanh", "table", ActorCritic, moves, actor_critic_loss, batch=32),
)
