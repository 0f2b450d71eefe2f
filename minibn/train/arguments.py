"""The arguments of a training run, checked and turned into what the loop works with."""

import inspect
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

from minibn import foreign
from minibn.data import class_weights
from minibn.data.blocks import first_non_finite
from minibn.errors import ArgumentError, BatchSizeError, DataError, DtypeError, ShapeError
from minibn.functional import checks
from minibn.nn import Sequential
from minibn.nn.losses import LOSSES, SoftmaxCrossEntropy
from minibn.program import devices
from minibn.train.checkpoint import Checkpoint
from minibn.train.early_stopping import EarlyStopping
from minibn.train.optimizers import SGD, Optimizer
from minibn.train.part import Part

REMEDIES = dict.fromkeys(
    ("lr", "learning_rate", "momentum", "weight_decay"),
    "it belongs to the optimizer: pass optimizer=SGD(learning_rate, momentum) or Adam(learning_rate)",
)


def known(options, function):
    """Return the options as they are, or refuse the first that the function does not have."""
    for name in options:
        if name not in _names(function):
            remedy = REMEDIES.get(name, f"choose among {', '.join(_names(function)[3:])}")
            raise DtypeError(f"fit has no argument {name!r}; {remedy}")
    return options


@cache
def _names(function):
    return tuple(inspect.signature(function).parameters)


def network(model):
    """Check that a model is a Sequential with something to train."""
    if not isinstance(model, Sequential):
        got = model.__name__ if isinstance(model, type) else type(model).__name__
        raise DtypeError(f"model must be a minibn.nn.Sequential, got {got}; build one, e.g. mlp([20, 10, 3])")
    if not model.parameters():
        raise ArgumentError(
            f"model must have parameters to train, got {len(model.layers)} layers without any; add a Dense"
        )
    return model


def called_back(callbacks):
    """Check the callbacks and return them as a tuple."""
    if not isinstance(callbacks, Iterable) or callable(callbacks):
        raise DtypeError(
            f"callbacks must be a sequence of functions, got {type(callbacks).__name__}; pass a list of them"
        )
    callbacks = tuple(callbacks)
    for position, callback in enumerate(callbacks):
        if not callable(callback):
            raise DtypeError(
                f"callbacks[{position}] must be a function (model, record), got {callback!r}; pass functions"
            )
    return callbacks


def rows(x_name, y_name, x, y, dtype, least=2):
    """Check features and targets and return them as arrays with one target per row.

    ``dtype`` is that of the network, which every number must fit.
    """
    x, y = features(x_name, x, dtype), np.atleast_1d(foreign.as_array(y_name, y))
    if len(x) != len(y):
        raise ShapeError(f"{y_name} must have one entry per row of {x_name}, {len(x)}, got {len(y)}")
    if len(x) < least:
        raise BatchSizeError(
            f"{x_name} must have at least {least} rows, got {len(x)}: one row has no variance; add rows"
        )
    _check_values(y_name, y, dtype)
    return x, y


def features(name, x, dtype):
    """Check features and return them as a matrix of finite numbers that fit the network's dtype."""
    x = np.asanyarray(foreign.as_array(name, x))
    if x.ndim != 2 or x.size == 0:
        raise ShapeError(
            f"{name} must have shape (N, C) and not be empty, got {x.shape}; reshape to rows and columns"
        )
    if x.dtype.kind not in "iufb":
        raise DtypeError(f"{name} must hold numbers, got {x.dtype}; encode the columns that are not numbers")
    _check_values(name, x, dtype)
    return x


def _check_values(name, values, dtype):
    """Refuse what no loss can be finite with, before it is taken for the fault of a learning rate."""
    if values.dtype.kind != "f":
        return
    matrix = values if values.ndim == 2 else values.reshape(len(values), -1)
    if found := first_non_finite(matrix, dtype):
        row, column = found
        place = f"{row}, {column}" if values.ndim == 2 else f"{row}"
        raise DataError(f"{name}[{place}] is {_fault(matrix[row, column], dtype)}")


def _fault(value, dtype):
    if np.isnan(value):
        return "nan: the value is missing; fill it in or drop the row"
    if np.isinf(value):
        return f"{value}: not finite; correct it or drop the row"
    return f"{value:.4g}: too large for {dtype} ({np.finfo(dtype).max:.2g}); scale it, e.g. with minibn.data.Scaler"


def checkpoint(checkpoint):
    """Return a Checkpoint from a path, a Checkpoint or None."""
    if checkpoint is None or isinstance(checkpoint, Checkpoint):
        return checkpoint
    return Checkpoint(folder("checkpoint", checkpoint))


def folder(name, path):
    """Return a path, or pass None through."""
    if path is not None and not isinstance(path, (str, os.PathLike)):
        raise DtypeError(
            f"{name} must be the path of a folder, got {type(path).__name__}; pass a str or Path"
        )
    return None if path is None else Path(path)


def device(device, engine, dtype):
    """Check a device now and not after the data were read; ``"auto"`` stays where it may become CUDA."""
    chosen = devices.choose(device)
    if device == "auto":
        return device if chosen == "cuda" and engine != "eager" and dtype == np.float32 else "cpu"
    if chosen == "cuda" and engine == "eager":
        raise ArgumentError(
            "device 'cuda' needs engine='program', got 'eager', which runs on the CPU; use device='cpu'"
        )
    return device


def stopping(early_stopping, validation):
    """Return early stopping from a patience, an EarlyStopping or None."""
    if early_stopping is None:
        return None
    if validation is None:
        raise ArgumentError("early_stopping needs validation, got None; pass validation=0.2 or a pair (x, y)")
    return early_stopping if isinstance(early_stopping, EarlyStopping) else EarlyStopping(early_stopping)


def optimizer(optimizer):
    """Return an optimizer, SGD(0.01) where None."""
    if optimizer is None:
        return SGD(0.01)
    if not isinstance(optimizer, Optimizer):
        raise DtypeError(f"optimizer must be SGD or Adam, got {optimizer!r}; pass e.g. SGD(0.01)")
    return optimizer


def validation_part(validation, dtype):
    """Check (x, y) or (x, y, sample_weight) and return the Part, or pass None through."""
    if validation is None:
        return None
    if not isinstance(validation, (tuple, list)) or len(validation) not in (2, 3):
        raise ArgumentError(
            f"validation must be a share of the rows or a pair (x, y), got {type(validation).__name__}; pass e.g. 0.2"
        )
    x, y = rows("validation x", "validation y", *validation[:2], dtype, least=1)
    return Part(x, y, *row_weights("validation sample_weight", *validation[2:] or (None,), len(y), least=1))


def row_weights(name, sample_weight, count, least=2):
    """Check the weights of rows.

    Returns
    -------
    rows : ndarray of int64, or None
        The rows that count; None for all.
    weight : ndarray of float64, shape (count,), or None
        None where every row that counts does so once.
    """
    if sample_weight is None:
        return None, None
    weight = np.asarray(foreign.as_array(name, sample_weight))
    weight = checks.weights(name, weight * 1.0 if weight.dtype == bool else weight, count)
    counted = np.flatnonzero(weight)
    if len(counted) < least:
        raise BatchSizeError(
            f"{name} must be positive for at least {least} rows, got {len(counted)}: one row has no variance; "
            "raise a weight"
        )
    even = (weight[counted] == 1).all()
    return None if len(counted) == count else counted, None if even else weight


def loss(loss):
    """Return a loss object from its name or itself."""
    if isinstance(loss, type):
        raise DtypeError(f"loss must be a loss object, got the class {loss.__name__}; pass {loss.__name__}()")
    if callable(loss):
        return _complete(loss)
    if not isinstance(loss, str) or loss not in LOSSES:
        raise ArgumentError(f"loss must be one of {', '.join(LOSSES)}, got {loss!r}; or pass a loss object")
    return LOSSES[loss]()


def _complete(loss):
    missing = [name for name in ("weight", "correct") if not callable(getattr(loss, name, None))]
    if missing:
        raise DtypeError(
            f"loss must have the methods weight and correct, got {type(loss).__name__} without "
            f"{' and '.join(missing)}; see minibn.nn.SquaredError"
        )
    return loss


def takes_weights(loss):
    """Check that a loss object takes the weights of rows."""
    for name in ("__call__", "weight", "correct"):
        names = inspect.signature(getattr(loss, name)).parameters
        if "sample_weight" not in names:
            raise DtypeError(
                f"loss must take sample_weight in {name}, got {type(loss).__name__} without; "
                "see minibn.nn.SquaredError, or leave sample_weight out"
            )


def weighted_loss(loss, class_weight, model, y, sample_weight=None):
    """Check labels against the network's outputs and return the loss with its class weights."""
    if not isinstance(loss, SoftmaxCrossEntropy):
        if class_weight is not None:
            raise ArgumentError("class_weight needs softmax cross entropy; leave it out for a regression")
        return loss
    checks.labels("y", y, len(y), model.out_features)
    loss = (
        loss
        if class_weight is None
        else SoftmaxCrossEntropy(class_weights(y, model.out_features, class_weight, sample_weight))
    )
    if loss.class_weight is not None and not (loss.class_weight > 0).all():
        raise ArgumentError(
            f"class_weight must be positive, got {loss.class_weight.tolist()}: a batch of rows without weight has "
            "no mean loss; leave rows of that class out instead"
        )
    return loss
