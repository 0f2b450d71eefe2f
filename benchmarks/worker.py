"""The process that measures one suite with one number of threads: started by ``benchmarks.suites``."""

import importlib
import json
import sys
from pathlib import Path

from benchmarks.settings import Settings


def main(suite, settings, result):
    """Run a suite and write what it found as JSON."""
    found = importlib.import_module(f"benchmarks.{suite}").run(Settings.load(settings))
    Path(result).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
