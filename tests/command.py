"""Run the command line as a user does: in a process of its own."""

import json
import os
import subprocess
import sys

MINIBN = [sys.executable, "-m", "minibn_cli"]


def run(*arguments, cwd, code=0, **environment):
    """Run ``minibn`` with arguments, check its exit code, and return the finished process."""
    process = subprocess.run(
        [*MINIBN, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == code, f"exit code {process.returncode}\n{process.stdout}\n{process.stderr}"
    assert "Traceback" not in process.stderr
    return process


def run_json(*arguments, cwd, code=0, **environment):
    """Run ``minibn ... --json`` and return the one object on stdout."""
    return json.loads(run(*arguments, "--json", cwd=cwd, code=code, **environment).stdout)
