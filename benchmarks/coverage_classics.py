"""The classics of torchvision, timm and others, rebuilt small from their papers."""

from __future__ import annotations

import prediction_models
from coverage_classics_dense import DENSE
from coverage_classics_generative import GENERATIVE
from coverage_classics_mixing import MIXING
from coverage_classics_vision import VISION
from coverage_subjects import Subject

FAMILIES = ("OPT", "Mistral", "Qwen 3", "Gemma 2", "RoBERTa", "DeiT", "ConvNeXt")
"""Of the accuracy benchmark: these the sweep over transformers has."""
MEASURED = {name: model for name, model in prediction_models.MODELS.items() if name not in FAMILIES}

SUBJECTS = tuple(
    Subject(name, "classics", build, example)
    for name, (build, example) in {**VISION, **DENSE, **MIXING, **GENERATIVE, **MEASURED}.items()
)
