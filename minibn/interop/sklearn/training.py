"""One call of fit or partial_fit: epochs until scikit-learn's rules say stop."""

import math
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from minibn.errors import ArgumentError
from minibn.interop.sklearn import rates
from minibn.interop.sklearn.progress import Progress
from minibn.interop.sklearn.report import report
from minibn.interop.sklearn.trainer import Order, Trainer, epochs_at_once


class Training:
    """The epochs of one call.

    Parameters
    ----------
    estimator : MinibnClassifier or MinibnRegressor
        Its network is trained, its curves grow.
    rows : Rows
    held : Rows or None
        Validation part.
    rng : numpy.random.RandomState
        Source of the order of rows.
    """

    def __init__(self, estimator, rows, held, rng):
        self.estimator, self.rows, self.held = estimator, rows, held
        self.scale = estimator._gradient_scale_of(rows)
        self.batch_size = estimator._batch_size(rows)
        self.order = Order(len(rows), estimator.shuffle, rng)
        self.trainer = self._trainer()
        self.best_state = None

    def _trainer(self):
        """Return the compiled program, captured anew where there is none that fits."""
        e = self.estimator
        if e._optimizer is None:
            e._optimizer = rates.optimizer(e, self.scale)
        # scikit-learn divides the penalty by the rows of the batch.
        e._optimizer.weight_decay = (
            e.alpha * self.scale * len(self.rows) / (self.rows.total * self.batch_size)
        )
        weighted = any(part is not None and part.weight is not None for part in (self.rows, self.held))
        if e._trainer is None or not e._trainer.fits(self.batch_size, weighted):
            e._trainer = Trainer(e.model_, e._loss(self.rows), e._optimizer, self.batch_size, weighted)
        return e._trainer

    def run(self, most, partial=False):
        """Train for at most so many epochs."""
        e = self.estimator
        if e.early_stopping:
            self.best_state = e.model_.state_dict()
        progress = self._progress()
        e.n_iter_ = 0
        try:
            self._epochs(most, progress, partial)
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=4)
        self._finish()

    def _progress(self):
        e = self.estimator
        known = e.best_validation_score_ if e.early_stopping else e.best_loss_
        best = math.inf if known is None else -known if e.early_stopping else known
        return Progress(e.tol, e.n_iter_no_change, best, e._no_improvement_count)

    def _epochs(self, most, progress, partial):
        e = self.estimator
        while e.n_iter_ < most:
            epochs = self._at_once(progress, most - e.n_iter_)
            order = self.order.take(epochs)
            for loss in self.trainer.play(self.rows, order, self.batch_size, epochs):
                self._record(loss * e._loss_scale)
                better = self._observe(progress)
            if not math.isfinite(e.loss_):
                self._diverged()
                return
            if better and e.early_stopping:
                self.best_state = e.model_.state_dict()
            rates.end_of_epoch(e, e._optimizer, self.scale)
            if progress.exhausted:
                if rates.no_improvement(e, e._optimizer):
                    report(e, "no improvement: stopping")
                    return
                progress.count = 0
        if not partial:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({most}) reached and the optimization hasn't converged "
                "yet; raise max_iter, tol or the learning rate",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _at_once(self, progress, left):
        """Return how many epochs to play in one compiled call without a look in between."""
        e = self.estimator
        if self.held is not None or e.verbose or (e.solver == "sgd" and e.learning_rate == "invscaling"):
            return 1
        return epochs_at_once(len(self.rows), progress.surely, left)

    def _record(self, loss):
        e = self.estimator
        e.n_iter_ += 1
        e.t_ += len(self.rows)
        e.loss_ = loss
        e.loss_curve_.append(loss)
        if e.verbose:
            report(e, f"Iteration {e.n_iter_}, loss = {loss:.8f}")
        if self.held is not None:
            self._validate()

    def _validate(self):
        """Add loss and score of the validation part to its curves."""
        e = self.estimator
        if e.validation_scores_ is None:
            e.validation_scores_, e.validation_loss_curve_ = [], []
        output = e.model_.logits(self.held.x)
        finite = np.isfinite(output).all() and math.isfinite(e.loss_)
        e.validation_scores_.append(float(e._score_of(output, self.held)) if finite else math.nan)
        loss = self.trainer.evaluate(self.held) * e._loss_scale
        e.validation_loss_curve_.append(loss)
        report(e, f"Validation score: {e.validation_scores_[-1]:f}, loss: {loss:.8f}")

    def _observe(self, progress):
        """Tell from the newest figure how training goes, and return whether it is the best so far."""
        e = self.estimator
        better = progress.observe(-e.validation_scores_[-1] if e.early_stopping else e.loss_)
        e._no_improvement_count = progress.count
        if e.early_stopping:
            e.best_validation_score_ = -progress.best
        else:
            e.best_loss_ = progress.best
        return better

    def _diverged(self):
        """Keep the best weights of early stopping, or refuse to call a diverged network trained."""
        e = self.estimator
        what = f"the loss is not finite in epoch {e.n_iter_}; scale the inputs or lower learning_rate_init"
        if not e.early_stopping:
            raise ArgumentError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need "
                f"to be preprocessed: {what}"
            )
        warnings.warn(f"{what}; the best weights so far were kept", ConvergenceWarning, stacklevel=6)

    def _finish(self):
        from minibn.train import recalibrate

        e = self.estimator
        if self.best_state is not None:
            e.model_.load_state_dict(self.best_state)
        if e.precise_stats and e.batch_norm:
            recalibrate(e.model_, self.rows.x, self.rows.weight)
        e.model_.eval()
