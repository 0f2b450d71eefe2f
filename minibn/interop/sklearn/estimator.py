"""What the classifier and the regressor share: arguments, state between calls, and the order of a fit."""

import math
from abc import abstractmethod

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from minibn import foreign
from minibn.errors import ArgumentError, BatchSizeError, DtypeError
from minibn.interop.sklearn import network
from minibn.interop.sklearn.constraints import CONSTRAINTS
from minibn.interop.sklearn.rows import Rows, check_validation, dense, divide
from minibn.interop.sklearn.training import Training

_BLOCK = 1024  # sparse rows made dense at once in a prediction


class MinibnEstimator(BaseEstimator):
    """Base of the two estimators; see :class:`MinibnClassifier` for the parameters."""

    _parameter_constraints = CONSTRAINTS
    _gradient_scale = 1.0  # gradient of minibn's loss over that of scikit-learn's

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __getstate__(self):
        # The compiled program holds addresses of this process; it is captured again where training goes on.
        state = dict(super().__getstate__())
        state.pop("_trainer", None)
        return state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Train the network.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (N, C)
            float32 is computed in float32, everything else in float64. A sparse matrix is made dense once.
        y : array-like, shape (N,), or (N, O) for a regression with several outputs
        sample_weight : array-like, shape (N,), optional
            How often each row counts, in the loss and in the batch statistics; rows of weight 0 are left out. A
            weight of 2 equals the row twice where one batch holds all rows, and in expectation with smaller
            batches.
        X_val, y_val : array-like, optional
            A validation set of its own: ``validation_loss_curve_`` and ``validation_scores_`` follow it, and
            ``early_stopping`` uses it instead of a share of the training rows.
        sample_weight_val : array-like, optional
            Weights of its rows in both.

        Returns
        -------
        MinibnClassifier or MinibnRegressor
            The estimator itself.

        Raises
        ------
        ValueError
            For bad arguments or data, and when training diverges.
        """
        first = not (self.warm_start and hasattr(self, "model_"))
        if not first:
            self._check_layers()
        X, y = self._checked(X, y, reset=first)
        y = self._encode_all(y, first)
        rng = check_random_state(self.random_state)
        rows = Rows(X, y, self._checked_weight(sample_weight, X)).counted
        if first:
            self._initialize(rows, rng)
        held = self._validation(X_val, y_val, sample_weight_val)
        if self.early_stopping and held is None:
            rows, held = divide(rows, self.validation_fraction, self._strata(rows), rng)
        self._optimizer, self._trainer = None, None
        try:
            Training(self, rows, held, rng).run(self.max_iter)
        finally:
            self._trainer = None  # it would keep the rows alive
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def _fit_partly(self, X, y, sample_weight):
        """Train for one epoch on top of what was learned before."""
        if self.early_stopping:
            raise ArgumentError(
                "partial_fit does not support early_stopping=True: one pass has no end to stop at; pass False"
            )
        first = not hasattr(self, "model_")
        if not first:
            self._check_layers()
        X, y = self._checked(X, y, reset=first)
        rows = Rows(X, self._encode(y), self._checked_weight(sample_weight, X)).counted
        if first:
            self._rng = check_random_state(self.random_state)
            self._initialize(rows, self._rng)
            self._optimizer = None
        elif not hasattr(self, "_rng"):
            self._rng = check_random_state(self.random_state)
        self._trainer = getattr(self, "_trainer", None)
        Training(self, rows, None, self._rng).run(1, partial=True)
        return self

    def _checked(self, X, y, reset):
        """Return features and targets as arrays of the network's dtype."""
        dtype = (np.float64, np.float32) if reset else self.model_.dtype
        X, y = foreign.exchanged("X", X), foreign.exchanged("y", y)
        X, y = validate_data(
            self, X, y, accept_sparse=("csr", "csc", "coo"), dtype=dtype, order="C", reset=reset,
            multi_output=True, y_numeric=self._y_numeric,
        )  # fmt: skip
        return dense(X), self._column(y)

    def _checked_weight(self, weight, X):
        if weight is None:
            return None
        weight = foreign.exchanged("sample_weight", weight)
        return _check_sample_weight(weight, X, dtype=np.float64, ensure_non_negative=True)

    def _validation(self, X_val, y_val, weight):
        if (X_val is None) != (y_val is None):
            raise ArgumentError("X_val and y_val belong together, got one of them; pass both or none")
        if X_val is None:
            if weight is not None:
                raise ArgumentError(
                    "sample_weight_val weighs the rows of X_val, got no X_val; pass it or leave both out"
                )
            return None
        try:
            X_val, y_val = self._checked(X_val, y_val, reset=False)
            check_validation(X_val)
            return Rows(X_val, self._encode(y_val), self._checked_weight(weight, X_val))
        except (ValueError, DtypeError) as error:  # it speaks of X and y
            raise ArgumentError(f"X_val, y_val: {error}") from error

    def _initialize(self, rows, rng):
        """Build a new network and forget what an earlier one learned."""
        hidden, *_ = self._built = self._layers()
        if any(units < 1 or units != int(units) for units in hidden):
            raise ArgumentError(
                f"hidden_layer_sizes must be > 0 and whole, got {hidden}; give the units of each layer"
            )
        sizes = [rows.x.shape[1], *map(int, hidden), self._count_outputs(rows)]
        self.model_ = network.build(
            sizes, self.activation, self.batch_norm, self.bn_momentum, rng, rows.x.dtype
        )
        self.n_layers_, self.n_outputs_, self.out_activation_ = len(sizes), sizes[-1], self._out_activation
        self.n_iter_, self.t_, self._no_improvement_count = 0, 0, 0
        self.loss_curve_, self.loss_ = [], math.nan
        self.best_loss_ = None if self.early_stopping else math.inf
        self.best_validation_score_ = self.validation_scores_ = self.validation_loss_curve_ = None

    def _layers(self):
        """Return the arguments that the layers are built from."""
        return np.atleast_1d(self.hidden_layer_sizes).tolist(), self.activation, self.batch_norm

    def _check_layers(self):
        """Refuse to train a network on whose layers were asked for otherwise when it was built."""
        names = ("hidden_layer_sizes", "activation", "batch_norm")
        for name, built, asked in zip(names, self._built, self._layers(), strict=True):
            if built != asked:
                raise ArgumentError(
                    f"{name} must stay {built} while training goes on, got {asked}; fit with warm_start=False"
                )

    def _batch_size(self, rows):
        """Return the rows of a batch, at most all."""
        size = min(200, len(rows)) if self.batch_size == "auto" else min(self.batch_size, len(rows))
        if self.batch_norm and size < 2:
            what = "n_samples = 1" if len(rows) < 2 else f"batch_size={self.batch_size}"
            raise BatchSizeError(
                f"batch_norm=True needs at least 2 rows in a batch, got {what}: one row has no variance; "
                "use larger batches or batch_norm=False"
            )
        return size

    @property
    def coefs_(self):
        """Weights of the dense layers, each of shape (in, out)."""
        return network.coefs(self._model)

    @property
    def intercepts_(self):
        """Biases of the dense layers; zeros where a batch norm follows, whose beta takes their place."""
        return network.intercepts(self._model)

    @property
    def _model(self):
        if "model_" not in vars(self):
            raise AttributeError(f"this {type(self).__name__} is not fitted yet; call fit first")
        return self.model_

    def _outputs(self, X):
        """Return the network's output in evaluation mode, ndarray, shape (N, O)."""
        check_is_fitted(self, "model_")
        X = foreign.exchanged("X", X)
        X = validate_data(self, X, accept_sparse="csr", dtype=self.model_.dtype, order="C", reset=False)
        if not hasattr(X, "toarray"):
            return self.model_.logits(X)
        starts = range(0, X.shape[0], _BLOCK)
        return np.concatenate([self.model_.logits(dense(X[i : i + _BLOCK])) for i in starts])

    @abstractmethod
    def _encode(self, y):
        """Return targets as the network's loss takes them."""
