"""A filled model → DIR/model.safetensors and DIR/ledger.json: both whole, or neither."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..core.errors import MissingError, OptionError
from ..core.records import Ledger
from ..frameworks.numpy import ArrayTree

WEIGHTS, LEDGER = "model.safetensors", "ledger.json"


def refuse_to_overwrite(directory: Path, force: bool) -> None:
    """Raise OptionError if one of the files is there already and may not be replaced."""
    there = [name for name in (WEIGHTS, LEDGER) if (directory / name).exists()]
    if there and not force:
        raise OptionError(
            f"{' and '.join(there)} are there already" if there[1:] else f"{there[0]} is there already",
            where=f"--out {directory}",
            fix="Name another directory, or overwrite with --force.",
        )


def save(model: Any, ledger: Ledger, directory: Path) -> None:
    """Write both files beside their places and move them there when both are complete.

    Raises:
        MissingError: safetensors is not installed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    fresh = {name: directory / f".{name}.{os.getpid()}" for name in (WEIGHTS, LEDGER)}
    try:
        _save_weights(model, fresh[WEIGHTS])
        fresh[LEDGER].write_text(ledger.to_json(indent=2) + "\n", encoding="utf-8")
        # safetensors writes for the owner only; readable like the ledger is what a user expects
        fresh[WEIGHTS].chmod(fresh[LEDGER].stat().st_mode)
        for name, path in fresh.items():
            os.replace(path, directory / name)
    finally:
        for path in fresh.values():
            path.unlink(missing_ok=True)


def _save_weights(model: Any, path: Path) -> None:
    try:
        import safetensors.numpy
        import safetensors.torch
    except ImportError as error:
        raise MissingError(
            f"{error.name or 'safetensors'} is not installed",
            where="initwise init",
            fix='Install it: pip install "initwise[torch]".',
        ) from error
    if isinstance(model, ArrayTree):
        safetensors.numpy.save_file(model.named(), path)
    else:
        safetensors.torch.save_model(model, str(path))
