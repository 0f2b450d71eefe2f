"""What a wrong array is told, and what happens where numba-cuda or a device is missing."""

import importlib.util
import weakref

import device
import numpy as np
import pytest

from minibn.errors import DeviceError, DtypeError, MinibnError, ShapeError
from minibn.kernels import cuda
from minibn.kernels.cuda import target
from minibn.kernels.cuda.target import SIMULATED, driver_error


def arrays(dtype=np.float32):
    x = cuda.to_device(np.ones((4, 4), dtype))
    return [x, *(cuda.to_device(np.ones(4, np.float32)) for _ in range(2)), 1e-5,
            device.poisoned(4, 4), device.poisoned(2, 4), device.poisoned(4)]  # fmt: skip


def test_float64_is_told_about_the_cpu():
    with pytest.raises(
        DtypeError, match="x must be float32 on CUDA, got float64; .* on the CPU, which takes float64"
    ):
        cuda.batch_norm_forward(*arrays(np.float64))


def test_statistics_of_the_cpu_are_not_taken_as_they_are():
    given = arrays()
    given[6] = cuda.to_device(np.ones(4))
    with pytest.raises(DtypeError, match="var must be float32"):
        cuda.batch_norm_forward(*given)


def test_an_array_of_numpy_is_not_copied_in_silence():
    given = arrays()
    given[0] = np.ones((4, 4), np.float32)
    with pytest.raises(
        DeviceError, match=r"x must lie on the CUDA device, got ndarray; use .*to_device\(x\)"
    ):
        cuda.batch_norm_forward(*given)


def test_columns_of_an_array_are_refused():
    given = arrays()
    given[0] = cuda.to_device(np.ones((4, 8), np.float32))[:, :4]
    with pytest.raises(ShapeError, match="x must be C-contiguous"):
        cuda.batch_norm_forward(*given)


def test_what_a_workspace_outgrows_stays_for_graphs():
    """A captured graph goes on writing to the memory that it was captured with."""
    workspace = cuda.Workspace()
    partials, arrivals = workspace.reserve(10, 1)
    kept = weakref.ref(partials), weakref.ref(arrivals)
    sizes = partials.size, arrivals.size
    larger = workspace.reserve(sizes[0] + 1, sizes[1] + 1)
    assert [array.size for array in larger] == [2 * size for size in sizes]
    assert not any(array.copy_to_host().any() for array in larger)
    del partials, arrivals
    assert all(array() is not None for array in kept)
    assert all(ours is theirs for ours, theirs in zip(workspace.reserve(1, 1), larger, strict=True))


def test_memory_that_does_not_suffice_is_one_line(monkeypatch):
    def refuse(*arguments, **options):
        raise driver_error()(2, "Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")

    monkeypatch.setattr(target.cuda, "device_array", refuse)
    with pytest.raises(DeviceError, match="refuses 48 bytes .*OUT_OF_MEMORY.*; use smaller batches"):
        cuda.empty((3, 4))


def test_a_copy_on_a_stream_is_waited_for(monkeypatch):
    """The driver may return before such a copy is done."""
    waited, stream = [], target.cuda.stream()
    monkeypatch.setattr(type(stream), "synchronize", lambda self: waited.append(self))
    mean = cuda.mean_to_device(np.ones(3), stream)
    assert waited == [stream]
    assert cuda.mean_to_host(mean, stream).tolist() == [1, 1, 1]
    assert waited == [stream] * 2


def test_a_workspace_of_ones_own():
    workspace, given = cuda.Workspace(), arrays()
    cuda.batch_norm_forward(*given, workspace=workspace)
    assert (given[4].copy_to_host() == 1).all()


PROGRAM = """
    import numpy as np
    from minibn.errors import MinibnError
    from minibn.kernels import cuda
    try:
        cuda.to_device(np.ones(3))
    except MinibnError as error:
        print(type(error).__name__, error)
    try:
        cuda.batch_norm_forward(*[np.ones((3, 3), np.float32)] * 3, 1e-5, *[np.ones((3, 3), np.float32)] * 3)
    except MinibnError as error:
        print(type(error).__name__, error)
"""


@pytest.mark.without_device
@pytest.mark.subprocess
@pytest.mark.skipif(cuda.missing() is None and not SIMULATED, reason="there is a GPU")
def test_without_a_device_one_line_says_what_is_missing(python):
    out, err = python(PROGRAM, NUMBA_ENABLE_CUDASIM="0", stderr=True)
    lines = out.splitlines()
    installed = importlib.util.find_spec("numba_cuda") is not None
    remedy = (
        "install NVIDIA's driver, 580 or newer, or use the CPU" if installed else "pip install 'minibn[cuda]'"
    )
    assert len(lines) == 2
    assert all(line.startswith("DeviceError") and line.endswith(remedy) for line in lines), out
    assert err == ""


@pytest.mark.without_device
@pytest.mark.subprocess
def test_a_numba_without_cuda_is_told_the_same_way(python):
    program = """
        import sys
        sys.modules["numba.cuda"] = None
        from minibn.kernels import cuda
        print(cuda.missing())
    """
    assert python(program).startswith("numba.cuda cannot be imported (")
    assert python(program).strip().endswith("pip install 'minibn[cuda]'")


@pytest.mark.without_device
@pytest.mark.skipif(target.cuda is None, reason="numba has no numba.cuda")
@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (None, "NVVM, which compiles CUDA kernels, is not installed; pip install 'minibn[cuda]'"),
        (
            "\nno driver.\nEnsure that there is one.\n",
            "no CUDA device can be used (no driver); install NVIDIA's driver, 580 or newer, or use the CPU",
        ),
    ],
)
def test_what_is_missing_is_one_line_with_its_remedy(failure, told, monkeypatch):
    monkeypatch.setattr(target.cuda, "implementation", "NVIDIA")
    monkeypatch.setattr(target.cuda, "is_available", lambda: False)
    monkeypatch.setattr(target.cuda, "cuda_error", lambda: failure)
    assert target.missing() == told


@pytest.mark.without_device
def test_the_error_is_one_of_pythons_own():
    assert issubclass(DeviceError, MinibnError)
    assert issubclass(DeviceError, RuntimeError)
