"""DTensors: each rank writes its own block of the whole tensor's numbers."""

import subprocess
import sys

import pytest
import torch
import torch.distributed as dist

from initwise.torch import init

pytest.importorskip("torch.distributed.tensor")
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard
from torch.testing._internal.distributed.fake_pg import FakeStore

try:
    from torch.distributed.tensor.placement_types import _StridedShard
except ImportError:
    _StridedShard = None

SHAPE = (10, 6)
DRAWS = {
    "normal": lambda t: init.normal_(t),
    "truncated": lambda t: init.trunc_normal_(t, std=0.02, a=-0.04, b=0.04),
    "he": lambda t: init.kaiming_uniform_(t),
    "orthogonal": lambda t: init.orthogonal_(t, 2.0),
    "sparse": lambda t: init.sparse_(t, 0.3),
    "eye": lambda t: init.eye_(t),
    "ones": lambda t: init.ones_(t),
}
PLACEMENTS = {
    "rows": ((4,), (Shard(0),)),
    "columns": ((4,), (Shard(1),)),
    "replicas": ((4,), (Replicate(),)),
    "rows of replicas": ((2, 2), (Replicate(), Shard(0))),
    "rows and columns": ((2, 2), (Shard(0), Shard(1))),
    "rows twice": ((2, 2), (Shard(0), Shard(0))),
}


class As:
    """This process as one rank of four that cannot talk."""

    def __init__(self, rank, world=4):
        self.rank, self.world = rank, world

    def __enter__(self):
        dist.init_process_group("fake", rank=self.rank, world_size=self.world, store=FakeStore())

    def __exit__(self, *_):
        dist.destroy_process_group()


def local_of(mesh_shape, placements, draw, seed=0):
    mesh = init_device_mesh("cpu", mesh_shape)
    whole = torch.arange(float(SHAPE[0] * SHAPE[1])).view(SHAPE)
    tensor = dist.tensor.distribute_tensor(whole, mesh, placements, src_data_rank=None)
    index = tensor.to_local().long()
    torch.manual_seed(seed)
    version = tensor._version
    assert draw(tensor) is tensor
    assert tensor._version > version
    return index, tensor.to_local()


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize("case", PLACEMENTS.values(), ids=PLACEMENTS)
def test_every_rank_holds_its_block(case, draw):
    torch.manual_seed(0)
    expected = draw(torch.empty(SHAPE)).flatten()
    seen = torch.zeros(expected.numel(), dtype=torch.bool)
    for rank in range(4):
        with As(rank):
            index, local = local_of(*case, draw)
        assert torch.equal(local, expected[index])
        seen[index] = True
    assert seen.all()


@pytest.mark.skipif(_StridedShard is None, reason="this torch has none")
def test_fsdp_within_tensor_parallel():
    """fully_shard after tensor parallelism on one axis: rank (f, t) holds rows t·6 + f·3 and two more."""
    torch.manual_seed(0)
    expected = init.normal_(torch.empty(12, 5))
    for rank in range(4):
        with As(rank):
            mesh = init_device_mesh("cpu", (2, 2))
            placements = [_StridedShard(0, split_factor=2), Shard(0)]
            tensor = DTensor.from_local(
                torch.empty(3, 5), mesh, placements, run_check=False, shape=(12, 5), stride=(5, 1)
            )
            torch.manual_seed(0)
            init.normal_(tensor)
            first = (rank % 2) * 6 + (rank // 2) * 3
            assert torch.equal(tensor.to_local(), expected[first : first + 3])


@pytest.mark.skipif(_StridedShard is None, reason="this torch has none")
def test_a_shard_in_several_pieces_is_refused():
    with As(0):
        mesh = init_device_mesh("cpu", (2, 2))
        placements = [_StridedShard(0, split_factor=2), Replicate()]
        tensor = DTensor.from_local(
            torch.ones(6, 5), mesh, placements, run_check=False, shape=(12, 5), stride=(5, 1)
        )
        before = torch.get_rng_state()
        with pytest.raises(ValueError, match="not one block of"):
            init.normal_(tensor)
        assert (tensor.to_local() == 1).all()
        assert torch.equal(torch.get_rng_state(), before)


def test_a_partial_sum_has_no_law():
    with As(0):
        mesh = init_device_mesh("cpu", (4,))
        tensor = DTensor.from_local(torch.ones(4, 4), mesh, [Partial()], run_check=False)
        with pytest.raises(ValueError, match="normal_: a DTensor placed as"):
            init.normal_(tensor)


def test_a_rank_outside_the_mesh_has_nothing_to_do():
    with As(3):
        mesh = dist.device_mesh.DeviceMesh("cpu", [0, 1])
        tensor = dist.tensor.distribute_tensor(torch.ones(4, 4), mesh, [Shard(0)], src_data_rank=None)
        assert init.normal_(tensor) is tensor


def test_no_init_marks_a_shard_and_finds_it():
    model = torch.nn.Linear(6, 10, bias=False)
    with As(1):
        mesh = init_device_mesh("cpu", (4,))
        model.weight = torch.nn.Parameter(
            dist.tensor.distribute_tensor(model.weight.detach(), mesh, [Shard(0)], src_data_rank=None)
        )
        with init.no_init():
            model.reset_parameters()
        assert init.unfilled(model) == ("weight",)
        with init.drop_in():
            model.reset_parameters()
        assert init.unfilled(model) == ()


TALK = """
import sys, torch, torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from initwise.torch import init
rank, store = int(sys.argv[1]), dist.FileStore(sys.argv[2], 2)
dist.init_process_group("gloo", rank=rank, world_size=2, store=store)
mesh = init_device_mesh("cpu", (2,))
torch.manual_seed(rank)
for placement in (Shard(0), Replicate()):
    tensor = distribute_tensor(torch.zeros(4, 2), mesh, [placement])
    print(init.normal_(tensor).full_tensor().tolist())
dist.destroy_process_group()
"""


def test_ranks_in_different_random_states_hold_one_tensor(tmp_path):
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", TALK, str(rank), str(tmp_path / "store")],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    printed = [rank.communicate(timeout=120)[0].splitlines() for rank in ranks]
    assert printed[0] == printed[1]
    torch.manual_seed(0)
    assert printed[0] == [str(init.normal_(torch.empty(4, 2)).tolist()) for _ in range(2)]
