"""Which layers lie behind each other, and what is told of them."""

import math

import numpy as np
import pytest

from initwise.core.paths import paths
from initwise.core.records import LayerSignal, Signals
from initwise.core.trends import Growth, Trend
from initwise.report.cells import number

NAN = math.nan


def row(name, kind="Linear", forward=1.0, gradient=1.0, weight=1.0, shape=(2, 4)):
    return LayerSignal(name, kind, shape, forward, gradient_rms=gradient, weight_gradient_rms=weight)


def add(name, forward=1.0, gradient=1.0):
    return row(name, "add", forward, gradient, NAN)


def found(rows):
    return [(path.kind, path.step, path.name, [r.name for r in path.rows]) for path in paths(rows)]


def test_the_last_add_of_each_block_is_the_stream():
    rows = [row("embed", "Embedding"), add("embed+")]
    for i in range(3):
        rows += [row(f"h.{i}.norm", "LayerNorm"), row(f"h.{i}.attn.q"), add(f"h.{i}.attn+"), add(f"h.{i}+")]
        rows += [row(f"h.{i}.mlp.up"), add(f"h.{i}+#2")]
    assert found([*rows, row("head")]) == [("stream", "block", "h.*", ["h.0+#2", "h.1+#2", "h.2+#2"])]


def test_adds_in_two_modules_of_a_block_are_one_stream():
    rows = [add(f"encoder.layer.{i}.{part}+") for i in range(3) for part in ("attention.output", "output")]
    ends = ["encoder.layer.0.output+", "encoder.layer.1.output+", "encoder.layer.2.output+"]
    assert found(rows) == [("stream", "block", "encoder.layer.*", ends)]


def test_stages_are_one_stream_and_encoder_and_decoder_two():
    rows = [add("layer1.0+"), add("layer1.1+"), add("layer2.0+")]
    assert [path[2] for path in found(rows)] == ["layer*.*"]
    rows = [add(f"{part}.{i}+") for part in ("encoder", "decoder") for i in range(2)]
    assert [path[2] for path in found(rows)] == ["encoder.*", "decoder.*"]


def test_adds_inside_a_block_are_no_stream_of_their_own():
    rows = [add(f"layers.{i}{part}+") for i in range(3) for part in (".experts.0", ".experts.1", "")]
    assert found(rows) == [("stream", "block", "layers.*", ["layers.0+", "layers.1+", "layers.2+"])]


def test_adds_without_a_numbered_module_count_one_by_one():
    assert found([add("+"), add("+#2"), add("+#3")]) == [("stream", "add", "the adds", ["+", "+#2", "+#3"])]


def test_a_chain_is_what_has_weights_without_norms_tables_and_the_head():
    rows = [
        row("emb", "Embedding"),
        row("0"),
        row("1", "ReLU", weight=NAN),
        row("2", "BatchNorm1d"),
        row("3"),
    ]
    assert found([*rows, row("6"), row("head")]) == [("chain", "layer", "0 … 6", ["0", "3", "6"])]


def test_blocks_cut_chains():
    rows = [row("stem.0"), row("stem.1"), row("b.0.conv"), add("b.0+"), row("b.1.conv"), add("b.1+")]
    rows += [row("neck.0"), row("neck.1"), row("head")]
    assert [(path[0], path[2]) for path in found(rows)] == [
        ("chain", "stem.0 … stem.1"),
        ("stream", "b.*"),
        ("chain", "neck.0 … neck.1"),
    ]


def chain(forward, gradient=None, shapes=None):
    gradient = gradient or [1.0] * len(forward)
    shapes = shapes or [(2, 4)] * len(forward)
    rows = [
        row(str(i), forward=f, gradient=g, shape=s)
        for i, (f, g, s) in enumerate(zip(forward, gradient, shapes, strict=True))
    ]
    return Signals("predict", (*rows, row("head"))).trend()


def test_forward_and_backward_are_told_in_their_own_direction():
    forward, backward = chain([2.0**i for i in range(8)], [3.0**i for i in range(8)]).growths
    assert (forward.direction, forward.law, forward.confidence) == ("forward", "exponential", "clear")
    assert forward.factor == pytest.approx(2.0)
    assert (forward.first, forward.last) == (1.0, 128.0)
    assert forward.tenfold == pytest.approx(math.log(10) / math.log(2))
    assert backward.factor == pytest.approx(1 / 3)
    assert backward.law == "exponential"
    assert (backward.first, backward.last) == (3.0**7, 1.0)
    assert forward.steps == backward.steps == 7


def test_gradients_of_different_shapes_are_compared_by_their_norm():
    # twice as many elements at each layer, the same norm
    shapes = [(1, 2**i) for i in range(8)]
    backward = chain([1.0] * 8, [2.0 ** (-i / 2) for i in range(8)], shapes).growths[1]
    assert backward.law == "flat"
    assert backward.factor == pytest.approx(1.0)


def test_few_layers_have_a_factor_and_no_law():
    growth = chain([1.0, 2.0, 4.0]).growths[0]
    assert (growth.law, growth.factor, growth.last) == ("", pytest.approx(2.0), 4.0)
    assert growth.remark == "3 layers are too few to tell one law from another (5 needed)"


def test_zeros_and_unknowns_are_left_out_and_said():
    growth = chain([1.0, 0.5, NAN, 0.125, 0.0, *[0.5**i for i in range(5, 10)]]).growths[0]
    assert growth.law == "exponential"
    assert growth.factor == pytest.approx(0.5)
    assert growth.remark == "1 of 10 are exactly zero; 1 of 10 are not known"


def broken(factor, law=lambda i: 1.0, at=(6,), steps=12):
    """Values of a law, from each place of `at` on times `factor`."""
    return [law(i) * factor ** sum(i >= place for place in at) for i in range(steps)]


@pytest.mark.parametrize("factor", [1e-4, 0.2, 5.0, 1e4])
@pytest.mark.parametrize(
    ("law", "named"),
    [
        (lambda i: 1.0, "flat"),
        (lambda i: 0.7**i, "exponential"),
        (lambda i: (1 + i) ** 0.5, "linear"),
    ],
)
def test_one_layer_that_follows_no_law_is_told_apart_from_the_law_of_the_others(factor, law, named):
    growth = chain(broken(factor, law)).growths[0]
    ((name, found),) = growth.breaks
    assert (name, growth.law, growth.confidence) == ("6", named, "clear")
    assert found == pytest.approx(factor * law(6) / law(5))
    assert growth.last == pytest.approx(factor * law(11))  # the values themselves are as they were
    assert growth.factor == pytest.approx(law(11) ** (1 / 11), rel=0.01)
    assert f"but for ×{number(found)} at '6':" in " ".join(str(chain(broken(factor, law))).split())


def test_backward_a_break_is_told_in_the_direction_of_travel():
    gradients = [1e-5] * 6 + [1.0] * 6
    growth = chain([1.0] * 12, gradients).growths[1]
    assert growth.breaks == (("6", pytest.approx(1e-5)),)
    assert (growth.law, growth.factor) == ("flat", pytest.approx(1.0))


def test_several_breaks_are_told_and_many_are_none():
    assert [name for name, _ in chain(broken(1e-3, at=(4, 9), steps=16)).growths[0].breaks] == ["4", "9"]
    assert chain(broken(0.1, at=range(1, 16), steps=16)).growths[0].breaks == ()


def test_luck_and_what_a_law_explains_are_no_breaks():
    rng = np.random.default_rng(0)
    for _ in range(20):
        walk = np.exp(np.cumsum(0.2 * rng.standard_normal(24)))
        assert chain(list(walk)).growths[0].breaks == ()
    # a power law that begins with a step of 4 in ln q
    assert chain([(1 + i / 0.02) ** -0.5 for i in range(20)]).growths[0].breaks == ()


def test_no_depth_is_said():
    trend = Signals("measure", (row("head"),)).trend()
    assert trend == Trend("measure", (), trend.note)
    assert "no two layers" in trend.note
    assert str(trend).startswith("No trend: no two layers lie behind each other")


def test_all_zero_is_said():
    growth = chain([0.0] * 6).growths[0]
    assert (growth.steps, growth.law) == (0, "")
    assert "6 of 6 are exactly zero" in growth.remark


def test_it_travels_as_json():
    trend = chain([2.0**i for i in range(8)])
    assert str(Trend.from_json(trend.to_json())) == str(trend)
    assert isinstance(trend.growths[0], Growth)
    assert list(trend.to_frame()["law"]) == ["exponential", "flat"]
    assert "<table" in trend.to_html()


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        (
            [2.0**i for i in range(8)],
            "forward grows exponentially: ×2 per layer, 1.00 → 128 over 7 layers (0 … 7), tenfold after 4",
        ),
        ([1.0] * 8, "forward flat: 1.00 → 1.00 over 7 layers (0 … 7)"),
        (
            [(1 + i / 4) ** 0.5 for i in range(20)],
            "forward grows linearly: ×1.05 per layer on average, 1.00 → 2.40 over 19 layers",
        ),
        (
            [(1 + i / 2) ** -0.5 for i in range(20)],
            "forward shrinks as a power law: ×0.94 per layer on average, q ∝ (l + 2)^-1, ",
        ),
        (
            [1.0, 3.0],
            "forward grows: ×3 per layer on average, 1.00 → 3.00 over 1 layer (0 … 1); 2 layers are too few",
        ),
    ],
)
def test_each_is_a_sentence(forward, said):
    assert said in " ".join(str(chain(forward)).split())
