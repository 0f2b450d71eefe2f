"""The networks that studies train: data as the setup names them, hidden layers as the study needs them."""

import copy
from dataclasses import replace

import numpy as np

from minibn.autograd import no_grad
from minibn.lab.steps import StepTrainer
from minibn.train import SGD, Settings, build, prepare
from minibn.train.batches import batch_bounds


def experiment_of(setup, seed, **settings):
    """Return the data of a setup, cut and scaled for one seed, with a network's settings."""
    return prepare(Settings(data=setup.data, target=setup.target, seed=seed, scale="standard", **settings))


def changed(experiment, **settings):
    """Return the same rows with other settings of the network."""
    return replace(experiment, settings=replace(experiment.settings, **settings))


def trainer_of(experiment, rate, batch_size, momentum=0.0, *, model=None, engine="program"):
    """Return a trainer of an experiment's network, untrained; batches are at most the training part.

    Parameters
    ----------
    experiment : minibn.train.Experiment
    rate, momentum : float
        Of SGD.
    batch_size : int
    model : Sequential, optional
        In place of the experiment's own.
    engine : str

    Returns
    -------
    StepTrainer
    """
    x, y = experiment.x_train, experiment.y_train
    return StepTrainer(
        model or build(experiment), x, y, optimizer=SGD(rate, momentum), batch_size=min(batch_size, len(x)),
        seed=experiment.settings.seed, engine=engine,
    )  # fmt: skip


def described(experiment):
    """Return data and network of an experiment in words, for the conditions of a report."""
    rows = f"{len(experiment.y_train)} training and {len(experiment.y_validation)} validation rows"
    sizes = (experiment.x_train.shape[1], *experiment.settings.hidden, len(experiment.dataset.labels))
    return {
        "data": f"{experiment.dataset.name}, {rows}, standardised",
        "network": f"{' - '.join(map(str, sizes))}, {experiment.settings.activation}",
    }


def predict_by_batch(model, x, batches):
    """Return the class of each row predicted in training mode: with the statistics of its batch.

    Parameters
    ----------
    model : Sequential
        Left as it is.
    x : ndarray, shape (N, C)
    batches : sequence of ndarray of int
        Rows of each batch.

    Returns
    -------
    ndarray of int64, shape (N,)
        -1 for rows in no batch.
    """
    model, predicted = copy.deepcopy(model), np.full(len(x), -1)
    with no_grad():
        for rows in batches:
            predicted[rows] = model(x[rows], training=True).data.argmax(axis=1)
    return predicted


def cut(order, size):
    """Return the rows of each batch of an order; a last single row joins the batch before it."""
    return [order[low:high] for low, high in batch_bounds(len(order), size)]
