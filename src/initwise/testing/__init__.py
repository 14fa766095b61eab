"""Conformance: what a row must do, as one call for a test of your own.

    from initwise.testing import check_scheme

    def test_my_scheme():
        check_scheme(my_row)

The rows that come with initwise pass the same calls. Each raises AssertionError that names the row and
what is wrong with it. No test framework is needed.
"""

from .activations import check_activation
from .layouts import check_layout
from .recipes import check_recipe
from .schemes import check_scheme

__all__ = ["check_activation", "check_layout", "check_recipe", "check_scheme"]
