"""The generator of the example does what its page says."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from minibn.data import example
from minibn.data.example import EXAMPLES, _clouds, _corners, _draw
from minibn.data.stream import EXAMPLE, generator

SEEDS = range(5)


def test_shape_and_names():
    data = example()
    assert data.x.shape == (2000, 20)
    assert data.x.dtype == np.float64
    assert data.x.flags.c_contiguous
    assert data.y.dtype == np.int64
    assert data.feature_names == tuple(f"x{i}" for i in range(20))
    assert (data.name, data.labels) == ("example", (0, 1, 2))
    assert np.array_equal(data.validation_rows, np.arange(1000, 2000))
    assert data.duplicate_rows == 0


def test_the_hard_example_has_two_overlapping_clouds_a_class():
    data = example(0, "example-hard")
    assert (data.name, data.x.shape, data.labels) == ("example-hard", (2000, 20), (0, 1, 2))
    assert np.bincount(data.y).min() > 640
    assert separation(data).max() < separation(example(0)).max()
    assert prepared_like_the_example()


def prepared_like_the_example():
    from minibn.train import Settings

    return replace(Settings(data="example-hard").resolved(), data="example") == Settings().resolved()


def test_a_seed_decides_everything():
    assert example(3).digest == example(3).digest
    assert len({example(seed).digest for seed in SEEDS}) == len(SEEDS)


def test_draws_are_the_same_in_every_release():
    # Only the labels: they come from integer draws, which no rounding can change.
    digest = hashlib.sha256(example(0).y.astype(np.uint8).tobytes()).hexdigest()
    assert digest.startswith("cb4cce490ca15871")


@pytest.mark.parametrize("seed", SEEDS)
def test_classes_are_nearly_equal_and_rows_shuffled(seed):
    y = example(seed).y
    for part in (y, y[:1000], y[1000:]):
        assert np.abs(np.bincount(part) / len(part) - 1 / 3).max() < 0.06
    # In random order a label equals its neighbour a third of the time.
    assert abs(np.mean(y[1:] == y[:-1]) - 1 / 3) < 0.05


def test_columns_are_shuffled():
    informative = [frozenset(np.argsort(separation(example(seed)))[-8:]) for seed in SEEDS]
    assert len(set(informative)) > 1


def separation(data):
    means = np.stack([data.x[data.y == k].mean(axis=0) for k in range(3)])
    return means.max(axis=0) - means.min(axis=0)


@pytest.mark.parametrize("seed", SEEDS)
def test_ten_columns_are_noise(seed):
    data = example(seed)
    spread = separation(data)
    noise = np.argsort(spread)[:10]
    x = data.x[:, noise]
    assert spread[noise].max() < 0.5 or distinct_axes(seed) < 8
    assert np.median(np.abs(x.mean(axis=0))) < 0.1
    assert np.median(np.abs(x.std(axis=0) - 1)) < 0.1


def distinct_axes(seed):
    corners = _corners(generator(seed, EXAMPLE), 3)
    return np.count_nonzero(corners.min(axis=0) != corners.max(axis=0))


@pytest.mark.parametrize("seed", SEEDS)
def test_two_columns_are_mixtures_of_the_others(seed):
    x = example(seed).x
    singular = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    assert np.count_nonzero(singular > 1e-8 * singular[0]) == 18


@pytest.mark.parametrize("seed", SEEDS)
def test_corners_are_distinct_corners_of_the_cube(seed):
    corners = _corners(np.random.default_rng(seed), 6)
    assert corners.shape == (6, 8)
    assert np.array_equal(np.abs(corners), np.ones((6, 8)))
    assert len(np.unique(corners, axis=0)) == 6


def test_clouds_stand_on_their_corners():
    y = np.sort(np.arange(2000) % 3)
    clouds, corners = _clouds(np.random.default_rng(7), y, 2.5), 2.5 * _corners(np.random.default_rng(7), 3)
    for k in range(3):
        # The spread of a feature is that of 8 normals times weights of [-1, 1]: at most sqrt(8).
        error = np.abs(clouds[y == k].mean(axis=0) - corners[k]).max()
        assert error < 5 * np.sqrt(8) / np.sqrt(667)
    covariances = [np.cov(clouds[y == k].T) for k in range(3)]
    assert np.abs(covariances[0] - covariances[1]).max() > 0.5
    assert all(np.diag(covariance).max() < 8 for covariance in covariances)


def test_about_one_label_in_a_hundred_is_redrawn():
    moved = [
        np.count_nonzero(np.bincount(_draw(np.random.default_rng(s), 1, 2.5)[1]) - [667, 667, 666])
        for s in range(20)
    ]
    assert any(moved)
    counts = np.array([np.bincount(_draw(np.random.default_rng(s), 1, 2.5)[1]) for s in range(20)])
    assert np.abs(counts - 2000 / 3).max() < 25


def test_redrawing_leaves_most_labels():
    from minibn.data.example import _redraw

    y = np.zeros(300_000, dtype=np.int64)
    changed = np.mean(_redraw(np.random.default_rng(0), y) != 0)
    assert abs(changed - 0.01 * 2 / 3) < 0.001


def test_classes_can_be_told_apart_by_nearest_mean():
    data = example(0)
    train, test = data.training_rows, data.validation_rows
    means = np.stack([data.x[train][data.y[train] == k].mean(axis=0) for k in range(3)])
    distance = ((data.x[test][:, None, :] - means) ** 2).sum(axis=2)
    assert np.mean(distance.argmin(axis=1) == data.y[test]) > 0.8


@pytest.mark.parametrize("name", EXAMPLES)
def test_agrees_in_kind_with_make_classification(name):
    datasets = pytest.importorskip("sklearn.datasets")
    clusters, separated = EXAMPLES[name]
    ours, theirs = [], []
    for seed in range(20):
        x, _ = datasets.make_classification(
            2000, 20, n_informative=8, n_redundant=2, n_classes=3, n_clusters_per_class=clusters, class_sep=separated,
            flip_y=0.01, random_state=seed,
        )  # fmt: skip
        theirs.append(np.sort(x.std(axis=0)))
        ours.append(np.sort(example(seed, name).x.std(axis=0)))
    assert np.abs(np.mean(ours, axis=0) / np.mean(theirs, axis=0) - 1).max() < 0.1
