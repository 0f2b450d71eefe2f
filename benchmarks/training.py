"""The suite ``training``: whole epochs, the drawing of their order included, against every peer."""

from itertools import count

import numpy as np

from benchmarks import allocations, control, networks, pairs
from benchmarks.against import minibn_training, training_peers
from benchmarks.measure import Effort, first_call, interleave, microseconds, ratio
from benchmarks.progress import say
from benchmarks.scaling import curve
from minibn.train.batches import epoch_orders

_FULL = Effort(burst=0.02, budget=12.0, least=9, most=101, placements=1)
_QUICK = Effort(burst=5e-3, budget=1.5, least=3, most=15, placements=1)
_DEPTHS, _ROWS = (1, 2, 4, 8, 16, 32), (500, 1000, 2000, 4000, 8000, 16000)
_TOLERANCE = 1e-3
_DRAWN = 32  # epochs whose orders are drawn in one call, at most
_WORK = 1 << 26  # rows times weights of all epochs that ``fit`` plays in one call


def _agree(network, name, ours, theirs):
    """Train two epochs on both sides and raise unless the losses agree: else they would not do the same work."""
    order = np.random.default_rng(2).permutation(network.rows)
    for number in (1, 2):
        expected, got = ours(order), theirs(order)
        np.testing.assert_allclose(
            got, expected, _TOLERANCE, err_msg=f"{network.name}, {name}: mean loss of epoch {number}"
        )


def _trained(epoch, orders):
    """Return a function of no argument: draw an order and train on it."""
    return lambda: epoch(next(orders))


def _orders(rows):
    """Yield orders as NumPy draws them."""
    rng = np.random.default_rng(3)
    while True:
        yield rng.permutation(rows)


def _our_orders(network):
    """Yield orders as minibn's ``fit`` draws them: for as many epochs at once as it plays in one call."""
    epochs = min(_DRAWN, max(1, _WORK // (network.rows * network.weights)))
    for first in count(1, epochs):
        yield from epoch_orders(network.rows, 3, first, epochs)


def _peer(network, name, module, x, y):
    """Return a peer's epoch, after its losses were found to agree with minibn's, and the seconds of its first."""
    same = network.plain() if module.PLAIN else network
    layers, order = minibn_training.layers(same), np.arange(network.rows)
    _agree(network, name, minibn_training.build(same, x, y), module.build(same, layers, x, y))
    epoch = module.build(same, layers, x, y)
    return epoch, first_call(lambda: epoch(order))


def _row(network, against, seconds, firsts, threads):
    return {
        "name": network.name,
        "shape": f"{network.rows} rows, {'-'.join(map(str, network.sizes))}, {network.activation}, "
        f"batch {network.batch}",
        "threads": threads,
        "against": against,
        **ratio(seconds[against] / seconds["minibn"]),
        "better": "more",
        "minibn_us": microseconds(seconds["minibn"]) / network.steps,
        "peer_us": microseconds(seconds[against]) / network.steps,
        "steps": network.steps,
        "rounds": len(seconds["minibn"]),
        "first_epoch_s": firsts["minibn"],
        "peer_first_epoch_s": firsts[against],
    }


def measure(network, peers, threads, effort):
    """Time epochs of one network in minibn and every peer; return a row per peer, and the control."""
    x, y = network.data(network.rows)
    ours = minibn_training.build(network, x, y)
    firsts = {"minibn": first_call(lambda: ours(np.arange(network.rows)))}
    subjects = {"minibn": _trained(ours, _our_orders(network))}
    for name, module in peers.items():
        epoch, firsts[name] = _peer(network, name, module, x, y)
        subjects[name] = _trained(epoch, _orders(network.rows))
    seconds = interleave(subjects | control.subjects(), effort)
    rows = [_row(network, name, seconds, firsts, threads) for name in peers]
    say(f"{network.name}, {threads} threads", rows)
    return rows, control.ratios(seconds)


def _epoch_of(network):
    return _trained(minibn_training.build(network, *network.data(network.rows)), _our_orders(network))


def curves(quick):
    """Return the time of an epoch against depth and against rows."""
    step = 2 if quick else 1
    depth = {d: _epoch_of(networks.deep(d)) for d in _DEPTHS[::step]}
    rows = {n: _epoch_of(networks.long(n)) for n in _ROWS[::step]}
    return [
        curve("epoch", "depth", "1024 rows, layers of 64 units", depth, quick),
        curve("epoch", "rows of training", "20-10-10", rows, quick),
    ]


def _set_threads(settings):
    """Tell those who keep a number of their own; BLAS, OpenMP and XLA read the environment."""
    from minibn import functional

    if hasattr(functional, "set_threads"):
        functional.set_threads(settings.threads)
    elif settings.threads > 1:
        say("minibn.functional has no set_threads: only its BLAS uses several threads")
    if "torch" in settings.peers:
        import torch

        torch.set_num_threads(settings.threads)


def _networks(settings):
    """Return the networks of this number of threads, and the peers of each."""
    everyone = training_peers(settings.peers)
    without_sklearn = {name: module for name, module in everyone.items() if name != "sklearn"}
    if settings.threads > 1:
        return [(networks.WIDE, without_sklearn)]
    return [
        (networks.HEADLINE, everyone),
        (networks.MNIST, without_sklearn),
        (networks.SCATTERED, without_sklearn),
    ]


def run(settings):
    """Time every network, and count what an epoch allocates; return details, controls and curves."""
    _set_threads(settings)
    details, controls, effort = [], [], _QUICK if settings.quick else _FULL
    for network, peers in _networks(settings):
        if settings.quick:
            network = networks.quicker(network)
        rows, series = measure(network, peers, settings.threads, effort)
        details += rows
        controls.append(series)
        if settings.threads == 1:  # of BLAS; two Python threads
            for epochs in pairs.lengths(network):
                row, series = pairs.measure(network, epochs, effort)
                details.append(row)
                controls.append(series)
    found = {"details": details, "control": [control.summary(controls, settings.threads)]}
    if settings.threads > 1:
        return found
    found["details"] += allocations.measure(settings.quick)
    return found | {"curves": curves(settings.quick)}
