"""init_ with sparse and Hadamard laws: exact zeros in the model, declared, proven, planned and explained."""

import math
import warnings

import pytest
import torch
from torch import nn

from initwise.core.errors import FillError, ModelError
from initwise.core.fill import Fill
from initwise.core.parameter import ParameterInfo
from initwise.core.plan import Plan
from initwise.explain import explain
from initwise.frameworks.initialize import init_, plan_for
from initwise.frameworks.proof import Found, proven
from initwise.schemes import scheme


def network():
    return nn.Sequential(
        nn.Conv2d(6, 8, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 50), nn.ReLU(), nn.Linear(50, 20)
    )


def entries(ledger):
    return {entry.name: entry for entry in ledger.entries}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_torchs_flavor_zeroes_a_share_of_each_inputs_weights(dtype):
    model = network().to(dtype)
    ledger = init_(model, scheme("sparse", sparsity=0.3, std=0.1), seed=4)
    assert (model[5].weight == 0).sum(0).tolist() == [6] * 50
    assert (model[3].weight == 0).sum(0).tolist() == [15] * 32
    # two groups of four outputs: ⌈0.3·4⌉ for each input at each tap
    assert (model[0].weight.reshape(2, 4, 3, 3, 3) == 0).sum(1).eq(2).all()
    assert entries(ledger)["5.weight"].declared_std == pytest.approx(0.1 * math.sqrt(14 / 20), rel=1e-12)
    assert not model[5].bias.any()


def test_lasagnes_flavor_keeps_a_share_and_martens_fifteen_of_each_units_weights():
    model = network()
    init_(model, scheme("sparse", flavor="lasagne"))
    assert model[5].weight.count_nonzero(1).tolist() == [5] * 20
    init_(model, "martens_sparse")
    assert model[5].weight.count_nonzero(1).tolist() == [15] * 20
    assert model[0].weight.flatten(1).count_nonzero(1).tolist() == [15] * 8


def test_gates_have_zeros_of_their_own():
    cell = nn.LSTM(10, 20)
    init_(cell, "martens_sparse")
    for gate in cell.weight_hh_l0.chunk(4):
        assert gate.count_nonzero(1).tolist() == [15] * 20
    init_(cell, scheme("sparse", sparsity=0.1))
    for gate in cell.weight_ih_l0.chunk(4):
        assert (gate == 0).sum(0).tolist() == [2] * 10


def test_zero_of_a_network_is_identity_or_hadamard():
    model = network()
    init_(model, "zero_hadamard")
    assert torch.equal(model[5].weight, torch.eye(20, 50))
    wide = model[3].weight
    assert torch.equal(wide.abs(), torch.full((50, 32), 0.125))
    assert torch.equal(wide[:32].T @ wide[:32], torch.eye(32) / 2)
    centre = model[0].weight[:, :, 1, 1].reshape(2, 4, 3)
    assert torch.equal(centre[0], centre[1])
    assert torch.equal(centre[0], torch.tensor([[1.0, 1, 1], [1, -1, 1], [1, 1, -1], [1, -1, -1]]) / 2)
    assert model[0].weight.count_nonzero() == 24


def test_the_printed_constant_is_root_two_times_the_codes():
    first, second = network(), network()
    init_(first, scheme("zero_hadamard"))
    init_(second, scheme("zero_hadamard", constant="paper"))
    assert torch.allclose(second[3].weight, first[3].weight * 2**0.5, rtol=1e-6)
    assert torch.equal(second[5].weight, first[5].weight)  # the identity has no c


def test_few_weights_that_are_not_zero_are_no_cause_to_doubt_the_write():
    """Three of 4000 inputs: the measured std of 10 rows is off by tens of percent, by chance."""
    for seed in range(40):
        layer = nn.Linear(4000, 10)
        init_(layer, scheme("martens_sparse", incoming=3), seed=seed)
        assert layer.weight.count_nonzero() == 30


def test_a_write_that_left_the_zeros_out_is_found():
    info = ParameterInfo("w", (500, 400), "float32", "weight")
    fill = Fill.sparse(1.0, "keep", 0.1, "output", shape=info.shape)
    proven(info, fill, Found(0.0, math.sqrt(0.1), b""))
    with pytest.raises(ModelError, match=r"holds mean 0, std 1; expected mean 0, std 0\.316"):
        proven(info, fill, Found(0.0, 1.0, b""))


def test_a_fill_without_shape_learns_it_and_one_of_another_shape_is_refused():
    model = network()
    ledger = init_(model, {"5.weight": Fill.sparse(1.0, "zero", 0.25, "input")})
    assert entries(ledger)["5.weight"].declared_std == pytest.approx(math.sqrt(0.75), rel=1e-12)
    before = model[5].weight.clone()
    with pytest.raises(
        FillError, match=r"^5\.weight: N\(0, 1\), each input .* with std 0\.5, where shape \(20, 50\)"
    ):
        init_(model, {"5.weight": Fill.sparse(1.0, "zero", 0.7, "input", shape=(4, 4))}, seed=9)
    assert torch.equal(model[5].weight, before)


def test_a_plan_survives_json_and_explains_itself():
    plan = plan_for(network(), "sparse")
    again = Plan.from_json(plan.to_json())
    first, second = network(), network()
    assert init_(first, plan, seed=2).digest == init_(second, again, seed=2).digest
    told = str(explain(plan, name="5.weight"))
    assert "2 of the 20 weights of each input are zero" in told
    assert "N(0, 0.01), each input ⌈0.1·n⌉ zero" in told


@pytest.mark.parametrize("sparsity", [-0.1, 1.1])
def test_a_sparsity_that_is_no_share_is_refused_before_any_model(sparsity):
    with pytest.raises(FillError, match=rf"^sparse: sparsity {sparsity}; expected a fraction from 0 to 1"):
        scheme("sparse", sparsity=sparsity)


def test_elsewhere_than_in_the_cpus_memory_it_is_made_here_and_copied():
    """The device's path with tensors that are here after all: no kernel is asked for, none is needed."""
    from initwise.frameworks.device import Target, fill_there
    from initwise.random import fill_array

    law = Fill.sparse(0.5, "zero", 0.3, "input", zero_row=1)
    there, here = torch.full((20, 30), 7.0, dtype=torch.bfloat16).T, torch.zeros(30, 20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a kernel that was asked all the same gives the device up
        fill_there(torch, [Target(there, law, "w", 3)])
    fill_array(here.numpy(), law, name="w", seed=3)
    assert torch.equal(there, here.bfloat16())
    shard = torch.full((30, 4), 7.0)
    fill_there(torch, [Target(shard, law, "w", 3, (30, 20), (0, 8))])
    assert torch.equal(shard, here[:, 8:12])
