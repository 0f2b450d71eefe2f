"""A saved run as the doctor wants it: model, rows to judge, training rows, history."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .saved import open_saved, stored_parts


@dataclass(frozen=True, eq=False)
class Patient:
    """What a checkpoint and its run folder tell.

    Attributes
    ----------
    saved : Saved
        Model and rows to judge.
    train : (ndarray, ndarray) or None
        Training rows as the network sees them.
    without_train : str
        Why there are none.
    held_out : bool
        Whether the rows to judge are the validation rows of the run.
    history : History or None
    failed : dict or None
    settings : dict
        Of the training.
    shift : float
        What the scaler adds.
    """

    saved: Any
    train: Any
    without_train: str
    held_out: bool
    history: Any
    failed: Any
    settings: dict
    shift: float

    @property
    def model(self):
        """The model in evaluation mode."""
        return self.saved.model

    @property
    def judged(self):
        """Features and classes of the rows to judge; no classes where the data name none."""
        y = self.saved.dataset.y
        return self.saved.x, None if y is None else y[self.saved.rows]


def open_patient(checkpoint, data, target):
    """Load a checkpoint, the rows to judge, and whatever its folder still has of the training.

    Parameters
    ----------
    checkpoint : path
    data : str or None
        Rows to judge; the validation rows of the run where None.
    target : str or None

    Returns
    -------
    Patient

    Raises
    ------
    MinibnError
    """
    from minibn.train import load_model
    from minibn.train.checkpoint import load_history

    folder = Path(checkpoint) if Path(checkpoint).is_dir() else Path(checkpoint).parent
    saved = open_saved(checkpoint, data, target, all_rows=False, require_target=False)
    about = load_model(checkpoint)[1]
    parts = stored_parts(folder, about)
    train, why = _train(checkpoint, saved, parts)
    history = None if parts is None else load_history(folder)
    held_out = saved.trained_with and parts is not None
    return Patient(
        saved, train, why, held_out, history, _failed(folder), about["settings"], about["scaler"]["shift"]
    )


def _train(checkpoint, saved, parts):
    """Return the training rows, or why there are none."""
    from minibn.errors import DataError

    if parts is None:
        return (
            None,
            f"{checkpoint} has no training state beside it, which would say which rows were trained on",
        )
    try:
        own = saved if saved.trained_with else open_saved(checkpoint, None, None, all_rows=False)
    except DataError as error:
        return None, str(error)
    if not own.trained_with:
        return None, "the data of the run are not those it was trained on any more"
    return (own.scaled(parts["train"]), own.dataset.y[parts["train"]]), ""


def _failed(folder):
    """Return where the loss of the run stopped being finite, None where it did not."""
    import json

    from .runs import METRICS

    try:
        return json.loads((folder / METRICS).read_text()).get("failed")
    except (OSError, ValueError, AttributeError):
        return None
