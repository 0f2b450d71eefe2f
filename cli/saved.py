"""A trained model together with the rows it is asked about."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Saved:
    """A model from a checkpoint, with data scaled as in its training.

    Attributes
    ----------
    model : Sequential
    dataset : Dataset
        Labels coded as in training.
    x : ndarray of float32, shape (N, C)
        Scaled.
    labels : list
    positive : object or None
    rows : ndarray of int64
        Rows of the dataset that are meant.
    chosen : str
        Which rows these are, in words.
    threshold : dict or None
        What a search on the validation rows found and stored.
    trained_with : bool
        Whether the rows are those of the run, on which the threshold was chosen.
    scaler : Scaler
    """

    model: Any
    dataset: Any
    x: Any
    labels: list
    positive: Any
    rows: Any
    chosen: str
    threshold: dict | None
    trained_with: bool
    scaler: Any

    def scaled(self, rows):
        """Return some rows of the dataset as the network sees them."""
        from minibn.train.experiment import scaled

        return scaled(self.scaler, self.dataset, rows)


def open_saved(checkpoint, data, target=None, all_rows=True, require_target=True):
    """Load a checkpoint and data, match columns by name, scale, and choose rows.

    Parameters
    ----------
    checkpoint : path
        Run folder or model file.
    data : str or None
        Data to load; those of the run where None.
    target : str, optional
    all_rows : bool
        False: on the data of the run, only its stored validation rows.
    require_target : bool

    Returns
    -------
    Saved

    Raises
    ------
    MinibnError
    """
    from minibn.data import Scaler
    from minibn.errors import CheckpointError
    from minibn.train import load_model
    from minibn.train.experiment import scaled

    from .no_model import refuse_without_model

    _refuse_comparison(checkpoint)
    refuse_without_model(checkpoint)
    model, about = load_model(checkpoint)
    if "settings" not in about:
        raise CheckpointError(
            f"{checkpoint} does not say how its data were scaled; use a model written by minibn train"
        )
    settings = about["settings"]
    dataset = _data(data, target, about, require_target)
    same = dataset.y is not None and dataset.digest == about["data_digest"]
    dataset = dataset.drop_duplicates() if same and settings["drop_duplicates"] else dataset
    rows, chosen = _rows(checkpoint, dataset, about, same, all_rows)
    scaler = Scaler.from_dict(about["scaler"])
    x = scaled(scaler, dataset, rows)
    return Saved(
        model, dataset, x, about["labels"], about["positive"], rows, chosen, about.get("threshold"), same, scaler
    )  # fmt: skip


def _data(data, target, about, require_target):
    from minibn.data import load
    from minibn.errors import DataError

    stored = about["settings"]["data"]
    if data is None and Path(stored).suffix and not Path(stored).exists():
        raise DataError(f"the data of this run are no longer at {stored}; pass --data with their new place")
    source = data or stored
    return load(
        source,
        target=target or about["target"] if _has_columns(source) else None,
        seed=about["settings"]["seed"],
        feature_names=about["feature_names"],
        labels=about["labels"],
        require_target=require_target,
    )


def _refuse_comparison(checkpoint):
    from minibn.errors import CheckpointError
    from minibn.train.checkpoint import MODEL_FILE

    from .runs import ARM_FOLDERS, is_comparison

    folder = Path(checkpoint)
    if (folder / MODEL_FILE).exists() or not is_comparison(folder):
        return
    arms = [str(folder / arm) for arm in ARM_FOLDERS if (folder / arm / MODEL_FILE).exists()]
    remedy = (
        f"pass {' or '.join(arms)}" if arms else "neither arm completed an epoch; run minibn compare again"
    )
    raise CheckpointError(f"{checkpoint} holds a comparison; {remedy}")


def _has_columns(data):
    return Path(data).suffix.lower() in (".csv", ".parquet")


def _rows(checkpoint, dataset, about, same, all_rows):
    from .tables import counted

    folder = Path(checkpoint) if Path(checkpoint).is_dir() else Path(checkpoint).parent
    if same and not all_rows:
        parts = stored_parts(folder, about)
        if parts is not None:
            rows = parts["validation"]
            return (
                rows,
                f"the {counted(len(rows), 'validation row')} stored with the run; --all-rows takes all",
            )
    trained = (
        ", those it was trained on among them" if same else "; not the data of the run as it was trained"
    )
    return np.arange(len(dataset.x)), f"all {counted(len(dataset.x), 'row')}{trained}"


def stored_parts(folder, about):
    """Return the rows of each part that are stored beside a model, None where there are none."""
    from minibn.errors import CheckpointError
    from minibn.train.checkpoint import TRAINING_FILE, load_split, split_digest

    if not (folder / TRAINING_FILE).exists():
        return None
    parts = load_split(folder)
    if split_digest(parts) != about.get("split_digest", split_digest(parts)):  # early versions stored none
        raise CheckpointError(
            f"{folder / TRAINING_FILE} belongs to another run than the model beside it; restore it, or pass --all-rows"
        )
    return parts
