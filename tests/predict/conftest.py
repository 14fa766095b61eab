"""Makes this directory's helper modules importable (importlib mode adds nothing to the path)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from initwise.predict import kin

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """Small tensors: more threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def a_family_of_its_own() -> Iterator[None]:
    """Rules that a test calls outside a prediction leave nothing for the tests behind it."""
    with kin.followed():
        yield
