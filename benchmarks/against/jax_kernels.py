"""Batch norm in JAX: one jitted function each, from arrays on the device to arrays on the device."""

import jax
import jax.numpy as jnp


def prepare():
    """Run what is dispatched in the thread that calls."""
    jax.config.update("jax_cpu_enable_async_dispatch", False)


@jax.jit
def _forward(x, gamma, beta, eps):
    mean = x.mean(0)
    centred = x - mean
    var = (centred * centred).mean(0)
    return centred * (gamma * jax.lax.rsqrt(var + eps)) + beta, mean, var


@jax.jit
def _relu_forward(x, gamma, beta, eps):
    y, mean, var = _forward(x, gamma, beta, eps)
    return jnp.maximum(y, 0), mean, var


@jax.jit
def _inference(x, gamma, beta, mean, var, eps):
    return ((x - mean) * (gamma * jax.lax.rsqrt(var + eps)) + beta,)


@jax.jit
def _backward(dy, x, gamma, mean, var, eps):
    inverse = jax.lax.rsqrt(var + eps)
    normalized = (x - mean) * inverse
    dbeta, dgamma = dy.sum(0), (dy * normalized).sum(0)
    return gamma * inverse * (dy - (dbeta + normalized * dgamma) / len(x)), dgamma, dbeta


@jax.jit
def _relu_backward(dy, x, gamma, beta, mean, var, eps):
    y = (x - mean) * (gamma * jax.lax.rsqrt(var + eps)) + beta
    return _backward(jnp.where(y > 0, dy, 0), x, gamma, mean, var, eps)


def _call(function, names, *arguments):
    """Return a function that calls and waits, and one that returns what came of it by name."""
    arguments, result = [jnp.asarray(value, jnp.float32) for value in arguments], None

    def run():
        nonlocal result
        result = jax.block_until_ready(function(*arguments))

    return run, lambda: dict(zip(names, result, strict=True))


def batch_norm_forward(x, gamma, beta, eps, y, mean, var):
    return _call(_forward, ("y", "mean", "var"), x, gamma, beta, eps)


def batch_norm_relu_forward(x, gamma, beta, eps, y, mean, var):
    return _call(_relu_forward, ("y", "mean", "var"), x, gamma, beta, eps)


def batch_norm_inference(x, gamma, beta, mean, var, eps, y):
    return _call(_inference, ("y",), x, gamma, beta, mean, var, eps)


def batch_norm_backward(dy, x, gamma, mean, var, eps, dx, dgamma, dbeta):
    return _call(_backward, ("dx", "dgamma", "dbeta"), dy, x, gamma, mean, var, eps)


def batch_norm_relu_backward(dy, x, gamma, beta, mean, var, eps, dx, dgamma, dbeta):
    return _call(_relu_backward, ("dx", "dgamma", "dbeta"), dy, x, gamma, beta, mean, var, eps)
