"""The training loop."""

import inspect
import math
import time
from dataclasses import replace
from numbers import Real
from pathlib import Path

import numpy as np

from minibn.data import class_weights, split
from minibn.errors import ArgumentError, BatchSizeError, DtypeError, NonFiniteLossError, ShapeError
from minibn.functional import checks
from minibn.nn.losses import LOSSES, SoftmaxCrossEntropy
from minibn.train.batches import batch_bounds, epoch_order
from minibn.train.checkpoint import Checkpoint, load_run, save_run
from minibn.train.early_stopping import EarlyStopping
from minibn.train.history import EpochRecord, History
from minibn.train.optimizers import SGD, Optimizer
from minibn.train.step import first_non_finite, rehearse, step


def fit(model, x, y, **options):
    """Train a network and return its history. Prints and plots nothing.

    Parameters
    ----------
    model : minibn.nn.Sequential
        Trained in place; left in evaluation mode.
    x : ndarray, shape (N, C)
        Any numeric dtype; each batch is converted to the model's.
    y : ndarray, shape (N,)
        Class indices; targets of the output's shape for a squared error.
    loss : str or loss object
        ``"softmax_cross_entropy"`` (default) or ``"squared_error"``.
    optimizer : SGD or Adam
        ``SGD(0.01)`` where None. Its state is reset first, unless the run resumes.
    epochs : int
        Epochs in total, a resumed run's earlier ones included.
    batch_size : int
        A last batch of a single row joins the one before it.
    validation : None, float or (x, y)
        A share of the rows, split off stratified, or a part of its own.
    class_weight : None, "balanced", sequence or mapping
        Weight of each class in the loss.
    early_stopping : None, int or EarlyStopping
        A patience in epochs; needs validation, restores the best weights.
    seed : int
        Fixes split and order. The initial weights are the model's own affair.
    callbacks : sequence of callable
        Each is called as ``callback(model, record)`` after every epoch.
    checkpoint : path or Checkpoint
        Folder to save to after every epoch.
    resume : path
        Folder of a saved run to continue; its options must be the same.

    Returns
    -------
    History

    Raises
    ------
    NonFiniteLossError
        Naming epoch, step and layer; it carries the history so far.
    MinibnError
        A subclass for every bad argument.
    """
    run = _Run(model, x, y, **options)
    for _ in run.epochs():
        pass
    return run.history


def epochs(model, x, y, **options):
    """Train as :func:`fit` does, with the same arguments, yielding each epoch's record as it ends.

    Yields
    ------
    EpochRecord
    """
    yield from _Run(model, x, y, **options).epochs()


class _Run:
    """One training run: checked arguments, state, and the loop."""

    def __init__(
        self,
        model,
        x,
        y,
        *,
        loss="softmax_cross_entropy",
        optimizer=None,
        epochs=5,
        batch_size=32,
        validation=None,
        class_weight=None,
        early_stopping=None,
        seed=0,
        callbacks=(),
        checkpoint=None,
        resume=None,
    ):
        self.model, self.callbacks, self.resume = model, callbacks, resume
        self.total, self.seed = checks.whole("epochs", epochs, 1), checks.whole("seed", seed, 0)
        self.batch_size = checks.whole("batch_size", batch_size, 2)
        self.optimizer = _optimizer(optimizer)
        self.checkpoint = _checkpoint(checkpoint)
        self.stopping = _stopping(early_stopping, validation)
        self.loss = _loss(loss)
        self._divide(*_check_rows("x", "y", x, y), validation)
        self.loss = _checked_loss(self.loss, class_weight, model, self.y)
        self.records = []

    def _divide(self, x, y, validation):
        """Set training and validation rows; a share is stratified by class, or plain for a regression."""
        if isinstance(validation, Real):
            strata = y if isinstance(self.loss, SoftmaxCrossEntropy) else np.zeros(len(y))
            train, held = split(strata, validation, self.seed)
            self.x, self.y, self.validation = x[train], y[train], (x[held], y[held])
            self._keep_split(train, held)
        else:
            self.x, self.y, self.validation = x, y, _pair(validation)

    def _keep_split(self, train, held):
        if self.checkpoint and not self.checkpoint.split:
            self.checkpoint = replace(self.checkpoint, split={"train": train, "validation": held})

    @property
    def options(self):
        """What a resumed run must share with the saved one."""
        return {
            "seed": self.seed,
            "batch_size": self.batch_size,
            "rows": len(self.y),
            "loss": type(self.loss).__name__,
            "optimizer": type(self.optimizer).__name__,
            **self.optimizer.config(),
            "early_stopping": self.stopping and [self.stopping.patience, self.stopping.min_delta],
        }

    @property
    def history(self):
        stopping = self.stopping
        return History(
            tuple(self.records), stopping and stopping.best_epoch, bool(stopping and stopping.exhausted)
        )

    def epochs(self):
        self._start()
        rehearse(self.model, self.loss, self.optimizer, self.x[:2], self.y[:2])
        while len(self.records) < self.total and not (self.stopping and self.stopping.exhausted):
            record = self._epoch(len(self.records) + 1)
            self.records.append(record)
            if self.stopping:
                self.stopping.observe(record, self.model)
            for callback in self.callbacks:
                callback(self.model, record)
            if self.checkpoint:
                save_run(
                    self.checkpoint, self.model, self.optimizer, self.records, self.stopping, self.options
                )
            yield record
        self._finish()

    def _start(self):
        self.optimizer.reset()
        if self.stopping:
            self.stopping.reset()
        if self.resume is not None:
            self.records = load_run(self.resume, self.model, self.optimizer, self.stopping, self.options)

    def _finish(self):
        if self.stopping and self.stopping.best_state:
            self.model.load_state_dict(self.stopping.best_state)
        self.model.eval()

    def _epoch(self, epoch):
        start = time.perf_counter()
        order = epoch_order(len(self.y), self.seed, epoch)
        loss_sum = weight = correct = 0.0
        bounds = batch_bounds(len(order), self.batch_size)
        for number, (low, high) in enumerate(bounds, 1):
            rows = order[low:high]
            result = step(self.model, self.loss, self.optimizer, self.x[rows], self.y[rows])
            if not result.finite:
                raise self._failure(epoch, number, rows)
            loss_sum, weight = loss_sum + result.loss * result.weight, weight + result.weight
            correct = None if result.correct is None else correct + result.correct
        loss_eval, _ = evaluate_loss(self.model, self.loss, self.x, self.y)
        if not math.isfinite(loss_eval):
            raise self._failure(epoch, len(bounds), order)
        val = (
            (None, None)
            if self.validation is None
            else evaluate_loss(self.model, self.loss, *self.validation)
        )
        accuracy = None if correct is None else correct / len(order)
        return EpochRecord(epoch, loss_sum / weight, accuracy, loss_eval, *val, time.perf_counter() - start)

    def _failure(self, epoch, number, rows):
        return NonFiniteLossError(epoch, number, first_non_finite(self.model, self.x[rows]), self.history)


def evaluate_loss(model, loss, x, y):
    """Return mean loss and accuracy in evaluation mode; the accuracy is None for a regression.

    Parameters
    ----------
    model : minibn.nn.Sequential
    loss : loss object
    x : ndarray, shape (N, C)
    y : ndarray, shape (N,)
    """
    logits = model.logits(x)
    correct = loss.correct(logits, y)
    return loss(logits, y).item(), None if correct is None else correct / len(y)


def _check_rows(x_name, y_name, x, y):
    x, y = np.asanyarray(x), np.atleast_1d(y)
    if x.ndim != 2 or x.size == 0:
        raise ShapeError(
            f"{x_name} must have shape (N, C) and not be empty, got {x.shape}; reshape to rows and columns"
        )
    if len(x) != len(y):
        raise ShapeError(f"{y_name} must have one entry per row of {x_name}, {len(x)}, got {len(y)}")
    if len(x) < 2:
        raise BatchSizeError(
            f"{x_name} must have at least 2 rows, got {len(x)}: one row has no variance; add rows"
        )
    return x, y


def _checkpoint(checkpoint):
    if checkpoint is None or isinstance(checkpoint, Checkpoint):
        return checkpoint
    return Checkpoint(Path(checkpoint))


def _stopping(early_stopping, validation):
    if early_stopping is None:
        return None
    if validation is None:
        raise ArgumentError("early_stopping needs validation, got None; pass validation=0.2 or a pair (x, y)")
    return early_stopping if isinstance(early_stopping, EarlyStopping) else EarlyStopping(early_stopping)


def _optimizer(optimizer):
    if optimizer is None:
        return SGD(0.01)
    if not isinstance(optimizer, Optimizer):
        raise DtypeError(f"optimizer must be SGD or Adam, got {optimizer!r}; pass e.g. SGD(0.01)")
    return optimizer


def _pair(validation):
    if validation is None:
        return None
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise ArgumentError(
            f"validation must be a share of the rows or a pair (x, y), got {type(validation).__name__}; pass e.g. 0.2"
        )
    return _check_rows("validation x", "validation y", *validation)


def _loss(loss):
    if callable(loss):
        return loss
    if loss not in LOSSES:
        raise ArgumentError(f"loss must be one of {', '.join(LOSSES)}, got {loss!r}; or pass a loss object")
    return LOSSES[loss]()


def _checked_loss(loss, class_weight, model, y):
    if not isinstance(loss, SoftmaxCrossEntropy):
        if class_weight is not None:
            raise ArgumentError("class_weight needs softmax cross entropy; leave it out for a regression")
        return loss
    checks.labels("y", y, len(y), model.out_features)
    return (
        loss
        if class_weight is None
        else SoftmaxCrossEntropy(class_weights(y, model.out_features, class_weight))
    )


fit.__signature__ = epochs.__signature__ = inspect.signature(_Run)  # type: ignore[attr-defined]
