"""Training in JAX: one jitted scan over the batches of an epoch, whose state is donated."""

from functools import partial

import jax
import jax.numpy as jnp

PLAIN = False
_MOMENTUM, _EPS = 0.1, 1e-5
_ACTIVATIONS = {"ReLU": jax.nn.relu, "Sigmoid": jax.nn.sigmoid}
# One thread: what is dispatched runs in the thread that calls.
jax.config.update("jax_cpu_enable_async_dispatch", False)


def _batch_norm(h, parameters, running):
    """Return the normalised batch and the moved running statistics."""
    mean, n = h.mean(0), h.shape[0]
    var = jnp.square(h - mean).mean(0)
    y = (h - mean) * (parameters["weight"] * jax.lax.rsqrt(var + _EPS)) + parameters["bias"]
    batch = jax.lax.stop_gradient((mean, var * (n / (n - 1))))
    return y, tuple((1 - _MOMENTUM) * old + _MOMENTUM * new for old, new in zip(running, batch, strict=True))


def _loss(kinds, parameters, running, x, y):
    h, moved = x, []
    for kind, own, statistics in zip(kinds, parameters, running, strict=True):
        if kind == "Dense":
            h = h @ own["weight"] + own.get("bias", 0)
        elif kind == "BatchNorm":
            h, statistics = _batch_norm(h, own, statistics)
        else:
            h = _ACTIVATIONS[kind](h)
        moved.append(statistics)
    return -(jax.nn.log_softmax(h) * y).sum(1).mean(), moved


def _epoch(network, kinds, state, order, x, y):
    """Train on all full batches in one scan, and on the rows that are left."""

    def step(state, rows):
        parameters, running = state
        (loss, running), gradient = jax.value_and_grad(partial(_loss, kinds), has_aux=True)(
            parameters, running, x[rows], y[rows]
        )
        descend = lambda old, slope: old - network.learning_rate * slope  # noqa: E731
        return (jax.tree.map(descend, parameters, gradient), running), loss * rows.size

    full = order.size - order.size % network.batch
    state, losses = jax.lax.scan(step, state, order[:full].reshape(-1, network.batch))
    total = losses.sum()
    if full < order.size:
        state, loss = step(state, order[full:])
        total += loss
    return state, total / order.size


def _running(kind, arrays):
    if kind != "BatchNorm":
        return ()
    size = next(iter(arrays.values())).size
    return jnp.zeros(size), jnp.ones(size)


def build(network, layers, x, y):
    kinds, x = [kind for kind, _ in layers], jnp.asarray(x)
    y = jax.nn.one_hot(y, network.sizes[-1])  # as JAX's tutorials do: the gradient of indexing is slower
    state = (
        [jax.tree.map(jnp.asarray, arrays) for _, arrays in layers],
        [_running(*layer) for layer in layers],
    )
    play = jax.jit(partial(_epoch, network, kinds), donate_argnums=0)

    def epoch(order):
        nonlocal state
        state, loss = jax.block_until_ready(play(state, order.astype("int32"), x, y))
        return float(loss)

    return epoch
