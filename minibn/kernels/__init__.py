"""Batch norm and its neighbours as compiled functions for your own code.

Every name here is callable from Python and from any ``@njit`` function, serial or parallel. Outputs come last
and belong to the caller. Nothing is checked: a wrong shape reads or writes out of bounds. The checked
versions, under the same names, are in :mod:`minibn.functional`.
"""

from minibn.kernels.cache import on_compile
from minibn.kernels.compile import njit
from minibn.kernels.cpu.activations import (
    relu_backward,
    relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    tanh_backward,
    tanh_forward,
)
from minibn.kernels.cpu.batch_norm import batch_norm_backward, batch_norm_forward, batch_norm_inference
from minibn.kernels.cpu.batch_norm_relu import batch_norm_relu_backward, batch_norm_relu_forward
from minibn.kernels.cpu.batch_norm_weighted import batch_norm_weighted_backward, batch_norm_weighted_forward
from minibn.kernels.cpu.dense import dense_backward, dense_forward
from minibn.kernels.cpu.losses import (
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    squared_error_backward,
    squared_error_forward,
)
from minibn.kernels.cpu.optimizers import adam_update_inplace, sgd_update_inplace
from minibn.kernels.cpu.statistics import update_running_stats_inplace
from minibn.kernels.cpu.weighted_losses import (
    softmax_cross_entropy_weighted_backward,
    softmax_cross_entropy_weighted_forward,
    squared_error_weighted_backward,
    squared_error_weighted_forward,
)

__all__ = [
    "adam_update_inplace",
    "batch_norm_backward",
    "batch_norm_forward",
    "batch_norm_inference",
    "batch_norm_relu_backward",
    "batch_norm_relu_forward",
    "batch_norm_weighted_backward",
    "batch_norm_weighted_forward",
    "dense_backward",
    "dense_forward",
    "njit",
    "on_compile",
    "relu_backward",
    "relu_forward",
    "sgd_update_inplace",
    "sigmoid_backward",
    "sigmoid_forward",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
    "softmax_cross_entropy_weighted_backward",
    "softmax_cross_entropy_weighted_forward",
    "squared_error_backward",
    "squared_error_forward",
    "squared_error_weighted_backward",
    "squared_error_weighted_forward",
    "tanh_backward",
    "tanh_forward",
    "update_running_stats_inplace",
]
