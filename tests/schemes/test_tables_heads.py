"""Tables, heads and their biases: published starts, base rates, new rows of a trained table."""

import math

import numpy as np
import pytest

import initwise
from initwise import fans, recipe, scheme
from initwise.core.errors import FillError, ModelError, OptionError, OutputError
from initwise.core.fill import Fill
from initwise.core.parameter import ParameterInfo
from initwise.frameworks.vocabulary import extend_table_, new_rows
from initwise.random import fill_array
from initwise.schemes import Site
from initwise.schemes.heads import rates_of
from initwise.schemes.tables import EMBEDDINGS, HEADS
from initwise.schemes.vocabulary import TRANSFORMERS_SPREAD, extended_rows, row_law

torch = pytest.importorskip("torch")
nn = torch.nn


class LanguageModel(nn.Module):
    def __init__(self, vocabulary=40, width=16, tied=False):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        self.body = nn.Linear(width, width)
        self.lm_head = nn.Linear(width, vocabulary, bias=not tied)
        if tied:
            self.lm_head.weight = self.embedding.weight


def fills(model, plan):
    return {entry.name: entry.fill for entry in initwise.init_(model, plan).entries}


class TestTables:
    @pytest.mark.parametrize(
        ("flavor", "formula"),
        [
            ("torch", "N(0, 1)"),
            ("t5", "N(0, 1)"),
            ("fairseq", "N(0, 0.25)"),
            ("gpt2", "N(0, 0.02)"),
            ("bert", "N(0, 0.02) on (-0.04, 0.04), std 0.0175925"),
            ("megatron", "N(0, 1)"),
            ("keras", "U(±0.05)"),
            ("haiku", "N(0, 1) on (-2, 2), std 0.879626"),
            ("lasagne", "N(0, 0.01)"),
            ("nanochat", "N(0, 0.8)"),
            ("rwkv7", "U(±0.0001)"),
        ],
    )
    def test_every_flavor_is_its_published_law_and_the_rest_is_the_base(self, flavor, formula):
        got = fills(LanguageModel(), scheme("embedding_table", flavor=flavor))
        assert got["embedding.weight"].formula == formula
        assert got["body.weight"].formula == scheme("xavier_uniform").fill(fans((16, 16), "oi")).formula

    def test_all_flavors_are_tested_above(self):
        option = next(o for o in scheme("embedding_table").row.options if o.name == "flavor")
        assert set(option.legal) == set(EMBEDDINGS)
        heads = next(o for o in scheme("lm_head").row.options if o.name == "flavor")
        assert set(heads.legal) == {*HEADS, "rwkv7"}

    def test_the_padding_row_is_zero_and_no_other(self):
        model = LanguageModel()
        initwise.init_(model, "unit_normal_embedding")
        rows = model.embedding.weight.detach()
        assert not rows[0].any()
        assert rows[1:].abs().sum(1).min() > 0

    def test_a_std_of_ones_own(self):
        got = fills(LanguageModel(), scheme("embedding_table", std=0.1))
        assert got["embedding.weight"].std == 0.1
        with pytest.raises(OptionError, match=r"std=-1\.0; expected a finite number > 0"):
            fills(LanguageModel(), scheme("embedding_table", std=-1))

    def test_as_a_rule_for_one_table(self):
        got = {
            e.name: e.fill
            for e in initwise.init_(
                LanguageModel(),
                "he_normal",
                rules={"embedding.weight": scheme("embedding_table", flavor="bert")},
            ).entries
        }
        assert got["embedding.weight"].scale == 0.02
        assert got["body.weight"].std == pytest.approx(math.sqrt(2 / 16))

    def test_a_model_without_tables(self):
        with pytest.raises(ModelError, match="it cannot add them"):
            initwise.init_(nn.Sequential(nn.Linear(3, 3)), "embedding_table")


class TestHeads:
    @pytest.mark.parametrize(
        ("flavor", "formula"),
        [
            ("gpt2", "N(0, 0.02)"),
            ("torchtitan", "N(0, 0.25) on (-0.75, 0.75), std 0.246645"),
            ("nanochat", "N(0, 0.001)"),
            ("modded_nanogpt", "N(0, 0.005)"),
            ("vit_jax", "0"),
        ],
    )
    def test_every_flavor_is_its_published_law(self, flavor, formula):
        got = fills(LanguageModel(), scheme("lm_head", flavor=flavor))
        assert got["lm_head.weight"].formula == formula
        assert got["lm_head.bias"].formula == "0"

    @pytest.mark.parametrize(("vocabulary", "gain"), [(64, 1.0), (16, 0.5), (8, 0.5)])
    def test_rwkv_7_is_orthogonal_by_vocabulary_over_width(self, vocabulary, gain):
        model = LanguageModel(vocabulary)
        initwise.init_(model, scheme("lm_head", flavor="rwkv7"))
        sigma = torch.linalg.svdvals(model.lm_head.weight.detach().double())
        np.testing.assert_allclose(sigma, gain, rtol=1e-6)

    def test_a_tied_head_is_the_table(self):
        with pytest.raises(ModelError, match="the model has no head"):
            initwise.init_(LanguageModel(tied=True), "lm_head")
        got = fills(LanguageModel(tied=True), scheme("embedding_table", flavor="gpt2"))
        assert got["embedding.weight"].std == 0.02

    @pytest.mark.parametrize(("kind", "gain"), [("policy", 0.01), ("value", 1.0), ("hidden", math.sqrt(2))])
    def test_ppo(self, kind, gain):
        model = nn.Linear(64, 6)
        initwise.init_(model, scheme("ppo_head", kind=kind))
        np.testing.assert_allclose(torch.linalg.svdvals(model.weight.detach()), gain, rtol=1e-5)
        assert not model.bias.any()

    def test_ddpg_reaches_the_bias_too(self):
        model = nn.Linear(400, 400)
        initwise.init_(model, "ddpg_head")
        for tensor in (model.weight, model.bias):
            assert 0.0029 < tensor.abs().max() <= 0.003

    @pytest.mark.parametrize("name", ["rl-ppo", "ppo", "rl-ddpg", "ddpg", "dcgan"])
    def test_whole_models_are_recipes_and_no_scheme_hides_them(self, name):
        assert recipe(name)
        with pytest.raises(initwise.InitwiseError):
            scheme(name)


class TestBaseRates:
    def bias(self, outputs=3, **options):
        info = ParameterInfo("head.bias", (outputs,), "float32", "bias")
        return scheme("class_prior_bias", **options).fill_parameter(info, at=Site(part="head"))

    def test_softmax_of_the_biases_is_the_rates(self):
        model = nn.ModuleDict({"body": nn.Linear(4, 4), "head": nn.Linear(4, 3)})
        initwise.init_(model, scheme("class_prior_bias", rates="0.7, 0.2, 0.1"))
        np.testing.assert_allclose(model["head"].bias.softmax(0).tolist(), [0.7, 0.2, 0.1], rtol=1e-6)
        assert not model["body"].bias.any()
        assert model["head"].weight.std() > 0

    def test_sigmoids_each_have_their_rate(self):
        model = nn.ModuleDict({"body": nn.Linear(4, 4), "head": nn.Linear(4, 3)})
        initwise.init_(model, scheme("class_prior_bias", rates="0.5, 0.5, 0.99", output="sigmoid"))
        np.testing.assert_allclose(model["head"].bias.sigmoid().tolist(), [0.5, 0.5, 0.99], rtol=1e-6)

    def test_a_regressions_mean_targets(self):
        fill = self.bias(rates="-3.5, 0, 12", output="regression")
        assert [(size, part.mean) for _, size, part in fill.parts] == [(1, -3.5), (1, 0), (1, 12)]

    def test_equal_rates_are_one_number(self):
        assert self.bias(4, rates="0.25,0.25,0.25,0.25") == Fill.constant(
            math.log(0.25),
            reason="the head starts by answering 0.25,0.25,0.25,0.25 (softmax) everywhere",
            citation=scheme("class_prior_bias").row.citation,
        )

    def test_counts_as_rates(self):
        fill = self.bias(rates=rates_of([900, 90, 10]))
        assert [part.mean for _, _, part in fill.parts] == pytest.approx(
            [math.log(p) for p in (0.9, 0.09, 0.01)]
        )
        with pytest.raises(OptionError, match="count it once"):
            rates_of([3, 0])

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({}, "rates=''; expected one finite number per output"),
            ({"rates": "a, b, c"}, "rates='a, b, c'; expected one finite number per output"),
            ({"rates": "0.5, 0.6, 0.1"}, "rates that sum to 1.2; expected shares that sum to 1"),
            ({"rates": "1, 0, 0"}, "a rate of 0; expected rates > 0"),
            ({"rates": "0.5, 1, 0.1", "output": "sigmoid"}, "a rate of 1; expected rates > 0 and < 1"),
            ({"rates": "1, nan, 2", "output": "regression"}, "rates='1, nan, 2'; expected one finite number"),
        ],
    )
    def test_rates_that_are_none(self, options, text):
        with pytest.raises(OptionError) as caught:
            self.bias(**options)
        assert str(caught.value).startswith(f"scheme 'class_prior_bias': {text}")
        assert "rates_of([900, 90, 10])" in str(caught.value)

    def test_as_many_rates_as_outputs(self):
        with pytest.raises(FillError, match=r"head\.bias: 2 numbers for a bias of shape \(3,\)"):
            self.bias(rates="0.5, 0.5")


class TestVocabularyExtension:
    table = np.random.default_rng(0).normal(size=(500, 6)) @ np.random.default_rng(1).normal(size=(6, 6)) + 3

    def test_the_law_is_the_old_rows_mean_and_covariance(self):
        mean, root = row_law(self.table)
        np.testing.assert_allclose(mean, self.table.mean(0), rtol=1e-13)
        np.testing.assert_allclose(root @ root, np.cov(self.table.T, bias=True), rtol=1e-10)
        np.testing.assert_allclose(root, root.T, atol=1e-14)

    def test_new_rows_have_it(self):
        rows = new_rows(self.table, 40_000, name="wte")
        white = (rows - self.table.mean(0)) @ np.linalg.inv(row_law(self.table)[1])
        # five standard errors of a mean and of a variance of 40 000 draws
        np.testing.assert_allclose(white.mean(0), 0, atol=5 / 200)
        np.testing.assert_allclose(np.cov(white.T), np.eye(6), atol=5 * math.sqrt(2) / 200)

    def test_a_row_depends_on_its_number_name_and_seed_alone(self):
        state = np.random.get_state()[1].copy()
        few, many = new_rows(self.table, 2, name="wte"), new_rows(self.table, 5, name="wte")
        np.testing.assert_array_equal(few, many[:2])
        assert (new_rows(self.table, 2, name="other") != few).all()
        assert (new_rows(self.table, 2, name="wte", seed=1) != few).all()
        np.testing.assert_array_equal(np.random.get_state()[1], state)

    def test_the_draws_are_the_streams(self):
        whole = fill_array(np.empty((503, 6)), Fill.normal(), name="wte#new")
        np.testing.assert_array_equal(
            extended_rows(self.table, whole[500:]), new_rows(self.table, 3, name="wte")
        )

    def test_fewer_rows_than_columns_stay_in_their_span(self):
        few = self.table[:3]
        rows = new_rows(few, 10, name="wte") - few.mean(0)
        basis = np.linalg.svd(few - few.mean(0), full_matrices=False)[2][:2]
        np.testing.assert_allclose(rows - rows @ basis.T @ basis, 0, atol=1e-7)

    def test_transformers_spread_is_almost_the_mean(self):
        rows = new_rows(self.table, 4, name="wte", spread=TRANSFORMERS_SPREAD)
        np.testing.assert_allclose(rows, np.tile(self.table.mean(0), (4, 1)), atol=1e-3)
        assert math.isclose(TRANSFORMERS_SPREAD**2, 1e-9)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_a_torch_table_in_place(self, dtype):
        grown = nn.Embedding(503, 6, dtype=dtype)
        with torch.no_grad():
            grown.weight[:500] = torch.from_numpy(self.table)
        old = grown.weight[:500].detach().clone()
        random = torch.get_rng_state()
        assert extend_table_(grown.weight, 500, name="wte.weight") is grown.weight
        assert torch.equal(grown.weight[:500], old)
        wanted = new_rows(old, 3, name="wte.weight")
        assert torch.equal(grown.weight[500:], torch.from_numpy(wanted).to(dtype))
        assert grown.weight.requires_grad
        assert torch.equal(torch.get_rng_state(), random)

    def test_an_array_in_place(self):
        grown = np.concatenate([self.table, np.zeros((2, 6))]).astype("float32")
        extend_table_(grown, 500, name="w")
        np.testing.assert_array_equal(grown[500:], new_rows(grown[:500], 2, name="w").astype("float32"))

    def test_what_is_refused(self):
        with pytest.raises(FillError, match="0 trained rows"):
            extend_table_(np.ones((3, 2)), 0, name="w")
        with pytest.raises(FillError, match="all numbers finite"):
            new_rows(np.full((3, 2), np.nan), 1, name="w")
        with pytest.raises(FillError, match="-1 new rows"):
            new_rows(self.table, -1, name="w")
        with pytest.raises(FillError, match="spread -1"):
            new_rows(self.table, 1, name="w", spread=-1)
        with pytest.raises(FillError, match=r"draws of shape \(2, 5\); expected \(new rows, 6\)"):
            extended_rows(self.table, np.ones((2, 5)))
        frozen = np.ones((3, 2))
        frozen.flags.writeable = False
        with pytest.raises(OutputError, match="a writable NumPy array"):
            extend_table_(frozen, 2, name="w")
