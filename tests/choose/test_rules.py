"""Rules A and A2: exact gains by structure, and the reasons that go with them."""

from __future__ import annotations

import math

import pytest
from choose_graphs import Sketch

from initwise.choose.assemble import LIGHT, NORMED, assemble, decisions
from initwise.choose.operating import operating_point, point_at
from initwise.choose.rules import HEADS, SMALL, STEADY, rule_a, rule_a2, rule_lsuv
from initwise.choose.structure import read_structure
from initwise.core.plan import Plan

WIDTH = 24


def plan(sketch: Sketch, rule=rule_a2) -> Plan:
    structure = read_structure(sketch.graph, sketch.infos)
    return assemble("test", decisions(rule, structure, sketch.infos), structure, sketch.infos)


def chain(depth: int, activation: str, *, bias: bool = True, width: int = WIDTH) -> Sketch:
    s = Sketch(width)
    x = s.op("input")
    for k in range(depth - 1):
        x = s.op("activation", s.weight(f"l{k}", x, bias=bias), label=activation)
    s.op("output", s.weight("head", x, bias=bias))
    return s


def gain_of(fill) -> float:
    """std · √fan_in, or the factor of a matrix law of a square matrix."""
    return fill.gain if fill.law in ("orthogonal", "identity") else fill.std * math.sqrt(WIDTH)


def test_rule_a_keeps_the_second_moment_at_one() -> None:
    made = plan(chain(4, "relu"), rule_a)
    assert gain_of(made["l0"]) == pytest.approx(1)
    assert gain_of(made["l1"]) == pytest.approx(math.sqrt(2))
    assert gain_of(made["head"]) == pytest.approx(HEADS[""] * math.sqrt(2))
    assert made["l1"].law == "normal"


def test_rule_a_is_orthogonal_when_the_chain_is_deep() -> None:
    made = plan(chain(12, "tanh"), rule_a)
    assert made["l5"].law == "orthogonal"
    assert made["l5"].gain == pytest.approx(1.592537, rel=1e-4)
    assert made["l0"].law == "normal"


@pytest.mark.parametrize(("activation", "depth"), [("tanh", 20), ("relu", 6), ("gelu", 6)])
def test_rule_a2_brings_each_layer_to_the_working_point(activation: str, depth: int) -> None:
    made, point = plan(chain(depth, activation)), operating_point(activation, depth)
    assert gain_of(made["l0"]) == pytest.approx(math.sqrt(point.q))
    assert gain_of(made["l3"]) == pytest.approx(math.sqrt(point.q / point.second))
    assert gain_of(made["head"]) == pytest.approx(HEADS[""] / math.sqrt(point.second))
    assert made["l3"].law == "orthogonal"
    assert {made[f"l{k}.bias"].mean for k in range(depth - 1)} == {0.0}


def test_rule_a2_cancels_the_mean_of_sigmoid_exactly_and_without_drawing() -> None:
    # an odd width knows no pairs ±z, which would do it otherwise
    made, point = plan(chain(10, "sigmoid", width=7)), operating_point("sigmoid", 10, centred=True)
    fill = made["l4"]
    assert fill.law == "identity"
    # every row of gain·I sums to the gain, so W·E[φ] + b = 0
    assert fill.gain * point.mean + made["l4.bias"].mean == pytest.approx(0)
    assert fill.gain == pytest.approx(math.sqrt(point.q / (point.second - point.mean**2)))
    assert made["l0"].law == "orthogonal"
    assert made["l0.bias"].mean == 0
    assert made["head.bias"].mean == 0


def test_a_sigmoid_chain_that_widens_gets_a_bias_that_makes_it_critical() -> None:
    s = Sketch(7)  # odd widths know no pairs ±z
    x = s.op("activation", s.weight("l0", s.op("input")), label="sigmoid")
    x = s.op("activation", s.weight("wide", x, out=21), label="sigmoid")
    s.op("output", s.weight("head", s.op("activation", s.weight("l2", x), label="sigmoid")))
    made, point = plan(s), operating_point("sigmoid", 4)
    assert made["wide"].law == "orthogonal"
    assert made["wide.bias"].mean == made["l0.bias"].mean == point.bias < 0
    # orthogonal columns scaled so that entries still have std gain/√fan_in
    assert made["wide"].std == pytest.approx(point.gain / math.sqrt(7))


def test_without_biases_a_sigmoid_chain_gets_none() -> None:
    made = plan(chain(5, "sigmoid", bias=False))
    assert not any(name.endswith("bias") for name in made)


def test_what_goes_into_a_norm_gets_he() -> None:
    s = Sketch(WIDTH)
    x = s.op("activation", s.op("norm", s.weight("a", s.op("input"))), label="relu")
    x = s.op("activation", s.op("norm", s.weight("b", x)), label="relu")
    s.op("output", s.weight("head", x))
    made = plan(s)
    assert gain_of(made["a"]) == pytest.approx(1)
    assert gain_of(made["b"]) == pytest.approx(math.sqrt(2))
    assert made["b"].law == "orthogonal"
    assert "norm" in made["b"].reason


def residual(blocks: int, norm: str = "") -> Sketch:
    s = Sketch(WIDTH)
    x = s.weight("stem", s.op("input"))
    for k in range(blocks):
        inside = s.op("norm", x) if norm == "pre" else x
        inside = s.op("activation", s.weight(f"{k}.in", inside), label="relu")
        x = s.op("add", x, s.weight(f"{k}.out", inside))
        x = s.op("norm", x) if norm == "post" else x
    s.op("output", s.weight("head", x))
    return s


def test_residual_ends_shrink_with_the_number_of_sums() -> None:
    n = 16
    assert gain_of(plan(residual(n), rule_a)["3.out"]) == pytest.approx(math.sqrt(2 / n))
    assert gain_of(plan(residual(n), rule_a2)["3.out"]) == pytest.approx(math.sqrt(2) * 2 / n)
    assert gain_of(plan(residual(n, "pre"), rule_a2)["3.out"]) == pytest.approx(math.sqrt(2 / n))
    assert gain_of(plan(residual(1), rule_a2)["0.out"]) == pytest.approx(math.sqrt(2))
    assert "16 residual branches" in plan(residual(n))["3.out"].reason


def test_post_norm_networks_get_the_published_small_start() -> None:
    made = plan(residual(4, "post"))
    # BERT's 0.02 at its width of 768 is 0.55/√fan_in
    assert [gain_of(made[name]) for name in ("2.out", "2.in", "head")] == pytest.approx([SMALL] * 3)
    assert pytest.approx(0.02 * math.sqrt(768), abs=0.005) == SMALL
    assert "post-LN" in made["2.in"].reason
    assert "1810.04805" in made["2.in"].citation


def test_an_lstm_opens_its_forget_gate_once_and_keeps_its_state() -> None:
    torch = pytest.importorskip("torch")
    from initwise.choose.planners import plan_a2, study

    made = plan_a2(study(torch.nn.LSTM(4, 8), "f32[5,3,4]"))
    gates = {name: fill.mean for name, _, fill in made["bias_ih_l0"].parts}
    assert gates == {"i": 0.0, "f": 1.0, "g": 0.0, "o": 0.0}
    assert made["bias_hh_l0"].mean == 0
    assert {fill.law for _, _, fill in made["weight_hh_l0"].parts} == {"orthogonal"}
    assert all(fill.gain == pytest.approx(1) for _, _, fill in made["weight_hh_l0"].parts)
    assert all(fill.std == pytest.approx(1 / math.sqrt(4)) for _, _, fill in made["weight_ih_l0"].parts)


def test_gated_units_divide_by_the_gate_s_second_moment() -> None:
    s = Sketch(WIDTH)
    x = s.op("norm", s.op("input"))
    gate = s.op("activation", s.weight("gate", x), label="silu")
    s.op("output", s.weight("mid", s.weight("down", s.op("mul", gate, s.weight("up", x)))))
    made = plan(s)
    # norms and gates keep the signal steady: activations start nearly linear, at STEADY of the variance
    assert gain_of(made["gate"]) == gain_of(made["up"]) == pytest.approx(math.sqrt(STEADY))
    assert gain_of(made["down"]) == pytest.approx(1 / math.sqrt(point_at("silu", STEADY).second))


def test_embeddings_by_their_use() -> None:
    s = Sketch(WIDTH)
    x = s.op("embedding", s.op("input"), name="free", role="embedding")
    s.op("output", s.weight("head", x))
    assert plan(s)["free"].std == LIGHT
    s = Sketch(WIDTH)
    x = s.op("norm", s.op("embedding", s.op("input"), name="normed", role="embedding"))
    s.op("output", s.weight("head", x))
    assert plan(s)["normed"].std == NORMED
    s = Sketch(WIDTH)
    x = s.op("embedding", s.op("input"), name="factors", role="embedding")
    s.op("output", s.op("mul", x, x))
    assert plan(s)["factors"].std == pytest.approx(LIGHT / math.sqrt(WIDTH))
    s = Sketch(WIDTH)
    x = s.op("norm", s.op("embedding", s.op("input"), name="tied", role="embedding"))
    s.op("output", s.op("weight", x, name="tied"))
    assert plan(s)["tied"].std == pytest.approx(0.5 / math.sqrt(WIDTH))


def test_positions_beside_a_tied_table_are_of_its_size() -> None:
    s = Sketch(WIDTH)
    tokens = s.op("embedding", s.op("input"), name="tied", role="embedding")
    places = s.op("embedding", s.op("input"), name="places", role="embedding")
    s.op("output", s.op("weight", s.op("norm", s.op("add", tokens, places)), name="tied"))
    made = plan(s)
    assert made["places"].std == made["tied"].std == pytest.approx(0.5 / math.sqrt(WIDTH))


def test_the_data_pass_leaves_networks_over_light_embeddings_as_they_are() -> None:
    s = Sketch(WIDTH)
    x = s.op("activation", s.weight("first", s.op("embedding", s.op("input"), name="e", role="embedding")))
    s.op("output", s.weight("head", x))
    chosen = decisions(rule_a2, read_structure(s.graph, s.infos), s.infos)
    assert chosen["first"].target is chosen["head"].target is None


def test_a_stem_without_activation_starts_the_stream_at_variance_1() -> None:
    s = Sketch(WIDTH)
    x = s.weight("stem", s.op("input"))
    branch = s.weight("end", s.op("activation", s.weight("start", s.op("norm", x)), label="gelu"))
    s.op("output", s.weight("head", s.op("norm", s.op("add", x, branch))))
    assert gain_of(plan(s)["stem"]) == 1


def test_every_weight_says_why_with_a_number_and_a_source() -> None:
    for sketch in (
        chain(12, "sigmoid"),
        chain(3, "relu"),
        residual(6),
        residual(6, "pre"),
        residual(6, "post"),
    ):
        for rule in (rule_a, rule_a2, rule_lsuv):
            for name, fill in plan(sketch, rule).fills:
                if "bias" not in name and fill.law != "constant":
                    assert fill.reason, name
                    assert fill.citation, name
                    assert rule is rule_lsuv or any(c.isdigit() for c in fill.reason), fill.reason


def test_a_plan_is_pure_data() -> None:
    made = plan(chain(12, "sigmoid"))
    assert Plan.from_json(made.to_json()) == made


def test_frozen_and_bare_parameters_are_kept_with_a_reason() -> None:
    from dataclasses import replace

    s = chain(3, "relu")
    s.declare("mystery", "bare")
    s.known["l1"] = replace(s.known["l1"], status="frozen", problem="requires_grad is False")
    kept = dict(plan(s).kept)
    assert kept == {
        "l1": "requires_grad is False",
        "mystery": "of unknown purpose: only an explicit rule touches it",
    }
