"""The regressor."""

import numpy as np
from sklearn.base import RegressorMixin

from minibn.errors import ArgumentError
from minibn.interop.sklearn.estimator import MinibnEstimator


class MinibnRegressor(RegressorMixin, MinibnEstimator):
    """A multilayer perceptron with batch norm for numbers, one or several a row.

    The loss is half the mean squared error, as of ``sklearn.neural_network.MLPRegressor``. Parameters are those
    of :class:`MinibnClassifier` without ``class_weight``; ``validation_scores_`` holds R squared.

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.sklearn import MinibnRegressor
    >>> x = np.random.default_rng(0).normal(size=(200, 2))
    >>> model = MinibnRegressor((16,), learning_rate_init=0.03, random_state=0)
    >>> model.fit(x, x[:, 0] - 2 * x[:, 1]).score(x, x[:, 0] - 2 * x[:, 1]) > 0.9
    True
    """

    _y_numeric, _loss_scale, _out_activation = True, 0.5, "identity"

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        batch_norm=True,
        bn_momentum=0.1,
        precise_stats=False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.batch_norm = batch_norm
        self.bn_momentum = bn_momentum
        self.precise_stats = precise_stats

    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch on some rows, on top of what was learned before.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (N, C)
        y : array-like, shape (N,) or (N, O)
        sample_weight : array-like, shape (N,), optional

        Returns
        -------
        MinibnRegressor
        """
        return self._fit_partly(X, y, sample_weight)

    def predict(self, X):
        """Return the predictions, shape (N,), or (N, O) for several outputs."""
        output = self._outputs(X)
        return output[:, 0] if output.shape[1] == 1 else output

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _column(self, y):
        return y

    def _encode_all(self, y, first):
        y = self._encode(y)
        if not first and y.shape[1] != self.n_outputs_:
            raise ArgumentError(
                f"warm_start needs as many outputs as before, {self.n_outputs_}, got {y.shape[1]}; pass False"
            )
        return y

    def _encode(self, y):
        return np.asarray(y, np.float64).reshape(len(y), -1)

    def _strata(self, rows):
        return None

    def _count_outputs(self, rows):
        return rows.y.shape[1]

    def _gradient_scale_of(self, rows):
        """Return 2 over outputs: the loss here is the mean of squares over all entries, there half their sum."""
        return 2.0 / rows.y.shape[1]

    def _loss(self, rows):
        from minibn.nn.losses import SquaredError

        return SquaredError()

    def _score_of(self, output, rows):
        from sklearn.metrics import r2_score

        return r2_score(rows.y, output, sample_weight=rows.weight)
