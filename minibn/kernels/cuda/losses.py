"""Losses with their gradients on CUDA. Each forward pass gives a mean over rows."""

import numpy as np

from minibn.errors import DtypeError
from minibn.kernels.cuda import positions
from minibn.kernels.cuda.arrays import device_array, empty, flat, given, on_device, to_host
from minibn.kernels.cuda.cross_entropy import (
    make_cross_entropy,
    make_cross_entropy_gradient,
    make_squared_error,
    make_squared_error_gradient,
    make_total_weight,
)
from minibn.kernels.cuda.elementwise import blocks_for, size_of
from minibn.kernels.cuda.target import ready
from minibn.kernels.cuda.workspace import workspace_of

_WIDEST = 32  # threads of a row


def _labels(value):
    value = on_device("labels", value)
    if value.dtype.kind not in "iu":
        raise DtypeError(f"labels must be integers, got {value.dtype}; use labels.astype(np.int64)")
    return value


def _row_shape(scores):
    """Return samples, classes and threads of a row, the numbers that the kernels take."""
    samples, classes = scores.shape
    columns = 1
    while columns < min(classes, _WIDEST, positions.THREADS // 2):
        columns *= 2
    return np.int32(samples), np.int32(classes), np.int32(columns)


def _weights(class_weight, scores):
    """Return class weights and whether there are any; the scores stand in for none."""
    weighted = given(class_weight)
    return flat("class_weight", class_weight) if weighted else flat("logits", scores), weighted


def _summing(steps, stream, workspace):
    """Return blocks, and memory for two partial sums of each."""
    blocks = blocks_for(steps, positions.THREADS)
    return blocks, (workspace or workspace_of(stream)).reserve(2 * blocks + 1, 1, stream)


def _answer(loss, given, stream):
    """Return the loss as a float, which waits for it, where the caller gave no place for it."""
    return float(to_host(loss, stream)[0]) if given is None else None


def softmax_cross_entropy_forward(
    logits, labels, class_weight, probabilities, *, loss=None, stream=0, workspace=None
):
    """Write the softmax of each row and give the mean cross entropy, without overflow.

    Parameters
    ----------
    logits : device array of float32, shape (N, K)
        C-contiguous.
    labels : device array of int64, shape (N,)
        Class indices in [0, K). Not checked.
    class_weight : device array of float32, shape (K,), or None
        None for equal weights. The mean divides by the sum of the rows' weights.
    probabilities : device array of float32, shape (N, K)
        Output.
    loss : device array of float32, shape (1,), optional
        Output. Without it the loss is returned, which waits for the device.
    stream : Stream
        Of ``numba.cuda``; 0 for the default.
    workspace : Workspace, optional
        Memory for partial results; that of the stream if left out.

    Returns
    -------
    float or None
        Loss in nats.

    Raises
    ------
    DeviceError, DtypeError, ShapeError

    Notes
    -----
    Bishop 2006, Pattern Recognition and Machine Learning, equations 4.104 and 4.108.
    """
    logits, threads = device_array("logits", logits), positions.THREADS
    shape, (weights, weighted) = _row_shape(logits), _weights(class_weight, logits)
    given, loss = loss, empty(1, stream) if loss is None else flat("loss", loss)
    blocks, room = _summing(logits.shape[0] * int(shape[2]), stream, workspace)
    ready(make_cross_entropy(threads, weighted), blocks, threads, stream)(
        flat("logits", logits), _labels(labels), weights, *shape, *room, flat("probabilities", probabilities), loss
    )  # fmt: skip
    return _answer(loss, given, stream)


def softmax_cross_entropy_backward(probabilities, labels, class_weight, dlogits, *, stream=0, workspace=None):
    """Write the gradient of the mean cross entropy: weight * (probabilities - one hot) / sum of weights.

    Parameters
    ----------
    probabilities : device array of float32, shape (N, K)
        What the forward pass wrote. C-contiguous.
    labels : device array of int64, shape (N,)
    class_weight : device array of float32, shape (K,), or None
    dlogits : device array of float32, shape (N, K)
        Output.
    stream : Stream
        Of ``numba.cuda``; 0 for the default.
    workspace : Workspace, optional
        Memory for partial results; that of the stream if left out.

    Raises
    ------
    DeviceError, DtypeError, ShapeError

    Notes
    -----
    Bishop 2006, equation 4.109.
    """
    probabilities, threads = device_array("probabilities", probabilities), positions.THREADS
    shape, (weights, weighted) = _row_shape(probabilities), _weights(class_weight, probabilities)
    labels, total = _labels(labels), weights
    if weighted:
        blocks, (partials, arrivals) = _summing(probabilities.shape[0], stream, workspace)
        total = partials[2 * blocks : 2 * blocks + 1]
        ready(make_total_weight(threads), blocks, threads, stream)(
            labels, weights, shape[0], partials, arrivals, total
        )
    blocks = blocks_for(probabilities.shape[0] * int(shape[2]), threads)
    ready(make_cross_entropy_gradient(threads, weighted), blocks, threads, stream)(
        flat("probabilities", probabilities), labels, weights, total, *shape, flat("dlogits", dlogits)
    )


def squared_error_forward(prediction, target, *, loss=None, stream=0, workspace=None):
    """Give the mean of (prediction - target) ** 2 over all entries.

    Parameters
    ----------
    prediction, target : device array of float32, the same shape
        C-contiguous.
    loss : device array of float32, shape (1,), optional
        Output. Without it the loss is returned, which waits for the device.
    stream : Stream
        Of ``numba.cuda``; 0 for the default.
    workspace : Workspace, optional
        Memory for partial results; that of the stream if left out.

    Returns
    -------
    float or None

    Raises
    ------
    DeviceError, DtypeError, ShapeError
    """
    threads, size = positions.THREADS, size_of(prediction=prediction, target=target)
    given, loss = loss, empty(1, stream) if loss is None else flat("loss", loss)
    blocks, room = _summing(int(size), stream, workspace)
    ready(make_squared_error(threads), blocks, threads, stream)(
        flat("prediction", prediction), flat("target", target), size, *room, loss
    )
    return _answer(loss, given, stream)


def squared_error_backward(prediction, target, dprediction, *, stream=0):
    """Write 2 (prediction - target) / number of entries.

    Parameters
    ----------
    prediction, target : device array of float32, the same shape
        C-contiguous.
    dprediction : device array of float32, the shape of prediction
        Output.
    stream : Stream
        Of ``numba.cuda``; 0 for the default.

    Raises
    ------
    DeviceError, DtypeError, ShapeError
    """
    threads, size = positions.THREADS, size_of(prediction=prediction, target=target, dprediction=dprediction)
    ready(make_squared_error_gradient(threads), blocks_for(int(size), threads), threads, stream)(
        flat("prediction", prediction), flat("target", target), size, np.float32(2 / size), flat("dprediction", dprediction)
    )  # fmt: skip
