"""Schemes: named laws, each a row with its formula, paper, known answers and differences.

The general functions are the API, the names are sugar: `scheme("he_normal")` is
`variance_scaling(scale=2)`.
"""

from .base import Known, Option, Scheme, SchemeRow, registry, scheme, schemes
from .flavors import Flavor
from .given import Data, Given
from .needs import NEEDS, Site

__all__ = [
    "NEEDS",
    "Data",
    "Flavor",
    "Given",
    "Known",
    "Option",
    "Scheme",
    "SchemeRow",
    "Site",
    "registry",
    "scheme",
    "schemes",
]
