"""The kernels in PyTorch: its own operators, without autograd, into arrays it need not allocate where it has such a form.

``torch.native_batch_norm`` with ``out`` is what ``torch.nn.functional.batch_norm`` ends in, without the dispatch on the
way; the backward operator's own ``out`` form copies its result and is slower than the one used here.
"""

import torch

_BACKWARD = torch.ops.aten.native_batch_norm_backward
_MASK = [True, True, True]


def prepare():
    """Use one thread, and record nothing for autograd."""
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)


def _tensors(*arrays):
    return [torch.from_numpy(array) for array in arrays]


def _normalization(x, gamma, beta, eps, y):
    """Return a function that leaves the normalised x in y, and the statistics that it leaves."""
    x, gamma, beta, y = _tensors(x, gamma, beta, y)
    mean, inverse = torch.empty_like(gamma), torch.empty_like(gamma)
    out = (y, mean, inverse)

    def run():
        torch.native_batch_norm(x, gamma, beta, None, None, True, 0.1, eps, out=out)

    return run, y, lambda: {"y": y.numpy(), "mean": mean.numpy(), "var": (inverse**-2 - eps).numpy()}


def batch_norm_forward(x, gamma, beta, eps, y, mean, var):
    run, _, outputs = _normalization(x, gamma, beta, eps, y)
    return run, outputs


def batch_norm_relu_forward(x, gamma, beta, eps, y, mean, var):
    normalize, result, outputs = _normalization(x, gamma, beta, eps, y)

    def run():
        normalize()
        torch.relu_(result)

    return run, outputs


def batch_norm_inference(x, gamma, beta, mean, var, eps, y):
    mean, var = mean.astype("float32"), var.astype("float32")
    x, gamma, beta, mean, var, y = _tensors(x, gamma, beta, mean, var, y)
    out = (y, torch.empty(0), torch.empty(0))

    def run():
        torch.native_batch_norm(x, gamma, beta, mean, var, False, 0.1, eps, out=out)

    return run, {"y": y.numpy()}


def _saved(x, mean, var, eps):
    """Return the statistics as PyTorch's forward pass saves them."""
    return _tensors(mean.astype(x.dtype), ((var + eps) ** -0.5).astype(x.dtype))


def _named(result):
    return dict(zip(("dx", "dgamma", "dbeta"), (part.numpy() for part in result), strict=True))


def batch_norm_backward(dy, x, gamma, mean, var, eps, dx, dgamma, dbeta):
    saved, result = _saved(x, mean, var, eps), None
    dy, x, gamma = _tensors(dy, x, gamma)

    def run():
        nonlocal result
        result = _BACKWARD(dy, x, gamma, None, None, *saved, True, eps, _MASK)

    return run, lambda: _named(result)


def batch_norm_relu_backward(dy, x, gamma, beta, mean, var, eps, dx, dgamma, dbeta):
    saved, result = _saved(x, mean, var, eps), None
    dy, x, gamma, beta, masked = _tensors(dy, x, gamma, beta, dx)
    y = torch.relu(torch.nn.functional.batch_norm(x, None, None, gamma, beta, True, 0.1, eps))

    def run():
        nonlocal result
        torch.ops.aten.threshold_backward(dy, y, 0, grad_input=masked)
        result = _BACKWARD(masked, x, gamma, None, None, *saved, True, eps, _MASK)

    return run, lambda: _named(result)


def dense_forward(x, weight, bias, y):
    x, weight, bias, y = _tensors(x, weight, bias, y)
    return lambda: torch.addmm(bias, x, weight, out=y), {"y": y.numpy()}


def dense_backward(dy, x, weight, dx, dweight, dbias):
    dy, x, weight, dx, dweight, dbias = _tensors(dy, x, weight, dx, dweight, dbias)

    def run():
        torch.mm(x.t(), dy, out=dweight)
        torch.mm(dy, weight.t(), out=dx)
        torch.sum(dy, 0, out=dbias)

    return run, {"dx": dx.numpy(), "dweight": dweight.numpy(), "dbias": dbias.numpy()}


def relu_forward(x, y):
    x, y = _tensors(x, y)
    return lambda: torch.clamp_min(x, 0, out=y), {"y": y.numpy()}


def sigmoid_forward(x, y):
    x, y = _tensors(x, y)
    return lambda: torch.sigmoid(x, out=y), {"y": y.numpy()}


def tanh_forward(x, y):
    x, y = _tensors(x, y)
    return lambda: torch.tanh(x, out=y), {"y": y.numpy()}


def softmax_cross_entropy_forward(logits, labels, class_weight, probabilities):
    """Only the loss: PyTorch keeps log-probabilities."""
    logits, labels = _tensors(logits, labels)
    return lambda: torch.nn.functional.cross_entropy(logits, labels).item(), {}
