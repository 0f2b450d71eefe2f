"""Layers in a row."""

import numpy as np

from minibn import foreign
from minibn.autograd import Tensor, no_grad
from minibn.errors import ArgumentError, CheckpointError, ShapeError
from minibn.nn.activations import ReLU, Sigmoid, Tanh
from minibn.nn.batch_norm import BatchNorm
from minibn.nn.dense import Dense
from minibn.nn.layer import Layer, check_state
from minibn.nn.summary import summary_text

LAYERS = {layer.__name__: layer for layer in (Dense, BatchNorm, ReLU, Sigmoid, Tanh)}

EVALUATION_BLOCK = 1024  # rows evaluated at once, which bounds the memory of a prediction


class Sequential(Layer):
    """A network that applies its layers in order.

    Parameters
    ----------
    *layers : Layer

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.nn import BatchNorm, Dense, ReLU, Sequential
    >>> model = Sequential(Dense(4, 8, bias=False, rng=0), BatchNorm(8), ReLU(), Dense(8, 3, rng=1))
    >>> model.predict_proba(np.ones((2, 4))).shape
    (2, 3)
    >>> sorted(model.state_dict())[:3]
    ['0.weight', '1.bias', '1.num_batches_tracked']
    """

    def __init__(self, *layers):
        for position, layer in enumerate(layers):
            if isinstance(layer, Sequential):
                raise ArgumentError(
                    f"layer {position} must not be a Sequential; pass its layers, Sequential(*inner.layers)"
                )
            if not isinstance(layer, Layer):
                raise ArgumentError(
                    f"layer {position} must be a Layer, got {type(layer).__name__}; pass layers as arguments"
                )
        self.layers = layers

    @property
    def dtype(self):
        """Dtype of the parameters; float32 without any."""
        return next((tensor.dtype for tensor in self.parameters().values()), np.dtype(np.float32))

    def _dense(self):
        return [layer for layer in self.layers if isinstance(layer, Dense)]

    @property
    def in_features(self):
        """Columns of the input."""
        return self._dense()[0].weight.shape[0]

    @property
    def out_features(self):
        """Columns of the output: classes, for a classifier."""
        return self._dense()[-1].weight.shape[1]

    def _input(self, x):
        if isinstance(x, Tensor):
            return x
        x = np.asarray(foreign.as_array("x", x))
        return Tensor(x.astype(self.dtype, copy=False) if x.dtype.kind in "iufb" else x)

    takes_sample_weight = True

    def __call__(self, x, training=None, sample_weight=None):
        """Return the output of the last layer.

        Parameters
        ----------
        x : Tensor or ndarray, shape (N, C)
        training : bool, optional
            Overrides the mode of all layers for this call.
        sample_weight : ndarray of numbers, shape (N,), optional
            How often each row counts in the statistics of a batch; handed to the layers that take it.
        """
        x = self._input(x)
        for layer in self.layers:
            x = _apply(layer, x, training, sample_weight)
        return x

    def trace(self, x, training=False, sample_weight=None):
        """Return the output of every layer.

        Parameters
        ----------
        x : ndarray, shape (N, C)
        training : bool
            As in a call; in training mode running statistics move.
        sample_weight : ndarray of numbers, shape (N,), optional
            As in a call.

        Returns
        -------
        list of (str, ndarray)
            Layer name, such as ``"1.BatchNorm"``, and output.
        """
        outputs, x = [], self._input(x)
        with no_grad():
            for position, layer in enumerate(self.layers):
                x = _apply(layer, x, training, sample_weight)
                outputs.append((f"{position}.{type(layer).__name__}", x.data))
        return outputs

    def train(self, mode=True):
        """Set the mode of all layers and return the network."""
        for layer in self.layers:
            layer.train(mode)
        return super().train(mode)

    def _collect(self, method):
        return {
            f"{position}.{name}": value
            for position, layer in enumerate(self.layers)
            for name, value in getattr(layer, method)().items()
        }

    def parameters(self):
        """Return the trainable tensors as ``"0.weight"`` and so on."""
        return self._collect("parameters")

    def buffers(self):
        """Return the running statistics as ``"1.running_mean"`` and so on."""
        return self._collect("buffers")

    def unlock(self):
        """Take copies of what lies in read-only memory, and return the network."""
        for layer in self.layers:
            layer.unlock()
        return self

    @property
    def decayed(self):
        """Names of the parameters that weight decay applies to: dense weights, not gamma, beta or biases."""
        return tuple(f"{i}.{name}" for i, layer in enumerate(self.layers) for name in layer.decayed)

    def state_dict(self):
        """Return copies of all state, named and laid out as ``torch.nn.Sequential`` stores it."""
        return self._collect("state_dict")

    def load_state_dict(self, state):
        """Take over what :meth:`state_dict` returned; raises CheckpointError and changes nothing if it does not fit."""
        check_state(self.state_dict(), state, "the network")
        for position, layer in enumerate(self.layers):
            prefix = f"{position}."
            layer.load_state_dict(
                {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            )

    def config(self):
        """Return the layers and their arguments, JSON-able; :meth:`from_config` makes them again."""
        return {"layers": [{"layer": type(layer).__name__, **layer.config()} for layer in self.layers]}

    @classmethod
    def from_config(cls, config, dtype=np.float32):
        """Build an untrained network from what :meth:`config` returned.

        Raises
        ------
        CheckpointError
            When a layer or an argument is unknown.
        """
        return cls(*(_layer(arguments, dtype) for arguments in config["layers"]))

    def logits(self, x):
        """Return the network's output in evaluation mode, without recording, in blocks of rows.

        Parameters
        ----------
        x : ndarray, shape (N, C)
            Or rows of another library; a sparse matrix of SciPy becomes dense block by block.

        Returns
        -------
        ndarray of the network's dtype, shape (N, K)

        Raises
        ------
        ShapeError
            When x has not two axes.
        """
        given, x = x, _rows(x)
        if x.ndim != 2:
            got = f"shape {tuple(x.shape)}" if x.ndim else type(given).__name__
            raise ShapeError(f"x must have shape (N, C), got {got}; pass rows and columns")
        with no_grad():
            blocks = [
                self(_dense_block(x[i : i + EVALUATION_BLOCK]), training=False).data
                for i in range(0, max(x.shape[0], 1), EVALUATION_BLOCK)
            ]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def predict_proba(self, x):
        """Return class probabilities, shape (N, K), in evaluation mode; running statistics are not touched."""
        logits = self.logits(x)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def predict(self, x):
        """Return the index of the most probable class of each row, shape (N,), in evaluation mode."""
        return self.logits(x).argmax(axis=1)

    def summary(self):
        """Print layers, output shapes and parameters, with the batch-norm state counted apart."""
        print(summary_text(self.layers))

    def __repr__(self):
        return "Sequential(\n" + "".join(f"  {i}: {layer!r}\n" for i, layer in enumerate(self.layers)) + ")"


def _rows(x):
    """Return rows that can be cut into blocks."""
    if isinstance(x, Tensor):
        return x
    return x.tocsr() if foreign.is_sparse(x) else np.asanyarray(foreign.as_array("x", x))


def _dense_block(x):
    return x.toarray() if foreign.is_sparse(x) else x


def _apply(layer, x, training, sample_weight):
    if sample_weight is None or not layer.takes_sample_weight:
        return layer(x, training)
    return layer(x, training, sample_weight=sample_weight)


def _layer(arguments, dtype):
    arguments = dict(arguments)
    name, frozen = arguments.pop("layer", None), arguments.pop("frozen", False)
    if name not in LAYERS:
        raise CheckpointError(
            f"the architecture names an unknown layer {name!r}; known are {', '.join(LAYERS)}"
        )
    try:
        layer = LAYERS[name](**arguments, **({"dtype": dtype} if name in ("Dense", "BatchNorm") else {}))
    except TypeError as error:
        raise CheckpointError(
            f"the architecture has arguments that {name} does not take: {sorted(arguments)}"
        ) from error
    return layer.freeze() if frozen else layer
