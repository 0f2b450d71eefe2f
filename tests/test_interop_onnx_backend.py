"""minibn as a backend for ONNX models, beyond the standard's node tests: settings that those leave out, and errors."""

import importlib
import sys

import numpy as np
import pytest

from minibn import nn
from minibn.errors import (
    ArgumentError,
    ConversionError,
    DtypeError,
    MinibnError,
    MissingExtraError,
    ShapeError,
)
from minibn.interop import to_onnx

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")

from onnx.reference import ReferenceEvaluator  # noqa: E402

from minibn.interop import onnx_backend as backend  # noqa: E402

PREVIEW = "ai.onnx.preview.training"
KINDS = {np.dtype(np.float32): 1, np.dtype(np.int64): 7, np.dtype(np.float64): 11}


def rows(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(1.0, 2.0, shape).astype(dtype)


def model_of(kind, inputs, outputs=1, domain="", opset=17, **attributes):
    """Return a model of one node whose inputs are like the arrays."""
    names = [f"i{position}" for position in range(len(inputs))]
    results = [f"o{position}" for position in range(outputs)]
    node = onnx.helper.make_node(kind, names, results, name=f"the_{kind}", domain=domain, **attributes)
    value = onnx.helper.make_tensor_value_info
    given = [value(n, KINDS[a.dtype], a.shape) for n, a in zip(names, inputs, strict=True)]
    graph = onnx.helper.make_graph([node], "g", given, [value(name, 1, ()) for name in results])
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid(domain, opset)], ir_version=8
    )


def step(count):
    return [np.float32(0.1).reshape(()), np.asarray(count)]


SCORES, LABELS = rows(6, 4, 3), np.random.default_rng(1).integers(0, 4, (6, 3))
X = rows(7, 4, 3)
CHANNELS = [rows(4, seed=1), rows(4, seed=2), rows(4, seed=3), np.abs(rows(4, seed=4))]
MOMENTUM = {"alpha": 0.95, "beta": 0.85, "norm_coefficient": 0.01, "domain": PREVIEW, "opset": 1}
ADAM = {"alpha": 0.9, "beta": 0.99, "epsilon": 0.01, "norm_coefficient": 0.1, "domain": PREVIEW, "opset": 1}
CASES = {
    "batch norm, training": ("BatchNormalization", [X, *CHANNELS], {"training_mode": 1, "momentum": 0.7, "outputs": 3}),
    "batch norm, float64": ("BatchNormalization", [X.astype(float), *(a.astype(float) for a in CHANNELS)], {}),
    "product with a column": ("Gemm", [rows(3, 5), rows(5, 4), rows(3, 1)], {"alpha": 0.5, "beta": -2.0}),
    "product, both transposed": ("Gemm", [rows(5, 3), rows(4, 5), rows(1, 4)], {"transA": 1, "transB": 1}),
    "momentum": ("Momentum", [*step(3), rows(5), rows(5, seed=1), rows(5, seed=2)], {"mode": "standard", "outputs": 2}),
    "nesterov": ("Momentum", [*step(3), rows(5), rows(5, seed=1), rows(5, seed=2)], {"mode": "nesterov", "outputs": 2}),
    "first step": ("Momentum", [*step(0), rows(5), rows(5, seed=1), rows(5, seed=2)], {"mode": "nesterov", "outputs": 2}),
    "adam": ("Adam", [*step(2), *(np.abs(rows(5, seed=s)) for s in range(4))], {"norm_coefficient_post": 0.2, "outputs": 3}),
    "adam, step 0": ("Adam", [*step(0), *(np.abs(rows(5, seed=s)) for s in range(4))], {"outputs": 3}),
    "softmax of a middle axis": ("Softmax", [X * 40], {"axis": -2}),
    "log softmax": ("LogSoftmax", [X * 10], {"axis": 1}),
    "sum, ignored, weighted": (
        "SoftmaxCrossEntropyLoss", [SCORES, LABELS, CHANNELS[3]], {"reduction": "sum", "ignore_index": 2, "outputs": 2},
    ),
    "none, weighted": ("SoftmaxCrossEntropyLoss", [SCORES, LABELS, CHANNELS[3]], {"reduction": "none"}),
    "mean, ignored": ("NegativeLogLikelihoodLoss", [SCORES, LABELS], {"ignore_index": 0}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_reference_evaluator_computes_the_same(name):
    kind, inputs, options = CASES[name]
    options = {**{"Momentum": MOMENTUM, "Adam": ADAM}.get(kind, {}), **options}
    model = model_of(kind, inputs, **options)
    wanted = ReferenceEvaluator(model).run(None, {f"i{n}": a for n, a in enumerate(inputs)})
    found = backend.run_model(model, inputs)
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.dtype == inputs[-1 if kind in ("Momentum", "Adam") else 0].dtype
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
def test_softmax_before_opset_13_takes_the_last_axes_as_one(kind):
    """The reference evaluator knows the later meaning only; ONNX Runtime knows both."""
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    model = model_of(kind, [X], opset=11)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = session.run(None, {"i0": X})[0]
    np.testing.assert_allclose(backend.run_model(model, [X])[0], wanted, rtol=2e-5, atol=1e-6)


def test_log_softmax_of_large_scores_is_finite():
    """The reference evaluator takes the logarithm of a softmax, which is minus infinity here."""
    scores = np.array([[900.0, -900.0, 0.0]], np.float32)
    np.testing.assert_allclose(run("LogSoftmax", scores)[0], [[0.0, -1800.0, -900.0]], rtol=1e-6)


@pytest.mark.parametrize("fold", [False, True])
def test_a_file_of_our_own_runs(fold, tmp_path):
    network = nn.mlp([6, 5, 3], rng=1)
    network(rows(40, 6))
    to_onnx(network.eval(), tmp_path / "m.onnx", fold=fold)
    ready, x = backend.prepare(onnx.load(tmp_path / "m.onnx")), rows(9, 6, seed=3)
    for given in ([x], (x,), x, {"x": x}):
        outputs = ready.run(given)
        np.testing.assert_allclose(outputs["logits"], network.logits(x), rtol=1e-4, atol=1e-6)
        assert outputs[0] is outputs.logits


def test_an_initializer_may_be_replaced():
    model = model_of("Gemm", [X[0], rows(3, 2)])
    model.graph.initializer.append(onnx.numpy_helper.from_array(rows(3, 2, seed=5), "i1"))
    ready = backend.prepare(model)
    np.testing.assert_allclose(ready.run([X[0]])[0], X[0] @ rows(3, 2, seed=5), rtol=1e-5)
    np.testing.assert_allclose(ready.run([X[0], rows(3, 2)])[0], X[0] @ rows(3, 2), rtol=1e-5)


def test_one_node():
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    np.testing.assert_array_equal(backend.run_node(node, [X]).y, np.maximum(X, 0))
    old = onnx.helper.make_node("Softmax", ["x"], ["y"])
    assert backend.run_node(old, [X], opset_version=11)[0].sum() == pytest.approx(len(X))
    assert backend.run_node(old, [X])[0].sum() == pytest.approx(X.size / X.shape[-1])


def test_what_it_can_run():
    assert backend.supports_device("CPU")
    assert not backend.supports_device("CUDA:1")
    assert backend.is_compatible(model_of("Relu", [X]))
    assert not backend.is_compatible(model_of("Relu", [X]), "CUDA")
    assert not backend.is_compatible(model_of("Elu", [X]))


def sequence():
    model = model_of("Identity", [X])
    model.graph.input[0].CopyFrom(onnx.helper.make_tensor_sequence_value_info("i0", 1, None))
    return model


BAD = [
    (lambda: backend.prepare(model_of("Elu", [X])), ConversionError, r"the_Elu \(Elu\): minibn has no such operator"),
    (lambda: backend.run_node(model_of("Elu", [X]).graph.node[0], [X]), ConversionError, "no such operator"),
    (lambda: backend.prepare(model_of("Relu", [X]), "CUDA"), ArgumentError, "device must be 'CPU', got 'CUDA'"),
    (lambda: backend.prepare(sequence()), ConversionError, "input 'i0' is no tensor"),
    (lambda: backend.run_model(model_of("Relu", [X]), [X, X]), ArgumentError, "must be 1 arrays, i0, got 2"),
    (lambda: backend.run_model(model_of("Relu", [X]), {"x": X}), ArgumentError, r"must hold 'i0', got \['x'\]"),
    (lambda: run("Relu", LABELS), DtypeError, "float32 or float64, got int64"),
    (lambda: run("Gemm", X[0], X[1]), ShapeError, r"weight must have shape \(3, O\)"),
    (lambda: run("MatMul", LABELS, LABELS), DtypeError, "the_MatMul .* got int64; add a Cast"),
    (lambda: run("BatchNormalization", X, *CHANNELS, opset=9, outputs=5), ConversionError, "training before opset 14"),
    (lambda: run("BatchNormalization", X, *CHANNELS, opset=7, spatial=0), ConversionError, "spatial=0"),
    (lambda: run("SoftmaxCrossEntropyLoss", SCORES, LABELS[:, :1]), ConversionError, r"labels of shape \(6, 1\)"),
    (lambda: run("SoftmaxCrossEntropyLoss", SCORES, LABELS + 4), ArgumentError, r"labels must lie in \[0, 4\)"),
    (lambda: run("SoftmaxCrossEntropyLoss", SCORES, LABELS, rows(3)), ConversionError, r"weights must have shape \(4,\)"),
    (lambda: run("SoftmaxCrossEntropyLoss", SCORES, LABELS, reduction="all"), ConversionError, "mean, sum or none, got all"),
    (lambda: run("SoftmaxCrossEntropyLoss", SCORES, 0 * LABELS, ignore_index=0), ArgumentError, "positive, finite sum"),
    (lambda: run("Dropout", X, outputs=2), ConversionError, "mask"),
    (lambda: run("Add", X, X, opset=6, broadcast=1), ConversionError, "opset 7 or later"),
]  # fmt: skip


def run(kind, *inputs, **options):
    return backend.run_model(model_of(kind, inputs, **options), inputs)


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_what_it_cannot_run_is_named(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert isinstance(caught.value, MinibnError)
    assert "\n" not in str(caught.value)


def test_what_is_no_valid_model():
    broken = model_of("Relu", [X])
    broken.graph.node[0].input.append("nowhere")
    with pytest.raises(onnx.checker.ValidationError):
        backend.prepare(broken)


def test_without_the_package_the_error_names_the_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "minibn.interop.onnx_backend")
    with pytest.raises(MissingExtraError, match=r"pip install 'minibn\[onnx\]'"):
        importlib.import_module("minibn.interop.onnx_backend")
