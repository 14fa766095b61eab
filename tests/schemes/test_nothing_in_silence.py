"""What a model lacks is refused, not passed over; blocks that start as their shortcuts do so exactly."""

import pytest

import initwise
from initwise import scheme
from initwise.core.errors import InitwiseError, ModelError
from initwise.schemes import schemes

torch = pytest.importorskip("torch")
nn = torch.nn


def plain():
    return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))


class Attributes(nn.Module):
    """Residual blocks that no number in a name tells."""

    def __init__(self):
        super().__init__()
        self.u1, self.u2 = plain(), plain()

    def forward(self, x):
        x = x + self.u1(x)
        return x + self.u2(x)


class Block(nn.Module):
    def __init__(self, first, last):
        super().__init__()
        self.a, self.b = first, last

    def forward(self, x):
        return x + self.b(torch.relu(self.a(x)))


def linear():
    return Block(nn.Linear(6, 12), nn.Linear(12, 6)), torch.randn(5, 6)


def convolutional():
    return Block(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)), torch.randn(2, 3, 5, 5)


class NamedBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(6, 12), nn.Linear(12, 6)

    def forward(self, x):
        return x + self.fc2(torch.relu(self.fc1(x)))


def named():
    return NamedBlock(), torch.randn(5, 6)


def same(one, other):
    return all(map(torch.equal, one.parameters(), other.parameters()))


@pytest.mark.parametrize("row", [row for row in schemes() if row.needs], ids=lambda row: row.name)
def test_no_row_passes_over_a_plain_mlp_in_silence(row):
    model, base, before = plain(), plain(), plain()
    before.load_state_dict(model.state_dict())
    try:
        initwise.init_(model, row.name)
    except InitwiseError:
        assert same(model, before)
        return
    options = {option.name: option.default for option in row.options}
    if options.get("base"):
        initwise.init_(base, options["base"])
        assert not same(model, base)


@pytest.mark.parametrize("name", ["fixup_scaling", "zero_branch"])
@pytest.mark.parametrize(
    "model",
    [
        plain,
        lambda: nn.Sequential(linear()[0], linear()[0]),
        Attributes,
        lambda: nn.ModuleDict({"layers": nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])}),
    ],
    ids=["plain", "a list that has no name", "attributes", "a list of single layers"],
)
def test_a_model_of_which_no_branch_is_seen_is_refused_and_left_as_it_was(name, model):
    made = model()
    before = [tensor.clone() for tensor in made.parameters()]
    with pytest.raises(ModelError) as caught:
        initwise.init_(made, name)
    text = str(caught.value)
    assert text.startswith(
        f"scheme {name!r}: the model has no residual branch that can be seen; expected one"
    )
    assert "blocks are found by numbers after a name (blocks.3.fc1.weight)" in text
    assert "nn.ModuleList" in text
    assert all(map(torch.equal, before, made.parameters()))


def test_what_the_refusal_says_to_do_does_it():
    model, x = Attributes(), torch.randn(3, 8)
    initwise.init_(model, scheme("zero_branch", assign="conv.last=u?.2.weight, conv.last=u?.2.bias"))
    assert torch.equal(model(x), x)


@pytest.mark.parametrize("name", ["fixup_scaling", "zero_branch"])
@pytest.mark.parametrize("make", [linear, convolutional, named])
def test_every_block_starts_as_its_shortcut_exactly(name, make):
    made = [make() for _ in range(3)]
    model = nn.ModuleDict({"blocks": nn.ModuleList([block for block, _ in made])})
    initwise.init_(model, name, seed=3)
    for block, x in made:
        assert torch.equal(block(x), x)
        assert next(block.parameters()).any()


def test_a_lone_matrix_of_a_stack_is_no_branch_and_keeps_the_base():
    model = nn.ModuleDict(
        {
            "stem": nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)),
            "blocks": nn.ModuleList([convolutional()[0] for _ in range(2)]),
        }
    )
    initwise.init_(model, "fixup_scaling")
    assert all(model.stem[index].weight.any() for index in (0, 2))


def test_of_many_parts_that_a_model_has_not_the_first_are_named():
    with pytest.raises(ModelError) as caught:
        initwise.init_(plain(), "zero_gamma")
    assert str(caught.value).startswith(
        "scheme 'zero_gamma': the model has no norm.last; expected one of them"
    )
    with pytest.raises(ModelError) as caught:
        initwise.init_(plain(), "t_fixup_scaling")
    assert (
        "the model has none of attention.value, attention.output, mlp.up, mlp.gate, mlp.gate_up, mlp.down;"
        in (str(caught.value))
    )


def test_a_cap_on_the_parts_that_are_named():
    from initwise.frameworks.placing import _some

    assert _some([str(n) for n in range(9)]) == "0, 1, 2, 3, 4, 5 and 3 more"
