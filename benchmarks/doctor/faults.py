"""Faults, built by doing what goes wrong: nothing here reads the doctor's rules or thresholds."""

from dataclasses import replace

import numpy as np

from benchmarks.doctor import sets
from benchmarks.doctor.healthy import told
from minibn.autograd import no_grad
from minibn.data import Scaler
from minibn.lab import Outcome, run
from minibn.nn import BatchNorm, Sequential, mlp
from minibn.train import SGD, fit

FAULTS = {}
USUAL = {"lr": 0.1, "hidden": (64,), "epochs": 20}


def fault(name, finding):
    """Register a function from data set, seed and folder to what the doctor is told, with the finding it should make."""

    def register(build):
        FAULTS[name] = (build, finding)
        return build

    return register


def _trained(name, seed, folder, **settings):
    found = sets.experiment(name, seed, folder, **(USUAL | settings))
    return found, run(found)


def _norms(model):
    return [layer for layer in model.layers if isinstance(layer, BatchNorm)]


def _forward(model, x):
    """Send rows through a model in training mode, as a loop without model.eval() does."""
    with no_grad():
        model(x, training=True)


@fault("momentum 0.001", "momentum too slow")
def momentum(name, seed, folder):
    return told(*_trained(name, seed, folder, bn_momentum=0.001, epochs=5))


@fault("statistics of 3 steps", "too few steps")
def three_steps(name, seed, folder):
    found, outcome = _trained(name, seed, folder)
    for layer in _norms(outcome.model):
        layer.running_mean[...], layer.running_var[...], layer.num_batches_tracked[...] = 0, 1, 0
    rows = np.random.default_rng(seed).permutation(len(found.x_train))
    for k in range(3):
        _forward(outcome.model, found.x_train[rows[k * 32 : k * 32 + 32]])
    return told(found, outcome)


@fault("statistics poisoned by NaN", "poisoned statistics")
def nan(name, seed, folder):
    found, outcome = _trained(name, seed, folder)
    layer, batch = _norms(outcome.model)[0], found.x_train[:32].copy()
    batch[seed % 32, seed % batch.shape[1]] = np.nan
    values = batch @ outcome.model.layers[0].weight.data
    # A moving average written by hand, without a look at what enters it.
    layer.running_mean[...] += 0.1 * (values.mean(axis=0) - layer.running_mean)
    layer.running_var[...] += 0.1 * (values.var(axis=0) - layer.running_var)
    return told(found, outcome)


@fault("statistics polluted by one-class batches", "one-class batches")
def one_class(name, seed, folder):
    found, outcome = _trained(name, seed, folder)
    order = np.argsort(found.y_train, kind="stable")
    for start in range(0, len(order), 8):
        _forward(outcome.model, found.x_train[order[start : start + 8]]) if len(order) - start > 1 else None
    return told(found, outcome)


@fault("training mode at evaluation", "training mode")
def training_mode(name, seed, folder):
    found, outcome = _trained(name, seed, folder)
    if seed % 2:
        outcome.model.train()
    else:
        for start in range(0, len(found.x_validation) - 1, 100):
            _forward(outcome.model, found.x_validation[start : start + 100])
    return told(found, outcome)


@fault("batch size 2", "batches too small")
def batch_of_two(name, seed, folder):
    return told(*_trained(name, seed, folder, batch_size=2, epochs=5, lr=0.01))


@fault("drift of one standard deviation", "drift")
def drifted(name, seed, folder):
    found, outcome = _trained(name, seed, folder)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], found.x_train.shape[1])
    moved = (found.x_validation + signs * found.x_train.std(axis=0)).astype(np.float32)
    return told(replace(found, x_validation=moved), outcome)


@fault("duplicates across the split", "duplicates across the split")
def duplicates(name, seed, folder):
    x, y = sets.rows_of(sets.experiment(name, seed, folder))
    again = np.random.default_rng(seed).permutation(len(x))[: max(1, round(0.15 * len(x)))]
    x, y = np.concatenate([x, x[again]]), np.concatenate([y, y[again]])
    found = sets.from_rows(x, y, seed, folder, **USUAL)
    return told(found, run(found))


@fault("scaler fitted on all rows", "scaler fitted on all rows")
def scaler(name, seed, folder):
    found = sets.experiment(name, seed, folder, **USUAL)
    found = sets.with_scaler(found, Scaler.fit(found.dataset.x))
    return told(found, run(found))


@fault("majority prediction", "no better than the majority")
def majority(name, seed, folder):
    """One row in twenty-five of another class than the rest, and a weight decay that leaves the last bias alone."""
    x, y = sets.rows_of(sets.experiment(name, seed, folder))
    rng = np.random.default_rng(seed)
    frequent = np.bincount(y).argmax()
    few = rng.permutation(np.flatnonzero(y != frequent))
    kept = np.concatenate([np.flatnonzero(y == frequent), few[: max(8, (y == frequent).sum() // 25)]])
    found = sets.from_rows(
        x[kept], (y[kept] == frequent).astype(int), seed, folder, **USUAL | {"weight_decay": 5.0}
    )
    return told(found, run(found))


@fault("overfitting", "overfitting")
def overfitted(name, seed, folder):
    """A large network, few rows, three labels in ten drawn anew, and a long training."""
    x, y = sets.rows_of(sets.experiment(name, seed, folder))
    rng = np.random.default_rng(seed)
    kept = rng.permutation(len(x))[:200]
    drawn = rng.integers(y.max() + 1, size=len(kept))
    y = np.where(rng.random(len(kept)) < 0.3, drawn, y[kept])
    settings = {
        "hidden": (256,),
        "depth": 2,
        "epochs": 400,
        "optimizer": "adam",
        "lr": 0.01,
        "val_fraction": 0.4,
        "batch_size": 128,
    }
    found = sets.from_rows(x[kept], y, seed, folder, **settings)
    return told(found, run(found))


@fault("dead ReLU", "dead units")
def dead(name, seed, folder):
    """Inputs that nobody centred, and a rate that is far too high for them."""
    return told(*_trained(name, seed, folder, bn=False, shift_inputs=5.0, lr=0.5, epochs=5))


@fault("vanishing gradients", "vanishing gradients")
def vanishing(name, seed, folder):
    return told(*_trained(name, seed, folder, bn=False, activation="sigmoid", depth=10, hidden=(32,)))


@fault("exploding gradients", "exploding gradients")
def exploding(name, seed, folder):
    return told(*_trained(name, seed, folder, bn=False, depth=10, hidden=(32,), init_scale=4.0, epochs=2))


@fault("batch norm on the logits", "batch norm on the logits")
def norm_on_logits(name, seed, folder):
    found = sets.experiment(name, seed, folder, **USUAL)
    classes = len(found.dataset.labels)
    plain = mlp([found.x_train.shape[1], 64, classes], rng=seed)
    model = Sequential(*plain.layers, BatchNorm(classes))
    history = fit(model, found.x_train, found.y_train, optimizer=SGD(0.1), epochs=20, seed=seed)
    return told(found, Outcome(model, list(history), None, None, None, found.majority_baseline))


@fault("diverging rate", "diverging loss")
def diverging(name, seed, folder):
    return told(*_trained(name, seed, folder, bn=bool(seed % 2), lr=1e4 if seed % 2 else 100.0))
