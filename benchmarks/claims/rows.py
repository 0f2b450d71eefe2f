"""The claims, the commands that ask them, and what papers found."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.claims import readers


@dataclass(frozen=True)
class Claim:
    """One row.

    Attributes
    ----------
    text : str
        What the teaching texts say.
    command : str
        Commands that ask, separated by ``&&``; the last one's object holds the answer.
    literature : str
        What papers found.
    answer : callable
        From that object to a verdict on the claim and sentences.
    file : str or None
        A data file that the command needs.
    """

    text: str
    command: str
    literature: str
    answer: Callable = readers.opening(1)
    file: str | None = None


HARD = "minibn compare --data example-hard --tune-lr"
CLAIMS = (
    Claim("The loss falls faster (the texts' example)", "minibn compare --tune-lr",
          "Conditional: faster in deep or sigmoid networks and at larger rates; slower at equal small ones (Bjorck et al. 2018)",
          readers.faster),
    Claim("The same in the network that batch norm was introduced with: three layers of 100 sigmoid units",
          "minibn study ioffe-szegedy", "Supported (Ioffe and Szegedy 2015, section 4.1, Fig. 1)", readers.sooner),
    Claim("Better accuracy, precision and recall on the validation part", HARD,
          "Not in general: about nothing in shallow networks with tuned rates", readers.tuned_metrics),
    Claim("More consistent results across seeds", HARD,
          "Where the network without it nearly diverges; not in general", readers.scatter),
    Claim("It helps where inputs are badly centred", "minibn compare --data example-hard --shift-inputs 5 --tune-lr",
          "Supported: the first layer's batch norm removes the shift", readers.tuned_metrics),
    Claim("Higher learning rates without divergence", "minibn study learning-rates",
          "Supported; the strongest and most reproducible effect (Bjorck et al. 2018)", readers.said("largest working rate")),
    Claim("Less dependence on initialization", "minibn study init",
          "Supported over some decades, not without limits (van Laarhoven 2017)", readers.said("tuned for each gain")),
    Claim("Deeper networks become trainable", "minibn study depth",
          "Supported (Ioffe and Szegedy 2015; Bjorck et al. 2018)", readers.said("the deepest network that trains")),
    Claim("Saturated sigmoid and tanh units, and vanishing gradients, are relieved", "minibn study saturation",
          "Early in training yes; later it depends: gamma grows, and saturation may return", readers.relieved),
    Claim("Exploding gradients are relieved", "minibn study gradient-growth",
          "False at initialization: pi/(pi-1) per layer for large batches (Yang et al. 2019)", readers.growth),
    Claim("It reduces internal covariate shift", "minibn study landscape",
          "Contested: measured shift is often larger with batch norm (Santurkar et al. 2018)", readers.shift),
    Claim("It regularizes through noise in the statistics", "minibn study regularization",
          "Partly: about a point at medium batches (Luo et al. 2019; Hoffer et al. 2017)", readers.error_saved),
    Claim("Very small batches make the statistics noisy and hurt", "minibn study batch-size", "Supported (Wu and He 2018, Fig. 1)"),
    Claim("Running statistics lag behind the weights", "minibn study precise-stats",
          "Early in training, and at slow momentum (Wu and Johnson 2021)"),
    Claim("Forgetting evaluation mode gives wrong results; statistics of test data leak", "minibn study eval-mode",
          "Supported; the size depends on the batch and on the mix of classes in it", readers.opening(3)),
    Claim("The scale of the weights before a batch norm does not matter, only the effective rate",
          "minibn study scale-invariance", "Exact (van Laarhoven 2017)"),
    Claim("Accuracy misleads on rare classes: 98 % with 12 % recall is no good model",
          "minibn train --data mammography.csv --drop-duplicates --hidden 16 --lr 0.03 --batch-size 64 --epochs 3 --out rare && minibn doctor rare",
          "Supported: it is arithmetic", readers.diagnosed, "mammography.csv"),
    Claim("Batch norm mends rare classes", "minibn study imbalance --data mammography.csv",
          "No: weigh classes, move the threshold, read the precision-recall curve", readers.said("average precision by"), "mammography.csv"),
    Claim("The same on 284,807 payments of which 0.17 % are frauds",
          "minibn compare --data creditcard.parquet --target Class --drop-duplicates --epochs 2 --batch-size 1024 --seeds 5",
          "No", readers.rare, "creditcard.parquet"),
    Claim("A good run: loss falls smoothly, accuracy is steady, precision and recall are balanced",
          "minibn train --data digits --epochs 10 --out good && minibn doctor good", "A checklist, not a theorem", readers.diagnosed),
    Claim("A bad run: the loss is noisy or stuck, accuracy low",
          "minibn train --no-bn --lr 1 --epochs 10 --seed 1 --out bad && minibn doctor bad", "A checklist, not a theorem", readers.diagnosed),
    Claim("Overfitting shows as a low training loss beside a high validation loss",
          "minibn train --data example-hard --hidden 128 --epochs 200 --lr 0.1 --no-bn --out over && minibn doctor over",
          "Supported, when both losses are taken in evaluation mode", readers.diagnosed),
)  # fmt: skip
