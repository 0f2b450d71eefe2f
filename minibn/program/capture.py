"""From the tape of one step to a program: spans for every array, lines for every operation."""

import numpy as np

from minibn.autograd.tape import outlined
from minibn.errors import ProgramError
from minibn.functional import checks
from minibn.nn.losses import SoftmaxCrossEntropy
from minibn.program import devices
from minibn.program.emit import Emitter
from minibn.program.emitters import EMITTERS
from minibn.program.program import Program


def capture(model, loss, optimizer, max_batch, weighted=False, device="cpu"):
    """Lay out one training step of a network as a program.

    The step's operations are put on the tape without being computed; weights, statistics, gradients and optimizer
    state stay as they are. Afterwards parameters, statistics and optimizer state of the model are views
    of the program's arenas: what trains is what the model holds. Capturing a model again moves them, and the old
    program then refuses to run.

    Parameters
    ----------
    model : minibn.nn.Sequential
    loss : minibn.nn.SoftmaxCrossEntropy or minibn.nn.SquaredError
    optimizer : minibn.train.SGD or minibn.train.Adam
    max_batch : int
        Most rows of a batch.
    weighted : bool
        Whether the program takes weights of rows.
    device : str
        ``"cpu"``, ``"cuda"``, or ``"auto"`` for CUDA where it can be used.

    Returns
    -------
    Program
        A :class:`minibn.program.cuda.CudaProgram` on CUDA.

    Raises
    ------
    ProgramError
        When an operation has no instruction; the message names it.
    DeviceError
        When CUDA is asked for and cannot be used; the message says what is missing.
    DtypeError
        When CUDA is asked for and the model is not float32.

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.nn import SoftmaxCrossEntropy, mlp
    >>> from minibn.program import capture
    >>> from minibn.train import SGD
    >>> model = mlp([4, 8, 3], rng=0)
    >>> program = capture(model, SoftmaxCrossEntropy(), SGD(0.1), max_batch=16)
    >>> x, y = np.random.default_rng(0).normal(size=(40, 4)), np.arange(40) % 3
    >>> result = program.run_epoch(x, y, np.arange(40))
    >>> len(result.losses)  # steps: 16, 16 and 8 rows
    3
    """
    device = devices.choose(device)
    max_batch = checks.whole("max_batch", max_batch, 1)
    emitter = Emitter(model, loss, optimizer, max_batch, weighted)
    output, played = _outline(model, loss, {"sample_weight": np.ones(2)} if weighted else {})
    for node, result in played:
        name = node.op.name
        if name not in EMITTERS:
            raise ProgramError(
                f"op {name!r} has no instruction; train with engine='eager', or add one to minibn/program"
            )
        EMITTERS[name](emitter, node, result)
    return _program(device)(emitter.finished(output), model, loss, optimizer, max_batch)


def _program(device):
    if device == "cpu":
        return Program
    from minibn.program.cuda import CudaProgram  # only here: it imports numba.cuda

    return CudaProgram


def _outline(model, loss, weights):
    """Return the network's output and (node, output tensor) of every operation of a step, in playing order."""
    model.unlock()
    rows = np.zeros((2, model.in_features), model.dtype)
    before = {name: np.array(value) for name, value in model.buffers().items()}
    skipped = [getattr(layer, "num_batches_skipped", 0) for layer in model.layers]
    try:
        with outlined() as played:
            output = model(rows, training=True, **weights)
            loss(output, _some_target(loss, output), **weights)
    finally:
        for name, value in model.buffers().items():
            value[...] = before[name]
        for layer, count in zip(model.layers, skipped, strict=True):
            if hasattr(layer, "num_batches_skipped"):
                layer.num_batches_skipped = count
    return output, played


def _some_target(loss, output):
    return np.zeros(2, np.int64) if isinstance(loss, SoftmaxCrossEntropy) else np.zeros(output.shape)
