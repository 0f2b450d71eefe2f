"""What every importer reads: parts of a network, from which one is built here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minibn.errors import ArgumentError, ConversionError
from minibn.nn import BatchNorm, Dense, ReLU, Sequential, Sigmoid, Tanh

KNOWN = "Dense/Linear, BatchNorm, ReLU, Sigmoid, Tanh, Flatten, Dropout and a final Softmax"

ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid, "tanh": Tanh}


@dataclass
class Part:
    """One layer of the source.

    Attributes
    ----------
    place : str
        What the source calls it, for notes and errors: ``"1 (BatchNorm1d)"``.
    make : callable
        From a dtype to a layer with ``arrays`` not yet in it, or None for a part that is left out.
    arrays : dict of str to ndarray
        By attribute of the layer: weight (in, out), bias, gamma, beta, running_mean, ...
    note : str
        What became of it.
    training : bool
        Mode of the layer.
    only_last : bool
        Whether leaving it out is right at the end of the network only.
    """

    place: str
    make: Callable[[Any], Any] | None
    arrays: dict = field(default_factory=dict)
    note: str = ""
    training: bool = False
    only_last: bool = False


def dense(place, weight, bias, note):
    """Return a dense part; the weight is (in, out)."""
    sizes = weight.shape
    arrays = {"weight": weight} | ({} if bias is None else {"bias": bias})
    return Part(place, lambda dtype: Dense(*sizes, bias is not None, dtype=dtype), arrays, note)


def batch_norm(place, mean, var, gamma, beta, note, *, frozen=False, batches=0, **options):
    """Return a batch-norm part; without gamma and beta it is not affine, without one of them that one is neutral."""
    _check_statistic(place, "running_mean", mean, np.isfinite(mean), "finite")
    _check_statistic(place, "running_var", var, np.isfinite(var) & (var >= 0), "finite and not negative")
    affine = gamma is not None or beta is not None
    if affine and (gamma is None or beta is None):
        missing, value = ("gamma", "ones") if gamma is None else ("beta", "zeros")
        note += f"; there is no {missing}: it is {value} here, and trained unless frozen"
    arrays = {"running_mean": mean, "running_var": var, "num_batches_tracked": np.asarray(batches)}
    arrays |= {name: array for name, array in (("gamma", gamma), ("beta", beta)) if array is not None}

    def make(dtype):
        layer = BatchNorm(mean.size, affine=affine, dtype=dtype, **options)
        return layer.freeze() if frozen else layer

    return Part(place, make, arrays, note)


def _check_statistic(place, name, values, right, wanted):
    """Refuse running statistics that no batches can have left: every output behind them would be NaN, or an error."""
    if not right.all():
        column = int(np.argmin(right))
        raise ConversionError(
            f"{place}: {name} must be {wanted}, got {values[column]:g} in column {column}; take the statistics anew "
            "there, or convert the network from before it broke"
        )


def activation(place, name):
    """Return an activation part."""
    kind = ACTIVATIONS[name]
    return Part(place, lambda dtype: kind(), note=kind.__name__)


def nothing(place, note="left out: it changes nothing"):
    """Return a part that does nothing in the source either."""
    return Part(place, None, note=note)


def flatten(place):
    """Return a flatten part: rows of numbers are flat already."""
    return nothing(place, "left out: rows are flat here; give images as x.reshape(len(x), -1)")


def dropout(place):
    """Return a dropout part: evaluation agrees without it."""
    return Part(
        place, None, note="left out: it does nothing in evaluation; further training here has no dropout"
    )


def softmax(place):
    """Return a part for a softmax: the loss and ``predict_proba`` here apply it to the network's outputs."""
    note = "left out: the network's outputs here are logits; the loss and predict_proba apply the softmax"
    return Part(place, None, note=note, only_last=True)


def check_axes(part, axes):
    """Refuse a part with values whose input has other axes than rows and columns."""
    if part.arrays and axes != 2:
        columns = next(iter(part.arrays.values())).shape[0]
        raise ConversionError(
            f"{part.place}: its input has {axes} axes, and a network here takes rows (N, {columns}); give the source "
            f"an input of {columns} columns, or a Flatten before this layer"
        )


def unknown(place, why="minibn has no such layer"):
    """Return the error for a part that cannot be converted."""
    return ConversionError(f"{place}: {why}; known are {KNOWN}")


def assemble(parts, report):
    """Build the network, telling ``report`` in one line what became of each part.

    Parameters
    ----------
    parts : list of Part
    report : callable or None
        Called with each line.

    Returns
    -------
    minibn.nn.Sequential

    Raises
    ------
    ConversionError
        When there is nothing to convert, a softmax stands in the middle, or widths do not fit.
    """
    if not any(part.arrays for part in parts):
        raise ConversionError("there is no layer with weights to convert; pass a built network")
    _check_order(parts)
    dtype = _dtype(parts)
    layers = [_layer(part, dtype) for part in parts if part.make]
    model = Sequential(*layers)
    # The network's own mode is that of its layers; the layers keep theirs, which may differ.
    model.training = any(layer.training for layer in layers)
    for line in _notes(parts, dtype) if report else ():
        report(line)
    return model


def _check_order(parts):
    kept = [part for part in parts if part.make or part.only_last]
    width = None
    for position, part in enumerate(kept):
        if part.only_last and position != len(kept) - 1:
            raise unknown(part.place, f"a softmax before {kept[position + 1].place} cannot be left out")
        width = _width_after(part, width)


def _width_after(part, width):
    """Return the columns of the output of a part that is given ``width`` columns."""
    shape = part.arrays.get("weight", part.arrays.get("running_mean", np.empty(0))).shape
    if shape == (0,):
        return width
    if width not in (None, shape[0]):
        raise ConversionError(f"{part.place} takes {shape[0]} columns, the layer before it has {width}")
    return shape[-1]


def _dtype(parts):
    found = {array.dtype for part in parts for name, array in part.arrays.items() if name in _TRAINED}
    found = found or {array.dtype for part in parts for array in part.arrays.values()}
    return np.dtype(np.float64 if np.dtype(np.float64) in found else np.float32)


_TRAINED = ("weight", "bias", "gamma", "beta")


def _layer(part, dtype):
    try:
        layer = part.make(dtype).train(part.training)
    except ArgumentError as error:  # a setting that the peer allows and minibn does not
        raise ConversionError(f"{part.place}: {error}") from error
    for name, array in part.arrays.items():
        own = getattr(layer, name)
        own = own if isinstance(own, np.ndarray) else own.data
        if own.shape != array.shape:
            raise ConversionError(f"{part.place}: {name} must have shape {own.shape}, got {array.shape}")
        own[...] = array
    return layer


def _notes(parts, dtype):
    yield from (f"{part.place}: {part.note}" for part in parts)
    sources = {str(array.dtype) for part in parts for name, array in part.arrays.items() if name in _TRAINED}
    if sources - {str(dtype)}:
        yield f"parameters of {', '.join(sorted(sources))} are {dtype} here"
