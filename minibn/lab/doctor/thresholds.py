"""Where a figure becomes a fault.

Chosen by ``python -m benchmarks doctor --tuning``, on seeds and data sets other than those whose recall and false
alarms are reported in docs/doctor.md.
"""

START_WEIGHT = 0.05  # share of the running statistics that is still their start, 0 and 1
SLOW_MOMENTUM = 0.05  # below this the momentum is to blame for it, from here on the number of steps
NEGLIGIBLE = 0.05  # error of normalised values that no remedy would show
SKEW = 0.3  # error of normalised values, in standard deviations
GAP = 0.03  # accuracy lost or won by other statistics
SURE = 0.001  # chance that a healthy model shows as much

POLLUTED = (
    0.15  # error of normalised values in the first batch norm, before batches of one class are suspected
)
MIXTURE = 0.3  # share of the running statistics that batches of one class account for
UNEXPLAINED = 0.6  # of the distance from the exact statistics, what such a mixture may leave

TINY_NOISE = 0.45  # noise of a batch mean in standard deviations: batches of 4 and fewer
SMALL_NOISE = 0.3  # the same for a note: batches of 11 and fewer
ORDER = 0.01  # share of predictions that change with the order of the rows

DRIFT = 0.3  # difference of features in standard deviations, root mean square
DUPLICATES = 0.05  # share of the rows judged that stand in the training rows too
STANDARDISED = (
    0.1  # deviation from mean 0 and deviation 1 over all rows, relative to that over the training rows
)

SKILL = 0.02  # share of the majority baseline's mistakes that the network avoids
INFORMED = 0.3  # balanced accuracy between guessing, 0, and 1: above it classes are told apart
RARE = 0.5  # a class is rare below this share of an equal one
RECALL = 0.5

LOSS_GAP, LOSS_RATIO = 0.25, 2.0  # validation loss above training loss, in nats and as a ratio
ACCURACY_GAP = 0.1  # accuracy below that of the training rows, enough where losses differ by less
LIKELY = 0.01  # chance that equal losses differ as much: less is asked, since the gap must be large as well

VANISHING, EXPLODING = 1e-3, 1e3  # gradient by the first hidden output over that by the logits
DEAD, SOME_DEAD = 0.4, 0.1  # share of a layer's units that no row switches on
SATURATED = 0.5  # share of a layer's activations where the slope is below a tenth of its largest
GAMMA = 1e-2  # a unit whose gamma is below this contributes next to nothing

LEAPT = 5.0  # training loss of any epoch, times that of guessing
RISEN = 1.5  # last training loss, times that of guessing by class shares
REBOUND = 2.0  # last training loss, times the lowest
STUCK = 0.95  # lowest training loss over that of guessing
NOISE = 0.05  # what the training loss climbs per epoch in its rises, over the loss of guessing
