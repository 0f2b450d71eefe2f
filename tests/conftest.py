"""Fixtures that several files share."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

# A shell that starts the tests in the background has them ignore Ctrl-C, and every process that they start inherits
# that; the tests of interrupts need what a user at a terminal has.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def python(tmp_path):
    """Run a program in a fresh interpreter and return what it printed."""

    def run(program, *arguments, cwd=tmp_path, stderr=False, **environment):
        command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
        done = subprocess.run(
            command, env={**os.environ, **environment}, cwd=cwd, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return (done.stdout, done.stderr) if stderr else done.stdout

    return run


@pytest.fixture
def conformance(record_property):
    """Return a function that takes a line on how many cases of another project's suite were met."""
    return lambda line: record_property("conformance", line)


def pytest_terminal_summary(terminalreporter):
    """Show the counts of the conformance suites, in runs that had some."""
    lines = [
        value
        for report in terminalreporter.stats.get("passed", [])
        for name, value in report.user_properties
        if name == "conformance"
    ]
    if lines:
        terminalreporter.section("conformance with other projects' suites")
        for line in lines:
            terminalreporter.write_line(line)
