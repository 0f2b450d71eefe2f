"""Batch norm in NumPy, float32, two passes, nothing allocated while it runs."""

import numpy as np


def _row(like):
    return np.empty(like.shape[1], np.float32)


def _normalization(x, gamma, beta, eps, y, mean, var):
    """Return a function that leaves gamma * (x - mean) / sqrt(var + eps) + beta in y."""
    scale, n = _row(x), len(x)

    def run():
        np.add.reduce(x, axis=0, out=mean)
        np.divide(mean, n, out=mean)
        np.subtract(x, mean, out=y)
        np.einsum("ij,ij->j", y, y, out=var)
        np.divide(var, n, out=var)
        np.add(var, eps, out=scale)
        np.sqrt(scale, out=scale)
        np.divide(gamma, scale, out=scale)
        np.multiply(y, scale, out=y)
        np.add(y, beta, out=y)

    return run


def batch_norm_forward(x, gamma, beta, eps, y, mean, var):
    mean, var = _row(x), _row(x)
    return _normalization(x, gamma, beta, eps, y, mean, var), {"y": y, "mean": mean, "var": var}


def batch_norm_relu_forward(x, gamma, beta, eps, y, mean, var):
    mean, var = _row(x), _row(x)
    normalize = _normalization(x, gamma, beta, eps, y, mean, var)

    def run():
        normalize()
        np.maximum(y, 0, out=y)

    return run, {"y": y, "mean": mean, "var": var}


def batch_norm_inference(x, gamma, beta, mean, var, eps, y):
    """Fold the statistics into one scale and one shift, then two passes."""
    mean, var, scale, shift = mean.astype(np.float32), var.astype(np.float32), _row(x), _row(x)

    def run():
        np.add(var, eps, out=scale)
        np.sqrt(scale, out=scale)
        np.divide(gamma, scale, out=scale)
        np.multiply(mean, scale, out=shift)
        np.subtract(beta, shift, out=shift)
        np.multiply(x, scale, out=y)
        np.add(y, shift, out=y)

    return run, {"y": y}


def _differentiation(x, gamma, var, eps, dx, dgamma, dbeta, centred):
    """Return a function of dy which expects x - mean in ``centred`` and leaves the gradients in place."""
    inverse, slope, dy_mean, n = _row(x), _row(x), _row(x), len(x)

    def run(dy):
        np.add(var, eps, out=inverse)
        np.sqrt(inverse, out=inverse)
        np.divide(1, inverse, out=inverse)
        np.add.reduce(dy, axis=0, out=dbeta)
        np.einsum("ij,ij->j", dy, centred, out=dgamma)
        np.multiply(dgamma, inverse, out=dgamma)
        np.multiply(dgamma, inverse, out=slope)
        np.divide(slope, n, out=slope)
        np.divide(dbeta, n, out=dy_mean)
        np.multiply(inverse, gamma, out=inverse)
        np.multiply(centred, slope, out=centred)
        np.subtract(dy, centred, out=dx)
        np.subtract(dx, dy_mean, out=dx)
        np.multiply(dx, inverse, out=dx)

    return run


def batch_norm_backward(dy, x, gamma, mean, var, eps, dx, dgamma, dbeta):
    mean, var, centred = mean.astype(np.float32), var.astype(np.float32), np.empty_like(x)
    differentiate = _differentiation(x, gamma, var, eps, dx, dgamma, dbeta, centred)

    def run():
        np.subtract(x, mean, out=centred)
        differentiate(dy)

    return run, {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}


def batch_norm_relu_backward(dy, x, gamma, beta, mean, var, eps, dx, dgamma, dbeta):
    mean, var, centred = mean.astype(np.float32), var.astype(np.float32), np.empty_like(x)
    differentiate = _differentiation(x, gamma, var, eps, dx, dgamma, dbeta, centred)
    masked, mask, scale = np.empty_like(x), np.empty(x.shape, bool), _row(x)

    def run():
        np.add(var, eps, out=scale)
        np.sqrt(scale, out=scale)
        np.divide(gamma, scale, out=scale)
        np.subtract(x, mean, out=centred)
        np.multiply(centred, scale, out=masked)
        np.add(masked, beta, out=masked)
        np.greater(masked, 0, out=mask)
        np.multiply(dy, mask, out=masked)
        differentiate(masked)

    return run, {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}
