"""The program: arenas, tables, and the calls that play them."""

import numpy as np

from minibn import foreign
from minibn.errors import DtypeError, ProgramError, ShapeError
from minibn.functional import checks
from minibn.kernels.cpu.views import describe_array, unlocked
from minibn.nn.losses import SoftmaxCrossEntropy
from minibn.nn.sequential import EVALUATION_BLOCK
from minibn.program.describe import describe
from minibn.program.epochs import rows_of_epoch, steps
from minibn.program.instructions import table
from minibn.program.operations import set_gather, table_of_kernels, used_codes
from minibn.program.result import EpochResult

_READABLE = {np.dtype(code) for code in ("?", "b", "B", "h", "H", "i", "I", "l", "L", "f", "d")}


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
        self._training = table(lines.training)
        self._prediction, self._evaluation = (
            table(part) for part in (lines.evaluation, lines.evaluation + lines.evaluation_loss)
        )
        self._entries, self._readers = None, {}
        self._source, self._given = (None, None, None), None
        self._classifies = isinstance(loss, SoftmaxCrossEntropy)
        room = max(max_batch, EVALUATION_BLOCK)
        self._room = np.empty(room, np.int64), np.empty(room * model.out_features, self.arena.dtype)
        self._no_labels = np.empty(0, np.int64), self.arena[:0], np.empty(0)
        self._move_in()

    def _move_in(self):
        """Copy the model's and the optimizer's state into the arenas and leave views of them behind."""
        self._owned = []
        tensors = self.model.parameters()
        for name, span in self.lines.parameters.items():
            tensor, view = tensors[name], span.view(self.arena)
            view[...] = tensor.data
            tensor.data = view
            self._owned.append((name, tensor, view))
        self._scalars = [span.view(self.stats) for span in self.lines.scalars]
        for (slot, name), span in self.lines.slots.items():
            view = span.view(self.arena)
            view[...] = self.optimizer.state[slot].get(name, 0.0)
            self.optimizer.state[slot][name] = view
        for tensor, span in self.lines.fixed:
            view = span.view(self.arena)
            view[...] = tensor.data
            tensor.data = view
            self._owned.append((span.name, tensor, view))
        for layer, spans in self.lines.buffers:
            layer.move_buffers({name: span.view(self._home(name)) for name, span in spans.items()})
        if self.lines.class_weight is not None:
            self.lines.class_weight.view(self.stats)[...] = self.loss.class_weight
        self.counts[0] = self.optimizer.steps

    def _home(self, name):
        return self.counts if name == "counter" else self.stats

    def _set_scalars(self):
        """Write learning rate, decay and the optimizer's own numbers where the executor reads them."""
        optimizer, own = self.optimizer, self.optimizer.scalars()
        given = optimizer.learning_rate, optimizer.weight_decay, optimizer.decay_all, *own
        if given != self._given:
            self._given = given
            decay = optimizer.weight_decay, optimizer.weight_decay if optimizer.decay_all else 0.0
            for scalars, penalty in zip(self._scalars, decay, strict=True):
                scalars[: 2 + len(own)] = (optimizer.learning_rate, penalty, *own)

    def _check_owner(self):
        for name, tensor, view in self._owned:
            if tensor.data is not view:
                raise ProgramError(
                    f"{name} no longer lies in this program's arena: the model was captured again; use the newer program"
                )

    def _rows(self, x):
        """Return x as a matrix that the compiled gather can read, without a copy wherever that is possible."""
        if x is self._source[0] and x.shape == self._source[1]:
            return x
        x = np.asarray(foreign.exchanged("x", x))
        if x.ndim != 2 or x.shape[1] != self.model.in_features:
            raise ShapeError(
                f"x must have shape (N, {self.model.in_features}), got {x.shape}; pass the features the network was built for"
            )
        if x.dtype.kind not in "iufb":
            raise DtypeError(f"x must hold numbers, got {x.dtype}; convert it to float32")
        plain = x.dtype in _READABLE and x.dtype.isnative and x.flags.aligned
        return x if plain else x.astype(self.arena.dtype)

    def run_epoch(self, x, y, order, batch_size=None, learning_rates=None, sample_weight=None, epochs=1):
        """Train on one epoch, or several, inside one compiled call.

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
        learning_rates : ndarray of float64, shape (steps,), optional
            One rate for every step, in place of the optimizer's.
        sample_weight : ndarray of float64, shape (N,), optional
            How often each row counts, in a program captured with ``weighted``; there once where None.
        epochs : int
            How many of equal length stand one behind the other in ``order``; the result covers them all.

        Returns
        -------
        EpochResult

        Raises
        ------
        ProgramError, ShapeError, DtypeError, ArgumentError
        """
        self._check_owner()
        x, order = self._rows(x), np.ascontiguousarray(order, np.int64)
        epoch = rows_of_epoch(order, epochs)
        batch_size = self._batch(epoch, batch_size)
        rates = self._rates(learning_rates, epochs * steps(epoch, batch_size))
        if rates.size:
            self._given = None  # the rates of the steps are written over the optimizer's
        self._set_scalars()
        before = self.counts.copy()
        targets = self._targets(y, len(x), sample_weight)
        result = self._play(
            self._training, x, targets, order, batch_size, True, rates, self.lines.output, epoch=epoch
        )
        self._report_counts(before)
        return result

    def warm(self, x, y):
        """Compile or load what training on data of these dtypes needs, without training."""
        none, x = np.empty(0, np.int64), self._rows(x)
        self._play(self._training, x, self._targets(y[:2], 2), none, 1, True, np.empty(0), self.lines.output)

    def _rates(self, rates, steps):
        rates = np.empty(0) if rates is None else np.ascontiguousarray(rates, np.float64)
        if rates.size and rates.shape != (steps,):
            raise ShapeError(
                f"learning_rates must have shape ({steps},), got {rates.shape}; pass one per step"
            )
        return rates

    def _kernels(self, x):
        """Return the table of addresses, with that of the gather for data like x."""
        if self._entries is None:
            from minibn.program.executor import play

            self._execute = play
            lines = self.lines.training + self.lines.evaluation + self.lines.evaluation_loss
            codes = used_codes(lines, max(self.max_batch, EVALUATION_BLOCK))
            self._entries = table_of_kernels(codes, self.arena.dtype)
        kind = x.dtype, x.flags.c_contiguous
        if kind not in self._readers:
            self._readers[kind] = self._entries.copy()
            set_gather(self._readers[kind], x, self.arena.dtype)
        return self._readers[kind]

    def _described(self, x):
        """Return what the executor needs to know of x; looked up again only where x is another array."""
        array, shape, source = self._source
        if x is not array or x.shape != shape:
            source = describe_array(x)
            self._source = x, x.shape, source
        return source

    def _play(self, lines, x, targets, order, batch_size, joins, rates, output, out=None, epoch=None):
        epoch = epoch or len(order)
        losses, weights, correct = np.zeros((3, len(order) // max(epoch, 1) * -(-epoch // batch_size)))
        out = np.empty((0, self.model.out_features), self.arena.dtype) if out is None else out
        updates = int(self.counts[0])
        results = losses, weights, correct
        failed = self._call(
            lines, x, targets, order, epoch, batch_size, joins, rates, results, output.offset, out
        )
        if failed < -1:
            self._explain(x, targets[0], order)
        if lines is self._training:
            played = int(self.counts[0]) - updates + (failed >= 0)
            losses, weights, correct = losses[:played], weights[:played], correct[:played]
        correct = correct if self._classifies else None
        total = targets[2][order].sum() if targets[2].size else len(order)
        return EpochResult(losses, weights, correct, None if failed < 0 else int(failed), total)

    def _call(self, lines, x, targets, order, epoch, batch_size, joins, rates, results, output, out):
        """Play lines, fill the arrays of results, and return what :func:`minibn.program.executor.play` does."""
        entries = self._kernels(x)
        return self._execute(lines, entries, self.arena, self.stats, self.counts, self._described(x), *map(unlocked, targets),
                             unlocked(order), epoch, batch_size, joins, *self._room, unlocked(rates), *results, output, out)  # fmt: skip

    def _explain(self, x, labels, order):
        """Raise the error behind a play that was refused: looked for only then, to keep an epoch cheap."""
        if order.min() < 0 or order.max() >= len(x):
            raise ShapeError(f"order must hold row indices in [0, {len(x)}), shape (M,); pass a permutation")
        checks.labels("y", labels, len(x), self.model.out_features)

    def _batch(self, rows, batch_size):
        batch_size = checks.whole("batch_size", self.max_batch - 1 if batch_size is None else batch_size, 1)
        largest = batch_size + (rows > batch_size and rows % batch_size == 1)
        if min(largest, rows) > self.max_batch:
            raise ProgramError(
                f"a batch of {largest} rows does not fit max_batch {self.max_batch}; capture with a larger one"
            )
        return batch_size

    def _weights(self, sample_weight, rows):
        """Return one checked weight a row; none for a program that takes none."""
        if self.lines.weighted:
            return (
                np.ones(rows)
                if sample_weight is None
                else checks.weights("sample_weight", sample_weight, rows)
            )
        if sample_weight is not None:
            raise ProgramError("this program takes no sample_weight; capture the model with weighted=True")
        return np.empty(0)

    def _targets(self, y, rows, sample_weight=None):
        """Return checked labels, targets and weights."""
        weights = self._weights(sample_weight, rows)
        if self._classifies:
            y = np.asarray(foreign.exchanged("y", y))
            if y.dtype != np.int64 or y.shape != (rows,) or not y.flags.c_contiguous:
                y = checks.labels("y", y, rows, self.model.out_features)
            return y, self.arena[:0], weights
        targets = np.ascontiguousarray(foreign.exchanged("y", y), self.arena.dtype).reshape(rows, -1)
        if targets.shape[1] != self.model.out_features:
            raise ShapeError(
                f"target must have shape (N, {self.model.out_features}), got {np.shape(y)}; give one value per output"
            )
        return np.empty(0, np.int64), targets.reshape(-1), weights

    def _report_counts(self, before):
        self.optimizer.steps = int(self.counts[0])
        for layer, spans in self.lines.buffers:
            at = spans["counter"].offset + 1
            layer.report_skipped(int(self.counts[at] - before[at]))

    def _evaluated(self, lines, x, targets, out=None, rows=None):
        self._check_owner()
        x = self._rows(x)
        order = np.arange(len(x)) if rows is None else np.ascontiguousarray(rows, np.int64)
        output = self.lines.evaluated
        return self._play(lines, x, targets, order, EVALUATION_BLOCK, False, np.empty(0), output, out)

    def logits(self, x):
        """Return the network's output in evaluation mode, ndarray of the model's dtype, shape (N, K)."""
        out = np.empty((len(x), self.model.out_features), self.arena.dtype)
        self._evaluated(self._prediction, x, self._no_labels, out)
        return out

    def evaluate(self, x, y, rows=None, sample_weight=None):
        """Return loss and rows right of every block of rows, in evaluation mode.

        Parameters
        ----------
        x : ndarray of numbers, shape (N, C)
        y : ndarray, shape (N,)
            Class indices; targets for a squared error.
        rows : ndarray of int64, shape (M,), optional
            Rows to evaluate; all where None.
        sample_weight : ndarray of float64, shape (N,), optional
            As in :meth:`run_epoch`.

        Returns
        -------
        EpochResult
        """
        return self._evaluated(self._evaluation, x, self._targets(y, len(x), sample_weight), rows=rows)

    def predict(self, x):
        """Return the index of the most probable class of each row, shape (N,)."""
        return self.logits(x).argmax(axis=1)

    def __str__(self):
        return describe(self)
