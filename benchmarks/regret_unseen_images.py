"""Networks of the unseen set that read or write images and signals."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class DepthSeparable(nn.Module):
    """A depthwise convolution of stride 2 and a pointwise one, leaky after each (arXiv 1704.04861)."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.dw = nn.Conv1d(c_in, c_in, 5, stride=2, padding=2, groups=c_in)
        self.pw = nn.Conv1d(c_in, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.pw(functional.leaky_relu(self.dw(x), 0.1)), 0.1)


def signal_autoencoder(width: int = 12, code: int = 8) -> nn.Module:
    """Separable convolutions from 32 places to 4, a code, transposed convolutions back."""
    encoder = nn.Sequential(
        nn.Conv1d(1, width, 3, padding=1),
        *(DepthSeparable(width, width), DepthSeparable(width, width), DepthSeparable(width, width)),
        *(nn.Flatten(), nn.Linear(4 * width, code)),
    )
    decoder = nn.Sequential(
        *(nn.Linear(code, 4 * width), nn.LeakyReLU(0.1), nn.Unflatten(1, (width, 4))),
        *(nn.ConvTranspose1d(width, width, 4, 2, 1), nn.LeakyReLU(0.1)),
        *(nn.ConvTranspose1d(width, width, 4, 2, 1), nn.LeakyReLU(0.1)),
        nn.ConvTranspose1d(width, 1, 4, 2, 1),
    )
    return nn.Sequential(encoder, decoder)


class CellUNet(nn.Module):
    """A U-Net without norms: halved once by stride, doubled by repeating, joined by concatenation."""

    def __init__(self, c: int = 6) -> None:
        super().__init__()
        self.inc = nn.Conv2d(1, c, 3, padding=1)
        self.down = nn.Conv2d(c, 2 * c, 3, stride=2, padding=1)
        self.mid = nn.Conv2d(2 * c, 2 * c, 3, padding=1)
        self.up = nn.Conv2d(2 * c, c, 3, padding=1)
        self.fuse = nn.Conv2d(2 * c, c, 3, padding=1)
        self.outc = nn.Conv2d(c, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x1 = functional.relu(self.inc(x))
        x2 = functional.relu(self.mid(functional.relu(self.down(x1))))
        x2 = x2.repeat_interleave(2, -1).repeat_interleave(2, -2)
        x2 = functional.relu(self.up(x2))
        return self.outc(functional.relu(self.fuse(torch.cat([x1, x2], -3))))  # type: ignore[no-any-return]


class DenseBeats(nn.Module):
    """A DenseNet over time: norm, ReLU, convolution, joined to all before; pooled; again."""

    def __init__(self, growth: int = 6, classes: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv1d(1, growth, 5, stride=2, padding=2)
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(k * growth, track_running_stats=False) for k in (1, 2, 3, 4)
        )
        self.convs = nn.ModuleList(
            nn.Conv1d(k * growth, growth, 3, padding=1, bias=False) for k in (1, 2, 3, 4)
        )
        self.classifier = nn.Linear(5 * growth, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for depth, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            x = torch.cat([x, conv(functional.relu(norm(x)))], -2)
            if depth == 1:
                x = functional.avg_pool1d(x, 2)
        return self.classifier(x.mean(-1))  # type: ignore[no-any-return]


class PatchAttention(nn.Module):
    """Self-attention by einsum, its four matrices plain parameters drawn as small normals."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.scale = 1 / math.sqrt(dim // heads)
        self.qkv = nn.Parameter(0.02 * torch.randn(3, heads, dim, dim // heads))
        self.proj = nn.Parameter(0.02 * torch.randn(heads, dim // heads, dim))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = torch.einsum("bnd,shde->sbhne", x, self.qkv).unbind(0)
        a = torch.einsum("bhne,bhme->bhnm", q, k).mul(self.scale).softmax(-1)
        return torch.einsum("bhnm,bhme,hed->bnd", a, v, self.proj)


class ClassBlock(nn.Module):
    """Norms first; the MLP thrice as wide."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = PatchAttention(dim, heads)
        self.fc1, self.fc2 = nn.Linear(dim, 3 * dim), nn.Linear(3 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.fc2(functional.gelu(self.fc1(self.norm2(x))))  # type: ignore[no-any-return]


class GlyphVit(nn.Module):
    """Patches of 4 × 4 by reshaping, a class token of zeros, learned places (arXiv 2010.11929)."""

    def __init__(self, dim: int = 32, depth: int = 2, classes: int = 6) -> None:
        super().__init__()
        self.to_patch = nn.Linear(16, dim)
        self.cls_token = nn.Parameter(torch.zeros(dim))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(10, dim))
        self.blocks = nn.ModuleList(ClassBlock(dim, 4) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, classes)

    def forward(self, img: Tensor) -> Tensor:
        patches = img.reshape(-1, 3, 4, 3, 4).transpose(2, 3).reshape(-1, 9, 16)
        x = self.to_patch(patches)
        x = torch.cat([self.cls_token.expand(x.shape[0], 1, -1), x], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, 0]))  # type: ignore[no-any-return]


class ScaledBlock(nn.Module):
    """x + γ₁·attention + γ₂·MLP, both of normed x, γ starting at .1 (LayerScale, arXiv 2103.17239)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.ln_a, self.ln_m = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.q, self.kv, self.o = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.SiLU(), nn.Linear(2 * dim, dim))
        self.gamma_a = nn.Parameter(torch.full((dim,), 0.1))
        self.gamma_m = nn.Parameter(torch.full((dim,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.ln_a(x)
        k, v = self.kv(y).chunk(2, -1)
        weight = torch.softmax(self.q(y) @ k.mT / math.sqrt(y.shape[-1]), -1)
        x = x + self.gamma_a * self.o(weight @ v)
        return x + self.gamma_m * self.mlp(self.ln_m(x))  # type: ignore[no-any-return]


class MeanVit(nn.Module):
    """A convolution cuts the patches; the mean of all tokens is read."""

    def __init__(self, dim: int = 24, depth: int = 3) -> None:
        super().__init__()
        self.patchify = nn.Conv2d(1, dim, 4, stride=4)
        self.pos = nn.Parameter(torch.zeros(9, dim))
        self.blocks = nn.Sequential(*(ScaledBlock(dim) for _ in range(depth)))
        self.ln, self.fc = nn.LayerNorm(dim), nn.Linear(dim, 2)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patchify(x).flatten(-2).mT + self.pos
        return self.fc(self.ln(self.blocks(tokens)).mean(-2))  # type: ignore[no-any-return]


class BarsVae(nn.Module):
    """An MLP to mean and log variance of a waist and back; the waist's noise comes with the input."""

    def __init__(self, pixels: int = 64, waist: int = 5, hidden: int = 48) -> None:
        super().__init__()
        self.pixels = pixels
        self.enc = nn.Sequential(nn.Linear(pixels, hidden), nn.ELU(), nn.Linear(hidden, hidden), nn.ELU())
        self.mu, self.logvar = nn.Linear(hidden, waist), nn.Linear(hidden, waist)
        self.dec = nn.Sequential(nn.Linear(waist, hidden), nn.ELU(), nn.Linear(hidden, pixels))

    def forward(self, x: Tensor) -> Tensor:
        image, noise = x[..., : self.pixels], x[..., self.pixels :]
        h = self.enc(image)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + noise * torch.exp(0.5 * logvar)
        return torch.cat([self.dec(z), mu, logvar], -1)


def evidence_loss(output: Tensor, target: Tensor) -> Tensor:
    """Negative evidence bound in nats a pixel (arXiv 1312.6114, eq. 10)."""
    pixels = target.shape[-1]
    mu, logvar = output[..., pixels:].chunk(2, -1)
    kept = functional.binary_cross_entropy_with_logits(output[..., :pixels], target)
    far = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(-1).mean()
    return kept + far / pixels
