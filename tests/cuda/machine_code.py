"""From a kernel's source to machine code and what is in it, without a GPU. Needs the extra ``cuda-check``."""

import re
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace

DOUBLE = re.compile(r"\b(?:DADD|DMUL|DFMA|DSETP|DMNMX|MUFU\.R\w+64H|[A-Z0-9]+(?:\.\w+)*\.F64(?:\.\w+)*)\b")


@dataclass(frozen=True)
class Resources:
    """What one kernel takes on one architecture, as the assembler and the machine code tell."""

    name: str
    architecture: str
    threads: int
    registers: int
    shared: int
    spills: int
    stack: int
    local: int
    doubles: int
    wide_loads: int
    wide_stores: int

    @property
    def faults(self):
        """Return what must not be there, in words."""
        found = {
            "spills": self.spills,
            "stack": self.stack,
            "local memory": self.local,
            "float64": self.doubles,
        }
        return [f"{count} {what}" for what, count in found.items() if count]


@contextmanager
def _no_device(capability):
    """Answer the one question that typing a device function puts to the current device."""
    from numba.cuda import dispatcher

    ask = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    try:
        yield
    finally:
        dispatcher.get_current_device = ask


def _tool(name):
    from cuda import pathfinder

    path = pathfinder.find_nvidia_binary_utility(name)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed; pip install 'minibn[cuda-check]'")
    return path


def _linked(code, architecture):
    """Link as numba-cuda does when a kernel is first launched; return machine code and the assembler's words."""
    from cuda.core import Linker, LinkerOptions, ObjectCode

    options = LinkerOptions(arch=architecture, link_time_optimization=True, ptxas_options=["-v"])
    linker = Linker(ObjectCode.from_ltoir(bytes(code)), options=options)
    return linker.link("cubin").code, linker.get_info_log() or ""


def _disassembled(binary):
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(binary)
        file.flush()
        done = subprocess.run(
            [_tool("nvdisasm"), "-c", file.name], capture_output=True, text=True, check=True
        )
    return done.stdout


def _numbers(pattern, text):
    return [int(number) for number in re.findall(pattern, text)]


def examine(name, function, signature, threads, capability):
    """Compile a kernel and return its :class:`Resources`.

    Parameters
    ----------
    name : str
    function : callable
        The kernel's plain Python function.
    signature : numba signature
    threads : int
        Largest number of threads of a block.
    capability : tuple of int
        Compute capability, such as (9, 0).
    """
    from numba import cuda

    architecture = f"sm_{capability[0]}{capability[1]}"
    with _no_device(capability):
        code, _ = cuda.compile(
            function,
            signature,
            output="ltoir",
            device=False,
            abi="numba",
            cc=capability,
            launch_bounds=threads,
        )
    binary, words = _linked(code, architecture)
    machine = _disassembled(binary)
    return Resources(
        name=name,
        architecture=architecture,
        threads=threads,
        registers=_numbers(r"Used (\d+) registers", words)[-1],
        shared=max(_numbers(r"(\d+) bytes smem", words), default=0),
        spills=sum(_numbers(r"(\d+) bytes spill", words)),
        stack=max(_numbers(r"(\d+) bytes stack frame", words), default=0),
        local=len(re.findall(r"\b(?:LDL|STL)\b", machine)),
        doubles=len(DOUBLE.findall(machine)),
        wide_loads=len(re.findall(r"LDG\.E\.(?:\w+\.)*128", machine)),
        wide_stores=len(re.findall(r"STG\.E\.(?:\w+\.)*128", machine)),
    )
