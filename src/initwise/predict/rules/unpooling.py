"""Values put back where a max pool found them."""

from __future__ import annotations

import math

from .. import maps
from ..axes import start
from ..moments import Moments, flat, uniform
from ..values import Value
from .calling import Call, rule
from .indexing import kept
from .pooling import space


@rule("max_unpool2d", "max_unpool3d")
def max_unpool(call: Call) -> Value:
    """n values at n of N places, zeros elsewhere; which ones is any, channel by channel."""
    x = call.value("self")
    rank = len(x.shape)
    dims = space(call, rank)
    lead = x.shape[: dims[0]]
    moments = maps.reshape(x.moments, (*lead, math.prod(x.shape[d] for d in dims)))
    moments = uniform(flat(moments, len(lead)), len(lead))
    spread_out = _spread(moments, len(lead), math.prod(call.shape[d] for d in dims))
    return kept(maps.reshape(spread_out, call.shape), x)


def _spread(x: Moments, dim: int, places: int) -> Moments:
    """Along `dim` at any of more `places`: both of a pair are there with n(n − 1)/(N(N − 1))."""
    count, place = x.shape[dim], start(x.axes, dim)
    x = maps.resize(x, dim, places)
    second = x.second.copy()
    if not x.axes[dim]:
        return x
    for pattern in range(2):
        part = second[(slice(None),) * place + (pattern,)]
        apart = (count / places) ** 2
        mine = count / places if pattern else count * (count - 1) / (places * (places - 1))
        line = (-1,) * part.ndim  # the same line: all other axes equal
        kept_line = part[line] * mine
        part *= apart
        part[line] = kept_line
    return Moments(x.axes, second, x.mean * count / places)
