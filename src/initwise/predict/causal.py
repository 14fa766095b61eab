"""Causal: attention's causal mask, made once for all layers of one shape where torch makes one for each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from .rules.masks import KEEP

_NAMES = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")


class Causal(TorchFunctionMode):
    """While it is active, causal attention is given its mask: zeros, and −∞ above the diagonal."""

    def __init__(self) -> None:
        super().__init__()
        self._masks: dict[tuple[int, int, torch.dtype], Tensor] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is not scaled_dot_product_attention:
            return func(*args, **kwargs)
        given = {**dict(zip(_NAMES, args, strict=False)), **kwargs}
        if given.get("is_causal") and given.get("attn_mask") is None and _plain(given):
            given |= {"is_causal": False, "attn_mask": self._mask(given["query"], given["key"])}
        return func(**given)

    def _mask(self, query: Tensor, key: Tensor) -> Tensor:
        place = (query.shape[-2], key.shape[-2], query.dtype)
        if place not in self._masks:
            keep = torch.ones(place[:2], dtype=torch.bool, device="cpu").tril()
            mask = torch.zeros(place[:2], dtype=query.dtype, device="cpu").masked_fill_(~keep, -torch.inf)
            setattr(mask, KEEP, keep)
            self._masks[place] = mask
        return self._masks[place]


def _plain(given: dict[str, Any]) -> bool:
    """Are queries and keys tensors of which torch would make that mask?"""
    return all(
        isinstance(x, Tensor) and x.dim() > 1 and not x.is_nested and x.device.type == "cpu"
        for x in (given.get("query"), given.get("key"))
    )
