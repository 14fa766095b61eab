"""Classics that make, code or transform: name → (constructor, example)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

Built = Callable[[], nn.Module]
IMAGES = "f32[8,3,32,32]"


def dcgan() -> nn.Module:
    """Radford et al. 2015: the generator, its weights N(0, 0.02²)."""
    layers: list[nn.Module] = [nn.Unflatten(1, (64, 1, 1))]
    for inner, outer, stride, pad in ((64, 64, 1, 0), (64, 32, 2, 1), (32, 16, 2, 1)):
        layers += [
            nn.ConvTranspose2d(inner, outer, 4, stride, pad, bias=False),
            nn.BatchNorm2d(outer),
            nn.ReLU(),
        ]
    net = nn.Sequential(*layers, nn.ConvTranspose2d(16, 3, 4, 2, 1, bias=False), nn.Tanh())
    for module in net:
        if isinstance(module, nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    return net


def critic(norm: Callable[[int], nn.Module], last: int = 4) -> Built:
    """WGAN-GP's critic (Gulrajani et al. 2017); pix2pix's patches (Isola et al. 2016)."""

    def build() -> nn.Module:
        layers: list[nn.Module] = [nn.Conv2d(3, 32, 4, 2, 1), nn.LeakyReLU(0.2)]
        for inner, outer in ((32, 64), (64, 96)):
            layers += [nn.Conv2d(inner, outer, 4, 2, 1), norm(outer), nn.LeakyReLU(0.2, inplace=True)]
        return nn.Sequential(*layers, nn.Conv2d(96, 1, last))

    return build


class Modulated(nn.Module):
    """StyleGAN 2 (Karras et al. 2019): weights scaled by a style and demodulated, noise added."""

    def __init__(self, inner: int, outer: int, style: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outer, inner, 3, 3))
        self.style, self.scale = nn.Linear(style, inner), 1 / math.sqrt(9 * inner)
        nn.init.ones_(self.style.bias)
        self.strength, self.bias = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(outer))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        b, c, h, v = x.shape
        weight = self.scale * self.weight * self.style(w).view(b, 1, c, 1, 1)
        weight = weight * torch.rsqrt(weight.pow(2).sum((2, 3, 4), keepdim=True) + 1e-8)
        y = F.conv2d(x.reshape(1, b * c, h, v), weight.flatten(0, 1), padding=1, groups=b).view(b, -1, h, v)
        y = y + self.strength * torch.randn(b, 1, h, v) + self.bias.view(1, -1, 1, 1)
        return F.leaky_relu(y, 0.2) * math.sqrt(2)


class StyleGan(nn.Module):
    """A mapping net, a learned constant, modulated convolutions."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.mapping = nn.Sequential(
            *(part for _ in range(3) for part in (nn.Linear(width, width), nn.LeakyReLU(0.2)))
        )
        self.constant = nn.Parameter(torch.randn(1, width, 4, 4))
        self.layers = nn.ModuleList(Modulated(width, width, width) for _ in range(3))
        self.last = nn.Conv2d(width, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        w = self.mapping(z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt())
        x = self.constant.expand(z.shape[0], -1, -1, -1)
        for layer in self.layers:
            x = layer(F.interpolate(x, scale_factor=2, mode="bilinear"), w)
        return self.last(x)


class Vae(nn.Module):
    """Kingma & Welling 2013: a mean, a log variance, a draw."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(96, 128), nn.ReLU())
        self.mean, self.log, self.decode = (
            nn.Linear(128, 16),
            nn.Linear(128, 16),
            nn.Sequential(nn.Linear(16, 128), nn.ReLU(), nn.Linear(128, 96)),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = self.encode(x)
        mean, log = self.mean(h), self.log(h)
        return self.decode(mean + torch.randn_like(mean) * (log / 2).exp()).sigmoid(), mean, log


def autoencoder() -> nn.Module:
    """Down and up by convolutions."""
    down = [nn.Conv2d(3, 24, 4, 2, 1), nn.ReLU(), nn.Conv2d(24, 48, 4, 2, 1), nn.ReLU()]
    up = [nn.ConvTranspose2d(48, 24, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(24, 3, 4, 2, 1), nn.Sigmoid()]
    return nn.Sequential(*down, *up)


class Pix2Pix(nn.Module):
    """Isola et al. 2016: instance norms, skips, dropout on the way up."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 4, 2, 1)
        self.second = nn.Sequential(
            nn.LeakyReLU(0.2), nn.Conv2d(width, 2 * width, 4, 2, 1), nn.InstanceNorm2d(48)
        )
        self.inner = nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(2 * width, 2 * width, 4, 2, 1), nn.ReLU())
        self.up1 = nn.Sequential(
            nn.ConvTranspose2d(2 * width, 2 * width, 4, 2, 1), nn.InstanceNorm2d(48), nn.Dropout()
        )
        self.up2 = nn.Sequential(
            nn.ReLU(), nn.ConvTranspose2d(4 * width, width, 4, 2, 1), nn.InstanceNorm2d(24)
        )
        self.last = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * width, 3, 4, 2, 1), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        one = self.first(x)
        other = self.second(one)
        up = self.up1(self.inner(other))
        return self.last(torch.cat([self.up2(torch.cat([up, other], 1)), one], 1))


class Coupling(nn.Module):
    """RealNVP (Dinh et al. 2016): one half scales and shifts the other."""

    def __init__(self, width: int, flip: bool) -> None:
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(
            nn.Linear(width // 2, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, width)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        one, other = x.chunk(2, -1)
        if self.flip:
            one, other = other, one
        log, shift = self.net(one).chunk(2, -1)
        log = log.tanh()
        other = other * log.exp() + shift
        return torch.cat([other, one] if self.flip else [one, other], -1), log.sum(-1)


class RealNvp(nn.Module):
    """Couplings, and the log of the determinant."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(Coupling(32, bool(n % 2)) for n in range(4))

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros(x.shape[0])
        for part in self.parts:
            x, log = part(x)
            total = total + log
        return (-0.5 * x.square().sum(-1) + total).mean()


class Glow(nn.Module):
    """Kingma & Dhariwal 2018: actnorm, an orthogonal 1×1 convolution, a convolutional coupling."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.log, self.shift = (
            nn.Parameter(torch.zeros(1, width, 1, 1)),
            nn.Parameter(torch.zeros(1, width, 1, 1)),
        )
        self.mix = nn.Parameter(nn.init.orthogonal_(torch.empty(width, width)))
        self.net = nn.Sequential(
            nn.Conv2d(width // 2, 64, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 64, 1),
            nn.ReLU(),
            nn.Conv2d(64, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = (F.pixel_unshuffle(x, 2) + self.shift) * self.log.exp()
        one, other = F.conv2d(x, self.mix[:, :, None, None]).chunk(2, 1)
        scale, shift = self.net(one).chunk(2, 1)
        return F.pixel_shuffle(torch.cat([one, (other + shift) * (scale + 2).sigmoid()], 1), 2)


class Ode(nn.Module):
    """A neural ODE (Chen et al. 2018): one field, four Runge–Kutta steps."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(16, width), nn.Linear(width, 10)
        self.field = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        h, step = self.first(x), 0.25
        for _ in range(4):
            k1 = self.field(h)
            k2 = self.field(h + step / 2 * k1)
            k3 = self.field(h + step / 2 * k2)
            h = h + step / 6 * (k1 + 2 * k2 + 2 * k3 + self.field(h + step * k3))
        return self.last(h)


class Timed(nn.Module):
    """A residual block that a time embedding shifts."""

    def __init__(self, inner: int, outer: int, time: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.time = (
            nn.GroupNorm(4, inner),
            nn.GroupNorm(4, outer),
            nn.Linear(time, outer),
        )
        self.conv1, self.conv2 = (
            nn.Conv2d(inner, outer, 3, padding=1),
            nn.Conv2d(outer, outer, 3, padding=1),
        )
        self.shortcut = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x))) + self.time(F.silu(t))[:, :, None, None]
        return self.shortcut(x) + self.conv2(F.silu(self.norm2(h)))


class Diffusion(nn.Module):
    """DDPM's U-Net (Ho et al. 2020), small: sinusoidal time, skips, attention at the bottom."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(32, 64), nn.SiLU(), nn.Linear(64, 64))
        self.first, self.down = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, width, 3, 2, 1)
        self.one, self.two, self.three = (
            Timed(width, width, 64),
            Timed(width, 48, 64),
            Timed(48 + width, width, 64),
        )
        self.attention = nn.MultiheadAttention(48, 4, batch_first=True)
        self.last = nn.Sequential(nn.GroupNorm(4, width), nn.SiLU(), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, x: Tensor, steps: Tensor) -> Tensor:
        waves = torch.exp(-math.log(10000) * torch.arange(16) / 16)
        angles = steps[:, None] * waves
        t = self.time(torch.cat([angles.sin(), angles.cos()], -1))
        one = self.one(self.first(x), t)
        deep = self.two(self.down(one), t)
        tokens = deep.flatten(2).transpose(1, 2)
        deep = deep + self.attention(tokens, tokens, tokens)[0].transpose(1, 2).unflatten(2, deep.shape[2:])
        up = F.interpolate(deep, scale_factor=2.0, mode="nearest")
        return self.last(self.three(torch.cat([up, one], 1), t))


class Masked(nn.Conv2d):
    """PixelCNN (van den Oord et al. 2016): no weight sees what comes later."""

    def __init__(self, inner: int, outer: int, size: int, own: bool) -> None:
        super().__init__(inner, outer, size, padding=size // 2)
        mask = torch.ones(size, size)
        mask[size // 2, size // 2 + own :] = 0
        mask[size // 2 + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


def pixelcnn() -> nn.Module:
    layers: list[nn.Module] = [Masked(3, 32, 7, False), nn.ReLU()]
    for _ in range(3):
        layers += [Masked(32, 32, 3, True), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(32, 16, 1))


class Capsules(nn.Module):
    """Sabour et al. 2017: squashed vectors, three rounds of routing by agreement."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.first = nn.Conv2d(3, 32, 9), nn.Conv2d(32, 64, 9, 2)
        self.votes = nn.Parameter(0.1 * torch.randn(10, 8 * 64, 8, 16))

    @staticmethod
    def squash(x: Tensor) -> Tensor:
        size = x.square().sum(-1, keepdim=True)
        return size / (1 + size) * x / (size + 1e-8).sqrt()

    def forward(self, x: Tensor) -> Tensor:
        low = self.squash(self.first(F.relu(self.stem(x))).unflatten(1, (8, 8)).flatten(2).transpose(1, 2)
                          .reshape(x.shape[0], -1, 8))  # fmt: skip
        votes = torch.einsum("bid,cide->bcie", low, self.votes)
        logits = torch.zeros(votes.shape[:3])
        for round_ in range(3):
            out = self.squash((logits.softmax(1)[..., None] * votes).sum(2))
            if round_ < 2:
                logits = logits + (votes * out[:, :, None]).sum(-1)
        return out.norm(dim=-1)


class Transformed(nn.Module):
    """STN (Jaderberg et al. 2015): a net says how to look at the image; it begins at the identity."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(3, 16, 5, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 49, 6)
        )
        nn.init.zeros_(self.look[-1].weight)
        self.look[-1].bias.data.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))
        self.net = nn.Sequential(
            nn.Conv2d(3, 24, 5, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        grid = F.affine_grid(self.look(x).view(-1, 2, 3), list(x.shape), align_corners=False)
        return self.net(F.grid_sample(x, grid, align_corners=False))


GENERATIVE: dict[str, tuple[Built, Any]] = {
    "DCGAN": (dcgan, "f32[16,64]"),
    "WGAN critic": (critic(lambda c: nn.GroupNorm(1, c)), IMAGES),
    "pix2pix critic": (critic(nn.BatchNorm2d, 3), IMAGES),
    "pix2pix": (Pix2Pix, "f32[2,3,32,32]"),
    "StyleGAN 2": (StyleGan, "f32[4,32]"),
    "VAE": (Vae, "f32[32,96]"),
    "autoencoder": (autoencoder, IMAGES),
    "RealNVP": (RealNvp, "f32[64,32]"),
    "Glow": (Glow, "f32[8,3,16,16]"),
    "neural ODE": (Ode, "f32[64,16]"),
    "diffusion U-Net": (Diffusion, ("f32[4,3,16,16]", "i64[4]<1000")),
    "PixelCNN": (pixelcnn, "f32[4,3,16,16]"),
    "capsules": (Capsules, IMAGES),
    "STN": (Transformed, IMAGES),
}
