"""The dense layer, played by one block or by a grid of them: a thread takes whole entries of the result."""

from minibn.kernels.cuda.target import cuda, device_function
from minibn.program.cuda.block_sums import ZERO, row_of


@device_function
def dense_entries(m, x, weight, bias, y, rows, inputs, outputs):
    """Write y = x @ weight + bias; ``bias`` is -1 for none."""
    for p in range(cuda.grid(1), rows * outputs, cuda.gridsize(1)):
        i = row_of(p, outputs)
        j = p - i * outputs
        total = m[bias + j] if bias >= 0 else ZERO
        for k in range(inputs):
            total += m[x + i * inputs + k] * m[weight + k * outputs + j]
        m[y + p] = total


@device_function
def dense_backward_entries(m, dy, x, weight, dx, dweight, dbias, rows, inputs, outputs):
    """Write dweight = x.T @ dy, dbias = sum of dy, as one more row of it, and dx = dy @ weight.T."""
    t = cuda.grid(1)
    for p in range(t, (inputs + (1 if dbias >= 0 else 0)) * outputs, cuda.gridsize(1)):
        k = row_of(p, outputs)
        j, total = p - k * outputs, ZERO
        if k < inputs:
            for i in range(rows):
                total += m[x + i * inputs + k] * m[dy + i * outputs + j]
            m[dweight + p] = total
        else:
            for i in range(rows):
                total += m[dy + i * outputs + j]
            m[dbias + j] = total
    for p in range(t, rows * inputs if dx >= 0 else 0, cuda.gridsize(1)):
        i = row_of(p, inputs)
        k, total = p - i * inputs, ZERO
        for j in range(outputs):
            total += m[dy + i * outputs + j] * m[weight + k * outputs + j]
        m[dx + p] = total
