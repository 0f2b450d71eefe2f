"""The doctor: measure, read every rule, say what was found."""

import warnings

import minibn.lab.doctor.rules  # noqa: F401 (registers them)
from minibn.lab.doctor.case import make_case
from minibn.lab.doctor.diagnosis import Diagnosis, Finding, Unchecked
from minibn.lab.doctor.figures import Figures
from minibn.lab.doctor.registry import RULES, Fault, NotChecked, Note


def doctor(
    model,
    data=None,
    *,
    train=None,
    history=None,
    failed=None,
    batch_size=None,
    class_weight=None,
    labels=None,
    positive=None,
    threshold=None,
    shift=0.0,
    predict=None,
    seed=0,
):
    """Say what is wrong with a trained network, why, and what helps.

    Every piece but the model may be left out; a rule that lacks its input is listed as not checked. Neither the model
    nor the data are changed.

    Parameters
    ----------
    model : minibn.nn.Sequential
        A classifier, as it was handed over: its mode counts too.
    data : (x, y), x, or minibn.train.Experiment, optional
        Rows to judge that were not trained on, as the network sees them: shapes (N, C) and (N,). An experiment brings
        its validation rows, its training rows, batch size, class weights, class names and shift.
    train : (x, y) or x, optional
        Training rows, as the network sees them.
    history : History or sequence of EpochRecord, optional
        Of the whole training: batches beyond it count as evaluated in training mode.
    failed : dict, optional
        Epoch, step and layer where the loss stopped being finite: ``failed`` of an :class:`Outcome`.
    batch_size : int, optional
        Of the training.
    class_weight : optional
        Of the training's loss, as :func:`minibn.train.fit` takes it.
    labels : sequence, optional
        Names of the classes.
    positive : object, optional
        Of two classes, the one that ``threshold`` is for; the second where None.
    threshold : float, optional
        Least probability of the positive class that the network is used with.
    shift : float
        What the scaler adds to every value.
    predict : callable, optional
        Your own ``predict(model, x)``, returning class indices. It is called with copies of the model.
    seed : int
        Fixes the order of rows, and which are taken of more than 10,000.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ArgumentError, DtypeError, ShapeError, DataError
        When the pieces do not fit the model.

    Examples
    --------
    >>> from minibn.lab import doctor, run
    >>> from minibn.train import Settings, prepare
    >>> experiment = prepare(Settings(data="example", bn_momentum=0.001))
    >>> outcome = run(experiment)
    >>> found = doctor(outcome.model, experiment, history=outcome.records)
    >>> "momentum too slow" in [fault.name for fault in found.faults], found.healthy
    (True, False)
    """
    case = make_case(
        model, data, train, history=history, failed=failed, batch_size=batch_size, class_weight=class_weight,
        labels=labels, positive=positive, threshold=threshold, shift=shift, predict=predict,
    )  # fmt: skip
    figures = Figures(case, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a sick network's own arithmetic
        read = [(rule.name, rule(figures)) for rule in RULES]
    skipped = tuple(Unchecked(name, found.why) for name, found in read if isinstance(found, NotChecked))
    checked = tuple(name for name, found in read if not isinstance(found, NotChecked))
    return Diagnosis(_findings(read, Fault), _findings(read, Note), skipped, checked, figures)


def _findings(read, kind):
    return tuple(
        Finding(name, found.figure, found.cause, found.remedy)
        for name, found in read
        if isinstance(found, kind)
    )
