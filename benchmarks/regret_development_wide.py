"""More development problems, of families that the first set lacks. Rules may be tuned on these too."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from regret_development import MSE, Activation, Residual, deep, mlp
from regret_problem import Problem, chain, digits, few_rows, own_digits, picture, token_loss, waves
from regret_wide_data import (
    FIELDS,
    STEP,
    VALUES,
    bandit,
    chirp,
    clicks,
    communities,
    digit_pairs,
    digits_and_noise,
    echoes,
    frames,
    heavy_tailed,
    large_targets,
    long_frames,
    majority,
    noisy_digits,
    point_sets,
    rare,
    ratings,
    stencils,
    tumours,
)
from regret_wide_images import (
    Mixer,
    Siamese,
    UNet,
    Variational,
    contrastive_loss,
    conv_autoencoder,
    densenet,
    group_normed,
    separable,
    squeeze_excite,
    variational_loss,
)
from regret_wide_sequences import (
    Bidirectional,
    DeepSet,
    Encoder,
    GraphNet,
    Gru,
    SwiGLU,
    Vit,
    llama,
    strided,
    tcn,
)

# gates


class GatedBlock(nn.Module):
    """x + SwiGLU(x), without a norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gated = SwiGLU(width, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gated(x)  # type: ignore[no-any-return]


def swiglu(blocks: int, width: int = 32) -> nn.Module:
    """Gated residual blocks on the digits."""
    return nn.Sequential(
        nn.Linear(64, width), *(GatedBlock(width) for _ in range(blocks)), nn.Linear(width, 10)
    )


def glu(depth: int, width: int = 40) -> nn.Module:
    """Plain gated layers on the digits: half of each gates the other."""
    sizes = [64, *[width] * (depth - 2)]
    layers = [layer for before in sizes for layer in (nn.Linear(before, 2 * width), nn.GLU())]
    return nn.Sequential(*layers, nn.Linear(width, 10))


class Highway(nn.Module):
    """t·φ(W·x) + (1 − t)·x (Srivastava et al. 2015, arXiv 1505.00387), its gate drawn as any layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer, self.gate = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        t = torch.sigmoid(self.gate(x))
        return t * torch.relu(self.layer(x)) + (1 - t) * x


def highway(layers: int, width: int = 40) -> nn.Module:
    """Highway layers on the digits."""
    return nn.Sequential(nn.Linear(64, width), *(Highway(width) for _ in range(layers)), nn.Linear(width, 10))


# norms, residuals


def layer_normed(depth: int, width: int = 48) -> nn.Module:
    """Linear, layer norm, ReLU on the digits."""
    layers: list[nn.Module] = []
    for before in [64, *[width] * (depth - 2)]:
        layers += [nn.Linear(before, width), nn.LayerNorm(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def residual_tanh(blocks: int, width: int = 32) -> nn.Module:
    """Residual tanh blocks on the diabetes table."""
    return nn.Sequential(
        nn.Linear(10, width), *(Residual(width, nn.Tanh) for _ in range(blocks)), nn.Linear(width, 1)
    )


# tables, people and things


class TwoTower(nn.Module):
    """User and thing, each embedded and through a layer; the dot product rates."""

    def __init__(self, users: int = 60, items: int = 80, width: int = 16) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(users, width), nn.Embedding(items, width)
        self.user = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.item = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))

    def forward(self, ids: Tensor) -> Tensor:
        user, item = self.user(self.users(ids[..., 0])), self.item(self.items(ids[..., 1]))
        return (user * item).sum(-1)  # type: ignore[no-any-return]


class DeepFactors(nn.Module):
    """Fields alone, in pairs, and through an MLP, added: DeepFM (Guo et al. 2017, arXiv 1703.04247)."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.alone, self.vectors = nn.Embedding(FIELDS * VALUES, 1), nn.Embedding(FIELDS * VALUES, width)
        self.mlp = mlp([FIELDS * width, 32, 32, 1], nn.ReLU)

    def forward(self, ids: Tensor) -> Tensor:
        alone, x = self.alone(ids).sum((-2, -1)), self.vectors(ids)
        pairs = 0.5 * (x.sum(-2) ** 2 - (x**2).sum(-2)).sum(-1)
        return alone + pairs + self.mlp(x.flatten(-2))[..., 0]  # type: ignore[no-any-return]


def table(before: int, after: int, depth: int, activation: Activation = nn.ReLU) -> nn.Module:
    """An MLP of width 48 on a table's columns."""
    return mlp([before, *[48] * (depth - 1), after], activation)


BINARY = functional.binary_cross_entropy_with_logits


def policy_loss(output: Tensor, target: Tensor) -> Tensor:
    """−log odds of the action tried, weighted by its reward over the odds of trying it."""
    return -(torch.log_softmax(output, -1) * target).sum(-1).mean()


def equation_loss(output: Tensor, target: Tensor) -> Tensor:
    """(u″ − f)² by second differences, and ten times the squares of u at both ends."""
    before, here, after, left, right = output[..., 0].unbind(-1)
    second = (before - 2 * here + after) / STEP**2
    return ((second - target[..., 0]) ** 2).mean() + 10 * (left**2 + right**2).mean()


PROBLEMS = (
    Problem("swiglu6-residual", "gated", lambda: swiglu(6), digits, steps=150),
    Problem("glu6-digits", "gated", lambda: glu(6), digits, optimizer="sgd", steps=200),
    Problem("highway12", "gated", lambda: highway(12, 32), digits, optimizer="sgd", steps=200),
    Problem("mlp12-elu", "deep", deep(12, nn.ELU), digits, optimizer="sgd", steps=200),
    Problem("mlp8-softplus", "deep", deep(8, nn.Softplus), digits, steps=200),
    Problem("mlp15-hardswish", "deep", deep(15, nn.Hardswish), digits, steps=200),
    Problem("mlp8-layernorm", "normed", lambda: layer_normed(8), digits, optimizer="sgd", steps=200),
    Problem("residual10-tanh-table", "residual", lambda: residual_tanh(10), few_rows, MSE, steps=150),
    Problem("separable5-hardswish", "cnn", lambda: separable(5, 12), digits, steps=150, batch=32),
    Problem("densenet5", "cnn", lambda: densenet(5, 4), digits, steps=150, batch=24),
    Problem("strided-gelu-waves", "cnn", strided, waves, steps=150),
    Problem("squeeze3-excite", "residual", lambda: squeeze_excite(3, 8), digits, steps=150, batch=24),
    Problem(
        "groupnorm6-silu", "normed", lambda: group_normed(6, 9), digits, optimizer="sgd", steps=150, batch=24
    ),
    Problem("mixer2", "normed", lambda: Mixer(2), digits, steps=150, batch=16),
    Problem("vit2-class-token", "normed", lambda: Vit(2, 24), digits, steps=200, batch=12),
    Problem("llama2-rotary", "normed", lambda: llama(2), chain, token_loss, steps=150, batch=12),
    Problem("encoder3-norm-last", "post_norm", lambda: Encoder(3, 24), majority, steps=200, batch=16),
    Problem("unet-denoise", "decoder", lambda: UNet(4), noisy_digits, MSE, steps=150, batch=16),
    Problem("conv-autoencoder", "decoder", conv_autoencoder, own_digits, MSE, steps=200),
    Problem("variational", "decoder", Variational, digits_and_noise, variational_loss, steps=200),
    Problem("gru-waves", "recurrent", lambda: Gru(3, 32, 10), frames, steps=150, batch=24),
    Problem(
        "rnn2-both-ways", "recurrent", lambda: Bidirectional(6, 16, 2, 10), long_frames, steps=150, batch=16
    ),
    Problem("tcn-echo", "recurrent", tcn, echoes, MSE, steps=200, batch=12),
    Problem("deepset-area", "sets", DeepSet, point_sets, MSE, steps=200),
    Problem("graphconv3", "sets", GraphNet, communities, token_loss, steps=200, batch=32),
    Problem("coordinates6-leaky", "coordinates", lambda: mlp([2, *[48] * 5, 1], nn.LeakyReLU), picture, MSE),
    Problem("chirp5-relu", "coordinates", lambda: mlp([1, *[48] * 4, 1], nn.ReLU), chirp, MSE),
    Problem(
        "equation4-tanh", "coordinates", lambda: mlp([1, 32, 32, 32, 1], nn.Tanh), stencils, equation_loss
    ),
    Problem("two-tower", "embeddings", TwoTower, ratings, MSE),
    Problem("deep-factors", "embeddings", DeepFactors, clicks, BINARY, steps=200),
    Problem("siamese4", "shallow", lambda: Siamese(lambda: table(64, 8, 4)), digit_pairs, contrastive_loss),
    Problem("table4-heavy-tails", "table", lambda: table(12, 3, 4), heavy_tailed),
    Problem("table4-rare", "table", lambda: table(10, 1, 4), rare, BINARY),
    Problem("table5-tumours", "table", lambda: table(30, 1, 5), tumours, BINARY, optimizer="sgd", steps=150),
    Problem("table4-large-targets", "table", lambda: table(8, 4, 4, nn.GELU), large_targets, MSE),
    Problem("bandit4-policy", "table", lambda: table(8, 6, 4, nn.Tanh), bandit, policy_loss, steps=200),
)
