"""The survey of schemes, lines 1 to 51: laws of one weight, how to say each."""

from saying import CUT, KERNEL, SQUARE, R, bound, law, std, whole

from initwise import fans

ROTATION = {"law": "orthogonal", "gain": 1, "std": 1 / 16}
SITES, HEADS = "schemes/test_sites.py::", "schemes/test_tables_heads.py::"
TORCH = "schemes/test_roles.py::test_torch_default_is_what_torch_draws"

WEIGHTS = {
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
        law(
            "icnr",
            KERNEL,
            base="orthogonal",
            upscale=4,
            tested="schemes/test_survey_laws.py::TestIcnr::test_orthogonal_filters_are_so_before_they_are_repeated",
        ),
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
    "S27": (
        "Haiku's and Sonnet's default",
        law("haiku_default", expect=std(CUT / 8)),
        law("sonnet_default", expect=std(CUT / 8)),
    ),
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
        *(
            law("orthogonal", flavor=name, expect=ROTATION)
            for name in ("torch", "keras", "jax", "haiku", "sonnet")
        ),
    ),
    "S32b": (
        "orthogonal by SVD",
        *(law("orthogonal", flavor=name, expect=ROTATION) for name in ("lasagne", "baselines")),
    ),
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
    "S38": ("BigGAN's orthogonal", law("biggan_orthogonal", expect=ROTATION), whole("biggan")),
    "S39": (
        "LSUV",
        law("lsuv", tested="choose/test_calibrate.py::test_lsuv_gives_every_layer_unit_second_moment"),
    ),
    "S40": (
        "sparse as torch",
        law("sparse", flavor="torch", sparsity=0.1, expect=std(0.01 * R(1 - 26 / 256))),
    ),
    "S41": (
        "sparse as Lasagne and Martens",
        law("sparse", flavor="lasagne", expect=std(0.01 * R(6 / 64))),
        law("martens_sparse", expect=std(R(15 / 64))),
    ),
    "S42": (
        "IRNN",
        law("irnn", expect=std(0.001)),
        law("irnn", alpha=0.01, tested=SITES + "TestChrono::test_irnn"),
    ),
    "S43": ("torch's recurrent default", law("torch_default", tested=TORCH)),
    "S44": (
        "Keras' recurrent default",
        law("keras_default", tested="schemes/test_roles.py::TestKerasDefault::test_all_gates_are_one_matrix"),
    ),
    "S45": (
        "forget-gate bias",
        law("forget_gate_bias", bias=1.0, tested=SITES + "TestChrono::test_one_forget_gate_not_two"),
    ),
    "S46": (
        "chrono",
        law(
            "chrono",
            t_max=784.0,
            tested=SITES
            + "TestChrono::test_input_gates_are_minus_forget_gates_and_torchs_second_bias_is_zero",
        ),
    ),
    "S47": (
        "xLSTM's gates",
        law(
            "xlstm_gates", input_bias=-10.0, first=3.0, last=6.0, tested=SITES + "TestGatesByName::test_xlstm"
        ),
    ),
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
}
