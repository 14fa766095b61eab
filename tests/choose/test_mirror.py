"""Mirrored units: [[Q, −Q], [−Q, Q]] exactly, linear where φ(z) − φ(−z) is, and only where it fits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from choose_graphs import Sketch

from initwise.activations import activation
from initwise.choose.assemble import assemble, decisions
from initwise.choose.mirror import FAINT, HELPLESS, MIRRORED, linear_share, mirrored_point, mirrors, pays
from initwise.choose.operating import operating_point
from initwise.choose.rules import HEADS, rule_a2
from initwise.choose.structure import read_structure
from initwise.core.plan import Plan
from initwise.core.twins import twin_factor
from initwise.frameworks.memory import fill as written

WIDTH, DEPTH = 24, MIRRORED + 5
LINEAR = ("relu", "leaky_relu", "softplus")


def chain(name: str, *, width: int = WIDTH, depth: int = DEPTH) -> Sketch:
    s = Sketch(width)
    x = s.op("input")
    for k in range(depth - 1):
        x = s.op("activation", s.weight(f"l{k}", x), label=name)
    s.op("output", s.weight("head", x))
    return s


def plan(sketch: Sketch) -> Plan:
    structure = read_structure(sketch.graph, sketch.infos)
    return assemble("test", decisions(rule_a2, structure, sketch.infos), structure, sketch.infos)


def weights(sketch: Sketch, seed: int = 0) -> dict[str, np.ndarray]:
    made = plan(sketch)
    return {
        info.name: written(np.empty(info.shape), made[info.name], name=info.name, seed=seed)
        for info in sketch.infos
        if info.role == "weight"
    }


def test_blocks_are_the_same_orthogonal_matrix_and_its_negative() -> None:
    drawn = weights(chain("relu"))
    matrix, half = drawn["l4"], WIDTH // 2
    block = matrix[:half, :half]
    np.testing.assert_array_equal(matrix, np.block([[block, -block], [-block, block]]))
    np.testing.assert_allclose(block @ block.T, np.eye(half), atol=1e-6)
    np.testing.assert_array_equal(drawn["l0"][:half], -drawn["l0"][half:])
    np.testing.assert_array_equal(drawn["head"][:, :half], -drawn["head"][:, half:])
    assert not np.array_equal(drawn["l4"], drawn["l5"])
    assert not np.array_equal(drawn["l4"], weights(chain("relu"), seed=1)["l4"])


@pytest.mark.parametrize("name", LINEAR)
def test_a_chain_whose_odd_part_is_linear_starts_linear(name: str) -> None:
    drawn, phi = weights(chain(name)), activation(name).elementwise
    x = np.random.default_rng(0).standard_normal((2, WIDTH))

    def through(h: np.ndarray) -> np.ndarray:
        for k in range(DEPTH - 1):
            h = phi(h @ drawn[f"l{k}"].T)
        return h @ drawn["head"].T

    np.testing.assert_allclose(through(x[:1] + 3 * x[1:]), through(x[:1]) + 3 * through(x[1:]), atol=1e-5)
    point = mirrored_point(name, DEPTH)
    assert point is not None
    assert point.q == 1
    assert point.chi == pytest.approx(1, abs=1e-6)
    assert point.stability == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", ["silu", "gelu"])
def test_gates_of_their_own_input_are_linear_in_pairs_at_any_size(name: str) -> None:
    point = mirrored_point(name, 100)
    assert point is not None
    assert point.q == 1
    assert point.chi == pytest.approx(1, abs=1e-6)


def test_pairs_pay_where_the_plain_working_point_is_missing_faint_or_far_from_linear() -> None:
    assert pays("relu", MIRRORED + 1)
    assert not pays("relu", MIRRORED)
    assert not pays("elu", 30)
    # GELU is nearly linear in thirty layers only where it is so faint that training is long in waking it
    assert pays("gelu", 30)
    assert operating_point("gelu", 30).q < FAINT
    assert pays("sigmoid", HELPLESS + 1)
    assert pays("softplus", HELPLESS + 1)
    assert not pays("sigmoid", HELPLESS)
    assert not pays("tanh", 100)
    # Cov(max(z, 0), z)² / Var max(z, 0) = (1/4) / (1/2 − 1/(2π))
    assert linear_share("relu", 1.0) == pytest.approx(0.25 / (0.5 - 1 / (2 * math.pi)), rel=1e-4)


def test_mirrored_sigmoid_works_where_its_odd_part_does() -> None:
    # σ(z) − σ(−z) = tanh(z/2): the working point of tanh, at twice its input
    point, tanh = mirrored_point("sigmoid", 30), operating_point("tanh", 30, biased=False)
    assert point is not None
    assert point.q == pytest.approx(min(1.0, 4 * tanh.q), rel=0.3)
    assert point.within_budget


@pytest.mark.parametrize("name", ["tanh", "sin", "softsign", "linear"])
def test_odd_functions_need_no_mirror(name: str) -> None:
    assert mirrored_point(name, 30) is None


def test_entries_have_the_std_that_the_gain_says() -> None:
    made, point = plan(chain("relu")), mirrored_point("relu", DEPTH)
    assert point is not None
    assert made["l4"].std == pytest.approx(point.gain / math.sqrt(WIDTH))
    assert made["l0"].std == pytest.approx(1 / math.sqrt(WIDTH))
    assert made["head"].std == pytest.approx(HEADS[""] / math.sqrt(point.carried * WIDTH))
    assert twin_factor(made["l4"]) == -1
    assert "1702.08591" in made["l4"].citation
    assert "±z" in made["l4"].reason


@pytest.mark.parametrize(
    "sketch",
    [chain("relu", depth=MIRRORED), chain("relu", width=7), chain("tanh"), chain("elu")],
    ids=["shallow", "odd width", "odd function", "nearly linear at its working point"],
)
def test_elsewhere_nothing_is_mirrored(sketch: Sketch) -> None:
    structure = read_structure(sketch.graph, sketch.infos)
    assert not any(mirrors(facts, structure) for facts in structure)
    assert plan(sketch)["l4"].law == "orthogonal"


def test_an_activation_that_also_feeds_something_else_keeps_plain_rows() -> None:
    s = Sketch(WIDTH)
    x = s.op("input")
    for k in range(DEPTH):
        x = s.op("activation", s.weight(f"l{k}", x), label="relu")
    y = s.op("concat", x, s.op("activation", s.weight("side", x), label="relu"))
    s.op("output", s.weight("head", y))
    structure = read_structure(s.graph, s.infos)
    assert mirrors(structure["l3"], structure)
    assert not mirrors(structure["side"], structure)


def test_a_mirrored_stem_of_few_inputs_keeps_its_pairs_and_draws_no_bias() -> None:
    s = Sketch(4)
    x = s.op("input")
    for k in range(DEPTH - 1):
        x = s.op("activation", s.weight(f"l{k}", x, out=8, bias=True), label="relu")
    s.op("output", s.weight("head", x))
    made = plan(s)
    assert made["l0"].law == "packed"
    assert made["l0.bias"].mean == made["l0.bias"].std == 0
