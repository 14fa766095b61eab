"""A filled model → DIR/model.safetensors and DIR/ledger.json: both whole, or neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.errors import MissingError, OptionError
from ..core.records import Ledger
from ..frameworks.numpy import ArrayTree
from .files import refuse_as_directory, replacing, unwritable

WEIGHTS, LEDGER = "model.safetensors", "ledger.json"


def refuse_place(directory: Path, force: bool) -> None:
    """Raise OptionError if the files cannot be written, or are there already and may not be replaced."""
    where = f"--out {directory}"
    refuse_as_directory(directory, where)
    for name in (WEIGHTS, LEDGER):
        if (directory / name).is_dir():
            raise OptionError(f"{name} in it is a directory", where=where, fix="Name another directory.")
    there = [name for name in (WEIGHTS, LEDGER) if (directory / name).exists()]
    if there and not force:
        raise OptionError(
            f"{' and '.join(there)} are there already" if there[1:] else f"{there[0]} is there already",
            where=where,
            fix="Name another directory, or overwrite with --force.",
        )


def save(model: Any, ledger: Ledger, directory: Path) -> None:
    """Write both files beside their places and move them there when both are complete.

    Raises:
        MissingError: safetensors is not installed.
        OptionError: the directory cannot be made or takes no files.
    """
    where = f"--out {directory}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(where, error.strerror or str(error)) from error
    with replacing(directory / WEIGHTS, directory / LEDGER, where=where) as (weights, told):
        _save_weights(model, weights)
        told.write_text(ledger.to_json(indent=2) + "\n", encoding="utf-8")
        # safetensors writes for the owner only; readable like the ledger is what a user expects
        weights.chmod(told.stat().st_mode)


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
    try:
        if isinstance(model, ArrayTree):
            safetensors.numpy.save_file(model.named(), path)
        else:
            safetensors.torch.save_model(model, str(path))
    except safetensors.SafetensorError as error:  # a full disk comes as this, too
        raise OSError(str(error)) from error
