"""The batch-norm layer: parameters, running statistics, and which of them a call uses."""

import warnings

import numpy as np

from minibn import foreign
from minibn.autograd import Tensor, batch_norm, batch_norm_inference, batch_norm_weighted
from minibn.autograd.tape import outlining
from minibn.errors import ArgumentError, BatchSizeError
from minibn.functional import checks, update_running_stats_inplace
from minibn.nn.layer import Layer


class BatchNorm(Layer):
    """Batch normalization of each column, or of each channel: axis 1 of (N, C, L) and (N, C, H, W).

    In training a call normalises by the statistics of its own batch and moves the running statistics towards
    them; in evaluation, or frozen, it normalises by the running statistics and changes nothing.

    Parameters
    ----------
    features : int
    momentum : float or None
        Weight of the *new* value in the running statistics, in [0, 1], as in PyTorch (Keras's 0.99 is 0.01
        here). None: cumulative average over all batches.
    eps : float
        Added to the variance inside the root.
    affine : bool
        Whether to train gamma and beta.
    running_var : str
        ``"unbiased"`` (PyTorch) or ``"biased"`` (Keras, ONNX): the batch variance that enters the running one.
    dtype : dtype
        float32 or float64, of gamma and beta; statistics are float64.

    Attributes
    ----------
    gamma, beta : Tensor, shape (features,)
    running_mean, running_var : ndarray of float64, shape (features,)
    num_batches_tracked : ndarray of int64, shape ()
    num_batches_skipped : int
        Batches with a non-finite statistic, which left the running statistics as they were.
    frozen : bool

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.nn import BatchNorm
    >>> layer = BatchNorm(1)
    >>> y = layer(np.array([[1.0], [3.0]], np.float32))  # a new layer is in training mode
    >>> y.numpy().round(3).ravel(), layer.running_mean, layer.running_var
    (array([-1.,  1.], dtype=float32), array([0.2]), array([1.1]))
    >>> layer.eval()(np.array([[3.2]], np.float32)).numpy().round(3)  # (3.2 - 0.2) / sqrt(1.1 + eps)
    array([[2.86]], dtype=float32)
    """

    takes_sample_weight = True

    def __init__(
        self, features, momentum=0.1, eps=1e-5, affine=True, running_var="unbiased", *, dtype=np.float32
    ):
        features, dtype = checks.whole("features", features, 1), checks.dtype(dtype)
        if running_var not in ("unbiased", "biased"):
            raise ArgumentError(
                f"running_var must be 'unbiased' or 'biased', got {running_var!r}; PyTorch uses 'unbiased'"
            )
        self.momentum = None if momentum is None else checks.momentum(momentum)
        self.eps, self.affine, self.variance_kind = checks.eps(eps), affine, running_var
        self.gamma = Tensor(np.ones(features, dtype), requires_grad=affine)
        self.beta = Tensor(np.zeros(features, dtype), requires_grad=affine)
        self.running_mean, self.running_var = np.zeros(features), np.ones(features)
        self.num_batches_tracked, self.num_batches_skipped = np.zeros((), np.int64), 0
        self.frozen = False

    def __call__(self, x, training=None, sample_weight=None):
        """Return the normalised batch, shape (N, features) or (N, features, ...).

        Parameters
        ----------
        x : Tensor or ndarray
        training : bool, optional
            Overrides the layer's own mode for this call.
        sample_weight : ndarray of numbers, shape (N,), optional
            How often each row counts in the statistics of the batch, in training: 2 is the row twice, 0 leaves
            it out. The variance that enters the running one is made unbiased with the sum of the weights for the
            number of rows; where that sum is below 2, the biased one enters.

        Raises
        ------
        BatchSizeError
            For one value per feature in training, or one whose weight is not 0: it has no variance.
        """
        x = x if isinstance(x, Tensor) else Tensor(x)
        if self.frozen or not (self.training if training is None else training):
            return batch_norm_inference(
                x, self.gamma, self.beta, self.running_mean, self.running_var, self.eps
            )
        if sample_weight is not None:
            return self._weighted(x, sample_weight)
        values = x.data.size // self.running_mean.size
        if x.data.ndim >= 2 and values == 1:
            raise BatchSizeError(
                "BatchNorm needs at least 2 rows in training, got 1: one row has no variance; "
                "use a larger batch, join it to another batch, or call with training=False"
            )
        y, mean, var = batch_norm(x, self.gamma, self.beta, self.eps)
        if not outlining():
            self._track(mean, var, values)
        return y

    def _weighted(self, x, weight):
        """Normalise by weighted statistics, and track them."""
        weight = foreign.exchanged("sample_weight", weight)
        places = x.data.size // (len(x.data) * self.running_mean.size)
        if places * np.count_nonzero(weight) == 1:
            raise BatchSizeError(
                "BatchNorm needs at least 2 rows of positive weight in training, got 1: one row has no variance; "
                "use a larger batch, or call with training=False"
            )
        y, mean, var = batch_norm_weighted(x, np.asarray(weight), self.gamma, self.beta, self.eps)
        if not outlining():
            n = float(np.cumsum(weight, dtype=np.float64)[-1]) * places  # added in order, as a program does
            self._track(mean, var, n if n >= 2 else 0)
        return y

    def _track(self, mean, var, rows):
        """Move the running statistics, unless one of the batch is not finite."""
        if not (np.isfinite(mean).all() and np.isfinite(var).all()):
            self._skip(mean, var)
            return
        self.unlock()
        self.num_batches_tracked += 1
        momentum = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        rows = rows if self.variance_kind == "unbiased" else 0  # of weighted rows, the sum of their weights
        update_running_stats_inplace(self.running_mean, self.running_var, mean, var, rows, momentum)

    def move_buffers(self, homes):
        """Move the running statistics into memory that a program owns, and tell it how to update them.

        Parameters
        ----------
        homes : dict of str to ndarray
            ``running_mean``, ``running_var``: shape (features,); ``scalars``: eps, momentum (-1 for a cumulative
            average), 1 for an unbiased variance; ``counter``: batches tracked, batches skipped.
        """
        homes["running_mean"][...], homes["running_var"][...] = self.running_mean, self.running_var
        homes["counter"][...] = int(self.num_batches_tracked), self.num_batches_skipped
        momentum = -1.0 if self.momentum is None else self.momentum
        homes["scalars"][...] = self.eps, momentum, self.variance_kind == "unbiased"
        self.running_mean, self.running_var = homes["running_mean"], homes["running_var"]
        self.num_batches_tracked = homes["counter"][:1].reshape(())

    def report_skipped(self, batches):
        """Count batches that a program skipped for a non-finite statistic, and warn of the first."""
        if batches:
            first, self.num_batches_skipped = not self.num_batches_skipped, self.num_batches_skipped + batches
            if first:
                _warn_skipped("")

    def _skip(self, mean, var):
        self.num_batches_skipped += 1
        if self.num_batches_skipped == 1:
            column = int(np.argmin(np.isfinite(mean) & np.isfinite(var)))
            _warn_skipped(f" (feature {column})")

    def freeze(self):
        """Use the running statistics and stop training gamma and beta, also after ``.train()``; return the layer."""
        return self._set_frozen(True)

    def unfreeze(self):
        """Undo :meth:`freeze` and return the layer."""
        return self._set_frozen(False)

    def _set_frozen(self, frozen):
        self.frozen = frozen
        self.gamma.requires_grad = self.beta.requires_grad = self.affine and not frozen
        return self

    def parameters(self):
        """Return gamma as ``weight`` and beta as ``bias``, PyTorch's names; nothing without ``affine``."""
        return {"weight": self.gamma, "bias": self.beta} if self.affine else {}

    def buffers(self):
        """Return running mean, running variance and the number of batches."""
        return {
            "running_mean": self.running_mean,
            "running_var": self.running_var,
            "num_batches_tracked": self.num_batches_tracked,
        }

    def config(self):
        """Return the arguments, and ``frozen`` where it is set."""
        arguments = {
            "features": self.running_mean.size,
            "momentum": self.momentum,
            "eps": self.eps,
            "affine": self.affine,
            "running_var": self.variance_kind,
        }
        return arguments | ({"frozen": True} if self.frozen else {})


def _warn_skipped(where):
    warnings.warn(
        f"BatchNorm met a batch whose statistics are not finite{where} and left its running "
        "statistics as they were; further such batches are counted in num_batches_skipped",
        RuntimeWarning,
        stacklevel=5,
    )
