"""How many cores a process may use, with and without a container's limit."""

import os
import subprocess
import sys

import pytest

from minibn.cores import share, usable_cores

CASES = {
    "version 2": ({"cpu.max": "150000 100000\n"}, 2),
    "version 2, less than one": ({"cpu.max": "20000 100000\n"}, 1),
    "version 2, no limit": ({"cpu.max": "max 100000\n"}, 8),
    "version 1": ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
    "version 1, no limit": ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
    "damaged": ({"cpu.max": "?\n"}, 8),
    "none": ({}, 8),
}


@pytest.mark.parametrize("files, cores", CASES.values(), ids=CASES)
def test_a_container_has_its_share(tmp_path, files, cores):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert share(tmp_path, 8) == cores


@pytest.mark.subprocess
@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="the system does not bind processes to cores"
)
def test_a_process_bound_to_one_core_uses_one():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    code += "from minibn.cores import usable_cores; print(usable_cores())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "1\n"
