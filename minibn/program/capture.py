"""From the tape of one step to a program: spans for every array, lines for every operation."""

import numpy as np

from minibn.autograd.tape import recorded
from minibn.errors import ProgramError
from minibn.functional import checks
from minibn.nn.losses import SoftmaxCrossEntropy
from minibn.program.emit import EMITTERS, Emitter
from minibn.program.program import Program


def capture(model, loss, optimizer, max_batch):
    """Lay out one training step of a network as a program.

    The step's operations are played once, on a copy, to put them on the tape; weights, statistics, gradients and
    optimizer state stay as they are. Afterwards parameters, statistics and optimizer state of the model are views
    of the program's arenas: what trains is what the model holds. Capturing a model again moves them, and the old
    program then refuses to run.

    Parameters
    ----------
    model : minibn.nn.Sequential
    loss : minibn.nn.SoftmaxCrossEntropy or minibn.nn.SquaredError
    optimizer : minibn.train.SGD or minibn.train.Adam
    max_batch : int
        Most rows of a batch.

    Returns
    -------
    Program

    Raises
    ------
    ProgramError
        When an operation has no instruction; the message names it.
    """
    max_batch = checks.whole("max_batch", max_batch, 1)
    emitter = Emitter(model, loss, optimizer, max_batch)
    for node, output in _played(model, loss):
        name = node.op.name
        if name not in EMITTERS:
            raise ProgramError(
                f"op {name!r} has no instruction; train with engine='eager', or add one to minibn/program"
            )
        EMITTERS[name](emitter, node, output)
    return Program(emitter.finished(), model, loss, optimizer, max_batch)


def _played(model, loss):
    """Return (node, output tensor) of every operation of a forward pass, in order, with the model's own tensors."""
    rows = np.random.default_rng(0).standard_normal((2, model.in_features)).astype(model.dtype)
    buffers = {name: np.array(value) for name, value in model.buffers().items()}
    skipped = [getattr(layer, "num_batches_skipped", 0) for layer in model.layers]
    try:
        with recorded() as tape:
            output = model(rows, training=True)
            loss(output, _some_target(loss, output))
    finally:
        for name, value in model.buffers().items():
            value[...] = buffers[name]
        for layer, count in zip(model.layers, skipped, strict=True):
            if count != getattr(layer, "num_batches_skipped", 0):
                layer.num_batches_skipped = count
    return tape


def _some_target(loss, output):
    return np.zeros(2, np.int64) if isinstance(loss, SoftmaxCrossEntropy) else np.zeros(output.shape)
