"""Training on weighted rows: what equals what, in both engines."""

import warnings

import numpy as np
import pytest

from minibn.data import class_weights
from minibn.errors import ArgumentError, BatchSizeError, DtypeError, MinibnError, ProgramError, ShapeError
from minibn.nn import SoftmaxCrossEntropy, SquaredError, mlp
from minibn.nn.activations import ReLU
from minibn.program import capture
from minibn.train import SGD, Adam, fit, recalibrate

RNG = np.random.default_rng(8)
N = 41
X, Y, T = RNG.standard_normal((N, 5)), np.arange(N) % 3, RNG.standard_normal((N, 3))
COUNTS = RNG.integers(0, 4, N).astype(np.float64)
KEPT, REPEATED = np.flatnonzero(COUNTS), np.repeat(np.arange(N), COUNTS.astype(int))
UNEVEN = RNG.uniform(0.1, 2.0, N)
ENGINES = ["program", "eager"]


def trained(rows, y=Y, dtype=np.float64, **options):
    """Return history, without the times, and state of a network trained on some rows."""
    model = mlp([5, 6, 4, 3], bn=True, rng=0, dtype=dtype)
    loss = "softmax_cross_entropy" if y.ndim == 1 else "squared_error"
    given = {"optimizer": SGD(0.1, momentum=0.9), "epochs": 3, "seed": 2, "batch_size": 16, "loss": loss}
    history = fit(model, X[rows], y[rows], **given | options)
    return [[getattr(record, name) for name in FIELDS] for record in history], model.state_dict()


FIELDS = ("train_loss", "train_accuracy", "train_loss_eval", "val_loss", "val_accuracy")
ALL = slice(None)


def assert_same(ours, theirs):
    """Compare histories and states bit for bit."""
    assert ours[0] == theirs[0]
    assert all(np.array_equal(ours[1][name], theirs[1][name]) for name in ours[1])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("y", [Y, T], ids=["classes", "regression"])
def test_a_weight_equals_the_row_as_often_in_one_full_batch(y, engine):
    """To rounding: history, weights, and running statistics."""
    ours = trained(ALL, y, sample_weight=COUNTS, batch_size=200, engine=engine)
    theirs = trained(REPEATED, y, batch_size=200, engine=engine)
    for mine, other in zip(ours[0], theirs[0], strict=True):
        assert [a for a in mine if a is not None] == pytest.approx(
            [b for b in other if b is not None], rel=1e-12
        )
    for name in ours[1]:
        np.testing.assert_allclose(ours[1][name], theirs[1][name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("options", [{}, {"validation": 0.3}, {"class_weight": "balanced"}], ids=str)
def test_rows_of_weight_zero_equal_rows_left_out(engine, options):
    """Bit for bit, with small batches too: such rows take no place in a batch."""
    ours = trained(ALL, sample_weight=COUNTS, engine=engine, **options)
    assert_same(ours, trained(KEPT, sample_weight=COUNTS[KEPT], engine=engine, **options))


@pytest.mark.parametrize("engine", ENGINES)
def test_weights_of_one_equal_none(engine):
    assert_same(trained(ALL, sample_weight=np.ones(N), engine=engine), trained(ALL, engine=engine))
    mask = trained(ALL, sample_weight=COUNTS > 0, engine=engine)
    assert_same(mask, trained(KEPT, engine=engine))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("y", "options"),
    [(Y, {"class_weight": [1.0, 0.5, 2.0], "optimizer": Adam(0.01)}), (Y, {"validation": 0.3}), (T, {}),
     (Y, {"validation": (X, Y, UNEVEN)}), (Y, {"validation": (X, Y)})],
    ids=["class weights", "share", "regression", "weighted part", "plain part"],
)  # fmt: skip
def test_program_equals_eager_bit_for_bit(y, options, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # neither falls back
        both = [trained(ALL, y, dtype, sample_weight=UNEVEN, engine=engine, **options) for engine in ENGINES]
    assert_same(*both)


def test_only_the_validation_part_may_be_weighted():
    ours = trained(ALL, validation=(X, Y, COUNTS))
    theirs = trained(ALL, validation=(X[REPEATED], Y[REPEATED]))
    assert [r[3:] for r in ours[0]] == [pytest.approx(r[3:], rel=1e-9) for r in theirs[0]]


def test_weights_change_what_is_learned():
    """Rows whose label is wrong have next to no weight, and the network does not learn them."""
    wrong = np.arange(N) % 4 == 0
    y = np.where(wrong, 2, (X[:, 0] > 0).astype(int))
    model = mlp([5, 6, 3], bn=True, rng=0)
    fit(model, X, y, sample_weight=np.where(wrong, 1e-3, 1.0), epochs=60, optimizer=SGD(0.3), batch_size=50)
    assert (model.predict(X)[wrong] == 2).sum() <= 1
    assert (model.predict(X) == y)[~wrong].mean() > 0.9


def test_balanced_classes_count_weights():
    ours = class_weights(Y, 3, "balanced", COUNTS)
    np.testing.assert_allclose(ours, class_weights(Y[REPEATED], 3, "balanced"), rtol=1e-15)


def test_a_resumed_run_needs_the_same_weights(tmp_path):
    options = {"engine": "program", "sample_weight": UNEVEN}
    whole = trained(ALL, epochs=4, **options)
    trained(ALL, epochs=2, checkpoint=tmp_path, **options)
    assert_same(trained(ALL, epochs=4, resume=tmp_path, **options), whole)
    with pytest.raises(MinibnError, match="data"):
        trained(ALL, epochs=5, resume=tmp_path, sample_weight=UNEVEN[::-1])


class Plain:
    """A loss that knows nothing of weights."""

    def __call__(self, output, target):
        return SoftmaxCrossEntropy()(output, target)

    weight = staticmethod(lambda target: float(len(target)))
    correct = staticmethod(SoftmaxCrossEntropy.correct)


BAD = [
    ({"sample_weight": COUNTS[:-1]}, ShapeError, r"sample_weight must have shape \(41,\), got \(40,\)"),
    ({"sample_weight": -COUNTS}, ArgumentError, "finite and not negative, got -"),
    ({"sample_weight": COUNTS * 0}, ArgumentError, "positive, finite sum, got 0"),
    ({"sample_weight": np.eye(N)[3]}, BatchSizeError, "positive for at least 2 rows, got 1"),
    ({"sample_weight": ["a"] * N}, DtypeError, "sample_weight must be float64"),
    ({"validation": (X, Y, COUNTS[:3])}, ShapeError, "validation sample_weight must have shape"),
    ({"loss": Plain(), "sample_weight": UNEVEN}, DtypeError, "loss must take sample_weight .*, got Plain"),
]


@pytest.mark.parametrize(("options", "error", "line"), BAD)
def test_wrong_weights_get_one_line(options, error, line):
    with pytest.raises(error, match=line) as caught:
        trained(ALL, **options)
    assert "\n" not in str(caught.value)


def test_a_loss_without_weights_trains_without_weights():
    trained(ALL, loss=Plain(), engine="eager", sample_weight=np.ones(N))


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), SquaredError()])
def test_a_program_takes_weights_only_if_captured_for_them(loss):
    y, order = (Y, np.arange(N)) if isinstance(loss, SoftmaxCrossEntropy) else (T, np.arange(N))
    plain = capture(mlp([5, 6, 3], bn=True, rng=0), loss, SGD(0.1), N)
    with pytest.raises(ProgramError, match="weighted=True"):
        plain.run_epoch(X, y, order, N, sample_weight=UNEVEN)
    model = mlp([5, 6, 3], bn=True, rng=0)
    weighted = capture(model, loss, SGD(0.1), N, weighted=True)
    expected = plain.run_epoch(X, y, order, N)
    once = weighted.run_epoch(X, y, order, N)  # without weights every row counts once
    assert once.mean_loss == pytest.approx(expected.mean_loss, rel=1e-6)
    assert once.accuracy == expected.accuracy
    assert "WEIGHTED_STATISTICS" in str(weighted)
    assert any(isinstance(layer, ReLU) for layer in model.layers)


def test_recalibrated_statistics_count_rows():
    ours, theirs, left_out = (mlp([5, 6, 4, 3], bn=True, rng=0, dtype=np.float64) for _ in range(3))
    recalibrate(ours, X, COUNTS)
    recalibrate(theirs, X[REPEATED])
    recalibrate(left_out, X[KEPT], COUNTS[KEPT])
    for name, value in ours.state_dict().items():
        np.testing.assert_allclose(value, theirs.state_dict()[name], rtol=1e-12)
        assert np.array_equal(value, left_out.state_dict()[name])
