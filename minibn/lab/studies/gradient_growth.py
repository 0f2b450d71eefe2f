"""How gradients grow through deep networks at initialization, against the closed formula for batch norm."""

import math

import numpy as np

from minibn.autograd import Tensor
from minibn.lab.report import Lines, Report, Series, Table
from minibn.lab.statistics import CANNOT_TELL, mean_interval
from minibn.lab.studies.study import study
from minibn.nn import BatchNorm, Dense, ReLU, Sigmoid, Tanh

WIDTH, DEPTH, EDGE = 512, 30, 5  # layers at either end are left out: there the batch has not settled
BATCHES, QUICK_BATCHES = (8, 16, 32, 64, 256), (8, 16)
ARM_WIDTH, ARM_BATCH = 256, 64  # of the comparison with and without batch norm
LINEAR_BATCHES = (8, 32)
TOLERANCE = 0.03
LIMIT = math.pi / (math.pi - 1)
SOURCE = "Yang et al. 2019, A mean field theory of batch normalization, arXiv 1902.08129, sec. 4"
_ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid, "tanh": Tanh, "linear": None}
_INIT = {"relu": math.sqrt(2.0)}  # He; 1 for the others, which is Glorot's for equal widths


def relu_rate(batch):
    """Return the growth per layer of the expected squared gradient, for ReLU at infinite width and eps = 0.

    Parameters
    ----------
    batch : int
        At least 4.

    Returns
    -------
    float
        Of the squared norm of the gradient by the output of the batch norm; pi / (pi - 1) for large batches.

    Notes
    -----
    Yang et al. 2019, arXiv 1902.08129, the theorem on the backward dynamics of ReLU networks.
    """
    c, b = -1.0 / (batch - 1), batch
    angle = math.pi - math.acos(c)
    kernel, slope = (math.sqrt(1 - c * c) + angle * c) / math.pi, angle / math.pi
    return (slope + (b - 1)) / ((b - 3) * (1 - kernel)) - 1 / (b - 3)


def linear_rate(batch):
    """Return the growth per layer without an activation, (B - 2) / (B - 3); source as of :func:`relu_rate`."""
    return (batch - 2) / (batch - 3)


def squared_gradients(batch, *, activation="relu", bn=True, width=WIDTH, depth=DEPTH, seed=0, eps=0.0):
    """Return the squared norm of the gradient at each layer of a network at initialization.

    A layer is activation, dense (Gaussian weights, no bias), batch norm without gamma and beta; float64. Rows enter as
    Gaussian noise, and a Gaussian gradient enters at the end, so that nothing but the layers shapes it.

    Parameters
    ----------
    batch : int
    activation : str
        ``"relu"``, ``"sigmoid"``, ``"tanh"`` or ``"linear"``.
    bn : bool
    width, depth, seed : int
    eps : float
        Of the batch norms.

    Returns
    -------
    ndarray of float64, shape (depth + 1,)
        By the output of each batch norm (of each dense layer without), summed over rows and units; the first is that
        of the input.
    """  # fmt: skip
    rng, steps = np.random.default_rng([seed, batch]), []
    scale = _INIT.get(activation, 1.0) / math.sqrt(width)
    y = Tensor(rng.standard_normal((batch, width)))
    for _ in range(depth):
        x = Tensor(y.data, requires_grad=True)  # a leaf, so that its gradient is kept
        dense = Dense(width, width, bias=False, init="normal", init_scale=scale, rng=rng, dtype=np.float64)
        dense.weight.requires_grad = False
        y = dense(x if activation == "linear" else _ACTIVATIONS[activation]()(x))
        if bn:
            y = BatchNorm(width, eps=eps, affine=False, dtype=np.float64)(y, training=True)
        steps.append((x, y))
    gradient = rng.standard_normal(y.shape)
    norms = [float(np.sum(gradient**2))]
    for x, y in reversed(steps):
        y.backward(gradient)
        gradient = x.grad
        norms.append(float(np.sum(gradient**2)))
    return np.array(norms[::-1])


def growth(norms, edge=EDGE):
    """Return the growth per layer, towards the input, of squared gradients of shape (depth + 1,)."""
    inner = np.log(norms[edge : len(norms) - edge])
    return float(np.exp((inner[0] - inner[-1]) / (len(inner) - 1)))


@study(
    "gradient-growth",
    question="Do gradients explode through deep networks with batch norm at initialization, at the rate that theory gives?",
    source=SOURCE,
    statement="vanishing and exploding gradients are relieved; deeper networks become trainable",
    seconds=15,
    needs_data=False,
)  # fmt: skip
def gradient_growth(setup):
    """Measure the growth per layer and hold it against the formula."""
    seeds = setup.seeds_or(6, 1)
    batches = QUICK_BATCHES if setup.quick else BATCHES
    linear = QUICK_BATCHES[:1] if setup.quick else LINEAR_BATCHES
    rows = [_against(setup, batch, "relu", relu_rate, seeds) for batch in batches]
    rows += [_against(setup, batch, "linear", linear_rate, seeds) for batch in linear]
    arms = [_arms(setup, activation, seeds) for activation in ("relu", "sigmoid", "tanh")]
    return _report(seeds, rows, arms)


def _against(setup, batch, activation, formula, seeds):
    setup.progress(f"gradient-growth: {activation}, batch {batch}")
    found = [growth(squared_gradients(batch, activation=activation, seed=seed)) for seed in seeds]
    mean, low, high = mean_interval(found)
    theory = formula(batch)
    return {
        "activation": activation, "batch": batch, "theory": theory, "measured": mean, "low": low, "high": high,
        "error": mean / theory - 1,
    }  # fmt: skip


def _arms(setup, activation, seeds):
    setup.progress(f"gradient-growth: {activation}, with and without batch norm")
    curves = {
        bn: [
            squared_gradients(ARM_BATCH, activation=activation, bn=bn, width=ARM_WIDTH, seed=s) for s in seeds
        ]
        for bn in (True, False)
    }
    return {
        "activation": activation,
        **{
            name: mean_interval([growth(norms) for norms in curves[bn]])
            for name, bn in (("with", True), ("without", False))
        },
        "curve_with": _curve(curves[True]),
        "curve_without": _curve(curves[False]),
    }


def _curve(norms):
    """Return the geometric mean of squared gradients, 1 at the last layer."""
    return np.exp(np.mean([np.log(n / n[-1]) for n in norms], axis=0)).tolist()


def _report(seeds, rows, arms):
    worst = max(abs(row["error"]) for row in rows)
    relu, sigmoid = arms[0], arms[1]
    one = "; one draw says nothing about the next" if len(seeds) < 2 else ""
    return Report(
        name="gradient-growth",
        title="Growth of gradients through deep networks at initialization",
        question="By how much does the squared gradient grow per layer, and is it what theory says?",
        verdict=CANNOT_TELL if len(seeds) < 2 else "yes" if worst < TOLERANCE else "no",
        statements=(
            f"Batch norm makes gradients grow in deep ReLU networks at initialization, and the formula holds to {100 * worst:.1f} % at width {WIDTH} (tolerance {100 * TOLERANCE:g} %{one}).",
            f"For large batches the squared gradient grows by pi / (pi - 1) = {LIMIT:.4f} per layer: over 50 layers by {LIMIT**50:.1e}, the gradient itself by {LIMIT**25:.1e}.",
            f"Without batch norm a He-initialized ReLU network keeps it at {relu['without'][0]:.3f} per layer: here batch norm does not relieve an explosion, it makes one.",
            f"Vanishing it does relieve: through sigmoids the squared gradient is multiplied by {sigmoid['without'][0]:.4f} per layer without batch norm and by {sigmoid['with'][0]:.3f} with it.",
        ),
        tables=(_theory_table(rows), _arm_table(arms)),
        charts=(_rate_chart(rows), *(_arm_chart(arm) for arm in arms)),
        numbers={"growth": rows, "worst": worst, "tolerance": TOLERANCE, "limit": LIMIT, "arms": arms},
        conditions={
            "network": f"{DEPTH} layers of {WIDTH} units, Gaussian weights, gamma 1, beta 0, eps 0, float64",
            "measured": f"squared norm of the gradient by the output of each batch norm (of each dense layer without), ratio per layer over the inner {DEPTH - 2 * EDGE} layers",
            "input": "Gaussian rows, Gaussian gradient at the end; no data set",
            "seeds": list(seeds),
        },
        source=SOURCE,
    )  # fmt: skip


def _theory_table(rows):
    head = ("activation", "batch", "theory", "measured", "low", "high", "error %")
    cells = tuple(
        (r["activation"], r["batch"], r["theory"], r["measured"], r["low"], r["high"], 100 * r["error"]) for r in rows
    )  # fmt: skip
    return Table("growth of the squared gradient per layer, 95 % interval over draws", head, cells)


def _arm_table(arms):
    head = ("activation", "with batch norm", "low", "high", "without", "low", "high")
    rows = tuple((arm["activation"], *arm["with"], *arm["without"]) for arm in arms)
    return Table(f"with and without batch norm, batch {ARM_BATCH}, width {ARM_WIDTH}", head, rows)


def _rate_chart(rows):
    relu = [row for row in rows if row["activation"] == "relu"]
    sizes = list(range(relu[0]["batch"], relu[-1]["batch"] + 1))
    measured = "measured" if relu[0]["low"] is None else "measured, 95 % interval"
    series = (
        Series("theory", sizes, [relu_rate(b) for b in sizes], style="dashed"),
        Series(measured, *([r[k] for r in relu] for k in ("batch", "measured", "low", "high")), style="points"),
        Series(f"limit pi / (pi - 1) = {LIMIT:.3f}", sizes, [LIMIT] * len(sizes), style="dotted"),
    )  # fmt: skip
    return Lines(
        "ReLU with batch norm", "batch size", "growth of the squared gradient per layer", series, log_x=True
    )  # fmt: skip


def _arm_chart(arm):
    layers = list(range(len(arm["curve_with"])))
    series = tuple(
        Series(f"{name} batch norm", layers, arm[f"curve_{name}"], arm=f"{name} batch norm")
        for name in ("with", "without")
    )
    return Lines(f"{arm['activation']}, batch {ARM_BATCH}", "layer", "squared gradient / that at the end", series, log_y=True)  # fmt: skip
