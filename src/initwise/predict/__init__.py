"""predict: how signal and gradient will travel, from a plan alone: no weights, no data, no memory.

Moments are carried through the model's own forward and backward, on fake tensors.

running.py      a prediction from beginning to end;  sources.py  what parameters and inputs are
expected.py     the gauge that `signals` reads fake tensors with
interpreter.py  runs operations and keeps what is known of each tensor;  rules/  one function per operation
values.py       what is known of a tensor: sums of products of functions of bases (bases.py)
moments.py      moments per pattern of indices (axes.py);  algebra.py, maps.py  what is done with them
quadrature.py   what a function does to a Gaussian;  lines.py  a convolution along one axis
choices.py      what a mask leaves;  causal.py  the causal one;  grams.py  what keys and values share
roots.py        the tensors a tensor was made from
storages.py     memory that is written in place (writing.py);  sampling.py  what one draw of values decides
faking.py       shapes of results;  substitutes.py  operations run as others;  building.py  constructors
failing.py      what it means when a model cannot run without numbers
"""
