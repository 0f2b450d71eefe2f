"""The dense layer."""

import numpy as np

from minibn.autograd import Tensor, dense
from minibn.errors import ShapeError
from minibn.functional import checks
from minibn.nn.initializers import generator, initializer
from minibn.nn.layer import Layer, check_state


class Dense(Layer):
    """y = x @ weight + bias.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    init : str or callable
        ``"he"``, ``"glorot"``, ``"normal"``, or a function ``(rng, shape, scale)``.
    init_scale : float, optional
        Scale given to the initializer; its own default where None.
    rng : numpy.random.Generator or int, optional
        Source of the initial weights; seed 0 where None.
    dtype : dtype
        float32 or float64.

    Attributes
    ----------
    weight : Tensor, shape (in, out)
    bias : Tensor, shape (out,), or None

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.nn import Dense
    >>> layer = Dense(3, 2, rng=0)
    >>> layer(np.zeros((5, 3), np.float32)).shape
    (5, 2)
    >>> layer.weight.shape, layer.state_dict()["weight"].shape  # (in, out) here, (out, in) in files
    ((3, 2), (2, 3))
    """

    decayed = ("weight",)

    def __init__(
        self, in_features, out_features, bias=True, *, init="he", init_scale=None, rng=None, dtype=np.float32
    ):
        shape = (checks.whole("in_features", in_features, 1), checks.whole("out_features", out_features, 1))
        scale = () if init_scale is None else (checks.number("init_scale", init_scale),)
        weight = initializer(init)(generator(rng), shape, *scale)
        self.weight = Tensor(weight.astype(checks.dtype(dtype)), requires_grad=True)
        self.bias = Tensor(np.zeros(out_features, dtype), requires_grad=True) if bias else None

    def __call__(self, x, training=None):
        """Return x @ weight + bias, shape (N, out)."""
        x = x if isinstance(x, Tensor) else Tensor(x)
        if x.ndim != 2 or x.shape[1] != self.weight.shape[0]:
            raise ShapeError(
                f"{self!r} needs x of shape (N, {self.weight.shape[0]}), got {tuple(x.shape)}; "
                "check the number of features"
            )
        return dense(x, self.weight, self.bias)

    def parameters(self):
        """Return weight and, where there is one, bias."""
        return {"weight": self.weight} | ({} if self.bias is None else {"bias": self.bias})

    def config(self):
        """Return sizes and whether there is a bias."""
        inputs, outputs = self.weight.shape
        return {"in_features": inputs, "out_features": outputs, "bias": self.bias is not None}

    def state_dict(self):
        """Return the parameters, the weight transposed to (out, in) as PyTorch stores it."""
        state = super().state_dict()
        return state | {"weight": np.ascontiguousarray(state["weight"].T)}

    def load_state_dict(self, state):
        """Take over a state with the weight as (out, in)."""
        check_state(self.state_dict(), state, "Dense")
        self._take(dict(state) | {"weight": np.asarray(state["weight"]).T})
