"""The rules on bare numbers: each threshold from both sides, and what is a cause or a symptom."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from initwise.core.records import VERDICTS
from initwise.signals.judging import SEVERITY, judged, unjudged
from initwise.signals.reading import Inputs, Reading
from initwise.signals.verdicts import COLLAPSED, DEAD, DRIFT, SAME, SATURATED


def chain(depth=5, **changes):
    """A healthy MLP: `depth` hidden layers with ReLU, then a head; `changes`: place → fields."""
    rows = []
    for i in range(depth):
        rows.append(
            Reading(
                f"fc{i}", "Linear", "weight", (32, 64), forward_rms=1.0, forward_mean=0.0, dead=0.0,
                saturated=0.5, correlation=0.5, units=64, unit_spread=1.0, gradient_rms=1.0,
                weight_rms=0.1, weight_gradient_rms=1.0, weight_spread=1.0,
            )
        )  # fmt: skip
        rows.append(
            Reading(
                f"relu{i}", "ReLU", "activation", (32, 64), forward_rms=0.7, forward_mean=0.4, dead=0.0,
                correlation=0.5, units=64, unit_spread=1.0, gradient_rms=1.0,
            )
        )  # fmt: skip
    head = replace(rows[0], name="head", shape=(32, 10), units=10, saturated=math.nan, result=True)
    return [*rows, head]


def at(rows, name):
    return next(i for i, row in enumerate(rows) if row.name == name)


def changed(rows, first, last=None, **fields):
    """`rows` with fields changed from the row named `first` to the one named `last`."""
    start = at(rows, first)
    stop = at(rows, last or first)
    return [replace(row, **fields) if start <= i <= stop else row for i, row in enumerate(rows)]


def found(rows, **inputs):
    return [(f.verdict, f.layer) for f in judged(rows, Inputs(**inputs))[1]]


def test_a_healthy_chain_has_no_finding():
    layers, findings = judged(chain())
    assert findings == ()
    assert {layer.verdict for layer in layers} == {"ok"}
    assert {layer.reason for layer in layers} == {""}


def test_every_verdict_a_rule_gives_is_a_verdict_of_the_records():
    assert set(SEVERITY) <= set(VERDICTS)


@pytest.mark.parametrize(("over", "expected"), [(0.99, []), (1.01, [("vanishing", "fc2")])])
def test_forward_vanishing_begins_where_it_falls_below_a_thousandth_for_good(over, expected):
    rows = changed(chain(), "fc2", "relu4", forward_rms=1 / (DRIFT * over))
    assert found(rows) == expected


def test_the_layer_that_brings_most_of_a_drift_is_named_not_the_one_behind_it_that_passes_the_threshold():
    rows = changed(chain(), "fc2", "relu4", forward_rms=1.1 / DRIFT)
    rows = changed(rows, "relu3", "relu4", forward_rms=0.9 / DRIFT)
    layers, (finding,) = judged(rows)
    assert (finding.verdict, finding.layer) == ("vanishing", "fc2")
    assert {row.verdict for row in layers[at(rows, "fc2") : -1]} == {"vanishing"}
    assert {row.verdict for row in layers[: at(rows, "fc2")]} == {"ok"}


def test_of_many_layers_that_bring_a_little_each_none_is_to_blame():
    rows = [replace(row, forward_rms=0.3**i) for i, row in enumerate(chain())]
    assert found(rows) == [("vanishing", "fc3")]  # 0.3⁶ < 1/1000 < 0.3⁵


@pytest.mark.parametrize(("rms", "named"), [(0.1, "relu1"), (0.1 / DRIFT, "fc2")])
def test_a_gradient_that_one_layer_s_weights_take_is_blamed_on_that_layer(rms, named):
    # σ·√fan_in is 0.8 or 0.0008
    rows = changed(chain(), "fc0", "relu1", gradient_rms=0.9 / DRIFT)
    rows = changed(rows, "fc2", weight_rms=rms, weight_count=64 * 64)
    (finding,) = judged(rows)[1]
    assert (finding.verdict, finding.layer) == ("vanishing", named)
    assert ("through this layer: what it passes on is 0.0009" in finding.reason) == (named == "fc2")


def test_a_small_branch_on_a_sound_stream_is_no_fault():
    assert found(changed(chain(), "fc2", "relu2", forward_rms=1e-5, gradient_rms=1e-5)) == []


def test_a_norm_layer_sets_a_new_scale():
    rows = [replace(row, forward_rms=1e6) for row in chain(1)[:1]]
    rows += [replace(row, forward_rms=1.0) for row in chain()[2:]]
    rows[1] = replace(rows[1], role="norm", name="norm")
    assert found(rows) == []


@pytest.mark.parametrize(("over", "expected"), [(0.99, []), (1.01, [("exploding", "fc3")])])
def test_forward_exploding_begins_where_it_passes_a_thousandfold(over, expected):
    assert found(changed(chain(), "fc3", "head", forward_rms=DRIFT * over)) == expected


@pytest.mark.parametrize(("over", "expected"), [(0.99, []), (1.01, [("vanishing", "fc1")])])
def test_backward_vanishing_begins_nearest_to_the_output(over, expected):
    assert found(changed(chain(), "fc0", "fc1", gradient_rms=1 / (DRIFT * over))) == expected


def test_backward_exploding_is_judged_by_norms_so_that_pooling_does_not_matter():
    rows = changed(chain(), "fc0", "relu1", gradient_rms=900.0)
    assert found(rows) == []
    assert found([replace(row, shape=(32, 256)) if i < 4 else row for i, row in enumerate(rows)]) == [
        ("exploding", "relu1")
    ]


def test_a_zero_head_stops_the_gradient_and_explains_it():
    rows = changed(chain(), "fc0", "relu4", gradient_rms=0.0, weight_gradient_rms=0.0)
    rows = changed(rows, "head", weight_rms=0.0, forward_rms=0.0)
    layers, findings = judged(rows)
    assert findings == ()
    assert (
        layers[0].reason == "no gradient yet: 'head' starts at zero and lets it through after its first step"
    )
    assert layers[-1].reason == "starts at zero: its first step opens the path through it"
    assert (
        unjudged(rows)
        == "gradients were not judged: 'head' starts at zero and stops them until its first step"
    )


def test_a_zero_gradient_without_such_a_layer_is_a_fault():
    rows = changed(chain(), "fc0", "relu4", gradient_rms=0.0)
    assert found(rows) == [("vanishing", "relu4")]
    assert unjudged(rows) == ""


def test_identical_outputs_alone_or_identical_gradients_alone_are_no_symmetry():
    assert found(changed(chain(), "fc2", unit_spread=0.0)) == []
    assert found(changed(chain(), "fc2", weight_spread=0.0)) == []


@pytest.mark.parametrize(("spread", "expected"), [(SAME, [("symmetric", "fc2")]), (SAME * 1.01, [])])
def test_units_identical_in_both_are_symmetric(spread, expected):
    assert found(changed(chain(), "fc2", unit_spread=spread, weight_spread=spread)) == expected


def behind_a_zero_layer(**zero):
    rows = changed(chain(), "fc1", weight_rms=0.0, forward_rms=0.0, unit_spread=0.0, **zero)
    return changed(rows, "fc2", unit_spread=0.0, weight_spread=0.0, weight_gradient_rms=0.0)


def test_what_a_zero_layer_feeds_waits_for_its_first_step():
    """LoRA's A = 0 beside a B that is not: A gets a gradient and feeds B afterwards."""
    layers, findings = judged(behind_a_zero_layer(weight_spread=1.0))
    assert findings == ()
    [waiting] = [layer for layer in layers if layer.name == "fc2"]
    assert waiting.reason == "no gradient yet: 'fc1' starts at zero and feeds it after its first step"


def test_a_zero_layer_without_a_gradient_or_with_equal_ones_opens_nothing():
    stuck = behind_a_zero_layer(weight_spread=0.0, weight_gradient_rms=0.0)
    assert found(stuck) == [("symmetric", "fc1")]
    assert found(behind_a_zero_layer(weight_spread=0.0)) == [("symmetric", "fc1")]


def test_half_precision_may_differ_by_its_rounding():
    rows = changed(chain(), "fc2", unit_spread=5e-3, weight_spread=5e-3)
    assert found(rows) == []
    assert found(changed(rows, "fc2", dtype="bfloat16")) == [("symmetric", "fc2")]


def test_a_layer_of_one_unit_is_never_symmetric():
    assert found(changed(chain(), "head", units=1, unit_spread=0.0, weight_spread=0.0)) == []


@pytest.mark.parametrize(("share", "expected"), [(DEAD, []), (DEAD + 0.01, [("dead", "fc2")])])
def test_more_than_three_quarters_dead(share, expected):
    assert found(changed(chain(), "fc2", "relu2", dead=share)) == expected


def test_a_constant_output_without_activation_or_from_a_zero_start_is_not_dead():
    assert found(changed(chain(), "head", dead=1.0)) == []
    zero = changed(changed(chain(), "fc2", "relu2", dead=1.0), "fc2", weight_rms=0.0)
    assert found(zero) == []


def test_what_follows_from_dead_units_is_in_the_rows_and_no_finding():
    rows = changed(chain(), "fc0", "relu4", dead=1.0, gradient_rms=0.0, correlation=1.0)
    rows = changed(rows, "fc1", "relu4", unit_spread=0.0, weight_spread=0.0, weight_gradient_rms=0.0)
    layers, _ = judged(rows)
    assert found(rows) == [("dead", "fc0")]
    assert {layer.verdict for layer in layers[:-1]} == {"dead"}


@pytest.mark.parametrize(("share", "expected"), [(SATURATED, []), (SATURATED + 0.01, [("saturated", "fc2")])])
def test_more_than_half_saturated_where_the_activation_is_bounded(share, expected):
    assert found(changed(chain(), "fc2", saturated=share, bounded=True)) == expected
    assert found(changed(chain(), "fc2", saturated=share, bounded=False)) == []


def test_the_worst_saturated_layer_heads_the_finding():
    rows = changed(chain(), "fc1", "fc1", saturated=0.7, bounded=True)
    rows = changed(rows, "fc3", saturated=0.9, bounded=True)
    (finding,) = judged(rows)[1]
    assert (finding.layer, finding.factor) == ("fc3", 0.9)
    assert finding.reason == (
        "90% of its outputs (rms 1) lie where the activation is flat, and so do most of 1 other layer"
    )


@pytest.mark.parametrize(
    ("inputs", "left", "expected"),
    [
        (0.0, COLLAPSED * 1.01, []),
        (0.0, COLLAPSED * 0.99, [("collapsed", "fc2")]),
        (0.9, COLLAPSED * 0.5, []),
        (0.9, COLLAPSED * 0.05, [("collapsed", "fc2")]),
        (1.0, 0.0, []),
    ],
)
def test_collapse_is_judged_against_the_inputs_own_likeness(inputs, left, expected):
    assert found(changed(chain(), "fc2", "relu4", correlation=1 - left), correlation=inputs) == expected


def test_a_constant_side_branch_is_no_collapse():
    assert found(changed(chain(), "fc2", correlation=1.0)) == []


def test_overflow_is_found_where_it_begins_and_silences_what_follows():
    rows = changed(chain(), "fc2", "head", bad=0.5, forward_rms=math.nan, gradient_rms=math.nan)
    layers, findings = judged(rows)
    assert [(f.verdict, f.layer, f.factor) for f in findings] == [("overflow", "fc2", 0.5)]
    assert findings[0].reason == "50% of its output is infinite or NaN in float32"
    assert layers[-1].reason == "50% of its output is infinite or NaN in float32, as from 'fc2' on"


def test_a_gradient_that_overflows_is_found_nearest_to_the_output():
    assert found(changed(chain(), "fc0", "fc2", gradient_bad=1.0, gradient_rms=math.nan)) == [
        ("overflow", "fc2")
    ]


def test_underflow_is_below_the_dtypes_smallest_normal_number():
    rows = [replace(row, dtype="float16", tiny=2.0**-14) for row in chain()]
    rows = [replace(row, gradient_rms=2e-5, forward_rms=1.0) for row in rows]
    assert found(rows) == [("underflow", "head")]
    (finding,) = judged(rows)[1]
    assert finding.reason == (
        "the gradient at its output has rms 2e-05, below float16's smallest normal number 6.1e-05; "
        "scale the loss by 2^2"
    )


def test_the_worst_comes_first():
    rows = changed(chain(), "fc1", saturated=0.9, bounded=True)
    rows = changed(rows, "fc0", "fc2", gradient_rms=1e9)
    rows = changed(rows, "head", bad=0.0, forward_rms=1e5)
    assert [verdict for verdict, _ in found(rows)] == ["exploding", "exploding", "saturated"]


def test_layers_that_take_no_part_say_so():
    rows = changed(chain(), "fc1", gradient="off", gradient_rms=math.nan)
    rows = changed(rows, "fc2", gradient="none", gradient_rms=math.nan)
    layers, findings = judged(rows)
    assert findings == ()
    assert layers[at(rows, "fc1")].reason == "runs without gradients"
    assert layers[at(rows, "fc2")].reason == (
        "no gradient comes back from the result: its output is not used there, or was detached"
    )
    assert {layer.verdict for layer in layers} == {"ok"}


@pytest.mark.parametrize("gradient", ["off", "none", "reached"])
def test_a_weight_that_is_to_be_trained_and_gets_no_gradient_is_not_ok(gradient):
    rows = [replace(row, trained=row.role == "weight") for row in chain()]
    rows = changed(rows, "fc1", gradient=gradient, weight_gradient_rms=math.nan)
    layers, findings = judged(rows)
    assert findings == ()
    assert [layer.name for layer in layers if layer.verdict != "ok"] == ["fc1"]
    assert layers[at(rows, "fc1")].verdict == "unpredicted"
    assert layers[at(rows, "fc1")].reason


def with_norm():
    rows = chain()
    return [rows[0], replace(rows[1], name="norm", role="norm", kind="LayerNorm"), *rows[2:]]


@pytest.mark.parametrize(("gradient", "verdict"), [(2e3, "exploding"), (5e-4, "vanishing")])
def test_before_a_norm_the_scale_of_the_inputs_is_no_drift_of_the_gradient(gradient, verdict):
    scaled = changed(with_norm(), "fc0", forward_rms=1 / gradient, gradient_rms=gradient)
    assert found(scaled) == [(verdict, "fc0")]
    assert found(scaled, rms=1 / gradient) == []
    assert found(changed(chain(), "fc0", gradient_rms=gradient), rms=1 / gradient) == [(verdict, "fc0")]


def test_a_drift_beyond_the_scale_of_the_inputs_is_found_before_a_norm_too():
    rows = changed(with_norm(), "fc0", forward_rms=1e-3, gradient_rms=2e6)
    assert found(rows, rms=1e-3) == [("exploding", "fc0")]
    # a bias may give the layer a scale of its own: the inputs' explains nothing then
    assert found(changed(with_norm(), "fc0", gradient_rms=1.0), rms=1e-6) == []


def test_what_a_bounded_activation_takes_from_a_large_signal_is_not_vanishing():
    rows = changed(chain(), "fc0", forward_rms=1e4, saturated=0.9, bounded=True)
    assert found(rows) == [("saturated", "fc0")]
    assert found(changed(rows, "fc0", bounded=False)) == [("vanishing", "relu0")]
    assert found(changed(rows, "fc2", "relu4", forward_rms=9e-4)) == [
        ("vanishing", "fc2"),
        ("saturated", "fc0"),
    ]


def test_inputs_that_are_all_the_same_tell_neither_dead_units_nor_collapse():
    rows = changed(chain(), "fc0", "relu4", dead=1.0, correlation=1.0)
    assert found(rows) == [("dead", "fc0")]
    assert found(rows, same=True) == []
    layers, _ = judged(rows, Inputs(same=True))
    assert all(math.isnan(layer.dead) and math.isnan(layer.correlation) for layer in layers)
    assert found(changed(rows, "fc3", "head", forward_rms=1e-9), same=True) == [("vanishing", "fc3")]


@pytest.mark.parametrize(("rows", "inputs"), [(with_norm(), {"same": True}), (chain(), {"zero": True})])
def test_what_the_example_itself_may_have_done_is_one_finding_that_blames_no_weight(rows, inputs):
    rows = changed(
        rows, "fc2", "relu4", forward_rms=0.0, gradient_rms=0.0, unit_spread=0.0, weight_spread=0.0
    )
    assert ("symmetric", "fc2") in found(rows)
    assert found(rows, **inputs) == [("unpredicted", "fc2")]
    assert found(changed(rows, "fc2", bad=0.1), **inputs)[0] == ("overflow", "fc2")


def test_a_model_without_layers_is_judged_too():
    assert judged([]) == ((), ())


def test_a_gradient_of_zero_beside_one_that_explodes_is_no_division_by_it():
    """A branch that is multiplied by 0, run between those through which the gradient grows."""
    rows = changed(chain(), "fc0", "relu1", gradient_rms=1e9)
    rows = changed(rows, "fc2", "relu2", gradient_rms=0.0)
    assert ("exploding", "relu1") in found(rows)
