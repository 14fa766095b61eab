"""Adapters of a torch model filled end to end: what is kept, what is seen, what is asked for."""

import copy

import numpy as np
import pytest

import initwise
from initwise import scheme
from initwise.core.errors import FillError, ForwardError, ModelError, OptionError, UnsupportedError
from initwise.frameworks.numpy import ArrayTree
from initwise.schemes import Data, Given, Site
from initwise.schemes.adapters import rs_lora_scale
from initwise.schemes.adapters_data import eva, lora_ga
from initwise.schemes.quantizers import nf4

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

RNG = np.random.default_rng(0)
W, X, G = RNG.normal(size=(20, 12)), RNG.normal(size=(300, 12)), RNG.normal(size=(20, 12))
EXACT = ("pissa", "olora", "mica", "orthogonal_lora", "corda", "eva", "lora_ga")
CHANGING = ("pissa", "olora", "corda", "lora_ga", "loftq")


class Adapted(nn.Module):
    """A layer with an adapter, as one writes it oneself."""

    def __init__(self, inputs, outputs, rank=4, alpha=8.0, dtype=torch.float32):
        super().__init__()
        self.base = nn.Linear(inputs, outputs, dtype=dtype)
        self.base.weight.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.full((rank, inputs), 0.05, dtype=dtype))
        self.lora_B = nn.Parameter(torch.ones(outputs, rank, dtype=dtype))
        self.scaling = alpha / rank

    @property
    def weight_now(self):
        return (self.base.weight + self.scaling * self.lora_B @ self.lora_A).detach()

    def forward(self, x):
        return self.base(x) + self.scaling * (x @ self.lora_A.T @ self.lora_B.T)


def network(**more):
    torch.manual_seed(1)
    return nn.Sequential(Adapted(24, 32, **more), nn.Tanh(), nn.Dropout(0.5), Adapted(32, 12, **more))


INPUTS = torch.randn(96, 24, generator=torch.Generator().manual_seed(2))
TARGETS = torch.randint(0, 12, (96,), generator=torch.Generator().manual_seed(3))


def loss(output):
    return F.cross_entropy(output, TARGETS)


def started(name, model=None, **options):
    """The model and its Ledger after init_ with everything given."""
    model = network() if model is None else model
    return model, initwise.init_(model, scheme(name, **options), example=INPUTS, data=Data(loss=loss))


def without_adapters(model):
    model = copy.deepcopy(model).eval()
    for layer in model:
        if isinstance(layer, Adapted):
            nn.init.zeros_(layer.lora_B)
    return model


class TestInAModel:
    @pytest.mark.parametrize("name", EXACT)
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_the_model_computes_what_it_did(self, name, dtype):
        model = network(dtype=dtype)
        before = [layer.base.weight.clone() for layer in (model[0], model[3])]
        batch = INPUTS.to(dtype)
        initwise.init_(model, name, example=batch, data=Data(loss=loss))
        eps = torch.finfo(dtype).eps
        for layer, old in zip((model[0], model[3]), before, strict=True):
            assert (layer.weight_now - old).abs().max() <= 4 * eps * max(1, old.abs().max())
            assert torch.equal(layer.base.weight, old) == (name not in CHANGING)

    @pytest.mark.parametrize("name", CHANGING[:-1])
    def test_the_base_makes_up_for_the_adapters_rounding(self, name):
        model = network(dtype=torch.bfloat16)
        model[0].base.to(torch.float64)
        old = model[0].base.weight.clone()
        data = Data(
            inputs={"0": X @ RNG.normal(size=(12, 24)), "3": RNG.normal(size=(99, 32))},
            gradients={"0": RNG.normal(size=(32, 24)), "3": RNG.normal(size=(12, 32))},
        )
        initwise.init_(model, name, data=data)
        first = model[0]
        now = first.base.weight + first.scaling * first.lora_B.double() @ first.lora_A.double()
        assert (now - old).abs().max() < 1e-14

    def test_loftq_is_nearer_than_the_quantized_base_alone(self):
        model = network()
        old = model[0].base.weight.detach().double().clone()
        initwise.init_(model, scheme("loftq", iterations=5))
        alone = np.linalg.norm(nf4(old.numpy()) - old.numpy())
        assert (model[0].weight_now.double() - old).norm() < 0.9 * alone
        held = nf4(model[0].base.weight.detach().double().numpy())
        np.testing.assert_allclose(held, model[0].base.weight.detach(), atol=1e-7)

    @pytest.mark.parametrize("rank", [4])
    def test_eva_sees_what_the_layers_see_without_adapters_and_dropout(self, rank):
        model, _ = started("eva")
        seen = torch.tanh(without_adapters(network())[0].base(INPUTS)).detach().double().numpy()
        for layer, x in ((model[0], INPUTS.double().numpy()), (model[3], seen)):
            wanted = eva(x, rank, layer.base.weight.detach().numpy()).a
            alike = np.abs(layer.lora_A.detach().double().numpy() @ wanted.T)
            np.testing.assert_allclose(alike, np.eye(rank), atol=1e-4)

    def test_lora_ga_takes_the_gradient_of_the_model_without_adapters(self):
        model, _ = started("lora_ga")
        plain = without_adapters(network())
        plain[0].base.weight.requires_grad_(True)
        loss(plain(INPUTS)).backward()
        wanted = lora_ga(
            plain[0].base.weight.grad.numpy(), plain[0].base.weight.detach().numpy(), 4, scale=2.0
        )
        np.testing.assert_allclose(
            (model[0].lora_B @ model[0].lora_A).detach(),
            wanted.b @ wanted.a,
            atol=1e-6 * np.abs(wanted.b @ wanted.a).max() + 1e-7,
        )

    def test_a_step_of_lora_ga_points_where_full_fine_tuning_does_and_a_plain_adapters_does_less(self):
        def cosine(model):
            model.eval()
            old = model[0].weight_now
            full = without_adapters(network())
            full[0].base.weight.requires_grad_(True)
            loss(full(INPUTS)).backward()
            loss(model(INPUTS)).backward()
            with torch.no_grad():
                for matrix in (model[0].lora_A, model[0].lora_B):
                    matrix -= 1e-3 * matrix.grad
            moved, wanted = model[0].weight_now - old, -full[0].base.weight.grad
            return float(F.cosine_similarity(moved.flatten(), wanted.flatten(), dim=0))

        best, _ = started("lora_ga", scaling="unit", weighted=False)
        plain = network()
        initwise.init_(plain, "lora")
        assert cosine(best) > 0.95
        assert cosine(best) > cosine(plain) + 0.1

    def test_orthogonal_lora_draws_by_name_and_seed(self):
        one, again, other = network(), network(), network()
        for model, seed in ((one, 0), (again, 0), (other, 1)):
            initwise.init_(model, "orthogonal_lora", seed=seed)
        assert torch.equal(one[0].lora_A, again[0].lora_A)
        assert not torch.equal(one[0].lora_A, other[0].lora_A)
        np.testing.assert_allclose((one[0].lora_B @ one[0].lora_A).detach(), 0, atol=1e-7)
        assert one[0].lora_B.abs().min() > 0

    def test_nothing_else_is_touched(self):
        model = network()
        model.train()
        model[0].base.bias.grad = torch.ones(32)
        state, buffers = (
            torch.get_rng_state(),
            {k: v.clone() for k, v in model.state_dict().items() if "bias" in k},
        )
        ledger = started("lora_ga", model)[1]
        assert torch.equal(torch.get_rng_state(), state)
        assert all(module.training for module in model.modules())
        assert all(torch.equal(model.state_dict()[k], v) for k, v in buffers.items())
        assert [p.requires_grad for p in model[0].parameters()] == [True, True, False, True]
        assert model[0].lora_A.grad is None
        assert torch.equal(model[0].base.bias.grad, torch.ones(32))
        assert not any(module._forward_pre_hooks for module in model.modules())
        assert {entry.name for entry in ledger.filled} == {
            f"{layer}.{name}" for layer in (0, 3) for name in ("lora_A", "lora_B", "base.weight")
        }
        first = next(entry for entry in ledger.entries if entry.name == "0.lora_A")
        assert first.reason.startswith("A of lora_ga, rank 4, s = 2: G = USVᵀ")
        assert first.measured_std == pytest.approx(model[0].lora_A.std(correction=0).item(), rel=1e-6)
        assert "filled" in str(ledger)
        assert type(ledger).from_json(ledger.to_json()).to_json() == ledger.to_json()

    @pytest.mark.parametrize("name", CHANGING)
    def test_bases_stored_the_other_way_round(self, name):
        class Conv1D(nn.Module):  # as transformers' GPT-2 has it: (in, out)
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.randn(24, 12, generator=torch.Generator().manual_seed(4)))

            def forward(self, x):
                return x @ self.weight

        turned, straight = nn.Sequential(Adapted(24, 12)), nn.Sequential(Adapted(24, 12))
        turned[0].base = Conv1D()
        straight[0].base = nn.Linear(24, 12, bias=False)
        straight[0].base.weight = nn.Parameter(turned[0].base.weight.detach().T.contiguous())
        for model in (turned, straight):
            initwise.init_(model, name, example=INPUTS, data=Data(loss=loss))
        # the pass's sums run in another order
        np.testing.assert_allclose(
            turned[0].base.weight.detach().T, straight[0].base.weight.detach(), atol=1e-5
        )

    def test_equal_models_have_equal_digests(self):
        assert started("pissa")[1].digest == started("pissa")[1].digest != started("olora")[1].digest

    def test_the_factor_can_be_said_where_the_layer_does_not(self):
        model = network()
        for layer in (model[0], model[3]):
            del layer.scaling
        with pytest.raises(OptionError) as caught:
            initwise.init_(model, "pissa")
        assert str(caught.value) == (
            "0: the adapter does not say its factor s; expected a number `scaling` on its layer, or the "
            "option scale.\n"
            '  scheme("pissa", scale=alpha / rank), or alpha / rank**0.5 with rsLoRA.'
        )
        s = rs_lora_scale(8, 4)
        old = model[0].base.weight.clone()
        initwise.init_(model, scheme("pissa", scale=s))
        now = model[0].base.weight + s * model[0].lora_B @ model[0].lora_A
        np.testing.assert_allclose(now.detach(), old, atol=1e-6)

    def test_loralibs_layers_hold_the_weight_themselves(self):
        class Linear(nn.Linear):
            def __init__(self, inputs, outputs, r):
                super().__init__(inputs, outputs)
                self.lora_A, self.lora_B = (
                    nn.Parameter(torch.zeros(r, inputs)),
                    nn.Parameter(torch.zeros(outputs, r)),
                )
                self.scaling = 0.5

            def forward(self, x):
                return F.linear(x, self.weight, self.bias) + self.scaling * x @ self.lora_A.T @ self.lora_B.T

        model = nn.Sequential(Linear(24, 12, 3))
        old = model(INPUTS)
        initwise.init_(model, "eva", example=INPUTS)
        assert torch.equal(model(INPUTS), old)
        initwise.init_(model, "pissa")
        np.testing.assert_allclose(model(INPUTS).detach(), old.detach(), atol=1e-5)
        assert model[0].lora_B.abs().max() > 0


class TestRefusals:
    """Nothing is written, and the text says what to give."""

    @pytest.mark.parametrize(
        ("plan", "more", "text"),
        [
            (
                "eva",
                {},
                "example: scheme 'eva' without data; expected a batch of the task, or "
                "data=Data(inputs={layer: array}), Data from initwise.schemes.\n"
                "  Likely cause: it starts from what each layer is given on a batch\n"
                '  init_(model, "eva", example=batch).',
            ),
            (
                "corda",
                {"example": "f32[9,24]"},
                "example: scheme 'corda' without real data; expected a batch of the task, or "
                "data=Data(inputs={layer: array}), Data from initwise.schemes.\n"
                "  Likely cause: it starts from what each layer is given on a batch; numbers drawn for "
                "shapes tell nothing of it\n"
                '  init_(model, "corda", example=batch).',
            ),
            (
                "lora_ga",
                {},
                "example: scheme 'lora_ga' without data; expected a batch of the task, or "
                "data=Data(gradients={layer: array}), Data from initwise.schemes.\n"
                "  Likely cause: it starts from the gradient of each base weight on a batch\n"
                '  init_(model, "lora_ga", example=batch, data=Data(loss=…)).',
            ),
            (
                "lora_ga",
                {"example": INPUTS},
                "data: no loss; expected data=Data(loss=…), loss(output) -> scalar, or a model whose output "
                "has a loss.\n"
                "  For targets, close over them: Data(loss=lambda output: F.cross_entropy(output, targets)).",
            ),
            (
                "lora_ga",
                {"example": INPUTS, "data": Data(loss=lambda output: output)},
                "loss: a loss of shape (96, 12); expected a scalar tensor that depends on the model.",
            ),
            (
                "eva",
                {"data": Data(inputs={"0": np.ones((9, 24))})},
                "data.inputs: inputs for 1 layers, no '3'; expected an array for each layer with an "
                "adapter.\n  Known: 0, 3.",
            ),
            (
                "pissa",
                {"rules": {"*": "zeros"}},
                "rules: rules beside scheme 'pissa'; expected none: it fills adapters, each as a whole.\n"
                "  Fill the rest of the model first, by a call of its own.",
            ),
            (
                "pissa",
                {"data": {"loss": loss}},
                "data: a value of type dict; expected Data(inputs=…, gradients=…, loss=…), from "
                "initwise.schemes.",
            ),
        ],
    )
    def test_what_is_not_given_is_asked_for(self, plan, more, text):
        model = network()
        before = [p.clone() for p in model.parameters()]
        with pytest.raises(OptionError) as caught:
            initwise.init_(model, plan, **more)
        assert str(caught.value) == text
        assert all(map(torch.equal, before, model.parameters()))

    def test_a_model_that_tells_its_own_loss_needs_no_other(self):
        class Telling(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = network()

            def forward(self, x, labels):
                output = self.layers(x)
                return {"logits": output, "loss": F.cross_entropy(output, labels)}

        model, plain = Telling(), started("lora_ga")[0]
        initwise.init_(model, "lora_ga", example=(INPUTS, TARGETS))
        assert torch.equal(model.layers[0].lora_A, plain[0].lora_A)

    def test_a_loss_that_raises(self):
        with pytest.raises(ForwardError, match="the loss raised ZeroDivisionError"):
            initwise.init_(network(), "lora_ga", example=INPUTS, data=Data(loss=lambda output: 1 / 0))

    def test_the_last_layer_that_cannot_leaves_the_first_as_it_was(self):
        model = nn.Sequential(Adapted(24, 32), Adapted(32, 3, rank=4))
        before = [p.clone() for p in model.parameters()]
        with pytest.raises(FillError, match=r"^1: rank 4 of a \(3, 32\) matrix; expected 1 ≤ rank ≤ 3"):
            initwise.init_(model, "pissa")
        assert all(map(torch.equal, before, model.parameters()))

    def test_a_layer_that_does_not_run(self):
        model = network()
        model.idle = Adapted(3, 3, rank=1)
        model.forward = lambda x: nn.Sequential.forward(model[:4], x)
        for name in ("eva", "lora_ga"):
            with pytest.raises(ModelError, match="idle: it does not run on the example"):
                initwise.init_(model, name, example=INPUTS, data=Data(loss=loss))

    def test_moved_ranks(self):
        with pytest.raises(UnsupportedError, match="eva_ranks"):
            initwise.init_(network(), scheme("eva", rho=2), example=INPUTS)

    def test_a_quantized_base(self):
        model = network()
        model[0].base.weight = nn.Parameter(torch.zeros(32, 24, dtype=torch.int8), requires_grad=False)
        with pytest.raises(ModelError, match=r"0: the base weight is torch.int8 on cpu") as caught:
            initwise.init_(model, "pissa")
        assert "then quantize" in str(caught.value)

    def test_matrices_that_do_not_fit(self):
        model = network()
        model[0].lora_A = nn.Parameter(torch.zeros(24, 4))
        with pytest.raises(
            ModelError, match=r"0: A \(24, 4\), B \(32, 4\), W \(32, 24\); expected A \(r, in\)"
        ):
            initwise.init_(model, "pissa")

    def test_two_adapters_on_one_weight(self):
        model = nn.Sequential(Adapted(24, 12))
        two = nn.ParameterDict({k: nn.Parameter(torch.zeros(4, 24)) for k in ("x", "y")})
        other = nn.ParameterDict({k: nn.Parameter(torch.zeros(12, 4)) for k in ("x", "y")})
        del model[0].lora_A, model[0].lora_B
        model[0].lora_A, model[0].lora_B = two, other
        with pytest.raises(ModelError, match="2 adapters, x, y, on one base weight"):
            initwise.init_(model, "pissa")
        model[0].active_adapters, model[0].scaling = ["y"], {"x": 1.0, "y": 0.25}
        old = model[0].base.weight.clone()
        initwise.init_(model, "pissa")
        assert not model[0].lora_A["x"].any()
        now = model[0].base.weight + 0.25 * model[0].lora_B["y"] @ model[0].lora_A["y"]
        np.testing.assert_allclose(now.detach(), old, atol=1e-6)

    def test_other_frameworks_and_laws(self):
        with pytest.raises(UnsupportedError, match="low-rank adapters in numpy models; expected a torch"):
            initwise.init_(ArrayTree({"w": np.ones((3, 3))}, layouts={"w": "oi"}), "pissa")
        with pytest.raises(OptionError, match="scheme 'he_normal' is a law"):
            scheme("he_normal").start(Site())

    @pytest.mark.parametrize(
        ("name", "missing"),
        [("pissa", "weight"), ("eva", "inputs"), ("lora_ga", "gradient"), ("orthogonal_lora", "draw")],
    )
    def test_arrays_of_one_adapter_by_hand(self, name, missing):
        whole = {"weight": W, "inputs": X, "gradient": G, "draw": lambda name, shape: RNG.normal(size=shape)}
        made = scheme(name).start(Site(given=Given(4, 2.0, **whole)))
        assert (made.a.shape, made.b.shape) == ((4, 12), (20, 4))
        with pytest.raises(FillError, match=f"{missing} is missing; expected"):
            scheme(name).start(Site(given=Given(4, **{k: v for k, v in whole.items() if k != missing})))
        with pytest.raises(
            FillError, match="adapter is unknown; expected the low-rank adapter beside the weight"
        ):
            scheme(name).start(Site())
