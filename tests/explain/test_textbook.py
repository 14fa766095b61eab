"""`list schemes --for`: what a textbook answers comes first."""

from __future__ import annotations

import pytest

from initwise.core.traits import TRAITS
from initwise.explain import find
from initwise.explain.words import LONG, read
from initwise.schemes import schemes

ANSWERS = {
    "deep relu cnn without norm": ("he_normal", "he_uniform", "variance_scaling"),
    "relu mlp": ("he_normal", "he_uniform", "variance_scaling"),
    "gelu mlp": ("variance_scaling", "rule_a", "rule_a2"),
    "sigmoid mlp": ("xavier_normal", "xavier_uniform", "rule_a2"),
    "tanh mlp": ("xavier_normal", "xavier_uniform", "lecun_uniform"),
    "selu mlp": ("lecun_normal", "lecun_uniform", "variance_scaling"),
    "very deep plain tanh mlp": ("edge_of_chaos", "orthogonal", "scaled_uniform_orthogonal"),
    "orthogonal deep linear": ("orthogonal", "lecun_normal", "delta_orthogonal"),
    "deep linear network": ("orthogonal", "lecun_normal", "delta_orthogonal"),
    "LSTM, 500 steps": ("forget_gate_bias", "chrono", "orthogonal"),
    "lstm long memory": ("forget_gate_bias", "chrono", "orthogonal"),
    "tanh rnn": ("orthogonal", "auto", "keras_default"),
    "relu rnn": ("irnn", "np_rnn", "auto"),
    "resnet with batchnorm": ("he_fan_out", "zero_gamma", "zero_hadamard"),
    "resnet without batchnorm": ("fixup_scaling", "skipinit_gain", "nfnet_blocks"),
    "transformer": ("normal", "xavier_uniform", "admin"),
    "vit from scratch": ("truncated_normal", "xavier_uniform", "depth_index"),
    "gpt pretraining": ("gpt2_residual", "normal", "small_init"),
    "post-norm transformer 100 layers": ("deepnorm_scaling", "admin", "admin_profiled"),
    "transformer without norm": ("t_fixup_scaling", "rezero", "zero_branch"),
    "width transfer mup": ("mup_scaling", "zero_query", "ntk"),
    "siren": ("siren_first", "siren_hidden"),
    "coordinate network": ("siren_first", "siren_hidden", "fourier_features"),
    "gan": ("biggan_orthogonal", "equalized_learning_rate", "normal"),
    "ppo": ("ppo_head", "orthogonal", "ddpg_head"),
    "detection head rare classes": ("prior_bias", "negative_log_classes", "class_prior_bias"),
    "imbalance softmax": ("class_prior_bias",),
    "lora": ("lora_a", "lora_a_gaussian", "pissa"),
    "mamba": ("mamba2_a_log", "mamba_a_log", "mamba_dt"),
    "graph network": ("xavier_normal", "xavier_uniform", "he_normal"),
}
"""The first three for a description; a list that is shorter is all that fits."""
UNASKED = ("rl", "gan", "detection", "coordinate", "recommender", "speech", "diffusion", "adapter", "ssm")


def names(text: str, **options: object) -> list[str]:
    return [match.name for match in find(text, **options).rows]


@pytest.mark.parametrize(("text", "wanted"), ANSWERS.items())
def test_the_first_three(text, wanted):
    assert tuple(names(text, kinds="schemes")[:3]) == wanted


@pytest.mark.parametrize("text", [text for text in ANSWERS if not set(read(text).wanted) & set(UNASKED)])
def test_what_is_for_a_network_that_nobody_named_is_not_among_them(text):
    cores = {row.name: row.suits[0] for row in schemes()}
    assert not {cores[name] for name in names(text, kinds="schemes")[:3]} & set(UNASKED)


def test_a_recipe_for_another_network_is_not_first_by_being_short():
    assert "rl-ppo" not in names("LSTM, 500 steps")[:3]
    assert "rl-ppo" not in names("tanh mlp")[:3]


@pytest.mark.parametrize("row", schemes(), ids=lambda row: row.name)
def test_a_row_is_found_by_its_core(row):
    core = row.suits[0]
    assert row.name in names(core, kinds="schemes", limit=200)


def test_of_equals_the_better_known_is_first():
    shown = find("tanh mlp", kinds="schemes", limit=200).rows
    made_for = [m.evidence for m in shown if m.score == 2 and m.name in ("lecun_uniform", "auto", "rule_a2")]
    assert made_for == ["verified in source", "computed", "computed"]


def test_how_long_a_sequence_is_tells_what_it_takes():
    assert read(f"lstm, {LONG} steps").wanted == ("lstm", "long memory")
    assert read(f"lstm, {LONG - 1} time steps").wanted == ("lstm",)
    assert read("lstm, 20 timesteps").unknown == ()


def test_deep_linear_is_both():
    assert set(read("deep linear network").wanted) == {"deep", "linear"} <= set(TRAITS)
