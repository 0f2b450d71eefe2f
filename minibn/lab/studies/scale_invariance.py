"""What follows from batch norm not seeing the scale of the weights before it: exact identities, and their use."""

from functools import partial

import numpy as np

from minibn.lab.report import Lines, Report, Series, Table
from minibn.lab.statistics import CANNOT_TELL, mean_interval
from minibn.lab.steps import StepTrainer
from minibn.lab.studies.study import study
from minibn.nn import SoftmaxCrossEntropy, mlp
from minibn.train import SGD, Settings, prepare

TOLERANCE = 1e-12
HIDDEN, ROWS, RATE, STEPS = (32, 32), 128, 0.1, 50
FACTORS = (1e-3, 0.1, 10.0, 1e3)
DECAY = 1e-2
DECAYS = (0.0, 1e-4, 1e-3, 1e-2)
SOURCE = (
    "van Laarhoven 2017, L2 regularization versus batch and weight normalization, arXiv 1706.05350, sec. 2-3"
)
_LOSS = SoftmaxCrossEntropy()


def _network(x, y, seed, eps):
    sizes = (x.shape[1], *HIDDEN, int(y.max()) + 1)
    return mlp(sizes, rng=np.random.default_rng(seed), bn_eps=eps, dtype=np.float64)


def _weights(model):
    """Return the weights that stand before a batch norm: all but those of the logits."""
    return {name: model.parameters()[name] for name in model.decayed[:-1]}


def _scaled(model, factor):
    for tensor in _weights(model).values():
        tensor.data *= factor
    return model


def _play(model, x, y):
    """Return the loss; the gradients are left in the parameters."""
    model.zero_grad()
    loss = _LOSS(model(x, training=True), y)
    loss.backward()
    return loss.item()


def _gradients(model):
    return np.concatenate([tensor.grad.ravel() for tensor in _weights(model).values()])


def _relative(found, expected):
    return float(np.linalg.norm(np.subtract(found, expected)) / np.linalg.norm(expected))


def _same_loss(build, x, y):
    loss = _play(build(), x, y)
    return max(abs(_play(_scaled(build(), a), x, y) - loss) / loss for a in FACTORS)


def _inverse_gradient(build, x, y):
    model = build()
    _play(model, x, y)
    expected, errors = _gradients(model), []
    for a in FACTORS:
        scaled = _scaled(build(), a)
        _play(scaled, x, y)
        errors.append(_relative(a * _gradients(scaled), expected))
    return max(errors)


def _orthogonal(build, x, y):
    """Return the largest cosine between the weights of one unit and their gradient; 0 for a unit without one."""
    model = build()
    _play(model, x, y)
    return max(float(np.max(_cosines(w.data, w.grad))) for w in _weights(model).values())


def _cosines(weight, gradient):
    lengths = np.linalg.norm(weight, axis=0) * np.linalg.norm(gradient, axis=0)
    return np.abs((weight * gradient).sum(axis=0)) / np.maximum(lengths, np.finfo(float).tiny)


def _train(model, x, y, rate_of, decay=0.0):
    """Train on one batch, the weights before batch norms at ``rate_of(step)``, the rest at RATE; return the losses."""
    free, losses = _weights(model), []
    for step in range(STEPS):
        losses.append(_play(model, x, y))
        for name, tensor in model.parameters().items():
            rate = rate_of(step) if name in free else RATE
            tensor.data -= rate * (tensor.grad + (decay if name in free else 0.0) * tensor.data)
    return losses


def _norm_growth(build, x, y):
    model, worst = build(), 0.0
    for _ in range(STEPS):
        _play(model, x, y)
        for tensor in _weights(model).values():
            expected = np.sum(tensor.data**2) + RATE**2 * np.sum(tensor.grad**2)
            tensor.data -= RATE * tensor.grad
            worst = max(worst, abs(float(np.sum(tensor.data**2) / expected) - 1.0))
    return worst


def _same_trajectory(build, x, y):
    losses = _train(build(), x, y, lambda step: RATE)
    return max(
        _relative(_train(_scaled(build(), a), x, y, lambda step, a=a: a * a * RATE), losses) for a in FACTORS
    )


def _decay_is_a_rate(build, x, y):
    """Compare weight decay with a growing rate: V_t = W_t / (1 - lr wd)^t moves by lr (1 - lr wd)^-(2t + 1)."""
    losses = _train(build(), x, y, lambda step: RATE, DECAY)
    shrink = 1.0 - RATE * DECAY
    return _relative(_train(build(), x, y, lambda step: RATE * shrink ** -(2 * step + 1)), losses)


IDENTITIES = {
    "L(aW) = L(W)": _same_loss,
    "grad L(aW) = grad L(W) / a": _inverse_gradient,
    "<w, grad w> = 0 for each unit (cosine)": _orthogonal,
    "|W'|^2 = |W|^2 + lr^2 |grad|^2": _norm_growth,
    "(aW, a^2 lr) trains like (W, lr)": _same_trajectory,
    "weight decay trains like a growing rate": _decay_is_a_rate,
}


def identities(x, y, seed, eps):
    """Return by how much each identity is missed, relative, for one draw of weights.

    Parameters
    ----------
    x : ndarray of float64, shape (N, C)
    y : ndarray of int64, shape (N,)
    seed : int
    eps : float
        Of the batch norms; the identities are exact at 0.

    Returns
    -------
    dict of str to float
    """
    return {name: test(partial(_network, x, y, seed, eps), x, y) for name, test in IDENTITIES.items()}


@study(
    "scale-invariance",
    question="Does batch norm make the loss blind to the scale of the weights, so that their norm only sets the learning rate?",
    source=SOURCE,
    statement="less dependence on initialization; higher learning rates without divergence",
    seconds=4,
)  # fmt: skip
def scale_invariance(setup):
    """Measure the identities at eps = 0 and at the usual eps, and follow the effective learning rate."""
    seeds = setup.seeds_or(3, 1)
    worst = {eps: dict.fromkeys(IDENTITIES, 0.0) for eps in (0.0, 1e-5)}
    runs = []
    for seed in seeds:
        setup.progress(f"scale-invariance: seed {seed}")
        experiment = prepare(Settings(data=setup.data, target=setup.target, seed=seed, scale="standard"))
        x, y = experiment.x_train[:ROWS].astype(np.float64), experiment.y_train[:ROWS]
        for eps, found in worst.items():
            for name, error in identities(x, y, seed, eps).items():
                found[name] = max(found[name], error)
        runs.append([_follow(experiment, decay, 500 if setup.quick else 4000) for decay in DECAYS])
    return _report(setup, experiment, seeds, worst, runs)


def _follow(experiment, decay, steps):
    """Train with weight decay and return steps, effective rates of the first layer, and validation accuracy."""
    seed, x = experiment.settings.seed, experiment.x_train
    classes = len(experiment.dataset.labels)
    model = mlp((x.shape[1], *HIDDEN, classes), rng=np.random.default_rng(seed))
    optimizer = SGD(RATE, weight_decay=decay)
    trainer = StepTrainer(model, x, experiment.y_train, optimizer=optimizer, batch_size=min(32, len(x)), seed=seed)  # fmt: skip
    looks = np.linspace(0, steps, 21).astype(int)
    rates = []
    for before, now in zip(np.r_[0, looks[:-1]], looks, strict=True):
        trainer.advance(int(now - before))
        rates.append(RATE / float(np.sum(model.parameters()["0.weight"].data.astype(np.float64) ** 2)))
    return {
        "decay": decay, "steps": looks.tolist(), "rates": rates,
        "accuracy": trainer.accuracy(experiment.x_validation, experiment.y_validation),
    }  # fmt: skip


def _report(setup, experiment, seeds, worst, runs):
    exact = max(worst[0.0].values())
    by_decay = [_by_decay([run[k] for run in runs]) for k in range(len(DECAYS))]
    first, last = by_decay[0], by_decay[-1]
    return Report(
        name="scale-invariance",
        title=f"Scale invariance of the weights before a batch norm, {experiment.dataset.name}",
        question="Is the loss blind to the scale of the weights, and is their norm only a learning rate?",
        verdict=CANNOT_TELL if len(seeds) < 2 else "yes" if exact < TOLERANCE else "no",
        statements=(
            f"At eps = 0 every identity holds to {exact:.1e} in float64 (tolerance {TOLERANCE:g}).",
            f"At eps = 1e-5 they hold to {max(worst[1e-5].values()):.1e} only, the worst at factors that shrink the weights: eps gives them a scale again.",
            f"Without weight decay the effective learning rate lr / |W|^2 can only fall: to {first['change']:.2f} of where it began; with decay {last['decay']:g} it ends at {last['change']:.2f} of it. L2 on these weights is a setting of the learning rate, not a penalty on the function.",
        ),
        tables=(_identity_table(worst), _decay_table(by_decay)),
        charts=(_chart(by_decay),),
        numbers={"identities": {f"{eps:g}": found for eps, found in worst.items()}, "tolerance": TOLERANCE, "decay": by_decay},
        conditions={
            "data": f"{experiment.dataset.name}, the first {min(ROWS, len(experiment.x_train))} training rows for the identities",
            "network": f"{experiment.x_train.shape[1]} - {' - '.join(map(str, HIDDEN))} - {len(experiment.dataset.labels)}, relu, float64 for the identities",
            "training": f"lr {RATE:g}; identities {STEPS} steps; effective rate {first['steps'][-1]} steps, batch 32",
            "seeds": list(seeds),
        },
        source=SOURCE,
    )  # fmt: skip


def _by_decay(runs):
    rates = np.array([run["rates"] for run in runs])
    accuracy = mean_interval([100 * run["accuracy"] for run in runs])
    return {
        "decay": runs[0]["decay"],
        "steps": runs[0]["steps"],
        "rates": rates.mean(0).tolist(),
        "change": float(np.exp(np.log(rates[:, -1] / rates[:, 0]).mean())),
        "accuracy": accuracy,
    }


def _identity_table(worst):
    rows = tuple((name, worst[0.0][name], worst[1e-5][name]) for name in IDENTITIES)
    return Table("relative error, the worst over seeds and factors", ("identity", "eps 0", "eps 1e-5"), rows)


def _decay_table(by_decay):
    rows = tuple(
        (f"{d['decay']:g}", d["rates"][0], d["rates"][-1], d["change"], d["accuracy"][0]) for d in by_decay
    )
    head = ("weight decay", "lr / |W|^2 at first", "at last", "ratio", "validation accuracy %")
    return Table("effective learning rate of the first layer, mean over seeds", head, rows)


def _chart(by_decay):
    series = tuple(Series(f"weight decay {d['decay']:g}", d["steps"], d["rates"]) for d in by_decay)
    return Lines("effective learning rate of the first layer", "step", "lr / |W|^2", series, log_y=True)
