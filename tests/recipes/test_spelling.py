"""Models as trees of arrays: Flax, T5X, Keras and Haiku names find the same parts, blocks and laws."""

import math

import jax
import numpy as np
import pytest

from initwise.core.errors import ModelError
from initwise.frameworks.initialize import init_, plan_for
from initwise.frameworks.numpy import ArrayTree
from initwise.frameworks.protocol import adapter_for
from initwise.recipes import recipe
from initwise.recipes.structure import places

D, FF, L, V, HEADS = 32, 80, 3, 50, 4


def zeros(*shape):
    return np.full(shape, 7.0, np.float32)


def dense(i, o):
    return {"kernel": zeros(i, o), "bias": zeros(o)}


def norm():
    return {"scale": zeros(D), "bias": zeros(D)}


def gpt2(block_name, blocks=L):
    """GPT-2 in Flax; blocks as "h_3", or under "h" as "3"."""

    def block():
        attn = {"c_attn": dense(D, 3 * D), "c_proj": dense(D, D)}
        return {
            "ln_1": norm(),
            "attn": attn,
            "ln_2": norm(),
            "mlp": {"c_fc": dense(D, FF), "c_proj": dense(FF, D)},
        }

    made = {str(number): block() for number in range(blocks)}
    stack = {"h": made} if block_name == "h.{}" else {f"h_{number}": tree for number, tree in made.items()}
    tables = {"wte": {"embedding": zeros(V, D)}, "wpe": {"embedding": zeros(16, D)}}
    return {"params": {**tables, **stack, "ln_f": norm()}}


GPT2 = {"*.kernel": "io", "*.embedding": "vo"}


class TestGPT2:
    @pytest.mark.parametrize(("block_name", "prefix"), [("h.{}", "params.h.2"), ("h_{}", "params.h_2")])
    def test_blocks_are_counted_and_what_writes_into_the_stream_is_scaled(self, block_name, prefix):
        tree = ArrayTree(gpt2(block_name), layouts=GPT2)
        ledger = init_(tree, "gpt2", seed=1)
        declared = {entry.name: entry for entry in ledger.entries}
        assert {entry.status for entry in ledger.entries} == {"filled"}
        for name in ("attn.c_proj", "mlp.c_proj"):
            entry = declared[f"{prefix}.{name}.kernel"]
            assert entry.declared_std == pytest.approx(0.02 / math.sqrt(2 * L))
            assert entry.measured_std == pytest.approx(
                entry.declared_std, rel=5 / math.sqrt(2 * math.prod(entry.shape))
            )
        assert declared[f"{prefix}.attn.c_attn.kernel"].declared_std == 0.02
        assert declared["params.wpe.embedding"].declared_std == 0.02
        assert declared[f"{prefix}.ln_1.scale"].fill.formula == "1"
        assert declared[f"{prefix}.ln_1.bias"].fill.formula == "0"

    def test_it_is_the_same_law_as_torchs(self):
        nn = pytest.importorskip("torch.nn")

        def block():
            return nn.ModuleDict(
                {
                    "ln_1": nn.LayerNorm(D),
                    "attn": nn.ModuleDict({"c_attn": nn.Linear(D, 3 * D), "c_proj": nn.Linear(D, D)}),
                    "ln_2": nn.LayerNorm(D),
                    "mlp": nn.ModuleDict({"c_fc": nn.Linear(D, FF), "c_proj": nn.Linear(FF, D)}),
                }
            )

        tables = {"wte": nn.Embedding(V, D), "wpe": nn.Embedding(16, D)}
        model = nn.ModuleDict(
            {**tables, "h": nn.ModuleList(block() for _ in range(L)), "ln_f": nn.LayerNorm(D)}
        )
        tree = ArrayTree(gpt2("h.{}")["params"], layouts=GPT2)
        leaves = {"kernel": "weight", "embedding": "weight", "scale": "weight", "bias": "bias"}
        for name, options in (
            ("gpt2", {}),
            ("olmo", {"flavor": "mitchell"}),
            ("gpt_neox", {}),
            ("megatron", {}),
        ):
            theirs = plan_for(model, recipe(name, **options))
            for path, fill in plan_for(tree, recipe(name, **options)).items():
                layer, _, leaf = path.rpartition(".")
                assert fill.formula == theirs[f"{layer}.{leaves[leaf]}"].formula, (name, path)

    def test_rules_that_name_parameters_know_both_spellings(self):
        tree = ArrayTree(gpt2("h_{}"), layouts=GPT2)
        for globs in ("*.c_proj.kernel", "*.c_proj.weight"):
            plan = plan_for(tree, recipe("gpt2", residual=globs))
            assert plan["params.h_1.mlp.c_proj.kernel"].std == pytest.approx(0.02 / math.sqrt(2 * L))

    def test_messages_keep_the_models_own_names(self):
        scanned = {"layers": {"attn": {"c_proj": dense(D, D)}, "mlp": {"c_proj": dense(FF, D)}}}
        tree = ArrayTree(scanned, layouts={"*.kernel": "io"})
        with pytest.raises(ModelError, match=r"layers\.attn\.c_proj\.kernel: its name has no block number"):
            plan_for(tree, "gpt2")
        assert plan_for(tree, recipe("gpt2", depth=8))["layers.attn.c_proj.kernel"].std == 0.005

    def test_a_jax_tree_is_filled_once_its_leaves_are_arrays(self):
        leaves = jax.tree_util.tree_map(jax.numpy.asarray, gpt2("h_{}"))
        tree = ArrayTree(jax.tree_util.tree_map(lambda leaf: np.empty(leaf.shape, leaf.dtype), leaves), GPT2)
        init_(tree, "gpt2", seed=1)
        filled = jax.tree_util.tree_map(jax.numpy.asarray, tree.arrays)
        same = ArrayTree(gpt2("h_{}"), layouts=GPT2)
        init_(same, "gpt2", seed=1)
        assert np.array_equal(
            np.asarray(filled["params"]["h_1"]["mlp"]["c_fc"]["kernel"]),
            same.arrays["params"]["h_1"]["mlp"]["c_fc"]["kernel"],
        )


def vit():
    """A ViT by the names that Flax counts by itself."""
    size = D // HEADS

    def head():
        return {"kernel": zeros(D, HEADS, size), "bias": zeros(HEADS, size)}

    def block():
        attention = {name: head() for name in ("query", "key", "value")}
        attention["out"] = {"kernel": zeros(HEADS, size, D), "bias": zeros(D)}
        return {
            "LayerNorm_0": norm(),
            "MultiHeadDotProductAttention_1": attention,
            "LayerNorm_2": norm(),
            "MlpBlock_3": {"Dense_0": dense(D, FF), "Dense_1": dense(FF, D)},
        }

    encoder = {f"encoderblock_{number}": block() for number in range(L)}
    return {
        "embedding": {"kernel": zeros(8, 8, 3, D), "bias": zeros(D)},
        "cls": zeros(1, 1, D),
        "Transformer": {
            "posembed_input": {"pos_embedding": zeros(1, 17, D)},
            **encoder,
            "encoder_norm": norm(),
        },
        "head": dense(D, 10),
    }


VIT = {
    "*.kernel": "io",
    "embedding.kernel": "hwio",
    "*query.kernel": "ioo",
    "*key.kernel": "ioo",
    "*value.kernel": "ioo",
    "*out.kernel": "iio",
}
BLOCK = "Transformer.encoderblock_2"


class TestViT:
    def test_every_part_is_known(self):
        tree = ArrayTree(vit(), layouts=VIT)
        found = {
            place.info.name: (place.part, place.role, place.block, place.blocks)
            for place in places(adapter_for(tree).parameters(tree))
        }
        assert found["embedding.kernel"] == ("patch", "weight", None, L)
        assert found["cls"][:2] == ("class_token", "token")
        assert found["Transformer.posembed_input.pos_embedding"][:2] == ("position", "token")
        attention = f"{BLOCK}.MultiHeadDotProductAttention_1"
        assert found[f"{attention}.query.kernel"] == ("attention.query", "weight", 2, L)
        assert found[f"{attention}.query.bias"] == ("attention.query", "bias", 2, L)
        assert found[f"{attention}.out.kernel"] == ("attention.output", "weight", 2, L)
        assert found[f"{BLOCK}.MlpBlock_3.Dense_0.kernel"] == ("mlp.up", "weight", 2, L)
        assert found[f"{BLOCK}.MlpBlock_3.Dense_1.kernel"] == ("mlp.down", "weight", 2, L)
        assert found[f"{BLOCK}.LayerNorm_0.scale"] == ("norm", "norm_gain", 2, L)
        assert found["head.kernel"][:2] == ("head", "weight")

    def test_the_originals_recipe_fills_all_of_it(self):
        tree = ArrayTree(vit(), layouts=VIT)
        ledger = init_(tree, "vit", seed=1)
        assert {entry.status for entry in ledger.entries} == {"filled"}
        fills = {entry.name: entry.fill for entry in ledger.entries}
        assert fills["embedding.kernel"].std == pytest.approx(192**-0.5)
        assert fills[f"{BLOCK}.MlpBlock_3.Dense_0.kernel"].std == pytest.approx(math.sqrt(2 / (D + FF)))
        assert fills[f"{BLOCK}.MlpBlock_3.Dense_0.bias"].std == 1e-6
        query = fills[f"{BLOCK}.MultiHeadDotProductAttention_1.query.kernel"]
        assert query.high == pytest.approx(math.sqrt(6 / (2 * D)))
        assert fills["Transformer.posembed_input.pos_embedding"].std == 0.02
        assert fills["head.kernel"].std == fills["cls"].std == 0


T5X = {
    "token_embedder/embedding": ("embedding", None),
    "encoder/relpos_bias/rel_embedding": ("relative_position", None),
    "encoder/layers_1/attention/query/kernel": ("attention.query", 1),
    "encoder/layers_1/attention/out/kernel": ("attention.output", 1),
    "encoder/layers_1/mlp/wi_0/kernel": ("mlp.gate", 1),
    "encoder/layers_1/mlp/wo/kernel": ("mlp.down", 1),
    "encoder/layers_1/pre_mlp_layer_norm/scale": ("norm", 1),
}
KERAS = {
    "gpt/block_1/attention/query/kernel:0": ("attention.query", 1),
    "gpt/block_1/attention/attention_output/kernel:0": ("", 1),
    "gpt/block_1/mlp/fc2/kernel:0": ("mlp.down", 1),
    "gpt/block_1/layer_norm/gamma:0": ("norm", 1),
    "gpt/block_1/layer_norm/beta:0": ("norm", 1),
}
HAIKU = {
    "transformer/h1_attn/query/w": ("attention.query", None),
    "transformer/h1_mlp/linear/w": ("", None),
    "transformer/layer_norm/offset": ("norm", None),
}
FLAX = {
    "Block_1.CausalSelfAttention_0.c_attn.kernel": ("attention.qkv", 1),
    "Block_1.MLP_0.Dense_0.kernel": ("mlp.up", 1),
    "Block_1.MLP_0.Dense_1.bias": ("mlp.down", 1),
    "Block_1.LayerNorm_0.scale": ("norm", 1),
    "Embed_0.embedding": ("embedding", None),
}


@pytest.mark.parametrize("names", [T5X, KERAS, HAIKU, FLAX], ids=["t5x", "keras", "haiku", "flax"])
def test_names_of_other_libraries(names):
    first = {name.replace("_1", "_0", 1): None for name, (_, number) in names.items() if number}
    vectors = ("scale", "gamma:0", "beta:0", "offset", "bias")
    arrays = {name: zeros(D) if name.endswith(vectors) else zeros(D, D) for name in {**first, **names}}
    layouts = {
        name: "vo" if name.endswith("embedding") else "io"
        for name, array in arrays.items()
        if array.ndim == 2
    }
    tree = ArrayTree(arrays, layouts=layouts)
    found = {
        place.info.name: (place.part, place.block) for place in places(adapter_for(tree).parameters(tree))
    }
    assert {name: found[name] for name in names} == names


def test_torchs_own_names_are_left_alone():
    torch = pytest.importorskip("torch")
    from initwise.recipes.spelling import spelled

    model = torch.nn.ModuleDict({"linear_1": torch.nn.Linear(2, 2), "h_0": torch.nn.LayerNorm(2)})
    infos = adapter_for(model).parameters(model)
    assert spelled(infos) == infos
