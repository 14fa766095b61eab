"""The survey of schemes that the project started from, line by line: how initwise says each.

A line's number, its name, and ways to say it: a scheme with options (and a published number for one
weight), a recipe, or a function of arrays. So nothing can be missing silently.
"""

import math

import pytest
from saying import CUT, KERNEL, SQUARE, Function, Law, R, bound, law, std, whole

import initwise
from initwise import fans, scheme
from initwise.core.parameter import ParameterInfo

TABLE = fans((1000, 64), "vo")
HEAD_BIAS = ParameterInfo("head.bias", (10,), "float32", "bias")
HALF = R(0.5)
UP = {"part": "mlp.up", "width": 1024, "depth": 6, "block": 0}
OUT = {"part": "attention.output", "width": 64, "depth": 6, "block": 0}

SURVEY = {
    "S01": ("zeros", law("zeros", expect=std(0))),
    "S02": ("ones", law("ones", expect={"mean": 1})),
    "S03": ("constant", law("constant", value=0.25, expect={"mean": 0.25})),
    "S04": ("identity", law("identity", SQUARE, gain=0.5, expect={"gain": 0.5, "mean": 0.5 / 64})),
    "S05": (
        "dirac",
        law("dirac", KERNEL, expect={"law": "dirac"}),
        law("dirac", KERNEL, centre="lower", expect={"low_centre": True}),
    ),
    "S06": (
        "ZerO",
        law("zero_hadamard", expect={"law": "hadamard", "gain": 1}),
        law("zero_hadamard", constant="paper", expect={"gain": R(2)}),
    ),
    "S07": (
        "bilinear upsampling",
        law("bilinear_upsampling", fans((4, 4, 4, 4), "iohw"), expect={"high": 0.5625}),
    ),
    "S08": (
        "ICNR",
        law("icnr", KERNEL, expect={"law": "repeated", "std": R(2 / 288)}),
        law("icnr", KERNEL, base="orthogonal", upscale=4),
    ),
    "S09": (
        "uniform",
        law("uniform", flavor="torch", expect={"low": 0, "high": 1}),
        law("uniform", flavor="jax", expect={"low": 0, "high": 0.01}),
        law("uniform", flavor="haiku", expect={"low": 0, "high": 1}),
        law("uniform", flavor="sonnet", expect={"low": 0, "high": 1}),
        law("uniform", flavor="keras", expect=bound(0.05)),
        law("uniform", flavor="lasagne", expect=bound(0.01)),
        law(
            "uniform",
            flavor="lasagne",
            std=0.02,
            mean=1.0,
            expect={"mean": 1, "std": 0.02, "high": 1 + R(3) * 0.02},
        ),
    ),
    "S10": (
        "normal",
        *(
            law("normal", flavor=flavor, expect=std(value))
            for flavor, value in (
                ("torch", 1),
                ("jax", 0.01),
                ("keras", 0.05),
                ("haiku", 1),
                ("sonnet", 1),
                ("lasagne", 0.01),
                ("megatron", 0.02),
                ("huggingface", 0.02),
            )
        ),
        law("normal", mean=1.0, std=0.1, expect={"mean": 1, "std": 0.1}),
    ),
    "S11": (
        "truncated normal, bounds in sigmas",
        law("truncated_normal", flavor="jax", expect={"std": CUT * 0.01, "high": 0.02}),
        law("truncated_normal", flavor="keras", expect={"std": CUT * 0.05}),
        law("truncated_normal", flavor="haiku", expect={"std": CUT}),
        law("truncated_normal", std=0.02, correct=True, expect=std(0.02)),
    ),
    "S12": (
        "truncated normal, bounds in weight units",
        law("truncated_normal", flavor="torch", expect={"high": 2, "std": CUT}),
        law("truncated_normal", std=0.02, bounds="weight", expect=std(0.02)),
    ),
    "S13": ("textbook normal", law("textbook_normal", expect={"scale": 0.1, "low": -1, "high": 1})),
    "S14": ("normc", law("normc", std=0.01, expect={"gain": 0.01, "std": 0.01 / 8})),
    "S15": ("arcsine", law("arcsine", expect=std(R(2 / 320)))),
    "S16": (
        "variance scaling",
        law("variance_scaling", scale=2.0, mode="fan_out", distribution="normal", expect=std(R(2 / 256))),
        law("variance_scaling", mode="fan_geo_avg", distribution="uniform", expect=std(R(1 / 128))),
        law("variance_scaling", flavor="timm", expect={"law": "normal"}),
        law("variance_scaling", flavor="sonnet", expect={"law": "truncated_normal"}),
    ),
    "S17": (
        "LeCun normal",
        law("lecun_normal", expect={"law": "normal", "std": 0.125}),
        law("lecun_normal", flavor="jax", expect={"law": "truncated_normal", "std": 0.125}),
    ),
    "S18": ("LeCun uniform", law("lecun_uniform", expect=bound(R(3 / 64)))),
    "S19": (
        "Glorot uniform",
        law("xavier_uniform", expect=bound(R(6 / 320))),
        law("glorot_uniform", gain=2.0, expect=bound(2 * R(6 / 320))),
    ),
    "S20": (
        "Glorot normal",
        law("xavier_normal", expect={"law": "normal", "std": R(2 / 320)}),
        law("xavier_normal", flavor="keras", expect={"law": "truncated_normal", "std": R(2 / 320)}),
    ),
    "S21": (
        "He normal",
        law("he_normal", expect={"law": "normal", "std": R(2 / 64)}),
        law("he_normal", flavor="keras", expect={"law": "truncated_normal", "std": R(2 / 64)}),
        law("he_normal", flavor="lasagne", expect=std(R(1 / 64))),
    ),
    "S22": (
        "He uniform",
        law("he_uniform", expect=bound(R(6 / 64))),
        law("he_uniform", flavor="lasagne", expect=bound(R(3 / 64))),
    ),
    "S23": (
        "He by fan-out",
        law("msra_fill", expect=std(R(2 / 256))),
        law("he_fan_out", fans((128, 8, 3, 3), "oihw", groups=4), flavor="torch", expect=std(1 / 24)),
        law("he_fan_out", fans((128, 8, 3, 3), "oihw", groups=4), expect=std(1 / 12)),
    ),
    "S24": ("leaky He", law("he_normal", negative_slope=0.2, expect=std(R(2 / 1.04 / 64)))),
    "S25": (
        "Caffe2 XavierFill",
        law("c2_xavier_fill", expect=bound(R(3 / 64))),
        law("xavier_uniform", flavor="caffe2", expect=bound(R(3 / 64))),
    ),
    "S26": ("torch's default", law("torch_default", expect=bound(1 / 8))),
    "S27": ("Haiku's and Sonnet's default", law("haiku_default", expect=std(CUT / 8)), law("sonnet_default")),
    "S28": (
        "uniform unit scaling",
        law("uniform_unit_scaling", flavor="tensorflow", expect=bound(R(3 / 64))),
        law("uniform_scaling", flavor="haiku", scale=2.0, expect=bound(2 * R(3 / 64))),
    ),
    "S29": (
        "ConvS2S with dropout",
        law("convs2s", dropout=0.1, feeds="linear", expect=std(R(0.9 / 64))),
        law("convs2s", dropout=0.1, feeds="glu", expect=std(R(3.6 / 64))),
    ),
    "S30": (
        "EDM's modes",
        law("he_normal", flavor="edm", expect=std(1 / 8)),
        law("he_uniform", flavor="edm", expect=bound(R(3 / 64))),
        law("xavier_uniform", flavor="edm", expect=bound(R(6 / 320))),
        law("xavier_normal", flavor="edm", expect=std(R(2 / 320))),
        whole("edm"),
    ),
    "S31": (
        "Lasagne's family",
        law("lasagne_glorot_normal", gain="relu", expect=std(R(4 / 320))),
        law("lasagne_glorot_uniform", gain="relu", expect=bound(R(12 / 320))),
        law("lasagne_he_normal", expect=std(1 / 8)),
        law("lasagne_he_uniform", gain="relu", expect=bound(R(6 / 64))),
        law("normal", flavor="lasagne", std=0.1, mean=0.5, expect={"mean": 0.5, "std": 0.1}),
        law("constant", flavor="lasagne", expect={"mean": 0}),
        law("sparse", flavor="lasagne", expect={"scale": 0.01}),
        law("orthogonal", flavor="lasagne", gain=R(2), expect={"gain": R(2)}),
        law("lasagne_default", expect=bound(R(6 / 320))),
    ),
    "S32": (
        "orthogonal",
        law("orthogonal", gain=R(2), expect={"law": "orthogonal", "gain": R(2)}),
        *(law("orthogonal", flavor=name) for name in ("torch", "keras", "jax", "haiku", "sonnet")),
    ),
    "S32b": ("orthogonal by SVD", law("orthogonal", flavor="lasagne"), law("orthogonal", flavor="baselines")),
    "S33": (
        "scaled uniform orthogonal",
        law("suo", expect={"gain": 2}),
        law("suo", flavor="dks_pytorch", expect={"gain": 1}),
    ),
    "S34": (
        "delta-orthogonal",
        law("delta_orthogonal", KERNEL, gain=1.5, expect={"law": "delta_orthogonal", "gain": 1.5}),
        law("delta_orthogonal", fans((8, 8, 4, 4), "oihw"), flavor="jax", expect={"low_centre": True}),
        law("delta_orthogonal", fans((8, 8, 4, 4), "oihw"), even="upper", expect={"low_centre": False}),
    ),
    "S35": (
        "convolution-aware",
        law("convolution_aware", KERNEL, expect={"law": "whole", "std": R(2 / 288)}),
        law("convaware", expect={"law": "orthogonal"}),
    ),
    "S36": ("NeoX's scaled orthogonal", law("depth_orthogonal", num_layers=8, expect={"gain": 0.5})),
    "S37": ("spectral orthogonal", law("spectral_orthogonal", expect={"gain": 2})),
    "S38": ("BigGAN's orthogonal", law("biggan_orthogonal"), whole("biggan")),
    "S39": ("LSUV", law("lsuv")),
    "S40": (
        "sparse as torch",
        law("sparse", flavor="torch", sparsity=0.1, expect=std(0.01 * R(1 - 26 / 256))),
    ),
    "S41": (
        "sparse as Lasagne and Martens",
        law("sparse", flavor="lasagne", expect=std(0.01 * R(6 / 64))),
        law("martens_sparse", expect=std(R(15 / 64))),
    ),
    "S42": ("IRNN", law("irnn", expect=std(0.001)), law("irnn", alpha=0.01)),
    "S43": ("torch's recurrent default", law("torch_default")),
    "S44": ("Keras' recurrent default", law("keras_default")),
    "S45": ("forget-gate bias", law("forget_gate_bias", bias=1.0)),
    "S46": ("chrono", law("chrono", t_max=784.0)),
    "S47": ("xLSTM's gates", law("xlstm_gates", input_bias=-10.0, first=3.0, last=6.0)),
    "S48": ("SIREN's first layer", law("siren_first", expect=bound(1 / 64))),
    "S49": (
        "SIREN's hidden layers",
        law("siren_hidden", w0=30.0, expect=bound(R(6 / 64) / 30)),
        whole("siren"),
    ),
    "S50": ("Fourier features", law("fourier_features", sigma=10.0, expect=std(10))),
    "S51": (
        "SIREN's companions",
        law("siren_companion", expect=std(R(2 / 64))),
        law("siren_companion", activation="softplus", expect=std(R(2 / 64))),
        law("siren_companion", activation="sigmoid", expect=std(R(2 / 320))),
        law("siren_companion", activation="tanh", expect=std(R(2 / 320))),
        law("siren_companion", activation="selu", expect=std(1 / 8)),
        law("siren_companion", activation="elu", expect=std(R(1.5505188080679277) / 8)),
    ),
    "S52": ("NTK parametrisation", law("ntk", expect=std(1))),
    "S53": ("standard parametrisation", law("ntk_standard", sigma_w=1.5, sigma_b=0.1, expect=std(1.5 / 8))),
    "S54": ("muP, paper", law("mup_scaling", at=UP, readout="scaled", expect=std(1 / 8))),
    "S55": (
        "muP, package",
        law("mup_scaling", at=UP, std=0.02, base_width=256, expect=std(0.01)),
        law("zero_query"),
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
        law("variance_scaling", scale=1e-10, mode="fan_avg", distribution="uniform"),
        whole("ddpm"),
    ),
    "S72": (
        "NF-Nets' signal",
        law("nfnet_blocks", None, {"part": "residual_scale"}, {"mean": 0}),
        Function("schemes.weight_standardization.nfnet_signal"),
    ),
    "S73": (
        "Admin",
        *(law("admin", output=output) for output in ("log", "constant", "root", "profiled")),
        law("admin_profiled"),
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
    "S78": ("torch's attention", whole("torch_transformer"), law("torch_default")),
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
    "S82": ("mimetic attention", Function("schemes.mimetic.mimetic_attention"), law("mimetic")),
    "S83": ("zero query", law("zero_query", SQUARE, {"part": "attention.query"}, std(0))),
    "S84": (
        "X-MoE's router",
        law("xmoe_router", SQUARE, {"part": "router"}, {"law": "orthogonal", "gain": 0.32}),
    ),
    "S85": (
        "N(0, 1) tables",
        law("embedding_table", flavor="torch"),
        law("embedding_table", flavor="t5"),
        law("normal", TABLE, std=1.0, expect=std(1)),
    ),
    "S86": (
        "1/√d tables",
        law("fairseq_embedding", TABLE, expect=std(1 / 8)),
        law("embedding_table", flavor="fairseq"),
    ),
    "S87": (
        "0.02 tables",
        *(law("embedding_table", flavor=flavor) for flavor in ("gpt2", "bert", "megatron")),
    ),
    "S88": (
        "frameworks' odd tables",
        *(
            law("embedding_table", flavor=flavor)
            for flavor in ("keras", "haiku", "lasagne", "nanochat", "rwkv7")
        ),
    ),
    "S89": ("DLRM's tables", law("dlrm_table", TABLE, expect=bound(R(1 / 1000))), whole("dlrm")),
    "S90": (
        "heads",
        *(
            law("lm_head", flavor=flavor)
            for flavor in ("gpt2", "torchtitan", "nanochat", "modded_nanogpt", "rwkv7", "vit_jax")
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
        *(law("class_prior_bias", output=output) for output in ("softmax", "sigmoid", "regression")),
    ),
    "S94": ("highway gates", law("highway_gate_bias", bias=-3.0)),
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
    "S97": ("vocabulary extension", Function("frameworks.vocabulary.extend_table_")),
    "S98": ("DCGAN", whole("dcgan"), law("normal", mean=1.0, std=0.02, expect={"mean": 1})),
    "S99": (
        "Mamba's time steps",
        law("mamba_dt", fans((1536, 48), "oi"), expect=bound(48**-0.5)),
        law("mamba_dt", kind="constant"),
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
        law("mamba2_a_log", low=0.01),
        whole("qwen3_next"),
    ),
    "S102": (
        "S4D's imaginary parts",
        *(law("s4d_imaginary", kind=kind) for kind in ("lin", "inv", "quad")),
        law("s4d_log_dt"),
        law("constant", value=-0.5),
        law("s4d_c"),
        *(law("s4d", kind=kind) for kind in ("lin", "inv", "quad")),
        whole("s4d"),
    ),
    "S103": (
        "HiPPO-LegS",
        law("hippo_legs", fans((4, 4), "oi"), expect={"low": -R(35)}),
        law("hippo_legs_b"),
    ),
    "S104": ("LoRA", law("lora_a", expect=bound(1 / 8)), law("zeros"), whole("lora")),
    "S105": ("LoRA, normal", law("lora_a_gaussian", fans((4, 64), "oi"), expect=std(1 / 4))),
    "S106": ("PiSSA", law("pissa"), Function("schemes.adapters.pissa")),
    "S107": ("OLoRA", law("olora"), Function("schemes.adapters.olora")),
    "S108": ("LoftQ", law("loftq"), Function("schemes.adapters_data.loftq")),
    "S109": ("CorDA", law("corda"), Function("schemes.adapters_data.corda")),
    "S110": ("EVA", law("eva"), Function("schemes.adapters_data.eva")),
    "S111": ("LoRA-GA", law("lora_ga"), Function("schemes.adapters_data.lora_ga")),
    "S112": ("orthogonal LoRA", law("orthogonal_lora"), Function("schemes.adapters.orthogonal_pair")),
    "S113": ("MiCA", law("mica"), Function("schemes.adapters.mica")),
    "S114": ("edge of chaos", law("edge_of_chaos"), Function("activations.critical_point")),
}
IDS = ["S32b", *(f"S{number:02d}" for number in range(1, 115))]


def test_every_line_is_here():
    assert sorted(SURVEY) == sorted(IDS)


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(way, id=f"{line}-{getattr(way, 'name', getattr(way, 'path', 'because'))}-{number}")
        for line, (_, *ways) in SURVEY.items()
        for number, way in enumerate(ways)
    ],
)
def test_it_can_be_said(way):
    way.check()


@pytest.mark.parametrize("line", SURVEY)
def test_every_line_has_a_name_and_a_way(line):
    name, *ways = SURVEY[line]
    assert name
    assert ways


def test_no_scheme_is_outside_of_the_survey_but_our_own():
    """The other way around: what the survey does not have is told here, so that a new row is a decision."""
    told = {way.name for _, *ways in SURVEY.values() for way in ways if isinstance(way, Law)}
    names = {scheme(name).name for name in told}
    extra = {row.name for row in initwise.schemes()} - names
    assert extra == {
        "auto",
        "flax_default",
        "linspace",
        "np_rnn",
        "rule_a",
        "rule_a2",
        "sinusoidal_positions",
    }
