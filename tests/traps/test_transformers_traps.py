"""Quirks of transformers, by their survey's numbers, beside what it really draws."""

import math

import pytest
import torch
import transformers

from initwise.core.errors import ModelError
from initwise.frameworks.initialize import init_, plan_for
from initwise.recipes import recipe
from initwise.torch import init


@pytest.fixture(scope="module")
def hub():
    """transformers, which draws from torch's default generator, and its models once."""
    transformers.logging.set_verbosity_error()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        yield transformers


def spread(tensor):
    """The std and what its estimate may be off: five standard errors of a normal's."""
    return float(tensor.detach().double().std()), 5 / math.sqrt(2 * tensor.numel())


def holds(tensor, std):
    found, tolerance = spread(tensor)
    return found == pytest.approx(std, rel=tolerance)


def tiny(**more):
    """A configuration's sizes."""
    return {"hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 64, **more}


class TestT46:
    """transformers: `initializer_range or 0.02`."""

    def test_t46_a_std_of_zero_is_zero_here_and_002_in_transformers(self, hub):
        sizes = tiny(intermediate_size=64, num_attention_heads=2, num_key_value_heads=2)
        model = hub.LlamaForCausalLM(hub.LlamaConfig(**sizes, initializer_range=0.0))
        assert holds(model.lm_head.weight, 0.02)
        init_(model, recipe("llama", std=0.0))
        assert not model.lm_head.weight.any()
        init_(model, recipe("llama"))
        assert holds(model.lm_head.weight, 0.02)

    def test_t46_a_head_that_t5_s_own_code_does_not_name_has_std_1_and_the_recipe_says_so(self, hub):
        config = hub.T5Config(
            d_model=64, d_kv=16, d_ff=64, num_layers=1, num_heads=4, vocab_size=64, num_labels=32
        )
        model = hub.T5ForTokenClassification(config)
        assert holds(model.classifier.weight, 1.0)
        assert plan_for(model, "t5")["classifier.weight"].std == 1.0
        assert "gets std 1, by its default" in " ".join(recipe("t5").row.differences)
        # a rule of one's own is one line
        rule = {"classifier.weight": "lecun_normal"}
        assert plan_for(model, "t5", rules=rule)["classifier.weight"].std == pytest.approx(1 / 8)


class TestT47:
    """transformers marks what it has loaded; whoever writes by another way overwrites it."""

    @pytest.fixture
    def loaded(self, hub, tmp_path):
        """A checkpoint of a language model, read into a classifier whose head it has not."""
        config = hub.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=50, n_positions=8, pad_token_id=0)
        stored = hub.GPT2LMHeadModel(config)
        stored.save_pretrained(tmp_path)

        def load():
            model = hub.GPT2ForSequenceClassification.from_pretrained(tmp_path)
            expected = {name: p for name, p in stored.named_parameters() if name.startswith("transformer.")}
            return model, expected

        return load

    @staticmethod
    def kept(model, expected):
        found = dict(model.named_parameters())
        return all(torch.equal(found[name], value) for name, value in expected.items())

    @pytest.mark.parametrize("plan", ["gpt2", "he_normal", "torch_default"])
    def test_t47_init_fills_the_new_head_and_leaves_what_was_loaded(self, loaded, plan):
        model, expected = loaded()
        before = model.score.weight.clone()
        entries = init_(model, plan).entries
        assert [entry.name for entry in entries if entry.status == "filled"] == ["score.weight"]
        assert not torch.equal(model.score.weight, before)
        assert self.kept(model, expected)
        [why] = {entry.reason for entry in entries if entry.status == "frozen"}
        assert why.startswith("it was loaded from a checkpoint, which transformers marks _is_hf_initialized;")

    def test_t47_no_wildcard_reaches_it_but_its_full_name_does(self, loaded):
        model, expected = loaded()
        with pytest.raises(ModelError, match="Name frozen parameters in full"):
            init_(model, {"transformer.*": "zeros"})
        assert self.kept(model, expected)
        init_(model, {"transformer.wte.weight": "zeros"})
        assert not model.transformer.wte.weight.any()

    @pytest.mark.parametrize("plan", ["gpt2", "he_normal", {"*": "he_normal"}])
    def test_t47_a_model_of_which_all_is_loaded_is_refused_and_told_how(self, hub, tmp_path, plan):
        config = hub.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=50, n_positions=8)
        hub.GPT2LMHeadModel(config).save_pretrained(tmp_path)
        model = hub.GPT2LMHeadModel.from_pretrained(tmp_path)
        before = [tensor.clone() for tensor in model.parameters()]
        with pytest.raises(ModelError) as caught:
            init_(model, plan)
        text = str(caught.value)
        for told in (
            "transformer.wte.weight: it was loaded from a checkpoint, which transformers marks _is_hf",
            "only a rule with its full name fills it, or any once that attribute of it is False",
        ):
            assert told in text
        if isinstance(plan, str):
            assert "none of 16 parameters can be filled" in text
            assert "so are 15 more" in text
            assert "rules={'transformer.wte.weight': 'normal'}" in text
        assert all(map(torch.equal, before, model.parameters()))
        for tensor in model.parameters():
            tensor._is_hf_initialized = False
        assert {entry.status for entry in init_(model, plan).entries} == {"filled", "tied"}

    def test_t47_the_report_says_how_many_were_left_and_why(self, loaded):
        model, expected = loaded()
        text = " ".join(str(init_(model, "he_normal")).split())
        assert (
            f"Filled 1 of {len(expected) + 1} tensors by plan he_normal, seed 0 ({len(expected)} frozen)."
            in text
        )
        assert f"{len(expected)} frozen, it was loaded from a checkpoint, which transformers marks" in text
        first = "transformer.wte.weight, transformer.wpe.weight, transformer.h.0.ln_1.weight"
        assert f"{first} and {len(expected) - 3} more" in text

    def test_t47_under_the_drop_ins_the_marks_are_heeded_too(self, loaded):
        heads = []
        for _ in range(2):
            with init.drop_in(seed=4):
                model, expected = loaded()
            assert self.kept(model, expected)
            heads.append(model.score.weight.detach())
        assert torch.equal(*heads)
        with init.no_init():
            model, expected = loaded()
        assert self.kept(model, expected)
        assert init.unfilled(model) == ("score.weight",)

    def test_t47_a_model_that_was_built_and_not_loaded_is_filled_whole(self, hub):
        config = hub.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=50, n_positions=8)
        statuses = {entry.status for entry in init_(hub.GPT2LMHeadModel(config), "gpt2").entries}
        assert statuses == {"filled", "tied"}


class TestT48:
    """transformers' Mamba, CLIP and Swin do not start as their references do."""

    def test_t48_mamba(self, hub):
        model = hub.MambaForCausalLM(hub.MambaConfig(**tiny(state_size=4)))
        mixer, path = model.backbone.layers[0].mixer, "backbone.layers.0.mixer."
        theirs, reference = plan_for(model, recipe("mamba", flavor="hf")), plan_for(model, "mamba")
        for name, weight in (("in_proj", mixer.in_proj.weight), ("x_proj", mixer.x_proj.weight)):
            assert holds(weight, 0.1)
            assert theirs[f"{path}{name}.weight"].std == 0.1
            assert reference[f"{path}{name}.weight"].high == pytest.approx(weight.shape[1] ** -0.5)
        # of 128 inputs; the reference divides by √L, here √2, transformers by default does not
        assert float(mixer.out_proj.weight.abs().max()) == pytest.approx(128**-0.5, rel=14 / 8192)
        assert theirs[f"{path}out_proj.weight"].high == pytest.approx(128**-0.5)
        assert reference[f"{path}out_proj.weight"].high == pytest.approx(256**-0.5)
        assert (theirs[f"{path}conv1d.bias"].std, reference[f"{path}conv1d.bias"].high) == (0, 0.5)

    def test_t48_mamba_2_counts_where_the_reference_draws(self, hub):
        sizes = tiny(state_size=8, num_heads=8, head_dim=16, n_groups=1)
        model = hub.Mamba2ForCausalLM(hub.Mamba2Config(**sizes))
        name = "backbone.layers.0.mixer.A_log"
        counted = torch.log(torch.arange(1.0, 9.0))
        assert torch.allclose(dict(model.named_parameters())[name], counted)
        init_(model, recipe("mamba2", flavor="hf"))
        assert torch.allclose(dict(model.named_parameters())[name], counted)
        init_(model, "mamba2")
        drawn = dict(model.named_parameters())[name].detach()
        assert plan_for(model, "mamba2")[name].formula == "ln U[1, 16)"
        assert len(drawn.unique()) == 8
        assert not torch.allclose(drawn, counted)

    def test_t48_clip_s_attention_scales_are_exchanged(self, hub):
        tower = tiny(intermediate_size=64, num_attention_heads=2)
        text, vision = {**tower, "max_position_embeddings": 8}, {**tower, "image_size": 16, "patch_size": 8}
        model = hub.CLIPModel(hub.CLIPConfig(text_config=text, vision_config=vision, projection_dim=32))
        attention, path = (
            model.text_model.encoder.layers[0].self_attn,
            "text_model.encoder.layers.0.self_attn.",
        )
        stds = {
            flavor: [plan_for(model, plan)[f"{path}{name}.weight"].std for name in ("q_proj", "out_proj")]
            for flavor, plan in (("openai", "clip"), ("hf", recipe("clip", flavor="hf")))
        }
        # 1/√d and 1/√(2Ld), of width 64 and 2 blocks
        assert stds == {"openai": [0.125, 0.0625], "hf": [0.0625, 0.125]}
        assert holds(attention.q_proj.weight, 0.0625)
        assert holds(attention.out_proj.weight, 0.125)

    def test_t48_swin_s_positions_are_zero(self, hub):
        sizes = {"image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [1], "num_heads": [2]}
        model = hub.SwinModel(hub.SwinConfig(**sizes, window_size=4, use_absolute_embeddings=True))
        tables = {name: p for name, p in model.named_parameters() if "position" in name}
        assert len(tables) == 2
        assert not any(table.any() for table in tables.values())
        hf = plan_for(model, recipe("swin", flavor="hf"))
        assert {hf[name].formula for name in tables} == {"0"}
        assert {plan_for(model, "swin")[name].std for name in tables} == {0.02}


class TestT49:
    """transformers' Conv1D draws N(0, 0.02) in its constructor, and GPT-2 draws again."""

    def test_t49_the_constructor_s_law_is_torch_default_and_the_recipe_s_is_gpt_2_s(self, hub):
        layer = hub.pytorch_utils.Conv1D(192, 64)
        assert holds(layer.weight, 0.02)
        assert plan_for(layer, "torch_default")["weight"].formula == "N(0, 0.02)"
        config = hub.GPT2Config(n_embd=64, n_layer=8, n_head=2, vocab_size=64, n_positions=8)
        model, name = hub.GPT2LMHeadModel(config), "transformer.h.3.mlp.c_proj.weight"
        assert plan_for(model, "gpt2")[name].std == pytest.approx(0.02 / 4)
        assert holds(model.transformer.h[3].mlp.c_proj.weight, 0.02 / 4)


class TestT58:
    """OpenAI's Whisper makes the decoder's positions with torch.empty."""

    @pytest.fixture
    def model(self, hub):
        sizes = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in
                 (("layers", 1), ("attention_heads", 2), ("ffn_dim", 64))}  # fmt: skip
        tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
        length = {"max_source_positions": 8, "max_target_positions": 16}
        return hub.WhisperForConditionalGeneration(
            hub.WhisperConfig(d_model=64, vocab_size=64, **sizes, **tokens, **length)
        )

    NAME = "model.decoder.embed_positions.weight"

    def test_t58_they_are_drawn_by_default(self, model):
        entries = {entry.name: entry for entry in init_(model, "whisper").entries}
        assert (entries[self.NAME].status, entries[self.NAME].declared_std) == ("filled", 0.02)

    def test_t58_as_openai_s_they_are_left_and_the_ledger_says_what_they_are(self, model):
        with torch.no_grad():
            model.get_parameter(self.NAME).fill_(math.nan)
        entries = {entry.name: entry for entry in init_(model, recipe("whisper", flavor="openai")).entries}
        assert entries[self.NAME].status == "kept"
        assert entries[self.NAME].reason == "torch.empty: the code expects them from a checkpoint"
        assert init.unfilled(model) == (self.NAME,)
