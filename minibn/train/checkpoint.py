"""Checkpoints: the model for use, and the training state for resuming."""

import contextlib
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minibn.errors import CheckpointError
from minibn.nn import Sequential
from minibn.train import files
from minibn.train.history import EpochRecord, History

MODEL_FILE, TRAINING_FILE = "model.safetensors", "training.safetensors"

CONVENTIONS = {
    "dense_weight": "(out, in)",
    "batch_norm_momentum": "weighs the new value",
    "normalising_variance": "biased",
}


@dataclass(frozen=True)
class Checkpoint:
    """Where a run saves itself after every epoch, and what it says about its data.

    Attributes
    ----------
    folder : path
        Made where it does not exist.
    description : dict
        JSON-able: feature names, class labels, scaler. Kept with the model.
    split : dict of str to ndarray of int64
        Row indices of the parts, e.g. ``{"train": ..., "validation": ...}``. Kept with the training state.
    """

    folder: Any
    description: dict = field(default_factory=dict)
    split: dict = field(default_factory=dict)

    def model_path(self):
        """Return the path of the model's file."""
        return Path(self.folder) / MODEL_FILE

    def training_path(self):
        """Return the path of the training state's file."""
        return Path(self.folder) / TRAINING_FILE


def save_model(path, model, description=None):
    """Write a model: parameters and running statistics as ``torch.nn.Sequential`` stores them.

    Parameters
    ----------
    path : path
        File to write.
    model : minibn.nn.Sequential
    description : dict, optional
        JSON-able facts to keep beside the architecture: feature names, class labels, scaler.

    Raises
    ------
    WriteError
        When the folder is missing, or cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from minibn.nn import mlp
    >>> from minibn.train import load_model, save_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.safetensors"
    ...     save_model(path, mlp([4, 3], rng=0), {"labels": ["a", "b", "c"]})
    ...     model, description = load_model(path)
    >>> description["labels"]
    ['a', 'b', 'c']
    """
    _write_model(path, model, model.state_dict(), description)


def _write_model(path, model, state, description):
    metadata = {
        "format": "minibn",
        "format_version": 1,
        "architecture": model.config(),
        "dtype": str(model.dtype),
        "conventions": CONVENTIONS,
        "description": description or {},
    }
    files.write(path, state, metadata)


def load_model(path):
    """Read a model.

    Parameters
    ----------
    path : path
        Run folder or model file.

    Returns
    -------
    model : minibn.nn.Sequential
        In evaluation mode.
    description : dict
        What :func:`save_model` was given.

    Raises
    ------
    CheckpointError
        When the file is missing, damaged or foreign.
    """
    path = Path(path)
    path = path / MODEL_FILE if path.is_dir() else path
    state, metadata = files.read(path)
    if "architecture" not in metadata:
        raise CheckpointError(f"{path} holds no model; pass a run folder or its {MODEL_FILE}")
    with _damage_named(path):
        _check_claim(metadata["architecture"], state)
        model = Sequential.from_config(metadata["architecture"], np.dtype(metadata["dtype"]))
        model.load_state_dict(state)
        return model.eval(), metadata["description"]


def _check_claim(architecture, state):
    """Refuse an architecture larger than what the file holds, before anything of that size is allocated."""
    sizes = [
        layer.get("in_features", 0) * layer.get("out_features", 0) + layer.get("features", 0)
        for layer in architecture["layers"]
    ]
    stored = sum(array.size for array in state.values())
    if sum(sizes) > stored:
        raise CheckpointError(f"the architecture needs {sum(sizes)} numbers, the file holds {stored}")


@contextlib.contextmanager
def _damage_named(path):
    """Turn whatever a malformed file makes of the reading code into a CheckpointError."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, MemoryError) as error:
        raise CheckpointError(
            f"{path} is damaged ({type(error).__name__}: {error}); use an intact copy"
        ) from error


def save_run(checkpoint, model, optimizer, records, stopping, options):
    """Write both files of a run folder, each atomically; the training state alone is enough to resume."""
    files.make_folder(checkpoint.folder)
    arrays = {f"model.{name}": array for name, array in model.state_dict().items()}
    for slot, state in optimizer.state.items():
        arrays |= {f"optimizer.{slot}.{name}": array for name, array in state.items()}
    arrays |= {f"split.{part}": rows for part, rows in checkpoint.split.items()}
    best = stopping.best_state if stopping else None
    arrays |= {f"best.{name}": array for name, array in (best or {}).items()}
    metadata = {
        "format": "minibn",
        "format_version": 1,
        "epoch": len(records),
        "history": [record.to_dict() for record in records],
        "options": options,
        # Every epoch draws its order from (seed, epoch), so these two numbers are the whole random state.
        "random_state": {"seed": options["seed"], "epoch": len(records)},
        "optimizer_steps": optimizer.steps,
        "skipped": [getattr(layer, "num_batches_skipped", 0) for layer in model.layers],
        "early_stopping": stopping
        and {"best_loss": stopping.best_loss, "best_epoch": stopping.best_epoch, "waited": stopping.waited},
    }
    files.write(checkpoint.training_path(), arrays, metadata)
    _write_model(checkpoint.model_path(), model, best or model.state_dict(), checkpoint.description)


def _part(arrays, prefix):
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def load_split(folder):
    """Return the row indices that a run folder stores, by part."""
    return _part(_read_training(folder)[0], "split.")


def split_digest(parts):
    """Return the SHA-256 of row indices by part, which ties a model to the rows that it was trained on."""
    digest = hashlib.sha256()
    for name, rows in sorted(parts.items()):
        digest.update(f"{name}:{len(rows)}:".encode())
        digest.update(np.ascontiguousarray(rows, dtype=np.int64))
    return digest.hexdigest()


def load_history(folder):
    """Return the epochs that a run folder stores, as a History."""
    metadata = _read_training(folder)[1]
    with _damage_named(Path(folder) / TRAINING_FILE):
        return History(_records(metadata))


def _read_training(folder):
    path = Path(folder) / TRAINING_FILE
    arrays, metadata = files.read(path)
    if "history" not in metadata:
        raise CheckpointError(f"{path} holds no training state; pass a run folder of minibn train")
    return arrays, metadata


def _records(metadata):
    return tuple(EpochRecord(**record) for record in metadata["history"])


def load_run(folder, model, optimizer, stopping, options):
    """Put a saved training state into a model, an optimizer and early stopping.

    Returns
    -------
    list of EpochRecord

    Raises
    ------
    CheckpointError
        When the folder holds no training state, or was trained with other options.
    """
    arrays, metadata = _read_training(folder)
    with _damage_named(Path(folder) / TRAINING_FILE):
        _check_options(metadata["options"], options)
        return _restore(arrays, metadata, model, optimizer, stopping)


def _check_options(stored, options):
    for name, value in options.items():
        if stored.get(name) != value:
            raise CheckpointError(
                f"resume needs the same {name} as the saved run: it was {stored.get(name)}, got {value}"
            )


def _restore(arrays, metadata, model, optimizer, stopping):
    records = list(_records(metadata))
    model.load_state_dict(_part(arrays, "model."))
    for layer, skipped in zip(model.layers, metadata["skipped"], strict=True):
        if skipped:
            layer.num_batches_skipped = skipped
    optimizer.steps = metadata["optimizer_steps"]
    optimizer.state = {slot: _part(arrays, f"optimizer.{slot}.") for slot in optimizer.slots}
    if stopping:
        for name, value in metadata["early_stopping"].items():
            setattr(stopping, name, value)
        stopping.best_state = _part(arrays, "best.")
    return records
