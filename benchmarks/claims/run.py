"""Run the commands of all claims and write the table."""

import hashlib
import json
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from benchmarks.claims.rows import CLAIMS
from benchmarks.progress import say
from benchmarks.startup import program

START, END = "<!-- claims -->", "<!-- /claims -->"
HEAD = ("claim", "command", "measured", "verdict", "literature")


def ask(command, folder):
    """Run commands in a folder and return the object that the last one prints.

    Raises
    ------
    RuntimeError
        When a command fails; the doctor's exit code 3 for faults is an answer.
    """
    for part in command.split(" && "):
        words = [*program(), *shlex.split(part)[1:], "--json"]
        process = subprocess.run(
            words,
            cwd=folder,
            env={**os.environ, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode not in (0, 3):
            raise RuntimeError(f"{part} exited with {process.returncode}: {process.stderr[-500:]}")
    return json.loads(process.stdout)


def _kept(command, folder, keep):
    """Ask, or take the answer of an earlier run from a folder."""
    if keep is None:
        return ask(command, folder)
    path = keep / f"{hashlib.sha256(command.encode()).hexdigest()[:16]}.json"
    if not path.exists():
        keep.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(ask(command, folder)))
    return json.loads(path.read_text())


def answers(files=None, keep=None):
    """Yield each claim with its verdict and sentences; a command that several claims share runs once.

    Parameters
    ----------
    files : Path, optional
        Folder of the data files that some claims need; those without theirs are not run.
    keep : Path, optional
        Folder for what the commands print; what is there already is not asked again.
    """
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for path in files.iterdir() if files else ():
            (Path(folder) / path.name).symlink_to(path.resolve())
        for claim in CLAIMS:
            if claim.file and not (Path(folder) / claim.file).exists():
                yield claim, "not run", f"needs {claim.file}"
                continue
            if claim.command not in found:
                say(claim.command)
                found[claim.command] = _kept(claim.command, folder, keep)
            yield claim, *claim.answer(found[claim.command])


def table(files=None, keep=None):
    """Ask every claim and return the table in Markdown."""
    rows = [HEAD, ["---"] * len(HEAD)]
    for claim, verdict, answer in answers(files, keep):
        rows.append((claim.text, f"`{claim.command}`", answer, f"**{verdict}**", claim.literature))
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)


def write(page, text):
    """Put the table between the marks of a page."""
    before, _, rest = page.read_text().partition(START)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{START}\n{text}\n{END}{after}")
