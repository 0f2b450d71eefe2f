"""Every kernel of the suite against float64 on the CPU, on outputs full of NaN, twice."""

import numpy as np

TOLERANCE = 1e-5
"""Of the largest entry; of a product 1e-6 a root of its terms more."""
SMALL = ((2, 3), (33, 20), (50, 12))
LARGE = (
    (2, 4096), (3, 5), (37, 5), (1000, 20), (1000, 21), (4097, 1000), (8192, 1024), (65536, 256), (200000, 3)
)  # fmt: skip
TIMED = ((65536, 1024),)  # of what is timed, too large to be checked in every way
SMALL_PRODUCTS, LARGE_PRODUCTS = (
    ((5, 7, 9), (33, 20, 10)),
    ((1, 1, 1), (129, 33, 70), (1000, 20, 64), (512, 512, 512), (4096, 4096, 4096)),
)
PRODUCTS = ("", "_tiled")  # by cuBLAS where it is installed, and by the own kernels
MEANS = (0.0, 1e4)


def _standardized(x):
    mean, var = x.mean(axis=0), x.var(axis=0)
    return (x - mean) / np.sqrt(var + 1e-5), mean, var


def _forward(x, gamma, beta, relu):
    normalized, mean, var = _standardized(x)
    y = normalized * gamma + beta
    return np.maximum(y, 0) if relu else y, mean, var


def _backward(dy, x, gamma, beta, relu):
    normalized, _, var = _standardized(x)
    if relu:
        dy = np.where(normalized * gamma + beta > 0, dy, 0)
    dgamma, dbeta = (dy * normalized).sum(axis=0), dy.sum(axis=0)
    n = len(x)
    return gamma / np.sqrt(var + 1e-5) * (dy - dbeta / n - normalized * dgamma / n), dgamma, dbeta


def _error(found, wanted, spared=0):
    """Return the largest difference over the largest entry, some differences left out."""
    difference = np.abs(found - wanted).reshape(-1)
    if np.isnan(difference).any():
        return float("nan")
    largest = np.partition(difference, -1 - spared)[-1 - spared]
    return float(largest / max(np.abs(wanted).max(), 1e-3))


def _row(name, shape, errors, tolerance):
    worst = max(errors)
    text = "x".join(map(str, shape))
    return {
        "name": name,
        "shape": text,
        "error": worst,
        "tolerance": tolerance,
        "right": bool(worst <= tolerance),
    }


class _Kernels:
    """Plays kernels twice on outputs of NaN, and compares the two runs bit for bit."""

    def __init__(self):
        from minibn.kernels import cuda

        self.cuda = cuda

    def play(self, name, inputs, outputs):
        """Return the outputs, arrays of the given shapes."""
        function, runs = getattr(self.cuda, name, None) or getattr(self.cuda.dense, name), []
        for _ in range(2):
            there = [self.cuda.to_device(np.full(shape, np.nan, np.float32)) for shape in outputs]
            given = [self.cuda.to_device(a) if isinstance(a, np.ndarray) else a for a in inputs]
            function(*given, *there)
            runs.append([array.copy_to_host() for array in there])
        for first, second in zip(*runs, strict=True):
            np.testing.assert_array_equal(first, second, err_msg=f"{name} is not reproducible")
        return runs[0]


def batch_norm(shape, mean, relu):
    """Return the rows of one shape, forward and backward."""
    rng, kernels, kind = np.random.default_rng(shape), _Kernels(), "_relu" if relu else ""
    n, c = shape
    x = (rng.standard_normal(shape) + mean).astype(np.float32)
    dy = rng.standard_normal(shape).astype(np.float32)
    gamma, beta = rng.uniform(0.5, 2, (2, c)).astype(np.float32)
    outputs = kernels.play(f"batch_norm{kind}_forward", (x, gamma, beta, 1e-5), (shape, (2, c), (c,)))
    y, found_mean, var = outputs
    exact = [a.astype(np.float64) for a in (x, dy, gamma, beta)]
    wanted = _forward(exact[0], exact[2], exact[3], relu)
    found = y, found_mean.astype(np.float64).sum(axis=0), var
    errors = [_error(*pair) for pair in zip(found, wanted, strict=True)]
    yield _row(f"batch_norm{kind}_forward, mean {mean:g}", shape, errors, TOLERANCE)
    affine = (gamma, beta) if relu else (gamma,)
    inputs = (dy, x, *affine, found_mean, var, 1e-5)
    gradients = kernels.play(f"batch_norm{kind}_backward", inputs, (shape, (c,), (c,)))
    wanted = _backward(exact[1], exact[0], exact[2], exact[3], relu)
    scale = 1 if n > 2 else 10  # of two rows nearly all of dx cancels
    spared = x.size // 10**5 if relu else 0  # of a ReLU's mask one entry in 100,000 may differ
    errors = [_error(*pair, n) for *pair, n in zip(gradients, wanted, (spared, 0, 0), strict=True)]
    yield _row(f"batch_norm{kind}_backward, mean {mean:g}", shape, errors, TOLERANCE * scale)


def product(shape, kind=""):
    """Return the row of one product of a dense layer; ``kind`` is one of ``PRODUCTS``."""
    rng, (n, inputs, outputs) = np.random.default_rng(shape), shape
    x, weight = (rng.standard_normal(s).astype(np.float32) for s in ((n, inputs), (inputs, outputs)))
    bias = rng.standard_normal(outputs).astype(np.float32)
    (y,) = _Kernels().play(f"dense_forward{kind}", (x, weight, bias), ((n, outputs),))
    wanted = x.astype(np.float64) @ weight.astype(np.float64) + bias
    return _row(f"dense_forward{kind}", shape, [_error(y, wanted)], TOLERANCE + 1e-6 * inputs**0.5)


def product_gradients(shape, kind=""):
    """Return the row of the three gradients of a dense layer; ``kind`` is one of ``PRODUCTS``."""
    rng, (n, inputs, outputs) = np.random.default_rng(shape), shape
    arrays = [
        rng.standard_normal(s).astype(np.float32) for s in ((n, outputs), (n, inputs), (inputs, outputs))
    ]
    found = _Kernels().play(f"dense_backward{kind}", arrays, ((n, inputs), (inputs, outputs), (outputs,)))
    dy, x, weight = (a.astype(np.float64) for a in arrays)
    errors = [_error(*pair) for pair in zip(found, (dy @ weight.T, x.T @ dy, dy.sum(axis=0)), strict=True)]
    return _row(f"dense_backward{kind}", shape, errors, TOLERANCE + 1e-6 * max(n, outputs) ** 0.5)


def headline(rows, epochs, executor):
    """Return the row of the headline example: losses of the program on CUDA against those on the CPU."""
    from minibn.data import load
    from minibn.nn import SoftmaxCrossEntropy, mlp
    from minibn.program import capture
    from minibn.train import SGD

    data, losses = load("example", seed=0), []
    x, y, order = data.x[:rows].astype(np.float32), data.y[:rows], np.arange(rows)
    for device in ("cpu", "cuda"):
        program = capture(mlp([20, 10, 3], rng=0), SoftmaxCrossEntropy(), SGD(0.01), 33, device=device)
        if device == "cuda":
            program.executor = executor
        losses.append([program.run_epoch(x, y, order, 32).losses for _ in range(epochs)])
    error = float(np.abs(np.subtract(*losses)).max())
    return _row(f"{epochs} epochs, {executor}", (rows, 20), [error], TOLERANCE)


def rows(small=False):
    """Yield a row per kernel and shape: error, what is allowed, and whether it is right.

    Parameters
    ----------
    small : bool
        For the simulator.
    """
    for shape in SMALL if small else LARGE:
        for relu in (False, True):
            for mean in MEANS:
                if shape[0] > 2 or not mean:
                    yield from batch_norm(shape, mean, relu)
    for shape in () if small else TIMED:
        for relu in (False, True):
            yield from batch_norm(shape, 0.0, relu)
    for shape in SMALL_PRODUCTS if small else LARGE_PRODUCTS:
        for kind in PRODUCTS:
            yield product(shape, kind)
            yield product_gradients(shape, kind)
    for executor in ("persistent", "stream"):
        yield headline(*((40, 1) if small else (1000, 5)), executor)
