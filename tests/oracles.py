"""Naive float64 formulas to judge by. Nothing here comes from minibn."""

import numpy as np


def f64(array):
    return np.asarray(array, np.float64)


# batch norm


def inverse_deviation(var, eps):
    total = f64(var) + eps
    return np.divide(1.0, np.sqrt(total), out=np.zeros_like(total), where=total != 0)


def batch_norm_forward(x, gamma, beta, eps):
    x = f64(x)
    mean = x.mean(axis=0)
    var = ((x - mean) ** 2).mean(axis=0)
    return batch_norm_inference(x, gamma, beta, mean, var, eps)[0], mean, var


def batch_norm_inference(x, gamma, beta, mean, var, eps):
    return (f64(gamma) * (f64(x) - mean) * inverse_deviation(var, eps) + f64(beta),)


def batch_norm_backward(dy, x, gamma, mean, var, eps):
    dy, inverse = f64(dy), inverse_deviation(var, eps)
    normalized = (f64(x) - mean) * inverse
    dgamma, dbeta = (dy * normalized).sum(axis=0), dy.sum(axis=0)
    dx = f64(gamma) * inverse * (dy - dbeta / len(dy) - normalized * dgamma / len(dy))
    return dx, dgamma, dbeta


def batch_norm_inference_backward(dy, x, gamma, mean, var, eps):
    inverse = inverse_deviation(var, eps)
    dy, normalized = f64(dy), (f64(x) - mean) * inverse
    return dy * f64(gamma) * inverse, (dy * normalized).sum(axis=0), dy.sum(axis=0)


def batch_norm_relu_forward(x, gamma, beta, eps):
    y, mean, var = batch_norm_forward(x, gamma, beta, eps)
    return np.maximum(y, 0), mean, var


def batch_norm_relu_backward(dy, x, gamma, beta, mean, var, eps):
    open_ = batch_norm_inference(x, gamma, beta, mean, var, eps)[0] > 0
    return batch_norm_backward(f64(dy) * open_, x, gamma, mean, var, eps)


def batch_norm_weighted_forward(x, weight, gamma, beta, eps):
    """Take each row weight / sum of weights of the time."""
    x, share = f64(x), f64(weight)[:, None] / np.sum(weight)
    mean = (share * x).sum(axis=0)
    var = (share * (x - mean) ** 2).sum(axis=0)
    return batch_norm_inference(x, gamma, beta, mean, var, eps)[0], mean, var


def batch_norm_weighted_backward(dy, x, weight, gamma, mean, var, eps):
    """Multiply dy by the derivative of every output by every input, one channel at a time."""
    dy, share, inverse = f64(dy), f64(weight) / np.sum(weight), inverse_deviation(var, eps)
    normalized = (f64(x) - mean) * inverse
    dx = np.zeros(x.shape)
    for j in range(x.shape[1]):
        hat = normalized[:, j]
        jacobian = inverse[j] * (np.eye(len(x)) - share * (1 + np.outer(hat, hat)))
        dx[:, j] = gamma[j] * (dy[:, j] @ jacobian)
    return dx, (dy * normalized).sum(axis=0), dy.sum(axis=0)


def update_running_stats(running_mean, running_var, mean, var, n, momentum):
    unbiased = var * n / (n - 1) if n else var
    return (
        (1 - momentum) * running_mean + momentum * mean,
        (1 - momentum) * running_var + momentum * unbiased,
    )


# dense and activations


def dense_forward(x, weight, bias=None):
    return (f64(x) @ f64(weight) + (0 if bias is None else f64(bias)),)


def dense_backward(dy, x, weight):
    dy = f64(dy)
    return dy @ f64(weight).T, f64(x).T @ dy, dy.sum(axis=0)


def relu_forward(x):
    return (np.maximum(f64(x), 0),)


def relu_backward(dy, y):
    return (f64(dy) * (y > 0),)


def sigmoid_forward(x):
    return (np.exp(-np.logaddexp(0, -f64(x))),)


def sigmoid_backward(dy, y):
    return (f64(dy) * f64(y) * (1 - f64(y)),)


def tanh_forward(x):
    return (np.tanh(f64(x)),)


def tanh_backward(dy, y):
    return (f64(dy) * (1 - f64(y) ** 2),)


# losses


def softmax(logits):
    powers = np.exp(f64(logits) - f64(logits).max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def row_weights(labels, class_weight):
    return np.ones(len(labels)) if class_weight is None else f64(class_weight)[labels]


def softmax_cross_entropy_forward(logits, labels, class_weight=None):
    probabilities, weights = softmax(logits), row_weights(labels, class_weight)
    log_sum = np.log(np.exp(f64(logits) - f64(logits).max(axis=1, keepdims=True)).sum(axis=1))
    margin = f64(logits).max(axis=1) - f64(logits)[np.arange(len(labels)), labels]
    return (weights * (log_sum + margin)).sum() / weights.sum(), probabilities


def softmax_cross_entropy_backward(probabilities, labels, class_weight=None):
    weights = row_weights(labels, class_weight)
    one_hot = np.eye(probabilities.shape[1])[labels]
    return ((f64(probabilities) - one_hot) * (weights / weights.sum())[:, None],)


def squared_error_forward(prediction, target):
    return (((f64(prediction) - f64(target)) ** 2).mean(),)


def squared_error_backward(prediction, target):
    return (2 * (f64(prediction) - f64(target)) / prediction.size,)


def softmax_cross_entropy_weighted_forward(logits, labels, weight, class_weight=None):
    probabilities, weights = softmax(logits), f64(weight) * row_weights(labels, class_weight)
    log_sum = np.log(np.exp(f64(logits) - f64(logits).max(axis=1, keepdims=True)).sum(axis=1))
    margin = f64(logits).max(axis=1) - f64(logits)[np.arange(len(labels)), labels]
    return np.average(log_sum + margin, weights=weights), probabilities


def softmax_cross_entropy_weighted_backward(probabilities, labels, weight, class_weight=None):
    weights = f64(weight) * row_weights(labels, class_weight)
    one_hot = np.eye(probabilities.shape[1])[labels]
    return ((f64(probabilities) - one_hot) * (weights / weights.sum())[:, None],)


def squared_error_weighted_forward(prediction, target, weight):
    return (np.average(((f64(prediction) - f64(target)) ** 2).mean(axis=1), weights=weight),)


def squared_error_weighted_backward(prediction, target, weight):
    share = f64(weight)[:, None] / (np.sum(weight) * prediction.shape[1])
    return (2 * share * (f64(prediction) - f64(target)),)


# optimizers


def sgd_update(param, grad, velocity, learning_rate, momentum, nesterov, weight_decay):
    gradient = f64(grad) + weight_decay * f64(param)
    if velocity is None:
        return (f64(param) - learning_rate * gradient,)
    velocity = momentum * f64(velocity) + gradient
    direction = gradient + momentum * velocity if nesterov else velocity
    return f64(param) - learning_rate * direction, velocity


def adam_update(param, grad, m, v, step, learning_rate, beta1, beta2, eps, weight_decay):
    gradient = f64(grad) + weight_decay * f64(param)
    m = beta1 * f64(m) + (1 - beta1) * gradient
    v = beta2 * f64(v) + (1 - beta2) * gradient**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return f64(param) - learning_rate * m_hat / (np.sqrt(v_hat) + eps), m, v


# tape-only operations: one partial derivative per input, before broadcasting is undone


def unbroadcast(gradient, shape):
    """Sum a gradient down to the shape of an operand that was broadcast."""
    while gradient.ndim > len(shape):
        gradient = gradient.sum(axis=0)
    for axis, length in enumerate(shape):
        if length == 1:
            gradient = gradient.sum(axis=axis, keepdims=True)
    return gradient


def partials(left, right):
    """Make the gradient rule of a broadcasting operation from its two partial derivatives."""
    return lambda dy, a, b: (
        unbroadcast(f64(dy) * left(f64(a), f64(b)), a.shape),
        unbroadcast(f64(dy) * right(f64(a), f64(b)), b.shape),
    )


add_backward = partials(lambda a, b: 1 + 0 * (a + b), lambda a, b: 1 + 0 * (a + b))
sub_backward = partials(lambda a, b: 1 + 0 * (a + b), lambda a, b: -1 + 0 * (a + b))
mul_backward = partials(lambda a, b: b, lambda a, b: a)
div_backward = partials(lambda a, b: 1 / b, lambda a, b: -a / b**2)


def matmul_backward(dy, a, b):
    """Differentiate a matrix product entry by entry."""
    da, db = np.zeros(a.shape), np.zeros(b.shape)
    for i, k, j in np.ndindex(a.shape[0], a.shape[1], b.shape[1]):
        da[i, k] += dy[i, j] * b[k, j]
        db[k, j] += dy[i, j] * a[i, k]
    return da, db
