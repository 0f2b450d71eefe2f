"""Arrays of other libraries at the front door, in training and in prediction; and our tensors at theirs."""

import numpy as np
import pytest
from cases import needs_jit

from minibn import functional, nn
from minibn.autograd import Tensor
from minibn.data import from_arrays
from minibn.errors import DataError, DeviceError, DtypeError, MinibnError
from minibn.foreign import as_array
from minibn.train import fit

X = np.random.default_rng(0).normal(2, 3, (30, 4)).astype(np.float32)
Y = np.arange(30) % 3
ONE, ZERO = np.ones(4, np.float32), np.zeros(4, np.float32)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def need(name):
    return pytest.importorskip(name, reason=f"{name} is not installed")


def torch_tensor(array):
    return need("torch").from_numpy(array.copy())


def pandas_frame(array):
    return getattr(need("pandas"), "DataFrame" if array.ndim == 2 else "Series")(array)


def polars_frame(array):
    return getattr(need("polars"), "DataFrame" if array.ndim == 2 else "Series")(array)


def arrow_array(array):
    return polars_frame(array) if array.ndim == 2 else need("pyarrow").array(array)


KINDS = {
    "numpy": np.copy, "read-only": read_only, "Fortran": np.asfortranarray, "torch": torch_tensor,
    "pandas": pandas_frame, "polars": polars_frame, "pyarrow": arrow_array,
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_front_door(kind):
    wanted = functional.batch_norm_forward(X, ONE, ZERO)
    found = functional.batch_norm_forward(KINDS[kind](X), KINDS[kind](ONE), KINDS[kind](ZERO))
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    loss = functional.softmax_cross_entropy_forward(
        KINDS[kind](X), KINDS[kind](Y), KINDS[kind](np.arange(1.0, 5))
    )
    assert loss[0] == functional.softmax_cross_entropy_forward(X, Y, np.arange(1.0, 5))[0]


@pytest.mark.parametrize("kind", KINDS)
def test_training_and_prediction(kind):
    wanted, found = nn.mlp([4, 6, 3], rng=1), nn.mlp([4, 6, 3], rng=1)
    given = KINDS[kind](X), KINDS[kind](Y)
    assert fit(found, *given, epochs=2, validation=given) == fit(wanted, X, Y, epochs=2, validation=(X, Y))
    np.testing.assert_array_equal(found.predict_proba(given[0]), wanted.predict_proba(X))
    np.testing.assert_array_equal(found(given[0], training=False).data, wanted(X, training=False).data)
    np.testing.assert_array_equal(found.trace(given[0])[-1][1], wanted.trace(X)[-1][1])


def test_a_tensor_of_pytorch_shares_its_memory():
    torch = need("torch")
    tensor = torch.zeros(3, 2)
    assert as_array("x", tensor).ctypes.data == tensor.data_ptr()
    mean, var = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    functional.update_running_stats_inplace(mean, var, np.ones(2), np.ones(2), 0, 0.5)
    assert mean.tolist() == [0.5, 0.5]
    parameter = torch.ones(3)
    functional.sgd_update_inplace(parameter, torch.ones(3), learning_rate=0.25)
    assert parameter.tolist() == [0.75] * 3


def bfloat16():
    return need("torch").ones(3, 4).bfloat16()


def needs_grad():
    return need("torch").ones(3, 4, requires_grad=True)


def negated():
    torch = need("torch")
    return torch.complex(torch.zeros(3, 4), torch.ones(3, 4)).conj().imag


def meta():
    return need("torch").ones(3, 4, device="meta")


def torch_sparse():
    return need("torch").ones(3, 4).to_sparse()


def sparse(kind):
    return lambda: getattr(need("scipy.sparse"), kind)(X)


def text_frame():
    return need("pandas").DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})


class OnADevice:
    dtype, device = np.dtype(np.float32), "mps:0"

    def __dlpack_device__(self):
        return 8, 0  # kDLMetal: what lies on CUDA has a way of its own

    def __dlpack__(self, **options):
        raise AssertionError("memory of a device was asked for")


REFUSED = {
    "bfloat16": (bfloat16, r"bfloat16; use x\.float\(\)"),
    "gradient": (needs_grad, r"requires a gradient.*use x\.detach\(\)"),
    "our own gradient": (lambda: Tensor(X, requires_grad=True), r"use x\.detach\(\)"),
    "sign aside": (negated, r"use x\.resolve_neg\(\)"),
    "meta": (meta, "cannot be read as a NumPy array"),
    "sparse tensor": (torch_sparse, "cannot be read as a NumPy array"),
    "device": (OnADevice, r"device mps:0; use x\.cpu\(\)"),
    "csr": (sparse("csr_matrix"), r"got a sparse csr_matrix; use x\.toarray\(\)"),
    "coo": (sparse("coo_array"), r"got a sparse coo_array; use x\.toarray\(\)"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("door", ["functional", "fit"])
def test_what_cannot_be_taken_is_one_line_with_the_remedy(name, door):
    make, message = REFUSED[name]
    value = make()
    with pytest.raises((DtypeError, DeviceError), match=message) as caught:
        if door == "fit":
            fit(nn.mlp([4, 3]), value, Y[: value.shape[0]] if hasattr(value, "shape") else Y)
        else:
            functional.batch_norm_forward(value, ONE, ZERO)
    assert "\n" not in str(caught.value)


DOORS = {
    "X": lambda model, x: model.fit(x, Y),
    "y": lambda model, x: model.fit(X, x[:, 0].round()),
    "sample_weight": lambda model, x: model.fit(X, Y, sample_weight=x[:, 0]),
    "X_val, y_val: X": lambda model, x: model.fit(X, Y, X_val=x, y_val=Y),
    "X of partial_fit": lambda model, x: model.partial_fit(x, Y),
    "X of predict": lambda model, x: model.fit(X, Y).predict(x),
}


@needs_jit
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", ["MinibnClassifier", "MinibnRegressor"])
@pytest.mark.parametrize("door", DOORS)
def test_an_estimator_names_the_remedy_of_a_tensor_too(door, estimator):
    need("sklearn")
    from minibn import sklearn

    model = getattr(sklearn, estimator)(4, max_iter=1)
    if estimator == "MinibnClassifier":
        model.partial_fit(X, Y, classes=[0, 1, 2])
    tensor = torch_tensor(X).bfloat16()
    name = door.split(" of ")[0]
    with pytest.raises(MinibnError, match=rf"^{name} must .* got torch\.bfloat16; use \w+\.float\(\)$"):
        DOORS[door](model, tensor)
    DOORS[door](model, tensor.float().abs() if door in ("y", "sample_weight") else tensor.float())


def test_a_data_set_and_a_state_name_it_too():
    tensor = torch_tensor(X).bfloat16()
    with pytest.raises(DataError, match=r"^x must .* got torch\.bfloat16; use x\.float\(\)$"):
        from_arrays(tensor, Y)
    model = nn.mlp([4, 3])
    state = {name: torch_tensor(value).bfloat16() for name, value in model.state_dict().items()}
    with pytest.raises(DtypeError, match=r"use state\['0\.weight'\]\.float\(\)$"):
        model.load_state_dict(state)
    with pytest.raises(DtypeError, match=r"^validation x must .* got torch\.bfloat16; use its \.float\(\)$"):
        fit(model, X, Y, validation=(tensor, Y))
    with pytest.raises(DtypeError, match=r"^validation x must be dense, .*; use its \.toarray\(\)"):
        fit(model, X, Y, validation=(sparse("csr_matrix")(), Y))


@pytest.mark.parametrize(
    "make", [lambda: need("torch").arange(8).reshape(2, 4), lambda: polars_frame(X.astype(int))]
)
def test_a_remedy_works_on_what_was_given(make):
    x = make()
    with pytest.raises(DtypeError, match=r"got int64; use (.*)$") as caught:
        functional.relu_forward(x)
    remedy = str(caught.value).split("use ")[1]
    assert functional.relu_forward(eval(remedy, {"np": np, "x": x})).dtype == np.float32


def test_a_frame_with_text_and_an_array_that_is_read_only():
    with pytest.raises(DtypeError, match="x must hold numbers, got object"):
        fit(nn.mlp([2, 2]), text_frame(), [0, 1])
    with pytest.raises(MinibnError, match=r"mean.* read-only array; use running_mean\.copy\(\)"):
        functional.update_running_stats_inplace(read_only(np.zeros(2)), np.ones(2), np.ones(2), np.ones(2), 0)


def test_a_data_set_is_dense_too():
    with pytest.raises(DataError, match=r"sparse csr_matrix; use x\.toarray\(\)"):
        from_arrays(sparse("csr_matrix")(), Y)


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_array", "coo_matrix", "dok_array"])
def test_prediction_makes_sparse_rows_dense_block_by_block(kind, monkeypatch):
    from minibn.nn import sequential

    monkeypatch.setattr(sequential, "EVALUATION_BLOCK", 8)
    model, x = nn.mlp([4, 6, 3], rng=1), X * (X > 2)
    np.testing.assert_array_equal(model.logits(getattr(need("scipy.sparse"), kind)(x)), model.logits(x))


# our tensors elsewhere


def test_a_tensor_is_an_array():
    tensor = Tensor(X, requires_grad=True)
    assert np.asarray(tensor) is X
    assert np.array(tensor) is not X
    assert np.array(tensor, copy=True).ctypes.data != X.ctypes.data
    assert np.asarray(tensor, np.float64).dtype == np.float64
    np.testing.assert_array_equal(np.vstack([tensor, tensor]), np.vstack([X, X]))
    if np.__version__ >= "2":
        with pytest.raises(ValueError, match="without a copy"):
            np.asarray(tensor, np.float64, copy=False)


def test_a_tensor_is_exchanged_without_a_copy():
    tensor = Tensor(X.copy(), requires_grad=True)
    assert tensor.__dlpack_device__() == (1, 0)
    assert np.from_dlpack(tensor).ctypes.data == tensor.data.ctypes.data
    torch = need("torch")
    peer = torch.from_dlpack(tensor)
    assert peer.data_ptr() == tensor.data.ctypes.data
    peer[0, 0] = 42
    assert tensor.data[0, 0] == 42


def test_a_tensor_takes_the_arrays_of_others():
    torch = need("torch")
    source = torch.ones(2, 3)
    assert Tensor(source).data.ctypes.data == source.data_ptr()
    with pytest.raises(DtypeError, match="detach"):
        Tensor(torch.ones(2, requires_grad=True))
