"""Recording what is launched on a stream, to launch it again at once: a CUDA graph."""

from minibn.errors import DeviceError
from minibn.kernels.cuda.target import SIMULATED


def record(stream, launch):
    """Record the launches that a function makes on a stream, without running them.

    Everything must be compiled and allocated: call the function once before.

    Parameters
    ----------
    stream : Stream
        Of ``numba.cuda``; not the default one.
    launch : callable
        Launches kernels on that stream.

    Returns
    -------
    callable or None
        Launches them all again on that stream. None where launches cannot be recorded: in the simulator, or with a
        driver or a ``cuda.core`` that refuses.
    """
    if SIMULATED:
        return None
    try:
        return _recorded(stream, launch)
    except Exception:  # whatever refuses here: launching one by one gives the same results
        return None


def _recorded(stream, launch):
    from cuda.core import Stream

    own = Stream.from_handle(stream.handle)
    builder = own.create_graph_builder().begin_building()
    try:
        if int(builder.stream.handle) != int(stream.handle):  # launches would run now, and the graph be empty
            raise DeviceError("launches are recorded on another stream than they are made on")
        launch()
    finally:
        builder.end_building()
    graph = builder.complete()
    return lambda: graph.launch(own)
