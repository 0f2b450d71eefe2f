"""ONNX files, read and written, judged by the standard's own tools."""

import numpy as np
import pytest

from minibn import nn
from minibn.errors import ArgumentError, CheckpointError, ConversionError, DtypeError
from minibn.interop import from_onnx, to_onnx

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-6}
DTYPES = [np.float32, np.float64]


def rows(n=40, columns=6, seed=0):
    return np.random.default_rng(seed).normal(1.0, 2.0, (n, columns))


def trained(dtype=np.float32, **options):
    """Return a network whose running statistics have values of their own, in evaluation mode."""
    model = nn.mlp([6, 5, 4, 3], rng=1, dtype=dtype, **options)
    for seed in range(5):
        model(rows(seed=seed))
    return model.eval()


def mixed(dtype):
    """Return batch norms where none can be folded, before a dense layer, and not affine."""
    model = nn.Sequential(
        nn.BatchNorm(6, 0.3, 0.01, dtype=dtype), nn.Dense(6, 5, rng=3, dtype=dtype), nn.Sigmoid(),
        nn.BatchNorm(5, None, affine=False, dtype=dtype), nn.Tanh(), nn.Dense(5, 2, bias=False, rng=4, dtype=dtype),
    )  # fmt: skip
    model(rows())
    return model.eval()


MODELS = {
    "batch norm": trained,
    "plain": lambda dtype: trained(dtype, bn=False, activation="tanh"),
    "mixed": mixed,
}


def reference(path, x):
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(path).run(None, {"x": x})[0]


def runtime(path, x):
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


@pytest.mark.parametrize("evaluate", [reference, runtime])
@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MODELS)
def test_the_file_computes_the_same(name, dtype, fold, evaluate, tmp_path):
    model, path = MODELS[name](dtype), str(tmp_path / "m.onnx")
    assert to_onnx(model, path, fold=fold) < TOLERANCE[dtype]
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    assert proto.opset_import[0].version == 17
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    for n in (1, 2, 33):
        x = rows(n, seed=n).astype(dtype)
        found, wanted = evaluate(path, x), model.logits(x)
        assert found.dtype == dtype
        assert np.abs(found - wanted).max() < TOLERANCE[dtype] * np.abs(wanted).max()


def test_folding_takes_the_nodes_away(tmp_path):
    path = tmp_path / "m.onnx"
    kinds = {}
    for fold in (False, True):
        to_onnx(trained(), path, fold=fold)
        kinds[fold] = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds[False] == ["Gemm", "BatchNormalization", "Relu"] * 2 + ["Gemm"]
    assert kinds[True] == ["Gemm", "Relu"] * 2 + ["Gemm"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MODELS)
def test_there_and_back(name, dtype, tmp_path):
    model, path = MODELS[name](dtype), tmp_path / "m.onnx"
    to_onnx(model, path)
    again = from_onnx(path, report=None)
    assert again.dtype == dtype
    assert [type(a) for a in again.layers] == [type(b) for b in model.layers]
    for ours, theirs in zip(model.layers, again.layers, strict=True):
        if isinstance(ours, nn.BatchNorm):
            momentum = 0.1 if ours.momentum is None else ours.momentum
            assert (theirs.momentum, theirs.eps, theirs.variance_kind) == (momentum, ours.eps, "biased")
    np.testing.assert_allclose(again.logits(rows()), model.logits(rows()), rtol=10 * TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_running_statistics_agree_after_fifty_more_batches(dtype, tmp_path):
    """The reference evaluator in training mode is the standard's own word on momentum and variance."""
    from onnx.reference import ReferenceEvaluator

    layer = nn.Sequential(nn.Dense(6, 6, rng=0, dtype=dtype), nn.BatchNorm(6, 0.2, dtype=dtype)).eval()
    to_onnx(layer, tmp_path / "m.onnx")
    ours, proto = from_onnx(tmp_path / "m.onnx", report=None), onnx.load(tmp_path / "m.onnx")
    node = proto.graph.node[1]
    node.attribute.append(onnx.helper.make_attribute("training_mode", 1))
    node.output.extend(["mean", "var"])
    kind = proto.graph.input[0].type.tensor_type.elem_type
    for name in ("mean", "var"):
        proto.graph.output.append(onnx.helper.make_tensor_value_info(name, kind, [6]))
    for seed in range(50):
        x = rows(16, seed=seed).astype(dtype)
        ours(x, training=True)
        _, mean, var = ReferenceEvaluator(proto).run(None, {"x": x})
        for name, value in (("1.running_mean", mean), ("1.running_var", var)):
            stored = next(tensor for tensor in proto.graph.initializer if tensor.name == name)
            stored.CopyFrom(onnx.numpy_helper.from_array(value.astype(dtype), name))
    for found, wanted in ((ours.layers[1].running_mean, mean), (ours.layers[1].running_var, var)):
        assert np.abs(found - wanted).max() < 1e-6 * np.abs(wanted).max()


def test_training_mode_and_other_things_are_refused(tmp_path):
    path = tmp_path / "m.onnx"
    with pytest.raises(ArgumentError, match=r"to be exported, got training mode.*model.eval\(\)"):
        to_onnx(trained().train(), path)
    with pytest.raises(DtypeError, match="minibn.nn.Sequential"):
        to_onnx(nn.Dense(2, 2), path)
    with pytest.raises(ConversionError, match="no dense layer"):
        to_onnx(nn.Sequential(nn.BatchNorm(2)).eval(), path)
    assert not path.exists()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_file_that_would_differ_is_not_written(tmp_path):
    path = tmp_path / "m.onnx"
    model = trained()
    model.layers[1].running_mean[:] = 1e8  # a bias of that size swallows what a float32 weight adds
    model.layers[0].bias = nn.Dense(6, 5).bias
    model.layers[0].bias.data[:] = 1e8
    with pytest.raises(ConversionError, match="would differ .* of the largest output"):
        to_onnx(model, path, fold=True)
    model = trained()
    model.layers[1].running_var[:] = np.nan
    with pytest.raises(ConversionError, match="finite"):
        to_onnx(model, path)
    assert not path.exists()


# files of others


def graph(*nodes, outputs=("y",), opset=17, **constants):
    """Return a model of the nodes given as (type, inputs, output, attributes)."""
    made = [
        onnx.helper.make_node(kind, source.split(), [target], name=f"the_{kind}", **dict(*attributes))
        for kind, source, target, *attributes in nodes
    ]
    value = onnx.helper.make_tensor_value_info
    ends = [value(name, onnx.TensorProto.FLOAT, [None, None]) for name in ("x", *outputs)]
    tensors = [onnx.numpy_helper.from_array(np.asarray(a, np.float32), name) for name, a in constants.items()]
    body = onnx.helper.make_graph(made, "g", ends[:1], ends[1:], tensors)
    return onnx.helper.make_model(body, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)


def read(tmp_path, model):
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    return from_onnx(tmp_path / "m.onnx", report=None)


W, B = np.arange(6.0).reshape(2, 3), np.array([1.0, -2.0, 0.5])
KNOWN = {
    "product and sum": graph(("MatMul", "x W", "h"), ("Add", "h B", "y"), W=W, B=B),
    "sum the other way": graph(("MatMul", "x W", "h"), ("Add", "B h", "y"), W=W, B=B),
    "scaled and transposed": graph(
        ("Gemm", "x V C", "y", {"alpha": 0.5, "beta": 2.0, "transB": 1}), V=2 * W.T, C=B[None] / 2
    ),
    "a batch norm written out": graph(
        ("MatMul", "x V", "h"),
        ("Cast", "h", "c", {"to": 1}),
        ("Sub", "c M", "s"),
        ("Mul", "F s", "m"),
        ("Add", "m T", "a"),
        ("Div", "a D", "y"),
        V=W / 3,
        M=B[None],
        F=np.array([[6.0]]),
        T=6 * B + 2 * B,
        D=np.array(2.0),
    ),
    "nothing between": graph(
        ("Identity", "x", "h"), ("Flatten", "h", "f"), ("Gemm", "f W B", "g"), ("Dropout", "g", "y"), W=W, B=B
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_spellings_of_a_dense_layer(name, tmp_path):
    x = np.array([[1.0, 2.0], [-3.0, 0.5]], np.float32)
    np.testing.assert_allclose(from_onnx(KNOWN[name], report=None).logits(x), x @ W + B, rtol=1e-6)
    np.testing.assert_allclose(read(tmp_path, KNOWN[name]).logits(x), x @ W + B, rtol=1e-6)
    np.testing.assert_allclose(reference(str(tmp_path / "m.onnx"), x), x @ W + B, rtol=1e-6)


NORM = {name: np.ones(2) for name in ("g", "b", "m", "v")}
BAD = [
    (graph(("Gemm", "x W", "h"), ("LeakyRelu", "h", "y"), W=W), r"the_LeakyRelu \(LeakyRelu\)"),
    (graph(("Conv", "x K", "y"), K=np.ones((1, 1, 2))), r"the_Conv \(Conv\)"),
    (graph(("Gemm", "x W", "y", {"transA": 1}), W=W), "transA"),
    (graph(("Gemm", "x W", "h"), ("Relu", "h", "r"), ("Add", "r B", "y"), W=W, B=B), "only behind a dense layer"),
    (graph(("Mul", "x B", "h"), ("Gemm", "h W", "y"), W=W, B=B[:2]), r"the_Mul \(Mul\): arithmetic is known only"),
    (graph(("Gemm", "x W", "h"), ("Mul", "h C", "y"), W=W, C=np.ones((4, 3))), "one number to each column"),
    (graph(("Flatten", "x", "h", {"axis": 0}), ("Gemm", "h W", "y"), W=W), "axis=0 does not give flat rows"),
    (graph(("Gemm", "x W", "h"), ("Cast", "h", "y", {"to": 6}), W=W), "a cast to anything but"),
    (graph(("Gemm", "x W", "h"), ("Relu", "h", "a"), ("Tanh", "h", "y"), W=W), "not a chain: the_Tanh"),
    (graph(("MatMul", "x W", "h"), ("Add", "h h", "y"), W=W), "must be a constant"),
    (graph(("Gemm", "x W", "y"), ("Relu", "y", "z"), outputs=("y", "z"), W=W), "one input and one output"),
    (graph(("Softmax", "x", "h"), ("Gemm", "h W", "y"), W=W), "softmax before"),
    (graph(("BatchNormalization", "x g b m v", "y", {"training_mode": 1}), **NORM), "training mode"),
    (graph(("Relu", "x", "y")), "no layer with weights"),
    (graph(("Gemm", "x W B", "y"), opset=8, W=W, B=B), "opset 8 is too old"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "message"), BAD)
def test_what_has_no_counterpart_is_named(model, message, tmp_path):
    with pytest.raises(ConversionError, match=message) as caught:
        read(tmp_path, model)
    assert "\n" not in str(caught.value)


DAMAGE = {
    "empty": lambda whole: b"",
    "text": lambda whole: b"hello, this is no network",
    "cut": lambda whole: whole[: len(whole) // 2],
    "pickle": lambda whole: b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_one_line(name, tmp_path):
    path = tmp_path / "m.onnx"
    to_onnx(trained(), path)
    path.write_bytes(DAMAGE[name](path.read_bytes()))
    with pytest.raises(CheckpointError, match="m.onnx is damaged or no ONNX file") as caught:
        from_onnx(path, report=None)
    assert "\n" not in str(caught.value)


def test_a_model_that_is_not_valid_is_one_line():
    model = graph(("Gemm", "x W", "y"), W=W)
    model.graph.node[0].input[0] = "nowhere"
    with pytest.raises(CheckpointError, match="the model is damaged") as caught:
        from_onnx(model, report=None)
    assert "\n" not in str(caught.value)


def test_a_file_that_points_out_of_its_folder_is_refused(tmp_path):
    """Large tensors may lie in other files; one outside is no business of a network."""
    (tmp_path / "secret").write_bytes(b"\0" * 64)
    folder = tmp_path / "folder"
    folder.mkdir()
    model = graph(("Gemm", "x W", "y"), W=W)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    with pytest.raises(CheckpointError, match="m.onnx is damaged"):
        read(folder, model)


def test_no_file(tmp_path):
    with pytest.raises(CheckpointError, match="no ONNX file at .*nothing.onnx"):
        from_onnx(tmp_path / "nothing.onnx")


def test_notes(tmp_path, capsys):
    to_onnx(trained(), tmp_path / "m.onnx")
    assert capsys.readouterr().out == ""
    from_onnx(tmp_path / "m.onnx")
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 7
    assert "momentum 0.9 of the old value is 0.1 of the new, eps 1e-05, running variance biased" in said[1]
