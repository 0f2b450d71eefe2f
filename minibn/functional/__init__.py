"""The checked front door: the kernels with every argument checked and every output allocated.

Names and argument order are those of :mod:`minibn.kernels`, without the outputs. Arrays must be float32 or
float64; a layout that is not C-contiguous is copied once; read-only arrays are fine except where a name ends
in ``_inplace``. Every error is a :class:`minibn.errors.MinibnError` and also a ``ValueError`` or ``TypeError``.
"""

from minibn.functional.layers import (
    dense_backward,
    dense_forward,
    relu_backward,
    relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    tanh_backward,
    tanh_forward,
)
from minibn.functional.losses import (
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    squared_error_backward,
    squared_error_forward,
)
from minibn.functional.normalization import (
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_inference,
    batch_norm_relu_backward,
    batch_norm_relu_forward,
    update_running_stats_inplace,
)
from minibn.functional.optimizers import adam_update_inplace, sgd_update_inplace
from minibn.functional.weighted import (
    batch_norm_weighted_backward,
    batch_norm_weighted_forward,
    softmax_cross_entropy_weighted_backward,
    softmax_cross_entropy_weighted_forward,
    squared_error_weighted_backward,
    squared_error_weighted_forward,
)
from minibn.kernels.threads import get_threads, set_threads

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
    "get_threads",
    "relu_backward",
    "relu_forward",
    "set_threads",
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
