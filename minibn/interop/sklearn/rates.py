"""Optimizers and learning rates of an estimator, in scikit-learn's terms."""

SMALLEST = 1e-6
"""Learning rate below which ``learning_rate="adaptive"`` gives up."""


def optimizer(estimator, gradient_scale):
    """Return the optimizer of an estimator.

    Parameters
    ----------
    estimator : MinibnClassifier or MinibnRegressor
    gradient_scale : float
        By how much the gradient of minibn's loss exceeds that of scikit-learn's: the mean of squares has twice the
        gradient of their half. The scale is taken back in the learning rate, or in Adam's epsilon.

    Returns
    -------
    minibn.train.SGD or minibn.train.Adam
    """
    from minibn.train import SGD, Adam

    e = estimator
    if e.solver == "sgd":
        nesterov = bool(e.nesterovs_momentum and e.momentum)
        return SGD(e.learning_rate_init / gradient_scale, e.momentum, nesterov)
    return Adam(e.learning_rate_init, e.beta_1, e.beta_2, e.epsilon * gradient_scale)


def end_of_epoch(estimator, optimizer, gradient_scale):
    """Move the learning rate of ``learning_rate="invscaling"`` to that of the rows seen so far."""
    if estimator.solver == "sgd" and estimator.learning_rate == "invscaling":
        rate = estimator.learning_rate_init / (estimator.t_ + 1) ** estimator.power_t
        optimizer.learning_rate = rate / gradient_scale


def no_improvement(estimator, optimizer):
    """Return whether to stop; ``learning_rate="adaptive"`` first divides the rate by 5, down to the smallest."""
    adaptive = estimator.solver == "sgd" and estimator.learning_rate == "adaptive"
    if not adaptive or optimizer.learning_rate <= SMALLEST:
        return True
    optimizer.learning_rate /= 5.0
    return False
