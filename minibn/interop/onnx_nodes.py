"""What the operators of ONNX are here: each a short function over kernels, checked functions and the tape."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minibn import functional as F
from minibn.autograd import Tensor
from minibn.errors import ConversionError, DtypeError


@dataclass(frozen=True)
class Call:
    """One node with its operands.

    Attributes
    ----------
    place : str
        What to call the node in an error.
    inputs : list of ndarray or None
        None for an optional input that is left out.
    options : dict
        Attributes of the node, by name.
    outputs : int
        How many outputs the node has.
    version : int
        Of the operator set.
    """

    place: str
    inputs: list
    options: dict
    outputs: int
    version: int

    def input(self, position):
        """Return an optional input, or None."""
        return self.inputs[position] if position < len(self.inputs) else None

    def refuse(self, why):
        """Return the error for a node that cannot be played."""
        return ConversionError(f"{self.place}: {why}")


def tensors(call):
    """Return the operands as tensors, for the tape; floats only, since a Tensor would make others float64."""
    for array in call.inputs:
        if array.dtype not in (np.float32, np.float64):
            raise DtypeError(
                f"{call.place} must have float32 or float64 operands, got {array.dtype}; add a Cast"
            )
    return [Tensor(array) for array in call.inputs]


# layers


def _batch_norm(call):
    x, gamma, beta, mean, var = call.inputs
    gamma, beta = gamma.astype(x.dtype), beta.astype(x.dtype)
    running_mean, running_var = mean.astype(np.float64), var.astype(np.float64)
    eps, old = call.options.get("epsilon", 1e-5), call.options.get("momentum", 0.9)
    if not _normalizes_by_the_batch(call):
        return (F.batch_norm_inference(x, gamma, beta, running_mean, running_var, eps),)
    y, batch_mean, batch_var = F.batch_norm_forward(x, gamma, beta, eps)
    # ONNX weighs the old value and keeps the biased variance, which n = 0 stands for.
    F.update_running_stats_inplace(running_mean, running_var, batch_mean, batch_var, 0, 1.0 - old)
    return y, running_mean.astype(mean.dtype), running_var.astype(var.dtype)


def _normalizes_by_the_batch(call):
    if call.version >= 14:
        return bool(call.options.get("training_mode", 0))
    if call.outputs > 1 or call.version < 7 and not call.options.get("is_test", 0):
        raise call.refuse("training before opset 14 left its outputs open; convert the model to opset 14")
    if not call.options.get("spatial", 1):
        raise call.refuse("spatial=0 keeps statistics of every place, which minibn does not")
    return False


def _gemm(call):
    a, b, bias = call.inputs[0], call.inputs[1], call.input(2)
    alpha, beta = call.options.get("alpha", 1.0), call.options.get("beta", 1.0)
    a, b = a.T if call.options.get("transA", 0) else a, b.T if call.options.get("transB", 0) else b
    a = a if alpha == 1 else (Tensor(a) * alpha).data
    if bias is None:
        return (F.dense_forward(a, b),)
    bias = bias if beta == 1 else (Tensor(bias) * beta).data
    if bias.shape == b.shape[1:]:
        return (F.dense_forward(a, b, bias),)
    return ((Tensor(F.dense_forward(a, b)) + bias).data,)


def _matmul(call):
    a, b = tensors(call)
    return (F.dense_forward(a.data, b.data) if a.ndim == b.ndim == 2 else (a @ b).data,)


def _elementwise(function):
    return lambda call: (function(call.inputs[0]),)


# arithmetic, on the tape


def _arithmetic(function):
    def play(call):
        if call.options.get("broadcast"):
            raise call.refuse("the attribute broadcast is of opset 6; convert the model to opset 7 or later")
        return (np.asarray(function(*tensors(call)).data),)

    return play


# what moves entries, and computes nothing


def _identity(call):
    return (call.inputs[0],)


def _dropout(call):
    training = call.input(2)
    if training is not None and training.any():
        raise call.refuse("minibn has no dropout in training")
    if call.outputs > 1:
        raise call.refuse("minibn has no mask of a dropout")
    return (call.inputs[0],)


def _constant(call):
    (name, value), *_ = call.options.items()
    kinds: dict[str, Any] = {
        "value": None, "value_float": np.float32, "value_floats": np.float32, "value_int": np.int64,
        "value_ints": np.int64,
    }  # fmt: skip
    if name not in kinds:
        raise call.refuse(f"a constant of kind {name} is no array of numbers")
    return (np.asarray(value, kinds[name]),)


# By the number that ONNX has for it.
_KINDS = {1: np.float32, 11: np.float64, 6: np.int32, 7: np.int64}


def _cast(call):
    x, kind = call.inputs[0], _KINDS.get(call.options["to"])
    if kind is None or x.dtype not in (*_KINDS.values(), np.float16):
        raise call.refuse("a cast is known between float32, float64, int32 and int64, and from float16")
    return (x.astype(kind),)


def _shape(call):
    shape = call.inputs[0].shape[call.options.get("start", 0) : call.options.get("end")]
    return (np.asarray(shape, np.int64),)


def _reshape(call):
    x, wanted = call.inputs[0], call.options.get("shape")
    wanted = (call.inputs[1] if wanted is None else np.asarray(wanted)).tolist()
    if not call.options.get("allowzero", 0):
        wanted = [n or x.shape[axis] for axis, n in enumerate(wanted)]
    return (x.reshape(wanted),)


def _flatten(call):
    x, axis = call.inputs[0], call.options.get("axis", 1)
    axis = axis % x.ndim if axis < 0 else axis
    return (x.reshape(int(np.prod(x.shape[:axis])), -1),)


def _transpose(call):
    return (np.ascontiguousarray(call.inputs[0].transpose(call.options.get("perm"))),)


NODES = {
    "BatchNormalization": _batch_norm,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Relu": _elementwise(F.relu_forward),
    "Sigmoid": _elementwise(F.sigmoid_forward),
    "Tanh": _elementwise(F.tanh_forward),
    "Add": _arithmetic(lambda a, b: a + b),
    "Sub": _arithmetic(lambda a, b: a - b),
    "Mul": _arithmetic(lambda a, b: a * b),
    "Div": _arithmetic(lambda a, b: a / b),
    "Neg": _arithmetic(lambda a: -a),
    "Exp": _arithmetic(lambda a: a.exp()),
    "Log": _arithmetic(lambda a: a.log()),
    "Cast": _cast,
    "Constant": _constant,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Identity": _identity,
    "Reshape": _reshape,
    "Shape": _shape,
    "Transpose": _transpose,
}
