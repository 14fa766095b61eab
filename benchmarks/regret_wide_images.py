"""Networks of the wide development set that read digits as images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

IMAGE = (1, 8, 8)


def conv(before: int, after: int, size: int = 3, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution that keeps the image's size, but for its stride."""
    return nn.Conv2d(before, after, size, stride, padding=size // 2, groups=groups)


def classifier(*body: nn.Module, channels: int) -> nn.Module:
    """Image layers, the mean over places, ten classes."""
    pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
    return nn.Sequential(nn.Unflatten(1, IMAGE), *body, *pooled)


def separable(blocks: int, channels: int = 16) -> nn.Module:
    """Depthwise then pointwise convolutions, hard-swish after both, no norm."""
    layers: list[nn.Module] = [conv(1, channels, stride=2), nn.Hardswish()]
    for _ in range(blocks):
        layers += [conv(channels, channels, groups=channels), nn.Hardswish()]
        layers += [conv(channels, channels, size=1), nn.Hardswish()]
    return classifier(*layers, channels=channels)


def group_normed(layers: int, channels: int = 12) -> nn.Module:
    """Convolution, group norm, SiLU."""
    body: list[nn.Module] = [conv(1, channels, stride=2)]
    for _ in range(layers - 1):
        body += [nn.GroupNorm(3, channels), nn.SiLU(), conv(channels, channels)]
    return classifier(*body, nn.GroupNorm(3, channels), nn.SiLU(), channels=channels)


class Joined(nn.Module):
    """x beside φ(W·x): a layer of DenseNet (Huang et al. 2017, arXiv 1608.06993), without its norm."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.layer = conv(channels, growth)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, torch.relu(self.layer(x))], -3)


def densenet(layers: int, growth: int = 6) -> nn.Module:
    """Every layer reads all before it."""
    joined = (Joined(8 + growth * k, growth) for k in range(layers))
    return classifier(conv(1, 8, stride=2), nn.ReLU(), *joined, channels=8 + growth * layers)


class Excited(nn.Module):
    """x + scaled residual: the channels' means gate them (Hu et al. 2018, arXiv 1709.01507)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.last = conv(channels, channels), conv(channels, channels)
        self.squeeze, self.excite = nn.Linear(channels, channels // 4), nn.Linear(channels // 4, channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.last(torch.relu(self.first(x)))
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(y.mean((-2, -1))))))
        return torch.relu(x + y * gate[..., None, None])


def squeeze_excite(blocks: int, channels: int = 12) -> nn.Module:
    """Residual blocks with gates on their channels."""
    return classifier(
        conv(1, channels, stride=2), nn.ReLU(), *(Excited(channels) for _ in range(blocks)), channels=channels
    )


class UNet(nn.Module):
    """Down twice, up twice by transposed convolutions, joined to what was there before; (n, 64) both ends."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        c = channels
        self.enter, self.down1, self.down2 = (
            conv(1, c),
            conv(c, 2 * c, stride=2),
            conv(2 * c, 4 * c, stride=2),
        )
        self.middle = conv(4 * c, 4 * c)
        self.up2 = nn.ConvTranspose2d(4 * c, 2 * c, 2, stride=2)
        self.join2 = conv(4 * c, 2 * c)
        self.up1 = nn.ConvTranspose2d(2 * c, c, 2, stride=2)
        self.join1, self.leave = conv(2 * c, c), nn.Conv2d(c, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        whole = torch.relu(self.enter(x.unflatten(-1, IMAGE)))
        half = torch.relu(self.down1(whole))
        quarter = torch.relu(self.middle(torch.relu(self.down2(half))))
        half = torch.relu(self.join2(torch.cat([self.up2(quarter), half], -3)))
        whole = torch.relu(self.join1(torch.cat([self.up1(half), whole], -3)))
        return self.leave(whole).flatten(-3)  # type: ignore[no-any-return]


def conv_autoencoder(channels: int = 8, waist: int = 8) -> nn.Module:
    """Strided convolutions to a waist of 8, transposed ones back, leaky ReLU."""
    flat = 2 * channels * 4
    return nn.Sequential(
        *(nn.Unflatten(1, IMAGE), conv(1, channels, stride=2), nn.LeakyReLU(0.1)),
        *(conv(channels, 2 * channels, stride=2), nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(flat, waist)),
        *(nn.Linear(waist, flat), nn.LeakyReLU(0.1), nn.Unflatten(1, (2 * channels, 2, 2))),
        *(nn.ConvTranspose2d(2 * channels, channels, 4, 2, 1), nn.LeakyReLU(0.1)),
        *(nn.ConvTranspose2d(channels, 1, 4, 2, 1), nn.Flatten()),
    )


class Mixing(nn.Module):
    """MLP over places, then over channels, norms first (Tolstikhin et al. 2021, arXiv 2105.01601)."""

    def __init__(self, places: int, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.over_places = nn.Sequential(nn.Linear(places, 24), nn.GELU(), nn.Linear(24, places))
        self.over_channels = nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.over_places(self.norm1(x).transpose(-1, -2)).transpose(-1, -2)
        return x + self.over_channels(self.norm2(x))  # type: ignore[no-any-return]


class Mixer(nn.Module):
    """Digits as 16 patches of 2 × 2, mixed."""

    def __init__(self, layers: int, width: int = 24) -> None:
        super().__init__()
        self.patches = conv_patches(width)
        self.layers = nn.Sequential(*(Mixing(16, width) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x.unflatten(-1, IMAGE)).flatten(-2).transpose(-1, -2)
        return self.head(self.norm(self.layers(x)).mean(-2))  # type: ignore[no-any-return]


def conv_patches(width: int) -> nn.Conv2d:
    """Patches of 2 × 2 to vectors."""
    return nn.Conv2d(1, width, 2, stride=2)


class Variational(nn.Module):
    """Encoder to mean and log variance, a sample by the noise that is given, decoder (arXiv 1312.6114).

    Gives back (n, 64 + 2·waist): the digit, then mean and log variance, for the loss.
    """

    def __init__(self, width: int = 48, waist: int = 6) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.mean, self.spread = nn.Linear(width, waist), nn.Linear(width, waist)
        self.decode = nn.Sequential(nn.Linear(waist, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.head = nn.Linear(width, 64)

    def forward(self, x: Tensor) -> Tensor:
        digit, noise = x[..., :64], x[..., 64:]
        h = self.encode(digit)
        mean, log_variance = self.mean(h), self.spread(h)
        sample = mean + torch.exp(0.5 * log_variance) * noise
        return torch.cat([self.head(self.decode(sample)), mean, log_variance], -1)


def variational_loss(output: Tensor, target: Tensor) -> Tensor:
    """Squared error and a twentieth of the divergence from the standard normal, per pixel."""
    digit, rest = output[..., :64], output[..., 64:]
    mean, log_variance = rest.chunk(2, -1)
    divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1).mean()
    return functional.mse_loss(digit, target) + 0.05 * divergence / 64


class Siamese(nn.Module):
    """The distance between two digits' embeddings."""

    def __init__(self, build: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.embed = build()

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.embed(x[..., 0, :]), self.embed(x[..., 1, :])
        return ((first - second) ** 2).sum(-1).add(1e-6).sqrt()  # type: ignore[no-any-return]


def contrastive_loss(output: Tensor, target: Tensor) -> Tensor:
    """Same: distance²; different: (1 − distance)² below 1 (Hadsell, Chopra, LeCun 2006, eq. 4)."""
    return (target * output**2 + (1 - target) * torch.relu(1 - output) ** 2).mean()
