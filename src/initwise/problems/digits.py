"""scikit-learn's handwritten digits, and what the problems made of them share.

1,797 images of 8 × 8 pixels in ten classes (E. Alpaydin and C. Kaynak, "Optical Recognition of
Handwritten Digits", UCI Machine Learning Repository, 1998). Nothing is downloaded: the images
come with scikit-learn.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.errors import MissingError
from ..core.problem import Problem

VALIDATION_IMAGES = 297
BATCH = 50
PIP = 'pip install "initwise[demo]"'


def digits_problem(name: str, model: Callable[[], Any], *, images: bool, steps: int = 300) -> Problem:
    """The digits with `model`, cross-entropy and Adam.

    Args:
        images: batches of shape (50, 1, 8, 8) if True, else (50, 64).
        steps: full length of a training; 30 batches are one pass over the data.
    """
    torch = required("torch", "PyTorch")
    pixels, labels = _standardised()
    shape = (-1, 1, 8, 8) if images else (-1, 64)
    inputs, targets = torch.from_numpy(pixels).reshape(shape), torch.from_numpy(labels)
    n = VALIDATION_IMAGES
    return Problem(
        model=model,
        batches=tuple(zip(inputs[n:].split(BATCH), targets[n:].split(BATCH), strict=True)),
        loss=torch.nn.functional.cross_entropy,
        metric=accuracy,
        optimizer="adam",
        steps=steps,
        validation=tuple(zip(inputs[:n].split(99), targets[:n].split(99), strict=True)),
        name=name,
    )


def accuracy(outputs: Any, targets: Any) -> float:
    """Share of `targets` (batch,) that are the largest of `outputs` (batch, classes)."""
    return float((outputs.argmax(-1) == targets).float().mean())


def required(package: str, title: str) -> Any:
    """The package called `package`, imported now. Raises MissingError, with the line that installs it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingError(
            f"{title} is not installed", where="the bundled problems", fix=f"Install it with: {PIP}"
        ) from error


def _standardised() -> tuple[Any, Any]:
    """Pixels (1797, 64) float32 with the training part's mean 0 and std 1; labels (1797,) int64.

    The order is a fixed permutation; the first `VALIDATION_IMAGES` are for validation.
    """
    required("sklearn", "scikit-learn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's own notices are none of the user's business
        datasets = importlib.import_module("sklearn.datasets")
        pixels, labels = datasets.load_digits(return_X_y=True)
    order = np.random.Generator(np.random.PCG64(1998)).permutation(len(labels))
    pixels, labels = pixels[order], labels[order]
    training = pixels[VALIDATION_IMAGES:]
    pixels = (pixels - training.mean()) / training.std()
    return pixels.astype(np.float32), labels.astype(np.int64)
