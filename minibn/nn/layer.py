"""What every layer is: parameters, buffers, a mode, and a call."""

import numpy as np

from minibn import foreign
from minibn.errors import CheckpointError


class Layer:
    """Base of all layers.

    Attributes
    ----------
    training : bool
        Mode of calls that do not name one.
    decayed : tuple of str
        Parameters that weight decay applies to.
    takes_sample_weight : bool
        Whether a call takes ``sample_weight``, one weight a row: True for a layer with statistics of the batch.
    """

    training = True
    decayed: tuple[str, ...] = ()
    takes_sample_weight = False

    def __call__(self, x, training=None):
        """Apply the layer to a Tensor or array; ``training`` overrides the layer's own mode for this call."""
        raise TypeError(f"{type(self).__name__} does not define __call__")

    def parameters(self):
        """Return the trainable tensors by name."""
        return {}

    def buffers(self):
        """Return the arrays that are state but not trained, by name."""
        return {}

    def config(self):
        """Return the arguments that make this layer again, JSON-able."""
        return {}

    def train(self, mode=True):
        """Set training mode and return the layer."""
        self.training = mode
        return self

    def eval(self):
        """Set evaluation mode and return the layer."""
        return self.train(False)

    def unlock(self):
        """Take copies of parameters and buffers that lie in read-only memory, such as a memory map, and return the layer.

        Whatever changes a layer in place calls it first, so that a model read with ``joblib.load(..., mmap_mode="r")``
        predicts from the file and trains on memory of its own.
        """
        for tensor in self.parameters().values():
            tensor.data = writable(tensor.data)
        for name, value in self.buffers().items():
            if not value.flags.writeable:
                setattr(self, name, writable(value))
        return self

    def zero_grad(self):
        """Forget the gradients of all parameters."""
        for tensor in self.parameters().values():
            tensor.zero_grad()

    def state_dict(self):
        """Return copies of parameters and buffers, named and laid out as PyTorch names and stores them.

        Returns
        -------
        dict of str to ndarray
        """
        state = {name: tensor.data.copy() for name, tensor in self.parameters().items()}
        return state | {name: np.array(value) for name, value in self.buffers().items()}

    def load_state_dict(self, state):
        """Take over what :meth:`state_dict` returned.

        Raises
        ------
        CheckpointError
            When a name is missing or unknown, or a shape or dtype does not fit. Nothing is changed then.
        """
        check_state(self.state_dict(), state, type(self).__name__)
        self._take(state)

    def _take(self, state):
        self.unlock()
        for name, tensor in self.parameters().items():
            tensor.data[...] = state[name]
        for name, value in self.buffers().items():
            value[...] = state[name]

    def __repr__(self):
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.config().items())
        return f"{type(self).__name__}({arguments})"


def writable(array):
    """Return an array that may be changed: itself, or a copy of one that is read-only."""
    return array if array.flags.writeable else np.array(array)


def check_state(own, state, what):
    """Raise a CheckpointError unless a state has the names and shapes of our own, and holds real numbers."""
    missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if missing or unknown:
        raise CheckpointError(
            f"the state does not fit {what}: missing {missing}, unknown {unknown}; build the same architecture"
        )
    for name, value in own.items():
        given = np.asarray(foreign.exchanged(f"state[{name!r}]", state[name]))
        if value.shape != given.shape:
            raise CheckpointError(
                f"{name} must have shape {value.shape}, got {given.shape}; build the same architecture"
            )
        if given.dtype.kind not in "iuf":
            raise CheckpointError(
                f"{name} must hold real numbers, got {given.dtype}; convert it to {value.dtype}"
            )
