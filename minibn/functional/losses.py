"""The losses, checked."""

import numpy as np

from minibn import kernels
from minibn.functional import checks
from minibn.functional.on_cuda import also_on_cuda


def weights_of_classes(class_weight, labels, classes):
    """Return checked class weights; empty for none, so that one compiled version serves both."""
    class_weight = checks.class_weight(class_weight, labels, classes)
    return np.empty(0) if class_weight is None else class_weight


@also_on_cuda
def softmax_cross_entropy_forward(logits, labels, class_weight=None):
    """Compute softmax probabilities and the mean cross entropy.

    Parameters
    ----------
    logits : ndarray of float32 or float64, shape (N, K)
    labels : ndarray of an integer dtype, shape (N,)
        Class indices in [0, K).
    class_weight : ndarray of float64, shape (K,), optional
        Weight of each class; the mean divides by the sum of the rows' weights.

    Returns
    -------
    loss : float
        In nats.
    probabilities : ndarray of the dtype of logits, shape (N, K)

    Raises
    ------
    DtypeError, ShapeError, ArgumentError

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.functional import softmax_cross_entropy_forward
    >>> loss, probabilities = softmax_cross_entropy_forward(np.array([[2.0, 0.0], [0.0, 0.0]]), np.array([0, 1]))
    >>> round(float(loss), 4)
    0.41
    >>> probabilities.round(3)
    array([[0.881, 0.119],
           [0.5  , 0.5  ]])
    """
    logits = checks.floats("logits", logits, ("N", "K"))
    labels = checks.labels("labels", labels, *logits.shape)
    class_weight = weights_of_classes(class_weight, labels, logits.shape[1])
    probabilities = np.empty_like(logits)
    return kernels.softmax_cross_entropy_forward(logits, labels, class_weight, probabilities), probabilities


@also_on_cuda
def softmax_cross_entropy_backward(probabilities, labels, class_weight=None):
    """Return the gradient of the mean cross entropy by the logits.

    Parameters
    ----------
    probabilities : ndarray of float32 or float64, shape (N, K)
        What :func:`softmax_cross_entropy_forward` returned.
    labels : ndarray of an integer dtype, shape (N,)
    class_weight : ndarray of float64, shape (K,), optional

    Returns
    -------
    ndarray of the dtype of probabilities, shape (N, K)

    Raises
    ------
    DtypeError, ShapeError, ArgumentError
    """
    probabilities = checks.floats("probabilities", probabilities, ("N", "K"))
    labels = checks.labels("labels", labels, *probabilities.shape)
    class_weight = weights_of_classes(class_weight, labels, probabilities.shape[1])
    dlogits = np.empty_like(probabilities)
    kernels.softmax_cross_entropy_backward(probabilities, labels, class_weight, dlogits)
    return dlogits


def pair(prediction, target):
    """Return prediction and target, checked: of one shape and dtype."""
    prediction = checks.floats("prediction", prediction, None)
    return prediction, checks.floats("target", target, prediction.shape, prediction.dtype, "prediction")


@also_on_cuda
def squared_error_forward(prediction, target):
    """Return the mean of (prediction - target) ** 2 over all entries, as a float.

    Parameters
    ----------
    prediction, target : ndarray of float32 or float64, the same shape and dtype

    Raises
    ------
    DtypeError, ShapeError
    """
    prediction, target = pair(prediction, target)
    return kernels.squared_error_forward(prediction.reshape(-1), target.reshape(-1))


@also_on_cuda
def squared_error_backward(prediction, target):
    """Return 2 (prediction - target) / number of entries; arguments as :func:`squared_error_forward`."""
    prediction, target = pair(prediction, target)
    out = np.empty_like(prediction)
    kernels.squared_error_backward(prediction.reshape(-1), target.reshape(-1), out.reshape(-1))
    return out
