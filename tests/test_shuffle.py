"""Orders of rows: the compiled shuffle gives NumPy's own."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from minibn.interop.sklearn import trainer  # noqa: E402


def by_numpy(rng, rows, epochs):
    order, orders = np.arange(rows), []
    for _ in range(epochs):
        rng.shuffle(order)
        orders.append(order.copy())
    return np.concatenate(orders)


@pytest.mark.parametrize(("rows", "epochs"), [(1, 3), (2, 5), (3, 7), (17, 60), (64, 3), (65, 25)])
@pytest.mark.parametrize("drawn", [0, 5, 623, 624])
def test_orders_and_what_is_drawn_next_are_numpys(monkeypatch, rows, epochs, drawn):
    monkeypatch.setattr(trainer, "_SHUFFLED_HERE", 0)
    ours, theirs = np.random.RandomState(3), np.random.RandomState(3)
    for rng in (ours, theirs):
        rng.randint(0, 1 << 32, drawn, np.uint32)
    order = trainer.Order(rows, True, ours)
    found = np.concatenate([order.take(epochs), order.take(1)])
    np.testing.assert_array_equal(found, by_numpy(theirs, rows, epochs + 1))
    np.testing.assert_array_equal(ours.standard_normal(9), theirs.standard_normal(9))


def test_orders_are_numpys_whatever_the_path(monkeypatch):
    for from_rows in (0, 1 << 60):
        monkeypatch.setattr(trainer, "_SHUFFLED_HERE", from_rows)
        found = trainer.Order(33, True, np.random.RandomState(4)).take(5)
        np.testing.assert_array_equal(found, by_numpy(np.random.RandomState(4), 33, 5))


def test_other_generators_shuffle_by_themselves(monkeypatch):
    monkeypatch.setattr(trainer, "_SHUFFLED_HERE", 0)
    ours, theirs = (np.random.RandomState(np.random.PCG64(1)) for _ in range(2))
    np.testing.assert_array_equal(trainer.Order(20, True, ours).take(4), by_numpy(theirs, 20, 4))
