"""The training loop."""

import inspect
import time
from dataclasses import replace
from functools import cached_property
from numbers import Real

import numpy as np

from minibn.data import split
from minibn.errors import ArgumentError, NonFiniteLossError
from minibn.functional import checks
from minibn.nn.losses import SoftmaxCrossEntropy
from minibn.train import arguments
from minibn.train.batches import batch_bounds
from minibn.train.checkpoint import load_history, load_run, save_run
from minibn.train.engines import engine
from minibn.train.files import check_folder
from minibn.train.history import EpochRecord, History
from minibn.train.part import Part
from minibn.train.step import first_non_finite


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
    sample_weight : None or sequence of numbers, shape (N,)
        How often each row counts: in the loss, which becomes a weighted mean, in the statistics of every batch
        norm, and in the history. Rows of weight 0 are left out, as if they had not been passed. A weight of 2
        equals the row twice where one batch holds all rows; with smaller batches on average over their draws,
        and nearly so, because each batch divides by the sum of its own weights.
    validation : None, float, (x, y) or (x, y, sample_weight)
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
    engine : str
        ``"program"`` plays an epoch inside one compiled call; ``"eager"`` plays step by step on the tape, and so
        takes any operation. Both give the same history, bit for bit where nothing is fused.
    device : str
        ``"cpu"``; ``"cuda"``, which needs float32 and ``"program"``; or ``"auto"``, which is CUDA where it can be
        used and the CPU elsewhere. A run may be resumed on another device than it began on.

    Returns
    -------
    History

    Raises
    ------
    NonFiniteLossError
        Naming epoch, step and layer; it carries the history so far.
    DeviceError
        When CUDA is asked for and cannot be used; the message says what is missing.
    WriteError
        When there can be no folder ``checkpoint``.
    MinibnError
        A subclass for every bad argument.

    Examples
    --------
    >>> from minibn.data import load
    >>> from minibn.nn import mlp
    >>> from minibn.train import SGD, fit
    >>> data = load("example")
    >>> model = mlp([20, 10, 3], bn=True, rng=0)
    >>> history = fit(model, data.x, data.y, optimizer=SGD(0.1), epochs=3, validation=0.2, seed=0)
    >>> history.column("epoch")
    [1, 2, 3]
    >>> history[-1].val_accuracy > 0.8
    True
    """
    run = _Run(model, x, y, **arguments.known(options, _Run))
    for _ in run.epochs(at_once=True):
        pass
    return run.history


def epochs(model, x, y, **options):
    """Train as :func:`fit` does, with the same arguments, yielding each epoch's record as it ends.

    Yields
    ------
    EpochRecord
    """
    yield from _Run(model, x, y, **arguments.known(options, _Run)).epochs()


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
        sample_weight=None,
        validation=None,
        class_weight=None,
        early_stopping=None,
        seed=0,
        callbacks=(),
        checkpoint=None,
        resume=None,
        engine="program",
        device="cpu",
    ):
        self.model, self.callbacks = arguments.network(model), arguments.called_back(callbacks)
        self.resume, self.engine = arguments.folder("resume", resume), engine
        self.device = arguments.device(device, engine, self.model.dtype)
        self.total, self.seed = checks.whole("epochs", epochs, 1), checks.whole("seed", seed, 0)
        self.batch_size = checks.whole("batch_size", batch_size, 2)
        self.optimizer = arguments.optimizer(optimizer)
        self.checkpoint = arguments.checkpoint(checkpoint)
        self.stopping = arguments.stopping(early_stopping, validation)
        self.loss = arguments.loss(loss)
        self._divide(*arguments.rows("x", "y", x, y, model.dtype), sample_weight, validation)
        self.loss = arguments.weighted_loss(
            self.loss, class_weight, model, self.part.targets, self.part.weights
        )
        self.records = []

    def _divide(self, x, y, sample_weight, validation):
        """Set training and validation rows; a share is stratified by class, or plain for a regression."""
        counted, weight = arguments.row_weights("sample_weight", sample_weight, len(y))
        if isinstance(validation, Real):
            strata = y if counted is None else y[counted]
            strata = strata if isinstance(self.loss, SoftmaxCrossEntropy) else np.zeros(len(strata))
            shares = split(strata, validation, self.seed)
            train, held = shares if counted is None else (counted[share] for share in shares)
            self.part, self.validation = Part(x, y, train, weight), Part(x, y, held, weight)
            self._keep_split(train, held)
        else:
            self.part = Part(x, y, counted, weight)
            self.validation = arguments.validation_part(validation, self.model.dtype)
        parts = [part for part in (self.part, self.validation) if part is not None]
        self.weighted = any(part.weight is not None for part in parts)
        if self.weighted:
            arguments.takes_weights(self.loss)
            self.part = self.part.weighted()
            self.validation = self.validation and self.validation.weighted()

    def _keep_split(self, train, held):
        if self.checkpoint and not self.checkpoint.split:
            self.checkpoint = replace(self.checkpoint, split={"train": train, "validation": held})

    @property
    def options(self):
        """What a resumed run must share with the saved one."""
        return {
            "seed": self.seed,
            "batch_size": self.batch_size,
            "rows": len(self.part),
            "loss": type(self.loss).__name__,
            "class_weight": None
            if (weight := getattr(self.loss, "class_weight", None)) is None
            else weight.tolist(),
            "optimizer": type(self.optimizer).__name__,
            **self.optimizer.config(),
            "early_stopping": self.stopping and [self.stopping.patience, self.stopping.min_delta],
            "data": self._digest,
        }

    @cached_property
    def _digest(self):
        """SHA-256 of the training rows: a resumed run must go on with the same ones."""
        return self.part.digest()

    @property
    def history(self):
        stopping = self.stopping
        return History(
            tuple(self.records), stopping and stopping.best_epoch, bool(stopping and stopping.exhausted)
        )

    def epochs(self, at_once=False):
        """Train, yielding records; where nothing stands between epochs, several may be played before the first."""
        if self.checkpoint:
            check_folder(self.checkpoint.folder)  # now, not after an epoch that would be lost
        self._start()
        self._engine.warm(self.part)
        between = self.callbacks or self.checkpoint or self.stopping or not at_once
        most = 1 if between else self._engine.epochs_at_once(self.part)
        while len(self.records) < self.total and not (self.stopping and self.stopping.exhausted):
            for record in self._played(min(most, self.total - len(self.records))):
                self.records.append(record)
                self._after(record)
                yield record
        self._finish()

    def _after(self, record):
        if self.stopping:
            self.stopping.observe(record, self.model)
        for callback in self.callbacks:
            callback(self.model, record)
        if self.checkpoint:
            save_run(self.checkpoint, self.model, self.optimizer, self.records, self.stopping, self.options)

    def _start(self):
        self.optimizer.reset()
        if self.stopping:
            self.stopping.reset()
        if self.resume is not None:
            done = len(load_history(self.resume))
            if done > self.total:
                raise ArgumentError(
                    f"epochs is the total and must be at least the {done} done, got {self.total}"
                )
            self.records = load_run(self.resume, self.model, self.optimizer, self.stopping, self.options)
        self._engine = engine(
            self.engine, self.model, self.loss, self.optimizer, self.batch_size, self.weighted, self.device
        )

    def _finish(self):
        if self.stopping and self.stopping.best_state:
            self.model.load_state_dict(self.stopping.best_state)
        self.model.eval()

    def _played(self, epochs):
        """Play some epochs at once, and yield their records; then raise what ended them."""
        start, first = time.perf_counter(), len(self.records) + 1
        orders = self.part.orders(self.seed, first, epochs)
        figures, failed = self._engine.play(self.part, orders, self.validation)
        seconds = (time.perf_counter() - start) / max(1, len(figures))
        for epoch, found in enumerate(figures, first):
            yield EpochRecord(epoch, *found, seconds)
        if failed is not None:
            raise self._failure(first + len(figures), failed, orders[len(figures)])

    def _failure(self, epoch, step, order):
        """Return the error of a step, or of the evaluation that stands behind the last one."""
        bounds = batch_bounds(len(order), self.batch_size)
        low, high = bounds[step] if step < len(bounds) else (0, len(order))
        rows, number = order[low:high], min(step + 1, len(bounds))
        weight = None if self.part.weight is None else self.part.weight[rows]
        layer = first_non_finite(self.model, self.part.x[rows], weight)
        return NonFiniteLossError(epoch, number, layer, self.history)


fit.__signature__ = epochs.__signature__ = inspect.signature(_Run)  # type: ignore[attr-defined]
