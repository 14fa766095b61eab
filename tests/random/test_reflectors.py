"""Small orthogonal matrices are made without BLAS; both ways make the same matrix."""

from __future__ import annotations

import numpy as np
import pytest

from initwise.core.stream import Stream
from initwise.random import orthogonal


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (7, 3), (3, 7), (64, 64), (300, 100), (260, 258)])
def test_one_by_one_and_in_panels_agree(rows, columns, monkeypatch):
    monkeypatch.setattr(orthogonal, "SMALL", 2**40)
    singly = orthogonal.haar(rows, columns, Stream(0, "w"))
    monkeypatch.setattr(orthogonal, "SMALL", 0)
    panels = orthogonal.haar(rows, columns, Stream(0, "w"))
    assert np.abs(singly - panels).max() < 1e-12
    inner = singly.T @ singly if rows >= columns else singly @ singly.T
    assert np.abs(inner - np.eye(min(rows, columns))).max() < 1e-13
