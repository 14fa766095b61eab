"""The rows are held to what initwise's own are, and to this package's own numbers."""

import math

import pytest
import torch
from initwise_example import activation, layout, recipe, scheme
from initwise_example.layers import BlockGatedLinear
from initwise_example.model import BlockGatedNet

import initwise
from initwise.testing import check_activation, check_layout, check_recipe, check_scheme


def test_the_scheme_conforms():
    check_scheme(scheme.row)


def test_the_activation_conforms():
    check_activation(activation.row)


def test_the_layout_counts_what_an_output_depends_on():
    check_layout(layout.row, BlockGatedLinear(24, 16, blocks=4), torch.randn(3, 24))


def test_the_recipe_fills_its_model_and_no_other():
    check_recipe(recipe.row, BlockGatedNet(), stranger=torch.nn.Linear(3, 3))


def test_each_half_of_a_block_is_a_matrix_of_its_own():
    model = BlockGatedNet(width=32)
    ledger = initwise.init_(model, "lecun_normal")
    fill = {entry.name: entry.fill for entry in ledger.entries}["blocks.0.gated.weight"]
    # 32 inputs in 4 blocks: each output sums 8
    assert [(name, part.std) for name, _, part in fill.parts] == [("gate", 8**-0.5), ("up", 8**-0.5)]


def test_the_gain_is_that_of_half_a_tanh_and_half_a_smaller_one():
    tanh = initwise.gain("tanh")
    assert initwise.gain("penalized_tanh") == pytest.approx(tanh / math.sqrt((1 + 1 / 16) / 2), rel=1e-12)
