"""Relatives and their years."""

from __future__ import annotations

import pytest

from initwise.explain import explain
from initwise.explain.relatives import history, related, year
from initwise.schemes import registry, schemes


@pytest.mark.parametrize(
    ("citation", "found"),
    [
        ("He, Zhang, Ren, Sun 2015, Delving Deep, arXiv:1502.01852, eq. 10", 2015),
        ("Gers 2000; Jozefowicz 2015", 2000),
        ("torch.nn.init, arXiv:2002.10444", None),
        ("DOI 10.1109/5.2015.1998", None),
        ("bmild/nerf", None),
    ],
)
def test_a_number_is_a_year_only_where_a_year_stands(citation, found):
    assert year(citation) == found


def test_relatives_stand_by_their_years():
    row = registry["he_normal"]
    told = history(row, related(row))
    assert told[0].startswith("1998 lecun_normal")
    assert "2015 he_fan_out, he_normal, he_uniform" in told
    assert told == tuple(sorted(told))


@pytest.mark.parametrize("row", schemes(), ids=lambda row: row.name)
def test_every_relative_is_a_scheme_and_not_itself(row):
    names = explain(row.name).see
    assert row.name not in names
    assert set(names) <= {other.name for other in schemes()}


def test_a_row_that_names_none_has_those_of_its_file():
    from dataclasses import replace

    row = replace(registry["he_fan_out"], see=())
    assert set(related(row)) == {"he_normal", "he_uniform"}
