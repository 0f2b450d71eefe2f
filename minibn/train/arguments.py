"""The arguments of a training run, checked and turned into what the loop works with."""

from pathlib import Path

import numpy as np

from minibn.data import class_weights
from minibn.errors import ArgumentError, BatchSizeError, DtypeError, ShapeError
from minibn.functional import checks
from minibn.nn.losses import LOSSES, SoftmaxCrossEntropy
from minibn.train.checkpoint import Checkpoint
from minibn.train.early_stopping import EarlyStopping
from minibn.train.optimizers import SGD, Optimizer


def rows(x_name, y_name, x, y, least=2):
    """Check features and targets and return them as arrays with one target per row."""
    x, y = np.asanyarray(x), np.atleast_1d(y)
    if x.ndim != 2 or x.size == 0:
        raise ShapeError(
            f"{x_name} must have shape (N, C) and not be empty, got {x.shape}; reshape to rows and columns"
        )
    if len(x) != len(y):
        raise ShapeError(f"{y_name} must have one entry per row of {x_name}, {len(x)}, got {len(y)}")
    if len(x) < least:
        raise BatchSizeError(
            f"{x_name} must have at least {least} rows, got {len(x)}: one row has no variance; add rows"
        )
    return x, y


def checkpoint(checkpoint):
    """Return a Checkpoint from a path, a Checkpoint or None."""
    if checkpoint is None or isinstance(checkpoint, Checkpoint):
        return checkpoint
    return Checkpoint(Path(checkpoint))


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


def validation_part(validation):
    """Check a pair (x, y), or pass None through."""
    if validation is None:
        return None
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise ArgumentError(
            f"validation must be a share of the rows or a pair (x, y), got {type(validation).__name__}; pass e.g. 0.2"
        )
    return rows("validation x", "validation y", *validation, least=1)


def loss(loss):
    """Return a loss object from its name or itself."""
    if callable(loss):
        return loss
    if loss not in LOSSES:
        raise ArgumentError(f"loss must be one of {', '.join(LOSSES)}, got {loss!r}; or pass a loss object")
    return LOSSES[loss]()


def weighted_loss(loss, class_weight, model, y):
    """Check labels against the network's outputs and return the loss with its class weights."""
    if not isinstance(loss, SoftmaxCrossEntropy):
        if class_weight is not None:
            raise ArgumentError("class_weight needs softmax cross entropy; leave it out for a regression")
        return loss
    checks.labels("y", y, len(y), model.out_features)
    loss = (
        loss
        if class_weight is None
        else SoftmaxCrossEntropy(class_weights(y, model.out_features, class_weight))
    )
    if loss.class_weight is not None and not (loss.class_weight > 0).all():
        raise ArgumentError(
            f"class_weight must be positive, got {loss.class_weight.tolist()}: a batch of rows without weight has "
            "no mean loss; leave rows of that class out instead"
        )
    return loss
