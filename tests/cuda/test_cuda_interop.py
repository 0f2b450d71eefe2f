"""Arrays of other libraries that lie on the device: taken as they are, on the caller's stream, or refused by name."""

import ctypes

import device
import numpy as np
import pytest

from minibn import functional
from minibn.errors import ArgumentError, DeviceError, DtypeError, MinibnError, ShapeError
from minibn.functional.cuda_arrays import checked, interfaced_or_exchanged, lies_on_cuda, stream_of
from minibn.kernels import cuda
from minibn.kernels.cuda import missing
from minibn.kernels.device_memory import device_of

without_device = pytest.mark.without_device
RNG = np.random.default_rng(0)
X, DY = RNG.normal(3, 2, (2, 6, 4)).astype(np.float32)
GAMMA, BETA = RNG.standard_normal((2, 4)).astype(np.float32)
LABELS = np.array([0, 3, 1, 2, 2, 0])


class Foreign:
    """What CuPy and PyTorch offer of an array on a device."""

    def __init__(self, typestr="<f4", shape=(6, 4), strides=None, address=256, read_only=False, stream=None):
        self.__cuda_array_interface__ = {
            "typestr": typestr, "shape": shape, "strides": strides, "data": (address, read_only), "version": 3,
            "stream": stream,
        }  # fmt: skip


class DlpackAlone:
    """NumPy's DLPack with a word changed, so that it says that the array lies on a CUDA device."""

    def __init__(self, array):
        self._array, self.asked, self.number = array, [], 0

    def __dlpack_device__(self):
        return 2, self.number

    def __dlpack__(self, *, stream=None, **options):
        self.asked.append(stream)
        capsule = self._array.__dlpack__()
        address = ctypes.pythonapi.PyCapsule_GetPointer
        address.restype, address.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
        device_type = address(capsule, b"dltensor") + ctypes.sizeof(ctypes.c_void_p)
        ctypes.c_int32.from_address(device_type).value = 2
        return capsule


def put(*arrays):
    return [cuda.to_device(array) for array in arrays]


def host(value):
    """Return a result as the CPU's front door gives it: a mean as one float64."""
    if isinstance(value, float):
        return value
    array = value.copy_to_host()
    return array.astype(np.float64).sum(axis=0) if array.shape == (2, 4) else array


CALLS = {
    "batch_norm_forward": (X, GAMMA, BETA),
    "batch_norm_relu_forward": (X, GAMMA, BETA),
    "dense_forward": (X, DY[:4], GAMMA),
    "dense_backward": (DY, X, RNG.standard_normal((4, 4)).astype(np.float32)),
    "relu_forward": (X,),
    "relu_backward": (DY, X),
    "sigmoid_forward": (X,),
    "sigmoid_backward": (DY, X),
    "tanh_forward": (X,),
    "tanh_backward": (DY, X),
    "softmax_cross_entropy_forward": (X, LABELS),
    "softmax_cross_entropy_backward": (np.abs(X), LABELS, np.abs(GAMMA)),
    "squared_error_forward": (X, DY),
    "squared_error_backward": (X, DY),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_front_door_equals_that_of_the_cpu(name):
    wanted = getattr(functional, name)(
        *(
            a.astype(np.float64) if a is CALLS[name][-1] and "cross" in name and a.dtype == np.float32 else a
            for a in CALLS[name]
        )
    )
    found = getattr(functional, name)(*put(*CALLS[name]))
    if not isinstance(wanted, tuple):
        wanted, found = (wanted,), (found,)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(host(ours), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("relu", [False, True])
def test_gradients_of_batch_norm(relu):
    name = "batch_norm_relu_backward" if relu else "batch_norm_backward"
    affine = (GAMMA, BETA) if relu else (GAMMA,)
    _, mean, var = functional.batch_norm_forward(X, GAMMA, BETA)
    wanted = getattr(functional, name)(DY, X, *affine, mean, var)
    statistics = cuda.mean_to_device(mean), cuda.var_to_device(var)
    found = getattr(functional, name)(*put(DY, X, *affine), *statistics)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours.copy_to_host(), theirs, rtol=1e-4, atol=1e-5)
    y = functional.batch_norm_inference(*put(X, GAMMA, BETA), *statistics)
    np.testing.assert_allclose(
        y.copy_to_host(), functional.batch_norm_inference(X, GAMMA, BETA, mean, var), rtol=1e-4, atol=1e-5
    )


def test_channels_of_any_axis():
    x = RNG.standard_normal((3, 4, 2, 5)).astype(np.float32)
    wanted = functional.batch_norm_forward(x, GAMMA, BETA)[0]
    found = functional.batch_norm_forward(*put(x, GAMMA, BETA))[0]
    assert found.shape == x.shape
    np.testing.assert_allclose(found.copy_to_host(), wanted, rtol=1e-5, atol=1e-5)


def test_updates_change_the_array_that_is_given():
    param, grad, velocity = GAMMA.copy(), BETA.copy(), np.zeros(4, np.float32)
    there = put(param, grad, velocity)
    for arrays in ((param, grad, velocity), there):
        functional.sgd_update_inplace(*arrays, learning_rate=0.1, momentum=0.9)
    np.testing.assert_allclose(there[0].copy_to_host(), param, rtol=1e-6)
    moments = np.zeros((2, 4), np.float32)
    there = put(param, grad, *moments)
    for arrays in ((param, grad, *moments), there):
        functional.adam_update_inplace(*arrays, 1)
    np.testing.assert_allclose(there[0].copy_to_host(), param, rtol=1e-5)
    mean, var = cuda.mean_to_device(np.zeros(4)), cuda.var_to_device(np.ones(4))
    new = cuda.mean_to_device(np.ones(4)), cuda.var_to_device(np.full(4, 2.0))
    functional.update_running_stats_inplace(mean, var, *new, 0, 0.5)
    assert cuda.mean_to_host(mean).tolist() == [0.5] * 4
    assert cuda.var_to_host(var).tolist() == [1.5] * 4


def test_arrays_of_both_sides_are_told_apart():
    with pytest.raises(DeviceError, match=r"gamma must lie on the CUDA device .* got ndarray; .*to_device"):
        functional.batch_norm_forward(cuda.to_device(X), GAMMA, cuda.to_device(BETA))
    with pytest.raises(ShapeError, match=r"beta must have shape \(4\), got \(6, 4\)"):
        functional.batch_norm_forward(*put(X, GAMMA, X))
    with pytest.raises(ShapeError, match=r"x must have shape \(N, C\), got \(4,\)"):
        functional.batch_norm_forward(*put(GAMMA, GAMMA, BETA))
    with pytest.raises(DtypeError, match="labels must be int64 on CUDA, got float32"):
        functional.softmax_cross_entropy_forward(*put(X, GAMMA))
    with pytest.raises(ArgumentError, match="velocity must be an array"):
        functional.sgd_update_inplace(*put(GAMMA, BETA), momentum=0.9)
    with pytest.raises(MinibnError, match="eps must be"):
        functional.batch_norm_forward(*put(X, GAMMA, BETA), eps=-1)


WRONG = {
    "float64": ({"typestr": "<f8"}, DtypeError, "x must be float32 on CUDA, got float64; .* or the CPU"),
    "integers": ({"typestr": "<i8"}, DtypeError, "x must be float32 on CUDA, got int64"),
    "byte order": ({"typestr": ">f4"}, DtypeError, "x must be float32 on CUDA, got >f4"),
    "columns first": ({"strides": (4, 24)}, ShapeError, r"x must be C-contiguous on CUDA, got strides \(4, 24\)"),
    "every other row": ({"strides": (32, 4)}, ShapeError, "x must be C-contiguous"),
    "address": ({"address": 258}, DeviceError, "x must begin at a multiple of 4 bytes, got address 0x102"),
    "empty": ({"shape": (0, 4)}, ShapeError, "x must not be empty"),
}  # fmt: skip


@without_device
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_array_is_refused_by_name(kind):
    """No device is needed to say so."""
    options, error, message = WRONG[kind]
    with pytest.raises(error, match=message):
        functional.batch_norm_forward(Foreign(**options), GAMMA, BETA)


@without_device
def test_what_is_written_to_must_be_writable():
    with pytest.raises(DeviceError, match="param is written to and must not be read-only"):
        checked("param", Foreign(read_only=True), written=True)
    assert checked("grad", Foreign(read_only=True))["shape"] == (6, 4)


@without_device
def test_strides_that_say_nothing_are_fine():
    assert checked("x", Foreign(strides=(16, 4)))
    assert checked("x", Foreign(shape=(1, 4), strides=(999, 4)))


def test_dlpack_alone_is_taken_where_it_lies():
    array = DlpackAlone(X)
    assert lies_on_cuda(array)
    found = interfaced_or_exchanged("x", array, 4711)
    assert array.asked == [4711]
    interface = checked("x", found, shape=(6, 4))
    assert interface["data"][0] == X.ctypes.data
    assert (interface["typestr"], interface["shape"]) == ("<f4", (6, 4))
    assert device_of(found) == device_of(array) == 0
    assert interfaced_or_exchanged("x", X, 1) is X
    array.number = 1
    with pytest.raises(DeviceError, match="x must lie on the current device, cuda:0, got cuda:1"):
        interfaced_or_exchanged("x", array, 4711)
    assert array.asked == [4711]


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (X.astype(np.float64), DtypeError, "x must be float32 on CUDA, got float64"),
        (X[::2], ShapeError, r"x must be C-contiguous on CUDA, got strides \(32, 4\)"),
        (X.T, ShapeError, r"x must be C-contiguous on CUDA, got strides \(4, 16\)"),
    ],
)
def test_dlpack_alone_is_refused_like_others(array, error, message):
    with pytest.raises(error, match=message):
        functional.relu_forward(DlpackAlone(array))


@without_device
@pytest.mark.skipif(missing() is None, reason="a device can be used")
def test_dlpack_alone_without_a_device_is_one_line():
    with pytest.raises(DeviceError, match="pip install|driver"):
        functional.relu_forward(DlpackAlone(X))


@without_device
def test_the_stream_of_the_caller():
    assert stream_of(Foreign(stream=4711)) == 4711
    assert stream_of(Foreign(stream=2)) == 2
    assert stream_of(Foreign()) == 1


@without_device
def test_arrays_of_main_memory_stay_there():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    tensor = torch.ones(3)
    assert not lies_on_cuda(tensor)
    assert not lies_on_cuda(X)
    assert isinstance(functional.relu_forward(tensor), np.ndarray)


def test_a_poisoned_output_is_written_whole():
    x = device.poisoned(6, 4)
    assert np.isnan(functional.relu_forward(x).copy_to_host()).all()
