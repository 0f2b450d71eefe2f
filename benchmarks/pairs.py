"""Two threads that train two models at once, against the same two trainings one after the other."""

from threading import Thread

import numpy as np

from benchmarks import control, networks
from benchmarks.goals import PAIRS
from benchmarks.measure import interleave, microseconds, ratio
from benchmarks.progress import say
from minibn.train import SGD, fit

_EPOCHS = (200, 2000)  # of a small network: the system may keep two new threads on one core for milliseconds
_ROWS = 32000  # of training a large one
_TRAINED = networks.HEADLINE.name, networks.MNIST.name


def lengths(network):
    """Return the numbers of epochs to train a network for; none for one that is not trained twice at once."""
    if network.name not in _TRAINED:
        return ()
    return _EPOCHS if network.rows <= 1000 else (max(1, _ROWS // network.rows),)


def _training(network, epochs, x, y):
    """Return a training of a model of its own, and its last mean loss."""
    model, optimizer = network.model(), SGD(network.learning_rate)
    start = model.state_dict()

    def train():
        model.load_state_dict(start)
        history = fit(model, x, y, optimizer=optimizer, epochs=epochs, batch_size=network.batch)
        return history[-1].train_loss

    return train


def at_once(calls):
    """Call functions, each in a thread of its own, and return what they return; the first error is raised."""
    results, errors = [None] * len(calls), []

    def play(place):
        try:
            results[place] = calls[place]()
        except Exception as error:
            errors.append(error)

    threads = [Thread(target=play, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def measure(network, epochs, effort):
    """Time both ways, interleaved; return a row and the control."""
    data = network.data(network.rows)
    pair = [_training(network, epochs, *(part.copy() for part in data)) for _ in range(2)]
    np.testing.assert_array_equal(at_once(pair), [train() for train in pair])
    subjects = {"pair": lambda: at_once(pair), PAIRS: lambda: [train() for train in pair]}
    seconds = interleave(subjects | control.subjects(), effort)
    row = {
        "name": f"{network.name}, two models at once",
        "epochs": epochs,
        "shape": f"{network.rows} rows, {'-'.join(map(str, network.sizes))}, batch {network.batch}, {epochs} epochs",
        "threads": 2,
        "against": PAIRS,
        **ratio(seconds[PAIRS] / seconds["pair"]),
        "better": "more",
        "minibn_us": microseconds(seconds["pair"]),
        "peer_us": microseconds(seconds[PAIRS]),
        "rounds": len(seconds["pair"]),
    }
    say(f"{row['name']}, {epochs} epochs", [row])
    return row, control.ratios(seconds)
