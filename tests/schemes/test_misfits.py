"""What a scheme cannot serve: refused with what to do instead, never filled with something else."""

import pytest

from initwise.core.errors import FillError, LayoutError
from initwise.core.fill import Fill
from initwise.core.layout import fans
from initwise.frameworks.initialize import init_
from initwise.schemes import scheme, schemes

MISFITS = {
    "delta-orthogonal kernels that shrink": (
        ("delta_orthogonal", {}, (16, 32, 3, 3), "oihw"),
        "delta_orthogonal: 32 input and 16 output channels; expected no more inputs than outputs.",
        'Use "orthogonal" for this layer.',
    ),
    "kernels without a centre": (
        ("delta_orthogonal", {}, (32, 16, 4, 4), "oihw"),
        "delta_orthogonal: kernel size 4 has no centre; expected odd kernel sizes.",
        'Use "orthogonal" for this layer',
    ),
    "a depthwise kernel of which nothing is left": (
        ("sparse", {}, (3, 3, 16, 1), "hwbo"),
        "sparse: 1 of the 1 weights of each input would be zero; expected a weight of which something",
        'Use "he_normal" for this layer, or a lower sparsity.',
    ),
    "a narrow layer at a high sparsity": (
        ("sparse", {"sparsity": 0.95}, (4, 16), "oi"),
        "sparse: 4 of the 4 weights of each input would be zero",
        "a lower sparsity",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_shape_it_cannot_serve_is_refused_with_a_remedy(case):
    (name, options, shape, layout), text, remedy = MISFITS[case]
    with pytest.raises(FillError) as caught:
        scheme(name, **options).fill(fans(shape, layout))
    assert str(caught.value).startswith(text)
    assert remedy in str(caught.value)


@pytest.mark.parametrize("name", ["orthogonal", "identity", "dirac", "sparse", "he_normal", "zero_hadamard"])
def test_a_vector_has_no_fans_for_any_of_them(name):
    with pytest.raises(LayoutError, match="has no input axis, so it has no fans") as caught:
        scheme(name).fill(fans((64,), "o", where="layer.bias"))
    assert str(caught.value).startswith("layer.bias: ")
    assert "Give vectors a rule of their own: zeros, ones, constant(value)" in str(caught.value)


def test_a_model_is_told_which_layer_it_is_and_nothing_is_written():
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Conv2d(8, 4, 3))
    before = [tensor.clone() for tensor in model.parameters()]
    with pytest.raises(FillError, match=r"^1\.weight: delta_orthogonal: 8 input and 4 output channels"):
        init_(model, "delta_orthogonal")
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


FLAVORS = [
    pytest.param(row, flavor, name, id=f"{row.name}-{flavor.name}-{name}")
    for row in schemes()
    for flavor in row.flavors
    for name in flavor.required
]


@pytest.mark.parametrize(("row", "flavor", "name"), FLAVORS)
def test_a_flavor_without_what_its_framework_demands_is_refused(row, flavor, name):
    with pytest.raises(ValueError, match="has no default for it") as caught:
        scheme(row.name, flavor=flavor.name)
    first = f'scheme {row.name!r}: flavor="{flavor.name}" without '
    assert str(caught.value).startswith(first)


class TestBoundsOfATruncatedNormal:
    """They are weight units: for a small std the defaults would cut nothing, and nobody would see it."""

    def test_t03_bounds_left_out_that_cut_nothing_are_refused(self):
        with pytest.raises(FillError) as caught:
            Fill.truncated_normal(0.0, 0.02)
        assert str(caught.value) == (
            "truncated_normal: N(0, 0.02) without bounds; expected low and high.\n"
            "  Likely cause: left out, they are -2 and 2 in weight units, 100σ: they would cut nothing\n"
            "  For ±2σ: low=-0.04, high=0.04; to cut nothing on purpose: low=-2, high=2."
        )

    def test_said_aloud_they_are_taken(self):
        assert Fill.truncated_normal(0.0, 0.02, -2, 2).std == pytest.approx(0.02, rel=1e-15)
        assert (Fill.truncated_normal().low, Fill.truncated_normal(std=0.25).high) == (-2.0, 2.0)
        # beyond 8σ on one side only: the other cuts
        assert Fill.truncated_normal(2.0, 0.1).mean < 2
