"""The two ways to play an epoch: the compiled program, and step by step on the tape."""

import math
import warnings

import numpy as np

from minibn.errors import ArgumentError, ProgramError
from minibn.nn.sequential import EVALUATION_BLOCK
from minibn.program import EpochResult, capture
from minibn.train.batches import batch_bounds
from minibn.train.step import given, rehearse, step

_MOST_WORK = 1 << 26  # rows times parameters of one call: tens of milliseconds until it answers to Ctrl-C
_MOST_ROWS = 1 << 20  # of one call, which bounds the memory of its orders


class EagerEngine:
    """Plays every step on the tape, through :func:`minibn.train.step`."""

    name = "eager"

    def __init__(self, model, loss, optimizer, batch_size):
        self.model, self.loss, self.optimizer, self.batch_size = model, loss, optimizer, batch_size

    def warm(self, part):
        """Compile what an epoch needs, without training."""
        weight = None if part.weight is None else np.ones(2)
        rehearse(self.model, self.loss, self.optimizer, part.x[:2], part.y[:2], weight)

    def run_epoch(self, part, order, learning_rates=None):
        """Train on the rows ``order``; arguments and result as of :meth:`minibn.program.Program.run_epoch`."""
        usual = self.optimizer.learning_rate
        try:
            return self._run(part, order, learning_rates)
        finally:
            self.optimizer.learning_rate = usual

    def _run(self, part, order, rates):
        results = []
        for k, (low, high) in enumerate(batch_bounds(len(order), self.batch_size)):
            if rates is not None:
                self.optimizer.learning_rate = float(rates[k])
            rows = order[low:high]
            weight = None if part.weight is None else part.weight[rows]
            results.append(step(self.model, self.loss, self.optimizer, part.x[rows], part.y[rows], weight))
            if not results[-1].finite:
                break
        failed = None if results[-1].finite else len(results) - 1
        total = len(order) if part.weight is None else part.weight[order].sum()
        return _result([(r.loss, r.weight, r.correct) for r in results], total, failed)

    def evaluate(self, part):
        """Evaluate block by block; see :meth:`minibn.program.Program.evaluate`."""
        results, rows = [], np.arange(len(part)) if part.rows is None else part.rows
        for start in range(0, len(part), EVALUATION_BLOCK):
            block = rows[start : start + EVALUATION_BLOCK]
            output, y = self.model.logits(part.x[block]), part.y[block]
            weighted = given(None if part.weight is None else part.weight[block])
            value = self.loss(output, y, **weighted).item()
            results.append((value, self.loss.weight(y, **weighted), self.loss.correct(output, y, **weighted)))
        return _result(results, len(part) if part.weight is None else part.weights.sum())

    def epochs_at_once(self, part):
        """Return how many epochs of a part one call of :meth:`play` takes at most."""
        return 1

    def play(self, part, orders, held=None):
        """Train and evaluate; see :meth:`ProgramEngine.play`."""
        return _one_by_one(self, part, orders, held)


def _result(batches, rows, failed=None):
    """Return what some batches report together."""
    losses, weights, correct = zip(*batches, strict=True)
    total = share = 0.0
    for loss, weight in zip(losses, weights, strict=True):
        total, share = total + loss * weight, share + weight
    correct = None if correct[0] is None else np.array(correct)
    return EpochResult(np.array(losses), np.array(weights), correct, failed, rows, (total, share))


class ProgramEngine:
    """Plays whole epochs inside one compiled call."""

    name = "program"

    def __init__(self, model, loss, optimizer, batch_size, weighted=False, device="cpu"):
        # One more row than a batch: a last batch of a single row joins the one before it.
        self.program = capture(model, loss, optimizer, batch_size + 1, weighted, device)
        self.batch_size = batch_size

    def warm(self, part):
        """Compile what an epoch needs, without training."""
        self.program.warm(part.x, part.y)

    def run_epoch(self, part, order, learning_rates=None, epochs=1):
        """Train on the rows ``order``; see :meth:`minibn.program.Program.run_epoch`."""
        return self.program.run_epoch(
            part.x, part.y, order, self.batch_size, learning_rates, part.weight, epochs
        )

    def evaluate(self, part):
        """Evaluate; see :meth:`minibn.program.Program.evaluate`."""
        return self.program.evaluate(part.x, part.y, part.rows, part.weight)

    def epochs_at_once(self, part):
        """Return how many epochs of a part one call of :meth:`play` takes at most."""
        if not self.program.one_call:
            return 1
        parameters = sum(tensor.data.size for tensor in self.program.model.parameters().values())
        return max(1, min(_MOST_WORK // (len(part) * parameters), _MOST_ROWS // len(part)))

    def play(self, part, orders, held=None):
        """Train for some epochs, and evaluate after each of them.

        Parameters
        ----------
        part : Part
            Training rows.
        orders : ndarray of int64, shape (epochs, M)
            These rows in the order of each epoch.
        held : Part, optional
            Validation rows.

        Returns
        -------
        figures : list of tuple
            For each whole epoch: training loss and accuracy, the loss of the training rows in evaluation mode, and
            loss and accuracy of the validation rows, None without any.
        failed_step : int or None
            What ended the epoch behind those, as in :class:`minibn.program.result.EpochsResult`.
        """
        if len(orders) == 1 or not self.program.one_call:  # shorter calls answer to Ctrl-C sooner
            return _one_by_one(self, part, orders, held)
        result = self.program.run_epochs(part, orders, self.batch_size, held)
        trained, evaluated = result.trained, result.evaluated
        columns = [trained.mean_losses(), trained.accuracies(), evaluated.mean_losses()]
        none = [None] * len(columns[0])
        columns += [none, none] if held is None else [result.held.mean_losses(), result.held.accuracies()]
        return list(zip(*columns, strict=True)), result.failed_step


def _one_by_one(engine, part, orders, held):
    """Play epochs and their evaluations call by call."""
    figures = []
    for order in orders:
        result = engine.run_epoch(part, order)
        if result.failed_step is not None:
            return figures, result.failed_step
        loss = engine.evaluate(part).mean_loss
        if not math.isfinite(loss):
            return figures, len(result.losses)
        found = None if held is None else engine.evaluate(held)
        others = (None, None) if found is None else (found.mean_loss, found.accuracy)
        figures.append((result.mean_loss, result.accuracy, loss, *others))
    return figures, None


def engine(name, model, loss, optimizer, batch_size, weighted=False, device="cpu"):
    """Return the engine of a name, for rows that have weights where ``weighted``, on a device.

    ``"program"`` falls back to the eager engine, with a warning, where an operation has no instruction. The eager
    engine runs on the CPU only.

    Raises
    ------
    ArgumentError
    """
    if name not in ("program", "eager"):
        raise ArgumentError(f"engine must be 'program' or 'eager', got {name!r}; 'program' is the faster")
    if name == "program":
        try:
            return ProgramEngine(model, loss, optimizer, batch_size, weighted, device)
        except ProgramError as error:
            if device == "cuda":
                raise
            warnings.warn(f"training step by step: {error}", RuntimeWarning, stacklevel=4)
    return EagerEngine(model, loss, optimizer, batch_size)
