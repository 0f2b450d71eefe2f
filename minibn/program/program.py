"""The program: arenas, tables, and the calls that play them."""

import numpy as np

from minibn.errors import ProgramError
from minibn.kernels.cpu.views import unlocked
from minibn.nn.sequential import EVALUATION_BLOCK
from minibn.program.describe import describe
from minibn.program.inputs import Inputs
from minibn.program.instructions import table
from minibn.program.operations import table_of_kernels, used_codes
from minibn.program.result import epoch_result, epochs_result, total
from minibn.program.schedule import Pass, Schedule
from minibn.program.sources import Sources, readable, tables


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
    one_call : bool
        Whether :meth:`run_epochs` is there, which plays epochs and their evaluations in one compiled call.
    """

    one_call = True

    def __init__(self, lines, model, loss, optimizer, max_batch):
        self.lines, self.model, self.loss, self.optimizer = lines, model, loss, optimizer
        self.max_batch = max_batch
        self.arena, self.stats, self.counts = (
            part.allocate() for part in (lines.arena, lines.stats, lines.counts)
        )
        self._table = table(lines.training + lines.evaluation + lines.evaluation_loss)
        trained, shown = len(lines.training), len(lines.training) + len(lines.evaluation)
        self._training, self._prediction = (0, trained), (trained, shown)
        self._evaluation = trained, len(self._table)
        self._inputs = Inputs(model, loss, self.arena.dtype, max_batch, lines.weighted)
        self._sources, self._entries, self._given = Sources(self._inputs, self._described), None, None
        self._cut = None, None
        room, columns = max(max_batch, EVALUATION_BLOCK), self._inputs.classes
        self._room = np.empty(room, np.int64), np.empty(room * columns, self.arena.dtype)
        self._no_output = np.empty((0, columns), self.arena.dtype)
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
        self._skips = [(layer, spans["counter"].offset + 1) for layer, spans in self.lines.buffers]
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
        source, order = self._sources.find(x), np.ascontiguousarray(order, np.int64)
        rows = self._inputs.rows_of_epoch(order, epochs)
        schedule = self._training_schedule(rows, self._inputs.batch_size(rows, batch_size), len(source.x))
        targets = self._inputs.targets(y, len(source.x), sample_weight)
        rates = self._inputs.rates(learning_rates, epochs * schedule.steps)
        results, failed = self._train(schedule, epochs, [source], targets, order, rates)
        return epoch_result(results, failed, total(targets[2], order), schedule.steps)

    def run_epochs(self, part, orders, batch_size, held=None):
        """Train for some epochs and evaluate after each of them, inside one compiled call.

        A loss that is not finite, of a step or of the evaluation of the training rows, ends it.

        Parameters
        ----------
        part : Part
            Training rows: ``x``, ``y``, ``rows`` and ``weight`` as :meth:`evaluate` takes them.
        orders : ndarray of int64, shape (epochs, M)
            These rows in the order of each epoch.
        batch_size : int
        held : Part, optional
            Validation rows, evaluated after the training rows.

        Returns
        -------
        EpochsResult

        Raises
        ------
        ProgramError, ShapeError, DtypeError, ArgumentError
        """
        self._check_owner()
        parts = [part] if held is None else [part, held]
        sources, places, targets = self._sources.join(parts)
        shown = [np.arange(len(one.y)) if one.rows is None else one.rows for one in parts]
        epochs, rows = orders.shape
        size, start = self._inputs.batch_size(rows, batch_size), orders.size
        passes = [self._train_pass(rows, size, len(sources[0].x))]
        for place, evaluated in zip(places, shown, strict=True):
            passes.append(self._look(self._evaluation, len(evaluated), place, start, len(passes) == 1))
            start += len(evaluated)
        order = np.concatenate([orders.reshape(-1), *shown])
        rates = self._inputs.none[2]
        results, failed = self._train(Schedule(passes), epochs, sources, targets, order, rates)
        weights = [self._inputs.none[2] if one.weight is None else one.weight for one in (part, *parts)]
        return epochs_result(results, failed, passes, list(map(total, weights, (orders, *shown))))

    def _train_pass(self, rows, batch_size, limit):
        output = self.lines.output.offset
        return Pass(*self._training, 0, rows, rows, batch_size, True, 0, limit, 0, output, True)

    def _training_schedule(self, *how):
        """Return a schedule that trains only, the same again where rows, size and limit are."""
        if how != self._cut[0]:
            self._cut = how, Schedule([self._train_pass(*how)])
        return self._cut[1]

    def _look(self, lines, rows, place, start=0, watched=False):
        """Return a pass in evaluation mode."""
        return Pass(
            *lines, start, rows, 0, EVALUATION_BLOCK, False, *place, self.lines.evaluated.offset, watched
        )

    def warm(self, x, y):
        """Compile or load what training on data of these dtypes needs, without training."""
        source, targets = self._sources.find(x), self._inputs.targets(y[:2], 2)
        self._play(Schedule([self._train_pass(0, 1, 0)]), 1, [source], targets, np.empty(0, np.int64))

    def _train(self, schedule, epochs, sources, targets, order, rates):
        """Play a schedule that trains, and keep the books of model and optimizer."""
        if rates.size:
            self._given = None  # the rates of the steps are written over the optimizer's
        self._set_scalars()
        before = [self.counts.item(at) for _, at in self._skips]
        played = self._play(schedule, epochs, sources, targets, order, rates)
        self.optimizer.steps = self.counts.item(0)
        for (layer, at), skipped in zip(self._skips, before, strict=True):
            layer.report_skipped(self.counts.item(at) - skipped)
        return played

    def _play(self, schedule, epochs, sources, targets, order, rates=None, out=None):
        """Play a schedule, and return what it reports and the step that ended it, negative for none."""
        results = np.empty((4 + self._inputs.classifies, epochs * schedule.steps))
        rates = self._inputs.none[2] if rates is None else rates
        out = self._no_output if out is None else out
        failed = self._call(schedule, epochs, sources, targets, order, rates, results, out)
        if failed < -1:
            self._inputs.refuse(schedule.passes, epochs, sources, targets[0], order)
        return results, failed

    def _call(self, schedule, epochs, sources, targets, order, rates, results, out):
        """Play a schedule, write its results, and return what :func:`minibn.program.executor.play` does."""
        if self._entries is None:
            self._load()
        return self._execute(schedule.table, epochs, self._table, self._entries, self.arena, self.stats,
                             self.counts, *tables(sources), *map(unlocked, targets), unlocked(order), *self._room,
                             unlocked(rates), results, out)  # fmt: skip

    def _described(self, x):
        return readable(x, self.arena.dtype)

    def _load(self):
        """Load the executor and the kernels of all lines, compiling what was not compiled before."""
        from minibn.program.executor import play

        self._execute, lines = play, self.lines
        codes = used_codes(
            lines.training + lines.evaluation + lines.evaluation_loss, max(self.max_batch, EVALUATION_BLOCK)
        )
        self._entries = table_of_kernels(codes, self.arena.dtype)

    def logits(self, x):
        """Return the network's output in evaluation mode, ndarray of the model's dtype, shape (N, K)."""
        self._check_owner()
        source = self._sources.find(x)
        rows = np.arange(len(source.x))
        out = np.empty((len(rows), self._inputs.classes), self.arena.dtype)
        look = Schedule([self._look(self._prediction, len(rows), (0, len(rows), 0))])
        self._play(look, 1, [source], self._inputs.none, rows, out=out)
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
        self._check_owner()
        source = self._sources.find(x)
        targets = self._inputs.targets(y, len(source.x), sample_weight)
        rows = np.arange(len(source.x)) if rows is None else np.ascontiguousarray(rows, np.int64)
        look = self._look(self._evaluation, len(rows), (0, len(source.x), 0))
        results, _ = self._play(Schedule([look]), 1, [source], targets, rows)
        return epoch_result(results, -1, total(targets[2], rows), look.steps)

    def predict(self, x):
        """Return the index of the most probable class of each row, shape (N,)."""
        return self.logits(x).argmax(axis=1)

    def __str__(self):
        return describe(self)
