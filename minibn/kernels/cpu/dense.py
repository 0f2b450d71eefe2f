"""The dense layer y = x W + b, with W of shape (in, out).

Products are cut into tiles that stay in registers while they are summed, and are not cut to fit the caches: for
large layers there is :mod:`minibn.kernels.cpu.dense_blas`.
"""

from minibn.kernels.compile import kernel, kernel_part
from minibn.kernels.cpu.product import product
from minibn.kernels.cpu.scratch import PANEL, TILE, panel_like, scratch_like
from minibn.kernels.cpu.strip import FEW, VECTORS, WIDTH
from minibn.kernels.cpu.views import flat, optional


@kernel_part
def _product(a, row_step, depth_step, b, base, out, depth):
    """Write base + a b, where a may lie transposed in memory, b is flat, and ``base`` is one row or empty."""
    rows, columns = out.shape
    product(flat(a), 0, row_step, depth_step, b, 0, columns, depth, base, 0, 0, flat(out), 0, columns,
            rows, columns)  # fmt: skip


@kernel_part
def _product_turned(a, b, out):
    """Write a b.T for a flat a, copying b panel by panel, so that its columns become rows."""
    rows, columns = out.shape
    depth, flat_out, wide = b.shape[1], flat(out), WIDTH // out.itemsize
    panel = panel_like(out)
    for j in range(0, columns, wide):
        width = min(wide, columns - j)
        for start in range(0, depth, PANEL):
            terms = min(PANEL, depth - start)
            for t in range(width):
                for k in range(terms):
                    panel[k * wide + t] = b[j + t, start + k]
            base = flat_out if start else flat_out[:0]
            product(a, start, depth, 1, panel, 0, wide, terms, base, j, columns, flat_out, j, columns,
                    rows, width)  # fmt: skip


@kernel_part
def _add_rows(one, a, start, columns, rows, base, sums, place):
    """Write base plus the sum of each column of some rows of a flat a: a product with a row of ones."""
    product(one, 0, 0, 0, a, start, columns, rows, base, 0, 0, sums, place, 0, 1, columns)


@kernel_part
def _column_sums(a, rows, sums):
    """Write the sum of each column of a flat a.

    Several narrow rows are taken as a wide one, whose sums are then added: one chain would wait for each addition.
    """
    room, columns = scratch_like(a), sums.size
    room[0] = 1
    beside = max(1, VECTORS * WIDTH // (sums.itemsize * columns))
    if beside == 1 or rows < 4 * beside:
        _add_rows(room, a, 0, columns, rows, a[:0], sums, 0)
        return
    groups = rows // beside
    _add_rows(room, a, 0, beside * columns, groups, a[:0], room, 1)
    _add_rows(room, room, 1, columns, beside, a[:0], sums, 0)
    _add_rows(room, a, groups * beside * columns, columns, rows - groups * beside, sums, sums, 0)


@kernel_part
def _weight_gradient(x, dy, dweight):
    """Write x.T dy. Few columns are computed as rows, which fill more lanes: each entry is the same sum either way."""
    inputs, outputs = dweight.shape
    flat_x, upstream = flat(x), flat(dy)
    if outputs > FEW or dweight.size > TILE:
        _product(x, 1, inputs, upstream, upstream[:0], dweight, x.shape[0])
        return
    turned = scratch_like(upstream)
    product(upstream, 0, 1, outputs, flat_x, 0, inputs, x.shape[0], upstream[:0], 0, 0, turned, 0, inputs,
            outputs, inputs)  # fmt: skip
    for i in range(inputs):
        for j in range(outputs):
            dweight[i, j] = turned[j * inputs + i]


@kernel
def dense_forward(x, weight, bias, y):
    """Write y = x @ weight + bias.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, I)
        C-contiguous. Nothing is checked.
    weight : ndarray of the dtype of x, shape (I, O)
    bias : ndarray of the dtype of x, shape (O,), or None
        None or empty for no bias.
    y : ndarray of the dtype of x, shape (N, O)
        Output.
    """
    flat_weight = flat(weight)
    _product(x, x.shape[1], 1, flat_weight, optional(bias, flat_weight), y, x.shape[1])


@kernel
def dense_backward(dy, x, weight, dx, dweight, dbias):
    """Differentiate :func:`dense_forward`: dx = dy @ weight.T, dweight = x.T @ dy, dbias = sum of dy.

    Parameters
    ----------
    dy : ndarray of the dtype of x, shape (N, O)
        Gradient of the loss by y.
    x : ndarray of float32 or float64, shape (N, I)
        The input of the forward pass. C-contiguous. Nothing is checked.
    weight : ndarray of the dtype of x, shape (I, O)
    dx : ndarray of the dtype of x, shape (N, I), or None
        Output; None or empty where the gradient of the input is not needed.
    dweight : ndarray of the dtype of x, shape (I, O)
        Output.
    dbias : ndarray of the dtype of x, shape (O,), or None
        Output; None or empty where there is no bias.
    """
    upstream = flat(dy)
    _weight_gradient(x, dy, dweight)
    if dx is not None and dx.size:
        _product_turned(upstream, weight, dx)
    if dbias is not None and dbias.size:
        _column_sums(upstream, dy.shape[0], dbias)
