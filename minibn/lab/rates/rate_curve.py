"""Loss against a rising learning rate, and the rates that the curve suggests."""

from dataclasses import dataclass

import numpy as np

_GAIN = 0.2  # share of the first loss that must go before anything is suggested
_CLEAR = 4.0  # standard deviations by which a fall or a climb must stand out from the noise of batches
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
        Rate at which the loss falls fastest; None where it never falls by a fifth.
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
    reach = max(2, len(rates) // 40)
    with np.errstate(invalid="ignore", over="ignore"):
        middle = np.median(losses, axis=0)
        smooth = _smoothed(middle, reach)
    start, noise = smooth[reach], _noise(middle, reach)
    lowest = np.minimum.accumulate(smooth)
    learned = lowest <= start - max(_GAIN * start, _CLEAR * noise)
    lost = smooth > np.maximum((start + lowest) / 2, lowest + _CLEAR * noise)
    lost = (learned & lost) | (smooth > _EXCESS * start)
    end = int(lost.argmax()) if lost.any() else len(rates)
    if not learned[:end].any():
        return RateCurve(arm, rates, smooth, None, None)
    largest = float(rates[end - 1]) if end < len(rates) else None
    return RateCurve(arm, rates, smooth, float(rates[_steepest(smooth[:end])]), largest)


def _steepest(losses):
    """Return where the loss falls most over a tenth of the steps: over fewer, noise would decide."""
    span = min(max(2, len(losses) // 20), (len(losses) - 1) // 2)
    return span + int(np.argmin(losses[2 * span :] - losses[: len(losses) - 2 * span]))


def _noise(values, reach):
    """Return the standard deviation that chance gives to the smoothed curve, from steps before much is learned."""
    jumps = np.abs(np.diff(values[: max(8, len(values) // 4)]))
    jumps = jumps[np.isfinite(jumps)]
    # A jump is the difference of two losses; 1.48 makes the median of absolute values a standard deviation.
    return 1.48 * np.median(jumps) / np.sqrt(2 * (2 * reach + 1)) if len(jumps) else 0.0


def _smoothed(values, reach):
    """Return the mean of each value and its neighbours on both sides: a running mean would lag behind the rate."""
    return np.array([values[max(0, i - reach) : i + reach + 1].mean() for i in range(len(values))])
