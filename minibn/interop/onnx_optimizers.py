"""The optimizers of ONNX's training preview, on the optimizers' kernels."""

import math

import numpy as np

from minibn import functional as F
from minibn.autograd import Tensor


def _columns(call, kinds):
    """Return rate, number of steps so far, and for each parameter its arrays: parameter, gradient, state."""
    rate, steps, *arrays = call.inputs
    count = len(arrays) // kinds
    groups = [[np.array(a) for a in arrays[kind * count : (kind + 1) * count]] for kind in range(kinds)]
    return float(rate), int(steps), list(zip(*groups, strict=True))


def _outputs(columns, *positions):
    return tuple(column[position] for position in positions for column in columns)


def _momentum(call):
    rate, steps, columns = _columns(call, 3)
    options = call.options
    keep, penalty, nesterov = options["alpha"], options["norm_coefficient"], options["mode"] == "nesterov"
    new = options["beta"] if steps > 0 else 1.0
    for param, gradient, velocity in columns:
        gradient = (Tensor(gradient) + Tensor(param) * penalty).data
        scaled = gradient if new == 1 else (Tensor(gradient) * new).data
        F.sgd_update_inplace(param, scaled, velocity, rate, keep, nesterov)
        if nesterov and new != 1:  # there only the velocity takes the scaled gradient, the step the whole one
            rest = (Tensor(gradient) - scaled).data
            F.sgd_update_inplace(param, rest, None, rate)
    return _outputs(columns, 0, 2)


def _adam(call):
    rate, steps, columns = _columns(call, 4)
    options = call.options
    first, second = options.get("alpha", 0.9), options.get("beta", 0.999)
    # At step 0 ONNX does not correct the bias of the moments; far along, the correction is 1.
    steps = steps if steps > 0 else 2**62
    # ONNX adds epsilon before the correction of the second moment, minibn after it, as in the paper.
    eps = options.get("epsilon", 1e-6) / math.sqrt(1.0 - second**steps)
    decay, after = options.get("norm_coefficient", 0.0), options.get("norm_coefficient_post", 0.0)
    for param, gradient, m, v in columns:
        F.adam_update_inplace(param, gradient, m, v, steps, rate, first, second, eps, decay)
        param *= param.dtype.type(1.0 - after)
    return _outputs(columns, 0, 2, 3)


NODES = {"Momentum": _momentum, "Adam": _adam}
