"""What the rules see of a network, on graphs written by hand."""

from __future__ import annotations

from choose_graphs import Sketch

from initwise.choose.structure import guess_structure, read_structure


def facts(sketch: Sketch):
    return read_structure(sketch.graph, sketch.infos)


def test_plain_chain_has_stem_hidden_and_head_fed_by_its_activation() -> None:
    s = Sketch()
    x = s.op("input")
    for k in range(3):
        x = s.op("activation", s.weight(f"l{k}", x), label="tanh")
    s.op("output", s.weight("l3", x))
    read = facts(s)
    assert [w.role for w in read] == ["stem", "hidden", "hidden", "head"]
    assert [w.source for w in read] == ["raw", "activation", "activation", "activation"]
    assert [w.fed_by for w in read] == ["", "tanh", "tanh", "tanh"]
    assert [w.feeds for w in read] == ["tanh", "tanh", "tanh", ""]
    assert [w.chain for w in read] == [4] * 4
    assert [w.depth for w in read] == [0, 1, 2, 3]
    assert [w.bias for w in read] == ["l0.bias", "l1.bias", "l2.bias", "l3.bias"]
    assert (read.adds, read.norms, read.depth, read.activation) == (0, 0, 4, "tanh")


def test_views_dropout_and_pooling_are_looked_through() -> None:
    s = Sketch()
    x = s.op("activation", s.weight("conv", s.op("input")), label="relu")
    x = s.op("view", s.op("dropout", s.op("pool", x)))
    s.op("output", s.weight("head", x))
    assert facts(s)["head"].fed_by == "relu"


def test_a_norm_stops_the_walk_and_breaks_the_chain() -> None:
    s = Sketch()
    x = s.op("norm", s.weight("a", s.op("input")), label="batch_norm")
    x = s.op("activation", x, label="relu")
    x = s.op("norm", s.weight("b", x), label="batch_norm")
    s.op("output", s.weight("c", x))
    read = facts(s)
    assert read["a"].normed_output
    assert not read["c"].normed_output
    assert read["b"].source == "activation"
    assert read["c"].source == "norm"
    assert [w.chain for w in read] == [1, 1, 1]


def residual_net(blocks: int, *, norm: str = "") -> Sketch:
    """x → stem → blocks of x + W2 φ(W1 x), un-normed, pre-LN or post-LN → head."""
    s = Sketch()
    x = s.weight("stem", s.op("input"))
    for k in range(blocks):
        inside = s.op("norm", x, label="layer_norm") if norm == "pre" else x
        inside = s.op("activation", s.weight(f"{k}.in", inside), label="gelu")
        x = s.op("add", x, s.op("dropout", s.weight(f"{k}.out", inside)))
        x = s.op("norm", x, label="layer_norm") if norm == "post" else x
    x = s.op("norm", x, label="layer_norm") if norm == "pre" else x
    s.op("output", s.weight("head", x))
    return s


def test_the_last_weight_of_a_residual_branch_is_its_end() -> None:
    read = facts(residual_net(3))
    assert [w.role for w in read] == ["stem", *["hidden", "branch_end"] * 3, "head"]
    assert read.adds == 3
    assert read["1.in"].branch_start
    assert read["1.in"].source == "stream"
    assert not read["1.out"].branch_start
    assert not read["head"].branch_start
    assert read["2.out"].chain == 2
    assert not read.post_norm


def test_pre_norm_and_post_norm_are_told_apart() -> None:
    pre, post = facts(residual_net(2, norm="pre")), facts(residual_net(2, norm="post"))
    assert not pre.post_norm
    assert post.post_norm
    assert pre["1.in"].source == post["1.in"].source == "norm"
    assert post["0.out"].post_norm
    assert not pre["1.out"].post_norm
    assert pre["1.in"].branch_start
    assert post["1.in"].branch_start


def test_one_post_norm_sum_is_told_from_one_pre_norm_sum() -> None:
    assert facts(residual_net(1, norm="post")).post_norm
    assert not facts(residual_net(1, norm="pre")).post_norm


def test_a_projected_shortcut_counts_as_a_residual_sum() -> None:
    s = Sketch()
    x = s.op("activation", s.weight("stem", s.op("input")), label="relu")
    inside = s.op("activation", s.op("norm", s.weight("c1", x)), label="relu")
    inside = s.op("norm", s.weight("c2", inside), name="bn.weight")
    short = s.op("norm", s.weight("down", x))
    x = s.op("activation", s.op("add", inside, short), label="relu")
    s.op("output", s.weight("fc", x))
    read = facts(s)
    assert read.adds == 1
    assert read["c2"].role == "branch_end"
    assert read["down"].role == "hidden"
    assert read["c1"].branch_start
    assert read["fc"].role == "head"
    assert read.branch_norms == ("bn.weight",)


def test_position_embeddings_are_no_residual_sum() -> None:
    s = Sketch()
    tokens = s.op("embedding", s.op("input"), name="tok.weight", role="embedding")
    places = s.op("embedding", s.op("input"), name="pos.weight", role="embedding")
    x = s.op("norm", s.op("add", tokens, places))
    s.op("output", s.weight("head", x))
    read = facts(s)
    assert read.adds == 0
    assert read["head"].source == "norm"


def test_a_weight_after_an_embedding_is_no_stem() -> None:
    s = Sketch()
    x = s.op("pool", s.op("embedding", s.op("input"), name="tok.weight", role="embedding"))
    s.op("output", s.weight("head", s.op("activation", s.weight("a", x), label="relu")))
    read = facts(s)
    assert read["a"].source == "embedding"
    assert read["a"].role == "hidden"


def attention_block(s: Sketch, x: int) -> int:
    q, k, v = (s.op("view", s.weight(name, x)) for name in ("q", "k", "v"))
    p = s.op("softmax", s.op("scale", s.op("matmul", q, k)))
    return s.weight("o", s.op("view", s.op("matmul", s.op("dropout", p), v)))


def test_attention_parts_are_named_by_what_they_feed() -> None:
    s = Sketch()
    x = s.op("input")
    s.op("output", s.op("add", x, attention_block(s, s.op("norm", x))))
    read = facts(s)
    assert [read[n].attention for n in "qkvo"] == ["query", "key", "value", "out"]
    assert read["o"].role == "branch_end"
    assert read["o"].source == "attention"


def test_fused_attention_is_named_too() -> None:
    s = Sketch()
    qkv = s.weight("qkv", s.op("input"))
    x = s.op("other", *(s.op("view", qkv) for _ in range(3)), label="scaled_dot_product_attention")
    s.op("output", s.weight("o", s.op("view", x)))
    read = facts(s)
    assert read["qkv"].attention == "query_key_value"
    assert read["o"].attention == "out"


def test_a_gated_unit_has_two_sides_and_feeds_the_activation_on() -> None:
    s = Sketch()
    x = s.op("input")
    gate = s.op("activation", s.weight("gate", x), label="silu")
    s.op("output", s.weight("down", s.op("mul", gate, s.weight("up", x))))
    read = facts(s)
    assert (read["gate"].gate, read["up"].gate) == ("gate", "value")
    assert (read["down"].source, read["down"].fed_by) == ("gate", "silu")


def test_silu_written_out_is_recognised() -> None:
    s = Sketch()
    z = s.weight("a", s.op("input"))
    s.op("output", s.weight("b", s.op("mul", z, s.op("activation", z, label="sigmoid"))))
    assert (facts(s)["b"].source, facts(s)["b"].fed_by) == ("activation", "silu")


def test_recurrent_layers_have_an_input_and_a_recurrent_matrix() -> None:
    s = Sketch()
    x = s.op("recurrent", s.op("input"), label="lstm", name="w_ih", role="weight")
    s.name(x, "w_hh", "recurrent")
    s.op("output", s.weight("head", s.op("view", x)))
    read = facts(s)
    assert (read["w_ih"].role, read["w_hh"].role) == ("input", "recurrent")
    assert read["head"].source == "recurrent"
    assert read.recurrent


def test_a_layer_fed_by_itself_is_recurrent() -> None:
    s = Sketch()
    x = s.op("input")
    for _ in range(3):
        x = s.op("activation", s.weight("cell", x), label="tanh")
    s.op("output", s.weight("head", x))
    assert facts(s)["cell"].role == "recurrent"
    assert facts(s)["cell"].uses == 3


def test_a_layer_that_reads_a_constant_starts_no_residual_branch() -> None:
    s = Sketch()
    x = s.weight("stem", s.op("input"))
    empty = s.op("parameter", name="again", role="weight")
    s.op("output", s.op("add", x, s.weight("end", s.op("activation", s.op("mul", x, empty), label="tanh"))))
    assert not facts(s)["again"].branch_start


def test_a_tied_table_is_listed_as_the_head() -> None:
    s = Sketch()
    x = s.op("embedding", s.op("input"), name="tok.weight", role="embedding")
    x = s.op("weight", s.op("norm", x), name="tok.weight")
    s.op("output", x)
    assert facts(s)["tok.weight"].tied
    assert facts(s)["tok.weight"].role == "head"


def test_a_weight_that_did_not_run_is_unused() -> None:
    s = Sketch()
    s.op("output", s.weight("a", s.op("input")))
    s.declare("spare", "weight")
    read = facts(s)
    assert read["spare"].role == "unused"
    assert read["nobody"].role == "unused"


def test_a_network_that_returns_its_stream_has_no_head() -> None:
    s = Sketch()
    x = s.weight("stem", s.op("input"))
    s.op("output", s.op("add", x, s.weight("end", s.op("activation", x, label="relu"))))
    assert [w.role for w in facts(s)] == ["stem", "branch_end"]


def test_without_a_run_the_weights_are_a_guessed_chain() -> None:
    s = Sketch()
    for name in ("a", "b", "c"):
        s.declare(name, "weight")
    guess = guess_structure(s.infos)
    assert not guess.traced
    assert [w.role for w in guess] == ["stem", "hidden", "head"]
    assert guess.chain == 3


def test_a_sum_without_a_weight_in_its_branch_is_no_residual_sum() -> None:
    s = Sketch()
    x = s.weight("a", s.op("input"))
    s.op("output", s.weight("b", s.op("add", x, s.op("activation", x, label="relu"))))
    assert facts(s).adds == 0
