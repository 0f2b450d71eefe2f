"""What paired runs come to: differences with intervals, traces with bands."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minibn.lab.comparison.pairs import ARMS, WITH, WITHOUT
from minibn.lab.statistics import CANNOT_TELL, mean_interval, paired_difference, spread_ratio, verdict

POINTS = 100.0  # percentage points of a share


@dataclass(frozen=True, eq=False)
class Comparison:
    """Paired runs of both arms.

    Attributes
    ----------
    pairs : tuple of Pair
    """

    pairs: tuple

    def runs(self, arm):
        """Return the outcomes of one arm, a run per seed."""
        return [pair.outcomes[arm] for pair in self.pairs]

    def metric(self, arm, name):
        """Return one metric of every run of an arm as a list; diverged runs count as the majority baseline."""
        return [outcome.metrics[name] for outcome in self.runs(arm)]

    def diverged(self, arm):
        """Return the number of runs of an arm that diverged."""
        return sum(outcome.diverged for outcome in self.runs(arm))

    def metric_difference(self, name):
        """Return the paired difference of a metric, with batch norm minus without, in points."""
        with_bn, without = (np.multiply(self.metric(arm, name), POINTS) for arm in (WITH, WITHOUT))
        return paired_difference(with_bn, without)

    @cached_property
    def difference(self):
        """Paired difference of the validation accuracy in points."""
        return self.metric_difference("accuracy")

    @property
    def baseline(self):
        """Validation accuracy of always naming the largest class, as a share, mean over seeds."""
        return float(np.mean([pair.outcomes[WITH].majority["accuracy"] for pair in self.pairs]))

    def loss_saved(self, epoch):
        """Return how much lower the training loss of an epoch is with batch norm, in nats; None with diverged runs."""
        if any(self.diverged(arm) for arm in ARMS):
            return None
        with_bn, without = (self.values(arm, "train_loss", epoch) for arm in (WITH, WITHOUT))
        return paired_difference(without, with_bn)

    @cached_property
    def spread(self):
        """How many times as much the accuracy scatters over seeds with batch norm: ratio, low, high; or None."""
        return spread_ratio(self.metric(WITH, "accuracy"), self.metric(WITHOUT, "accuracy"))

    @property
    def trained(self):
        """Whether a run of either arm trained; where all diverged, two baselines are compared."""
        return any(self.diverged(arm) < len(self.pairs) for arm in ARMS)

    @cached_property
    def verdict(self):
        """What the interval of :attr:`difference` allows to say; nothing where no run trained."""
        return verdict(self.difference) if self.trained else CANNOT_TELL

    @property
    def epochs(self):
        """The last epoch that a run completed or diverged in: there a diverged one is scored as in the end."""
        return max(len(outcome.records) + outcome.diverged for arm in ARMS for outcome in self.runs(arm))

    def values(self, arm, figure, epoch):
        """Return a figure of every run of an arm at an epoch.

        After its last epoch a run that stopped early keeps its figures; a diverged one has an infinite loss and
        the accuracy of the majority baseline.

        Parameters
        ----------
        arm : str
        figure : str
            ``"train_loss"``, ``"train_loss_eval"``, ``"val_loss"`` or ``"val_accuracy"``.
        epoch : int
            Counted from 1.

        Returns
        -------
        list of float
        """
        return [_at(outcome, figure, epoch) for outcome in self.runs(arm)]

    def centre(self, arm, figure, epoch):
        """Return centre, low and high of :meth:`values`: the mean with its interval.

        With diverged runs in the arm a mean of losses would mean nothing: then the median between the quartiles.
        """
        middle = figure.endswith("accuracy") or not self.diverged(arm)
        return (mean_interval if middle else _quartiles)(self.values(arm, figure, epoch))

    def trace(self, arm, figure):
        """Return :meth:`centre` of every epoch."""
        return [self.centre(arm, figure, epoch + 1) for epoch in range(self.epochs)]


def _at(outcome, figure, epoch):
    records = outcome.records
    if len(records) < epoch and outcome.diverged:
        return outcome.majority["accuracy"] if figure.endswith("accuracy") else math.inf
    return getattr(records[min(epoch, len(records)) - 1], figure)


def _quartiles(values):
    """Return median and quartiles, each an actual value, so that an infinite one stays one."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), method="lower")
    return float(middle), float(low), float(high)
