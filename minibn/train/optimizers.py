"""Optimizers: settings, and state by parameter name."""

from abc import ABC, abstractmethod

import numpy as np

from minibn.errors import ArgumentError
from minibn.functional import adam_update_inplace, checks, sgd_update_inplace
from minibn.nn.layer import writable


class Optimizer(ABC):
    """Base of the optimizers.

    Attributes
    ----------
    state : dict of str to dict of str to ndarray
        Per slot, such as ``"velocity"``, one array per parameter name.
    steps : int
        Updates made.
    """

    slots: tuple = ()

    def __init__(self, learning_rate, weight_decay, decay_all):
        self.learning_rate = checks.number("learning_rate", learning_rate, 0.0)
        self.weight_decay = checks.number("weight_decay", weight_decay, 0.0)
        self.decay_all = bool(decay_all)
        self.reset()

    def reset(self):
        """Forget all state."""
        self.steps, self.state = 0, {slot: {} for slot in self.slots}

    def update(self, model):
        """Move every parameter of a model that has a gradient by one step."""
        self.steps += 1
        decayed = set(model.decayed)
        for name, tensor in model.parameters().items():
            if tensor.grad is not None:
                decay = self.weight_decay if self.decay_all or name in decayed else 0.0
                tensor.data = writable(tensor.data)
                self._update(tensor.data, tensor.grad, self._slots(name, tensor.data), decay)

    def _slots(self, name, data):
        for slot in self.slots:
            found = self.state[slot].get(name)
            self.state[slot][name] = np.zeros_like(data) if found is None else writable(found)
        return [self.state[slot][name] for slot in self.slots]

    @abstractmethod
    def _update(self, param, grad, state, decay):
        """Move one parameter."""

    @abstractmethod
    def scalars(self):
        """Return the numbers of an update besides learning rate and weight decay, in the kernel's order."""

    @abstractmethod
    def config(self):
        """Return the settings, JSON-able."""

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.config().items())})"


class SGD(Optimizer):
    """Stochastic gradient descent.

    Parameters
    ----------
    learning_rate : float
    momentum : float
        In [0, 1].
    nesterov : bool
    weight_decay : float
        L2 penalty on dense weights; gamma, beta and biases are left out unless ``decay_all``.
    decay_all : bool

    Examples
    --------
    >>> from minibn.train import SGD
    >>> SGD(0.1, momentum=0.9, nesterov=True).config()["momentum"]
    0.9
    """

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=0.0, decay_all=False):
        self.momentum = checks.number("momentum", momentum, 0.0, 1.0)
        self.nesterov = bool(nesterov)
        if self.nesterov and not self.momentum:
            raise ArgumentError("nesterov needs momentum, got momentum=0; pass e.g. momentum=0.9")
        self.slots = ("velocity",) if self.momentum else ()
        super().__init__(learning_rate, weight_decay, decay_all)

    def _update(self, param, grad, state, decay):
        velocity = state[0] if state else None
        nesterov = self.nesterov and velocity is not None
        sgd_update_inplace(param, grad, velocity, self.learning_rate, self.momentum, nesterov, decay)

    def scalars(self):
        """Return momentum and 1 for Nesterov's."""
        return self.momentum, float(self.nesterov)

    def config(self):
        """Return the settings."""
        return {
            "learning_rate": self.learning_rate,
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "weight_decay": self.weight_decay,
            "decay_all": self.decay_all,
        }


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015).

    Parameters
    ----------
    learning_rate : float
    beta1, beta2 : float
        Decay of the two moments, in [0, 1).
    eps : float
    weight_decay : float
        L2 penalty on dense weights; gamma, beta and biases are left out unless ``decay_all``.
    decay_all : bool
    """

    slots = ("m", "v")

    def __init__(
        self, learning_rate=0.001, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, decay_all=False
    ):
        below_one = float(np.nextafter(1.0, 0.0))
        self.beta1 = checks.number("beta1", beta1, 0.0, below_one)
        self.beta2 = checks.number("beta2", beta2, 0.0, below_one)
        self.eps = checks.number("eps", eps, 0.0)
        super().__init__(learning_rate, weight_decay, decay_all)

    def _update(self, param, grad, state, decay):
        adam_update_inplace(
            param, grad, *state, self.steps, self.learning_rate, self.beta1, self.beta2, self.eps, decay
        )

    def scalars(self):
        """Return beta1, beta2 and eps."""
        return self.beta1, self.beta2, self.eps

    def config(self):
        """Return the settings."""
        return {
            "learning_rate": self.learning_rate,
            "beta1": self.beta1,
            "beta2": self.beta2,
            "eps": self.eps,
            "weight_decay": self.weight_decay,
            "decay_all": self.decay_all,
        }
