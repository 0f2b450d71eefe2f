"""What is timed side by side: minibn's kernels, PyTorch's, and a copy, on the same arrays."""

import numpy as np

_BEYOND_CACHE = 512e6  # bytes of all sets together: ten times the second-level cache
_EPS = 1e-5
_NO_RUNNING = None, None  # as here, where moving running statistics is a call of its own


def sets_of(size):
    """Return how many sets of inputs of so many bytes are taken in turn."""
    return int(np.clip(_BEYOND_CACHE // size, 2, 16))


def torch_backward(x, gamma, beta):
    """Return PyTorch's gradients of batch norm, ``backward(dy, x)``, by the library that autograd would choose here."""
    import torch

    aten = torch.ops.aten
    forward, backward = aten._batch_norm_impl_index, aten._batch_norm_impl_index_backward
    cudnn = torch.backends.cudnn.enabled
    _, *saved, reserved, choice = forward(x, gamma, beta, *_NO_RUNNING, True, 0.1, _EPS, cudnn)

    def played(dy, x):
        return backward(choice, x, dy, gamma, *_NO_RUNNING, *saved, True, _EPS, [True] * 3, reserved)

    return played


class BatchNorm:
    """Batch norm of one shape in minibn and in PyTorch, whose results are kept so that their memory takes turns too.

    Parameters
    ----------
    shape : tuple of int
    stream : Stream
        Of ``numba.cuda``.
    """

    def __init__(self, shape, stream):
        import torch

        self._torch, self._stream, (_, c) = torch, stream, shape
        self.bytes = 4 * shape[0] * c
        self.sets = sets_of(self.bytes)
        generator = torch.Generator(device="cuda").manual_seed(0)

        def normal(*size):
            return torch.randn(*size, device="cuda", generator=generator)

        self._x = [normal(*shape) for _ in range(self.sets)]
        self._dy = [normal(*shape) for _ in range(self.sets)]
        self._out = [torch.empty(shape, device="cuda") for _ in range(self.sets)]
        self._gamma, self._beta = 1 + 0.3 * normal(c), 0.5 * normal(c)
        self._mean, self._var = torch.empty(2, c, device="cuda"), torch.empty(c, device="cuda")
        self._sums = torch.empty(2, c, device="cuda")
        self._kept = [None] * self.sets
        torch.cuda.synchronize()
        self._ours = self._taken()

    def _taken(self):
        """Return the same arrays as Numba's: made once, so that no call pays for it."""
        from minibn.kernels.cuda.target import cuda

        names = "x", "dy", "out"
        taken = {n: [cuda.as_cuda_array(t, sync=False) for t in getattr(self, f"_{n}")] for n in names}
        for name in ("gamma", "beta", "mean", "var"):
            taken[name] = cuda.as_cuda_array(getattr(self, f"_{name}"), sync=False)
        taken["dgamma"], taken["dbeta"] = (cuda.as_cuda_array(row, sync=False) for row in self._sums)
        return taken

    def copy(self):
        """Return a copy of one input."""
        return {"copy": lambda i: self._out[i].copy_(self._x[i])}

    def forward(self):
        """Return the subjects of the forward pass."""
        from minibn.kernels import cuda

        a, f = self._ours, self._torch.nn.functional
        affine = a["gamma"], a["beta"]

        def ours(i):
            cuda.batch_norm_forward(
                a["x"][i], *affine, _EPS, a["out"][i], a["mean"], a["var"], stream=self._stream
            )

        def theirs(i):
            self._kept[i] = f.batch_norm(self._x[i], *_NO_RUNNING, self._gamma, self._beta, True, 0.1, _EPS)

        return {"minibn": ours, "torch": theirs, **self.copy()}

    def fused(self):
        """Return the subjects of batch norm with a ReLU behind it: one call here, two there."""
        from minibn.kernels import cuda

        a, f = self._ours, self._torch.nn.functional
        affine = a["gamma"], a["beta"]

        def ours(i):
            cuda.batch_norm_relu_forward(
                a["x"][i], *affine, _EPS, a["out"][i], a["mean"], a["var"], stream=self._stream
            )

        def theirs(i):
            y = f.batch_norm(self._x[i], *_NO_RUNNING, self._gamma, self._beta, True, 0.1, _EPS)
            self._kept[i] = f.relu(y)

        return {"minibn": ours, "torch": theirs, **self.copy()}

    def backward(self):
        """Return the subjects of the backward pass."""
        from minibn.kernels import cuda

        a, played = self._ours, torch_backward(self._x[0], self._gamma, self._beta)
        cuda.batch_norm_forward(
            a["x"][0], a["gamma"], a["beta"], _EPS, a["out"][0], a["mean"], a["var"], stream=self._stream
        )
        self._torch.cuda.synchronize()  # PyTorch's statistics come from another stream

        def ours(i):
            cuda.batch_norm_backward(
                a["dy"][i], a["x"][i], a["gamma"], a["mean"], a["var"], _EPS, a["out"][i], a["dgamma"], a["dbeta"],
                stream=self._stream,
            )  # fmt: skip

        def theirs(i):
            self._kept[i] = played(self._dy[i], self._x[i])

        return {"minibn": ours, "torch": theirs, **self.copy()}


def products(n, stream):
    """Return the subjects of an n x n x n product: minibn's own kernels and cuBLAS in float32, without tf32."""
    import torch

    from minibn.kernels.cuda.dense import dense_forward_tiled
    from minibn.kernels.cuda.target import cuda

    torch.backends.cuda.matmul.allow_tf32 = False
    x, weight, out, theirs = (torch.randn(n, n, device="cuda") for _ in range(4))
    torch.cuda.synchronize()
    taken = [cuda.as_cuda_array(array, sync=False) for array in (x, weight, out)]
    return {
        "minibn": lambda i: dense_forward_tiled(taken[0], taken[1], None, taken[2], stream=stream),
        "torch": lambda i: torch.mm(x, weight, out=theirs),
    }


def headline():
    """Return epochs of the headline example: minibn's in one kernel, and PyTorch's eager loop on the same GPU."""
    from benchmarks.against import minibn_training
    from benchmarks.cuda import torch_loop
    from benchmarks.networks import HEADLINE
    from minibn.nn import SoftmaxCrossEntropy
    from minibn.program import capture
    from minibn.train import SGD

    x, y = HEADLINE.data(HEADLINE.rows)
    program = capture(
        HEADLINE.model(), SoftmaxCrossEntropy(), SGD(HEADLINE.learning_rate), HEADLINE.batch + 1, device="cuda"
    )  # fmt: skip
    program.executor = "persistent"
    theirs = torch_loop.build(HEADLINE, minibn_training.layers(HEADLINE), x, y)
    rng = np.random.default_rng(0)
    return {
        "minibn": lambda: program.run_epoch(x, y, rng.permutation(len(x)), HEADLINE.batch),
        "torch": lambda: theirs(rng.permutation(len(x))),
    }
