"""minibn's own side: a captured program, an epoch a call."""

from minibn.nn import SoftmaxCrossEntropy
from minibn.program import capture
from minibn.train import SGD


def program_of(network):
    """Return the captured program of a network with its initial weights."""
    optimizer = SGD(network.learning_rate)
    return capture(network.model(), SoftmaxCrossEntropy(), optimizer, max_batch=network.batch + 1)


def build(network, x, y):
    program = program_of(network)
    return lambda order: program.run_epoch(x, y, order, network.batch).mean_loss


def layers(network):
    """Return the initial weights, layer by layer, as (kind, arrays): what every peer starts from."""
    found = []
    for layer in network.model().layers:
        arrays = {name: tensor.data.copy() for name, tensor in layer.parameters().items()}
        found.append((type(layer).__name__, arrays))
    return found
