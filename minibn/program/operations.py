"""What each line of a program does: which kernel it calls, and with which operands."""

import re
from functools import cache

import numpy as np

from minibn import kernels
from minibn.kernels.compile import kernel
from minibn.kernels.cpu.batch_norm_relu import batch_norm_affine
from minibn.kernels.cpu.batch_norm_weighted import weighted_statistics
from minibn.kernels.cpu.calls import (
    ArrayOperand,
    Flag,
    NumberOperand,
    Rows,
    address,
    addresses,
    dispatcher,
    example,
)
from minibn.kernels.cpu.dense_blas import BLAS_FROM, dense_backward_blas, dense_forward_blas, load_blas
from minibn.kernels.cpu.row_copies import copy_row
from minibn.kernels.cpu.statistics import batch_statistics
from minibn.program.instructions import COLUMN, MEMORY, Code
from minibn.program.second_compiler import share
from minibn.program.tracking import track, track_weighted


@kernel
def gather(x, order, start, rows, target):
    """Copy the rows ``order[start : start + rows]`` of x into the flat ``target``, converting their dtype."""
    columns = x.shape[1]
    for i in range(rows):
        source, row = x[order[start + i]], target[i * columns : (i + 1) * columns]
        for j in range(columns):
            row[j] = source[j]


@kernel
def gather_alike(x, order, start, rows, target):
    """Copy rows as :func:`gather` does, from a C-contiguous x of the dtype of ``target``."""
    for i in range(rows):
        copy_row(x, order[start + i], target, i * x.shape[1])


# Kernel and operands of every code. ``name[a, b * c]`` is an array at the offset in column ``name``, shaped by other
# columns and by the rows of the batch, empty where that offset is "none"; ``name.k`` is the k-th number there,
# ``?name.k`` the same as a bool, ``name.k+1`` one more;
# ``labels``, ``targets`` and ``weights`` are those of the batch; ``true`` and ``false`` are what they say. Eager calls have the same types, and so run the same machine
# code.
_OPERATIONS = {
    Code.DENSE_FORWARD: (
        kernels.dense_forward,
        "x[rows, inputs] weight[inputs, outputs] bias[outputs] y[rows, outputs]",
    ),
    Code.DENSE_BACKWARD: (
        kernels.dense_backward,
        "dy[rows, outputs] x[rows, inputs] weight[inputs, outputs] dx[rows, inputs] dweight[inputs, outputs] "
        "dbias[outputs]",
    ),
    Code.BATCH_STATISTICS: (batch_statistics, "x[rows, outputs] mean[outputs] var[outputs]"),
    Code.NORMALIZE: (
        batch_norm_affine,
        "x[rows, outputs] weight[outputs] bias[outputs] mean[outputs] var[outputs] scalars.0 false y[rows, outputs]",
    ),
    Code.NORMALIZE_RELU: (
        batch_norm_affine,
        "x[rows, outputs] weight[outputs] bias[outputs] mean[outputs] var[outputs] scalars.0 true y[rows, outputs]",
    ),
    Code.BATCH_NORM_BACKWARD: (
        kernels.batch_norm_backward,
        "dy[rows, outputs] x[rows, outputs] weight[outputs] mean[outputs] var[outputs] scalars.0 "
        "dx[rows, outputs] dweight[outputs] dbias[outputs]",
    ),
    Code.BATCH_NORM_RELU_BACKWARD: (
        kernels.batch_norm_relu_backward,
        "dy[rows, outputs] x[rows, outputs] weight[outputs] bias[outputs] mean[outputs] var[outputs] scalars.0 "
        "dx[rows, outputs] dweight[outputs] dbias[outputs]",
    ),
    Code.TRACK_STATISTICS: (
        track,
        "running_mean[outputs] running_var[outputs] mean[outputs] var[outputs] scalars.1 ?scalars.2 rows "
        "counter[inputs]",
    ),
    Code.WEIGHTED_STATISTICS: (
        weighted_statistics,
        "x[rows, outputs] weights[rows] mean[outputs] var[outputs]",
    ),
    Code.TRACK_WEIGHTED_STATISTICS: (
        track_weighted,
        "running_mean[outputs] running_var[outputs] mean[outputs] var[outputs] scalars.1 ?scalars.2 weights[rows] "
        "counter[inputs]",
    ),
    Code.BATCH_NORM_WEIGHTED_BACKWARD: (
        kernels.batch_norm_weighted_backward,
        "dy[rows, outputs] x[rows, outputs] weights[rows] weight[outputs] mean[outputs] var[outputs] scalars.0 "
        "dx[rows, outputs] dweight[outputs] dbias[outputs]",
    ),
    **{
        Code[f"{name}_FORWARD"]: (
            getattr(kernels, f"{name.lower()}_forward"),
            "x[rows * outputs] y[rows * outputs]",
        )
        for name in ("RELU", "SIGMOID", "TANH")
    },
    **{
        Code[f"{name}_BACKWARD"]: (
            getattr(kernels, f"{name.lower()}_backward"),
            "dy[rows * outputs] y[rows * outputs] dx[rows * outputs]",
        )
        for name in ("RELU", "SIGMOID", "TANH")
    },
    Code.SOFTMAX_CROSS_ENTROPY_FORWARD: (
        kernels.softmax_cross_entropy_forward,
        "x[rows, outputs] labels[rows] mean[outputs] y[rows, outputs]",
    ),
    Code.SOFTMAX_CROSS_ENTROPY_BACKWARD: (
        kernels.softmax_cross_entropy_backward,
        "y[rows, outputs] labels[rows] mean[outputs] dx[rows, outputs]",
    ),
    Code.SQUARED_ERROR_FORWARD: (kernels.squared_error_forward, "x[rows * outputs] targets[rows * outputs]"),
    Code.SQUARED_ERROR_BACKWARD: (
        kernels.squared_error_backward,
        "x[rows * outputs] targets[rows * outputs] dx[rows * outputs]",
    ),
    Code.WEIGHTED_CROSS_ENTROPY_FORWARD: (
        kernels.softmax_cross_entropy_weighted_forward,
        "x[rows, outputs] labels[rows] weights[rows] mean[outputs] y[rows, outputs]",
    ),
    Code.WEIGHTED_CROSS_ENTROPY_BACKWARD: (
        kernels.softmax_cross_entropy_weighted_backward,
        "y[rows, outputs] labels[rows] weights[rows] mean[outputs] dx[rows, outputs]",
    ),
    Code.WEIGHTED_SQUARED_ERROR_FORWARD: (
        kernels.squared_error_weighted_forward,
        "x[rows, outputs] targets[rows, outputs] weights[rows]",
    ),
    Code.WEIGHTED_SQUARED_ERROR_BACKWARD: (
        kernels.squared_error_weighted_backward,
        "x[rows, outputs] targets[rows, outputs] weights[rows] dx[rows, outputs]",
    ),
    Code.SGD_UPDATE: (
        kernels.sgd_update_inplace,
        "x[outputs] dx[outputs] weight[outputs] scalars.0 scalars.2 ?scalars.3 scalars.1",
    ),
    Code.ADAM_UPDATE: (
        kernels.adam_update_inplace,
        "x[outputs] dx[outputs] weight[outputs] bias[outputs] counter.0+1 scalars.0 scalars.2 scalars.3 scalars.4 "
        "scalars.1",
    ),
}

# What the executor picks in place of the code before where a product is large.
_BLAS = {
    Code.DENSE_FORWARD_BLAS: dense_forward_blas,
    Code.DENSE_BACKWARD_BLAS: dense_backward_blas,
}

_OF_BATCH = {"labels": "labels", "targets": "targets", "weights": "stats"}  # where each begins
_OPERAND = re.compile(r"(\??)(\w+)(?:\[([^]]*)\]|\.(\d)(\+1)?)?")


def _operand(flag, name, shape, behind, plus):
    if name in ("true", "false"):
        return Flag(name == "true")
    if name == "rows":
        return Rows()
    memory = _OF_BATCH[name] if name in _OF_BATCH else MEMORY[name]
    if not shape:
        return NumberOperand(memory, COLUMN[name], int(behind), int(bool(plus)), bool(flag))
    axes = tuple(tuple(COLUMN.get(f.strip(), "rows") for f in axis.split("*")) for axis in shape.split(","))
    return ArrayOperand(memory, COLUMN.get(name), axes)


OPERANDS = {
    code: tuple(_operand(*found) for found in _OPERAND.findall(text))
    for code, (_, text) in _OPERATIONS.items()
}
"""The operands of every code, tuple of ArrayOperand, NumberOperand, Rows or Flag."""

_FLOATS = range(Code.SOFTMAX_CROSS_ENTROPY_FORWARD, Code.SOFTMAX_CROSS_ENTROPY_BACKWARD)

dispatch = dispatcher({int(code): (code in _FLOATS, parts) for code, parts in OPERANDS.items()})
"""``dispatch(address, line, arena, stats, counts, labels, targets, rows)``: play one line, from compiled code."""


def used_codes(instructions, rows):
    """Return the codes of all kernels that some lines need for batches of at most so many rows."""
    used = {line.code for line in instructions}
    for line in instructions:
        large = rows * line.operands.get("inputs", 0) * line.operands.get("outputs", 0) >= BLAS_FROM
        if line.code + 1 in _BLAS and large:
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
    found = addresses(len(Code))
    if not _BLAS.keys().isdisjoint(codes):
        load_blas()
    kind = np.dtype(dtype)
    for code in share(_one_each(codes, kind), kind):
        _address(code, kind)
    for code in sorted(codes):
        found[code] = _address(code, kind)
    return found


def _one_each(codes, dtype):
    """Yield codes of all their kernels, one of each; looked up only where someone asks, which is rare."""
    yield from sorted({kernel_and_examples(code, dtype)[0]: code for code in codes}.values())


@cache
def _address(code, dtype):
    """Return the address of one kernel; kept, since asking the compiler takes longer than a small epoch."""
    function, examples = kernel_and_examples(code, dtype)
    return address(function, *examples)


def kernel_and_examples(code, dtype):
    """Return the kernel of a code, and arguments of the types that it is called with."""
    function, memories = _BLAS[code] if code in _BLAS else _OPERATIONS[code][0], _memories(dtype)
    operands = OPERANDS[Code(code - 1) if code in _BLAS else code]
    return function, [example(operand, memories) for operand in operands]


def gather_address(x, dtype):
    """Return the address of the kernel that gathers rows of data like x into an arena of a dtype."""
    return _gather_address(x.dtype, x.flags.c_contiguous, np.dtype(dtype))


def gather_for(like, dtype):
    """Return the kernel that gathers rows of such a matrix into an arena of a dtype."""
    return gather_alike if like.flags.c_contiguous and like.dtype == dtype else gather


@cache
def _gather_address(source, contiguous, dtype):
    like = np.empty((1, 1), source) if contiguous else np.empty((2, 4), source)[:, ::2]
    return address(gather_for(like, dtype), like, np.empty(1, np.int64), 0, 0, np.empty(1, dtype))


def _memories(dtype):
    kinds = {"arena": dtype, "stats": np.float64, "counts": np.int64, "labels": np.int64, "targets": dtype}
    return {name: np.empty(0, kind) for name, kind in kinds.items()}
