"""init_ with mimetic_attention: the products that were prescribed, however the model stores its matrices."""

import numpy as np
import pytest

from initwise import Fill, fill, init_, scheme
from initwise.core.errors import FillError, ModelError, OptionError, UnsupportedError
from initwise.frameworks.initialize import plan_for
from initwise.frameworks.numpy import ArrayTree

torch = pytest.importorskip("torch")
nn = torch.nn
D, H = 12, 3


class Separate(nn.Module):
    names = ("q_proj", "k_proj", "v_proj", "proj")

    def __init__(self, bias=True):
        super().__init__()
        self.num_heads = H
        self.q_proj, self.k_proj = nn.Linear(D, D, bias=bias), nn.Linear(D, D, bias=bias)
        self.v_proj, self.proj = nn.Linear(D, D, bias=bias), nn.Linear(D, D, bias=bias)


class Fused(nn.Module):
    def __init__(self):
        super().__init__()
        self.num_heads = H
        self.qkv, self.proj = nn.Linear(D, 3 * D), nn.Linear(D, D)


class Conv1D(nn.Module):
    """As transformers' GPT-2 stores a linear layer: (in, out)."""

    def __init__(self, nf, nx):
        super().__init__()
        self.nf = nf
        self.weight, self.bias = nn.Parameter(torch.randn(nx, nf)), nn.Parameter(torch.zeros(nf))


def separate(attn):
    return [getattr(attn, name).weight.double().numpy().T for name in Separate.names]


def fused(attn):
    return [*np.split(attn.qkv.weight.double().numpy().T, 3, axis=1), attn.proj.weight.double().numpy().T]


def torchs(attn):
    return [
        *np.split(attn.in_proj_weight.double().numpy().T, 3, axis=1),
        attn.out_proj.weight.double().numpy().T,
    ]


KINDS = {
    "separate": (Separate, separate, {}),
    "fused": (Fused, fused, {"fused": "thirds"}),
    "MultiheadAttention": (lambda: nn.MultiheadAttention(D, H), torchs, {}),
}


class Model(nn.Module):
    def __init__(self, make, depth=2, dtype=torch.float64):
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleDict({"attn": make(), "mlp": nn.Linear(D, D), "norm": nn.LayerNorm(D)})
            for _ in range(depth)
        )
        self.to(dtype).requires_grad_(True)


def drawn(model, layer, kind):
    """Z of the heads and of values and output, from the streams that the Ledger's names say."""
    first = {"separate": "q_proj.weight", "fused": "qkv.weight", "MultiheadAttention": "in_proj_weight"}[kind]
    name = f"blocks.{layer}.attn.{first}"
    sizes = (("heads", (H, D, D)), ("joint", (D, D)))
    return [fill(np.empty(size), Fill.normal(), name=f"{name}#{what}", seed=5) for what, size in sizes]


@pytest.mark.parametrize("kind", KINDS)
def test_products_are_those_prescribed_in_row_vectors(kind):
    make, matrices, options = KINDS[kind]
    model = Model(make)
    chosen = scheme("mimetic_attention", alpha=0.6, beta=0.5, value_alpha=0.3, value_beta=0.2, **options)
    with torch.no_grad():
        init_(model, chosen, seed=5)
        for layer, block in enumerate(model.blocks):
            q, k, v, out = matrices(block["attn"])
            heads, joint = drawn(model, layer, kind)
            np.testing.assert_allclose(v @ out, 0.3 * joint / D**0.5 - 0.2 * np.eye(D), atol=1e-13)
            for head, z in enumerate(heads):
                columns = slice(head * D // H, (head + 1) * D // H)
                target = 0.6 * z / D**0.5 + 0.5 * np.eye(D)
                u, sigma, vt = np.linalg.svd(target)
                best = (u[:, : D // H] * sigma[: D // H]) @ vt[: D // H]
                np.testing.assert_allclose(q[:, columns] @ k[:, columns].T, best, atol=1e-13)


def test_the_model_itself_attends_by_these_products():
    """One head of full rank: logits x·(αZ/√d + βI)·xᵀ/√d, as torch's own attention computes them."""
    attn = nn.MultiheadAttention(D, 1, bias=False, batch_first=True, dtype=torch.float64)
    model = nn.ModuleDict({"attn": attn})
    init_(model, scheme("mimetic_attention", alpha=0.0, beta=0.7, value_alpha=0.0, value_beta=0.4), seed=1)
    x = torch.randn(1, 5, D, dtype=torch.float64)
    found, _ = attn(x, x, x)
    weights = torch.softmax(0.7 * x @ x.transpose(1, 2) / D**0.5, dim=-1)
    torch.testing.assert_close(found, -0.4 * weights @ x, atol=1e-12, rtol=0)


def test_matrices_stored_in_by_out_hold_the_transpose():
    attn = nn.Module()
    attn.num_heads, attn.c_attn, attn.c_proj = H, Conv1D(3 * D, D), Conv1D(D, D)
    model = nn.ModuleDict({"h": nn.ModuleList([nn.ModuleDict({"attn": attn})])})
    init_(model, scheme("mimetic_attention", fused="thirds", value_alpha=0.0), seed=5)
    with torch.no_grad():
        v = attn.c_attn.weight[:, 2 * D :]
        torch.testing.assert_close(v @ attn.c_proj.weight, -0.4 * torch.eye(D), atol=1e-6, rtol=0)


def test_the_rest_is_kept_and_the_ledger_says_so():
    model = Model(Separate, dtype=torch.float32)
    before = {name: tensor.clone() for name, tensor in model.named_parameters()}
    ledger = init_(model, "mimetic", seed=2)
    filled = {entry.name for entry in ledger.filled}
    assert filled == {f"blocks.{layer}.attn.{name}.weight" for layer in range(2) for name in Separate.names}
    after = dict(model.named_parameters())
    assert all(torch.equal(before[name], after[name]) != (name in filled) for name in before)
    entry = next(entry for entry in ledger.entries if entry.name == "blocks.0.mlp.weight")
    assert (entry.status, entry.reason) == ("kept", "mimetic_attention is about the matrices of attention")
    assert "mimetic_attention, 3 heads: W_Q·W_Kᵀ ≈ αZ + βI per head" in ledger.filled[0].reason
    again = Model(Separate, dtype=torch.float32)
    assert init_(again, "mimetic", seed=2).digest == ledger.digest
    assert init_(again, "mimetic", seed=3).digest != ledger.digest


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_lower_precisions_are_rounded_from_float64_once(dtype):
    full, low = Model(Separate), Model(Separate, dtype=dtype)
    init_(full, "mimetic", seed=2)
    init_(low, "mimetic", seed=2)
    assert torch.equal(low.blocks[1]["attn"].k_proj.weight, full.blocks[1]["attn"].k_proj.weight.to(dtype))


def headless():
    model = Model(Separate)
    for block in model.blocks:
        del block["attn"].num_heads
    return model


def narrow_keys():
    model = Model(Separate)
    model.blocks[1]["attn"].k_proj = nn.Linear(D, 4)
    return model


def without(name):
    model = Model(Separate)
    delattr(model.blocks[1]["attn"], name)
    return model


def frozen(*names):
    model = Model(Separate)
    for name, tensor in model.named_parameters():
        tensor.requires_grad_(not name.endswith(names))
    return model


def normed():
    model = Model(Separate)
    nn.utils.parametrizations.weight_norm(model.blocks[1]["attn"].v_proj)
    return model


BAD = {
    "no attention": (lambda: nn.Sequential(nn.Linear(4, 4)), {}, ModelError, "the model has no attention"),
    "no heads": (headless, {}, FillError, r"heads is unknown.*heads=12"),
    "heads that do not divide": (headless, {"heads": 5}, FillError, "5 heads and width 12"),
    "fewer keys": (
        narrow_keys,
        {},
        ModelError,
        r"blocks\.1\.attn\.k_proj\.weight: key \(4, 12\) beside output",
    ),
    "no values": (
        lambda: without("v_proj"),
        {},
        ModelError,
        r"blocks\.1\.attn: attention with query, key and no val",
    ),
    "no output": (lambda: without("proj"), {}, ModelError, r"and no output of its own"),
    "fused, not told apart": (lambda: Model(Fused), {}, ModelError, 'fused="thirds"'),
    "half frozen": (
        lambda: frozen("k_proj.weight"),
        {},
        ModelError,
        r"k_proj\.weight: it cannot be filled with its",
    ),
    "all frozen": (
        lambda: frozen("weight"),
        {},
        ModelError,
        "nothing of the model's attention can be filled",
    ),
    "weight_norm": (normed, {}, ModelError, r"blocks\.1\.attn\.v_proj\.weight: no plain parameter"),
    "overflow": (
        lambda: Model(Separate, dtype=torch.float16),
        {"beta": 1e12},
        ModelError,
        "beyond torch.float16",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_it_cannot_serve_is_refused_before_anything_is_written(case):
    make, options, error, text = BAD[case]
    model = make()
    before = [tensor.clone() for tensor in model.parameters()]
    with pytest.raises(error, match=f"(?s){text}"):
        init_(model, scheme("mimetic_attention", **options))
    assert all(map(torch.equal, before, model.parameters()))


def test_attention_frozen_as_a_whole_is_left_and_the_rest_filled():
    model = Model(Separate)
    model.blocks[0].requires_grad_(False)
    filled = {entry.name for entry in init_(model, "mimetic").filled}
    assert filled == {f"blocks.1.attn.{name}.weight" for name in Separate.names}


def test_it_is_a_plan_of_its_own_and_no_fill():
    model = Model(Separate)
    with pytest.raises(OptionError, match="rules beside scheme 'mimetic_attention'"):
        init_(model, "mimetic", rules={"*": "zeros"})
    for ask in (lambda: init_(model, {"*": "mimetic"}), lambda: plan_for(model, "mimetic")):
        with pytest.raises(
            UnsupportedError, match="it prescribes products of matrices, and a Fill is a law of one"
        ):
            ask()
    with pytest.raises(
        UnsupportedError, match=r"initwise\.schemes\.mimetic\.mimetic_attention\(heads, joint\)"
    ):
        init_(ArrayTree({"w": np.zeros((2, 2))}, layouts={"w": "oi"}), "mimetic")
