"""rules: what each ATen operation does to moments; one small function each, found by the operation's name.

calling.py        what a rule is given, and how it registers
pointwise.py      any elementwise operation, by quadrature;  arithmetic.py  +, −, ×, ÷ with what is shared
contraction.py    matrix products;  convolution.py  convolutions and their gradients
normalisation.py  layer, batch, group and RMS norms;  softmax.py  attention's weights;  masks.py  masks
views.py          reshaping, slicing, joining;  strided.py  views by strides
reduction.py      sums, means;  magnitudes.py  norms, variances
indexing.py       tables, gather;  placing.py  putting by index;  segments.py  reducing by index
bags.py           bags of rows;  blocks.py  blocks of images;  grids.py  images at a grid's places
complex.py        complex numbers by their parts;  spectral.py  Fourier transforms
cumulative.py     running products and extremes, ranks;  counting.py  places among bounds, truths
bounded.py        functions of part of the line, sums that only fall;  distances.py  between rows
separable.py      linear maps along axes, by their own matrix;  pooling.py  pooling, resampling, padding
extremes.py       the largest of several;  unpooling.py  put back;  shares.py  a softmax over few keys
losses.py         losses;  margins.py  margin losses;  decomposed.py  operations by their parts
filling.py        constants, random numbers, dropout;  drawing.py  random numbers of other laws

A new rule is one function in one of these files (or a new file): `@rule("aten name", …)`,
and one case in tests/predict/cases_*.py, without which the conformance test fails.
"""

from __future__ import annotations

import importlib
import pkgutil

from .calling import RULES, Call, Rule, UnpredictedError, rule, rule_for

__all__ = ["RULES", "Call", "Rule", "UnpredictedError", "rule", "rule_for"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
