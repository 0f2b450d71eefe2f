"""Operations that live on the tape only: NumPy forward, one backward rule each, with broadcasting."""

import numpy as np

from minibn.autograd.op import register


def _reduced(gradient, like):
    """Sum a gradient over the axes along which ``like`` was broadcast."""
    if gradient.shape == like.shape:
        return gradient
    extra = gradient.ndim - like.ndim
    stretched = tuple(
        i + extra for i, n in enumerate(like.shape) if n == 1 and gradient.shape[i + extra] != 1
    )
    return gradient.sum(axis=(*range(extra), *stretched), keepdims=False).reshape(like.shape)


def _binary(name, forward, left, right):
    """Register a broadcasting operation of two arrays with its two partial derivatives, times dy."""

    def backward(dy, saved, needs):
        a, b = saved
        return (
            _reduced(np.asarray(left(dy, a, b)), a) if needs[0] else None,
            _reduced(np.asarray(right(dy, a, b)), b) if needs[1] else None,
        )

    return register(name, lambda a, b: (forward(a, b), (a, b)), backward)


ADD = _binary("add", np.add, lambda dy, a, b: dy, lambda dy, a, b: dy)
SUB = _binary("sub", np.subtract, lambda dy, a, b: dy, lambda dy, a, b: -dy)
MUL = _binary("mul", np.multiply, lambda dy, a, b: dy * b, lambda dy, a, b: dy * a)
DIV = _binary("div", np.divide, lambda dy, a, b: dy / b, lambda dy, a, b: -dy * a / (b * b))


def _matmul_backward(dy, saved, needs):
    a, b = saved
    rows, columns = np.atleast_2d(a), b[:, None] if b.ndim == 1 else b
    dy = dy[..., None, :] if a.ndim == 1 and b.ndim > 1 else dy
    dy = dy[..., None] if b.ndim == 1 else dy
    dy = dy[..., None, :] if a.ndim == 1 and b.ndim == 1 else dy
    return (
        _reduced(dy @ np.swapaxes(columns, -1, -2), rows).reshape(a.shape) if needs[0] else None,
        _reduced(np.swapaxes(rows, -1, -2) @ dy, columns).reshape(b.shape) if needs[1] else None,
    )


MATMUL = register("matmul", lambda a, b: (a @ b, (a, b)), _matmul_backward)


def _spread(dy, shape, axis, keepdims):
    """Return a gradient repeated along the axes that were summed."""
    if axis is not None and not keepdims:
        dy = np.expand_dims(dy, axis)
    return np.broadcast_to(dy, shape)


def _sum_backward(dy, saved, needs):
    return (_spread(dy, *saved),)


def _mean_backward(dy, saved, needs):
    shape = saved[0]
    return (_spread(dy * (dy.size / np.prod(shape)), *saved),)


SUM = register(
    "sum",
    lambda a, axis, keepdims: (np.sum(a, axis=axis, keepdims=keepdims), (a.shape, axis, keepdims)),
    _sum_backward,
)
MEAN = register(
    "mean",
    lambda a, axis, keepdims: (np.mean(a, axis=axis, keepdims=keepdims), (a.shape, axis, keepdims)),
    _mean_backward,
)
RESHAPE = register(
    "reshape",
    lambda a, shape: (a.reshape(shape), (a.shape,)),
    lambda dy, saved, needs: (dy.reshape(saved[0]),),
)


def _transpose_backward(dy, saved, needs):
    (axes,) = saved
    return (dy.transpose(None if axes is None else np.argsort(np.mod(axes, dy.ndim))),)


TRANSPOSE = register("transpose", lambda a, axes: (a.transpose(axes), (axes,)), _transpose_backward)


def _exp(a):
    y = np.exp(a)
    return y, (y,)


EXP = register("exp", _exp, lambda dy, saved, needs: (dy * saved[0],))
LOG = register("log", lambda a: (np.log(a), (a,)), lambda dy, saved, needs: (dy / saved[0],))
