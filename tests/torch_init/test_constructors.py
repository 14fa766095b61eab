"""`drop_in` and `no_init`: what constructors of torch.nn and of transformers do within the block."""

import asyncio
import importlib
import inspect
import math
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.init import trunc_normal_ as imported_long_ago

import initwise
from initwise.core.errors import StreamError, UnhealthyError
from initwise.torch import init

TABLE = {"normal_": nn.init.normal_}
PATCHED = [name for name in torch.nn.init.__all__ if name.endswith("_")]


def linear(seed=0, **options):
    with init.drop_in(seed=seed):
        return nn.Linear(8, 8, **options).weight.detach()


def ours(seed=0):
    """What the first call in a block of this seed draws for nn.Linear's weight."""
    generator = torch.Generator().manual_seed(seed)
    return init.kaiming_uniform_(torch.empty(8, 8), a=math.sqrt(5), generator=generator)


@pytest.fixture(autouse=True)
def torch_is_left_as_it_was():
    names = [*PATCHED, "_no_grad_uniform_", "_no_grad_normal_", "_no_grad_trunc_normal_"]
    before = {name: (getattr(nn.init, name), getattr(nn.init, name).__code__) for name in names}
    yield
    for name, (function, code) in before.items():
        assert getattr(nn.init, name) is function
        assert function.__code__ is code


# drop_in ----------------------------------------------------------------------------------------------


def test_constructors_draw_from_this_stream():
    assert torch.equal(linear(), ours())
    torch.manual_seed(0)
    with init.drop_in():
        weight = nn.Linear(8, 8).weight
    assert torch.equal(weight, ours())


def test_a_seed_leaves_torch_s_generator_alone():
    before = torch.get_rng_state()
    first = linear(3)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(linear(3), first)
    assert not torch.equal(linear(4), first)


def test_a_call_s_own_generator_goes_first():
    with init.drop_in(seed=1):
        found = [
            nn.init.normal_(torch.empty(4), generator=torch.Generator().manual_seed(9)),
            nn.init.normal_(torch.empty(4), 0.0, 1.0, torch.Generator().manual_seed(9)),
        ]
        seeded = [
            nn.init.normal_(torch.empty(4), 0.0, 1.0, None),
            nn.init.normal_(torch.empty(4), generator=None),
        ]
    expected = init.normal_(torch.empty(4), generator=torch.Generator().manual_seed(9))
    assert all(torch.equal(tensor, expected) for tensor in found)
    generator = torch.Generator().manual_seed(1)
    assert all(torch.equal(tensor, init.normal_(torch.empty(4), generator=generator)) for tensor in seeded)


LAYERS = {
    "Linear": lambda: nn.Linear(6, 4),
    "Conv2d": lambda: nn.Conv2d(4, 8, 3, groups=2),
    "ConvTranspose1d": lambda: nn.ConvTranspose1d(4, 8, 3),
    "Embedding": lambda: nn.Embedding(9, 4, padding_idx=0),
    "EmbeddingBag": lambda: nn.EmbeddingBag(9, 4),
    "LSTM": lambda: nn.LSTM(4, 5, 2),
    "GRUCell": lambda: nn.GRUCell(4, 5),
    "MultiheadAttention": lambda: nn.MultiheadAttention(8, 2),
    "TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(8, 2, 16),
    "Transformer": lambda: nn.Transformer(8, 2, 1, 1, 16),
    "Bilinear": lambda: nn.Bilinear(3, 4, 5),
    "AdaptiveLogSoftmax": lambda: nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5]),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_torch_s_own_layers(make):
    """Every drawn parameter is ours (torch's default generator is not asked) and of torch's spread."""
    before = torch.get_rng_state()
    with init.drop_in(seed=0):
        layer = make()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(0)
    for (name, found), (_, theirs) in zip(layer.named_parameters(), make().named_parameters(), strict=True):
        assert (float(found.detach().std()) == 0) == (float(theirs.detach().std()) == 0), name
        assert float(found.detach().abs().max()) <= 4 * float(theirs.detach().abs().max()), name


def test_names_imported_long_ago_and_tables_of_originals_too():
    with init.drop_in(seed=0):
        found = [imported_long_ago(torch.empty(5)), TABLE["normal_"](torch.empty(5))]
    generator = torch.Generator().manual_seed(0)
    expected = [
        init.trunc_normal_(torch.empty(5), generator=generator),
        init.normal_(torch.empty(5), generator=generator),
    ]
    assert all(map(torch.equal, found, expected))


@pytest.mark.filterwarnings("ignore:`nn.init.uniform`")
def test_deprecated_names_too():
    with init.drop_in(seed=0):
        found = nn.init.uniform(torch.empty(5))
    assert torch.equal(found, init.uniform_(torch.empty(5), generator=torch.Generator().manual_seed(0)))


def test_blocks_may_be_nested_and_the_innermost_counts():
    with init.drop_in(seed=0):
        first = nn.Linear(8, 8).weight.detach()
        with init.no_init():
            skipped = nn.Linear(8, 8)
            with init.drop_in(seed=1):
                inner = nn.Linear(8, 8).weight.detach()
            assert init.unfilled(nn.Linear(8, 8))
        assert not torch.equal(nn.Linear(8, 8).weight, first)
    assert torch.equal(first, ours(0))
    assert torch.equal(inner, ours(1))
    assert init.unfilled(skipped) == ("weight", "bias")


def test_an_exception_ends_the_block():
    with pytest.raises(KeyError), init.drop_in(), init.no_init():
        raise KeyError
    assert not init.unfilled(nn.Linear(3, 3))


def test_errors_in_the_block_are_ours_and_torch_s_after_it():
    with init.drop_in(), pytest.raises(ValueError, match="has no fan in and fan out"):
        nn.init.xavier_normal_(torch.empty(3))
    with pytest.raises(ValueError, match="Fan in and fan out"):
        nn.init.xavier_normal_(torch.empty(3))


def test_other_threads_get_what_they_always_got():
    torch.manual_seed(0)
    expected = nn.init.normal_(torch.empty(5), generator=torch.Generator().manual_seed(0))
    found, inside, done = [], threading.Event(), threading.Event()

    def other():
        inside.wait(30)
        found.append(nn.init.normal_(torch.empty(5), generator=torch.Generator().manual_seed(0)))
        found.append(nn.init.zeros_(torch.ones(3)))
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with init.no_init():
        inside.set()
        assert done.wait(30)
    thread.join()
    assert torch.equal(found[0], expected)
    assert not found[1].any()


def test_blocks_that_overlap_in_threads():
    """Eight threads open and close blocks at random moments; each sees its own, and torch is back after."""
    wrong = []

    def work(k):
        for _ in range(30):
            if not torch.equal(linear(k), ours(k)):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_tasks_have_blocks_of_their_own():
    async def inside(seed):
        with init.drop_in(seed=seed):
            await asyncio.sleep(0)
            weight = nn.Linear(8, 8).weight.detach()
            await asyncio.sleep(0)
            return torch.equal(weight, ours(seed))

    async def both():
        return await asyncio.gather(inside(1), inside(2))

    assert asyncio.run(both()) == [True, True]


def test_as_decorators():
    @init.drop_in(seed=2)
    def make():
        return nn.Linear(8, 8)

    assert torch.equal(make().weight, ours(2))
    assert torch.equal(make().weight, ours(2))
    assert init.unfilled(init.no_init()(lambda: nn.Linear(2, 2))()) == ("weight", "bias")


def test_models_can_be_built_on_the_meta_device():
    with init.drop_in(), torch.device("meta"):
        assert nn.Linear(8, 8).weight.is_meta
    with init.no_init(), torch.device("meta"):
        model = nn.Linear(8, 8)
    assert init.unfilled(model) == ("weight", "bias")


def test_a_subclass_is_reached_through_its_torch_function():
    class Sub(torch.Tensor):
        pass

    with init.drop_in(seed=0):
        found = nn.init.normal_(torch.empty(5).as_subclass(Sub))
    assert torch.equal(
        found.as_subclass(torch.Tensor),
        init.normal_(torch.empty(5), generator=torch.Generator().manual_seed(0)),
    )


def test_every_function_that_draws_is_known_to_draw():
    constructors = importlib.import_module("initwise.torch.constructors")
    drawing = {
        name
        for name, function in vars(nn.init).items()
        if inspect.isfunction(function) and "generator" in inspect.signature(function).parameters
    }
    assert drawing == set(constructors._DRAWING)


# no_init ----------------------------------------------------------------------------------------------


def test_no_init_draws_nothing_and_marks_what_it_left():
    before = torch.get_rng_state()
    with init.no_init():
        model = nn.Sequential(
            nn.Linear(4, 4), nn.LayerNorm(4), nn.Embedding(5, 4, padding_idx=0), nn.BatchNorm1d(4)
        )
    assert torch.equal(torch.get_rng_state(), before)
    assert init.unfilled(model) == ("0.weight", "0.bias", "2.weight")
    assert (model[1].weight == 1).all()
    assert (model[1].bias == 0).all()
    assert (model[3].running_var == 1).all()
    weight = model[0].weight.detach()
    assert weight[0, 0].isnan()
    assert weight[-1, -1].isnan()
    assert model[0].weight.grad_fn is None
    assert model[0].weight.requires_grad


def test_the_result_of_a_model_that_was_not_filled_is_nan():
    with init.no_init():
        model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    assert model(torch.ones(2, 4)).isnan().all()


def test_assert_filled_names_what_is_left():
    with init.no_init():
        model = nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(12)))
    with pytest.raises(UnhealthyError) as caught:
        init.assert_filled(model)
    text = str(caught.value)
    assert text.startswith("12 parameters hold NaN or have no memory: 0.weight, 1.weight, ")
    assert "9.weight and 2 more" in text
    assert "initwise.init_(model" in text
    initwise.init_(model, "he_normal")
    init.assert_filled(model)


def test_one_missed_parameter_is_found_wherever_its_nan_is():
    model = nn.Sequential(nn.Linear(40, 40), nn.Linear(40, 40))
    with torch.no_grad():
        model[1].weight[17, 3] = math.nan
    assert init.unfilled(model) == ("1.weight",)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.complex64])
def test_any_floating_type_can_be_marked(dtype):
    with init.no_init():
        layer = nn.Linear(4, 4, dtype=dtype)
    assert init.unfilled(layer) == ("weight", "bias")


def test_what_cannot_be_nan_is_left_in_peace():
    model = nn.Module()
    model.whole = nn.Parameter(torch.zeros(3, dtype=torch.int64), requires_grad=False)
    model.nothing = nn.Parameter(torch.zeros(0))
    with init.no_init():
        nn.init.normal_(model.whole)
        nn.init.normal_(model.nothing)
    assert init.unfilled(model) == ()


def test_a_state_dict_fills():
    with init.no_init():
        model = nn.Linear(4, 4)
    model.load_state_dict(nn.Linear(4, 4).state_dict())
    init.assert_filled(model)


# transformers -----------------------------------------------------------------------------------------


def configs():
    transformers = pytest.importorskip("transformers")
    common = {"vocab_size": 60, "bos_token_id": 1, "eos_token_id": 2}
    return {
        "gpt2": transformers.GPT2Config(n_layer=2, n_head=2, n_embd=16, n_positions=16, **common),
        "llama": transformers.LlamaConfig(
            hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, **common
        ),
    }


def from_config(name):
    transformers = pytest.importorskip("transformers")
    return transformers.AutoModelForCausalLM.from_config(configs()[name])


TOKENS = torch.zeros(1, 3, dtype=torch.long)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_transformers_models_draw_from_this_stream(name):
    with init.drop_in(seed=0):
        first = from_config(name)
    before = torch.get_rng_state()
    with init.drop_in(seed=0):
        second = from_config(name)
    assert torch.equal(torch.get_rng_state(), before)
    for (which, one), two in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(one, two)
        values = one.detach()
        if "embed" in which or "wte" in which:
            # std 0.02 of 960 draws: 5 standard errors of 0.02/√1920
            assert float(values.std()) == pytest.approx(0.02, abs=5 * 0.02 / math.sqrt(1920))


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_transformers_models_can_be_built_without_init_and_filled_after(name):
    with init.no_init():
        model = from_config(name)
    ordinary = from_config(name)
    drawn = [which for which, values in ordinary.named_parameters() if float(values.detach().std()) > 0]
    assert list(init.unfilled(model)) == drawn
    assert model(TOKENS).logits.isnan().all()
    for one, two in zip(model.buffers(), ordinary.buffers(), strict=True):
        assert torch.equal(one, two)
    initwise.init_(model, "he_normal")
    init.assert_filled(model)
    assert model(TOKENS).logits.isfinite().all()


@pytest.mark.parametrize("seed", ["x", -1, 2**64, 1.5, True])
def test_drop_in_refuses_the_seeds_that_init_refuses_and_runs_nothing(seed):
    ran = []
    with pytest.raises(StreamError) as caught, init.drop_in(seed=seed):
        ran.append(nn.Linear(2, 2))
    assert str(caught.value) == f"seed {seed!r}; expected an integer from 0 to 2**64 - 1."
    with pytest.raises(StreamError) as same:
        initwise.init_(nn.Linear(2, 2), "he_normal", seed=seed)
    assert str(same.value) == str(caught.value)
    assert not ran


@pytest.mark.parametrize("seed", [0, 2**63, 2**64 - 1, np.uint64(7)])
def test_drop_in_takes_every_seed_of_the_stream(seed):
    made = []
    for _ in range(2):
        with init.drop_in(seed=seed):
            made.append(nn.Linear(2, 2).weight)
    assert torch.equal(made[0], made[1])
