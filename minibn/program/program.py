"""The program: arenas, tables, and the calls that play them."""

from dataclasses import dataclass

import numpy as np

from minibn.errors import DtypeError, ProgramError, ShapeError
from minibn.functional import checks
from minibn.nn.losses import SoftmaxCrossEntropy
from minibn.nn.sequential import EVALUATION_BLOCK
from minibn.program.describe import describe
from minibn.program.instructions import table


@dataclass(frozen=True, eq=False)
class EpochResult:
    """What one epoch reports.

    Attributes
    ----------
    losses, weights : ndarray of float64, shape (steps,)
        Mean loss of each batch before its update, and what that mean divides by.
    correct : ndarray of float64, shape (steps,), or None
        Rows classified right; None for a regression.
    failed_step : int or None
        First step, counted from 0, whose loss was not finite; nothing was updated from there on.
    """

    losses: np.ndarray
    weights: np.ndarray
    correct: np.ndarray | None
    failed_step: int | None

    @property
    def mean_loss(self):
        """Mean loss over all rows of the epoch, each batch at the weights it met."""
        total = weight = 0.0
        for loss, share in zip(self.losses.tolist(), self.weights.tolist(), strict=True):
            total, weight = total + loss * share, weight + share
        return total / weight


class Program:
    """A captured training step; make one with :func:`minibn.program.capture`.

    Attributes
    ----------
    arena : ndarray of the model's dtype
        Parameters, gradients, optimizer state and activations.
    stats : ndarray of float64
        Batch statistics, running statistics, learning rate and other scalars.
    counts : ndarray of int64
        Updates made; batches tracked and skipped by each batch norm.
    """

    def __init__(self, lines, model, loss, optimizer, max_batch):
        self.lines, self.model, self.loss, self.optimizer = lines, model, loss, optimizer
        self.max_batch = max_batch
        self.arena, self.stats, self.counts = (
            part.allocate() for part in (lines.arena, lines.stats, lines.counts)
        )
        self._training = [table(part) for part in (lines.forward, lines.loss, lines.backward, lines.update)]
        self._evaluation = table(lines.evaluation)
        self._classifies = isinstance(loss, SoftmaxCrossEntropy)
        self._room = np.empty(max_batch, np.int64)
        self._target_room = np.empty((max_batch, model.out_features), self.arena.dtype)
        self._move_in()

    def _move_in(self):
        """Copy the model's and the optimizer's state into the arenas and leave views of them behind."""
        self._owned = []
        for name, tensor in self.model.parameters().items():
            view = self.lines.parameters[name].view(self.arena)
            view[...] = tensor.data
            tensor.data = view
            self._owned.append((name, tensor, view))
        self._scalars = [span.view(self.stats) for span in self.lines.scalars]
        for (slot, name), span in self.lines.slots.items():
            view = span.view(self.arena)
            view[...] = self.optimizer.state[slot].get(name, 0.0)
            self.optimizer.state[slot][name] = view
        for tensor, span in self.lines.fixed:
            span.view(self.arena)[...] = tensor.data
        for layer, spans in self.lines.buffers:
            layer.move_buffers({name: span.view(self._home(name)) for name, span in spans.items()})
        if self.lines.class_weight is not None:
            self.lines.class_weight.view(self.stats)[...] = self.loss.class_weight
        self.counts[0] = self.optimizer.steps

    def _home(self, name):
        return self.counts if name == "counter" else self.stats

    def _set_scalars(self):
        """Write learning rate, decay and the optimizer's own numbers where the executor reads them."""
        own = self.optimizer.scalars()
        decay = (
            self.optimizer.weight_decay,
            self.optimizer.weight_decay if self.optimizer.decay_all else 0.0,
        )
        for scalars, penalty in zip(self._scalars, decay, strict=True):
            scalars[: 2 + len(own)] = (self.optimizer.learning_rate, penalty, *own)

    def _check_owner(self):
        for name, tensor, view in self._owned:
            if tensor.data is not view:
                raise ProgramError(
                    f"{name} no longer lies in this program's arena: the model was captured again; use the newer program"
                )

    def _rows(self, x):
        if x.ndim != 2 or x.shape[1] != self.model.in_features:
            raise ShapeError(
                f"x must have shape (N, {self.model.in_features}), got {x.shape}; pass the features the network was built for"
            )
        if x.dtype.kind not in "iufb":
            raise DtypeError(f"x must hold numbers, got {x.dtype}; convert it to float32")
        return x

    def run_epoch(self, x, y, order, batch_size=None):
        """Train on one epoch inside one compiled call.

        Parameters
        ----------
        x : ndarray of numbers, shape (N, C)
            Any numeric dtype, also a read-only memory map.
        y : ndarray, shape (N,)
            Class indices; targets for a squared error.
        order : ndarray of int64, shape (M,)
            Rows in the order of training.
        batch_size : int, optional
            At most ``max_batch``, and ``max_batch - 1`` where the last batch would be a single row, which joins
            the one before it. ``max_batch - 1`` where None.

        Returns
        -------
        EpochResult

        Raises
        ------
        ProgramError, ShapeError, DtypeError, ArgumentError
        """
        self._check_owner()
        x, order = self._rows(x), self._order(order, len(x))
        batch_size = self._batch(len(order), batch_size)
        return self._play(x, self._targets(y, len(x)), order, batch_size)

    def warm(self, x, y):
        """Compile or load the executor for data of these dtypes, without training."""
        self._play(self._rows(x), self._targets(y[:2], 2), np.empty(0, np.int64), self.max_batch)
        self.logits(x[:1])

    def _play(self, x, targets, order, batch_size):
        from minibn.program.executor import play_epoch

        losses, weights, correct = np.zeros((3, -(-len(order) // batch_size)))
        self._set_scalars()
        before = self.counts.copy()
        failed = play_epoch(*self._training, self.arena, self.stats, self.counts, x, *targets, order, batch_size,
                            self._room, self._target_room, losses, weights, correct)  # fmt: skip
        self._report_counts(before)
        played = int(self.counts[0] - before[0]) + (failed >= 0)
        correct = correct[:played] if self._classifies else None
        return EpochResult(losses[:played], weights[:played], correct, None if failed < 0 else int(failed))

    def _order(self, order, rows):
        order = np.ascontiguousarray(order, np.int64)
        if order.ndim != 1 or order.size < 1 or order.min() < 0 or order.max() >= rows:
            raise ShapeError(f"order must hold row indices in [0, {rows}), shape (M,); pass a permutation")
        return order

    def _batch(self, rows, batch_size):
        batch_size = checks.whole("batch_size", self.max_batch - 1 if batch_size is None else batch_size, 1)
        largest = batch_size + (rows > batch_size and rows % batch_size == 1)
        if min(largest, rows) > self.max_batch:
            raise ProgramError(
                f"a batch of {largest} rows does not fit max_batch {self.max_batch}; capture with a larger one"
            )
        return batch_size

    def _targets(self, y, rows):
        if self._classifies:
            return checks.labels("y", np.asarray(y), rows, self.model.out_features), np.empty(
                (0, 0), self.arena.dtype
            )
        targets = np.ascontiguousarray(y, self.arena.dtype).reshape(rows, -1)
        if targets.shape[1] != self.model.out_features:
            raise ShapeError(
                f"target must have shape (N, {self.model.out_features}), got {np.shape(y)}; give one value per output"
            )
        return np.empty(0, np.int64), targets

    def _report_counts(self, before):
        self.optimizer.steps = int(self.counts[0])
        for layer, spans in self.lines.buffers:
            at = spans["counter"].offset + 1
            layer.report_skipped(int(self.counts[at] - before[at]))

    def logits(self, x):
        """Return the network's output in evaluation mode, ndarray of the model's dtype, shape (N, K)."""
        from minibn.program.executor import play_forward

        self._check_owner()
        x = self._rows(np.asarray(x))
        out = np.empty((len(x), self.model.out_features), self.arena.dtype)
        play_forward(self._evaluation, self.arena, self.stats, self.counts, x, EVALUATION_BLOCK, out)
        return out

    def evaluate(self, x, y):
        """Return mean loss and accuracy in evaluation mode; the accuracy is None for a regression."""
        logits = self.logits(x)
        correct = self.loss.correct(logits, y)
        return self.loss(logits, y).item(), None if correct is None else correct / len(y)

    def predict(self, x):
        """Return the index of the most probable class of each row, shape (N,)."""
        return self.logits(x).argmax(axis=1)

    def __str__(self):
        return describe(self)
