"""The dense layer y = x W + b on CUDA, with W of shape (in, out).

Products go to cuBLAS where an installed library brings it, see :mod:`minibn.kernels.cuda.dense_blas`, and otherwise
to the kernels of :mod:`minibn.kernels.cuda.matrix_product`.
"""

import numpy as np

from minibn.kernels.cuda import dense_blas
from minibn.kernels.cuda.arrays import aligned, flat, given
from minibn.kernels.cuda.column_sums import sum_columns
from minibn.kernels.cuda.matrix_product import cut, make_product
from minibn.kernels.cuda.target import ready
from minibn.kernels.cuda.workspace import workspace_of


def _multiply(left, right, base, sizes, along, out, stream, workspace):
    """Write the product of two flat arrays of ``sizes`` = rows, columns, terms of the result."""
    rows, columns, terms = sizes
    plan = cut(rows, columns, terms)
    lengths = terms if along[0] else rows, terms if along[1] else columns
    vector = 4 if aligned(left, right) and not any(length % 4 for length in lengths) else 1
    slabs = plan.grid[2]
    room = (workspace or workspace_of(stream)).reserve(
        slabs * rows * columns if slabs > 1 else 1, plan.grid[0] * plan.grid[1], stream
    )
    make = make_product(plan.tile, vector, *along, base is not None)
    ready(make, plan.grid, plan.tile.threads, stream)(
        left, right, right if base is None else base, *map(np.int32, sizes), np.int32(plan.share), *room, out
    )


def dense_forward_tiled(x, weight, bias, y, *, stream=0, workspace=None):
    """Play :func:`dense_forward` by minibn's own kernels."""
    sizes = (x.shape[0], weight.shape[1], x.shape[1])
    base = flat("bias", bias) if given(bias) else None
    operands = flat("x", x), flat("weight", weight)
    _multiply(*operands, base, sizes, (True, False), flat("y", y), stream, workspace)


def dense_backward_tiled(dy, x, weight, dx, dweight, dbias, *, stream=0, workspace=None):
    """Play :func:`dense_backward` by minibn's own kernels."""
    upstream, data = flat("dy", dy), flat("x", x)
    (rows, inputs), outputs = x.shape, weight.shape[1]
    sizes = inputs, outputs, rows
    _multiply(data, upstream, None, sizes, (False, False), flat("dweight", dweight), stream, workspace)
    if given(dx):
        sizes, operands = (rows, inputs, outputs), (upstream, flat("weight", weight))
        _multiply(*operands, None, sizes, (True, True), flat("dx", dx), stream, workspace)
    if given(dbias):
        sum_columns(dy, dbias, stream, workspace)


def dense_forward(x, weight, bias, y, *, stream=0, workspace=None):
    """Write y = x @ weight + bias.

    Parameters
    ----------
    x : device array of float32, shape (N, I)
        C-contiguous.
    weight : device array of float32, shape (I, O)
    bias : device array of float32, shape (O,), or None
        None for no bias.
    y : device array of float32, shape (N, O)
        Output.
    stream : Stream
        Of ``numba.cuda``; 0 for the default.
    workspace : Workspace, optional
        Memory for partial results; that of the stream if left out.

    Raises
    ------
    DeviceError, DtypeError, ShapeError
    """
    if dense_blas.library() is None:
        dense_forward_tiled(x, weight, bias, y, stream=stream, workspace=workspace)
    else:
        dense_blas.dense_forward_blas(x, weight, bias, y, stream=stream)


def dense_backward(dy, x, weight, dx, dweight, dbias, *, stream=0, workspace=None):
    """Differentiate :func:`dense_forward`: dx = dy @ weight.T, dweight = x.T @ dy, dbias = sum of dy.

    Parameters
    ----------
    dy : device array of float32, shape (N, O)
        Gradient of the loss by y.
    x : device array of float32, shape (N, I)
        The input of the forward pass. C-contiguous.
    weight : device array of float32, shape (I, O)
    dx : device array of float32, shape (N, I), or None
        Output; None where the gradient of the input is not needed.
    dweight : device array of float32, shape (I, O)
        Output.
    dbias : device array of float32, shape (O,), or None
        Output; None where there is no bias.
    stream : Stream
        Of ``numba.cuda``; 0 for the default.
    workspace : Workspace, optional
        Memory for partial results; that of the stream if left out.

    Raises
    ------
    DeviceError, DtypeError, ShapeError
    """
    arrays, room = (dy, x, weight, dx, dweight, dbias), {"stream": stream, "workspace": workspace}
    if dense_blas.library() is None:
        dense_backward_tiled(*arrays, **room)
    else:
        dense_blas.dense_backward_blas(*arrays, **room)
