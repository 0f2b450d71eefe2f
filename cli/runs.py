"""Run folders: their names, their manifest, and the refusal to overwrite one."""

import json
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from minibn.train.checkpoint import MODEL_FILE, TRAINING_FILE
from minibn.train.files import write_atomically

from .beside import BESIDE_FOLDERS

MANIFEST, METRICS = "manifest.json", "metrics.json"
ARM_FOLDERS = ("with-bn", "without-bn")
_OWN_FILES = (
    MANIFEST,
    METRICS,
    MODEL_FILE,
    TRAINING_FILE,
    "epochs.png",
    "epochs.svg",
    "compare.png",
    "compare.svg",
    "report.html",
    "precision-recall.png",
    "precision-recall.svg",
    "sweep.png",
    "sweep.svg",
    "trials.jsonl",
    "lr-find.png",
    "lr-find.svg",
    "doctor.png",
    "doctor.svg",
    "recalibrate.json",
    "study.png",
    "study.svg",
)


def versions():
    """Return the versions of Python, minibn and what it computes with."""
    found = {"python": platform.python_version()}
    for package in (
        "minibn",
        "numba",
        "numpy",
        "scipy",
        "safetensors",
        "matplotlib",
        "scikit-learn",
        "pandas",
        "pyarrow",
    ):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def open_folder(out, overwrite, default_name):
    """Make the folder of a new run.

    Parameters
    ----------
    out : str or None
        What the user asked for.
    overwrite : bool
        Whether the files of an earlier run there may be replaced.
    default_name : str
        Name under ``runs/`` where ``out`` is None; the time is appended.

    Returns
    -------
    Path

    Raises
    ------
    click.UsageError
        When the folder holds a run.
    """
    folder = Path(out) if out else _free(Path("runs") / f"{default_name}-{datetime.now():%Y%m%d-%H%M%S}")
    held = check_folder(folder, overwrite)
    for path in held:
        path.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def check_folder(folder, overwrite):
    """Return the files of an earlier run in a folder.

    Raises
    ------
    click.UsageError
        When there are any, unless they may be replaced.
    """
    held = held_files(Path(folder))
    if held and not overwrite:
        raise click.UsageError(f"{folder} holds a run; use --overwrite to replace it, or another --out")
    return held


def held_files(folder):
    """Return the files in a folder, and in those of its arms, that a command of minibn wrote."""
    parts = (folder, *(folder / arm for arm in (*ARM_FOLDERS, *BESIDE_FOLDERS)))
    return [part / name for part in parts for name in _OWN_FILES if (part / name).exists()]


def _free(folder):
    """Return the folder, or the first free variant of its name."""
    taken, number = folder, 1
    while folder.exists():
        number += 1
        folder = taken.with_name(f"{taken.name}-{number}")
    return folder


def write_json(path, value):
    """Write a JSON file atomically and return its path."""
    write_atomically(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())
    return path


def write_manifest(folder, experiment, threads, kind="train"):
    """Write what is needed to know, or to repeat, a run; ``kind`` is the command that made it."""
    settings, dataset = experiment.settings, experiment.dataset
    manifest = {
        "kind": kind,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": ["minibn", *sys.argv[1:]],
        "versions": versions(),
        "machine": platform.machine(),
        "seed": settings.seed,
        "settings": experiment.stored_settings,
        "threads": threads,
        "data": {"name": dataset.name, "sha256": experiment.digest, "rows": len(dataset.x), "features": dataset.x.shape[1],
                 "duplicate_rows": experiment.duplicates},
    }  # fmt: skip
    return write_json(folder / MANIFEST, manifest)


def read_manifest(folder):
    """Return the manifest of a run folder.

    Raises
    ------
    click.UsageError
        When there is none, or it is damaged.
    """
    path = Path(folder) / MANIFEST
    if not path.exists():
        raise click.UsageError(
            f"{folder} holds no run to resume: there is no {MANIFEST} in it; pass a run folder"
            if path.parent.is_dir()
            else f"there is no folder {folder}; pass a run folder"
        )
    try:
        manifest = json.loads(path.read_text())
        _ = manifest["settings"]["data"], manifest["data"]["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise click.UsageError(f"{path} is damaged; pass the folder of an intact run") from error
    return manifest


def is_comparison(folder):
    """Say whether a folder was written by minibn compare; manifests of early versions do not tell."""
    try:
        kind = json.loads((Path(folder) / MANIFEST).read_text()).get("kind")
    except (OSError, ValueError, AttributeError):
        kind = None
    return any((Path(folder) / arm).is_dir() for arm in ARM_FOLDERS) if kind is None else kind == "compare"
