"""What number formats do to a pass: each rule from both sides, against real rounding, and no false alarm."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import initwise
from initwise.core.errors import OptionError
from initwise.signals.judging import judged
from initwise.signals.precision import (
    ALIASES,
    FORMATS,
    Format,
    beyond,
    beyond_range,
    format_name,
    lowered,
    rounded,
    underflow,
    zeroed,
)
from initwise.signals.reading import Reading

ROW = Reading(
    "fc", "Linear", "weight", (32, 64), forward_rms=1.0, forward_mean=0.0, gradient_rms=1.0,
    weight_rms=0.1, weight_std=0.1, weight_gradient_rms=1.0, weight_dtype="float32",
)  # fmt: skip


def rows(dtype="float16", **changes):
    """Three layers, the second with `changes`, as if kept in `dtype`."""
    names = [replace(ROW, name="first"), replace(ROW, **changes), replace(ROW, name="last")]
    return lowered(names, dtype)


@pytest.mark.parametrize("name", FORMATS)
def test_the_formats_are_those_of_torch(name):
    form, info = FORMATS[name], torch.finfo(getattr(torch, name))
    assert (form.largest, form.tiny, form.step) == (info.max, info.smallest_normal, info.eps)
    assert form.smallest == info.smallest_normal * info.eps


@pytest.mark.parametrize("alias", [*ALIASES, *FORMATS])
def test_formats_have_the_names_that_people_use(alias):
    assert format_name(alias) == format_name(alias.upper()) == ALIASES.get(alias, alias)


def test_torchs_own_dtypes_are_names_too():
    assert format_name(torch.float8_e5m2) == "float8_e5m2"


@pytest.mark.parametrize("wrong", ["float12", "int8", 16, torch.int64])
def test_any_other_is_refused(wrong):
    with pytest.raises(OptionError, match="check: dtype"):
        initwise.check(nn.Linear(4, 4), dtype=wrong)


def test_a_typing_error_is_told_what_was_meant():
    with pytest.raises(OptionError, match="Did you mean 'bfloat16'"):
        format_name("bfloat6")


# against real rounding


@pytest.mark.parametrize("dtype", [torch.float16, torch.float8_e5m2, torch.float8_e4m3fn])
@pytest.mark.parametrize("below", [0.3, 1.0, 8.0])
def test_the_share_that_becomes_zero_is_what_rounding_makes_zero(dtype, below):
    form = FORMATS[str(dtype).removeprefix("torch.")]
    x = torch.randn(100_000, generator=torch.Generator().manual_seed(0)) * form.smallest / below
    share = (x.to(dtype).float() == 0).double().mean().item()
    expected = zeroed(form.smallest / below, form)
    assert share == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 100_000) + 1e-4)


@pytest.mark.parametrize("mean", [0.0, 3e4])
@pytest.mark.parametrize("rms", [3.2e4, 4e4])
def test_the_share_beyond_the_range_is_what_becomes_infinite(mean, rms):
    std = math.sqrt(rms**2 - mean**2)
    x = mean + std * torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    share = x.half().isinf().double().mean().item()
    expected = beyond(rms, mean, FORMATS["float16"])
    assert share == pytest.approx(expected, abs=4 * math.sqrt(expected / 200_000))


@pytest.mark.parametrize(("mean", "std"), [(1.0, 1e-3), (1.0, 1.5e-3), (3.0, 4e-3)])
def test_the_share_of_weights_that_become_the_same_is_what_rounding_makes_the_same(mean, std):
    weights = mean + std * torch.randn(
        100_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    same = (weights.to(torch.bfloat16) == mean).double().mean().item()
    (mark,) = rounded(rows("bfloat16", weight_rms=math.hypot(mean, std), weight_std=std)[1:2])
    told = float(mark.reason.partition("%")[0].rpartition(" ")[2]) / 100
    # above a power of two the next number is twice as far: a little more is lost there
    assert told <= same + 0.01
    assert told == pytest.approx(same, abs=0.2)


# the rules


def found(given, **options):
    findings = judged(given, **options)[1]
    return [(f.verdict, f.layer) for f in findings if f.verdict in ("overflow", "underflow", "rounded")]


def test_outputs_that_will_overflow_are_found_before_they_do():
    # 2048 values: one in a thousand passes at 5.1 sigma
    assert found(rows(forward_rms=1.2e4)) == []
    given = rows(forward_rms=1.4e4)
    assert found(given) == [("overflow", "fc")]
    (mark,) = beyond_range(given)
    assert (
        mark.reason == "the output has rms 1.4e+04: one value in 3.5e+05 lies beyond "
        "float16's largest number 65504"
    )
    assert mark.factor == pytest.approx(1.4e4 / 65504)


def test_far_beyond_the_range_most_values_are_lost():
    (mark,) = beyond_range(rows(forward_rms=1e6))
    assert (
        mark.reason == "the output has rms 1e+06: 95% of its values lie beyond float16's largest number 65504"
    )


def test_the_same_output_fits_bfloat16():
    assert found(rows("bfloat16", forward_rms=1e6)) == [] != found(rows(forward_rms=1e6))


def test_a_large_mean_overflows_before_a_large_spread():
    assert found(rows(forward_rms=6.55e4, forward_mean=6.55e4)) == []
    assert found(rows(forward_rms=6.6e4, forward_mean=6.6e4)) == [("overflow", "fc")]


def test_what_has_overflowed_already_is_told_once():
    assert beyond_range(rows(forward_rms=1e6, bad=0.5)) == []


def test_gradients_that_overflow_are_told_with_the_scale_of_the_loss_that_helps():
    (mark,) = beyond_range(rows(gradient_rms=1e5))
    assert mark.reason.endswith("; scale the loss by 2^-4")
    assert 1e5 * 2**-4 * 6 <= 65504 < 1e5 * 2**-3 * 6


def test_without_a_loss_the_gradients_scale_is_free():
    assert beyond_range(rows(gradient_rms=1e6), free=True) == []
    assert underflow(rows(gradient_rms=1e-6), free=True) == []
    assert len(underflow(rows(gradient_rms=1e-6), free=False)) == 1


def test_without_a_loss_gradients_further_apart_than_the_format_are_found():
    given = rows(gradient_rms=1e-9)
    (mark,) = underflow(given, free=True)
    # 'first' and 'last' have rms 1 and 6 sigma of room: 2^13
    assert mark.reason == (
        f"the gradient at its output has rms {1e-9 * 2**13:.2g}, below float16's smallest normal number "
        "6.1e-05; that is with the loss scaled as far as 'first' lets it"
    )


def test_gradients_below_the_smallest_number_are_told_with_the_scale_that_lifts_them():
    (mark,) = underflow(rows(gradient_rms=3e-9))
    assert mark.reason == (
        "the gradient at its output has rms 3e-09, 20 times below float16's smallest number 6e-08: "
        "100% of its values become zero; no one scale of the loss fits it and 'first' (rms 1)"
    )
    small = [replace(row, gradient_rms=row.gradient_rms * 1e-3) for row in rows(gradient_rms=3e-6)]
    (mark,) = underflow(small)
    assert mark.reason.endswith("100% of its values become zero; scale the loss by 2^15")
    assert 3e-9 * 2**15 > 2**-14 > 3e-9 * 2**14


def test_gains_whose_noise_the_format_cannot_hold_are_found():
    # below 1 bfloat16 has 1 - 2⁻⁸: half of that distance
    limit = 2.0**-9
    for std, expected in ((limit * 1.01, []), (limit * 0.99, [("rounded", "fc")])):
        assert found(rows("bfloat16", weight_rms=math.hypot(1, std), weight_std=std)) == expected
    assert found(rows("float16", weight_rms=math.hypot(1, 1e-3), weight_std=1e-3)) == []


def test_stds_below_the_smallest_number_are_found():
    (mark,) = rounded(rows(weight_rms=1e-8, weight_std=1e-8))
    assert mark.reason == (
        "its weight has std 1e-08 around 0, and float16 tells numbers apart by 6e-08: "
        "100% of them become the same"
    )
    assert found(rows("bfloat16", weight_rms=1e-8, weight_std=1e-8)) == []


def test_constants_are_not_rounded():
    assert rounded(rows(weight_rms=1.0, weight_std=0.0)) == []


def test_unknown_formats_are_not_judged():
    given = [replace(ROW, dtype="float4", weight_dtype="float4", forward_rms=1e30)]
    assert beyond_range(given) + rounded(given) == []
    assert isinstance(FORMATS["float16"], Format)


# real models


def noisy_gain(std):
    def make():
        norm = nn.LayerNorm(64)
        nn.init.normal_(norm.weight, 1.0, std)
        return nn.Sequential(nn.Linear(64, 64), norm, nn.Linear(64, 8))

    return make


def test_a_predicted_model_tells_gains_that_bfloat16_would_lose():
    signals = initwise.check(noisy_gain(1e-3), "f32[8,64]", mode="predict", dtype="bf16")
    assert [(f.verdict, f.layer) for f in signals.findings] == [("rounded", "1")]
    assert "precision is judged as if all were bfloat16" in signals.note
    assert initwise.check(noisy_gain(1e-3), "f32[8,64]", mode="predict").healthy
    assert initwise.check(noisy_gain(1e-2), "f32[8,64]", mode="predict", dtype="bf16").healthy


def large(scale=300.0):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 8))
    for layer in model:
        nn.init.normal_(layer.weight, std=scale / 8)
    return model


@pytest.mark.parametrize("mode", ["measure", "predict"])
def test_what_would_overflow_in_float16_is_found_in_float32(mode):
    model = large()
    assert "overflow" not in [f.verdict for f in initwise.check(model, "f32[8,64]", mode=mode).findings]
    finding = initwise.check(model, "f32[8,64]", mode=mode, dtype=torch.float16).findings[0]
    assert (finding.verdict, finding.layer) == ("overflow", "1")
    # and so it is
    x = torch.randn(8, 64).half()
    assert model[:1].half()(x).isfinite().all()
    assert not model[:2].half()(x).isfinite().all()


class Block(nn.Module):
    """Llama's, in small: RMSNorm, causal attention, SwiGLU."""

    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.gate, self.up = (nn.Linear(width, 3 * width, bias=False) for _ in range(2))
        self.down = nn.Linear(3 * width, width, bias=False)

    def forward(self, x):
        q, k, v = (p.unflatten(-1, (4, -1)).transpose(1, 2) for p in self.qkv(self.norm1(x)).chunk(3, -1))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        h = self.norm2(x)
        return x + self.down(nn.functional.silu(self.gate(h)) * self.up(h))


def llama(width=128, depth=4):
    model = nn.Sequential(
        nn.Embedding(512, width),
        *(Block(width) for _ in range(depth)),
        nn.RMSNorm(width),
        nn.Linear(width, 512, bias=False),
    )
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.02)
    return model


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("mode", ["measure", "predict"])
def test_a_healthy_llama_in_half_precision_raises_no_alarm(mode, dtype):
    torch.manual_seed(0)
    model = llama().to(getattr(torch, dtype))
    signals = initwise.check(model, "i64[4,32]<512", mode=mode)
    assert signals.healthy, signals.findings
    assert initwise.check(llama, "i64[4,32]<512", mode="predict", dtype=dtype).healthy


def test_a_mean_loss_in_float16_underflows_without_a_scale_and_only_there():
    def loss(logits):
        return (
            nn.functional.cross_entropy(logits.flatten(0, 1).float(), torch.zeros(64, dtype=torch.long)) / 64
        )

    torch.manual_seed(0)
    model = llama()
    (finding,) = initwise.check(model, "i64[2,32]<512", loss=loss, dtype="fp16").findings
    assert finding.verdict == "underflow"
    scale = 2.0 ** int(finding.reason.rpartition("2^")[2])
    again = initwise.check(model, "i64[2,32]<512", loss=lambda out: scale * loss(out), dtype="fp16")
    assert again.healthy, again.findings
    assert initwise.check(model, "i64[2,32]<512", loss=loss, dtype="bf16").healthy
