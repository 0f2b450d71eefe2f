"""One run from settings to metrics: data, split, scaler, network, training, judgement."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from minibn.data import Dataset, Scaler, load, split
from minibn.data.features import check_fits
from minibn.data.stream import INIT, generator
from minibn.errors import ArgumentError, DataError
from minibn.nn import mlp
from minibn.train.checkpoint import Checkpoint, split_digest
from minibn.train.fit import epochs
from minibn.train.judge import checked_positive
from minibn.train.memory import check_memory
from minibn.train.optimizers import SGD, Adam
from minibn.train.settings import Settings


@dataclass(frozen=True, eq=False)
class Experiment:
    """Data cut and scaled for one run. Both arms of a comparison share one.

    Attributes
    ----------
    settings : Settings
        Resolved.
    dataset : Dataset
        As read, duplicates dropped where the settings say so.
    digest : str
        SHA-256 of the data as read, before duplicates were dropped.
    duplicates : int
        Duplicate rows in the data as read.
    train_rows, validation_rows : ndarray of int64
    scaler : Scaler
        Fitted on the training rows only.
    x_train, x_validation : ndarray of float32
    y_train, y_validation : ndarray of int64
    """

    settings: Settings
    dataset: Dataset
    digest: str
    duplicates: int
    train_rows: np.ndarray
    validation_rows: np.ndarray
    scaler: Scaler
    x_train: np.ndarray
    x_validation: np.ndarray
    y_train: np.ndarray
    y_validation: np.ndarray

    @property
    def positive(self):
        """Label of the positive class as it stands in the data, or None with more than two classes."""
        return checked_positive(self.dataset.labels, self.settings.positive)

    @property
    def majority_baseline(self):
        """Share of the most frequent class among the validation rows."""
        return float(np.bincount(self.y_validation).max() / len(self.y_validation))

    @property
    def stored_settings(self):
        """The settings for a run folder, with the absolute path of a data file."""
        path = Path(self.settings.data)
        return self.settings.to_dict() | ({"data": str(path.resolve())} if path.suffix else {})

    @property
    def description(self):
        """What a checkpoint keeps beside the weights, JSON-able."""
        return {
            "feature_names": list(self.dataset.feature_names),
            "labels": list(self.dataset.labels),
            "target": self.dataset.target,
            "positive": self.positive,
            "scaler": self.scaler.to_dict(),
            "settings": self.stored_settings,
            "data_digest": self.digest,
            "split_digest": split_digest({"train": self.train_rows, "validation": self.validation_rows}),
        }


def prepare(settings, original=None):
    """Read the data, cut off the validation part, and only then fit the scaler.

    Parameters
    ----------
    settings : Settings
    original : Dataset, optional
        What ``load(settings.data)`` returned before, to save reading a file again for another seed.

    Returns
    -------
    Experiment

    Raises
    ------
    MinibnError
        A subclass for every unusable setting or data set.
    """
    settings = settings.resolved()
    if original is None:
        original = load(settings.data, target=settings.target, seed=settings.seed)
    kept, dataset = np.arange(len(original.x)), original
    if settings.drop_duplicates:
        kept, dataset = original.first_rows, _without_duplicates(original)
    if dataset.validation_rows is None:
        train, held = split(dataset.y, settings.val_fraction, settings.seed)
    else:
        train, held = dataset.training_rows, dataset.validation_rows
        settings = replace(settings, val_fraction=None)  # the data bring a part of their own
    x, y, shift = dataset.x, dataset.y, settings.shift_inputs
    standard = settings.scale == "standard"
    scaler = Scaler.fit(x[train], shift) if standard else Scaler.identity(x.shape[1], shift)
    experiment = Experiment(
        settings, dataset, original.digest, original.duplicate_rows, train, held, scaler,
        scaled(scaler, original, kept[train]), scaled(scaler, original, kept[held]), y[train], y[held],
    )  # fmt: skip
    _check_classes(experiment)
    check_memory(_sizes(experiment), max(len(train), len(held)), len(_optimizer(settings).slots))
    return experiment


def _check_classes(experiment):
    """Name an unknown label, or a threshold for more than two classes, now and not after training."""
    _ = experiment.positive
    labels, goal = experiment.dataset.labels, experiment.settings.threshold_for
    if goal is not None and len(labels) != 2:
        raise ArgumentError(
            f"threshold_for: only two classes have a threshold between them, got {len(labels)} classes; leave it out"
        )


def scaled(scaler, dataset, rows):
    """Return some rows of a data set as a network sees them.

    Parameters
    ----------
    scaler : Scaler
    dataset : Dataset
    rows : ndarray of int64, shape (M,)

    Returns
    -------
    ndarray of float32, shape (M, C)

    Raises
    ------
    DataError
        When a value is too large for float32, with its column and row.
    """
    given = dataset.x[rows]
    x = scaler.transform(given)
    check_fits(x, given, dataset.feature_names, lambda row: dataset.place(rows[row]))
    return x


def _without_duplicates(dataset):
    """Drop duplicate rows, and make sure that every class still has two rows to train on."""
    dataset = dataset.drop_duplicates()
    counts = np.bincount(dataset.y[dataset.training_rows], minlength=len(dataset.labels))
    if counts.min() < 2:
        label = dataset.labels[counts.argmin()]
        raise DataError(
            f"class {label!r} has fewer than two training rows that differ; add rows, or keep the duplicates"
        )
    return dataset


def with_arm(experiment, bn):
    """Return the same experiment, on the same rows, with or without batch norm."""
    return replace(experiment, settings=replace(experiment.settings, bn=bn))


def build(experiment):
    """Return the untrained network of an experiment."""
    s = experiment.settings
    return mlp(
        _sizes(experiment),
        bn=s.bn,
        activation=s.activation,
        rng=generator(s.seed, INIT),
        init_scale=s.init_scale,
        bn_momentum=s.bn_momentum,
        bn_eps=s.bn_eps,
    )


def _sizes(experiment):
    return [
        experiment.dataset.x.shape[1],
        *experiment.settings.hidden,
        len(experiment.dataset.labels),
    ]


def optimizer_of(experiment):
    """Return a new optimizer with the settings of an experiment."""
    return _optimizer(experiment.settings)


def run_epochs(
    experiment, model, folder=None, resume=None, callbacks=(), engine="program", early_stopping=None
):
    """Train a network on an experiment, yielding each epoch's record.

    Parameters
    ----------
    experiment : Experiment
    model : minibn.nn.Sequential
    folder : path, optional
        Run folder to save to after every epoch.
    resume : path, optional
        Run folder to continue.
    callbacks : sequence of callable
    engine : str
        See :func:`minibn.train.fit`.
    early_stopping : EarlyStopping, optional
        In place of one made from the settings, for a caller who wants to know the best epoch.

    Yields
    ------
    EpochRecord
    """
    s = experiment.settings
    parts = {"train": experiment.train_rows, "validation": experiment.validation_rows}
    yield from epochs(
        model,
        experiment.x_train,
        experiment.y_train,
        optimizer=_optimizer(s),
        epochs=s.epochs,
        batch_size=s.batch_size,
        validation=(experiment.x_validation, experiment.y_validation),
        class_weight=s.class_weight,
        early_stopping=early_stopping or s.early_stopping,
        seed=s.seed,
        callbacks=callbacks,
        checkpoint=Checkpoint(folder, experiment.description, parts) if folder else None,
        resume=resume,
        engine=engine,
        device=s.device,
    )


def _optimizer(settings):
    if settings.optimizer == "adam":
        return Adam(settings.lr, weight_decay=settings.weight_decay)
    return SGD(settings.lr, settings.momentum, weight_decay=settings.weight_decay)
