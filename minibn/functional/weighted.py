"""Batch norm and losses of rows that have weights, checked."""

import numpy as np

from minibn import kernels
from minibn.errors import ArgumentError
from minibn.functional import checks
from minibn.functional.losses import pair, weights_of_classes
from minibn.functional.normalization import by_channel, scale_and_shift, statistics_of
from minibn.kernels.cpu.batch_norm_relu import batch_norm_affine
from minibn.kernels.cpu.batch_norm_weighted import weighted_statistics


def _rows_of_weights(weight, x, shape):
    """Return one checked weight for each row that the kernel sees: several where channels come last."""
    if shape[0] % x.shape[0]:
        raise ArgumentError("channel_axis must not be 0, the axis of the weighted rows; transpose x")
    weight = checks.weights("weight", weight, x.shape[0])
    return weight if shape[0] == weight.size else np.repeat(weight, shape[0] // weight.size)


def batch_norm_weighted_forward(x, weight, gamma, beta, eps=1e-5, channel_axis=1):
    """Normalise each channel by weighted batch statistics, then scale and shift.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, C, ...)
    weight : ndarray of numbers, shape (N,)
        How often each row counts in the statistics: finite, not negative, with a positive sum. Rows of weight 0
        may hold anything, NaN included; they get an output and change nothing else.
    gamma, beta : ndarray of the dtype of x, shape (C,)
    eps : float
        Added to the variance inside the root; finite and not negative.
    channel_axis : int
        The axis of x that counts channels, not 0.

    Returns
    -------
    y : ndarray of the dtype and shape of x
    mean, var : ndarray of float64, shape (C,)
        Weighted mean and *biased* weighted variance.

    Raises
    ------
    DtypeError, ShapeError, ArgumentError

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.functional import batch_norm_weighted_forward
    >>> x = np.array([[1.0], [2.0], [1e9]])
    >>> y, mean, var = batch_norm_weighted_forward(x, np.array([1.0, 3.0, 0.0]), np.ones(1), np.zeros(1))
    >>> mean, var  # the second row three times, the third left out
    (array([1.75]), array([0.1875]))
    """
    x, shape = by_channel(x, channel_axis)
    weight = _rows_of_weights(weight, x, shape)
    gamma, beta = scale_and_shift(shape[1], x.dtype, gamma, beta)
    y, mean, var = np.empty_like(x), np.empty(shape[1]), np.empty(shape[1])
    x, target, eps = x.reshape(shape), y.reshape(shape), checks.eps(eps)
    # In two steps, as the program does: the second is what evaluation runs too, and is compiled once for both.
    weighted_statistics(x, weight, mean, var)
    batch_norm_affine(x, gamma, beta, mean, var, eps, False, target)
    return y, mean, var


def batch_norm_weighted_backward(dy, x, weight, gamma, mean, var, eps=1e-5, channel_axis=1):
    """Differentiate :func:`batch_norm_weighted_forward`, through the weighted statistics.

    Parameters
    ----------
    dy, x : ndarray of float32 or float64, shape (N, C, ...)
        Gradient of the loss by y, and the input of the forward pass.
    weight : ndarray of numbers, shape (N,)
        The same as in the forward pass; taken as constants.
    gamma : ndarray of the dtype of x, shape (C,)
    mean, var : ndarray of float64, shape (C,)
        What the forward pass returned.
    eps : float
    channel_axis : int
        The axis of x that counts channels, not 0.

    Returns
    -------
    dx : ndarray of the dtype and shape of x
    dgamma, dbeta : ndarray of the dtype of x, shape (C,)

    Raises
    ------
    DtypeError, ShapeError, ArgumentError
    """
    x, shape = by_channel(x, channel_axis)
    weight = _rows_of_weights(weight, x, shape)
    gamma = checks.floats("gamma", gamma, (shape[1],), x.dtype)
    dy = checks.floats("dy", dy, x.shape, x.dtype)
    mean, var = statistics_of(mean, var, shape[1])
    dx, dgamma, dbeta = np.empty_like(x), np.empty_like(gamma), np.empty_like(gamma)
    dy, source, target = (array.reshape(shape) for array in (dy, x, dx))
    kernels.batch_norm_weighted_backward(
        dy, source, weight, gamma, mean, var, checks.eps(eps), target, dgamma, dbeta
    )
    return dx, dgamma, dbeta


def softmax_cross_entropy_weighted_forward(logits, labels, weight, class_weight=None):
    """Compute softmax probabilities and the weighted mean of the rows' cross entropies.

    Parameters
    ----------
    logits : ndarray of float32 or float64, shape (N, K)
    labels : ndarray of an integer dtype, shape (N,)
        Class indices in [0, K).
    weight : ndarray of numbers, shape (N,)
        Of each row: finite, not negative, with a positive sum.
    class_weight : ndarray of float64, shape (K,), optional
        Multiplies the weights of the rows.

    Returns
    -------
    loss : float
        In nats.
    probabilities : ndarray of the dtype of logits, shape (N, K)

    Raises
    ------
    DtypeError, ShapeError, ArgumentError
    """
    logits = checks.floats("logits", logits, ("N", "K"))
    labels = checks.labels("labels", labels, *logits.shape)
    weight = checks.weights("weight", weight, len(labels))
    factors, probabilities = weights_of_classes(class_weight, labels, logits.shape[1]), np.empty_like(logits)
    loss = kernels.softmax_cross_entropy_weighted_forward(logits, labels, weight, factors, probabilities)
    return loss, probabilities


def softmax_cross_entropy_weighted_backward(probabilities, labels, weight, class_weight=None):
    """Return the gradient of the weighted mean cross entropy by the logits.

    Parameters
    ----------
    probabilities : ndarray of float32 or float64, shape (N, K)
        What :func:`softmax_cross_entropy_weighted_forward` returned.
    labels, weight, class_weight
        The same as in the forward pass.

    Returns
    -------
    ndarray of the dtype of probabilities, shape (N, K)
        0 in rows of weight 0.

    Raises
    ------
    DtypeError, ShapeError, ArgumentError
    """
    probabilities = checks.floats("probabilities", probabilities, ("N", "K"))
    labels = checks.labels("labels", labels, *probabilities.shape)
    weight = checks.weights("weight", weight, len(labels))
    factors, dlogits = (
        weights_of_classes(class_weight, labels, probabilities.shape[1]),
        np.empty_like(probabilities),
    )
    kernels.softmax_cross_entropy_weighted_backward(probabilities, labels, weight, factors, dlogits)
    return dlogits


def _table(array):
    """Return an array of rows as (N, K)."""
    return array.reshape(array.shape[0], -1)


def squared_error_weighted_forward(prediction, target, weight):
    """Return the weighted mean over rows of the mean of (prediction - target) ** 2, as a float.

    Parameters
    ----------
    prediction, target : ndarray of float32 or float64, the same shape (N, ...) and dtype
    weight : ndarray of numbers, shape (N,)
        Of each row: finite, not negative, with a positive sum.

    Raises
    ------
    DtypeError, ShapeError, ArgumentError
    """
    prediction, target = pair(prediction, target)
    weight = checks.weights("weight", weight, len(prediction))
    return kernels.squared_error_weighted_forward(_table(prediction), _table(target), weight)


def squared_error_weighted_backward(prediction, target, weight):
    """Return its gradient by the prediction; arguments as :func:`squared_error_weighted_forward`."""
    prediction, target = pair(prediction, target)
    weight, out = checks.weights("weight", weight, len(prediction)), np.empty_like(prediction)
    kernels.squared_error_weighted_backward(_table(prediction), _table(target), weight, _table(out))
    return out
