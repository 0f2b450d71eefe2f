"""The checked front door: same answers as the oracle for every layout, and a clear line for every wrong input."""

import numpy as np
import pytest
from cases import EPS, FLOATS, KERNEL_CASES, SMALL, TOLERANCE, assert_close, each, grid

from minibn import functional as F
from minibn.errors import ArgumentError, DtypeError, MinibnError, ShapeError

N, C, K = 5, 4, 3
RNG = np.random.default_rng(0)
X, Y, COLUMN = RNG.standard_normal((N, C)), np.abs(RNG.standard_normal((N, C))), np.ones(C)
WEIGHT, LABELS = RNG.standard_normal((C, K)), np.arange(N) % K
OUT = RNG.standard_normal((N, K))
ROWS = np.arange(N) / 2  # weights of rows, the first of them 0
STATISTICS = {"mean": COLUMN, "var": COLUMN}

GOOD = {
    "batch_norm_forward": {"x": X, "gamma": COLUMN, "beta": COLUMN, "eps": EPS},
    "batch_norm_relu_forward": {"x": X, "gamma": COLUMN, "beta": COLUMN, "eps": EPS},
    "batch_norm_inference": {"x": X, "gamma": COLUMN, "beta": COLUMN, **STATISTICS, "eps": EPS},
    "batch_norm_backward": {"dy": X, "x": X, "gamma": COLUMN, **STATISTICS, "eps": EPS},
    "batch_norm_relu_backward": {"dy": X, "x": X, "gamma": COLUMN, "beta": COLUMN, **STATISTICS, "eps": EPS},
    "batch_norm_weighted_forward": {"x": X, "weight": ROWS, "gamma": COLUMN, "beta": COLUMN, "eps": EPS},
    "batch_norm_weighted_backward": {
        "dy": X, "x": X, "weight": ROWS, "gamma": COLUMN, **STATISTICS, "eps": EPS,
    },
    "update_running_stats_inplace": {
        "running_mean": COLUMN.copy(), "running_var": COLUMN.copy(), **STATISTICS, "n": 5, "momentum": 0.1,
    },
    "dense_forward": {"x": X, "weight": WEIGHT, "bias": np.ones(K)},
    "dense_backward": {"dy": OUT, "x": X, "weight": WEIGHT},
    **{f"{name}_forward": {"x": X} for name in ("relu", "sigmoid", "tanh")},
    **{f"{name}_backward": {"dy": X, "y": Y} for name in ("relu", "sigmoid", "tanh")},
    "softmax_cross_entropy_forward": {"logits": OUT, "labels": LABELS, "class_weight": np.ones(K)},
    "softmax_cross_entropy_backward": {"probabilities": OUT, "labels": LABELS, "class_weight": np.ones(K)},
    "squared_error_forward": {"prediction": X, "target": Y},
    "squared_error_backward": {"prediction": X, "target": Y},
    "softmax_cross_entropy_weighted_forward": {
        "logits": OUT, "labels": LABELS, "weight": ROWS, "class_weight": np.ones(K),
    },
    "softmax_cross_entropy_weighted_backward": {
        "probabilities": OUT, "labels": LABELS, "weight": ROWS, "class_weight": np.ones(K),
    },
    "squared_error_weighted_forward": {"prediction": X, "target": Y, "weight": ROWS},
    "squared_error_weighted_backward": {"prediction": X, "target": Y, "weight": ROWS},
    "sgd_update_inplace": {
        "param": X.copy(), "grad": X, "velocity": X.copy(), "learning_rate": 0.1, "momentum": 0.9,
        "nesterov": False, "weight_decay": 0.0,
    },
    "adam_update_inplace": {
        "param": X.copy(), "grad": X, "m": X.copy(), "v": Y.copy(), "step": 1, "learning_rate": 0.1,
        "beta1": 0.9, "beta2": 0.9, "eps": 1e-8, "weight_decay": 0.0,
    },
}  # fmt: skip

# What is wrong with any array argument: what comes, the class, and what the line says beside the name.
WRONG_ARRAYS = {
    "list": (lambda a: a.tolist(), DtypeError, ["NumPy array", "got list", "np.asarray"]),
    "None": (lambda a: None, DtypeError, ["NumPy array", "got NoneType"]),
    "text": (lambda a: a.astype(str), DtypeError, ["got <U", "astype"]),
    "complex": (lambda a: a.astype(complex), DtypeError, ["got complex128", "astype"]),
    "objects": (lambda a: a.astype(object), DtypeError, ["got object", "astype"]),
    "bool": (lambda a: a > 0, DtypeError, ["got bool", "astype"]),
    "empty": (lambda a: a[:0], ShapeError, ["(0,"]),
    "another axis": (lambda a: a[None], ShapeError, ["shape", "got (1, "]),
    "no axis": (lambda a: a.ravel()[0:1].reshape(()), ShapeError, ["shape", "got ()"]),
}
OPTIONAL = {("dense_forward", "bias"), ("softmax_cross_entropy_forward", "class_weight"),
            ("softmax_cross_entropy_backward", "class_weight"),
            ("softmax_cross_entropy_weighted_forward", "class_weight"),
            ("softmax_cross_entropy_weighted_backward", "class_weight"), ("sgd_update_inplace", "velocity")}  # fmt: skip
# Any kind of number will do for these.
CONVERTED = {(f, n) for f, given in GOOD.items() for n in ("labels", "class_weight", "weight") if n in given} - {
    ("dense_forward", "weight"), ("dense_backward", "weight")}  # fmt: skip
# Of functions on arrays of any shape, where a new shape is no error.
ANY_SHAPE = {"x", "y", "prediction", "param"}
ELEMENTWISE = ("relu", "sigmoid", "tanh", "squared", "sgd", "adam")


def array_arguments():
    return [
        (f, n) for f, given in GOOD.items() for n, value in given.items() if isinstance(value, np.ndarray)
    ]


def wrong_array_rows():
    for function, name in array_arguments():
        for wrong, (change, error, fragments) in WRONG_ARRAYS.items():
            free = function.startswith(ELEMENTWISE) and name in ANY_SHAPE
            absent = wrong == "None" and (function, name) in OPTIONAL
            more_axes = function.startswith("batch_norm") and name == "x" and wrong == "another axis"
            if not absent and not more_axes and not (free and wrong in ("another axis", "no axis")):
                yield pytest.param(function, name, change, error, fragments, id=f"{function}-{name}-{wrong}")


def fails(function, error, fragments, **changed):
    with pytest.raises(error) as caught:
        getattr(F, function)(**{**GOOD[function], **changed})
    text = str(caught.value)
    assert isinstance(caught.value, MinibnError)
    assert isinstance(caught.value, (ValueError, TypeError))
    assert "\n" not in text
    assert not any(word in text.lower() for word in ("numba", "nopython", "typing", "overload"))
    for fragment in fragments:
        assert fragment in text, text


@pytest.mark.parametrize(("function", "name", "change", "error", "fragments"), list(wrong_array_rows()))
def test_wrong_array(function, name, change, error, fragments):
    fails(function, error, [name, *fragments], **{name: change(GOOD[function][name])})


# These fix the shapes of the others.
LEADERS = {"x", "y", "logits", "probabilities", "prediction", "param", "running_mean"}


def followers():
    return [(f, n) for f, n in array_arguments() if n not in LEADERS]


@pytest.mark.parametrize(("function", "name"), followers())
def test_array_of_another_length(function, name):
    value = GOOD[function][name]
    fails(function, ShapeError, [name, "must have shape", "got ("], **{name: np.concatenate([value, value])})


def float_followers():
    """Arguments whose dtype is given by another one."""
    free = LEADERS - {"running_mean"}
    return [(f, n) for f, n in array_arguments() if n not in free and (f, n) not in CONVERTED]


@pytest.mark.parametrize(("function", "name"), float_followers())
def test_array_of_another_dtype(function, name):
    fails(function, DtypeError, [name, "float64", "got float32", "astype"],
          **{name: GOOD[function][name].astype(np.float32)})  # fmt: skip


@pytest.mark.parametrize(("function", "name"), [pair for pair in array_arguments() if pair not in CONVERTED])
def test_foreign_byte_order_names_the_remedy(function, name):
    """NumPy itself treats another byte order as another dtype; labels and weights are converted."""
    value = GOOD[function][name]
    fails(function, DtypeError, [name, "float64", ">f8", "astype"],
          **{name: value.astype(value.dtype.newbyteorder(">"))})  # fmt: skip


NOT_NUMBERS = [
    ("1", "got str"),
    (None, "got NoneType"),
    (True, "got bool"),
    ([1.0], "got list"),
    (1j, "got complex"),
]
NUMBERS = {"eps", "momentum", "learning_rate", "weight_decay", "beta1", "beta2", "n"}
WHOLE = {"step"}
ABOVE_ONE = {"momentum": 1.5, "beta1": 1.0, "beta2": 1.0}


def scalar_rows():
    for function, arguments in GOOD.items():
        for name in arguments.keys() & (NUMBERS | WHOLE):
            for value, came in NOT_NUMBERS:
                yield function, name, value, DtypeError, came
            yield function, name, -1 if name in WHOLE else -0.1, ArgumentError, "got -"
            yield function, name, 10**400, ArgumentError, "got 1000"
        for name in arguments.keys() & NUMBERS:
            for value in (np.nan, np.inf, -np.inf):
                yield function, name, value, ArgumentError, f"got {value}"
        for name in arguments.keys() & ABOVE_ONE.keys():
            yield function, name, ABOVE_ONE[name], ArgumentError, f"got {ABOVE_ONE[name]}"
        for name in arguments.keys() & WHOLE:
            yield function, name, 2.0, DtypeError, "got float"


@pytest.mark.parametrize(("function", "name", "value", "error", "came"), sorted(scalar_rows(), key=str))
def test_wrong_scalar(function, name, value, error, came):
    fails(function, error, [name, came, "; "], **{name: value})


TINY = np.full(C, -1e-9)
TINY[0] = 1.0
WRONG_VALUES = [
    ("batch_norm_inference", {"var": TINY}, ["var", "column 1", "-1e-09"]),
    ("batch_norm_backward", {"var": TINY}, ["var", "column 1", "-1e-09"]),
    ("batch_norm_relu_backward", {"var": TINY}, ["var", "column 1", "-1e-09"]),
    ("update_running_stats_inplace", {"var": TINY}, ["var", "column 1", "-1e-09"]),
    ("update_running_stats_inplace", {"n": 1.5}, ["n must be 0 or at least 2", "got 1.5", "pass 0"]),
    ("batch_norm_weighted_backward", {"var": TINY}, ["var", "column 1", "-1e-09"]),
    *(
        (
            f"{name}_weighted_forward",
            {"weight": ROWS - 1},
            ["weight must be finite and not negative", "got -1.0 at row 0"],
        )
        for name in ("batch_norm", "softmax_cross_entropy", "squared_error")
    ),
    ("batch_norm_weighted_forward", {"weight": ROWS + np.inf}, ["weight must be finite", "got inf at row 0"]),
    (
        "batch_norm_weighted_forward",
        {"weight": ROWS * 0},
        ["weight must have a positive, finite sum", "got 0"],
    ),
    ("batch_norm_weighted_forward", {"weight": ROWS * 8e307}, ["weight must have a positive, finite sum"]),
    (
        "batch_norm_weighted_forward",
        {"channel_axis": 0, "gamma": np.ones(N), "beta": np.ones(N)},
        ["channel_axis must not be 0"],
    ),
    ("update_running_stats_inplace", {"n": 1}, ["n must be 0 or at least 2", "got 1", "pass 0"]),
    ("sgd_update_inplace", {"velocity": None}, ["velocity", "got None", "zeros_like"]),
    ("sgd_update_inplace", {"velocity": None, "momentum": 0.0, "nesterov": True}, ["velocity", "got None"]),
    ("adam_update_inplace", {"step": 0}, ["step", "at least 1", "got 0"]),
    *[
        (name, changed, fragments)
        for name in ("softmax_cross_entropy_forward", "softmax_cross_entropy_backward")
        for changed, fragments in [
            ({"labels": np.array([0, 1, 3, 0, 1])}, ["labels", "[0, 3)", "got 3 at row 2", "0 to 2"]),
            ({"labels": np.array([0, -1, 2, 0, 1])}, ["labels", "[0, 3)", "got -1 at row 1"]),
            ({"labels": np.array([0, 1, 2**63, 0, 1], np.uint64)}, ["labels", "[0, 3)", "row 2"]),
            ({"class_weight": np.array([1.0, -1, 1])}, ["class_weight", "not negative"]),
            ({"class_weight": np.array([1.0, np.nan, 1])}, ["class_weight", "finite"]),
            ({"class_weight": np.array([1.0, np.inf, 1])}, ["class_weight", "finite"]),
            ({"class_weight": np.zeros(3)}, ["class_weight", "positive", "got 0"]),
        ]
    ],
]


@pytest.mark.parametrize(("function", "changed", "fragments"), WRONG_VALUES)
def test_wrong_value(function, changed, fragments):
    fails(function, ArgumentError, fragments, **changed)


def in_place_rows():
    return [
        (f, n) for f, n in array_arguments() if f.endswith("_inplace") and n not in ("grad", "mean", "var")
    ]


@pytest.mark.parametrize(("function", "name"), in_place_rows())
def test_in_place_needs_a_writable_contiguous_array(function, name):
    value = GOOD[function][name]
    frozen = value.copy()
    frozen.flags.writeable = False
    fails(function, ArgumentError, [name, "writable", "read-only", "copy()"], **{name: frozen})
    strided = np.repeat(value, 2, axis=-1)[..., ::2]
    fails(function, ArgumentError, [name, "C-contiguous", "ascontiguousarray"], **{name: strided})


def test_failed_update_changes_nothing():
    arguments = {**GOOD["adam_update_inplace"], "eps": -1.0}
    before = {name: np.copy(value) for name, value in arguments.items()}
    with pytest.raises(ArgumentError):
        F.adam_update_inplace(**arguments)
    for name, value in arguments.items():
        np.testing.assert_array_equal(value, before[name])


# right inputs


@grid(KERNEL_CASES, SMALL)
def test_function_equals_oracle(case, shape, dtype):
    inputs = case.make(shape, dtype)
    expected = case.expected(inputs)
    assert_close(case.run_function(inputs), expected, TOLERANCE[dtype])


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def every_other(array):
    return np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array.copy()


def backward_strides(array):
    return np.ascontiguousarray(array[::-1])[::-1]


def unaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    memory[...] = array
    return memory


def mapped(array):
    return array.copy().view(np.memmap)


LAYOUTS = [np.asfortranarray, every_other, backward_strides, read_only, unaligned, mapped]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
@each(KERNEL_CASES)
def test_every_layout_gives_the_same_bits(case, layout):
    plain, given = case.make((7, 4), np.float32), list(case.make((7, 4), np.float32))
    for i, value in enumerate(given):
        if isinstance(value, np.ndarray) and i not in case.changed:
            given[i] = layout(value)
    for ours, theirs in zip(case.run_function(given), case.run_function(plain), strict=True):
        np.testing.assert_array_equal(ours, theirs, strict=True)


@pytest.mark.parametrize("dtype", [">i8", "<i4", "u1", "i2", "u8"])
def test_labels_of_every_integer_dtype(dtype):
    loss, probabilities = F.softmax_cross_entropy_forward(OUT, LABELS)
    other, others = F.softmax_cross_entropy_forward(OUT, LABELS.astype(dtype))
    assert other == loss
    np.testing.assert_array_equal(others, probabilities)


@pytest.mark.parametrize("dtype", [">f8", "f4", "i4"])
def test_class_weight_of_every_real_dtype(dtype):
    weight = np.array([1, 2, 4])
    expected = F.softmax_cross_entropy_forward(OUT, LABELS, weight.astype(float))[0]
    assert F.softmax_cross_entropy_forward(OUT, LABELS, weight.astype(dtype))[0] == expected


@pytest.mark.parametrize("dtype", FLOATS)
@each([case for case in KERNEL_CASES if not case.changed])
def test_outputs_are_fresh(case, dtype):
    inputs = case.make((7, 4), dtype)
    arrays = [value for value in inputs if isinstance(value, np.ndarray)]
    before = [value.copy() for value in arrays]
    outputs = [value for value in case.run_function(inputs) if isinstance(value, np.ndarray)]
    for output in outputs:
        assert output.flags.c_contiguous
        assert output.flags.owndata
        output.fill(7)
    for value, original in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(value, original)


def test_gradients_not_needed_are_none():
    dx, dweight, dbias = F.dense_backward(OUT, X, WEIGHT, needs_dx=False, needs_dbias=False)
    assert dx is None
    assert dbias is None
    np.testing.assert_allclose(dweight, X.T @ OUT)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh"])
def test_activations_take_any_shape(name, shape):
    x = np.asarray(np.random.default_rng(0).standard_normal(shape))
    y = getattr(F, f"{name}_forward")(x)
    assert y.shape == shape
    assert getattr(F, f"{name}_backward")(np.ones(shape), y).shape == shape


def test_one_row_gives_beta():
    y, mean, var = F.batch_norm_forward(X[:1], COLUMN, 3 * COLUMN)
    np.testing.assert_array_equal(y, np.full((1, C), 3.0))
    np.testing.assert_array_equal(mean, X[0])
    np.testing.assert_array_equal(var, np.zeros(C))
