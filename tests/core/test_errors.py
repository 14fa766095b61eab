"""The text of an error: few names of many, the nearest first found, and names that are easily mistaken."""

import pytest

from initwise.core.errors import MOST_LISTED, NEAREST, InitwiseError, UnknownNameError
from initwise.recipes import recipe
from initwise.schemes import registry, scheme, schemes


def known_line(error):
    return next(line.strip() for line in str(error).splitlines() if line.strip().startswith("Known:"))


def test_few_legal_values_are_all_listed_sorted():
    names = [f"name{index:02}" for index in reversed(range(MOST_LISTED))]
    error = InitwiseError("got", legal=names, given="name03")
    assert known_line(error) == f"Known: {', '.join(sorted(names))}."
    assert error.legal == tuple(sorted(names))


def test_of_many_the_nearest_are_listed_sorted_and_how_to_list_them_all():
    with pytest.raises(UnknownNameError) as caught:
        scheme("he_norml")
    line, count = known_line(caught.value), len(registry.names())
    assert str(caught.value).splitlines()[1].strip() == "Did you mean 'he_normal'?"
    shown = line.removeprefix("Known: ").partition(" … ")[0].split(", ")
    assert shown == sorted(shown)
    assert len(shown) == NEAREST
    assert {"he_normal", "normal"} <= set(shown)
    assert line.endswith(f" … and {count - NEAREST} more: initwise list schemes.")
    assert len(str(caught.value)) < 400
    assert caught.value.legal == registry.names()


def test_a_recipe_says_where_recipes_are_listed():
    with pytest.raises(UnknownNameError, match="more: initwise list recipes"):
        recipe("gptt2")


@pytest.mark.parametrize("name", ["ZerO", "Zero", "ZERO"])
def test_zero_in_other_letters_might_be_either_and_is_refused(name):
    with pytest.raises(UnknownNameError) as caught:
        scheme(name)
    assert str(caught.value) == (
        f"no scheme is called {name!r}.\n"
        '  Two are written like this: "zero_hadamard", the ZerO of Zhao et al. 2021, '
        'and "zeros", the number 0.'
    )


def test_no_two_schemes_differ_by_case_alone():
    names = [name for row in schemes() for name in (row.name, *row.aliases)]
    assert len({name.lower() for name in names}) == len(names)
    assert scheme("zero").name == "zeros"


@pytest.mark.parametrize("name", [None, 3, ["he_normal"], ("a",), {}])
def test_what_is_no_name_is_an_unknown_name(name):
    with pytest.raises(UnknownNameError, match="no scheme is called"):
        scheme(name)
