"""Operations that run on the kernels: what the layers are built from."""

import numpy as np

from minibn import functional as F
from minibn.autograd.op import register
from minibn.autograd.tape import apply, record
from minibn.autograd.tensor import Tensor


def _dense(x, weight, bias=None):
    return F.dense_forward(x, weight, bias), (x, weight)


def _dense_backward(dy, saved, needs):
    gradients = F.dense_backward(dy, *saved, needs_dx=needs[0], needs_dbias=len(needs) == 3)
    return gradients[: len(needs)]


def _dense_outline(x, weight, bias=None):
    return np.zeros((x.shape[0], weight.shape[1]), x.dtype), ()


def _batch_norm(x, gamma, beta, eps):
    y, mean, var = F.batch_norm_forward(x, gamma, beta, eps)
    return y, (x, gamma, mean, var, eps)


def _batch_norm_outline(x, gamma, beta, eps):
    return np.zeros_like(x), (x, gamma, np.zeros(gamma.size), np.ones(gamma.size), eps)


def _batch_norm_relu(x, gamma, beta, eps):
    y, mean, var = F.batch_norm_relu_forward(x, gamma, beta, eps)
    return y, (x, gamma, beta, mean, var, eps)


def _batch_norm_relu_outline(x, gamma, beta, eps):
    y, (_, _, mean, var, _) = _batch_norm_outline(x, gamma, beta, eps)
    return y, (x, gamma, beta, mean, var, eps)


def _batch_norm_inference(x, gamma, beta, mean, var, eps):
    return F.batch_norm_inference(x, gamma, beta, mean, var, eps), (x, gamma, mean, var, eps)


def _batch_norm_inference_backward(dy, saved, needs):
    """With given statistics a batch norm is an affine map of each channel, and so is its derivative."""
    x, gamma, mean, var, eps = saved
    zero = np.zeros_like(mean)
    dx = F.batch_norm_inference(dy, gamma, np.zeros_like(gamma), zero, var, eps) if needs[0] else None
    if not any(needs[1:]):
        return dx, None, None
    normalized = F.batch_norm_inference(x, np.ones_like(gamma), np.zeros_like(gamma), mean, var, eps)
    others = (0, *range(2, x.ndim))
    return dx, (dy * normalized).sum(axis=others), dy.sum(axis=others)


DENSE = register("dense", _dense, _dense_backward, _dense_outline)
BATCH_NORM = register(
    "batch_norm",
    _batch_norm,
    lambda dy, saved, needs: F.batch_norm_backward(dy, *saved),
    _batch_norm_outline,
)
BATCH_NORM_RELU = register(
    "batch_norm_relu",
    _batch_norm_relu,
    lambda dy, saved, needs: F.batch_norm_relu_backward(dy, *saved),
    _batch_norm_relu_outline,
)
BATCH_NORM_INFERENCE = register(
    "batch_norm_inference",
    _batch_norm_inference,
    _batch_norm_inference_backward,
    lambda x, *arrays, **attributes: (np.zeros_like(x), ()),
)


def _activation(name, forward, backward):
    def play(x):
        y = forward(x)
        return y, (y,)

    return register(
        name,
        play,
        lambda dy, saved, needs: (backward(dy, *saved),),
        lambda x: (np.zeros_like(x), ()),
    )


RELU = _activation("relu", F.relu_forward, F.relu_backward)
SIGMOID = _activation("sigmoid", F.sigmoid_forward, F.sigmoid_backward)
TANH = _activation("tanh", F.tanh_forward, F.tanh_backward)


def _cross_entropy(logits, labels, class_weight):
    loss, probabilities = F.softmax_cross_entropy_forward(logits, labels, class_weight)
    return np.float64(loss), (probabilities, labels, class_weight)


def _cross_entropy_backward(dy, saved, needs):
    gradient = F.softmax_cross_entropy_backward(*saved)
    gradient *= gradient.dtype.type(dy)
    return (gradient,)


def _squared_error(prediction, target):
    return np.float64(F.squared_error_forward(prediction, target)), (prediction, target)


def _squared_error_backward(dy, saved, needs):
    prediction, target = saved
    gradient = F.squared_error_backward(prediction, target) * prediction.dtype.type(dy)
    return gradient if needs[0] else None, -gradient if needs[1] else None


def loss_outline(*arrays, **attributes):
    """Outline any loss: a number."""
    return np.float64(0), ()


SOFTMAX_CROSS_ENTROPY = register(
    "softmax_cross_entropy", _cross_entropy, _cross_entropy_backward, loss_outline
)
SQUARED_ERROR = register("squared_error", _squared_error, _squared_error_backward, loss_outline)


def as_tensor(value):
    """Return a Tensor as it is, and anything else as a constant one."""
    return value if isinstance(value, Tensor) else Tensor(value)


def dense(x, weight, bias=None):
    """Compute x @ weight + bias; see :func:`minibn.functional.dense_forward`."""
    return apply(DENSE, *map(as_tensor, (x, weight) if bias is None else (x, weight, bias)))


def batch_norm(x, gamma, beta, eps=1e-5):
    """Normalise by batch statistics.

    Returns
    -------
    y : Tensor of the shape of x: (N, C) or (N, C, ...)
    mean, var : ndarray of float64, shape (C,)
        Batch mean and biased batch variance.

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.autograd import Tensor, batch_norm
    >>> x = Tensor(np.array([[1.0], [2.0], [6.0]]), requires_grad=True)
    >>> y, mean, var = batch_norm(x, Tensor(np.ones(1)), Tensor(np.zeros(1)))
    >>> (y * y * y).sum().backward()
    >>> mean, x.grad.round(4).ravel()
    (array([3.]), array([ 0.5668, -0.7085,  0.1417]))
    """
    y, (_, _, mean, var, _) = record(BATCH_NORM, *map(as_tensor, (x, gamma, beta)), eps=eps)
    return y, mean, var


def batch_norm_relu(x, gamma, beta, eps=1e-5):
    """Batch norm followed by ReLU in the same passes; returns what :func:`batch_norm` returns."""
    y, (_, _, _, mean, var, _) = record(BATCH_NORM_RELU, *map(as_tensor, (x, gamma, beta)), eps=eps)
    return y, mean, var


def batch_norm_inference(x, gamma, beta, mean, var, eps=1e-5):
    """Normalise by given statistics; see :func:`minibn.functional.batch_norm_inference`."""
    return apply(BATCH_NORM_INFERENCE, *map(as_tensor, (x, gamma, beta)), mean=mean, var=var, eps=eps)


def relu(x):
    """Return max(0, x)."""
    return apply(RELU, as_tensor(x))


def sigmoid(x):
    """Return 1 / (1 + exp(-x))."""
    return apply(SIGMOID, as_tensor(x))


def tanh(x):
    """Return the hyperbolic tangent."""
    return apply(TANH, as_tensor(x))


def softmax_cross_entropy(logits, labels, class_weight=None):
    """Return the mean cross entropy of logits and class indices, a scalar Tensor of float64."""
    return apply(SOFTMAX_CROSS_ENTROPY, as_tensor(logits), labels=labels, class_weight=class_weight)


def squared_error(prediction, target):
    """Return the mean squared difference of two arrays of one shape, a scalar Tensor of float64."""
    return apply(SQUARED_ERROR, as_tensor(prediction), as_tensor(target))
