"""Images of the third set, and the networks that read or write them."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from regret_problem import Data, generator, split

SIDE = 12

# data


@lru_cache(maxsize=1)
def dice(count: int = 1600) -> Data:
    """Faces of a die, turned a little, moved and lit from a side, (n, 1, 12, 12); one to six pips."""
    g = generator(331)
    corner, middle = [(-1, -1), (1, 1), (-1, 1), (1, -1)], [(-1, 0), (1, 0)]
    faces = [[(0, 0)], corner[:2], [*corner[:2], (0, 0)], corner, [*corner, (0, 0)], [*corner, *middle]]
    far = 50.0  # where the pips lie that a face lacks
    pips = torch.tensor([[*face, *[(far, far)] * (6 - len(face))] for face in faces])
    kind = torch.randint(6, (count,), generator=g)
    angle = 0.4 * torch.randn(count, 1, generator=g)
    a, b = pips[kind].unbind(-1)
    moved = torch.stack([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)
    centre = 5.5 + 0.8 * torch.randn(count, 1, 2, generator=g)
    spots = (3.2 * moved + centre)[..., None, None]
    at = torch.arange(SIDE).float()
    distance = (at[:, None] - spots[:, :, 0]) ** 2 + (at - spots[:, :, 1]) ** 2
    face = torch.exp(-distance / 1.5).sum(1)
    light = torch.randn(count, 1, 1, generator=g) * (at / SIDE - 0.5)
    image = 2 * face - 0.5 + light + 0.25 * torch.randn(count, SIDE, SIDE, generator=g)
    return split(image[:, None], kind, 300)


@lru_cache(maxsize=1)
def arrows(count: int = 1600) -> Data:
    """Noisy arrowheads that point up, down, left or right, in two colours, (n, 2, 12, 12)."""
    g = generator(332)
    kind = torch.randint(4, (count,), generator=g)
    top, left = 2 + 2 * torch.rand(2, count, 1, 1, generator=g)
    at = torch.arange(SIDE).float()
    down, across = at[:, None] - top, at - left - 2.5
    image = ((down / 1.6 - across.abs() > -0.3) & (down >= 0) & (down < 6)).float()
    ways = torch.stack([image, image.flip(1), image.mT, image.mT.flip(2)])
    drawn = ways[kind, torch.arange(count)]
    tint = torch.randn(count, 2, 1, 1, generator=g)
    image = drawn[:, None] * (1 + 0.3 * tint) + 0.3 * torch.randn(count, 2, SIDE, SIDE, generator=g)
    return split((image - image.mean()) / image.std(), kind, 300)


def roads(count: int = 900) -> Data:
    """Winding roads over patchy land, (n, 1, 12, 12), and where they are, 0 or 1."""
    g = generator(333)
    at = torch.arange(SIDE).float()
    start, slope, bend = torch.randn(3, count, 1, generator=g)
    way = 5.5 + 2 * start + 0.3 * slope * (at - 5.5) + 1.2 * torch.sin(at / 2 + 3 * bend)
    mask = ((at[:, None] - way[:, None]).abs() < 1.1).float()
    mask = torch.where(torch.rand(count, 1, 1, generator=g) < 0.5, mask, mask.mT)
    patch = torch.randn(count, 1, 4, 4, generator=g).repeat_interleave(3, -1).repeat_interleave(3, -2)
    image = 1.5 * mask[:, None] + 0.7 * patch + 0.3 * torch.randn(count, 1, SIDE, SIDE, generator=g)
    return split(image, mask[:, None], 200)


def skies(count: int = 1500) -> Data:
    """Clouds as fields of noise, in bands, heaps, veils or waves, (n, 1, 12, 12); which of the four."""
    g = generator(334)
    kind = torch.randint(4, (count,), generator=g)
    f = torch.fft.fftfreq(SIDE) * SIDE
    y, x = f[:, None].abs(), f.abs()
    ring = torch.exp(-(((x**2 + y**2).sqrt() - 3) ** 2))
    spectra = torch.stack(
        [torch.exp(-x / 0.6 - y / 4), torch.exp(-(x**2 + y**2) / 8), 1 / (1 + x + y) ** 2, ring]
    )
    white = torch.randn(count, SIDE, SIDE, generator=g)
    field = torch.fft.ifft2(torch.fft.fft2(white) * spectra[kind]).real
    field = field / field.flatten(1).std(1)[:, None, None]
    return split((field + 0.3 * torch.randn(field.shape, generator=g))[:, None], kind, 300)


def rugs(count: int = 1500) -> Data:
    """Rugs of four tiles each way; a tile is one of five, and the rug's name is its most frequent."""
    g = generator(335)
    tiles = torch.randn(5, 3, 3, generator=g)
    kind = torch.randint(5, (count,), generator=g)
    laid = torch.randint(5, (count, 16), generator=g)
    laid = torch.where(torch.rand(count, 16, generator=g) < 0.35, kind[:, None], laid)
    image = tiles[laid].unflatten(1, (4, 4)).transpose(2, 3).reshape(count, 1, SIDE, SIDE)
    return split(image + 0.3 * torch.randn(image.shape, generator=g), kind, 300)


CODE = 4
"""Width of the variational autoencoder's waist."""


def faces(count: int = 1400) -> Data:
    """Drawn faces, 8 × 8, of changing eyes and mouth, a waist's noise beside, (n, 64 + 4); the faces."""
    g = generator(336)
    at = torch.arange(8).float()
    y, x = at[:, None], at
    eyes, wide, mouth, smile = torch.rand(4, count, 1, 1, generator=g)
    left = torch.exp(-((x - 2.5 + wide) ** 2 + (y - 1.5 - eyes) ** 2))
    right = torch.exp(-((x - 4.5 - wide) ** 2 + (y - 1.5 - eyes) ** 2))
    line = 5 + mouth + (smile - 0.5) * (x - 3.5).abs()
    lips = torch.exp(-2 * (y - line) ** 2) * ((x - 3.5).abs() < 2.6)
    face = (2 * (left + right + lips) - 0.6).flatten(1)
    return split(torch.cat([face, torch.randn(count, CODE, generator=g)], 1), face, 300)


# parts


def over_batch(channels: int) -> nn.Module:
    """Batch norm without running statistics."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


def conv3(c_in: int, c_out: int, stride: int = 1, groups: int = 1, bias: bool = True) -> nn.Conv2d:
    """3 × 3, the size kept but for the stride."""
    return nn.Conv2d(c_in, c_out, 3, stride, 1, groups=groups, bias=bias)


def pooled(channels: int, classes: int) -> list[nn.Module]:
    """Mean over the image, then a linear layer."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]


# convolutions


def plain(layers: int, channels: int, c_in: int, classes: int, act: type[nn.Module]) -> nn.Module:
    """A stride of 2, then convolutions of one width, no norm."""
    body: list[nn.Module] = [conv3(c_in, channels, stride=2), act()]
    for _ in range(layers - 1):
        body += [conv3(channels, channels), act()]
    return nn.Sequential(*body, *pooled(channels, classes))


def vgg() -> nn.Module:
    """Pairs of convolutions and maxima, 12 → 6 → 3; two hidden layers."""
    cfg: tuple[int | str, ...] = (4, 4, "M", 8, 8, "M", 12, 12)
    layers: list[nn.Module] = []
    c_in = 1
    for v in cfg:
        if isinstance(v, str):
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [conv3(c_in, v), nn.LeakyReLU(0.2)]
            c_in = v
    classifier = [nn.Linear(12 * 9, 32), nn.LeakyReLU(0.2), nn.Linear(32, 6)]
    return nn.Sequential(*layers, nn.Flatten(), *classifier)


class PreActBlock(nn.Module):
    """Norm and ReLU before both convolutions; a 1 × 1 shortcut where the width changes (arXiv 1603.05027)."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = over_batch(c_in), conv3(c_in, c_out, stride, bias=False)
        self.bn2, self.conv2 = over_batch(c_out), conv3(c_out, c_out, bias=False)
        changes = stride > 1 or c_in != c_out
        self.shortcut = nn.Conv2d(c_in, c_out, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.bn1(x))
        kept = x if self.shortcut is None else self.shortcut(out)
        out = self.conv2(functional.relu(self.bn2(self.conv1(out))))
        return kept + out  # type: ignore[no-any-return]


def preact_resnet() -> nn.Module:
    """A stem, four blocks of 6 to 12 channels, a last norm."""
    blocks = [PreActBlock(6, 6, 1), PreActBlock(6, 12, 2), PreActBlock(12, 12, 1), PreActBlock(12, 12, 1)]
    return nn.Sequential(conv3(1, 6, 2, bias=False), *blocks, over_batch(12), nn.ReLU(), *pooled(12, 6))


class ReZeroBlock(nn.Module):
    """x + α·conv(relu(conv(relu(x)))), α starting at 0 (arXiv 2003.04887)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv3(channels, channels), conv3(channels, channels)
        self.alpha = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        branch = self.conv2(functional.relu(self.conv1(functional.relu(x))))
        return x + self.alpha * branch  # type: ignore[no-any-return]


def rezero(blocks: int, channels: int = 8) -> nn.Module:
    """Gated residual blocks without norms."""
    body = (ReZeroBlock(channels) for _ in range(blocks))
    return nn.Sequential(conv3(2, channels, 2), *body, nn.ReLU(), *pooled(channels, 4))


class InvertedResidual(nn.Module):
    """Up by 1 × 1, depthwise, down by 1 × 1 without activation (arXiv 1801.04381)."""

    def __init__(self, inp: int, oup: int, stride: int, expand: int = 2) -> None:
        super().__init__()
        hidden = inp * expand
        self.use_res = stride == 1 and inp == oup
        self.conv = nn.Sequential(
            *(nn.Conv2d(inp, hidden, 1, bias=False), over_batch(hidden), nn.ReLU6()),
            *(conv3(hidden, hidden, stride, hidden, bias=False), over_batch(hidden), nn.ReLU6()),
            *(nn.Conv2d(hidden, oup, 1, bias=False), over_batch(oup)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res else self.conv(x)  # type: ignore[no-any-return]


def mobilenet() -> nn.Module:
    """A stem, three inverted residuals, a 1 × 1 layer."""
    stem = [conv3(1, 8, 2, bias=False), over_batch(8), nn.ReLU6()]
    body = [InvertedResidual(8, 8, 1), InvertedResidual(8, 12, 2), InvertedResidual(12, 12, 1)]
    return nn.Sequential(*stem, *body, nn.Conv2d(12, 24, 1), nn.ReLU6(), *pooled(24, 4))


class RoadUNet(nn.Module):
    """Two levels down by maxima, up by transposed convolutions, group norms (arXiv 1505.04597)."""

    def __init__(self, c: int = 4) -> None:
        super().__init__()
        self.enc1, self.enc2 = self.double(1, c), self.double(c, 2 * c)
        self.bottleneck = self.double(2 * c, 4 * c)
        self.up2 = nn.ConvTranspose2d(4 * c, 2 * c, 2, stride=2)
        self.dec2 = self.double(4 * c, 2 * c)
        self.up1 = nn.ConvTranspose2d(2 * c, c, 2, stride=2)
        self.dec1 = self.double(2 * c, c)
        self.final = nn.Conv2d(c, 1, 1)

    @staticmethod
    def double(c_in: int, c_out: int) -> nn.Module:
        """Convolution, norm and ReLU."""
        return nn.Sequential(conv3(c_in, c_out, bias=False), nn.GroupNorm(2, c_out), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        e1 = self.enc1(x)
        e2 = self.enc2(functional.max_pool2d(e1, 2))
        low = self.bottleneck(functional.max_pool2d(e2, 2))
        d2 = self.dec2(torch.cat([self.up2(low), e2], 1))
        return self.final(self.dec1(torch.cat([self.up1(d2), e1], 1)))  # type: ignore[no-any-return]


class DenseLayer(nn.Module):
    """Norm, ReLU, 1 × 1, norm, ReLU, 3 × 3, joined to what came (arXiv 1608.06993)."""

    def __init__(self, c_in: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = over_batch(c_in), nn.Conv2d(c_in, 2 * growth, 1, bias=False)
        self.norm2, self.conv2 = over_batch(2 * growth), conv3(2 * growth, growth, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(functional.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(functional.relu(self.norm2(y)))], 1)


def densenet_bc(growth: int = 4) -> nn.Module:
    """Two dense blocks of two layers, a transition that halves."""
    first = [DenseLayer(8, growth), DenseLayer(12, growth)]
    transition = [over_batch(16), nn.ReLU(), nn.Conv2d(16, 8, 1, bias=False), nn.AvgPool2d(2)]
    second = [DenseLayer(8, growth), DenseLayer(12, growth), over_batch(16), nn.ReLU()]
    return nn.Sequential(conv3(1, 8, 2, bias=False), *first, *transition, *second, *pooled(16, 4))


class DepthMixer(nn.Module):
    """x + norm(gelu(depthwise x)), then norm(gelu(pointwise)) (arXiv 2201.09792)."""

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = nn.Sequential(
            nn.Conv2d(dim, dim, kernel, groups=dim, padding="same"), nn.GELU(), over_batch(dim)
        )
        self.pointwise = nn.Sequential(nn.Conv2d(dim, dim, 1), nn.GELU(), over_batch(dim))

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(x + self.depthwise(x))  # type: ignore[no-any-return]


def convmixer(depth: int, dim: int = 12) -> nn.Module:
    """Patches of 3 × 3 and mixers of 3."""
    patches = [nn.Conv2d(1, dim, 3, stride=3), nn.GELU(), over_batch(dim)]
    return nn.Sequential(*patches, *(DepthMixer(dim, 3) for _ in range(depth)), *pooled(dim, 5))


# tokens


class VitBlock(nn.Module):
    """Norms first, torch's own attention, branches scaled from 10⁻² (arXiv 2103.17239)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, 3 * dim), nn.GELU(), nn.Linear(3 * dim, dim))
        self.ls1, self.ls2 = (nn.Parameter(1e-2 * torch.ones(dim)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.ls1 * self.attn(y, y, y, need_weights=False)[0]
        return x + self.ls2 * self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class ClassVit(nn.Module):
    """Patches of 4 × 4 by a convolution; class token and places drawn as truncated normals of .02."""

    def __init__(self, dim: int = 16, depth: int = 2, heads: int = 2, classes: int = 4) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(2, dim, 4, stride=4)
        self.cls_token = nn.Parameter(torch.empty(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.empty(1, 10, dim))
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.blocks = nn.Sequential(*(VitBlock(dim, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], 1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])  # type: ignore[no-any-return]


# autoencoder


class ConvVae(nn.Module):
    """Strided convolutions to a waist's mean and log variance; transposed ones back, SiLU."""

    def __init__(self, c: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *(conv3(1, c, 2), nn.SiLU(), conv3(c, 2 * c, 2), nn.SiLU(), nn.Flatten()),
            nn.Linear(8 * c, 2 * CODE),
        )
        self.decoder = nn.Sequential(
            *(nn.Linear(CODE, 8 * c), nn.SiLU(), nn.Unflatten(1, (2 * c, 2, 2))),
            *(nn.ConvTranspose2d(2 * c, c, 4, 2, 1), nn.SiLU(), nn.ConvTranspose2d(c, 1, 4, 2, 1)),
            nn.Flatten(),
        )

    def forward(self, x: Tensor) -> Tensor:
        image, noise = x[..., :64], x[..., 64:]
        mean, logvar = self.encoder(image.unflatten(-1, (1, 8, 8))).chunk(2, -1)
        code = mean + noise * torch.exp(0.5 * logvar)
        return torch.cat([self.decoder(code), mean, logvar], -1)


def free_energy(output: Tensor, target: Tensor) -> Tensor:
    """Squared error over a variance of .05, and the divergence, per pixel (arXiv 1312.6114, eq. 10)."""
    image, mean, logvar = output.split([64, CODE, CODE], -1)
    far = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(-1).mean()
    return ((image - target) ** 2).mean() / 0.1 + far / 64


def overlap_loss(output: Tensor, target: Tensor) -> Tensor:
    """Binary cross entropy and one less the soft Dice overlap."""
    odds = torch.sigmoid(output)
    shared = (odds * target).sum((1, 2, 3))
    both = odds.sum((1, 2, 3)) + target.sum((1, 2, 3))
    apart = 1 - ((2 * shared + 1) / (both + 1)).mean()
    return functional.binary_cross_entropy_with_logits(output, target) + apart
