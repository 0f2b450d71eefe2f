"""Layers, initializers, losses, and the networks built from them."""

from minibn.nn.activations import ReLU, Sigmoid, Tanh
from minibn.nn.batch_norm import BatchNorm
from minibn.nn.dense import Dense
from minibn.nn.initializers import glorot, he, normal
from minibn.nn.layer import Layer
from minibn.nn.losses import SoftmaxCrossEntropy, SquaredError
from minibn.nn.mlp import mlp
from minibn.nn.sequential import Sequential

__all__ = [
    "BatchNorm",
    "Dense",
    "Layer",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "Tanh",
    "glorot",
    "he",
    "mlp",
    "normal",
]
