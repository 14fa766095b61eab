"""The survey of schemes, lines 52 to 114: widths, depths, places in a model, adapters; how to say each."""

import math

from saying import SQUARE, Function, R, bound, law, std, whole

from initwise import fans
from initwise.core.parameter import ParameterInfo

TABLE = fans((1000, 64), "vo")
HEAD_BIAS = ParameterInfo("head.bias", (10,), "float32", "bias")
HALF = R(0.5)
SITES, HEADS = "schemes/test_sites.py::", "schemes/test_tables_heads.py::"
PEFT = "schemes/test_peft_agreement.py::TestAgainstPEFT::"
MIMETIC = SITES + "TestAlgebra::test_mimetic_products_as_torch_stores_them"
TORCH = "schemes/test_roles.py::test_torch_default_is_what_torch_draws"
TABLES = HEADS + "TestTables::test_every_flavor_is_its_published_law_and_the_rest_is_the_base"
EDGE = SITES + "TestPublishedNumbers::test_edge_of_chaos"
IN_MODELS = "schemes/test_adapters_in_models.py::TestInAModel::test_orthogonal_lora_draws_by_name_and_seed"
S4D = "schemes/test_s4d.py::TestS4D::test_a_is_half_decay_and_the_frequencies"
UP = {"part": "mlp.up", "width": 1024, "depth": 6, "block": 0}
OUT = {"part": "attention.output", "width": 64, "depth": 6, "block": 0}


def adapter(name, function, tested):
    """A scheme of adapters and its function of arrays, held by one test."""
    return law(name, tested=tested), Function(function, tested)


PLACES = {
    "S52": ("NTK parametrisation", law("ntk", expect=std(1))),
    "S53": ("standard parametrisation", law("ntk_standard", sigma_w=1.5, sigma_b=0.1, expect=std(1.5 / 8))),
    "S54": ("muP, paper", law("mup_scaling", at=UP, readout="scaled", expect=std(1 / 8))),
    "S55": (
        "muP, package",
        law("mup_scaling", at=UP, std=0.02, base_width=256, expect=std(0.01)),
        law("zero_query", SQUARE, {"part": "attention.query"}, std(0)),
    ),
    "S56": ("muP in Megatron", whole("mup", flavor="gpt")),
    "S57": ("unit scaling", law("unit_scaling", expect=std(1)), whole("mup", flavor="unit")),
    "S58": (
        "equalised learning rate",
        law("equalized_learning_rate", lr_mult=0.01, expect=std(100)),
        whole("stylegan2"),
    ),
    "S59": ("scaled weight standardisation", law("scaled_ws", expect=std(1 / 8)), whole("nfnet")),
    "S60": (
        "GPT-2's residual scaling",
        law("gpt2_residual", SQUARE, at=OUT, expect=std(0.02 / R(12))),
        law("gpt2_residual", SQUARE, at=OUT, branches=1.0, expect=std(0.02 / R(6))),
    ),
    "S61": (
        "scaling by depth index",
        law("depth_index", SQUARE, at={**OUT, "block": 3}, expect=std(0.02 / R(8))),
        whole("vit", flavor="timm", fix_init=True),
    ),
    "S62": ("Mitchell", law("mitchell", SQUARE, at=OUT, expect={"scale": 1 / R(2 * 64)}), whole("olmo")),
    "S63": ("small init", law("small_init", SQUARE, at={**UP, "width": 64}, expect=std(R(2 / 320)))),
    "S64": ("wang init", law("wang_init", SQUARE, at=OUT, expect=std(2 / (6 * 8)))),
    "S65": ("Fixup", law("fixup_scaling"), whole("fixup")),
    "S66": ("T-Fixup", law("t_fixup_scaling"), whole("t_fixup")),
    "S67": (
        "SkipInit",
        law("skipinit_gain", None, {"part": "residual_scale"}, {"mean": 0}),
        whole("skipinit"),
    ),
    "S68": ("ReZero", law("rezero", None, {"part": "residual_scale"}, {"mean": 0})),
    "S69": (
        "LayerScale",
        *(
            law("layer_scale", None, {"part": "layer_scale"}, {"mean": value}, value=value)
            for value in (1e-4, 1e-5, 1e-6, 0.1, 1.0)
        ),
    ),
    "S70": (
        "zero gamma",
        law("zero_init_residual"),
        whole("resnet", zero_gamma="on"),
        whole("resnet"),
        whole("swinv2"),
    ),
    "S71": (
        "zero module",
        law("zero_branch"),
        whole("dit"),
        whole("adm"),
        law(
            "variance_scaling",
            scale=1e-10,
            mode="fan_avg",
            distribution="uniform",
            expect=bound(R(3e-10 / 160)),
        ),
        whole("ddpm"),
    ),
    "S72": (
        "NF-Nets' signal",
        law("nfnet_blocks", None, {"part": "residual_scale"}, {"mean": 0}),
        Function(
            "schemes.weight_standardization.nfnet_signal",
            "schemes/test_survey_laws.py::TestNfNets::test_the_model_behaves_so",
        ),
    ),
    "S73": (
        "Admin",
        *(
            law("admin", None, {"part": "residual_scale", "depth": 6}, {"mean": value}, output=output)
            for output, value in (("log", 2.0170092187), ("constant", 1), ("root", R(12)))
        ),
        *(
            law(
                name,
                tested="choose/test_profile.py::test_each_factor_is_the_root_of_what_went_before",
                **options,
            )
            for name, options in (("admin", {"output": "profiled"}), ("admin_profiled", {}))
        ),
    ),
    "S74": (
        "DeepNorm",
        law("deepnorm_scaling", SQUARE, at=OUT, base="xavier_normal", expect=std(48**-0.25 * R(2 / 128))),
        whole("torchscale"),
    ),
    "S75": (
        "Sub-LN",
        law("sub_ln", SQUARE, at=OUT, base="xavier_normal", expect=std(R(math.log(12)) * R(2 / 128))),
    ),
    "S76": (
        "nGPT-style",
        law("ngpt_init", SQUARE, at=OUT, expect={"scale": 1 / 8 / R(12)}),
        whole("olmo_core"),
    ),
    "S77": (
        "zero residual outputs",
        law("zero_residual_outputs", SQUARE, {**OUT, "layer": 1, "layers": 2}, std(0)),
        whole("nanochat"),
        whole("modded_nanogpt"),
    ),
    "S78": ("torch's attention", whole("torch_transformer"), law("torch_default", tested=TORCH)),
    "S79": (
        "fairseq's attention",
        law("fairseq_attention", SQUARE, {"part": "attention.query"}, bound(R(6 / 128) * HALF)),
        law("fairseq_attention", SQUARE, {"part": "attention.output"}, bound(R(6 / 128))),
        whole("fairseq_transformer"),
    ),
    "S80": (
        "MoCo v3",
        law("moco_attention", fans((192, 64), "oi"), {"part": "attention.qkv"}, bound(R(6 / 128))),
        whole("vit", flavor="moco"),
    ),
    "S81": ("T5's unscaled attention", whole("t5")),
    "S82": (
        "mimetic attention",
        Function("schemes.mimetic.mimetic_attention", MIMETIC),
        law("mimetic", tested=MIMETIC),
    ),
    "S83": ("zero query", law("zero_query", SQUARE, {"part": "attention.query"}, std(0))),
    "S84": (
        "X-MoE's router",
        law("xmoe_router", SQUARE, {"part": "router"}, {"law": "orthogonal", "gain": 0.32}),
    ),
    "S85": (
        "N(0, 1) tables",
        law("embedding_table", flavor="torch", tested=TABLES),
        law("embedding_table", flavor="t5", tested=TABLES),
        law("normal", TABLE, std=1.0, expect=std(1)),
    ),
    "S86": (
        "1/√d tables",
        law("fairseq_embedding", TABLE, expect=std(1 / 8)),
        law("embedding_table", flavor="fairseq", tested=TABLES),
    ),
    "S87": (
        "0.02 tables",
        *(law("embedding_table", flavor=flavor, tested=TABLES) for flavor in ("gpt2", "bert", "megatron")),
    ),
    "S88": (
        "frameworks' odd tables",
        *(
            law("embedding_table", flavor=flavor, tested=TABLES)
            for flavor in ("keras", "haiku", "lasagne", "nanochat", "rwkv7")
        ),
    ),
    "S89": ("DLRM's tables", law("dlrm_table", TABLE, expect=bound(R(1 / 1000))), whole("dlrm")),
    "S90": (
        "heads",
        *(
            law("lm_head", flavor=flavor, tested=HEADS + "TestHeads::test_every_flavor_is_its_published_law")
            for flavor in ("gpt2", "torchtitan", "nanochat", "modded_nanogpt", "vit_jax")
        ),
        law(
            "lm_head",
            flavor="rwkv7",
            tested=HEADS + "TestHeads::test_rwkv_7_is_orthogonal_by_vocabulary_over_width",
        ),
    ),
    "S91": (
        "focal-loss prior",
        law("focal_prior", None, {"part": "head", "info": HEAD_BIAS}, {"mean": -math.log(99)}),
        whole("detection"),
    ),
    "S92": (
        "minus log of the classes",
        law("nlhb", None, {"part": "head", "info": HEAD_BIAS}, {"mean": -math.log(10)}),
    ),
    "S93": (
        "base rates",
        *(
            law("class_prior_bias", output=output, tested=f"{HEADS}TestBaseRates::test_{test}")
            for output, test in (
                ("softmax", "softmax_of_the_biases_is_the_rates"),
                ("sigmoid", "sigmoids_each_have_their_rate"),
                ("regression", "a_regressions_mean_targets"),
            )
        ),
    ),
    "S94": (
        "highway gates",
        law("highway_gate_bias", bias=-3.0, tested=SITES + "TestGatesByName::test_highway"),
    ),
    "S95": (
        "PPO's heads",
        *(
            law("ppo_head", kind=kind, expect={"gain": gain})
            for kind, gain in (("hidden", R(2)), ("policy", 0.01), ("value", 1.0))
        ),
        whole("rl-ppo"),
    ),
    "S96": (
        "DDPG's heads",
        law("ddpg_head", expect=bound(3e-3)),
        law("ddpg_head", bound=3e-4, expect=bound(3e-4)),
        whole("rl-ddpg"),
    ),
    "S97": (
        "vocabulary extension",
        Function(
            "frameworks.vocabulary.extend_table_",
            HEADS + "TestVocabularyExtension::test_a_torch_table_in_place",
        ),
    ),
    "S98": ("DCGAN", whole("dcgan"), law("normal", mean=1.0, std=0.02, expect={"mean": 1})),
    "S99": (
        "Mamba's time steps",
        law("mamba_dt", fans((1536, 48), "oi"), expect=bound(48**-0.5)),
        law("mamba_dt", fans((1536, 48), "oi"), expect={"mean": 48**-0.5}, kind="constant"),
        law(
            "mamba_dt_bias",
            None,
            expect={"low": math.log(math.expm1(1e-3)), "high": math.log(math.expm1(0.1))},
        ),
    ),
    "S100": ("S4D-Real", law("s4d_real", fans((32, 16), "oi"), expect={"low": 0, "high": math.log(16)})),
    "S101": (
        "Mamba-2",
        law("mamba2_a_log", None, expect={"low": 0, "high": math.log(16)}),
        whole("mamba2"),
        law("mamba2_a_log", None, expect={"low": math.log(0.01), "high": math.log(16)}, low=0.01),
        whole("qwen3_next"),
    ),
    "S102": (
        "S4D's imaginary parts",
        *(
            law("s4d_imaginary", fans((32, 16), "oi"), expect={"high": high}, kind=kind)
            for kind, high in (
                ("lin", 15 * math.pi),
                ("inv", 32 / math.pi * 31),
                ("quad", 31**2 / math.pi),
            )
        ),
        law("s4d_log_dt"),
        law("constant", value=-0.5, expect={"mean": -0.5}),
        law("s4d_c"),
        *(law("s4d", kind=kind, tested=S4D) for kind in ("lin", "inv", "quad")),
        whole("s4d"),
    ),
    "S103": (
        "HiPPO-LegS",
        law("hippo_legs", fans((4, 4), "oi"), expect={"low": -R(35)}),
        law("hippo_legs_b"),
    ),
    "S104": ("LoRA", law("lora_a", expect=bound(1 / 8)), law("zeros", expect=std(0)), whole("lora")),
    "S105": ("LoRA, normal", law("lora_a_gaussian", fans((4, 64), "oi"), expect=std(1 / 4))),
    "S106": ("PiSSA", *adapter("pissa", "schemes.adapters.pissa", PEFT + "test_from_values")),
    "S107": ("OLoRA", *adapter("olora", "schemes.adapters.olora", PEFT + "test_from_values")),
    "S108": (
        "LoftQ",
        *adapter(
            "loftq",
            "schemes.adapters_data.loftq",
            "schemes/test_adapters.py::TestLoftQ::test_it_is_nearer_than_quantization_alone",
        ),
    ),
    "S109": ("CorDA", *adapter("corda", "schemes.adapters_data.corda", PEFT + "test_corda")),
    "S110": ("EVA", *adapter("eva", "schemes.adapters_data.eva", PEFT + "test_eva")),
    "S111": ("LoRA-GA", *adapter("lora_ga", "schemes.adapters_data.lora_ga", PEFT + "test_lora_ga")),
    "S112": (
        "orthogonal LoRA",
        law("orthogonal_lora", tested=IN_MODELS),
        Function(
            "schemes.adapters.orthogonal_pair",
            SITES + "TestAlgebra::test_an_orthogonal_pair_is_nothing_together",
        ),
    ),
    "S113": ("MiCA", *adapter("mica", "schemes.adapters.mica", PEFT + "test_from_values")),
    "S114": (
        "edge of chaos",
        law("edge_of_chaos", tested=EDGE),
        Function("activations.critical_point", EDGE),
    ),
}
