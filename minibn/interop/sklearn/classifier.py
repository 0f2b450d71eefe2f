"""The classifier."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from minibn.data import class_weights
from minibn.errors import ArgumentError
from minibn.interop.sklearn.constraints import CONSTRAINTS, StrOptions
from minibn.interop.sklearn.estimator import MinibnEstimator


class MinibnClassifier(ClassifierMixin, MinibnEstimator):
    """A multilayer perceptron with batch norm that classifies.

    Names, defaults and meanings are those of ``sklearn.neural_network.MLPClassifier``; what is listed under
    "New" is minibn's own. ``solver="lbfgs"`` and several labels a row are out of scope.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Units of each hidden layer.
    activation : {"relu", "tanh", "logistic", "identity"}
    solver : {"adam", "sgd"}
    alpha : float
        L2 penalty on the dense weights, divided by the rows of a full batch.
    batch_size : int or "auto"
        "auto" is min(200, N). A last batch of a single row joins the one before it.
    learning_rate : {"constant", "invscaling", "adaptive"}
        For "sgd".
    learning_rate_init, power_t : float
    max_iter : int
        Epochs.
    shuffle : bool
    random_state : int, RandomState or None
        Fixes initial weights, split and order of rows.
    tol : float
    verbose : bool or int
    warm_start : bool
    momentum : float
        Of "sgd"; ``bn_momentum`` is that of the running statistics.
    nesterovs_momentum : bool
    early_stopping : bool
        Stop by the validation score, and keep the best weights. The split is stratified.
    validation_fraction : float
    beta_1, beta_2, epsilon : float
        Of "adam".
    n_iter_no_change : int or inf
    batch_norm : bool
        New: batch norm before each activation. It needs at least two rows in a batch.
    bn_momentum : float or None
        New: weight of the new value in the running statistics, as in PyTorch; None for their average.
    class_weight : None, dict or "balanced"
        New: weight of each class in the loss, by label.
    precise_stats : bool
        New: after training, replace the running statistics by the exact ones of the rows of that call.

    Attributes
    ----------
    classes_ : ndarray, shape (K,)
    model_ : minibn.nn.Sequential
    coefs_, intercepts_ : list of ndarray
        One output a class, also of two classes.
    n_iter_, t_ : int
        Epochs of the last call; rows seen by all.
    loss_ : float
    loss_curve_ : list of float
        Mean cross entropy of each epoch in nats, without the penalty.
    validation_scores_, validation_loss_curve_ : list of float, or None
        Accuracy and loss on the validation part after each epoch, in evaluation mode.
    best_loss_, best_validation_score_ : float or None

    Examples
    --------
    >>> from minibn.sklearn import MinibnClassifier
    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True)
    >>> model = MinibnClassifier((16,), solver="sgd", learning_rate_init=0.1, max_iter=200, tol=1e-3, random_state=0)
    >>> model.fit(x, y).score(x, y) > 0.9
    True
    >>> len(model.loss_curve_) == model.n_iter_
    True
    """

    _parameter_constraints = CONSTRAINTS | {"class_weight": [dict, StrOptions({"balanced"}), None]}
    _y_numeric, _loss_scale, _out_activation = False, 1.0, "softmax"

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
        class_weight=None,
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
        self.class_weight = class_weight
        self.precise_stats = precise_stats

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch on some rows, on top of what was learned before.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (N, C)
        y : array-like, shape (N,)
        classes : array-like, shape (K,)
            All labels that will ever come; needed in the first call.
        sample_weight : array-like, shape (N,), optional

        Returns
        -------
        MinibnClassifier
        """
        if not hasattr(self, "model_"):
            if classes is None:
                raise ArgumentError("classes must be passed on the first call to partial_fit, got None")
            if self.class_weight == "balanced":
                raise ArgumentError(
                    "class_weight='balanced' needs all rows at once, got partial_fit; pass a dict of weights"
                )
            self.classes_ = _distinct(classes)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ArgumentError(
                f"classes must be those of the first call, {self.classes_}, got {np.unique(classes)}; leave it out"
            )
        return self._fit_partly(X, y, sample_weight)

    def predict(self, X):
        """Return the most probable label of each row, shape (N,)."""
        check_is_fitted(self, "model_")
        return self.classes_[self._outputs(X).argmax(axis=1)]

    def predict_proba(self, X):
        """Return class probabilities, shape (N, K), in the order of ``classes_``."""
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X):
        """Return the logarithms of the class probabilities, shape (N, K)."""
        logits = self._outputs(X)
        logits -= logits.max(axis=1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    def _column(self, y):
        if _are_plain(y):
            return y
        y = column_or_1d(y, warn=True)
        _distinct(y)
        check_classification_targets(y)
        return y

    def _encode_all(self, y, first):
        """Return class indices of all rows of a fit, which define the classes."""
        found, indices = np.unique(y, return_inverse=True)
        if not first and not np.array_equal(found, self.classes_):
            raise ArgumentError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {found}"
            )
        self.classes_ = found
        return np.ascontiguousarray(indices, np.int64)

    def _encode(self, y):
        indices = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        known = self.classes_[indices] == y
        if not known.all():
            raise ArgumentError(
                f"y must hold labels among {self.classes_}, got {np.asarray(y)[~known].tolist()[0]!r}; name all classes "
                "when training starts"
            )
        return np.ascontiguousarray(indices, np.int64)

    def _strata(self, rows):
        return self.classes_[rows.y]

    def _count_outputs(self, rows):
        return len(self.classes_)

    def _gradient_scale_of(self, rows):
        return 1.0

    def _loss(self, rows):
        from minibn.nn import SoftmaxCrossEntropy

        return SoftmaxCrossEntropy(self._class_weights(rows))

    def _class_weights(self, rows):
        """Return the weight of each class, ndarray, shape (K,), or None."""
        if not isinstance(self.class_weight, dict):
            return class_weights(rows.y, len(self.classes_), self.class_weight, rows.weight)
        weights = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_)
        if not (np.isfinite(weights).all() and (weights > 0).all()):
            raise ArgumentError(
                f"class_weight must hold finite numbers above 0, got {self.class_weight}; leave out rows to ignore"
            )
        return weights

    def _score_of(self, output, rows):
        return np.average(output.argmax(axis=1) == rows.y, weights=rows.weight)


def _are_plain(y):
    """Return whether labels are whole numbers, few for so many rows: looking closer takes a tenth of a small fit."""
    return y.ndim == 1 and y.size > 1 and y.dtype.kind in "biu" and int(y.max()) - int(y.min()) < y.size // 2


def _distinct(labels):
    """Return the sorted labels, as :func:`numpy.unique` does."""
    try:
        return np.unique(labels)
    except TypeError as error:
        kinds = sorted({type(label).__name__ for label in labels})
        raise ArgumentError(
            f"y must hold labels of one kind, got {' and '.join(kinds)}; make all str"
        ) from error
