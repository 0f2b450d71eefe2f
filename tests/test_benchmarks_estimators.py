"""The suite of the estimators: both sides fit the same network, and the goals read the right rows. No time is asserted."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
sys.path.append(str(Path(__file__).parents[1]))  # the benchmarks are not part of the installed package

from benchmarks import estimators, fits, goals, images, page  # noqa: E402


def task(name, rows=60, epochs=2):
    found = next(task for task in fits.tasks(True) if task.name.startswith(name))
    return fits.replace(found, rows=rows, epochs=epochs)


def details(name, ratio=3.0, ours=0.9):
    seconds = {"sklearn": np.full(3, ratio), "minibn": np.ones(3)}
    return list(estimators._rows(task(name), seconds, 0.1, np.array([[ours, 0.9]])))


@pytest.mark.parametrize("name", ["headline", "digits", "MNIST"])
def test_both_sides_train_for_the_same_epochs_to_the_same_loss(name, monkeypatch):
    monkeypatch.delenv(images.MNIST_FILE, raising=False)
    some = task(name)
    x, y, x_test, y_test = some.data(some.rows)
    assert x.dtype == np.float32 and len(x) == len(y) == 60 and len(x_test) == len(y_test) > 0
    with pytest.warns():
        ours, theirs = (estimators._fit(make, some, x, y)(1) for make in estimators.classifiers().values())
    assert (
        ours.n_iter_ == theirs.n_iter_ == 2 and ours.coefs_[0].dtype == theirs.coefs_[0].dtype == np.float32
    )
    np.testing.assert_allclose(ours.predict_proba(x_test), theirs.predict_proba(x_test), atol=1e-4)


def test_mnist_is_read_where_the_environment_names_it(monkeypatch, tmp_path):
    monkeypatch.delenv(images.MNIST_FILE, raising=False)
    assert fits.tasks(False)[-1].name == "MNIST's shape"
    pixels = np.full((5, 28, 28), 255, np.uint8)
    np.savez(tmp_path / "m.npz", x_train=pixels, y_train=np.arange(5), x_test=pixels[:2], y_test=np.arange(2))
    monkeypatch.setenv(images.MNIST_FILE, str(tmp_path / "m.npz"))
    found = fits.tasks(False)[-1]
    x, y, x_test, _ = found.data(4)
    assert (
        found.name == "MNIST"
        and x.shape == (4, 784)
        and x_test.shape == (2, 784)
        and (x == 1).all()
        and len(y) == 4
    )


def test_goals_read_ratio_and_accuracy():
    found = {row["name"]: row for row in goals.rows("estimators", details("digits", 6.0, 0.8))}
    assert found["fit, digits 64-100-10"]["reached"] is True
    accuracy = next(row for name, row in found.items() if name.startswith("accuracy"))
    assert accuracy["ratio"] == pytest.approx(-10) and accuracy["reached"] is False
    assert found["fit, headline 20-10-3"]["reached"] is None


def test_the_table_has_a_line_per_task():
    report = {"details": [*details("headline"), *details("digits")]}
    lines = page.estimators({"estimators": report}).splitlines()
    assert len(lines) == 4 and "3.00 (3.00 - 3.00)" in lines[2] and "0.9000" in lines[2]
