"""The kernels on CUDA: the names, arguments and meaning of :mod:`minibn.kernels`, on arrays of the device.

Arrays are float32. A mean is two float32 numbers per channel, shape (2, C), whose sum it is. Calls are queued on a
stream and return at once. Without a device everything imports, and the first use says in one line what is missing.
"""

from minibn.kernels.cuda.activations import (
    relu_backward,
    relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    tanh_backward,
    tanh_forward,
)
from minibn.kernels.cuda.arrays import empty, to_device
from minibn.kernels.cuda.batch_norm import batch_norm_backward, batch_norm_forward, batch_norm_inference
from minibn.kernels.cuda.batch_norm_relu import batch_norm_relu_backward, batch_norm_relu_forward
from minibn.kernels.cuda.dense import dense_backward, dense_forward
from minibn.kernels.cuda.dense_blas import dense_library
from minibn.kernels.cuda.losses import (
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    squared_error_backward,
    squared_error_forward,
)
from minibn.kernels.cuda.optimizers import adam_update_inplace, sgd_update_inplace
from minibn.kernels.cuda.statistics import (
    mean_to_device,
    mean_to_host,
    update_running_stats_inplace,
    var_to_device,
    var_to_host,
)
from minibn.kernels.cuda.target import missing, require
from minibn.kernels.cuda.workspace import Workspace

__all__ = [
    "Workspace",
    "adam_update_inplace",
    "batch_norm_backward",
    "batch_norm_forward",
    "batch_norm_inference",
    "batch_norm_relu_backward",
    "batch_norm_relu_forward",
    "dense_backward",
    "dense_forward",
    "dense_library",
    "empty",
    "mean_to_device",
    "mean_to_host",
    "missing",
    "relu_backward",
    "relu_forward",
    "require",
    "sgd_update_inplace",
    "sigmoid_backward",
    "sigmoid_forward",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
    "squared_error_backward",
    "squared_error_forward",
    "tanh_backward",
    "tanh_forward",
    "to_device",
    "update_running_stats_inplace",
    "var_to_device",
    "var_to_host",
]
