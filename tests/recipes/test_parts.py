"""Names of real models, and the parts and blocks they are taken for."""

import pytest

from initwise.core.layout import fans
from initwise.core.parameter import ParameterInfo
from initwise.recipes import PARTS, part_of
from initwise.recipes.parts import TABLE
from initwise.recipes.structure import places


def linear(name, out=8, inner=8, within=()):
    layer = name.rpartition(".")[0]
    known = fans((out, inner), "oi")
    return ParameterInfo(
        name, (out, inner), "float32", "weight", "Linear", layer, known.layout, known, within=within
    )


def table(name, rows=50, width=8):
    known = fans((rows, width), "vo")
    return ParameterInfo(
        name, (rows, width), "float32", "embedding", "Embedding", name.rpartition(".")[0], known.layout, known
    )


def bare(name, *shape):
    return ParameterInfo(name, shape, "float32", "bare", layer=name.rpartition(".")[0])


MATRICES = {
    "transformer.h.0.attn.c_attn.weight": "attention.qkv",
    "transformer.h.0.attn.c_proj.weight": "attention.output",
    "transformer.h.0.mlp.c_proj.weight": "mlp.down",
    "layers.3.attention.wq.weight": "attention.query",
    "layers.3.attention.wo.weight": "attention.output",
    "layers.3.feed_forward.w1.weight": "mlp.gate",
    "layers.3.feed_forward.w2.weight": "mlp.down",
    "layers.3.feed_forward.w3.weight": "mlp.up",
    "output.weight": "head",
    "gpt_neox.layers.1.attention.dense.weight": "attention.output",
    "gpt_neox.layers.1.mlp.dense_4h_to_h.weight": "mlp.down",
    "bert.encoder.layer.0.attention.self.value.weight": "attention.value",
    "bert.encoder.layer.0.attention.output.dense.weight": "attention.output",
    "bert.encoder.layer.0.intermediate.dense.weight": "mlp.up",
    "bert.encoder.layer.0.output.dense.weight": "mlp.down",
    "cls.predictions.transform.dense.weight": "head.transform",
    "encoder.block.0.layer.0.SelfAttention.o.weight": "attention.output",
    "decoder.block.0.layer.1.EncDecAttention.v.weight": "attention.value",
    "encoder.block.0.layer.1.DenseReluDense.wi_0.weight": "mlp.gate",
    "encoder.block.0.layer.1.DenseReluDense.wo.weight": "mlp.down",
    "blocks.0.attn.qkv.weight": "attention.qkv",
    "blocks.0.attn.proj.weight": "attention.output",
    "blocks.0.mlp.fc2.weight": "mlp.down",
    "blocks.0.adaLN_modulation.1.weight": "modulation",
    "t_embedder.mlp.2.weight": "timestep",
    "encoder.layers.0.self_attn.in_proj_weight": "attention.qkv",
    "encoder.layers.0.linear2.weight": "mlp.down",
    "model.layers.0.mlp.gate.weight": "router",
    "model.layers.0.mlp.gate_proj.weight": "mlp.gate",
    "model.layers.0.mlp.shared_experts.down_proj.weight": "expert.down",
    "model.layers.0.self_attn.kv_b_proj.weight": "attention.key_value",
    "backbone.layers.0.mixer.dt_proj.weight": "ssm.dt",
    "backbone.layers.0.mixer.out_proj.weight": "ssm.out",
    "lm_head.weight": "head",
    "classifier.weight": "head",
    "visual_projection.weight": "projection",
    "mlp.oddly.weight": "",
}


@pytest.mark.parametrize(("name", "part"), MATRICES.items())
def test_a_matrix_is_known_by_its_name(name, part):
    assert part_of(linear(name)) == part


@pytest.mark.parametrize(
    ("info", "part"),
    [
        (table("wte.weight"), "embedding"),
        (table("wpe.weight"), "position"),
        (table("embeddings.token_type_embeddings.weight"), "token_type"),
        (table("block.0.SelfAttention.relative_attention_bias.weight", 32, 4), "relative_position"),
        (bare("vit.embeddings.cls_token", 1, 1, 8), "class_token"),
        (bare("positional_embedding", 16, 8), "position"),
        (bare("blocks.0.gamma_1", 8), "layer_scale"),
        (bare("layers.0.mlp.experts.gate_up_proj", 4, 32, 8), "expert.gate_up"),
        (bare("logit_scale"), "logit_scale"),
        (bare("layers.0.mixer.A_log", 8, 4), "ssm.A"),
        (bare("mystery", 8), ""),
    ],
)
def test_tables_tokens_and_bare_tensors(info, part):
    assert part_of(info) == part


def test_the_vocabulary_explains_itself():
    assert {pattern.part for pattern in TABLE} <= set(PARTS)
    assert all(PARTS.values())


def of(found):
    return {place.info.name: place for place in found}


def test_an_encoder_and_a_decoder_are_two_stacks_and_a_models_stages_one():
    names = [f"encoder.block.{i}.layer.0.SelfAttention.o.weight" for i in range(2)]
    names += [f"encoder.block.{i}.layer.1.DenseReluDense.wo.weight" for i in range(2)]
    names += [
        f"decoder.block.{i}.layer.{j}.{m}"
        for i in range(3)
        for j, m in enumerate(("SelfAttention.o.weight",))
    ]
    names += [f"decoder.block.{i}.layer.2.DenseReluDense.wo.weight" for i in range(3)]
    found = of(places([linear(name) for name in names]))
    assert (found[names[0]].L, found[names[1]].l) == (2, 1)
    last = found["decoder.block.2.layer.2.DenseReluDense.wo.weight"]
    assert (last.L, last.l, last.stack) == (3, 2, "decoder.block")
    stages = [
        f"layers.{s}.blocks.{b}.{m}"
        for s in range(2)
        for b in range(2)
        for m in ("attn.proj.weight", "mlp.fc2.weight")
    ]
    found = of(places([linear(name) for name in stages]))
    assert [found[f"layers.{s}.blocks.{b}.attn.proj.weight"].l for s in range(2) for b in range(2)] == [
        0,
        1,
        2,
        3,
    ]
    assert {place.L for place in found.values()} == {4}


def test_experts_are_not_blocks():
    names = ["layers.0.attn.o_proj.weight"]
    names += [f"layers.0.mlp.experts.{e}.down_proj.weight" for e in range(4)]
    assert {place.L for place in places([linear(name) for name in names])} == {1}


def test_sizes_come_from_shapes_or_from_options():
    infos = [
        table("wte.weight", 50, 8),
        linear("h.0.attn.q_proj.weight", 16, 8),
        linear("h.0.attn.o_proj.weight", 8, 16),
        linear("h.0.mlp.fc2.weight", 8, 24),
    ]
    found = of(places(infos))
    assert (found["wte.weight"].d, found["wte.weight"].V, found["wte.weight"].d_ff) == (8, 50, 24)
    assert found["h.0.mlp.fc2.weight"].d == 8
    with pytest.raises(Exception, match=r"the model's heads is unknown[\s\S]*recipe\(…, heads=12\)"):
        _ = found["wte.weight"].h
    assert places(infos, {"heads": 4.0})[0].h == 4


def test_a_chain_has_a_first_and_a_last_layer():
    found = of(places([linear(f"net.{i}.linear.weight") for i in range(3)] + [linear("critic.weight")]))
    assert [found[f"net.{i}.linear.weight"].position for i in range(3)] == ["first", "middle", "last"]
    assert found["critic.weight"].position == "only"
    plain = of(places([linear(f"{name}.weight") for name in ("fc1", "fc2", "out")]))
    assert [place.position for place in plain.values()] == ["first", "middle", "last"]


class TestForeignNorms:
    """A norm of somebody's own class, as the torch adapter sees it."""

    def walked(self, norm):
        torch = pytest.importorskip("torch")
        from initwise.frameworks.torch.walk import parameters

        return {info.name: info for info in parameters(torch.nn.ModuleDict({"norm": norm}))}

    def norm(self, name, offset, shape=(8,)):
        torch = pytest.importorskip("torch")

        def forward(self, x):
            return x * (x.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt() * (offset + self.weight)

        cls = type(name, (torch.nn.Module,), {"forward": forward})
        made = cls()
        made.weight = torch.nn.Parameter(torch.full(shape, 0.5))
        return made

    @pytest.mark.parametrize(("offset", "start"), [(0.0, 1.0), (1.0, 0.0)])
    def test_its_neutral_gain_is_seen_from_what_it_computes(self, offset, start):
        torch = pytest.importorskip("torch")
        norm = self.norm("MyRMSNorm", offset)
        state = torch.get_rng_state()
        info = self.walked(norm)["norm.weight"]
        assert (info.role, info.start, info.kind) == ("norm_gain", start, "MyRMSNorm")
        assert torch.equal(norm.weight, torch.full((8,), 0.5))
        assert torch.equal(torch.get_rng_state(), state)

    def test_it_may_be_on_the_meta_device(self):
        assert self.walked(self.norm("MyRMSNorm", 1.0).to("meta"))["norm.weight"].start == 0.0

    def test_one_that_needs_more_inputs_starts_at_1(self):
        norm = self.norm("GatedNorm", 1.0)
        type(norm).forward = lambda self, x, gate: x * gate
        assert self.walked(norm)["norm.weight"].start == 1.0

    def test_a_matrix_in_a_norm_and_another_class_stay_bare(self):
        assert self.walked(self.norm("MyNorm", 0.0, (8, 8)))["norm.weight"].role == "bare"
        assert self.walked(self.norm("Scaler", 0.0))["norm.weight"].role == "bare"
