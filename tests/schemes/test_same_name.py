"""Where one name means several distributions, each is reached by an option or a flavor."""

import pytest
from saying import CUT, Function, R, bound, law, std, whole

from initwise import fans

ALIKE_BY_NAME = {
    "he_normal, glorot_normal: plain or truncated and corrected": (
        law("he_normal", flavor="torch", expect={"law": "normal"}),
        law("he_normal", flavor="keras", expect={"law": "truncated_normal", "high": 2 / CUT * R(2 / 64)}),
        law("glorot_normal", flavor="lasagne", expect={"law": "normal"}),
        law("glorot_normal", flavor="jax", expect={"law": "truncated_normal"}),
    ),
    "lecun_normal: truncated and corrected or plain": (
        law("lecun_normal", flavor="timm", expect={"law": "truncated_normal"}),
        law("lecun_normal", flavor="torch", expect={"law": "normal"}),
    ),
    "HeNormal: gain 1 or √2": (
        law("he_normal", flavor="lasagne", expect=std(1 / 8)),
        law("he_normal", flavor="torch", expect=std(R(2) / 8)),
    ),
    "xavier: Caffe2's or Glorot's": (
        law("xavier_uniform", flavor="caffe2", expect=bound(R(3 / 64))),
        law("xavier_uniform", flavor="torch", expect=bound(R(6 / 320))),
    ),
    "kaiming: EDM's gain is 1": (law("kaiming_normal", flavor="edm", expect=std(1 / 8)),),
    "kaiming_uniform: torch's Linear has a = √5": (
        law("kaiming_uniform", negative_slope=R(5), expect=bound(1 / 8)),
        law("torch_default", expect=bound(1 / 8)),
    ),
    "trunc_normal: bounds in weight units or in sigmas": (
        law("trunc_normal", std=0.02, flavor="torch", expect={"high": 2}),
        law("trunc_normal", std=0.02, flavor="keras", expect={"high": 0.04}),
    ),
    "uniform(scale): JAX's is one-sided": (
        law("uniform", flavor="jax", high=0.5, expect={"low": 0, "high": 0.5}),
    ),
    "sparsity: zeroed per column or kept per output": (
        law("sparse", flavor="torch", sparsity=0.25, expect=std(0.01 * R(0.75))),
        law("sparse", flavor="lasagne", sparsity=0.25, expect=std(0.01 * R(0.25))),
    ),
    "the centre of even kernels: k//2 or (k−1)//2": (
        law("dirac", fans((8, 8, 4, 4), "oihw"), expect={"low_centre": False}),
        law("delta_orthogonal", fans((8, 8, 4, 4), "oihw"), flavor="jax", expect={"low_centre": True}),
    ),
    "zero-init residual: on in timm, off in torchvision": (
        whole("resnet", zero_gamma="on"),
        whole("resnet", zero_gamma="off"),
        law("zero_gamma", tested="schemes/test_sites.py::TestInAModel::test_the_last_norm_of_a_branch"),
    ),
    "orthogonal: QR with signs or SVD without": (
        law("orthogonal", flavor="torch", expect={"law": "orthogonal", "gain": 1}),
        law("orthogonal", flavor="baselines", expect={"law": "orthogonal", "gain": 1}),
    ),
    "fan_in of a depthwise kernel: k² or C·k²": (
        law("lecun_normal", fans((7, 7, 96, 1), "hwbo"), flavor="keras", expect=std(1 / R(96 * 49))),
        law("lecun_normal", fans((96, 1, 7, 7), "oihw", groups=96), flavor="torch", expect=std(1 / 7)),
    ),
}


@pytest.mark.parametrize("disagreement", ALIKE_BY_NAME)
def test_one_name_for_several_laws_is_an_option_or_a_flavor(disagreement):
    for way in ALIKE_BY_NAME[disagreement]:
        way.check()


@pytest.mark.parametrize(
    "nothing",
    [
        law("constant", value=0.3),
        law("he_normal", expect=std(1 / 8)),
        law("he_normal", tested="schemes/test_sites.py::TestChrono::test_nothing"),
        law("he_normal", tested="schemes/test_s4d.py::TestS4D::test_all_else_is_the_base"),
        Function("schemes.adapters.pissa", "schemes/test_sites.py::test_nothing"),
    ],
)
def test_a_way_without_an_expectation_that_holds_is_none(nothing):
    with pytest.raises(AssertionError):
        nothing.check()
