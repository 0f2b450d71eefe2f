"""From a line of a program to its launches, for batches of a number of rows."""

from functools import partial

import numpy as np

from minibn.kernels.cuda import activations
from minibn.kernels.cuda.batch_norm import batch_statistics, differentiate, normalize
from minibn.kernels.cuda.dense import dense_backward, dense_forward
from minibn.kernels.cuda.positions import BLOCKS
from minibn.kernels.cuda.target import multiprocessors, ready
from minibn.program.cuda import line_kernels
from minibn.program.cuda.line_kernels import THREADS
from minibn.program.instructions import COLUMN, Code

_ACTIVATIONS = {
    Code.RELU_FORWARD: (activations.relu_forward, ("x", "y")),
    Code.RELU_BACKWARD: (activations.relu_backward, ("dy", "y", "dx")),
    Code.SIGMOID_FORWARD: (activations.sigmoid_forward, ("x", "y")),
    Code.SIGMOID_BACKWARD: (activations.sigmoid_backward, ("dy", "y", "dx")),
    Code.TANH_FORWARD: (activations.tanh_forward, ("x", "y")),
    Code.TANH_BACKWARD: (activations.tanh_backward, ("dy", "y", "dx")),
}


class Launches:
    """Makes the launches of lines: functions without arguments, to be called in their order.

    Parameters
    ----------
    program : CudaProgram
    batches : Batches
    results : device array of float32, shape (3 * steps,)
    clock : device array of int32, shape (3,)
    sums : device array of float32, shape (2,)
    trains : bool
    rows : int
        Rows of the batch.
    """

    def __init__(self, program, batches, results, clock, sums, trains, rows):
        self.program, self.batches, self.results, self.clock = program, batches, results, clock
        self.sums, self.rows, self.trains = sums, rows, np.int32(trains)
        self.m = program.memory.values
        self.weight_at, self.steps = np.int32(batches.weight_at), np.int32(batches.steps)

    def of(self, line):
        """Return the launches of a line, whose offsets are those into the program's memory."""
        at = {name: int(line[column]) for name, column in COLUMN.items()}
        return _MAKERS[Code(int(line[0]))](self, at)

    def gather(self, at):
        """Return the launches that bring a batch to ``at``."""
        b, p = self.batches, self.program
        first = self.spread(
            self.rows * b.features, line_kernels.make_gather, self.m, at, b.x, b.features, b.labels, b.labelled,
            p.labels, b.targets, b.target_at, p.model.out_features, b.weights, b.weight_at, b.order, self.clock,
            self.sums, self.rows,
        )  # fmt: skip
        if b.weight_at < 0:
            return [first]
        return [first, self.block(line_kernels.make_weigh, self.m, b.weight_at, self.sums, self.rows)]

    def write(self, output, out):
        """Return the launch that keeps the network's output of a batch."""
        classes = self.program.model.out_features
        size = self.rows * classes
        return self.spread(size, line_kernels.make_write, self.m, output, out, classes, self.clock, self.rows)

    def advance(self):
        """Return the launch that goes on to the next batch."""
        counts = self.program.memory.counts
        return self._launch(
            line_kernels.make_advance(), 1, 1, self.clock, counts, int(self.trains), self.rows
        )

    def _launch(self, kernel, blocks, threads, *arguments):
        stream = self.program.stream
        given = [np.int32(a) if isinstance(a, (int, np.bool_)) else a for a in arguments]
        # Made ready anew each time: the simulator keeps one configuration per kernel.
        return lambda: ready(kernel, blocks, threads, stream)(*given)

    def block(self, make, *arguments):
        """Return the launch of a kernel of one block."""
        return self._launch(make(THREADS), 1, THREADS, *arguments)

    def spread(self, size, make, *arguments):
        """Return the launch of a kernel of as many blocks as its entries keep busy."""
        blocks = min(-(-size // THREADS), BLOCKS * multiprocessors())
        return self._launch(make(THREADS), blocks, THREADS, *arguments)

    def view(self, start, *shape):
        """Return a span of the memory."""
        size = int(np.prod(shape))
        return self.m[start : start + size].reshape(shape)

    def eps(self, scalars):
        """Return the eps of a batch norm, which does not change."""
        return float(self.program.stats[self.program.memory.home(scalars)])


def _dense_views(step, at):
    inputs, outputs = at["inputs"], at["outputs"]
    shapes = {
        "x": (step.rows, inputs), "dx": (step.rows, inputs), "y": (step.rows, outputs), "dy": (step.rows, outputs),
        "weight": (inputs, outputs), "dweight": (inputs, outputs), "bias": (outputs,), "dbias": (outputs,),
    }  # fmt: skip
    return {name: step.view(at[name], *shape) if at[name] >= 0 else None for name, shape in shapes.items()}


def _dense(step, at):
    views, p = _dense_views(step, at), step.program
    operands = [views[name] for name in ("x", "weight", "bias", "y")]
    return [partial(dense_forward, *operands, stream=p.stream, workspace=p.workspace)]


def _dense_backward(step, at):
    views, p = _dense_views(step, at), step.program
    operands = [views[name] for name in ("dy", "x", "weight", "dx", "dweight", "dbias")]
    return [partial(dense_backward, *operands, stream=p.stream, workspace=p.workspace)]


def _statistics(step, at):
    rows, columns = step.rows, at["outputs"]
    x, mean = step.view(at["x"], rows, columns), step.view(at["mean"], 2, columns)
    var, stream = step.view(at["var"], columns), step.program.stream
    return [partial(batch_statistics, x, mean, var, stream=stream, workspace=step.program.workspace)]


def _weighted_statistics(step, at):
    make = line_kernels.make_weighted_statistics
    return [
        step.block(make, step.m, at["x"], at["mean"], at["var"], step.weight_at, step.sums, step.rows, at["outputs"])
    ]  # fmt: skip


def _track(step, at):
    make, counts = line_kernels.make_track, step.program.memory.counts
    return [
        step.block(
            make, step.m, at["running_mean"], at["running_var"], at["mean"], at["var"], at["scalars"], counts,
            at["counter"], step.clock, step.sums, at["outputs"],
        )
    ]  # fmt: skip


def _factors(step, at):
    columns = at["outputs"]
    names = ("weight", "bias", "mean", "var")
    return [step.view(at[name], *((2, columns) if name == "mean" else (columns,))) for name in names]


def _normalize(relu, step, at):
    shape = step.rows, at["outputs"]
    x, y = step.view(at["x"], *shape), step.view(at["y"], *shape)
    return [partial(normalize, relu, x, *_factors(step, at), step.eps(at["scalars"]), y, step.program.stream)]


def _norm_backward(relu, step, at):
    columns, p = at["outputs"], step.program
    dy, x, dx = (step.view(at[name], step.rows, columns) for name in ("dy", "x", "dx"))
    sums = [step.view(at[name], columns) for name in ("dweight", "dbias")]
    factors, eps = _factors(step, at), step.eps(at["scalars"])
    return [partial(differentiate, relu, dy, x, *factors, eps, dx, *sums, p.stream, p.workspace)]


def _weighted_norm_backward(step, at):
    names = ("dy", "x", "weight", "mean", "var", "scalars", "dx", "dweight", "dbias")
    make = line_kernels.make_weighted_norm_backward
    return [
        step.block(make, step.m, *(at[n] for n in names), step.weight_at, step.sums, step.rows, at["outputs"])
    ]  # fmt: skip


def _activation(code):
    function, names = _ACTIVATIONS[code]

    def make(step, at):
        views = [step.view(at[name], step.rows * at["outputs"]) for name in names]
        return [partial(function, *views, stream=step.program.stream)]

    return make


def _cross_entropy(step, at):
    make, labels = line_kernels.make_cross_entropy, step.program.labels
    return [
        step.block(
            make, step.m, at["x"], at["y"], labels, at["mean"], step.weight_at, step.results, step.steps, step.clock,
            step.sums, step.trains, step.rows, at["outputs"],
        )
    ]  # fmt: skip


def _cross_entropy_backward(step, at):
    make, size = line_kernels.make_cross_entropy_backward, step.rows * at["outputs"]
    return [
        step.spread(
            size, make, step.m, at["y"], at["dx"], step.program.labels, at["mean"], step.weight_at, step.sums,
            step.rows, at["outputs"],
        )
    ]  # fmt: skip


def _squared_error(step, at):
    return [
        step.block(
            line_kernels.make_squared_error, step.m, at["x"], step.batches.target_at, step.weight_at, step.results,
            step.steps, step.clock, step.sums, step.trains, step.rows, at["outputs"],
        )
    ]  # fmt: skip


def _squared_error_backward(step, at):
    make, size = line_kernels.make_squared_error_backward, step.rows * at["outputs"]
    return [
        step.spread(
            size, make, step.m, at["x"], step.batches.target_at, at["dx"], step.weight_at, step.sums, step.rows,
            at["outputs"],
        )
    ]  # fmt: skip


def _sgd(step, at):
    b, names = step.batches, ("x", "dx", "weight", "scalars")
    arguments = [*(at[name] for name in names), b.rates, b.rated, step.clock, at["outputs"]]
    return [step.spread(at["outputs"], line_kernels.make_sgd, step.m, *arguments)]


def _adam(step, at):
    b, names = step.batches, ("x", "dx", "weight", "bias", "scalars")
    counts = step.program.memory.counts
    arguments = [*(at[name] for name in names), b.rates, b.rated, counts, step.clock, at["outputs"]]
    return [step.spread(at["outputs"], line_kernels.make_adam, step.m, *arguments)]


_MAKERS = {
    Code.DENSE_FORWARD: _dense,
    Code.DENSE_BACKWARD: _dense_backward,
    Code.BATCH_STATISTICS: _statistics,
    Code.WEIGHTED_STATISTICS: _weighted_statistics,
    Code.TRACK_STATISTICS: _track,
    Code.TRACK_WEIGHTED_STATISTICS: _track,
    Code.NORMALIZE: partial(_normalize, False),
    Code.NORMALIZE_RELU: partial(_normalize, True),
    Code.BATCH_NORM_BACKWARD: partial(_norm_backward, False),
    Code.BATCH_NORM_RELU_BACKWARD: partial(_norm_backward, True),
    Code.BATCH_NORM_WEIGHTED_BACKWARD: _weighted_norm_backward,
    **{code: _activation(code) for code in _ACTIVATIONS},
    Code.SOFTMAX_CROSS_ENTROPY_FORWARD: _cross_entropy,
    Code.WEIGHTED_CROSS_ENTROPY_FORWARD: _cross_entropy,
    Code.SOFTMAX_CROSS_ENTROPY_BACKWARD: _cross_entropy_backward,
    Code.WEIGHTED_CROSS_ENTROPY_BACKWARD: _cross_entropy_backward,
    Code.SQUARED_ERROR_FORWARD: _squared_error,
    Code.WEIGHTED_SQUARED_ERROR_FORWARD: _squared_error,
    Code.SQUARED_ERROR_BACKWARD: _squared_error_backward,
    Code.WEIGHTED_SQUARED_ERROR_BACKWARD: _squared_error_backward,
    Code.SGD_UPDATE: _sgd,
    Code.ADAM_UPDATE: _adam,
}
