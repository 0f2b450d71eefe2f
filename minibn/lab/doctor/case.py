"""What the doctor is told: a model, and whatever rows and records there are."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minibn.errors import ArgumentError, DtypeError
from minibn.functional import checks
from minibn.nn import BatchNorm
from minibn.train import Experiment, arguments


@dataclass(frozen=True, eq=False)
class Case:
    """A model with the pieces that are known of its training. Everything but the model may be None.

    Attributes
    ----------
    model : minibn.nn.Sequential
        As it was handed over; never changed.
    x, x_train : ndarray, shape (N, C)
        The rows to judge, and the rows of the training, both as the network sees them.
    y, y_train : ndarray of int64, shape (N,)
    history : tuple of EpochRecord
        Empty for a run that failed in its first epoch.
    failed : dict
        Epoch, step and layer where the loss stopped being finite.
    batch_size : int
    class_weight : str, sequence or mapping
        Of the training's loss, as :func:`minibn.train.fit` takes it.
    labels : tuple
        Names of the classes.
    positive : object
        Of two classes, the one that ``threshold`` is for; the second where None.
    threshold : float
        Least probability of the positive class; the more probable one counts where None.
    shift : float
        What the scaler adds to every value.
    predict : callable
        The user's own ``predict(model, x)``, class indices.
    """

    model: Any
    x: Any = None
    y: Any = None
    x_train: Any = None
    y_train: Any = None
    history: Any = None
    failed: Any = None
    batch_size: Any = None
    class_weight: Any = None
    labels: Any = None
    positive: Any = None
    threshold: Any = None
    shift: float = 0.0
    predict: Any = None

    @property
    def norms(self):
        """Position and layer of every batch norm that is not frozen."""
        return [
            (f"{i}.{type(layer).__name__}", layer)
            for i, layer in enumerate(self.model.layers)
            if isinstance(layer, BatchNorm) and not layer.frozen
        ]

    def label(self, k):
        """Return the name of a class."""
        return str(self.labels[k]) if self.labels is not None else str(k)


def make_case(model, data, train, **known):
    """Check what was handed over and return a Case; see :func:`minibn.lab.doctor`."""
    model = arguments.network(model)
    if isinstance(data, Experiment):
        data, train, known = _from_experiment(data, train, known)
    x, y = _part("data", data, model)
    x_train, y_train = _part("train", train, model)
    history = known.pop("history")
    history = None if history is None else tuple(history)
    if known["batch_size"] is not None:
        checks.whole("batch_size", known["batch_size"], 1)
    if known["predict"] is not None and not callable(known["predict"]):
        raise DtypeError(f"predict must be a function (model, x), got {known['predict']!r}; leave it out")
    return Case(model, x, y, x_train, y_train, history, **known)


def _from_experiment(experiment, train, known):
    own = {
        "batch_size": experiment.settings.batch_size,
        "class_weight": experiment.settings.class_weight,
        "labels": experiment.dataset.labels,
        "positive": experiment.positive,
        "shift": experiment.settings.shift_inputs,
    }
    known = known | {name: value for name, value in own.items() if not known[name]}
    train = (experiment.x_train, experiment.y_train) if train is None else train
    return (experiment.x_validation, experiment.y_validation), train, known


def _part(name, given, model):
    """Return features and labels from a pair, from features alone, or from None."""
    if given is None:
        return None, None
    x, y = given if isinstance(given, tuple | list) and len(given) == 2 else (given, None)
    x = arguments.features(f"{name} x", x, model.dtype)
    if x.shape[1] != model.in_features:
        raise ArgumentError(
            f"{name}: expected {model.in_features} features, as the network takes, got {x.shape[1]}; "
            "pass the rows as the network sees them"
        )
    return x, None if y is None else checks.labels(f"{name} y", np.asarray(y), len(x), model.out_features)
