"""What teaching texts claim of batch norm, each asked of the software itself: the rows of docs/claims.md."""

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.progress import say
from benchmarks.startup import program

START, END = "<!-- claims -->", "<!-- /claims -->"


def _said(report):
    """Return verdict and sentences of a comparison or a study."""
    return report["verdict"], " ".join(report["statements"])


def _diagnosed(report):
    """Return what the doctor found."""
    faults = [f"{fault['name']} ({fault['figure']})" for fault in report["faults"]]
    return ("healthy" if report["healthy"] else "faults found"), "; ".join(faults) or "no fault"


@dataclass(frozen=True)
class Claim:
    """One row.

    Attributes
    ----------
    text : str
        What the teaching texts say.
    command : str
        Commands that ask, separated by ``&&``; the last one's object is the answer.
    literature : str
        What papers found.
    answer : callable
        From that object to verdict and sentences.
    file : str or None
        A data file that the command needs.
    """

    text: str
    command: str
    literature: str
    answer: Callable = _said
    file: str | None = None


CLAIMS = (
    Claim("With batch norm the loss falls faster and the accuracy rises faster (the texts' example)",
          "minibn compare --tune-lr",
          "Conditional: faster in deep or sigmoid networks and at larger rates; at one small rate a shallow network is slower with it (Bjorck et al. 2018, Table 1 and Fig. 1)"),
    Claim("The same in the network that batch norm was introduced with: three layers of 100 sigmoid units",
          "minibn study ioffe-szegedy", "Supported (Ioffe and Szegedy 2015, section 4.1, Fig. 1)"),
    Claim("Better accuracy, precision and recall on the validation part",
          "minibn compare --data example-hard --tune-lr", "Not in general: with tuned rates about nothing in shallow networks"),
    Claim("It helps where inputs are badly centred",
          "minibn compare --data example-hard --shift-inputs 5 --tune-lr", "Supported: the first layer's batch norm removes the shift"),
    Claim("Higher learning rates without divergence", "minibn study learning-rates",
          "Supported; the strongest and most reproducible effect (Bjorck et al. 2018)"),
    Claim("Less dependence on initialization", "minibn study init", "Supported over some decades, not without limits (van Laarhoven 2017)"),
    Claim("More consistent results across seeds", "minibn compare --data example-hard --lr 1",
          "Where the network without it nearly diverges; not in general"),
    Claim("Deeper networks become trainable", "minibn study depth", "Supported (Ioffe and Szegedy 2015; Bjorck et al. 2018)"),
    Claim("Saturated sigmoid and tanh units, and vanishing gradients, are relieved", "minibn study saturation",
          "Early in training yes; later it depends: gamma grows, and saturation may return (Ioffe and Szegedy 2015, Fig. 1)"),
    Claim("Exploding gradients are relieved", "minibn study gradient-growth",
          "False at initialization: each layer multiplies the squared gradient, by pi/(pi-1) for large batches (Yang et al. 2019)"),
    Claim("It reduces internal covariate shift, and works because of that", "minibn study landscape",
          "Contested: measured shift is often larger with batch norm, and noise put back hardly hurts (Santurkar et al. 2018)"),
    Claim("It regularizes through noise in the statistics", "minibn study regularization",
          "Partly: about a point at medium batches, nothing at tiny or full ones (Luo et al. 2019; Hoffer et al. 2017)"),
    Claim("Very small batches make the statistics noisy and hurt", "minibn study batch-size", "Supported (Wu and He 2018, Fig. 1)"),
    Claim("Inference uses the running statistics", "minibn study precise-stats",
          "They lag behind the weights early in training and at slow momentum (Wu and Johnson 2021)"),
    Claim("Forgetting evaluation mode gives wrong results; statistics of test data leak", "minibn study eval-mode",
          "Supported; the size depends on the batch and on the mix of classes in it"),
    Claim("Why the scale of the weights matters less: only the effective rate changes", "minibn study scale-invariance",
          "Exact (van Laarhoven 2017)"),
    Claim("Accuracy misleads on rare classes: 98 % with 12 % recall is no good model",
          "minibn train --data mammography.csv --hidden 16 --lr 0.03 --batch-size 64 --epochs 3 --out rare && minibn doctor rare",
          "Supported: it is arithmetic", _diagnosed, "mammography.csv"),
    Claim("Batch norm does not mend rare classes", "minibn study imbalance --data mammography.csv",
          "Supported: weigh classes, move the threshold, look at the precision-recall curve", _said, "mammography.csv"),
    Claim("A good run: loss falls smoothly, accuracy is steady, precision and recall are balanced",
          "minibn train --data digits --epochs 10 --out good && minibn doctor good", "A checklist, not a theorem", _diagnosed),
    Claim("A bad run: the loss is noisy or stuck, accuracy low", "minibn train --no-bn --lr 1 --epochs 10 --seed 1 --out bad && minibn doctor bad",
          "A checklist, not a theorem", _diagnosed),
    Claim("Overfitting shows as a low training loss beside a high validation loss",
          "minibn train --data example-hard --hidden 128 --epochs 200 --lr 0.1 --no-bn --out over && minibn doctor over",
          "Supported, when both losses are taken in evaluation mode", _diagnosed),
)  # fmt: skip


def ask(claim, folder):
    """Run the commands of a claim in a folder, and return verdict and sentences.

    Raises
    ------
    RuntimeError
        When a command fails; the doctor's exit code 3 for faults is an answer.
    """
    for command in claim.command.split(" && "):
        words = [*program(), *shlex.split(command)[1:], "--json"]
        process = subprocess.run(
            words,
            cwd=folder,
            env={**os.environ, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode not in (0, 3):
            raise RuntimeError(f"{command} exited with {process.returncode}: {process.stderr[-500:]}")
    return claim.answer(json.loads(process.stdout))


def table(files=None):
    """Ask every claim and return the table in Markdown.

    Parameters
    ----------
    files : Path, optional
        Folder of the data files that some claims need; without it those rows say that they were not run.
    """
    rows = ["| claim | command | measured | verdict | literature |", "| --- | --- | --- | --- | --- |"]
    with tempfile.TemporaryDirectory() as folder:
        for claim in CLAIMS:
            if claim.file and (files is None or not (files / claim.file).exists()):
                verdict, answer = "not run", f"needs {claim.file}"
            else:
                if claim.file and not (Path(folder) / claim.file).exists():
                    (Path(folder) / claim.file).symlink_to((files / claim.file).resolve())
                say(claim.command)
                verdict, answer = ask(claim, folder)
            cells = (claim.text, f"`{claim.command}`", answer, f"**{verdict}**", claim.literature)
            rows.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(rows)


def write(page, text):
    """Put the table between the marks of a page."""
    before, _, rest = page.read_text().partition(START)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{START}\n{text}\n{END}{after}")
