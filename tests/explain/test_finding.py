"""find: a user's words become traits, rows are ranked by them, and each says why."""

from __future__ import annotations

import pytest

from initwise.activations import activations
from initwise.core.errors import OptionError
from initwise.core.matches import Matches
from initwise.core.traits import GROUPS, TRAITS, wider
from initwise.explain import find
from initwise.explain.words import depth, nearest, read, squeezed
from initwise.recipes import recipes
from initwise.schemes import SchemeRow, schemes


def traits_of(text):
    return set(read(text).wanted)


class TestWords:
    @pytest.mark.parametrize(
        ("text", "traits"),
        [
            ("deep relu cnn without norm", {"deep", "relu", "cnn", "without norm"}),
            ("Deep ReLU CNNs, no BatchNorm!", {"deep", "relu", "cnn", "without norm"}),
            ("a norm-free conv net", {"without norm", "cnn"}),
            ("BN-free ResNet", {"without norm", "resnet"}),
            ("with batch normalization", {"batchnorm"}),
            ("without any norm or skip connections", {"without norm", "plain"}),
            ("pre-LN decoder-only LLM", {"pre-norm", "language model"}),
            ("ViTs", {"vit"}),
            ("LSTMs on long sequences", {"lstm", "long memory"}),
            ("PPO", {"rl"}),
            ("1000 layers", {"very deep"}),
            ("3-layer perceptron", {"shallow", "mlp"}),
            ("a 50layers tanh network", {"deep", "tanh"}),
            ("Swish", {"silu"}),
            ("class imbalance", {"imbalance"}),
            ("transformer without warmup", {"transformer", "without warm-up"}),
            ("softplus", {"any activation"}),
            ("GPT-2", {"language model", "transformer", "pre-norm", "gelu"}),
        ],
    )
    def test_a_description_is_read(self, text, traits):
        found = traits_of(text)
        assert traits <= found
        if text != "GPT-2":
            assert found == traits

    def test_a_recipes_name_is_the_recipe_and_its_kind_of_network(self):
        assert ("recipe", "gpt2") in read("gpt 2").names
        assert ("recipe", "rl-ppo") in read("ppo").names
        assert read("transformers").names == ()  # attention, not the library

    def test_what_is_not_understood_is_told_with_the_nearest_word(self):
        found = find("relu blorp gleu")
        assert found.understood == (("relu", "relu"),)
        assert found.unknown == (("blorp", ""), ("gleu", "glu"))
        assert "gleu: did you mean glu?" in str(found)

    @pytest.mark.parametrize(
        ("layers", "trait"), [(2, "shallow"), (8, "deep"), (99, "deep"), (100, "very deep")]
    )
    def test_depth_in_numbers(self, layers, trait):
        assert depth(layers) == trait

    def test_a_denied_trait_speaks_against_rows_that_suit_it(self):
        found = find("mlp, not relu", kinds=["schemes"], limit=100)
        assert all("relu" not in row_of(match).suits for match in found.rows)
        assert all(match.against == ("not relu",) for match in found.against)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (
                "blorp",
                "--for: nothing in 'blorp' is understood; expected what the network is.\n  Words there are",
            ),
            ("glue nrm", "Did you mean glu for glue, norm for nrm?"),
            ("", "nothing in '' is understood"),
            ("not relu", "--for: 'not relu' tells only what the network is not; expected what it is, too."),
        ],
    )
    def test_nothing_understood_is_refused_with_the_vocabulary(self, text, said):
        with pytest.raises(OptionError) as caught:
            find(text)
        assert said in str(caught.value)
        if "nothing" in said:
            for group, names in GROUPS.items():
                assert f"{group}: {', '.join(names)}" in str(caught.value)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"kinds": ["scheme"]}, "kind: 'scheme'.\n  Did you mean 'schemes'?"),
            (
                {"evidence": "rumour"},
                "--evidence: 'rumour'.\n  Known: computed, recalled, second-hand, verified",
            ),
            ({"limit": 0}, "find: limit=0; expected a whole number ≥ 1."),
            ({"limit": True}, "find: limit=True; expected"),
            ({"needs": "depht"}, "--needs: 'depht'.\n  Did you mean 'depth'?"),
        ],
    )
    def test_filters_refuse_words_that_are_none(self, options, said):
        with pytest.raises(OptionError) as caught:
            find("relu", **options)
        assert str(caught.value).startswith(said)


def row_of(match) -> SchemeRow:
    return next(row for row in schemes() if row.name == match.name)


class TestRanking:
    @pytest.mark.parametrize(
        ("text", "kind", "name"),
        [
            ("deep relu cnn without norm", "schemes", "he_normal"),
            ("resnet with batchnorm", "recipes", "resnet"),
            ("ViT", "recipes", "vit"),
            ("PPO", "recipes", "rl-ppo"),
            ("post-norm transformer, 200 layers", "schemes", "deepnorm_scaling"),
            ("siren", "recipes", "siren"),
            ("1000 layers plain cnn tanh no norm", "schemes", "delta_orthogonal"),
            ("lora", "recipes", "lora"),
            ("width transfer", "recipes", "mup"),
            ("focal loss detector", "schemes", "prior_bias"),
            ("gated function", "activations", "bilinear"),
        ],
    )
    def test_the_best_row(self, text, kind, name):
        assert find(text, kinds=[kind]).rows[0].name == name

    def test_each_row_says_what_matched_and_what_speaks_against_it(self):
        found = find("deep relu cnn without norm", kinds=["schemes"])
        assert found.rows[0].matched == ("deep", "relu", "cnn", "without norm")
        against = {match.name: match for match in found.against}
        assert against["he_fan_out"].against == ("without norm",)
        assert against["he_fan_out"].avoid == row_of(against["he_fan_out"]).avoid
        assert "[against it: without norm; for it: deep, relu, cnn] Not for networks without" in " ".join(
            str(found).split()
        )

    def test_what_it_is_not_for_is_never_among_what_fits(self):
        for text in ("tanh", "relu without norm", "transformer", "very deep"):
            for match in find(text, kinds=["schemes"], limit=200).rows:
                assert not set(row_of(match).unsuited) & set(read(text).wanted)

    def test_a_narrower_and_a_wider_trait_count_less(self):
        scores = {match.name: match.score for match in find("lstm", kinds=["schemes"], limit=99).rows}
        assert scores["chrono"] == 1.0
        assert scores["sparse"] == 0.5  # for recurrent networks of any kind
        assert "irnn" not in scores
        scores = {match.name: match.score for match in find("rnn", kinds=["schemes"], limit=99).rows}
        assert scores["irnn"] == 1.0
        assert scores["chrono"] == 0.6  # for gated ones
        said = {match.name: match.matched for match in find("rnn", kinds="schemes", limit=99).rows}
        assert said["chrono"] == ("rnn (gru, lstm)",)
        assert said["irnn"] == ("rnn",)
        said = {match.name: match.matched for match in find("vit, very deep", limit=99).rows}
        assert said["admin"] == ("vit (transformer)", "very deep (deep)")

    def test_what_is_not_for_the_wider_is_not_for_the_narrower(self):
        against = {match.name: match for match in find("vit cnn", kinds=["schemes"]).against}
        assert "vit" in against["delta_orthogonal"].against  # not for transformers

    def test_one_trait_against_it_is_enough_whatever_speaks_for_it(self):
        found = find("deep relu cnn resnet batchnorm, without norm", kinds=["schemes"], limit=99)
        assert "he_fan_out" not in {match.name for match in found.rows}
        against = {match.name: match for match in found.against}
        assert against["he_fan_out"].score == 5 - 2

    def test_one_kind_may_be_said_alone(self):
        assert find("relu", kinds="schemes") == find("relu", kinds=["schemes"])
        with pytest.raises(OptionError, match="--for: a int; expected words"):
            find(3)

    def test_filters(self):
        found = find("transformer", needs="heads", limit=99)
        assert {match.name for match in found.rows} == {
            row.name for row in schemes() if "heads" in row.needs and "transformer" in traits_with_wider(row)
        }
        assert all(m.evidence == "recalled" for m in find("rnn", evidence="recalled").rows)
        assert all(not row_of(m).needs for m in find("transformer", kinds=["schemes"], needs="none").rows)

    def test_the_limit_says_how_many_are_left(self):
        short, whole = find("transformer", limit=2), find("transformer", limit=10**6)
        assert len(short.rows) == 2
        assert short.left == len(whole.rows) - 2
        assert whole.left == 0

    def test_it_survives_json(self):
        found = find("deep relu cnn, blorp")
        assert Matches.from_json(found.to_json()) == found


def traits_with_wider(row):
    return set(row.suits).union(*(wider(trait) for trait in row.suits))


class TestVocabulary:
    def test_no_two_traits_share_a_word(self):
        said: dict[str, str] = {}
        for trait in TRAITS.values():
            for word in {squeezed(word) for word in (trait.name, *trait.words)}:
                assert said.setdefault(word, trait.name) == trait.name

    def test_wider_traits_are_traits(self):
        assert all(set(trait.implies) <= set(TRAITS) for trait in TRAITS.values())
        assert wider("batchnorm") == {"norm"}

    def test_every_trait_is_found_by_its_name_and_suits_something(self):
        used = {trait for row in (*schemes(), *recipes()) for trait in traits_with_wider(row)}
        used |= {trait for row in activations() for trait in find_traits(row)}
        for name in TRAITS:
            assert read(name).wanted[:1] == (name,)
            assert name in used, f"no row suits {name}"

    def test_every_recipe_says_what_it_is_about(self):
        assert [row.name for row in recipes() if not row.suits] == []

    def test_a_row_with_a_word_that_is_none_is_refused(self):
        with pytest.raises(OptionError, match="trait 'reluu'"):
            SchemeRow("x", lambda fans: None, "s", "f", "c", "computed", ("d",), "a", suits=("reluu",))

    def test_the_nearest_word(self):
        assert nearest("batchnrm") == "batchnorm"
        assert nearest("qqqqqq") == ""


def find_traits(row):
    from initwise.explain.activation_traits import family_and_shape

    return set(family_and_shape(row)[0])


class TestActivations:
    def test_shape_is_computed_from_the_function(self):
        rows = {row.name: find_traits(row) for row in activations()}
        assert {"tanh", "smooth", "bounded", "zero-centred", "monotone"} <= rows["tanh"]
        assert {"relu", "kinked", "monotone"} <= rows["relu"]
        assert "bounded" not in rows["relu"]
        assert "monotone" not in rows["gelu"]
        assert "zero-centred" not in rows["sigmoid"]
