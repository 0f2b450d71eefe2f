"""The front door for arrays of a CUDA device: CuPy's, PyTorch's and Numba's, in place and on the caller's stream.

Names, arguments and results are those of :mod:`minibn.functional`, but for float32 throughout: a mean is two numbers per
channel, shape (2, C), whose sum it is, and variances and class weights are float32. Results belong to the library of
the first array. Nothing is waited for, but for a loss, which is a number.
"""

import functools
import math

import numpy as np

from minibn.errors import ArgumentError
from minibn.functional import checks
from minibn.functional.cuda_arrays import OnDevice, lies_on_cuda


def also_on_cuda(function):
    """Send calls whose first argument lies on a CUDA device to the twin of this file; other calls as they are."""

    @functools.wraps(function)
    def front_door(*arguments, **options):
        first = arguments[0] if arguments else next(iter(options.values()), None)
        if type(first) is np.ndarray or not lies_on_cuda(first):
            return function(*arguments, **options)
        return globals()[function.__name__](*arguments, **options)

    return front_door


def _kernels():
    from minibn.kernels import cuda  # only here: it imports numba.cuda

    return cuda


def _by_channel(device, name, x, channel_axis):
    """Return x as a kernel sees it, (N, C) or (N, C, L), and its own shape."""
    taken = device.take(name, x, shape=None if getattr(x, "ndim", 0) > 2 else ("N", "C"))
    shape = tuple(taken.shape)
    axis = checks.axis("channel_axis", channel_axis, len(shape))
    rows, length = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    seen = (rows, shape[axis]) if length == 1 else (rows, shape[axis], length)
    return taken.reshape(seen), shape, seen


def _batch_norm(name, x, gamma, beta, eps, channel_axis):
    device = OnDevice("x", x)
    source, shape, seen = _by_channel(device, "x", x, channel_axis)
    channels = seen[1]
    factors = [device.take(n, v, shape=(channels,)) for n, v in (("gamma", gamma), ("beta", beta))]
    (y, target), (mean, own_mean), (var, own_var) = map(device.new, (shape, (2, channels), (channels,)))
    play = getattr(_kernels(), name)
    play(source, *factors, checks.eps(eps), target.reshape(seen), own_mean, own_var, stream=device.stream)
    return y, mean, var


def batch_norm_forward(x, gamma, beta, eps=1e-5, channel_axis=1):
    """Return y, mean of shape (2, C) and var."""
    return _batch_norm("batch_norm_forward", x, gamma, beta, eps, channel_axis)


def batch_norm_relu_forward(x, gamma, beta, eps=1e-5, channel_axis=1):
    """Return y, mean of shape (2, C) and var."""
    return _batch_norm("batch_norm_relu_forward", x, gamma, beta, eps, channel_axis)


def batch_norm_inference(x, gamma, beta, mean, var, eps=1e-5, channel_axis=1):
    """Return y for a mean of shape (2, C)."""
    device = OnDevice("x", x)
    source, shape, seen = _by_channel(device, "x", x, channel_axis)
    factors = _factors(device, seen[1], gamma=gamma, beta=beta, mean=mean, var=var)
    y, target = device.new(shape)
    _kernels().batch_norm_inference(
        source, *factors, checks.eps(eps), target.reshape(seen), stream=device.stream
    )
    return y


def _factors(device, channels, **arrays):
    shapes = {"mean": (2, channels)}
    return [device.take(n, value, shape=shapes.get(n, (channels,))) for n, value in arrays.items()]


def _gradients(name, dy, x, affine, mean, var, eps, channel_axis):
    device = OnDevice("dy", dy)
    source, shape, seen = _by_channel(device, "x", x, channel_axis)
    upstream = device.take("dy", dy, shape=shape).reshape(seen)
    factors = _factors(device, seen[1], **affine, mean=mean, var=var)
    (dx, target), *sums = map(device.new, (shape, (seen[1],), (seen[1],)))
    outputs = target.reshape(seen), *(own for _, own in sums)
    getattr(_kernels(), name)(upstream, source, *factors, checks.eps(eps), *outputs, stream=device.stream)
    return dx, *(array for array, _ in sums)


def batch_norm_backward(dy, x, gamma, mean, var, eps=1e-5, channel_axis=1):
    """Return dx, dgamma and dbeta."""
    return _gradients("batch_norm_backward", dy, x, {"gamma": gamma}, mean, var, eps, channel_axis)


def batch_norm_relu_backward(dy, x, gamma, beta, mean, var, eps=1e-5, channel_axis=1):
    """Return dx, dgamma and dbeta."""
    affine = {"gamma": gamma, "beta": beta}
    return _gradients("batch_norm_relu_backward", dy, x, affine, mean, var, eps, channel_axis)


def update_running_stats_inplace(running_mean, running_var, mean, var, n, momentum=0.1):
    """Move running statistics, a mean of shape (2, C) and a variance."""
    device = OnDevice("running_mean", running_mean)
    own = device.take("running_mean", running_mean, written=True)
    channels = own.size // 2
    own_var = device.take("running_var", running_var, shape=(channels,), written=True)
    new = _factors(device, channels, mean=mean, var=var)
    if 0 < checks.whole("n", n, 0) < 2:
        raise ArgumentError(f"n must be 0 or at least 2, got {n}; pass 0 for the biased variance")
    _kernels().update_running_stats_inplace(
        own, own_var, *new, n, checks.momentum(momentum), stream=device.stream
    )


def _layer(device, x, weight):
    x = device.take("x", x, shape=("N", "I"))
    weight = device.take("weight", weight, shape=(x.shape[1], "O"))
    return x, weight, x.shape[0], weight.shape[1]


def dense_forward(x, weight, bias=None):
    """Return x @ weight + bias."""
    device = OnDevice("x", x)
    source, matrix, rows, outputs = _layer(device, x, weight)
    base = None if bias is None else device.take("bias", bias, shape=(outputs,))
    y, target = device.new((rows, outputs))
    _kernels().dense_forward(source, matrix, base, target, stream=device.stream)
    return y


def dense_backward(dy, x, weight, *, needs_dx=True, needs_dbias=True):
    """Return dx, dweight and dbias; None for those that are not needed."""
    device = OnDevice("dy", dy)
    source, matrix, rows, outputs = _layer(device, x, weight)
    upstream = device.take("dy", dy, shape=(rows, outputs))
    none = (None, None)
    dx, own_dx = device.new(tuple(source.shape)) if needs_dx else none
    dweight, own_dweight = device.new(tuple(matrix.shape))
    dbias, own_dbias = device.new((outputs,)) if needs_dbias else none
    _kernels().dense_backward(upstream, source, matrix, own_dx, own_dweight, own_dbias, stream=device.stream)
    return dx, dweight, dbias


def _map(name, **arrays):
    (first, value), *others = arrays.items()
    device = OnDevice(first, value)
    given = [device.take(first, value)]
    given += [device.take(n, v, shape=tuple(given[0].shape)) for n, v in others]
    result, target = device.new(tuple(given[0].shape))
    getattr(_kernels(), name)(*given, target, stream=device.stream)
    return result


def relu_forward(x):
    """Return max(0, x)."""
    return _map("relu_forward", x=x)


def relu_backward(dy, y):
    """Return dy where y > 0, else 0."""
    return _map("relu_backward", dy=dy, y=y)


def sigmoid_forward(x):
    """Return 1 / (1 + exp(-x))."""
    return _map("sigmoid_forward", x=x)


def sigmoid_backward(dy, y):
    """Return dy * y * (1 - y)."""
    return _map("sigmoid_backward", dy=dy, y=y)


def tanh_forward(x):
    """Return tanh(x)."""
    return _map("tanh_forward", x=x)


def tanh_backward(dy, y):
    """Return dy * (1 - y ** 2)."""
    return _map("tanh_backward", dy=dy, y=y)


def _classes(device, name, scores, labels, class_weight):
    scores = device.take(name, scores, shape=("N", "K"))
    labels = device.take("labels", labels, np.int64, (scores.shape[0],))
    if class_weight is not None:
        class_weight = device.take("class_weight", class_weight, shape=(scores.shape[1],))
    return scores, labels, class_weight


def softmax_cross_entropy_forward(logits, labels, class_weight=None):
    """Return the mean loss, a float, and the probabilities. Labels are not checked: that would wait for them."""
    device = OnDevice("logits", logits)
    given = _classes(device, "logits", logits, labels, class_weight)
    probabilities, target = device.new(tuple(given[0].shape))
    return _kernels().softmax_cross_entropy_forward(*given, target, stream=device.stream), probabilities


def softmax_cross_entropy_backward(probabilities, labels, class_weight=None):
    """Return the gradient by the logits."""
    device = OnDevice("probabilities", probabilities)
    given = _classes(device, "probabilities", probabilities, labels, class_weight)
    dlogits, target = device.new(tuple(given[0].shape))
    _kernels().softmax_cross_entropy_backward(*given, target, stream=device.stream)
    return dlogits


def squared_error_forward(prediction, target):
    """Return the mean of (prediction - target) ** 2, a float."""
    device = OnDevice("prediction", prediction)
    given = device.take("prediction", prediction)
    wanted = device.take("target", target, shape=tuple(given.shape))
    return _kernels().squared_error_forward(given, wanted, stream=device.stream)


def squared_error_backward(prediction, target):
    """Return 2 (prediction - target) / number of entries."""
    return _map("squared_error_backward", prediction=prediction, target=target)


def sgd_update_inplace(
    param, grad, velocity=None, learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=0.0
):
    """Take one step of SGD on the device."""
    state = {} if velocity is None else {"velocity": velocity}
    device, param, grad, *speed = _spans(param, grad, **state)
    rate, keep = (
        checks.number("learning_rate", learning_rate, 0.0),
        checks.number("momentum", momentum, 0.0, 1.0),
    )
    if velocity is None and (momentum or nesterov):
        raise ArgumentError("velocity must be an array for momentum or nesterov, got None; pass one of zeros")
    decay = checks.number("weight_decay", weight_decay, 0.0)
    _kernels().sgd_update_inplace(
        param, grad, speed[0] if speed else None, rate, keep, bool(nesterov), decay, stream=device.stream
    )


def adam_update_inplace(
    param, grad, m, v, step, learning_rate=0.001, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0
):
    """Take one step of Adam on the device."""
    device, *spans = _spans(param, grad, m=m, v=v)
    below_one = float(np.nextafter(1.0, 0.0))
    betas = [checks.number(n, b, 0.0, below_one) for n, b in (("beta1", beta1), ("beta2", beta2))]
    rates = checks.number("learning_rate", learning_rate, 0.0), *betas, checks.number("eps", eps, 0.0)
    decay = checks.number("weight_decay", weight_decay, 0.0)
    _kernels().adam_update_inplace(*spans, checks.whole("step", step, 1), *rates, decay, stream=device.stream)


def _spans(param, grad, **state):
    """Return the device, and parameters, gradient and state as a kernel takes them."""
    device = OnDevice("param", param)
    own = device.take("param", param, written=True)
    shape = tuple(own.shape)
    slots = [device.take(name, value, shape=shape, written=True) for name, value in state.items()]
    return device, own, device.take("grad", grad, shape=shape), *slots
