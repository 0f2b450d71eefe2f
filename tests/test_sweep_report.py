"""What a sweep says: significance over all cells, stable rates, charts, and the verdict."""

import numpy as np
import pytest

from minibn.lab import Grid
from minibn.lab.report import HeatMap, Lines
from minibn.lab.sweeps.cells import cells_of
from minibn.lab.sweeps.charts import MOST_MAPS, maps_left_out, sweep_charts
from minibn.lab.sweeps.report import sweep_report
from minibn.lab.sweeps.stable_rates import stable_rates
from minibn.train import Settings, prepare

SEEDS = tuple(range(8))


def results_of(grid, accuracy, diverged=lambda cell, bn: False):
    """Return results with the accuracies of a function of (cell number, arm, seed), diverged ones at 40 points."""
    return {
        t.key: {
            "accuracy": 40.0 if diverged(t.cell, t.bn) else float(accuracy(*t.key)),
            "diverged": diverged(t.cell, t.bn),
            "baseline": 40.0,
        }
        for t in grid.trials
    }


def effects(sizes, spread=1.0, seed=8):
    """Return accuracies whose arms differ by ``sizes[cell]`` on average, with noise."""
    noise = np.random.default_rng(seed).normal(0, spread, (len(sizes), len(SEEDS)))
    return lambda cell, bn, seed: 70 + bn * (sizes[cell] + noise[cell, seed])


def naive_holm(p_values, level=0.05):
    """Compare each p with its own share, largest shares last, stopping for good at the first failure."""
    order, kept = np.argsort(p_values), []
    while len(order) and p_values[order[0]] * len(order) <= level:
        kept, order = [*kept, order[0]], order[1:]
    return [k in kept for k in range(len(p_values))]


def test_cells_equal_scipy_and_greying_equals_holm():
    from scipy.stats import ttest_rel

    grid = Grid(Settings(), {"lr": tuple(0.1 * k for k in range(1, 9))}, SEEDS)
    sizes = [0, 0.5, 0.8, 1.0, 1.2, 1.5, -1.5, 8]
    results = results_of(grid, effects(sizes))
    cells = cells_of(grid, results)
    p_values = []
    for number, cell in enumerate(cells):
        arms = [[results[number, bn, seed]["accuracy"] for seed in SEEDS] for bn in (True, False)]
        test = ttest_rel(*arms)
        low, high = test.confidence_interval(0.95)
        found = cell.difference
        assert (found.low, found.high, found.p) == pytest.approx((low, high, test.pvalue), rel=1e-9)
        assert (found.mean, cell.with_bn.mean) == pytest.approx((np.subtract(*arms).mean(), np.mean(arms[0])))
        assert found.wins == sum(a > b for a, b in zip(*arms, strict=True))
        p_values.append(test.pvalue)
    expected = naive_holm(np.array(p_values))
    assert [cell.significant for cell in cells] == expected
    alone, together = sum(p < 0.05 for p in p_values), sum(8 * p < 0.05 for p in p_values)
    assert together < sum(expected) < alone, (
        "these figures must tell Holm from Bonferroni and from no correction"
    )
    heat = sweep_charts(grid, cells)[1]
    assert heat.greyed == (tuple(not certain for certain in expected),)
    assert heat.values == (tuple(cell.difference.mean for cell in cells),)


def test_chance_alone_is_seldom_significant():
    """In 100 grids of 10 cells without effect, about 5 have a cell that Holm lets pass; 200 cells alone would."""
    grid = Grid(Settings(), {"lr": tuple(range(1, 11))}, SEEDS)
    found = [cells_of(grid, results_of(grid, effects([0] * 10, seed=seed))) for seed in range(100)]
    assert sum(any(cell.significant for cell in cells) for cells in found) <= 12  # 1 in 1000 by chance
    assert sum(cell.difference.p < 0.05 for cells in found for cell in cells) >= 30


def test_heat_maps_put_each_cell_in_its_place():
    axes = {"depth": (1, 2, 3), "lr": (0.1, 1.0), "activation": ("relu", "tanh")}
    grid = Grid(Settings(), axes, SEEDS)
    cells = cells_of(grid, results_of(grid, lambda cell, bn, seed: 50 + bn * cell + 0.01 * bn * seed))
    charts = sweep_charts(grid, cells)
    assert [(type(c), c.x_label, c.y_label) for c in charts] == [
        (HeatMap, "learning rate", "hidden layers")
    ] * 2
    assert [c.title.split(";")[0] for c in charts] == ["activation relu", "activation tanh"]
    for chart, activation in zip(charts, axes["activation"], strict=True):
        for i, depth in enumerate(chart.y):
            for j, lr in enumerate(chart.x):
                number = grid.cells.index({"depth": depth, "lr": lr, "activation": activation})
                assert chart.values[i][j] == pytest.approx(number + 0.035)


def test_more_maps_than_can_be_looked_at_are_left_to_the_table():
    axes = {"lr": (0.1, 1.0), "depth": (1, 2), "batch_size": tuple(range(2, 12))}
    grid = Grid(Settings(), axes, (0, 1))
    results = results_of(grid, lambda cell, bn, seed: 50)
    assert len(sweep_charts(grid, cells_of(grid, results))) == MOST_MAPS
    assert maps_left_out(grid) == 10 - MOST_MAPS
    report = sweep_report(grid, results, prepare(Settings()))
    assert any("6 of 10 combinations" in statement for statement in report.statements)
    assert len(report.tables[0].rows) == 40


def test_one_axis_is_drawn_as_lines_too():
    grid = Grid(Settings(), {"batch_size": (128, 2)}, SEEDS)
    cells = cells_of(grid, results_of(grid, lambda cell, bn, seed: 50 + cell + seed))
    lines, heat = sweep_charts(grid, cells)
    assert isinstance(lines, Lines)
    assert isinstance(heat, HeatMap)
    assert lines.series[0].x == [2, 128]
    assert lines.series[0].y == [54.5, 53.5]
    names = Grid(Settings(), {"activation": ("relu", "tanh")}, SEEDS)
    assert len(sweep_charts(names, cells_of(names, results_of(names, lambda *_: 50)))) == 1


RATES = (0.01, 0.1, 1.0, 10.0, 100.0)


@pytest.mark.parametrize(
    ("accuracies", "diverged", "finite", "stable", "learns"),
    [
        ([70, 90, 85, 60, 40], {4}, 10.0, 1.0, True),
        ([70, 90, 85, 80, 40], {4}, 10.0, 10.0, True),
        ([70, 90, 85, 79.9, 40], {4}, 10.0, 1.0, True),
        ([70, 90, 85, 89, 88], set(), 100.0, 100.0, True),
        ([70, 90, 85, 89, 88], {2}, 100.0, 100.0, True),
        ([40.5, 45.9, 40, 40, 40], {4}, 10.0, None, False),
        ([40.5, 46.1, 45, 40, 20], {4}, 10.0, 10.0, True),
        ([70, 90, 85, 80, 70], {0, 1, 2, 3, 4}, None, None, False),
    ],
)
def test_the_largest_stable_rate(accuracies, diverged, finite, stable, learns):
    grid = Grid(Settings(), {"lr": RATES}, SEEDS)
    results = results_of(
        grid, lambda cell, bn, seed: accuracies[cell] if bn else 50, lambda cell, bn: bn and cell in diverged
    )
    ours, theirs = stable_rates(cells_of(grid, results))
    assert (ours.finite, ours.stable, ours.learns) == (finite, stable, learns)
    assert (theirs.stable, theirs.best_accuracy) == (100.0, 50.0)


def test_rates_are_told_for_every_combination_of_the_others():
    grid = Grid(Settings(), {"depth": (1, 2), "lr": (0.1, 1.0)}, SEEDS)
    found = stable_rates(cells_of(grid, results_of(grid, lambda cell, bn, seed: [60, 90, 90, 60][cell])))
    assert [(r.values, r.arm.split()[0], r.stable) for r in found] == [
        ({"depth": 1}, "with", 1.0), ({"depth": 1}, "without", 1.0), ({"depth": 2}, "with", 0.1), ({"depth": 2}, "without", 0.1)
    ]  # fmt: skip
    no_rates = Grid(Settings(), {"depth": (1, 2)}, SEEDS)
    assert stable_rates(cells_of(no_rates, results_of(no_rates, lambda *_: 50))) == []


@pytest.mark.parametrize(
    ("sizes", "verdict"),
    [
        ([8, 9, 7], "helps"),
        ([8, 0, 7], "helps in places"),
        ([-8, -9, -7], "hurts"),
        ([-8, 0, 0], "hurts in places"),
        ([8, 0, -8], "helps in places, hurts in others"),
        ([0, 0, 0], "no difference"),
    ],
)
def test_the_verdict_over_all_cells(sizes, verdict):
    grid = Grid(Settings(), {"lr": (0.1, 1.0, 2.0)}, SEEDS)
    report = sweep_report(grid, results_of(grid, effects(sizes, spread=0.2)), prepare(Settings()))
    assert report.verdict == verdict
    assert len(report.numbers["cells"]) == 3


def test_noise_cannot_tell_and_one_seed_even_less():
    grid = Grid(Settings(), {"lr": (0.1, 1.0)}, SEEDS)
    assert (
        sweep_report(grid, results_of(grid, effects([0, 0], spread=9)), prepare(Settings())).verdict
        == "cannot tell"
    )
    single = Grid(Settings(), {"lr": (0.1, 1.0)}, (0,))
    report = sweep_report(single, results_of(single, effects([20, 20])), prepare(Settings()))
    assert report.verdict == "cannot tell"
    assert "One seed gives no interval" in report.statements[0]
    assert report.charts[1].greyed == ((True, True),)
