"""PyTorch's own samples (OpInfo, ModuleInfo) and error inputs: minibn agrees, or the case is listed with the reason.

These lists are private to PyTorch and change with it, so one version is asked for.
"""

from collections import Counter

import numpy as np
import pytest
import torch_calls
from cases import needs_jit

from minibn import autograd, nn
from minibn.autograd import Tensor
from minibn.errors import ArgumentError, MinibnError, ShapeError

VERSION = "2.13.0"
torch = pytest.importorskip("torch", reason="PyTorch is not installed")
if torch.__version__.split("+")[0] != VERSION:
    pytest.skip(
        f"the samples are those of PyTorch {VERSION}, not {torch.__version__}", allow_module_level=True
    )
pytest.importorskip(
    "expecttest", reason="expecttest, which PyTorch's lists of samples import, is not installed"
)

from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402
from torch.testing._internal.common_modules import module_db  # noqa: E402

pytestmark = [needs_jit, pytest.mark.filterwarnings("ignore")]  # some samples have a million entries
torch.set_num_threads(1)  # its threads would wait for those of other tests
TOLERANCE = {torch.float64: 1e-11, torch.float32: 2e-5}  # of the largest entry, or of 1

EMPTY = "an array without any element: ShapeError"
MOMENTUM = "a momentum outside of [0, 1]: ArgumentError"
NEGATIVE = "negative weights of classes: ArgumentError; with their absolute values all agree"
NOTHING = "the mean over no row at all, NaN there: ArgumentError"

# By operation: how it is played, how many samples agree, how many are refused and why. The counts are those of VERSION.
OPERATIONS = {
    "nn.functional.batch_norm": (torch_calls.batch_norm, 18, {EMPTY: 4, MOMENTUM: 2}),
    "nn.functional.linear": (torch_calls.linear, 14, {EMPTY: 4}),
    "nn.functional.relu": (autograd.relu, 31, {EMPTY: 10}),
    "nn.functional.cross_entropy": (torch_calls.cross_entropy, 15, {NEGATIVE: 6}),
    "nn.functional.mse_loss": (torch_calls.mse_loss, 6, {}),
    "sigmoid": (autograd.sigmoid, 27, {EMPTY: 12}),
    "tanh": (autograd.tanh, 25, {EMPTY: 10}),
}


def ours(value):
    """Return what requires a gradient as a Tensor; other numbers as an array, of float64 as statistics are."""
    if not isinstance(value, torch.Tensor):
        return value
    array = value.detach().numpy().copy()
    if value.requires_grad:
        return Tensor(array, requires_grad=True)
    return array.astype(np.float64) if array.dtype == np.float32 else array


def leaf(value):
    """Return a tensor as one that nothing made, on the same memory; anything else as it is."""
    return value.detach().requires_grad_(value.requires_grad) if isinstance(value, torch.Tensor) else value


def refusal(values, options):
    """Return why minibn refuses a sample, or None."""
    if any(isinstance(value, torch.Tensor) and not value.numel() for value in values):
        return EMPTY
    if options.get("loss") is not None and options["loss"].isnan().any():
        return NOTHING
    if options.get("weight") is not None and (options["weight"] < 0).any():
        return NEGATIVE
    return MOMENTUM if options.get("training") and not 0 <= options.get("momentum", 0.1) <= 1 else None


def assert_close(found, wanted, tolerance):
    wanted = wanted.detach().numpy().astype(np.float64)
    assert found.shape == wanted.shape
    largest = np.abs(wanted[np.isfinite(wanted)]).max(initial=1.0)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * largest)


def assert_gradients_agree(found, wanted, pairs, tolerance):
    """Compare the gradients by the leaves, under a random upstream gradient."""
    upstream = np.random.default_rng(0).standard_normal(tuple(wanted.shape))
    found.backward(upstream)
    peers = [peer for _, peer in pairs]
    gradients = torch.autograd.grad(wanted, peers, torch.as_tensor(upstream, dtype=wanted.dtype))
    for (leaf, _), gradient in zip(pairs, gradients, strict=True):
        assert_close(leaf.grad, gradient, tolerance)


def assert_sample_agrees(operation, call, values, options, tolerance):
    mine, own_options = [ours(v) for v in values], {name: ours(v) for name, v in options.items()}
    wanted, found = operation(*values, **options), call(*mine, **own_options)
    assert_close(found.data, wanted, tolerance)
    # Gradients by target probabilities are no business of minibn: there they are constants.
    several = 1 if call is torch_calls.cross_entropy else None
    pairs = [(m, v) for m, v in zip(mine[:several], values, strict=False) if isinstance(m, Tensor)]
    assert_gradients_agree(found, wanted, pairs, tolerance)
    for array, peer in zip(mine, values, strict=True):  # running statistics have moved alike
        if isinstance(array, np.ndarray) and array.dtype == np.float64:
            assert_close(array, peer, tolerance)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_agree_on_every_sample(name, dtype, conformance):
    (call, agreeing, refused), agreed, reasons = OPERATIONS[name], 0, Counter()
    torch.manual_seed(0)
    for info in (info for info in op_db if info.name == name):
        for sample in info.reference_inputs("cpu", dtype, requires_grad=True):
            values = [leaf(value) for value in (sample.input, *sample.args)]
            reason = refusal(values, sample.kwargs)
            if reason:
                with pytest.raises((ShapeError, ArgumentError)):
                    call(*map(ours, values), **{k: ours(v) for k, v in sample.kwargs.items()})
                reasons[reason] += 1
            if reason == NEGATIVE:
                sample.kwargs["weight"] = sample.kwargs["weight"].abs()
            if reason in (None, NEGATIVE):
                assert_sample_agrees(info.op, call, values, sample.kwargs, TOLERANCE[dtype])
                agreed += reason is None
    assert (agreed, dict(reasons)) == (agreeing, refused)
    conformance(counted(f"PyTorch {VERSION} samples, {name}, {dtype}", agreed, reasons))


def counted(what, agreed, reasons):
    out = "".join(f"; {count} refused: {reason}" for reason, count in reasons.items())
    return f"{what}: {agreed} of {agreed + sum(reasons.values())} agree{out}"


# modules: each call returns minibn's output and pairs of our tensor and PyTorch's, whose gradients are compared


def batch_norm(module, x):
    dtype = np.float64 if x.dtype == torch.float64 else np.float32
    layer = nn.BatchNorm(module.num_features, module.momentum, module.eps, module.affine, dtype=dtype)
    given = ours(x)
    # Without statistics of its own PyTorch's layer normalises by the batch in evaluation too.
    y = layer(given, training=module.training or not module.track_running_stats)
    module(x)
    if module.track_running_stats and module.training:
        assert_close(layer.running_mean, module.running_mean, 2e-5)
        assert_close(layer.running_var, module.running_var, 2e-5)
        assert layer.num_batches_tracked == 1
    leaves = [(given, x), (layer.gamma, module.weight), (layer.beta, module.bias)]
    return y, [(leaf, peer) for leaf, peer in leaves if peer is not None]


def linear(module, x):
    peers = [x, *module.parameters()]
    leaves = [ours(peer) for peer in peers]
    return torch_calls.linear(*leaves), list(zip(leaves, peers, strict=True))


def activation(function):
    def play(module, x):
        given = ours(x)
        return function(given), [(given, x)]

    return play


def cross_entropy(module, x, target):
    given, names = ours(x), ("weight", "ignore_index", "reduction", "label_smoothing")
    options = {name: ours(getattr(module, name)) for name in names}
    return torch_calls.cross_entropy(given, ours(target), **options), [(given, x)]


MODULES = {
    "BatchNorm1d": (batch_norm, 14, {EMPTY: 2}),
    "BatchNorm2d": (batch_norm, 12, {EMPTY: 2}),
    "BatchNorm3d": (batch_norm, 12, {EMPTY: 2}),
    "Linear": (linear, 6, {}),
    "ReLU": (activation(autograd.relu), 8, {}),
    "Sigmoid": (activation(autograd.sigmoid), 8, {}),
    "Tanh": (activation(autograd.tanh), 6, {}),
    "CrossEntropyLoss": (cross_entropy, 207, {NEGATIVE: 2, NOTHING: 1}),
}


def module_cases(info, dtype):
    """Yield a module and the arguments of its call: every input that PyTorch tests it with, in both modes."""
    for training in (True, False):
        options = {"device": "cpu", "dtype": dtype, "requires_grad": True, "training": training}
        for case in info.module_inputs_func(info, **options):
            constructor = case.constructor_input
            module = info.module_cls(*constructor.args, **constructor.kwargs).to(dtype).train(training)
            given = [*case.forward_input.args, *case.forward_input.kwargs.values()]
            yield module, [leaf(value) for value in given]


def module_info(name):
    return next(info for info in module_db if info.module_cls.__name__ == name)


def assert_module_agrees(module, play, values, tolerance):
    found, pairs = play(module, *values)
    wanted = module(*values)
    assert_close(found.data, wanted, tolerance)
    assert_gradients_agree(found, wanted, pairs, tolerance)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("name", MODULES)
def test_modules_agree_on_every_input(name, dtype, conformance):
    (play, agreeing, refused), agreed, reasons = MODULES[name], 0, Counter()
    torch.manual_seed(0)
    for module, values in module_cases(module_info(name), dtype):
        is_loss = name == "CrossEntropyLoss"
        reason = refusal(values, {"weight": module.weight, "loss": module(*values)} if is_loss else {})
        if reason:
            with pytest.raises((ShapeError, ArgumentError)):
                play(module, *values)
            reasons[reason] += 1
        if reason == NEGATIVE:
            module.weight.abs_()
        if reason in (None, NEGATIVE):
            assert_module_agrees(module, play, values, TOLERANCE[dtype])
            agreed += reason is None
    assert (agreed, dict(reasons)) == (agreeing, refused)
    conformance(counted(f"PyTorch {VERSION} modules, {name}, {dtype}", agreed, reasons))


# errors

ZERO_EPS = "eps=0 is allowed here, for batches whose variance is known not to vanish"
IGNORED = "minibn has no ignore_index: a row that does not count has weight 0, with probabilities too"

SMOOTHED = "minibn has no label_smoothing: these tests add up weighted losses for it"


def build_batch_norm(case):
    nn.BatchNorm(*case.constructor_input.args, **case.constructor_input.kwargs)


def call_cross_entropy(case):
    options = {name: ours(value) for name, value in case.constructor_input.kwargs.items()}
    torch_calls.cross_entropy(*(ours(value) for value in case.forward_input.args), **options)


# By module: what is called, how many cases minibn refuses too, and which it does not.
ERRORS = {
    "BatchNorm1d": (build_batch_norm, 1, {ZERO_EPS: 1}),
    "BatchNorm2d": (build_batch_norm, 1, {ZERO_EPS: 1}),
    "BatchNorm3d": (build_batch_norm, 1, {ZERO_EPS: 1}),
    "CrossEntropyLoss": (call_cross_entropy, 5, {IGNORED: 1, SMOOTHED: 1}),
}


def not_an_error(case):
    options = case.constructor_input.kwargs
    if options.get("eps") == 0:
        return ZERO_EPS
    return IGNORED if "ignore_index" in options else SMOOTHED if "label_smoothing" in options else None


@pytest.mark.parametrize("name", ERRORS)
def test_what_pytorch_refuses_is_refused_in_one_line(name, conformance):
    (call, refused, allowed), count, reasons, info = ERRORS[name], 0, Counter(), module_info(name)
    for error in info.module_error_inputs_func(
        info, "cpu", torch.float64, requires_grad=False, training=True
    ):
        case = error.module_error_input
        if reason := not_an_error(case):
            call(case)
            reasons[reason] += 1
            continue
        with pytest.raises(MinibnError) as caught:
            call(case)
        assert "\n" not in str(caught.value)
        count += 1
    assert (count, dict(reasons)) == (refused, allowed)
    listed = "".join(f"; {number} not: {reason}" for reason, number in reasons.items())
    conformance(f"PyTorch {VERSION} error inputs, {name}: {count} refused here too{listed}")
