"""What a recipe says when it cannot do what was asked, word for word."""

import pytest

from initwise.core.errors import ModelError, OptionError, UnknownNameError
from initwise.recipes import recipe

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from initwise.frameworks.initialize import init_, plan_for  # noqa: E402

D = 16
RESIDUAL = "h.0.attn.c_proj.weight"


def tree(**children):
    return nn.ModuleDict(children)


def block():
    return tree(
        attn=tree(c_attn=nn.Linear(D, 3 * D), c_proj=nn.Linear(D, D)),
        mlp=tree(c_fc=nn.Linear(D, 4 * D), c_proj=nn.Linear(4 * D, D)),
    )


def gpt(blocks=2):
    return tree(wte=nn.Embedding(30, D), h=nn.ModuleList(block() for _ in range(blocks)))


def perceptron():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def network():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))


ELSE = "For a model of another family: choose(model, example)."
GPT_HAS = "it has attention.output, attention.qkv, embedding, mlp.down, mlp.up"


@pytest.mark.parametrize(
    ("model", "name", "lacks", "has", "assign"),
    [
        (
            perceptron,
            "gpt2",
            "attention.output, mlp.down",
            "it has no part the names tell; of unknown part: 0.weight, 2.weight",
            "attention.output=GLOB, mlp.down=GLOB",
        ),
        (
            network,
            "gpt2",
            "attention.output, mlp.down",
            "it has conv, norm; of unknown part: 4.weight",
            "attention.output=GLOB, mlp.down=GLOB",
        ),
        (gpt, "resnet", "conv, conv.*, stem, patch", GPT_HAS, "conv=GLOB"),
        (gpt, "vit", "patch, conv, stem", GPT_HAS, "patch=GLOB"),
        (gpt, "dit", "modulation", GPT_HAS, "modulation=GLOB"),
        (gpt, "t5", "attention.query", GPT_HAS, "attention.query=GLOB"),
        (
            gpt,
            "mobilenet",
            "conv, conv.*, stem, patch, conv.depthwise",
            GPT_HAS,
            "conv=GLOB, conv.depthwise=GLOB",
        ),
        (
            perceptron,
            "llama",
            "attention.*, mlp.*",
            "it has no part the names tell; of unknown part: 0.weight, 2.weight",
            "attention.query=GLOB",
        ),
    ],
)
def test_a_recipe_for_another_kind_of_model(model, name, lacks, has, assign):
    with pytest.raises(ModelError) as caught:
        init_(model(), name)
    assert str(caught.value) == (
        f"recipe {name!r}: the model has no {lacks}; expected a model of this family.\n"
        f"  Likely cause: {has}\n"
        f'  Name its parts, if it is one: recipe("{name}", assign="{assign}"). {ELSE}'
    )


def test_a_recipe_about_names_says_which():
    with pytest.raises(ModelError) as caught:
        init_(gpt(), "lora")
    assert str(caught.value) == (
        "recipe 'lora': the model has no parameter called *lora_A* or *lora_a*, parameter called *lora_B* or "
        f"*lora_b*; expected a model of this family.\n  Likely cause: {GPT_HAS}\n  {ELSE}"
    )
    with pytest.raises(
        ModelError, match=r"no parameter called actor\.\* or \*\.actor\.\* or \*actor_mean\* …"
    ):
        init_(perceptron(), "ppo")


def test_nothing_is_written_by_a_recipe_that_does_not_fit():
    model = gpt()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    with pytest.raises(ModelError):
        init_(model, "resnet")
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


@pytest.mark.parametrize("name", ["gpt2", "hf_default", "llama", "siren", "lora"])
def test_a_model_without_parameters(name):
    with pytest.raises(ModelError) as caught:
        init_(nn.Module(), name)
    assert str(caught.value) == (
        f"recipe {name!r}: the model has no parameters; expected a model of this family.\n"
        "  Likely cause: a module without layers, or one whose layers are not registered (kept in a "
        "plain list)"
    )


def test_a_frozen_model_and_a_frozen_part_of_one():
    model = gpt()
    model.requires_grad_(False)
    with pytest.raises(ModelError, match=r"none of 17 parameters can be filled; wte\.weight: requires_grad"):
        init_(model, "gpt2")
    model = gpt()
    model["h"][0]["attn"]["c_proj"].weight.requires_grad_(False)
    ledger = init_(model, "gpt2")
    assert [entry.name for entry in ledger.entries if entry.status != "filled"] == [RESIDUAL]


def test_models_without_memory_or_shapes_are_refused_by_what_to_do():
    with torch.device("meta"):
        meta = gpt()
    with pytest.raises(ModelError, match=r"are on the meta device and have no memory(.|\n)*to_empty"):
        init_(meta, "gpt2")
    lazy = tree(
        h=nn.ModuleList([tree(attn=tree(c_proj=nn.LazyLinear(D)), mlp=tree(c_proj=nn.LazyLinear(D)))])
    )
    with pytest.raises(
        ModelError, match=r"are lazy: no shape before the first forward(.|\n)*Run the model once"
    ):
        init_(lazy, "gpt2")


def test_a_model_without_numbered_blocks_needs_its_depth_told():
    with pytest.raises(ModelError) as caught:
        init_(block(), "gpt2")
    assert str(caught.value) == (
        "attn.c_proj.weight: its name has no block number, so depth is unknown; expected a name like "
        "h.3.attn.c_proj.weight.\n  Say it: recipe(…, depth=12)."
    )
    assert plan_for(block(), recipe("gpt2", depth=8))["attn.c_proj.weight"].std == 0.005
    # what does not need the depth does not ask for it
    assert plan_for(block(), "hf_default")["attn.c_proj.weight"].std == 0.02


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "gpt2",
            {"flavor": "open_ai"},
            "recipe 'gpt2': flavor='open_ai'.\n  Did you mean 'openai'?\n  Known: hf, openai.\n"
            "  flavor: Hugging Face and nanoGPT, or OpenAI's released code.",
        ),
        (
            "gemma",
            {"flavor": "hf"},
            "recipe 'gemma': it has no option 'flavor'.\n  Known: assign, depth, heads, std, unmatched, "
            "width.",
        ),
        (
            "gpt2",
            {"residul": "x"},
            "recipe 'gpt2': it has no option 'residul'.\n  Did you mean 'residual'?\n"
            "  Known: assign, depth, flavor, heads, residual, std, unmatched, width.",
        ),
        (
            "gpt2",
            {"depth": -3},
            "recipe 'gpt2': depth=-3.0; expected a whole number > 0, or 0 for what the model's shapes "
            "and names "
            "tell.",
        ),
        (
            "t5",
            {"heads": 2.5},
            "recipe 't5': heads=2.5; expected a whole number > 0, or 0 for what the model's shapes and "
            "names tell.",
        ),
        (
            "gpt2",
            {"depth": "twelve"},
            "recipe 'gpt2': depth='twelve'; expected a number.\n"
            "  depth: a whole number; 0 means: as the model's shapes and names tell it.",
        ),
        ("gpt2", {"residual": " ,"}, "recipe 'gpt2': residual=' ,'; expected a glob, or several."),
        (
            "stylegan2",
            {"mapping_rate": 0.0},
            "recipe 'stylegan2': mapping_rate=0.0; expected mapping_rate > 0.",
        ),
        ("mup", {"base_width": 0.0}, "recipe 'mup': base_width=0.0; expected base_width > 0."),
        ("detection", {"prior": 1.0}, "recipe 'detection': prior=1.0; expected 0 < prior < 1."),
        ("modernbert", {"cut": 0.0}, "recipe 'modernbert': cut=0.0; expected cut > 0."),
        ("mamba", {"n_residuals": -1.0}, "recipe 'mamba': n_residuals=-1.0; expected n_residuals > 0."),
        ("t5", {"factor": -1.0}, "recipe 't5': factor=-1.0; expected factor > 0."),
        ("siren", {"w0": 0.0}, "recipe 'siren': w0=0.0; expected w0 > 0."),
    ],
)
def test_options_that_make_no_sense(name, options, message):
    with pytest.raises(OptionError) as caught:
        recipe(name, **options)
    assert str(caught.value) == message


def test_a_law_that_is_none_names_the_parameter_and_the_options():
    with pytest.raises(OptionError) as caught:
        plan_for(gpt(), recipe("gpt2", std=-0.1))
    assert str(caught.value) == (
        "recipe 'gpt2(std=-0.1)', wte.weight: its law N(0, -0.1) is none: normal: std -0.1; expected std ≥ 0."
    )


class TestGlobs:
    def test_one_of_several_that_matches_nothing(self):
        globs = "*.attn.c_proj.weight, *.nowhere"
        with pytest.raises(ModelError) as caught:
            plan_for(gpt(), recipe("gpt2", residual=globs))
        assert str(caught.value) == (
            "recipe 'gpt2': no parameter is called *.nowhere; expected residual: matrices that write "
            "into the "
            "residual stream.\n  Likely cause: the model's layers have other names\n"
            "  Some weights: h.0.attn.c_attn.weight, h.0.attn.c_proj.weight, h.0.mlp.c_fc.weight and 5 more. "
            'A glob that may match nothing: unmatched="allow".'
        )
        allowed = plan_for(gpt(), recipe("gpt2", residual=globs, unmatched="allow"))
        assert allowed[RESIDUAL].std == 0.01

    def test_all_of_them_matching_nothing_is_no_such_model_even_if_allowed(self):
        with pytest.raises(ModelError, match=r"the model has no parameter called \*\.nowhere"):
            plan_for(gpt(), recipe("gpt2", residual="*.nowhere", unmatched="allow"))

    def test_in_an_assignment(self):
        with pytest.raises(
            ModelError, match=r"assign='mlp\.up=\*\.nowhere' names no parameter(.|\n)*unmatched="
        ):
            plan_for(gpt(), recipe("gpt2", assign="mlp.up=*.nowhere"))
        plan_for(gpt(), recipe("gpt2", assign="mlp.up=*.nowhere", unmatched="allow"))

    def test_a_part_nobody_knows_is_an_error_even_where_globs_may_match_nothing(self):
        with pytest.raises(ModelError, match=r"no part is called 'mlp\.upp'\.\n  Did you mean 'mlp\.up'"):
            plan_for(gpt(), recipe("gpt2", assign="mlp.upp=*.nowhere", unmatched="allow"))

    def test_in_rules(self):
        with pytest.raises(UnknownNameError, match=r"rule '\*\.nowhere' matches no parameter"):
            init_(gpt(), "gpt2", rules={"*.nowhere": "zeros"})


@pytest.mark.parametrize("family", ["no_such_family", "jukebox", "blip_22"])
def test_a_family_without_a_recipe_is_told_of_transformers_default(family):
    with pytest.raises(UnknownNameError) as caught:
        recipe(family)
    text = str(caught.value)
    assert text.startswith(f"no recipe is called {family!r}.\n")
    assert text.endswith(
        '  A family of transformers without a rule of its own: recipe("hf_default"). Any other model: '
        "choose(model, example)."
    )


def test_a_near_miss_is_guessed_and_hyphens_are_underscores():
    with pytest.raises(UnknownNameError, match="Did you mean 'llama'"):
        recipe("lama")
    assert recipe("gpt-neox") == recipe("gpt_neox")
    assert recipe("rl-ppo") == recipe("rl_ppo")
    with pytest.raises(UnknownNameError, match="no recipe is called None; expected a name"):
        recipe(None)
