"""Draws, tuning, and what is read off runs, against rows and curves made by hand."""

import numpy as np
import pytest
from cases import needs_jit

from minibn.lab.activity import first_to_last, gradient_sizes, percentiles, saturated, saturated_share
from minibn.lab.answers import (
    answer,
    change_text,
    combined,
    in_points,
    log_difference,
    points_text,
    ratio_answer,
    ratio_text,
)
from minibn.lab.arms import RateGrid, Recipe, over_rates, trained, tuned, tuning_seeds
from minibn.lab.draws import Draws, looks_like_images
from minibn.lab.reach import at_most, looks, median_steps, reached_text, steps_to
from minibn.nn import Sigmoid, Tanh, mlp

# steps to an accuracy

CURVE = (0.1, 0.5, 0.79, 0.8, 0.75, 0.95)
STEPS = (10, 20, 50, 100, 200, 500)


@pytest.mark.parametrize(("level", "step"), [(0.05, 10), (0.5, 20), (0.8, 100), (0.9, 500), (0.96, None)])
def test_steps_to_an_accuracy(level, step):
    assert steps_to(STEPS, CURVE, level) == step


def test_a_run_that_stopped_early_never_gets_there():
    assert steps_to(STEPS, CURVE[:2], 0.8) is None
    assert steps_to(STEPS, [], 0.0) is None


@pytest.mark.parametrize(
    ("reached", "median", "text"),
    [
        ([30, 50, 40], 40, "40"),
        ([30, None, 40], 40, "40 (not reached 1/3)"),
        ([30, None, None], None, "never (not reached 2/3)"),
        ([30, None], None, "never (not reached 1/2)"),
    ],
)
def test_medians_count_what_never_got_there_as_latest(reached, median, text):
    assert median_steps(reached) == median
    assert reached_text(reached) == text


def test_at_most_bounds_from_below():
    assert at_most([3, None], 9) == [3, 9]


def test_looks_are_whole_rising_and_end_at_the_last_step():
    found = looks(20, 4000, 30)
    assert found[0] == 20 and found[-1] == 4000
    assert all(isinstance(s, int) for s in found) and list(found) == sorted(set(found))


# answers


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([0.9, 0.92, 0.91], [0.8, 0.81, 0.82], "yes"),
        ([0.8, 0.81, 0.82], [0.9, 0.92, 0.91], "no"),
        ([0.9, 0.901, 0.9], [0.9, 0.9, 0.901], "no"),
        ([0.9, 0.2, 0.9], [0.8, 0.8, 0.8], "cannot tell"),
        ([0.9], [0.8], "cannot tell"),
    ],
)
def test_answers(first, second, expected):
    assert answer(in_points(first, second)) == expected


def test_ratios_are_judged_on_a_logarithmic_scale():
    found = log_difference([10, 20, 40], [1, 2, 4])
    assert (found.mean, found.low) == pytest.approx((np.log(10), np.log(10)))
    assert ratio_text(found) == "10 times (in every seed)"
    assert ratio_text(log_difference([2, 4], [1, 1])) == "2.83 times (95 % interval 0.0346 to 231)"
    assert ratio_answer([10, 20, 40], [1, 2, 4]) == "yes"
    assert ratio_answer([1, 2, 4], [1, 2, 4]) == "no"
    assert "no interval" in ratio_text(log_difference([3], [2]))
    assert "no interval" in points_text(in_points([0.3], [0.2]))


SHARES = [
    ([0.5, 0.5], [0.4, 0.3], "falls +15.0 points (95 % interval -48.5 to +78.5, larger in 2 of 2 seeds)"),
    ([0.4, 0.3], [0.5, 0.5], "rises +15.0 points (95 % interval -48.5 to +78.5, larger in 2 of 2 seeds)"),
    ([0.5, 0.6], [0.4, 0.5], "falls +10.0 points (in every seed)"),
    ([0.5], [0.6], "rises +10.0 points (one seed, no interval)"),
    ([0.5], [0.5001], "falls +0.0 points (one seed, no interval)"),
]


@pytest.mark.parametrize(("before", "after", "expected"), SHARES)
def test_a_change_is_told_by_its_direction(before, after, expected):
    assert change_text(before, after, "falls", "rises") == expected


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["yes", "yes"], "yes"),
        (["no"], "no"),
        (["yes", "no"], "in part"),
        (["yes", "cannot tell"], "in part"),
        (["no", "cannot tell"], "cannot tell"),
        (["no", "in part"], "in part"),
    ],
)
def test_answers_combine(answers, expected):
    assert combined(answers) == expected


# draws

ROWS = 60


@pytest.fixture
def table(tmp_path):
    """Sixty rows with their own number in the first column."""
    x = np.random.default_rng(0).integers(0, 17, (ROWS, 16)).astype(float)
    x[:, 0] = np.arange(ROWS)
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(ROWS) % 3)
    half = ROWS // 2
    np.savez(
        tmp_path / "parts.npz",
        x_train=x[:half],
        y_train=np.arange(half) % 3,
        x_test=x[half:],
        y_test=np.arange(half) % 3,
    )
    return tmp_path


def test_tuning_rows_come_from_the_training_part(table):
    draws = Draws(str(table / "own.npz"))
    for seed in (0, 1):
        full, tuning = draws(seed), draws(seed, tuning=True)
        train = {tuple(row) for row in full.x}
        used = [tuple(row) for row in (*tuning.x, *tuning.x_judged)]
        assert len(full.x) + len(full.x_judged) == ROWS and full.classes == 3
        assert len(used) == len(set(used)) == len(train) and set(used) == train
    assert not np.array_equal(draws(0).x, draws(1).x)
    assert draws(0) is draws(0)


def test_a_part_of_its_own_judges_and_rows_are_capped(table):
    draws = Draws(str(table / "parts.npz"), rows=10)
    first, second = draws(0), draws(1)
    assert len(first.y) == 10 and len(first.y_judged) == ROWS // 2
    np.testing.assert_array_equal(first.x_judged, second.x_judged)
    assert not np.array_equal(first.x, second.x)
    assert first.baseline == pytest.approx(1 / 3)
    whole = Draws(str(table / "parts.npz"))
    assert whole(0) is whole(1) and len(whole(0).y) == ROWS // 2
    assert len(whole(0, tuning=True).y) < ROWS // 2
    assert draws.conditions()["rows"] == "10 to train on, 30 to judge on, 3 classes"


def test_a_probe_covers_sorted_rows_evenly(table):
    draw = Draws(str(table / "parts.npz"))(0)
    x, y = draw.probe(4)
    np.testing.assert_array_equal(x, draw.x_judged[[0, 9, 19, 29]])
    np.testing.assert_array_equal(y, draw.y_judged[[0, 9, 19, 29]])
    assert len(draw.probe(1000)[1]) == len(draw.y_judged) == 30


def test_images_become_black_and_white(table):
    draws = Draws(str(table / "own.npz"), binary=True)
    assert draws.black_and_white and set(np.unique(draws(0).x)) == {0.0, 1.0}
    assert not Draws(str(table / "own.npz")).black_and_white
    assert not looks_like_images(-np.ones((2, 16)))
    assert not looks_like_images(np.ones((2, 15)))
    assert not looks_like_images(np.ones((2, 9)))


@pytest.mark.parametrize("seeds", [(0, 1, 2), (1000, 1002), (1001,)])
def test_tuning_seeds_are_others(seeds):
    found = tuning_seeds(seeds, 4)
    assert len(set(found)) == 4 and not set(found) & set(seeds)


# both arms


def grid(accuracy, diverged=(), baseline=0.1):
    gone = np.zeros(np.shape(accuracy), bool)
    for place in diverged:
        gone[place] = True
    return RateGrid(
        (0.1, 1.0, 10.0), (0, 1), {True: np.array(accuracy)}, {True: gone}, np.array([baseline] * 2)
    )


def test_the_largest_working_rate():
    assert grid([[0.9, 0.8], [0.85, 0.95], [0.5, 0.9]]).largest_working(True).tolist() == [1.0, 10.0]
    assert grid([[0.9, 0.8], [0.85, 0.95], [0.9, 0.9]], [(2, 0)]).largest_working(True).tolist() == [
        1.0,
        10.0,
    ]
    assert grid([[0.1, 0.1]] * 3, [(i, 0) for i in range(3)]).largest_working(True).tolist() == [0.1, 10.0]


def test_naming_the_majority_is_not_working():
    rare = [[0.98, 0.97], [0.99, 0.98], [0.95, 0.95]]
    assert grid(rare, baseline=0.95).largest_working(True).tolist() == [1.0, 1.0]
    assert grid(rare, baseline=0.1).largest_working(True).tolist() == [10.0, 10.0]


def test_the_best_rate_is_the_smallest_of_several():
    assert grid([[0.9, 0.7], [0.8, 0.8], [0.1, 0.1]]).best(True) == 0.1
    assert grid([[0.9, 0.7], [0.9, 0.8], [0.1, 0.1]]).best(True) == 1.0


@needs_jit
def test_arms_share_weights_and_a_divergence_is_scored(table):
    draws, recipe = Draws(str(table / "own.npz")), Recipe((5, 5), batch_size=16, steps=20)
    first, second = (recipe.network(draws(0), bn, 3) for bn in (True, False))
    for ours, theirs in ((0, 0), (3, 2), (6, 4)):
        np.testing.assert_array_equal(first.layers[ours].weight.data, second.layers[theirs].weight.data)
    run = trained(recipe, draws(0), bn=False, lr=1e8, seed=0, looks=(0, 10), look=lambda model: 1)
    assert run.diverged and run.accuracy == draws(0).baseline and run.seen == [1]
    same = [trained(recipe, draws(0), bn=True, lr=0.1, seed=0).accuracy for _ in range(2)]
    assert same[0] == same[1]


@needs_jit
def test_tuning_never_judges_on_what_is_reported(table):
    draws, asked = Draws(str(table / "own.npz")), []

    def spy(seed, tuning=False):
        asked.append((seed, tuning))
        return draws(seed, tuning)

    recipe = Recipe((4,), batch_size=16, steps=5)
    rates = tuned(recipe, spy, (0.01, 0.1), (1000, 1001))
    assert set(rates) == {True, False} and set(rates.values()) <= {0.01, 0.1}
    assert set(asked) == {(1000, True), (1001, True)}
    found = over_rates(recipe, spy, (0.1,), (0, 1))
    assert found.accuracy[True].shape == (1, 2) and set(asked[-4:]) == {(0, False), (1, False)}


# what units do


def test_percentiles_of_each_unit():
    inputs = np.stack([np.arange(101.0), 2 * np.arange(101.0)], axis=1)
    np.testing.assert_allclose(percentiles(inputs), [[15, 30], [50, 100], [85, 170]])


@pytest.mark.parametrize(
    ("kind", "inputs", "expected"),
    [
        (Sigmoid, [0.0, 4.3, 4.4, -4.4], [False, False, True, True]),
        (Tanh, [0.0, 2.1, 2.3, -2.3], [False, False, True, True]),
    ],
)
def test_saturation_starts_where_the_slope_is_a_twentieth(kind, inputs, expected):
    """By the inverse of the derivative: sigmoids at ln((1+r)/(1-r)), r = sqrt(0.95); tanh at half of that."""
    r = np.sqrt(0.95)
    edge = np.log((1 + r) / (1 - r)) / (1 if kind is Sigmoid else 2)
    assert all((abs(v) > edge) == e for v, e in zip(inputs, expected, strict=True))
    assert saturated(kind, kind()(np.array(inputs)).data).tolist() == expected


def test_looking_changes_nothing_and_gradients_are_those_of_the_loss():
    model, rng = mlp([3, 4, 4, 2], activation="tanh", rng=0, dtype=np.float64), np.random.default_rng(1)
    x, y = rng.standard_normal((8, 3)), rng.integers(0, 2, 8)
    before = {name: np.array(value) for name, value in model.state_dict().items()}
    sizes, share = gradient_sizes(model, x, y), saturated_share(model, x)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert sizes.shape == (3,) and 0 <= share <= 1
    assert first_to_last(sizes) == pytest.approx(sizes[0] / sizes[1])
    first = model.layers[0].weight
    numerical = _slope(model, x, y, first)
    assert sizes[0] == pytest.approx(np.sqrt((numerical**2).mean()), rel=1e-4)


def _slope(model, x, y, tensor):
    """Return central differences of the loss in training mode, entry by entry."""
    found = np.empty_like(tensor.data)
    for place in np.ndindex(found.shape):
        ends = []
        for sign in (1, -2):
            tensor.data[place] += sign * 1e-5
            logits = model(x, training=True).data
            ends.append(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y]))
        tensor.data[place] += 1e-5
        found[place] = (ends[0] - ends[1]) / 2e-5
    return found
