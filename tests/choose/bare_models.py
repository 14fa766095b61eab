"""Models of bare parameters as users write them, each beside the one of layers that does the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

F = nn.functional


def bare(*shape: int) -> nn.Parameter:
    """A parameter with values that nobody would start with."""
    return nn.Parameter(7 * torch.randn(shape))


class Written(nn.Module):
    """A model of the given parameters and layers, and a forward over them."""

    def __init__(self, forward: Callable[..., Any], parts: dict[str, Any]) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.written = forward

    def forward(self, *given: Any) -> Any:
        return self.written(self, *given)


@dataclass(frozen=True)
class Pair:
    """A bare model, its twin of layers, an example, and the twin's name of each bare weight.

    `own` are axes of weights that no layer has so; `shape` turns a layer's weight into the bare one's.
    """

    bare: Callable[[], nn.Module]
    layers: Callable[[], nn.Module]
    example: Any
    twins: dict[str, str]
    axes: dict[str, str]
    biases: dict[str, str] = field(default_factory=dict)


def pair(
    forward: Callable[..., Any],
    parts: Callable[[], dict[str, Any]],
    twin: Callable[..., Any],
    layers: Callable[[], dict[str, Any]],
    example: Any,
    weights: dict[str, tuple[str, str]],
    biases: dict[str, str] | None = None,
) -> Pair:
    return Pair(
        lambda: Written(forward, parts()),
        lambda: Written(twin, layers()),
        example,
        {name: f"{layer}.weight" for name, (layer, _) in weights.items()},
        {name: axes for name, (_, axes) in weights.items()},
        {name: f"{layer}.bias" for name, layer in (biases or {}).items()},
    )


def _mlp(m: Any, x: Tensor) -> Tensor:
    x = torch.relu(x @ m.w1 + m.b1)
    x = torch.relu(F.linear(x, m.w2, m.b2))
    return x @ m.w3.T + m.b3


def _mlp_layers(m: Any, x: Tensor) -> Tensor:
    return m.l3(torch.relu(m.l2(torch.relu(m.l1(x)))))


def _deep(m: Any, x: Tensor) -> Tensor:
    for weight, bias in zip(m.ws, m.bs, strict=True):
        x = torch.tanh(x @ weight + bias)
    return x @ m.head["w"] + m.head["b"]


def _deep_layers(m: Any, x: Tensor) -> Tensor:
    for layer in m.ls:
        x = torch.tanh(layer(x))
    return m.head(x)


def _graph(m: Any, x: Tensor, adjacency: Tensor) -> Tensor:
    x = torch.relu(adjacency @ x @ m.w1 + m.b1)
    return adjacency @ (x @ m.w2) + m.b2


def _graph_layers(m: Any, x: Tensor, adjacency: Tensor) -> Tensor:
    return adjacency @ m.l2(torch.relu(m.l1(adjacency @ x)))


def _rnn(m: Any, x: Tensor) -> Tensor:
    h = torch.zeros(len(x), 16)
    for step in x.unbind(1):
        h = torch.tanh(step @ m.W + h @ m.U + m.b)
    return h @ m.V


def _rnn_layers(m: Any, x: Tensor) -> Tensor:
    h = torch.zeros(len(x), 16)
    for step in x.unbind(1):
        h = torch.tanh(m.x(step) + m.h(h))
    return m.out(h)


def _lstm(m: Any, x: Tensor) -> Tensor:
    h = c = torch.zeros(len(x), 16)
    for step in x.unbind(1):
        i, f, g, o = (step @ m.W + h @ m.U + m.b).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return h @ m.V


def _lstm_layers(m: Any, x: Tensor) -> Tensor:
    h = c = torch.zeros(len(x), 16)
    for step in x.unbind(1):
        i, f, g, o = (m.x(step) + m.h(h)).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return m.out(h)


def _gru(m: Any, x: Tensor) -> Tensor:
    h = torch.zeros(len(x), 16)
    for step in x.unbind(1):
        z = torch.sigmoid(step @ m.Wz + h @ m.Uz + m.bz)
        r = torch.sigmoid(step @ m.Wr + h @ m.Ur + m.br)
        h = (1 - z) * h + z * torch.tanh(step @ m.Wn + (r * h) @ m.Un + m.bn)
    return h @ m.V


def _gru_layers(m: Any, x: Tensor) -> Tensor:
    h = torch.zeros(len(x), 16)
    for step in x.unbind(1):
        z = torch.sigmoid(m.xz(step) + m.hz(h))
        r = torch.sigmoid(m.xr(step) + m.hr(h))
        h = (1 - z) * h + z * torch.tanh(m.xn(step) + m.hn(r * h))
    return m.out(h)


def _cells(gates: str, width: int) -> dict[str, Any]:
    found = {f"x{g}": nn.Linear(24, width) for g in gates}
    found |= {f"h{g}": nn.Linear(16, width, bias=False) for g in gates}
    return found | {"out": nn.Linear(16, 3, bias=False)}


def _attention(m: Any, x: Tensor) -> Tensor:
    q, k, v = (torch.einsum("btd,hdk->bhtk", x, weight) for weight in (m.q, m.k, m.v))
    mixed = torch.softmax(q @ k.transpose(-1, -2) / 2, -1) @ v
    return x + torch.einsum("bhtk,hkd->btd", mixed, m.o)


def _attention_layers(m: Any, x: Tensor) -> Tensor:
    q, k, v = (layer(x).unflatten(-1, (4, 4)).transpose(1, 2) for layer in (m.q, m.k, m.v))
    mixed = torch.softmax(q @ k.transpose(-1, -2) / 2, -1) @ v
    return x + m.o(mixed.transpose(1, 2).flatten(-2))


def _convolution(m: Any, x: Tensor) -> Tensor:
    x = torch.relu(F.conv2d(x, m.k1, m.b1, stride=2, padding=1))
    x = torch.relu(F.conv2d(x, m.k2, padding=1, groups=2) + m.b2[:, None, None])
    return x.mean((2, 3)) @ m.w


def _convolution_layers(m: Any, x: Tensor) -> Tensor:
    return m.w(torch.relu(m.k2(torch.relu(m.k1(x)))).mean((2, 3)))


def _transformer(m: Any, ids: Tensor) -> Tensor:
    x = m.table[ids] + m.positions
    h = F.layer_norm(x, (16,), m.g1, m.c1)
    q, k, v = (h @ m.qkv + m.bqkv).unflatten(-1, (3, 2, 8)).permute(2, 0, 3, 1, 4)
    x = x + F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(-2) @ m.o + m.bo
    h = F.layer_norm(x, (16,)) * m.g2 + m.c2
    x = x + (F.gelu(h @ m.f1 + m.bf1) @ m.f2 + m.bf2)
    return F.layer_norm(x, (16,), m.g3, m.c3) @ m.table.T


def _transformer_layers(m: Any, ids: Tensor) -> Tensor:
    x = m.table(ids) + m.positions
    h = m.n1(x)
    q, k, v = m.qkv(h).unflatten(-1, (3, 2, 8)).permute(2, 0, 3, 1, 4)
    x = x + m.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(-2))
    x = x + m.f2(F.gelu(m.f1(m.n2(x))))
    return m.n3(x) @ m.table.weight.T


def _transformer_parts() -> dict[str, Any]:
    norms = {name: bare(16) for name in ("g1", "c1", "g2", "c2", "g3", "c3")}
    weights = {"qkv": bare(16, 48), "o": bare(16, 16), "f1": bare(16, 64), "f2": bare(64, 16)}
    biases = {"bqkv": bare(48), "bo": bare(16), "bf1": bare(64), "bf2": bare(16)}
    return {"table": bare(40, 16), "positions": bare(6, 16), **norms, **weights, **biases}


def _adapter(m: Any, x: Tensor) -> Tensor:
    return torch.relu(x @ m.W + (x @ m.A) @ m.B * 0.5) @ m.V


def _adapter_layers(m: Any, x: Tensor) -> Tensor:
    return m.V(torch.relu(m.W(x) + m.B(m.A(x)) * 0.5))


def plain(inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias=False)


PAIRS = {
    "mlp": pair(
        _mlp,
        lambda: {
            **{"w1": bare(24, 64), "w2": bare(64, 64), "w3": bare(10, 64)},
            **{"b1": bare(64), "b2": bare(64), "b3": bare(10)},
        },
        _mlp_layers,
        lambda: {"l1": nn.Linear(24, 64), "l2": nn.Linear(64, 64), "l3": nn.Linear(64, 10)},
        "f32[256,24]",
        {"w1": ("l1", "io"), "w2": ("l2", "oi"), "w3": ("l3", "oi")},
        {"b1": "l1", "b2": "l2", "b3": "l3"},
    ),
    "thirty layers of tanh": pair(
        _deep,
        lambda: {
            "ws": nn.ParameterList([bare(32, 32) for _ in range(30)]),
            "bs": nn.ParameterList([bare(32) for _ in range(30)]),
            "head": nn.ParameterDict({"w": bare(32, 4), "b": bare(4)}),
        },
        _deep_layers,
        lambda: {"ls": nn.ModuleList([nn.Linear(32, 32) for _ in range(30)]), "head": nn.Linear(32, 4)},
        "f32[256,32]",
        {**{f"ws.{k}": (f"ls.{k}", "io") for k in range(30)}, "head.w": ("head", "io")},
        {**{f"bs.{k}": f"ls.{k}" for k in range(30)}, "head.b": "head"},
    ),
    "graph convolutions": pair(
        _graph,
        lambda: {"w1": bare(24, 32), "b1": bare(32), "w2": bare(32, 4), "b2": bare(4)},
        _graph_layers,
        lambda: {"l1": nn.Linear(24, 32), "l2": nn.Linear(32, 4)},
        ("f32[20,24]", "f32[20,20]"),
        {"w1": ("l1", "io"), "w2": ("l2", "io")},
        {"b1": "l1", "b2": "l2"},
    ),
    "rnn": pair(
        _rnn,
        lambda: {"W": bare(24, 16), "U": bare(16, 16), "b": bare(16), "V": bare(16, 3)},
        _rnn_layers,
        lambda: _cells("", 16) | {"x": nn.Linear(24, 16), "h": plain(16, 16)},
        "f32[128,5,24]",
        {"W": ("x", "io"), "U": ("h", "io"), "V": ("out", "io")},
        {"b": "x"},
    ),
    "lstm": pair(
        _lstm,
        lambda: {"W": bare(24, 64), "U": bare(16, 64), "b": bare(64), "V": bare(16, 3)},
        _lstm_layers,
        lambda: {"x": nn.Linear(24, 64), "h": plain(16, 64), "out": plain(16, 3)},
        "f32[128,5,24]",
        {"W": ("x", "io"), "U": ("h", "io"), "V": ("out", "io")},
        {"b": "x"},
    ),
    "gru": pair(
        _gru,
        lambda: {
            **{f"W{g}": bare(24, 16) for g in "zrn"},
            **{f"U{g}": bare(16, 16) for g in "zrn"},
            **{f"b{g}": bare(16) for g in "zrn"},
            "V": bare(16, 3),
        },
        _gru_layers,
        lambda: _cells("zrn", 16),
        "f32[128,5,24]",
        {
            **{f"W{g}": (f"x{g}", "io") for g in "zrn"},
            **{f"U{g}": (f"h{g}", "io") for g in "zrn"},
            "V": ("out", "io"),
        },
        {f"b{g}": f"x{g}" for g in "zrn"},
    ),
    "attention by heads": pair(
        _attention,
        lambda: {**{name: bare(4, 24, 4) for name in "qkv"}, "o": bare(4, 4, 24)},
        _attention_layers,
        lambda: {**{name: plain(24, 16) for name in "qkv"}, "o": plain(16, 24)},
        "f32[64,6,24]",
        {"q": ("q", "oio"), "k": ("k", "oio"), "v": ("v", "oio"), "o": ("o", "iio")},
    ),
    "convolutions": pair(
        _convolution,
        lambda: {
            **{"k1": bare(8, 3, 3, 3), "b1": bare(8), "k2": bare(16, 4, 3, 3)},
            **{"b2": bare(16), "w": bare(16, 4)},
        },
        _convolution_layers,
        lambda: {
            "k1": nn.Conv2d(3, 8, 3, stride=2, padding=1),
            "k2": nn.Conv2d(8, 16, 3, padding=1, groups=2),
            "w": plain(16, 4),
        },
        "f32[32,3,12,12]",
        {"k1": ("k1", "oihw"), "k2": ("k2", "oihw"), "w": ("w", "io")},
        {"b1": "k1", "b2": "k2"},
    ),
    "transformer": pair(
        _transformer,
        _transformer_parts,
        _transformer_layers,
        lambda: {
            **{"table": nn.Embedding(40, 16), "positions": bare(6, 16)},
            **{name: nn.LayerNorm(16) for name in ("n1", "n2", "n3")},
            **{"qkv": nn.Linear(16, 48), "o": nn.Linear(16, 16)},
            **{"f1": nn.Linear(16, 64), "f2": nn.Linear(64, 16)},
        },
        "i64[32,6]<40",
        {
            **{"table": ("table", "vo"), "qkv": ("qkv", "io"), "o": ("o", "io")},
            **{"f1": ("f1", "io"), "f2": ("f2", "io")},
        },
        {
            **{"bqkv": "qkv", "bo": "o", "bf1": "f1", "bf2": "f2"},
            **{"c1": "n1", "c2": "n2", "c3": "n3"},
        },
    ),
    "low-rank update": pair(
        _adapter,
        lambda: {"W": bare(32, 32), "A": bare(32, 4), "B": bare(4, 32), "V": bare(32, 3)},
        _adapter_layers,
        lambda: {"W": plain(32, 32), "A": plain(32, 4), "B": plain(4, 32), "V": plain(32, 3)},
        "f32[256,32]",
        {"W": ("W", "io"), "A": ("A", "io"), "B": ("B", "io"), "V": ("V", "io")},
    ),
}
