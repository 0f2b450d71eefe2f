"""A small autograd: tensors, a tape, one record per operation, and a checker for gradients."""

from minibn.autograd.gradcheck import gradcheck
from minibn.autograd.layer_ops import (
    batch_norm,
    batch_norm_inference,
    batch_norm_relu,
    dense,
    relu,
    sigmoid,
    softmax_cross_entropy,
    squared_error,
    tanh,
)
from minibn.autograd.op import OPS, Op
from minibn.autograd.tape import apply, no_grad
from minibn.autograd.tensor import Tensor
from minibn.autograd.weighted_ops import (
    batch_norm_weighted,
    softmax_cross_entropy_weighted,
    squared_error_weighted,
)

__all__ = [
    "OPS",
    "Op",
    "Tensor",
    "apply",
    "batch_norm",
    "batch_norm_inference",
    "batch_norm_relu",
    "batch_norm_weighted",
    "dense",
    "gradcheck",
    "no_grad",
    "relu",
    "sigmoid",
    "softmax_cross_entropy",
    "softmax_cross_entropy_weighted",
    "squared_error",
    "squared_error_weighted",
    "tanh",
]
