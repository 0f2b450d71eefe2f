"""Compile every CUDA kernel to machine code, without a GPU, and refuse what would be slow without anyone noticing.

    python tests/cuda/compile_check.py                        # all for sm_90, a sample for sm_75 and sm_80
    python tests/cuda/compile_check.py --into docs/cuda.md    # and write the table of resources into the page

Fails on spills, a stack, local memory or float64 instructions, and where the page's table is out of date. Needs the
extra ``cuda-check``, whose versions make the same machine code on every machine; the simulator must be off.
"""

import argparse
import os
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "cuda.md"
MARKS = re.compile(r"(<!-- resources -->\n).*?(<!-- /resources -->)", re.DOTALL)
FULL, SAMPLED = (9, 0), ((7, 5), (8, 0))


def _sampled(name):
    return (
        "ReLU" not in name
        and "4 bytes" not in name
        and "product" not in name
        or name.startswith("product x W,")
    )


def _builds():
    """Return the kernels of every op, and those of the program."""
    import builds
    import builds_program

    return builds.builds() + builds_program.builds()


def _job(job):
    """Compile one kernel, given by its place in the list: what a build holds cannot be sent to a process."""
    from bad_kernels import bad_builds
    from machine_code import examine

    kind, index, capability = job
    build, fault = bad_builds()[index] if kind == "bad" else (_builds()[index], None)
    return examine(build.name, build.function, build.signature, build.threads, capability), fault


def _jobs():
    from bad_kernels import bad_builds

    names = [build.name for build in _builds()]
    jobs = [("bad", i, FULL) for i in range(len(bad_builds()))] + [
        ("good", i, FULL) for i in range(len(names))
    ]
    for capability in SAMPLED:
        jobs += [("good", i, capability) for i, name in enumerate(names) if _sampled(name)]
    return jobs


def _blocks(found):
    """Return how many blocks fit one multiprocessor of an H100 or H200: by threads, registers and shared memory."""
    registers = -(-found.registers // 8) * 8 * found.threads
    return min(2048 // found.threads, 65536 // registers, 227 * 1024 // (found.shared + 1024), 32)


def table(results):
    """Return the resources on sm_90 as Markdown."""
    lines = [
        "| kernel | threads | registers | shared memory, bytes | blocks per multiprocessor | 16-byte loads, stores |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {r.name} | {r.threads} | {r.registers} | {r.shared} | {_blocks(r)} | {r.wide_loads}, {r.wide_stores} |"
        for r in results if r.architecture == "sm_90"
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _told(found, fault):
    """Print one line for a kernel and return whether it is as it should be."""
    faults = found.faults
    right = not faults if fault is None else any(fault in words for words in faults)
    expected = "" if fault is None else f" (planted: {fault})"
    verdict = "ok" if right else "WRONG"
    print(f"{verdict:5s} {found.architecture} {found.registers:3d} registers {found.shared:6d} bytes  "
          f"{found.name}{expected}{': ' + ', '.join(faults) if faults else ''}", flush=True)  # fmt: skip
    return right


def _page(results, into):
    """Write the table, or say whether the page's is the same."""
    text = (into or PAGE).read_text()
    fresh = MARKS.sub(lambda match: match[1] + table(results) + match[2], text)
    if into is not None:
        into.write_text(fresh)
        return True
    if fresh != text:
        print(
            f"WRONG the table of {PAGE.name} is out of date: python tests/cuda/compile_check.py --into {PAGE}"
        )
    return fresh == text


def main():
    """Run the check and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--into", type=Path, metavar="PAGE", help="write the table between the marks of this page"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: one per core)")
    given = parser.parse_args()
    if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "0":
        parser.error("NUMBA_ENABLE_CUDASIM is set: the simulator compiles nothing; unset it")
    results, right = [], True
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        for found, fault in pool.map(_job, _jobs()):
            right &= _told(found, fault)
            results += [found] if fault is None else []
    right &= _page(results, given.into)
    print("all kernels compile without spills, local memory and float64" if right else "FAILED")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
