"""Where the executor finds the kernels: the addresses of those that a program uses."""

import numpy as np

from minibn import kernels
from minibn.kernels.compile import kernel
from minibn.kernels.cpu.calls import address, entries
from minibn.program.instructions import Code


@kernel
def gather(x, order, start, rows, target):
    """Copy the rows ``order[start : start + rows]`` of x into the flat ``target``, converting their dtype."""
    columns = x.shape[1]
    for i in range(rows):
        source, row = x[order[start + i]], target[i * columns : (i + 1) * columns]
        for j in range(columns):
            row[j] = source[j]


# How the executor calls each kernel: M a matrix and V a vector of the model's dtype, S float64 and L int64 vectors,
# f a float, i an int, b a bool. Eager calls have the same types, and so run the same machine code.
_CALLS = {
    Code.DENSE_FORWARD: (kernels.dense_forward, "MMVM"),
    Code.DENSE_FORWARD_BLAS: (kernels.dense_forward_blas, "MMVM"),
    Code.DENSE_BACKWARD: (kernels.dense_backward, "MMMMMV"),
    Code.DENSE_BACKWARD_BLAS: (kernels.dense_backward_blas, "MMMMMV"),
    Code.BATCH_NORM_FORWARD: (kernels.batch_norm_forward, "MVVfMSS"),
    Code.BATCH_NORM_BACKWARD: (kernels.batch_norm_backward, "MMVSSfMVV"),
    Code.BATCH_NORM_RELU_FORWARD: (kernels.batch_norm_relu_forward, "MVVfMSS"),
    Code.BATCH_NORM_RELU_BACKWARD: (kernels.batch_norm_relu_backward, "MMVVSSfMVV"),
    Code.BATCH_NORM_INFERENCE: (kernels.batch_norm_inference, "MVVSSfM"),
    Code.UPDATE_RUNNING_STATS: (kernels.update_running_stats_inplace, "SSSSif"),
    Code.RELU_FORWARD: (kernels.relu_forward, "VV"),
    Code.RELU_BACKWARD: (kernels.relu_backward, "VVV"),
    Code.SIGMOID_FORWARD: (kernels.sigmoid_forward, "VV"),
    Code.SIGMOID_BACKWARD: (kernels.sigmoid_backward, "VVV"),
    Code.TANH_FORWARD: (kernels.tanh_forward, "VV"),
    Code.TANH_BACKWARD: (kernels.tanh_backward, "VVV"),
    Code.SOFTMAX_CROSS_ENTROPY_FORWARD: (kernels.softmax_cross_entropy_forward, "MLSM"),
    Code.SOFTMAX_CROSS_ENTROPY_BACKWARD: (kernels.softmax_cross_entropy_backward, "MLSM"),
    Code.SQUARED_ERROR_FORWARD: (kernels.squared_error_forward, "VV"),
    Code.SQUARED_ERROR_BACKWARD: (kernels.squared_error_backward, "VVV"),
    Code.SGD_UPDATE: (kernels.sgd_update_inplace, "VVVffbf"),
    Code.ADAM_UPDATE: (kernels.adam_update_inplace, "VVVVifffff"),
}

_TRACKING = {Code.BATCH_NORM_FORWARD, Code.BATCH_NORM_RELU_FORWARD}
_DENSE = {Code.DENSE_FORWARD, Code.DENSE_BACKWARD}


def used_codes(instructions, rows):
    """Return the codes of all kernels that some lines need for batches of at most so many rows."""
    used = {line.code for line in instructions}
    if used & _TRACKING:
        used.add(Code.UPDATE_RUNNING_STATS)
    for line in instructions:
        large = rows * line.operands.get("inputs", 0) * line.operands.get("outputs", 0) >= kernels.BLAS_FROM
        if line.code in _DENSE and large:
            used.add(Code(line.code + 1))
    return used


def table_of_kernels(codes, dtype):
    """Return the addresses of the kernels of some codes, compiling those that are not compiled yet.

    Parameters
    ----------
    codes : iterable of Code
    dtype : dtype
        float32 or float64.

    Returns
    -------
    ndarray of int64, shape (codes,)
        0 where a code is not among them.
    """
    found, examples = entries(len(Code)), _examples(dtype)
    for code in sorted(codes):
        function, types = _CALLS[code]
        found[code] = address(function, *(examples[letter] for letter in types))
    return found


def set_gather(found, x, dtype):
    """Enter the address of the gather that reads data like x into a table of addresses."""
    like = np.empty((1, 1), x.dtype) if x.flags.c_contiguous else np.empty((2, 4), x.dtype)[:, ::2]
    examples = _examples(dtype)
    found[Code.GATHER] = address(gather, like, examples["L"], 0, 0, examples["V"])


def _examples(dtype):
    return {
        "M": np.empty((1, 1), dtype),
        "V": np.empty(1, dtype),
        "S": np.empty(1),
        "L": np.empty(1, np.int64),
        "f": 1.0,
        "i": 1,
        "b": False,
    }
