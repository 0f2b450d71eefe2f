"""Networks with one thing wrong, built by hand or by doing what goes wrong; nothing here reads a rule or a threshold."""

import copy
import functools

import numpy as np

from minibn.autograd import no_grad
from minibn.nn import BatchNorm, Dense, Sequential, mlp
from minibn.train import SGD, EpochRecord, fit, recalibrate

SIZES = [4, 12, 3]
BATCH = 16


@functools.cache
def rows():
    """Training and validation rows in three clouds, standardised over the training rows."""
    rng = np.random.default_rng(5)
    y = rng.integers(3, size=360)
    x = rng.standard_normal((360, 4)) + 2.5 * np.eye(3, 4)[y]
    x = ((x - x[:240].mean(axis=0)) / x[:240].std(axis=0)).astype(np.float32)
    return x[:240], y[:240], x[240:], y[240:]


@functools.cache
def _trained():
    x, y, *held = rows()
    model = mlp(SIZES, rng=3)
    history = fit(model, x, y, optimizer=SGD(0.1), epochs=8, batch_size=BATCH, validation=tuple(held))
    return model, history


def well(**changes):
    """What the doctor is told of a healthy run, with changes."""
    model, history = _trained()
    x, y, x_held, y_held = rows()
    told = {"model": copy.deepcopy(model), "data": (x_held, y_held), "train": (x, y), "history": history,
            "batch_size": BATCH}  # fmt: skip
    return told | changes


def model_of(change, **more):
    """The healthy run with a model that was changed."""
    told = well(**more)
    told["model"] = change(told["model"]) or told["model"]
    return told


def norm(model):
    return next(layer for layer in model.layers if isinstance(layer, BatchNorm))


def forward(model, x):
    with no_grad():
        model(x, training=True)


def restarted(momentum, batches, size=60):
    """Start the running statistics anew and send random batches through."""

    def change(model):
        layer, rng = norm(model), np.random.default_rng(0)
        layer.running_mean[...], layer.running_var[...], layer.num_batches_tracked[...] = 0, 1, 0
        layer.momentum = momentum
        # Off 0 and 1, where a start at 0 and 1 would be right.
        model.layers[0].weight.data[...] *= 3
        for _ in range(batches):
            forward(model, rows()[0][rng.permutation(240)[:size]])

    return lambda: model_of(change, history=None)


def one_class(model):
    x, y = rows()[:2]
    for _ in range(20):
        forward(model, x[y == 1][:20])


def mixed(model):
    for _ in range(20):
        forward(model, rows()[0][:60])


def predict_in_training(model, x):
    with no_grad():
        blocks = [model(x[i : i + 20], training=True).data for i in range(0, len(x), 20)]
    return np.concatenate(blocks).argmax(axis=1)


def nan_average(model):
    norm(model).running_var[...] += 0.1 * np.nan


def nan_batch(model):
    x = rows()[0][:8].copy()
    x[0, 0] = np.nan
    forward(model, x)


def stale(model):
    model.layers[0].weight.data[...] *= 2


def scaled_all():
    x, y, x_held, y_held = rows()
    both = np.concatenate([x, x_held])
    x, x_held = (((part - both.mean(axis=0)) / both.std(axis=0)).astype(np.float32) for part in (x, x_held))
    return well(data=(x_held, y_held), train=(x, y))


def moved(by, times=1.0):
    x, y = rows()[2:]
    return lambda: well(data=((x * np.float32(times) + np.float32(by)), y))


def shared(count):
    def build():
        x, y, x_held, y_held = rows()
        return well(data=(np.concatenate([x_held, x[:count]]), np.concatenate([y_held, y[:count]])))

    return build


def counted(tp, fn, fp, tn):
    """A network that answers with the sign of its only feature, on rows of a given confusion matrix."""
    model = Sequential(Dense(1, 2, init=lambda rng, shape, *scale: np.array([[-5.0, 5.0]])))
    x = np.repeat([1.0, -1.0, 1.0, -1.0], [tp, fn, fp, tn])[:, None]
    return {"model": model, "data": (x, np.repeat([1, 1, 0, 0], [tp, fn, fp, tn]))}


def mislabelled(share):
    x, y = rows()[2:]
    wrong = np.random.default_rng(0).random(len(y)) < share
    return well(data=(x, np.where(wrong, (y + 1) % 3, y)))


def deep(activation, bn, init_scale=1.0):
    return well(
        model=mlp([4, *[16] * 9, 3], bn=bn, activation=activation, rng=0, init_scale=init_scale).eval(),
        history=None,
    )


def without_norm(activation="relu", bias=0.0, units=0, weight=1.0):
    model = mlp([4, 20, 3], bn=False, activation=activation, rng=0).eval()
    model.layers[0].weight.data[...] *= weight
    model.layers[0].bias.data[:units] = bias
    return well(model=model, history=None)


def layers(*kinds):
    built = {"dense": lambda: Dense(4, 4), "plain": lambda: Dense(4, 4, bias=False), "norm": lambda: BatchNorm(4),
             "out": lambda: Dense(4, 3), "out norm": lambda: BatchNorm(3)}  # fmt: skip
    model = Sequential(*(built[kind]() for kind in kinds)).eval()
    recalibrate(model, rows()[0])
    return well(model=model, history=None)


def gamma(value, units):
    def change(model):
        norm(model).gamma.data[...] = 1
        norm(model).gamma.data[:units] = value

    return lambda: model_of(change)


def course(*losses):
    return well(history=[EpochRecord(k, loss, 0.5, loss, loss, 0.5) for k, loss in enumerate(losses, 1)])


def nan_weight(model):
    model.layers[-1].weight.data[0, 0] = np.nan
