"""Loss against a rising learning rate, and the rates that the curve suggests."""

from dataclasses import dataclass

import numpy as np

_GAIN = 0.1  # share of the first loss that must go before anything is suggested
_EXCESS = 2.0  # a loss of so many times the first one has diverged, whatever came before


@dataclass(frozen=True, eq=False)
class RateCurve:
    """What one arm did while its learning rate rose.

    Attributes
    ----------
    arm : str
    rates : ndarray of float64, shape (S,)
        Rate of every step.
    losses : ndarray of float64, shape (S,)
        Median over the seeds of the loss before each step, smoothed; infinite once half of the runs diverged.
    steepest : float or None
        Rate at which the loss falls fastest; None where it never falls by a tenth.
    largest : float or None
        Last rate before the loss gave back half of what it had gained, or was not finite; None where that did not
        happen, or nothing was gained.
    """

    arm: str
    rates: np.ndarray
    losses: np.ndarray
    steepest: float | None
    largest: float | None


def rate_curve(arm, rates, losses):
    """Smooth losses of a rising rate and read the curve.

    Parameters
    ----------
    arm : str
    rates : ndarray of float64, shape (S,)
        Rising geometrically.
    losses : ndarray of float64, shape (seeds, S)
        Infinite from the step on at which a run diverged.

    Returns
    -------
    RateCurve
    """
    reach = max(1, len(rates) // 40)
    with np.errstate(invalid="ignore", over="ignore"):
        smooth = _smoothed(np.median(losses, axis=0), reach)
    lowest = np.minimum.accumulate(smooth)
    learned = lowest <= (1 - _GAIN) * smooth[0]
    lost = (smooth > _EXCESS * smooth[0]) | (learned & (smooth > (smooth[0] + lowest) / 2))
    end = int(lost.argmax()) if lost.any() else len(rates)
    if not learned[: max(end, 1)].any():
        return RateCurve(arm, rates, smooth, None, None)
    bottom = int(smooth[:end].argmin())
    slopes = _smoothed(np.gradient(smooth[:end], np.log(rates[:end])), reach)
    steepest = float(rates[slopes[: bottom + 1].argmin()])
    return RateCurve(arm, rates, smooth, steepest, float(rates[end - 1]) if end < len(rates) else None)


def _smoothed(values, reach):
    """Return the mean of each value and its neighbours on both sides: a running mean would lag behind the rate."""
    return np.array([values[max(0, i - reach) : i + reach + 1].mean() for i in range(len(values))])
