"""check_scheme: what a scheme says for its users, its numbers' sources, and weights at the edge."""

import dataclasses
import math

import pytest

from initwise.core.errors import FillError
from initwise.core.fill import Fill
from initwise.schemes import Known, Scheme, registry
from initwise.testing import check_scheme

KNOWN = Known((256, 64), "oi", "std", 0.125, source="1/√64")


@pytest.fixture
def told(monkeypatch):
    """What check_scheme says of lecun_normal's row with some fields changed."""

    def check(**fields):
        right = {"known": (KNOWN,), "aliases": (), "flavors": ()}
        row = dataclasses.replace(registry["lecun_normal"], **{**right, **fields})
        monkeypatch.setitem(registry._rows, "lecun_normal", row)
        try:
            check_scheme(row)
        except AssertionError as error:
            return str(error).removeprefix("scheme 'lecun_normal': ")
        return "it conforms"

    return check


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"use": ""}, "use is empty"),
        ({"use": "tanh networks"}, "use does not end with a full stop"),
        ({"suits": ()}, "suits is empty"),
        ({"suits": ("tanh", "mlp"), "unsuited": ("relu", "mlp")}, "it suits and does not suit mlp"),
        ({"see": ("he_norml",)}, "see: no scheme is called 'he_norml'"),
        ({"see": ("kaiming_normal",)}, "see: 'kaiming_normal' is an alias of 'he_normal': use that"),
        ({"see": ("lecun_normal",)}, "see names the scheme itself"),
        (
            {"known": (dataclasses.replace(KNOWN, source=""),)},
            "the known std of (256, 64) has no source: whose is it?",
        ),
    ],
)
def test_a_row_that_no_user_can_go_by_is_told_so(told, fields, text):
    assert told(**fields) == text


def lecun(fans):
    return Fill.normal(0.0, 1 / math.sqrt(fans.fan_in), reason="1/√fan_in")


def test_the_row_as_it_is_passes(told):
    assert told(law=lecun) == "it conforms"


def blind(fans):
    return lecun(dataclasses.replace(fans, fan_in=fans.fan_in or 1.0))


def mute(fans):
    if not fans.fan_in:
        raise FillError("never")
    return lecun(fans)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"law": blind}, "fans of 0 give N(0, 1), not N(0, 0.125): raise a FillError"),
        ({"law": mute}, "for fans of 0 it does not say which is 0: never."),
        (
            {"law": lecun, "elementwise": True},
            "elementwise, and yet fans of 0 matter: scheme 'lecun_normal': fan_in is 0; expected fan_in > 0.",
        ),
    ],
)
def test_fans_of_zero_are_refused_or_do_not_matter(told, fields, text):
    assert told(**fields).startswith(text)


def test_packed_parts_by_the_fans_of_the_whole_are_told(told, monkeypatch):
    def unpacked(self, fans, gain, at=None):
        pieces = [(name, size, self._law(fans, gain, at)) for name, size in fans.layout.parts]
        return Fill.packed(pieces, layout=fans.layout)

    monkeypatch.setattr(Scheme, "_packed", unpacked)
    by_outputs = {"law": lambda fans: Fill.normal(0.0, fans.fan_out**-0.5, reason="r")}
    known = (Known((64, 8), "oi", "std", 0.125, source="1/√64"),)
    assert told(**by_outputs, known=known).startswith("packed parts get [('q', 64, 'N(0, ")
