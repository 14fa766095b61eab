"""Admin by measurement: every factor from the variances of the branches before it."""

import math

import pytest

import initwise
from initwise import scheme
from initwise.core.errors import ModelError, OptionError, UnsupportedError
from initwise.frameworks.numpy import ArrayTree

torch = pytest.importorskip("torch")
nn = torch.nn


class Block(nn.Module):
    def __init__(self, d, size):
        super().__init__()
        self.f, self.norm = nn.Linear(d, d), nn.LayerNorm(d)
        self.res_weight = nn.Parameter(torch.full((size,) if size else (), 0.5))
        self.drop, self.seen = nn.Dropout(0.5), []

    def forward(self, x):
        branch = self.drop(torch.relu(self.f(x)))
        self.seen.append((x.double().var(correction=0).item(), branch.double().var(correction=0).item()))
        return self.norm(x * self.res_weight + branch)


class PostNorm(nn.Module):
    def __init__(self, d=24, depth=5, size=0):
        super().__init__()
        self.blocks = nn.ModuleList([Block(d, size) for _ in range(depth)])

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


BATCH = 3 * torch.randn(64, 24, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [0, 1, 24])
def test_each_factor_is_the_root_of_what_went_before(size):
    model = PostNorm(size=size)
    state = torch.get_rng_state()
    ledger = initwise.init_(model, "admin_profiled", example=BATCH, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    plain = PostNorm(size=size).eval()
    initwise.init_(plain, scheme("admin", output="constant"), seed=3)
    plain(BATCH)
    total = plain.blocks[0].seen[0][0]
    assert total == pytest.approx(BATCH.double().var(correction=0).item())
    for block, once in zip(model.blocks, plain.blocks, strict=True):
        assert block.res_weight.detach() == pytest.approx(math.sqrt(total), rel=1e-6)
        assert torch.equal(block.f.weight, once.f.weight)
        total += once.seen[0][1]
    told = next(entry for entry in ledger.entries if entry.name == "blocks.1.res_weight")
    assert "branches before it" in told.reason


def test_no_branch_outweighs_the_sum_of_those_before():
    model = PostNorm(depth=12)
    initwise.init_(model, "admin_profiled", example=BATCH)
    omegas = [block.res_weight.item() for block in model.blocks]
    assert omegas == sorted(omegas)
    assert omegas[-1] > omegas[0]


def test_the_law_alone_says_where_the_measurement_is():
    with pytest.raises(OptionError) as caught:
        initwise.init_(PostNorm(), scheme("admin", output="profiled"))
    assert str(caught.value) == (
        "scheme 'admin': output=\"profiled\" without the variances of its branches; expected one pass over "
        "a batch that measures them.\n"
        "  Likely cause: a law of one parameter sees no data\n"
        '  initwise.init_(model, "admin_profiled", example=batch) measures them.'
    )
    with pytest.raises(OptionError, match="scheme 'admin_profiled' without an example"):
        initwise.init_(PostNorm(), "admin_profiled")


def test_models_it_is_not_for():
    with pytest.raises(ModelError, match="it cannot add them"):
        initwise.init_(nn.Sequential(nn.Linear(24, 24)), "admin_profiled", example=BATCH)
    unused = PostNorm()
    unused.blocks.append(Block(24, 0))
    unused.forward = lambda x: [x := block(x) for block in unused.blocks[:5]][-1]
    before = [p.clone() for p in unused.parameters()]
    with pytest.raises(ModelError, match=r"blocks\.5\.res_weight: it was not seen to multiply a shortcut"):
        initwise.init_(unused, "admin_profiled", example=BATCH)
    with pytest.raises(ModelError, match=r"blocks\.0\.res_weight: variance 0 of the stream"):
        initwise.init_(PostNorm(), "admin_profiled", example=torch.zeros(8, 24))
    assert all(map(torch.equal, before, unused.parameters()))
    with pytest.raises(UnsupportedError, match="profiling of numpy models; expected a torch"):
        initwise.init_(
            ArrayTree({"w": torch.ones(3, 3).numpy()}, layouts={"w": "oi"}), "admin_profiled", example=BATCH
        )
