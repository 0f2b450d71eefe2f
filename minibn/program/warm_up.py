"""Compile ahead what a first run would compile: for images of containers, and before many processes start at once."""

import numpy as np

from minibn import kernels
from minibn.kernels.cpu import threaded
from minibn.kernels.cpu.calls import address
from minibn.kernels.cpu.permutation import permute_repeatedly
from minibn.kernels.cpu.shuffle import shuffle_repeatedly
from minibn.program.executor import play
from minibn.program.instructions import Code
from minibn.program.operations import gather_for, kernel_and_examples

# Arguments of the kernels that no line of a program calls, or calls with other types: T is an array of the dtype, f one
# of float64, i one of int64, each followed by its axes, or by x for 2 axes and then 3; n, r and b are an int, a float
# and a bool, - is None.
_ALONE = {
    "batch_norm_forward": "Tx T1 T1 r Tx f1 f1",
    "batch_norm_backward": "Tx Tx T1 f1 f1 r Tx T1 T1",
    "batch_norm_inference": "Tx T1 T1 f1 f1 r Tx",
    "batch_norm_relu_forward": "Tx T1 T1 r Tx f1 f1",
    "batch_norm_relu_backward": "Tx Tx T1 T1 f1 f1 r Tx T1 T1",
    "batch_norm_weighted_forward": "Tx f1 T1 T1 r Tx f1 f1",
    "batch_norm_weighted_backward": "Tx Tx f1 T1 f1 f1 r Tx T1 T1",
    "update_running_stats_inplace": "f1 f1 f1 f1 n r",
    "dense_forward": "T2 T2 - T2",
    "dense_backward": "T2 T2 T2 - T2 -",
    "softmax_cross_entropy_forward": "T2 i1 - T2",
    "softmax_cross_entropy_backward": "T2 i1 - T2",
    "softmax_cross_entropy_weighted_forward": "T2 i1 f1 - T2",
    "softmax_cross_entropy_weighted_backward": "T2 i1 f1 - T2",
    "squared_error_weighted_forward": "T2 T2 f1",
    "squared_error_weighted_backward": "T2 T2 f1 T2",
    "sgd_update_inplace": "T2 T2 - r r b r",
}
_ELEMENTWISE = {
    **dict.fromkeys(("relu_forward", "sigmoid_forward", "tanh_forward"), "Tx Tx"),
    **dict.fromkeys(("relu_backward", "sigmoid_backward", "tanh_backward"), "Tx Tx Tx"),
    "squared_error_forward": "Tx Tx",
    "squared_error_backward": "Tx Tx Tx",
    "sgd_update_inplace": "Tx Tx Tx r r b r",
    "adam_update_inplace": "Tx Tx Tx Tx n r r r r r",
}
_THREADED = {
    "normalize_threaded": "Tx T1 T1 r Tx f1 f1 {} f3 n",
    "differentiate_threaded": "Tx Tx T1 T1 f1 f1 r Tx T1 T1 {} f3 n",
}
_PLAY = "i2 n i2 i1 T1 f1 i1 i2 i1 i1 T1 f1 i1 i1 T1 f1 f2 T2"


def warm_up(everything=False, tell=None):
    """Compile, or load where that was done before, what ``minibn train`` can call, in float32.

    Parameters
    ----------
    everything : bool
        Also what it calls in float64, and every public kernel, serial and threaded, in both dtypes.
    tell : callable, optional
        Called as ``tell(done, total)`` after each compiled version of a kernel.

    Returns
    -------
    int
        How many versions are compiled now.
    """
    versions = list(_training(np.float32))
    if everything:
        versions += [*_training(np.float64), *_public(np.float32), *_public(np.float64)]
        versions.append((shuffle_repeatedly, (np.empty(1, np.uint32), 0, *_examples("i1 i2", np.float32))))
        words = np.empty(1, np.uint64)
        versions.append((permute_repeatedly, (words, words, *_examples("i2", np.float32))))
    versions = list({(f, *map(_type, examples)): (f, examples) for f, examples in versions}.values())
    for done, (function, examples) in enumerate(versions, 1):
        address(function, *examples)
        if tell is not None:
            tell(done, len(versions))
    return len(versions)


def _type(example):
    """Return what makes two arguments alike to the compiler."""
    if isinstance(example, np.ndarray):
        return example.dtype, example.ndim, example.flags.c_contiguous
    return type(example)


def _training(dtype):
    """Yield (kernel, examples of arguments) for all lines that a program may hold, and what plays them."""
    for code in Code:
        if code != Code.GATHER:
            yield kernel_and_examples(code, np.dtype(dtype))
    for source in (np.float32, np.float64):
        for like in (np.empty((1, 1), source), np.empty((2, 4), source)[:, ::2]):
            yield gather_for(like, dtype), (like, np.empty(1, np.int64), 0, 0, np.empty(1, dtype))
    yield play, play_examples(dtype)


def play_examples(dtype):
    """Return arguments of the types that the executor is called with."""
    return _examples(_PLAY, dtype)


def _public(dtype):
    for table in (_ALONE, _ELEMENTWISE):
        for name, text in table.items():
            for shape in _shapes(text):
                yield getattr(kernels, name), _examples(shape, dtype)
    for name, text in _THREADED.items():
        for relu in "-b":
            for shape in _shapes(text.format(relu)):
                yield getattr(threaded, name), _examples(shape, dtype)


def _shapes(text):
    return [text.replace("x", axes) for axes in "23"] if "x" in text else [text]


def _examples(text, dtype):
    numbers = {"n": 0, "r": 0.0, "b": True, "-": None}
    dtypes = {"T": dtype, "f": np.float64, "i": np.int64}
    return tuple(
        numbers[word] if word in numbers else np.empty((1,) * int(word[1:]), dtypes[word[0]])
        for word in text.split()
    )
