"""Networks of the third set for tables, people, functions and densities, and their losses."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class XTanh(nn.Module):
    """x·tanh(x)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.tanh(x)


class Snake(nn.Module):
    """x + sin²(αx)/α, α learned from 5 for each channel (arXiv 2006.08195)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.full((channels,), 5.0))

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.sin(self.alpha * x) ** 2 / self.alpha


def layers(act: Callable[[], nn.Module], sizes: list[int]) -> nn.Sequential:
    """Linear layers, an activation between."""
    found: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        found += [nn.Linear(before, after), act()]
    return nn.Sequential(*found[:-1])


def plain(act: Callable[[], nn.Module], columns: int, width: int, depth: int, after: int) -> nn.Module:
    """`depth` weights of one width."""
    return layers(act, [columns, *[width] * (depth - 1), after])


def snakes() -> nn.Module:
    """Five weights, snakes with their own frequencies between."""
    return layers(lambda: Snake(40), [1, 40, 40, 40, 40, 1])


# tables


class ClaimNet(nn.Module):
    """Embeddings of four categories beside normed columns; linear, ReLU, batch norm, thrice."""

    def __init__(self, sizes: tuple[int, ...] = (12, 5, 30, 3), columns: int = 5) -> None:
        super().__init__()
        widths = [min(16, round(1.6 * size**0.56)) for size in sizes]
        self.embeds = nn.ModuleList(
            nn.Embedding(size, width) for size, width in zip(sizes, widths, strict=True)
        )
        self.bn_cont = nn.BatchNorm1d(columns, track_running_stats=False)
        body: list[nn.Module] = []
        for before, after in itertools.pairwise((sum(widths) + columns, 48, 32, 16)):
            body += [nn.Linear(before, after, bias=False), nn.ReLU()]
            body.append(nn.BatchNorm1d(after, track_running_stats=False))
        self.layers = nn.Sequential(*body, nn.Linear(16, 1))

    def forward(self, x: Tensor) -> Tensor:
        fields, rest = x[..., : len(self.embeds)].long(), x[..., len(self.embeds) :]
        parts = [embed(fields[..., k]) for k, embed in enumerate(self.embeds)]
        return self.layers(torch.cat([*parts, self.bn_cont(rest)], -1))  # type: ignore[no-any-return]


class FieldNet(nn.Module):
    """A shared trunk, a head each for yield, crop and blight, side by side: (n, 1 + 4 + 1)."""

    def __init__(self, columns: int = 10, width: int = 40) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            *(nn.Linear(columns, width), nn.LayerNorm(width), nn.ReLU()),
            *(nn.Linear(width, width), nn.LayerNorm(width), nn.ReLU()),
        )
        self.gain, self.blight = nn.Linear(width, 1), nn.Linear(width, 1)
        self.crop = nn.Sequential(nn.Linear(width, 24), nn.ReLU(), nn.Linear(24, 4))

    def forward(self, x: Tensor) -> Tensor:
        h = self.trunk(x)
        return torch.cat([self.gain(h), self.crop(h), self.blight(h)], -1)


def three_tasks(output: Tensor, target: Tensor) -> Tensor:
    """Squared error, cross entropy and binary cross entropy, added."""
    gain = functional.mse_loss(output[..., 0], target[..., 0])
    crop = functional.cross_entropy(output[..., 1:5], target[..., 1].long())
    return gain + crop + functional.binary_cross_entropy_with_logits(output[..., 5], target[..., 2])


class Mixture(nn.Module):
    """A tanh net to weights, means and log deviations of four normals (Bishop 1994)."""

    def __init__(self, columns: int = 2, width: int = 40, kernels: int = 4) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(columns, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
        self.pi, self.mu, self.sigma = (nn.Linear(width, kernels) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        h = self.hidden(x)
        return torch.stack([self.pi(h), self.mu(h), self.sigma(h)], -2)


def mixture_loss(output: Tensor, target: Tensor) -> Tensor:
    """−log of the mixture's density; deviations no less than e⁻⁴."""
    pi, mu, sigma = output.unbind(-2)
    log_sigma = sigma.clamp(-4, 4)
    normal = -0.5 * ((target - mu) * torch.exp(-log_sigma)) ** 2 - log_sigma - 0.5 * math.log(2 * math.pi)
    return -torch.logsumexp(torch.log_softmax(pi, -1) + normal, -1).mean()


class RadialKan(nn.Module):
    """y_o = Σ c[o, i, k]·exp(−(x_i − t_k)²/h²) + (W·silu(x))_o: learned curves (arXiv 2405.06721)."""

    grid: Tensor

    def __init__(self, before: int, after: int, knots: int = 6) -> None:
        super().__init__()
        self.register_buffer("grid", torch.linspace(-2, 2, knots))
        self.coefficients = nn.Parameter(0.1 * torch.randn(after, before, knots))
        self.base_weight = nn.Parameter(torch.empty(after, before))
        nn.init.kaiming_uniform_(self.base_weight, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        bumps = torch.exp(-((1.25 * (x[..., None] - self.grid)) ** 2))
        curves = torch.einsum("nik,oik->no", bumps, self.coefficients)
        return curves + functional.linear(functional.silu(x), self.base_weight)


class ScratchNet(nn.Module):
    """A network as tutorials write it: matrices (in, out) of standard normals over 10, x @ W + b."""

    def __init__(self, columns: int = 34, hidden: int = 48, classes: int = 4) -> None:
        super().__init__()
        self.W1 = nn.Parameter(torch.randn(columns, hidden) / 10)
        self.W2 = nn.Parameter(torch.randn(hidden, hidden) / 10)
        self.W3 = nn.Parameter(torch.randn(hidden, hidden) / 10)
        self.W4 = nn.Parameter(torch.randn(hidden, classes) / 10)
        self.b1, self.b2, self.b3 = (nn.Parameter(torch.zeros(hidden)) for _ in range(3))
        self.b4 = nn.Parameter(torch.zeros(classes))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(x @ self.W1 + self.b1)
        x = torch.relu(x @ self.W2 + self.b2)
        x = torch.relu(x @ self.W3 + self.b3)
        return x @ self.W4 + self.b4


class TopTwoExperts(nn.Module):
    """A tensor of SwiGLU experts behind a residual; the gate's two largest count (arXiv 2401.04088)."""

    def __init__(self, dim: int, hidden: int, experts: int) -> None:
        super().__init__()
        self.norm, self.gate = nn.LayerNorm(dim), nn.Linear(dim, experts, bias=False)
        self.w1 = nn.Parameter(torch.empty(experts, dim, 2 * hidden))
        self.w2 = nn.Parameter(torch.empty(experts, hidden, dim))
        nn.init.normal_(self.w1, std=0.05)
        nn.init.normal_(self.w2, std=0.05)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        logits = self.gate(y)
        second = logits.topk(2, -1).values[..., 1:]
        weight = logits.masked_fill(logits < second, -1e9).softmax(-1)
        gate, up = torch.einsum("nd,edh->neh", y, self.w1).chunk(2, -1)
        out = torch.einsum("neh,ehd->ned", functional.silu(gate) * up, self.w2)
        return x + (weight[..., None] * out).sum(-2)  # type: ignore[no-any-return]


def experts(dim: int = 24) -> nn.Module:
    """Two layers of six experts."""
    body = [TopTwoExperts(dim, 24, 6), TopTwoExperts(dim, 24, 6)]
    return nn.Sequential(nn.Linear(6, dim), *body, nn.LayerNorm(dim), nn.Linear(dim, 2))


class LoopedNet(nn.Module):
    """One block six times: h ← norm(h + W₂·gelu(W₁·[h, x])), the input given anew each time."""

    def __init__(self, columns: int = 10, width: int = 32, classes: int = 5) -> None:
        super().__init__()
        self.enter = nn.Linear(columns, width)
        self.up, self.down = nn.Linear(width + columns, 48), nn.Linear(48, width)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        h = self.enter(x)
        for _ in range(6):
            h = self.norm(h + self.down(functional.gelu(self.up(torch.cat([h, x], -1)))))
        return self.head(h)  # type: ignore[no-any-return]


class HyperNet(nn.Module):
    """A net of what was seen gives the weights of a net of the place, 1 → 12 → 1, tanh (arXiv 1609.09106)."""

    def __init__(self, seen: int = 12, width: int = 48, inner: int = 12) -> None:
        super().__init__()
        self.inner = inner
        self.code = nn.Sequential(nn.Linear(seen, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.weights = nn.Linear(width, 3 * inner + 1)

    def forward(self, x: Tensor) -> Tensor:
        k = self.inner
        first, bias, last, offset = self.weights(self.code(x[..., :-1])).split([k, k, k, 1], -1)
        h = torch.tanh(first * x[..., -1:] + bias)
        return (last * h).sum(-1, keepdim=True) + offset  # type: ignore[no-any-return]


# densities


class Coupling(nn.Module):
    """Half the columns scaled and moved by a net of the other; its last layer starts at nought."""

    def __init__(self, columns: int, hidden: int, first: bool) -> None:
        super().__init__()
        self.half, self.first = columns // 2, first
        self.net = layers(nn.ReLU, [self.half, hidden, hidden, columns])
        last = self.net[-1]
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, moved = x.split(self.half, -1) if self.first else x.split(self.half, -1)[::-1]
        scale, shift = self.net(kept).chunk(2, -1)
        scale = torch.tanh(scale)
        moved = moved * torch.exp(scale) + shift
        parts = [kept, moved] if self.first else [moved, kept]
        return torch.cat(parts, -1), scale.sum(-1, keepdim=True)


class RealNvp(nn.Module):
    """Couplings by turns (arXiv 1605.08803): (n, columns + 1), the code and the log determinant."""

    def __init__(self, columns: int = 4, hidden: int = 24, couplings: int = 6) -> None:
        super().__init__()
        self.couplings = nn.ModuleList(Coupling(columns, hidden, k % 2 == 0) for k in range(couplings))

    def forward(self, x: Tensor) -> Tensor:
        volume = torch.zeros_like(x[..., :1])
        for coupling in self.couplings:
            x, more = coupling(x)
            volume = volume + more
        return torch.cat([x, volume], -1)


def likelihood_loss(output: Tensor, target: Tensor) -> Tensor:
    """−log density less its constant, by the change of variables."""
    return (0.5 * (output[..., :-1] ** 2).sum(-1) - output[..., -1]).mean()


class Denoiser(nn.Module):
    """A point and its noise's logarithm as sines, through residual SiLU layers: the noise."""

    def __init__(self, width: int = 48, blocks: int = 3) -> None:
        super().__init__()
        self.point = nn.Linear(2, width)
        self.time = nn.Sequential(nn.Linear(8, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(blocks)
        )
        self.out = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        angle = x[..., 2:] * torch.tensor([0.5, 1.0, 2.0, 4.0])
        time = self.time(torch.cat([angle.sin(), angle.cos()], -1))
        h = self.point(x[..., :2])
        for block in self.blocks:
            h = h + block(h + time)
        return self.out(functional.silu(h))  # type: ignore[no-any-return]


# people, things, moves


class BoatPolicy(nn.Module):
    """Tanh nets of policy and value apart, orthogonal: gain √2, .01 for the policy, 1 for the value."""

    def __init__(self, state: int = 6, actions: int = 3, width: int = 32) -> None:
        super().__init__()
        self.actor = layers(nn.Tanh, [state, width, width, actions])
        self.critic = layers(nn.Tanh, [state, width, width, 1])
        for net, last in ((self.actor, 0.01), (self.critic, 1.0)):
            for layer in net:
                if isinstance(layer, nn.Linear):
                    nn.init.orthogonal_(layer.weight, last if layer is net[-1] else math.sqrt(2))
                    nn.init.zeros_(layer.bias)

    def forward(self, state: Tensor) -> Tensor:
        return torch.cat([self.actor(state), self.critic(state)], -1)


def clipped_loss(output: Tensor, target: Tensor) -> Tensor:
    """The clipped surrogate, half the value's squared error, .01 of entropy (arXiv 1707.06347, eq. 9)."""
    log_odds = torch.log_softmax(output[..., :3], -1)
    ratio = torch.exp((log_odds * target[..., :3]).sum(-1) - target[..., 3])
    gain = torch.minimum(ratio * target[..., 4], ratio.clamp(0.5, 2.0) * target[..., 4])
    entropy = -(log_odds.exp() * log_odds).sum(-1)
    value = functional.mse_loss(output[..., 3], target[..., 5])
    return 0.5 * value - gain.mean() - 0.01 * entropy.mean()


class CrossNet(nn.Module):
    """x ← x₀ · (W·x + b) + x thrice, beside an MLP; fields embedded (arXiv 2008.13535)."""

    def __init__(self, fields: int = 5, values: int = 8, width: int = 6, dense: int = 3) -> None:
        super().__init__()
        self.fields, size = fields, fields * width + dense
        self.tables = nn.ModuleList(nn.Embedding(values, width) for _ in range(fields))
        self.cross = nn.ModuleList(nn.Linear(size, size) for _ in range(3))
        self.deep = nn.Sequential(nn.Linear(size, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
        self.logit = nn.Linear(size + 16, 1)

    def forward(self, x: Tensor) -> Tensor:
        ids = x[..., : self.fields].long()
        parts = [table(ids[..., k]) for k, table in enumerate(self.tables)]
        start = crossed = torch.cat([*parts, x[..., self.fields :]], -1)
        for cross in self.cross:
            crossed = start * cross(crossed) + crossed
        return self.logit(torch.cat([crossed, self.deep(start)], -1))[..., 0]  # type: ignore[no-any-return]


class BuyerTowers(nn.Module):
    """A buyer and the last thing bought through one net, a thing through another; (n, 2, d)."""

    def __init__(self, users: int = 80, items: int = 60, width: int = 12, d: int = 8) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(users, width), nn.Embedding(items, width)
        self.query = layers(nn.ReLU, [2 * width, 32, d])
        self.thing = layers(nn.ReLU, [width, 32, d])

    def forward(self, ids: Tensor) -> Tensor:
        who, last, now = ids.unbind(-1)
        query = self.query(torch.cat([self.user(who), self.item(last)], -1))
        return torch.stack([query, self.thing(self.item(now))], -2)


def in_batch_softmax(output: Tensor, target: Tensor) -> Tensor:
    """Each buyer's thing is to be found among those of 64 buyers."""
    query, thing = output.unflatten(-3, (-1, min(64, output.shape[-3]))).unbind(-2)
    logits = query @ thing.mT
    odds = torch.log_softmax(logits, -1)
    return -odds.diagonal(dim1=-2, dim2=-1).mean()


class VoicePrint(nn.Module):
    """One PReLU net for all takes; points of the unit sphere."""

    def __init__(self, columns: int = 20, width: int = 40, d: int = 8) -> None:
        super().__init__()
        self.encoder = layers(nn.PReLU, [columns, width, width, width, d])

    def forward(self, x: Tensor) -> Tensor:
        return functional.normalize(self.encoder(x), dim=-1)


def triplet_loss(output: Tensor, target: Tensor) -> Tensor:
    """max(0, |a − p|² − |a − n|² + .5) (arXiv 1503.03832, eq. 3)."""
    anchor, same, other = output.unbind(-2)
    near, far = ((anchor - same) ** 2).sum(-1), ((anchor - other) ** 2).sum(-1)
    return torch.relu(near - far + 0.5).mean()
