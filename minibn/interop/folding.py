"""Batch norm folded into the dense layer beside it: the same function with fewer layers."""

import numpy as np

from minibn.errors import ArgumentError
from minibn.interop.network import network
from minibn.nn import BatchNorm, Dense, Sequential


def fold_batch_norm(model):
    """Return a network that computes the same in evaluation, its batch norms folded into dense layers.

    A batch norm behind a dense layer scales the columns of its weight, one before a dense layer the rows; both
    shift its bias. A batch norm with no dense layer beside it stays.

    Parameters
    ----------
    model : minibn.nn.Sequential
        In evaluation mode; unchanged.

    Returns
    -------
    minibn.nn.Sequential
        Of the same dtype, in evaluation mode, on memory of its own. Weights are multiplied in float64 and rounded
        once; in float32 the outputs agree to about 1e-6 of the largest, less where a running mean is far larger
        than its deviation, for the bias then has to hold it.

    Raises
    ------
    ArgumentError
        When the model is in training mode: batch statistics cannot be folded.
    DtypeError
        When the model is not a Sequential of minibn.

    Notes
    -----
    With s = gamma / sqrt(var + eps): dense-then-batch-norm is W' = W s, b' = (b - mean) s + beta (Jacob et al. 2018,
    arXiv:1712.05877, section 3.2); batch-norm-then-dense is W' = s W, b' = b + (beta - mean s) W.

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.interop import fold_batch_norm
    >>> from minibn.nn import mlp
    >>> model = mlp([4, 8, 3], rng=0).eval()
    >>> folded = fold_batch_norm(model)
    >>> len(model.layers), len(folded.layers)
    (4, 3)
    >>> x = np.ones((2, 4), np.float32)
    >>> bool(np.abs(folded.logits(x) - model.logits(x)).max() < 1e-5)
    True
    """
    in_evaluation(model, "folded")
    layers = [_Affine.of(layer) if isinstance(layer, Dense) else layer for layer in model.layers]
    while (position := _foldable(layers)) is not None:
        first, second = layers[position], layers[position + 1]
        folded = first.then(second) if isinstance(first, _Affine) else second.after(first)
        layers[position : position + 2] = [folded]
    return Sequential(*(_layer(layer, model.dtype) for layer in layers)).eval()


def in_evaluation(model, what):
    """Refuse what is no network, or one in training mode.

    Raises
    ------
    DtypeError, ArgumentError
    """
    network(model)
    if model.training or any(layer.training for layer in model.layers):
        raise ArgumentError(
            f"model must be in evaluation mode to be {what}, got training mode, in which batch norm uses the "
            "statistics of each batch; call model.eval()"
        )


def _foldable(layers):
    """Return the position of the first pair of a dense layer and a batch norm, or None."""
    kinds = [(isinstance(layer, _Affine), isinstance(layer, BatchNorm)) for layer in layers]
    pairs = zip(kinds, kinds[1:], strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a[0] and b[1] or a[1] and b[0]), None)


def _scale_and_shift(norm):
    """Return s and t of the batch norm x s + t, in float64."""
    scale = norm.gamma.data.astype(np.float64) / np.sqrt(norm.running_var + norm.eps)
    return scale, norm.beta.data - norm.running_mean * scale


class _Affine:
    """A dense layer in float64, so that folding several batch norms rounds once."""

    def __init__(self, weight, bias, exact):
        self.weight, self.bias, self.exact = weight, bias, exact

    @classmethod
    def of(cls, dense):
        weight = dense.weight.data.astype(np.float64)
        bias = np.zeros(weight.shape[1]) if dense.bias is None else dense.bias.data.astype(np.float64)
        return cls(weight, bias, dense)

    def then(self, norm):
        scale, _ = _scale_and_shift(norm)
        # (b - mean) first: bias and mean are often close, and their difference is exact then.
        return _Affine(self.weight * scale, (self.bias - norm.running_mean) * scale + norm.beta.data, None)

    def after(self, norm):
        scale, shift = _scale_and_shift(norm)
        return _Affine(scale[:, None] * self.weight, self.bias + shift @ self.weight, None)


def _layer(layer, dtype):
    if not isinstance(layer, _Affine):
        return _copy(layer, dtype)
    biased = layer.exact is None or layer.exact.bias is not None
    dense = Dense(*layer.weight.shape, bias=biased, dtype=dtype)
    dense.weight.data[...] = layer.weight
    if biased:
        dense.bias.data[...] = layer.bias
    return dense


def _copy(layer, dtype):
    copy = Sequential.from_config(Sequential(layer).config(), dtype)
    copy.load_state_dict(Sequential(layer).state_dict())
    return copy.layers[0]
