"""Which numbers a call draws: the generator decides, and nothing else."""

import subprocess
import sys
import threading

import pytest
import torch
from torch import nn

from initwise.torch import init

DRAWS = {
    "uniform_": lambda t, g=None: init.uniform_(t, generator=g),
    "normal_": lambda t, g=None: init.normal_(t, generator=g),
    "trunc_normal_": lambda t, g=None: init.trunc_normal_(t, generator=g),
    "xavier_uniform_": lambda t, g=None: init.xavier_uniform_(t, generator=g),
    "xavier_normal_": lambda t, g=None: init.xavier_normal_(t, generator=g),
    "kaiming_uniform_": lambda t, g=None: init.kaiming_uniform_(t, generator=g),
    "kaiming_normal_": lambda t, g=None: init.kaiming_normal_(t, generator=g),
    "orthogonal_": lambda t, g=None: init.orthogonal_(t, generator=g),
    "sparse_": lambda t, g=None: init.sparse_(t, 0.2, generator=g),
}
every = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)


def seeded(number=0):
    return torch.Generator().manual_seed(number)


@every
def test_one_state_gives_the_same_numbers_and_the_next_others(draw):
    generator = seeded()
    first, second = draw(torch.empty(12, 8), generator), draw(torch.empty(12, 8), generator)
    assert torch.equal(first, draw(torch.empty(12, 8), seeded()))
    assert not torch.equal(first, second)


@every
def test_a_given_generator_leaves_torch_s_own_alone(draw):
    before = torch.get_rng_state()
    draw(torch.empty(12, 8), seeded())
    assert torch.equal(torch.get_rng_state(), before)


@every
def test_without_one_manual_seed_decides(draw):
    torch.manual_seed(5)
    first, second = draw(torch.empty(12, 8)), draw(torch.empty(12, 8))
    torch.manual_seed(5)
    assert torch.equal(draw(torch.empty(12, 8)), first)
    assert not torch.equal(first, second)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        assert torch.equal(draw(torch.empty(12, 8)), first)


@every
def test_a_call_is_one_draw_whatever_the_size(draw):
    states = set()
    for shape in ((2, 2), (60, 40), (400, 300)):
        generator = seeded()
        draw(torch.empty(shape), generator)
        states.add(bytes(generator.get_state().tolist()))
    generator = seeded()
    torch.empty((), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    assert states == {bytes(generator.get_state().tolist())}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", [name for name in DRAWS if name != "orthogonal_"])
def test_half_types_hold_the_float32_numbers_rounded(name, dtype):
    single = DRAWS[name](torch.empty(40, 30), seeded())
    assert torch.equal(DRAWS[name](torch.empty(40, 30, dtype=dtype), seeded()), single.to(dtype))


@every
def test_strides_do_not_matter(draw):
    expected = draw(torch.empty(12, 8), seeded())
    assert torch.equal(draw(torch.empty(8, 12).T, seeded()), expected)
    wide = torch.zeros(12, 20)
    assert torch.equal(draw(wide[:, 2:18:2], seeded()), expected)
    assert not wide[:, 1::2].any()


def test_a_channels_last_weight_holds_the_numbers_of_a_plain_one():
    plain = init.kaiming_uniform_(torch.empty(8, 6, 3, 3), generator=seeded())
    last = torch.empty(8, 6, 3, 3).to(memory_format=torch.channels_last)
    assert torch.equal(init.kaiming_uniform_(last, generator=seeded()), plain)


def test_large_tensors_begin_as_small_ones():
    """Element k is the same whatever follows it: the long way and the short way draw one stream."""
    small = init.normal_(torch.empty(1000), generator=seeded())
    assert torch.equal(init.normal_(torch.empty(300_000), generator=seeded())[:1000], small)


def test_the_numbers_are_fixed():
    """One seed's numbers, written down: they are the same on every machine and in every version."""
    torch.manual_seed(0)
    assert init.uniform_(torch.empty(3)).tolist() == FIXED_UNIFORM
    assert init.normal_(torch.empty(3)).tolist() == FIXED_NORMAL


FIXED_UNIFORM = [0.18062612414360046, 0.9065365791320801, 0.7292386293411255]
FIXED_NORMAL = [0.1470954716205597, 0.8196820020675659, -1.0914380550384521]


def test_threads_have_words_of_their_own():
    """Many threads, a generator each: every one draws what it would draw alone."""
    expected = [init.normal_(torch.empty(64), generator=seeded(k)) for k in range(8)]
    found = [[] for _ in range(8)]

    def work(k):
        for _ in range(200):
            found[k].append(torch.equal(init.normal_(torch.empty(64), generator=seeded(k)), expected[k]))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[True] * 200] * 8


def test_a_model_switches_by_one_import():
    code = """
import torch
from torch import nn
from {package} import init

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)
        init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")
        init.constant_(self.conv.bias, 0)
        init.trunc_normal_(self.head.weight, std=0.02)
        init.zeros_(self.head.bias)

torch.manual_seed(0)
net = Net()
print([(name, tuple(p.shape), p.requires_grad) for name, p in net.named_parameters()])
print(tuple(net.head(net.conv(torch.ones(1, 3, 3, 3)).flatten(1)).shape), net.head.bias.tolist())
"""
    printed = {
        subprocess.run(
            [sys.executable, "-c", code.format(package=package)], capture_output=True, text=True, check=True
        ).stdout
        for package in ("torch.nn", "initwise.torch")
    }
    assert len(printed) == 1


def test_importing_initwise_alone_loads_no_torch_but_its_door_opens_by_itself():
    loaded = "print('torch' in sys.modules)"
    code = f"import sys, initwise; {loaded}; initwise.torch.init; {loaded}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_two_equal_layers_get_different_weights():
    torch.manual_seed(0)
    with init.drop_in():
        first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    assert not torch.equal(first.weight, second.weight)
