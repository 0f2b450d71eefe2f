"""Layers that only experiments need: they live on the tape, and no program plays them."""

import numpy as np

from minibn import functional as F
from minibn.autograd import Op, Tensor
from minibn.autograd.tape import record
from minibn.errors import BatchSizeError
from minibn.functional import checks
from minibn.nn import BatchNorm, Sequential


class GhostBatchNorm(BatchNorm):
    """Batch norm by the statistics of small chunks of each batch.

    In training the rows are cut, in their order, into chunks of ``ghost_size``; what is left over joins the last
    one. Each chunk is normalised by itself and moves the running statistics once. Evaluation is that of
    :class:`BatchNorm`. Train with ``engine="eager"``.

    Parameters
    ----------
    features : int
    ghost_size : int
        Rows of a chunk, at least 2.
    **options
        As of :class:`BatchNorm`.

    Notes
    -----
    Hoffer, Hubara and Soudry 2017, arXiv:1705.08741, algorithm 1.
    """

    def __init__(self, features, ghost_size=16, **options):
        super().__init__(features, **options)
        self.ghost_size = checks.whole("ghost_size", ghost_size, 2)

    def __call__(self, x, training=None):
        """Return the normalised batch, shape (N, features).

        Raises
        ------
        BatchSizeError
            For a single row in training: it has no variance.
        """
        if self.frozen or not (self.training if training is None else training):
            return super().__call__(x, training=False)
        x = x if isinstance(x, Tensor) else Tensor(x)
        if len(x.data) == 1:
            raise BatchSizeError(
                "GhostBatchNorm needs at least 2 rows in training, got 1; use a larger batch"
            )
        y, saved = record(_GHOST, x, self.gamma, self.beta, eps=self.eps, ghost_size=self.ghost_size)
        for rows, chunks, (_, _, mean, var, _) in saved:
            for chunk in range(chunks):
                own = slice(chunk * self.gamma.data.size, (chunk + 1) * self.gamma.data.size)
                self._track(mean[own], var[own], (rows.stop - rows.start) // chunks)
        return y

    def config(self):
        """Return the arguments."""
        return super().config() | {"ghost_size": self.ghost_size}


def with_ghost_batches(model, ghost_size):
    """Return the network with a :class:`GhostBatchNorm` in place of every batch norm; dense layers are shared."""
    return Sequential(*(_ghost(layer, ghost_size) for layer in model.layers))


def _ghost(layer, ghost_size):
    if not isinstance(layer, BatchNorm):
        return layer
    ghost = GhostBatchNorm(
        layer.gamma.data.size,
        ghost_size,
        momentum=layer.momentum,
        eps=layer.eps,
        affine=layer.affine,
        running_var=layer.variance_kind,
        dtype=layer.gamma.dtype,
    )
    ghost.load_state_dict(layer.state_dict())
    return ghost


def _cut(rows, ghost_size):
    """Return (rows, number of chunks) of the equal chunks, and of the longer last one where rows are left over."""
    chunks = max(1, rows // ghost_size)
    if rows == chunks * ghost_size or chunks == 1:
        return [(slice(0, rows), chunks)]
    even = (chunks - 1) * ghost_size
    return [(slice(0, even), chunks - 1), (slice(even, rows), 1)]


def _wide(x, chunks):
    """Lay equal chunks of rows (chunks * g, C) side by side, (g, chunks * C): a chunk's column is one feature."""
    apart = x.reshape(chunks, -1, x.shape[1])
    return np.ascontiguousarray(apart.swapaxes(0, 1)).reshape(apart.shape[1], -1)


def _tall(wide, chunks):
    """Undo :func:`_wide`."""
    apart = wide.reshape(len(wide), chunks, -1)
    return apart.swapaxes(0, 1).reshape(len(wide) * chunks, -1)


def _forward(x, gamma, beta, eps, ghost_size):
    y, saved = np.empty_like(x), []
    for rows, chunks in _cut(len(x), ghost_size):
        wide, scale = _wide(x[rows], chunks), np.tile(gamma, chunks)
        normalized, mean, var = F.batch_norm_forward(wide, scale, np.tile(beta, chunks), eps)
        y[rows] = _tall(normalized, chunks)
        saved.append((rows, chunks, (wide, scale, mean, var, eps)))
    return y, tuple(saved)


def _backward(dy, saved, needs):
    features, dx = dy.shape[1], np.empty_like(dy)
    dgamma, dbeta = np.zeros(features), np.zeros(features)
    for rows, chunks, arrays in saved:
        wide, by_gamma, by_beta = F.batch_norm_backward(_wide(dy[rows], chunks), *arrays)
        dx[rows] = _tall(wide, chunks)
        dgamma += by_gamma.reshape(chunks, features).sum(axis=0, dtype=np.float64)
        dbeta += by_beta.reshape(chunks, features).sum(axis=0, dtype=np.float64)
    return dx, dgamma.astype(dy.dtype), dbeta.astype(dy.dtype)


# Not in the table of operations: a tape needs no entry there, and only a program asks for one.
_GHOST = Op("ghost_batch_norm", _forward, _backward)
