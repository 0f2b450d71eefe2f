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
    """

    model: Any
    dataset: Any
    x: Any
    labels: list
    positive: Any
    rows: Any
    chosen: str


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
    from minibn.data import Scaler, load
    from minibn.errors import CheckpointError
    from minibn.train import load_model

    model, about = load_model(checkpoint)
    if "settings" not in about:
        raise CheckpointError(
            f"{checkpoint} does not say how its data were scaled; use a model written by minibn train"
        )
    settings = about["settings"]
    dataset = load(
        data or settings["data"],
        target=target or about["target"] if _has_columns(data or settings["data"]) else None,
        seed=settings["seed"],
        feature_names=about["feature_names"],
        labels=about["labels"],
        require_target=require_target,
    )
    same = dataset.y is not None and dataset.digest == about["data_digest"]
    dataset = dataset.drop_duplicates() if same and settings["drop_duplicates"] else dataset
    rows, chosen = _rows(checkpoint, dataset, same, all_rows)
    x = Scaler.from_dict(about["scaler"]).transform(dataset.x[rows])
    return Saved(model, dataset, x, about["labels"], about["positive"], rows, chosen)


def _has_columns(data):
    return Path(data).suffix.lower() in (".csv", ".parquet")


def _rows(checkpoint, dataset, same, all_rows):
    from minibn.train.checkpoint import TRAINING_FILE, load_split

    folder = Path(checkpoint) if Path(checkpoint).is_dir() else Path(checkpoint).parent
    if same and not all_rows and (folder / TRAINING_FILE).exists():
        rows = load_split(folder)["validation"]
        return rows, f"the {len(rows)} validation rows stored with the run; --all-rows takes all"
    trained = (
        ", those it was trained on among them" if same else "; not the data of the run as it was trained"
    )
    return np.arange(len(dataset.x)), f"all {len(dataset.x)} rows{trained}"
