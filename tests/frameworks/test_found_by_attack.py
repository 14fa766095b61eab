"""Defects of filling torch tensors that an adversarial tester found once."""

import math

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

from initwise import Fill, fill, init_  # noqa: E402
from initwise.core.errors import OutputError  # noqa: E402
from initwise.frameworks.torch import adapter  # noqa: E402

NORMAL = Fill.normal(0, 0.02)


def freed(shape, dtype=torch.float32, left=0):
    """A tensor whose storage was freed but for `left` bytes, as FSDP does between passes."""
    tensor = torch.zeros(shape, dtype=dtype)
    tensor.untyped_storage().resize_(left)
    return tensor


@pytest.mark.parametrize(
    "tensor",
    [
        lambda: freed((30, 30)),
        lambda: freed((3000, 300)),
        lambda: freed((3000, 300), torch.bfloat16),
        lambda: freed((3000, 30), left=8),
        lambda: torch._efficientzerotensor((9, 9)),
    ],
)
def test_memory_that_is_not_there_is_refused(tensor):
    with pytest.raises(OutputError, match="freed"):
        fill(tensor(), NORMAL, name="w")


def test_a_parameter_whose_memory_was_freed_is_refused():
    model = nn.Sequential(nn.Linear(30, 30), nn.Linear(3, 3))
    model[0].weight.untyped_storage().resize_(0)
    ledger = init_(model, "he_normal")
    entry = ledger.entries[0]
    assert (entry.status, "freed" in entry.reason) == ("refused", True)


def test_a_step_shared_by_layers_stays_in_its_mode():
    class Step(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout()

        def forward(self, weight):
            return weight * 1.0

        def right_inverse(self, weight):
            return weight

    step, model = Step(), nn.Sequential(*[nn.Linear(8, 8) for _ in range(40)])
    for layer in model:
        parametrize.register_parametrization(layer, "weight", step)
    model.train()
    for _ in range(3):
        init_(model, "he_normal")
        assert all(module.training for module in model.modules())


def test_a_plain_parameter_is_found_without_listing_its_neighbours(monkeypatch):
    """Else the work grows with the square of a module's parameters."""
    listed, real = [], adapter.holdings

    def counted(module):
        listed.append(module)
        return real(module)

    monkeypatch.setattr(adapter, "holdings", counted)
    model = nn.ParameterList([nn.Parameter(torch.zeros(4, 4)) for _ in range(50)])
    init_(model, {"*": NORMAL})
    assert listed == []


@pytest.mark.parametrize("std", [1e300, 1e160, 1e-165, 1e-300])
def test_squares_that_leave_float64_do_not_hide_a_good_write(std):
    model = nn.Linear(300, 300, bias=False).double()
    (entry,) = init_(model, {"weight": Fill.normal(0, std)}).entries
    assert math.isclose(entry.measured_std, std, rel_tol=0.02)
