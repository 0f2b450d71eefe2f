"""Softmax and the losses of ONNX, which may have any number of axes, weights of classes and labels to ignore."""

import numpy as np

from minibn import functional as F
from minibn.autograd import Tensor
from minibn.functional import checks


def _softmax(rows):
    """Return the softmax of each row, which the kernel of the loss writes for any labels."""
    return F.softmax_cross_entropy_forward(rows, np.zeros(len(rows), np.int64))[1]


def _log_softmax(rows):
    """Return the logarithm of the softmax of each row, on the tape."""
    shifted = Tensor(rows) - rows.max(axis=1, keepdims=True)
    return (shifted - shifted.exp().sum(axis=1, keepdims=True).log()).data


def _along(axis, function, x):
    """Apply a function of rows along an axis of an array."""
    moved = np.moveaxis(x, axis, -1)
    rows = np.ascontiguousarray(moved).reshape(-1, moved.shape[-1])
    return np.ascontiguousarray(np.moveaxis(function(rows).reshape(moved.shape), -1, axis))


def _of_axis(function):
    def play(call):
        x = call.inputs[0]
        if call.version >= 13:
            return (_along(call.options.get("axis", -1), function, x),)
        axis = call.options.get("axis", 1) % x.ndim  # the axes from this one on were one, before opset 13
        return (function(x.reshape(int(np.prod(x.shape[:axis])), -1)).reshape(x.shape),)

    return play


def _classes_last(call):
    """Return the scores as rows of classes, the labels, those to be ignored replaced by 0, and the weight of each."""
    scores, labels, weights = call.inputs[0], call.inputs[1], call.input(2)
    if labels.shape != scores.shape[:1] + scores.shape[2:]:
        raise call.refuse(f"labels of shape {labels.shape} do not fit scores of shape {scores.shape}")
    rows = np.moveaxis(scores, 1, -1).reshape(-1, scores.shape[1])
    labels, classes = labels.reshape(-1), scores.shape[1]
    kept = labels != call.options["ignore_index"] if "ignore_index" in call.options else np.True_
    labels = checks.labels("labels", np.where(kept, labels, 0), len(rows), classes)
    if weights is not None and weights.shape != (classes,):
        raise call.refuse(f"weights must have shape ({classes},), got {weights.shape}")
    weights = np.ones(classes) if weights is None else weights
    return np.ascontiguousarray(rows), labels, weights[labels] * kept


def _reduction(call):
    reduction = call.options.get("reduction", "mean")
    if reduction not in ("mean", "sum", "none"):
        raise call.refuse(f"reduction must be mean, sum or none, got {reduction}")
    return reduction


def _picked(call, rows, labels, weights):
    """Return the negative log-likelihood of the labels, reduced as the node asks."""
    losses = -(Tensor(rows[np.arange(len(rows)), labels]) * weights.astype(rows.dtype))
    reduction = _reduction(call)
    if reduction == "none":
        return losses.data.reshape(call.inputs[1].shape)
    total = losses.sum() if reduction == "sum" else losses.sum() / float(weights.sum())
    return np.asarray(total.data, rows.dtype)


def _negative_log_likelihood(call):
    return (_picked(call, *_classes_last(call)),)


def _softmax_cross_entropy(call):
    rows, labels, weights = _classes_last(call)
    if _reduction(call) == "mean":
        loss = np.asarray(_mean(rows, labels, weights), rows.dtype)
    else:
        loss = _picked(call, _log_softmax(rows), labels, weights)
    return (loss, _along(1, _log_softmax, call.inputs[0])) if call.outputs > 1 else (loss,)


def _mean(rows, labels, weights):
    """Return the mean loss by the kernels: what is ignored has weight 0."""
    if (weights == 1).all():
        return F.softmax_cross_entropy_forward(rows, labels)[0]
    return F.softmax_cross_entropy_weighted_forward(rows, labels, weights)[0]


NODES = {
    "Softmax": _of_axis(_softmax),
    "LogSoftmax": _of_axis(_log_softmax),
    "NegativeLogLikelihoodLoss": _negative_log_likelihood,
    "SoftmaxCrossEntropyLoss": _softmax_cross_entropy,
}
