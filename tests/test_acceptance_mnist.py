"""What pilots in other frameworks found on MNIST, asked of the studies.

Minutes each: only where MINIBN_MNIST names an .npz of its 60,000 training and 10,000 test rows.
"""

import math
import os
from statistics import median

import pytest
from cases import needs_jit

from minibn.lab import WITH, WITHOUT
from minibn.lab.studies import Setup, find

MNIST = os.environ.get("MINIBN_MNIST")
pytestmark = [needs_jit, pytest.mark.skipif(not MNIST, reason="MINIBN_MNIST does not name mnist.npz")]


def answered(name, seeds):
    return find(name).answer(Setup(data=MNIST, count=seeds)).numbers


def steps(found, arm):
    return [math.inf if reached is None else reached for reached in found["steps_to_80"][arm]]


def test_three_sigmoid_layers_learn_sooner():
    for found in answered("ioffe-szegedy", 5).values():
        assert median(steps(found, WITH)) <= 200
        assert median(steps(found, WITHOUT)) >= 400
        assert all(a < b for a, b in zip(steps(found, WITH), steps(found, WITHOUT), strict=True))


def test_larger_rates_work():
    for found in answered("learning-rates", 5).values():
        assert math.exp(found["log_ratio"]["mean"]) >= 3


def test_accuracy_is_flat_over_initial_scales():
    numbers = answered("init", 3)
    for activation in ("relu", "tanh"):
        gains, accuracy = numbers[activation]["gains"], numbers[activation]["equal"][WITH]
        assert all(
            sum(a) / len(a) > 0.85 for gain, a in zip(gains, accuracy, strict=True) if 0.1 <= gain <= 3
        )


def test_batches_of_two_fail_and_batches_of_eight_do_not():
    against = {(row["other"], row["batch"]): row["mean"] for row in answered("batch-size", 3)["against"]}
    assert against["layer norm", 2] > 20
    assert abs(against["layer norm", 8]) < 3


def test_slow_statistics_lag():
    numbers = answered("precise-stats", 5)["judged"]
    assert (numbers["momentum"], numbers["step"]) == (0.01, 20)
    gaps = [r - p for r, p in zip(numbers["running_by_seed"], numbers["precise_by_seed"], strict=True)]
    # Pilots found more than 4 points in 5 of 5 seeds. Here seeds 100 to 119, from which these bounds were taken, have
    # 4.2 to 22.4, half of them 10.2 or more; seed 0, which is not among them, has 2.8.
    assert min(gaps) > 0 and median(gaps) > 4


def test_batches_of_one_class_are_read_as_anything():
    rows = {row["name"]: row["accuracy"] for row in answered("eval-mode", 5)["against_evaluation"]}
    assert next(accuracy for name, accuracy in rows.items() if "one class" in name) < 30


def test_the_landscape_of_deep_networks():
    nets = {net["net"]: net for net in answered("landscape", 3)["nets"]}
    assert nets["10 x 100 relu"]["ratios"]["loss_range"][0] > 5
    sigmoid = nets["10 x 100 sigmoid"]
    assert 1 / sigmoid["ratios"]["shift"][0] > 10
    assert sigmoid["arms"][WITH]["loss"][0] < 0.5


def test_medium_batches_regularise():
    assert answered("regularization", 8)["250"]["reduction"]["low"] > 0
