"""The pictures of gallery.md, drawn by the commands that stand there above them.

The build draws what is missing, or was drawn by other commands; ``python docs/gallery.py`` draws everything anew.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from minibn.cores import usable_cores

PAGE = Path(__file__).with_name("gallery.md")
PICTURES = Path(__file__).parent / "img" / "gallery"
FAULT = 3  # exit code of a doctor who found one


@dataclass(frozen=True)
class Section:
    """A part of the page: its commands, and the files that it shows, relative to where the commands run."""

    title: str
    commands: str
    files: tuple

    @property
    def record(self):
        """The file that holds the commands by which the pictures were drawn."""
        return (PICTURES / self.files[0]).with_suffix(".sh")

    def is_drawn(self):
        """Whether every file is there, and drawn by these commands."""
        there = all((PICTURES / name).exists() for name in (*self.files, self.record))
        return there and self.record.read_text() == self.commands


def sections():
    """Return every section that shows pictures of its own commands."""
    parts = re.split(r"^##+ ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    return [section for section in map(_section, parts) if section.files]


def _section(text):
    commands = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    files = re.findall(r"\]\(img/gallery/([^)]+)\)", text)
    return Section(text.partition("\n")[0], "".join(commands), tuple(files))


def draw(section):
    """Run the commands of a section in a folder of their own and keep the files that it shows."""
    with TemporaryDirectory() as place:
        _run(section.commands, place)
        for name in section.files:
            (PICTURES / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(place) / name, PICTURES / name)
    section.record.write_text(section.commands)
    print(f"gallery: {section.title}", file=sys.stderr)


def _run(commands, place):
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    shell = ["sh", "-e", "-c", commands]
    done = subprocess.run(shell, cwd=place, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    if done.returncode not in (0, FAULT):
        raise RuntimeError(f"{commands}{done.stderr}")


def draw_missing():
    """Draw what is missing, as many sections at once as there are cores."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(draw, [section for section in sections() if not section.is_drawn()]))


if __name__ == "__main__":
    shutil.rmtree(PICTURES, ignore_errors=True)
    draw_missing()
