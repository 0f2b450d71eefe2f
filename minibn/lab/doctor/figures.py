"""All figures of a case, each measured when a rule first reads it, and once."""

import copy
from functools import cached_property

import numpy as np

from minibn.data.stream import DOCTOR, generator
from minibn.lab.doctor import copies, drift, evidence, gradients, passes, running, units
from minibn.train import judge
from minibn.train.batches import batch_bounds
from minibn.train.judge import log_odds

_ROWS = 10_000  # rows of a part that are sent through the network again and again
_GRADIENT_ROWS = 1024
_OWN_BATCH = 32  # size of batches where that of the training is not known


class Figures:
    """What was measured of a case.

    ``x``, ``y`` are the rows that the state of the network is measured on: those of the training, else those
    given. Neither model nor data are changed.

    Parameters
    ----------
    case : Case
    seed : int
        Fixes which rows are taken where there are many, and in which order.
    """

    def __init__(self, case, seed=0):
        self.case, self.seed = case, seed
        self.model = copy.deepcopy(case.model).eval()
        train = case.x_train is not None
        self.where = "training rows" if train else "given rows"
        self.x, self.y = self._some(*((case.x_train, case.y_train) if train else (case.x, case.y)))
        self.given_x, self.given_y = self._some(case.x, case.y)

    def _generator(self):
        return generator(self.seed, DOCTOR)

    def _some(self, x, y):
        if x is None or len(x) <= _ROWS:
            return x, y
        rows = np.sort(self._generator().permutation(len(x))[:_ROWS])
        return x[rows], None if y is None else y[rows]

    # the network

    @cached_property
    def finite_weights(self):
        """Whether every parameter is finite."""
        return all(np.isfinite(tensor.data).all() for tensor in self.model.parameters().values())

    @cached_property
    def norms(self):
        """NormFigures of every batch norm that is not frozen."""
        return running.norm_figures(self.case, self.exact[1] if self.exact else None)

    @cached_property
    def exact(self):
        """A copy with exact statistics of the rows, and what changed; None where there are none."""
        return None if self.x is None or len(self.x) < 2 else passes.exactly(self.model, self.x)

    @cached_property
    def error(self):
        """Largest error of normalised values over the layers; None where it cannot be measured."""
        found = [norm.error for norm in self.norms]
        return max(found) if found and None not in found else None

    @cached_property
    def mixture(self):
        """Running means of the first batch norm as a mixture of classes."""
        return running.class_mixture(self.model, self.norms[0], self.x, self.y)

    @cached_property
    def steps_per_epoch(self):
        """Batches of one epoch."""
        return len(batch_bounds(len(self.case.x_train), self.case.batch_size))

    @cached_property
    def guess_loss(self):
        """Loss of guessing by class shares, in nats, as the training weighed them."""
        return evidence.guess_loss(self.y, self.model.out_features, self.case.class_weight)

    # rows sent through it

    @cached_property
    def with_running(self):
        """The rows with running statistics."""
        return passes.evaluated(self.model, self.x, self.y)

    @cached_property
    def with_exact(self):
        """The rows with the exact statistics of themselves."""
        return passes.evaluated(self.exact[0], self.x, self.y)

    @cached_property
    def batch(self):
        """Rows of a batch: of the training, or 32."""
        return self.case.batch_size or min(_OWN_BATCH, len(self.x))

    @cached_property
    def shuffled(self):
        """The rows in shuffled batches, normalised by the statistics of their batch."""
        order = self._generator().permutation(len(self.x))
        return passes.in_batches(self.model, self.x, self.y, order, self.batch)

    @cached_property
    def batch_mean_noise(self):
        """Measured noise of the mean of a shuffled batch before the first batch norm; None where there is none."""
        if self.x is None or not self.norms or not self.finite_weights:
            return None
        order = self._generator().permutation(len(self.x))
        return running.batch_mean_noise(self.model, self.norms[0], self.x, order, self.batch)

    @cached_property
    def sorted(self):
        """The rows in batches sorted by class, normalised by the statistics of their batch."""
        order = np.argsort(self.y, kind="stable")
        return passes.in_batches(self.model, self.x, self.y, order, self.batch)

    @cached_property
    def given(self):
        """The rows to judge with running statistics."""
        return passes.evaluated(self.model, self.given_x, self.given_y)

    @cached_property
    def given_own(self):
        """The rows to judge with their own statistics; None where there are none."""
        found = passes.exactly(self.model, self.given_x) if len(self.given_x) > 1 else None
        return found and passes.evaluated(found[0], self.given_x, self.given_y)

    @cached_property
    def finite_logits(self):
        """Whether the network's outputs in evaluation mode are finite, on all rows that there are."""
        there = [self.with_running] if self.x is not None else []
        return all(found.finite for found in [*there, *([self.given] if self.given_x is not None else [])])

    @cached_property
    def handed_over(self):
        """Two ways through the rows to judge as the user does it, shuffled and sorted: who is predicted differently.

        Returns
        -------
        ndarray of bool, shape (N,)
        """
        by_class = np.argsort(self.given.predictions if self.given_y is None else self.given_y, kind="stable")
        orders = self._generator().permutation(len(self.given_x)), by_class
        first, second = (self._as_the_user_does(order) for order in orders)
        return first != second

    def _as_the_user_does(self, order):
        model, x = copy.deepcopy(self.case.model), self.given_x
        if self.case.predict is None:
            return passes.in_batches(model, x, None, order, self.batch, training=None).predictions
        predictions = np.empty(len(x), np.int64)
        predictions[order] = np.asarray(self.case.predict(model, x[order])).reshape(len(x))
        return predictions

    @cached_property
    def moved_by_predict(self):
        """Layers whose running statistics the user's own ``predict`` moved."""
        model = copy.deepcopy(self.case.model)
        before = model.state_dict()
        self.case.predict(model, self.given_x)
        after = model.state_dict()
        return sorted({name.split(".")[0] for name in before if "running" in name and not np.array_equal(before[name], after[name], equal_nan=True)})  # fmt: skip

    # the two parts

    @cached_property
    def drift(self):
        """Drift between training rows and rows to judge."""
        return drift.measure_drift(self.case.x_train, self.case.x, self._generator())

    @cached_property
    def seen_before(self):
        """Which of the rows to judge are training rows too."""
        return copies.seen_before(self.case.x_train, self.case.x)

    @cached_property
    def standardised(self):
        """Distance from mean 0 and deviation 1, over the training rows and over all."""
        return copies.standardised(self.case.x_train, self.case.x, self.case.shift)

    @cached_property
    def judged(self):
        """Metrics of all rows to judge where the most probable class counts, as of :func:`minibn.train.judge`."""
        return self._judged()

    @cached_property
    def at_threshold(self):
        """The same at the threshold that the network is used with; None where there is none."""
        return None if self.case.threshold is None else self._judged(self.case.threshold)

    @cached_property
    def scores(self):
        """Log odds of the positive class on all rows to judge, shape (N,); None unless they can be ranked."""
        if self.case.y is None or not self.finite_logits or self.judged["average_precision"] is None:
            return None
        return log_odds(self.model, self.case.x, self.judged["labels"], self.judged["positive"])

    def _judged(self, threshold=None):
        case = self.case
        labels = range(self.model.out_features) if case.labels is None else case.labels
        return judge(self.model, case.x, case.y, list(labels), case.positive, threshold)

    # health

    @cached_property
    def gradients(self):
        """BlockGradient of every block, from the input on."""
        return gradients.measure_gradients(self.model, self.x[:_GRADIENT_ROWS], self.y[:_GRADIENT_ROWS])

    @cached_property
    def activity(self):
        """Activity of every activation layer."""
        return units.measure_units(self.model, self.x)

    @cached_property
    def train_losses(self):
        """Training loss of every epoch."""
        return [record.train_loss for record in self.case.history]
