"""The site: its table of contents, the pages of the Python interface, the gallery, and what was built of them.

What looks at the built pages needs ``pip install -e '.[docs]'`` and
``python -m sphinx -W --keep-going -b html docs docs/_build/html``, and is skipped without them.
"""

import html
import importlib
import inspect
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SITE = DOCS / "_build" / "html"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
BUILT = pytest.mark.skipif(
    not SITE.exists(), reason="no site: python -m sphinx -W -b html docs docs/_build/html"
)
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DIRECTIVE = re.compile(r"^\.\. auto(?:function|class|data):: (\w+)$", re.MULTILINE)


# table of contents


def below(page):
    """Return the pages that the hidden tables of contents of a page name."""
    entries = " ".join(TOCTREE.findall(page.read_text())).split("\n")
    return [page.parent / f"{name.strip()}.md" for name in entries if re.fullmatch(r"[\w/-]+", name.strip())]


def test_the_index_reaches_every_page():
    reached, waiting = set(), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            waiting += below(page)
    assert sorted(reached) == PAGES


@pytest.mark.parametrize(
    "page", [DOCS / "index.md", DOCS / "api/index.md"], ids=lambda page: page.parent.name
)
def test_what_a_table_of_contents_hides_the_page_links(page):
    """A reader of the Markdown alone, who sees no sidebar, finds the same pages in the same order."""
    links = re.findall(r"\]\(([\w/-]+\.md)\)", page.read_text())
    own = [page.parent / link for link in links]
    assert [path for path in own if path in below(page)] == below(page)


# the Python interface


def documented():
    """Return the names that each page of the interface documents, by package."""
    found = {}
    for page in sorted((DOCS / "api").glob("*.md")):
        module = re.search(r"^\.\. automodule:: ([\w.]+)$", page.read_text(), re.MULTILINE)
        if module and DIRECTIVE.search(page.read_text()):
            found[module[1]] = DIRECTIVE.findall(page.read_text())
    return found


def test_every_package_has_its_page():
    import minibn

    packages = {f"minibn.{name}" for name in minibn.__all__ if not name.startswith("_")}
    inner = {"minibn.lab.studies", "minibn.program.cuda", "minibn.sklearn"}
    assert set(documented()) == packages - {"minibn.errors"} | inner


@pytest.mark.parametrize("package", sorted(documented()))
def test_every_public_name_is_documented_once(package):
    if package == "minibn.sklearn":
        pytest.importorskip("sklearn")
    names = sorted(documented()[package])
    module = importlib.import_module(package)
    assert names == sorted(name for name in module.__all__ if not inspect.ismodule(getattr(module, name)))


# the gallery


@pytest.fixture
def gallery(monkeypatch, tmp_path):
    """The script of the gallery, with a page and a folder for pictures of our own."""
    monkeypatch.syspath_prepend(DOCS)
    module = importlib.import_module("gallery")
    monkeypatch.setattr(module, "PAGE", tmp_path / "gallery.md")
    monkeypatch.setattr(module, "PICTURES", tmp_path / "pictures")
    yield module
    sys.modules.pop("gallery")


def page_of(*commands):
    block = "\n".join(["```sh", *commands, "```"])
    return f"# Gallery\n\n## One\n\n{block}\n\n![a picture](img/gallery/run/epochs.svg)\n\n## Two\n\nNone.\n"


@pytest.mark.subprocess
def test_a_picture_is_drawn_once_for_its_commands(gallery):
    make = "mkdir run && echo $(($(date +%s%N) + 1)) > run/epochs.svg"
    gallery.PAGE.write_text(page_of(make))
    gallery.draw_missing()
    first = (gallery.PICTURES / "run/epochs.svg").read_text()
    gallery.draw_missing()
    assert (gallery.PICTURES / "run/epochs.svg").read_text() == first
    gallery.PAGE.write_text(page_of(make, "echo other > run/epochs.svg"))
    gallery.draw_missing()
    assert (gallery.PICTURES / "run/epochs.svg").read_text() == "other\n"


@pytest.mark.subprocess
def test_a_gallery_command_that_fails_stops_the_build(gallery):
    gallery.PAGE.write_text(page_of("minibn train --data nothing-of-the-kind --out run"))
    with pytest.raises(RuntimeError, match="nothing-of-the-kind"):
        gallery.draw_missing()
    assert not (gallery.PICTURES / "run/epochs.svg").exists()


def test_every_kind_of_picture_is_in_the_gallery():
    """The names are those of the files that the command line writes to run folders."""
    from minibn_cli.runs import _OWN_FILES

    pictures = {name for name in _OWN_FILES if name.endswith(".svg")}
    text = (DOCS / "gallery.md").read_text()
    assert pictures and not [name for name in pictures if f"/{name})" not in text]


# what was built


def built():
    return sorted(path for path in SITE.rglob("*.html") if "_downloads" not in path.parts)


@BUILT
def test_every_page_was_built():
    made = {path.relative_to(SITE).with_suffix(".md") for path in built()}
    assert {page.relative_to(DOCS) for page in PAGES} <= made


LOADED = re.compile(
    r'<(?:link|script|img|iframe|source|object|embed|image|use)\b[^>]*?(?:href|src|srcset|data)="([^"]*)"'
)
STYLED = re.compile(r"""(?:url\(|@import)\s*["']?([^"')\s]+)""")


@BUILT
def test_no_page_loads_anything_from_elsewhere():
    files = [path for path in SITE.rglob("*") if path.suffix in (".html", ".css", ".svg")]
    loaded = [(path, target) for path in files for target in LOADED.findall(path.read_text())]
    styled = [(path, target) for path in files for target in STYLED.findall(path.read_text())]
    assert len(loaded) > 10 * len(built())
    assert not [(path.name, target) for path, target in loaded + styled if re.match(r"(https?:)?//", target)]
    assert not [
        (path.name, target)
        for path, target in loaded
        if path.suffix == ".html" and not (path.parent / re.split("[?#]", target)[0]).exists()
    ]


@BUILT
@pytest.mark.parametrize("package", sorted(documented()))
def test_the_interface_shows_signatures_and_docstrings(package):
    if package == "minibn.sklearn":
        pytest.importorskip("sklearn")
    text = (SITE / "api" / f"{package.split('.')[-1]}.html").read_text()
    entries = dict(
        re.findall(rf'<dt class="[^"]*" id="{re.escape(package)}\.(\w+)">(.*?)</dd>', text, re.DOTALL)
    )
    module = importlib.import_module(package)
    for name in documented()[package]:
        words = html.unescape(re.sub(r"<[^>]+>", "", entries[name]))
        value = getattr(module, name)
        if callable(value):
            plain = re.match(r"[^:*`\"'\n]+", inspect.getdoc(value))[0]  # as far as nothing is marked up
            assert plain in words.replace("\n", " "), name
            assert all(parameter.strip("_") in words for parameter in inspect.signature(value).parameters), (
                name
            )


@BUILT
def test_formulas_are_elements_not_source():
    text = (SITE / "gradients.html").read_text()
    assert text.count("<math") > 100
    assert r"\frac" not in text and "$$" not in text


@BUILT
def test_every_command_and_option_is_listed():
    from minibn_cli.commands import cli

    text = (SITE / "command-line-reference.html").read_text()
    for name, command in cli.commands.items():
        for option in (parameter for parameter in command.params if parameter.param_type_name == "option"):
            wanted = f'id="cmdoption-minibn-{name}-{option.opts[0].lstrip("-")}"'
            assert option.hidden or wanted in text, wanted


# Headless windows are at least 500 pixels wide; a frame can be as narrow as a phone.
FRAME = """<!DOCTYPE html><style>body {{ margin: 0 }} iframe {{ border: 0; width: 360px; height: 800px }}</style>
{frames}<pre id="found"></pre><script>
onload = () => {{ document.getElementById("found").textContent = JSON.stringify(
  [...document.querySelectorAll("iframe")].map((frame) => {{
    const root = frame.contentDocument.documentElement, main = root.querySelector("article");
    return {{ page: frame.getAttribute("src"), needs: root.scrollWidth, text: main ? main.innerText.length : 0,
      wide: [...root.querySelectorAll("article p, article h1, article h2, article img, article dt")].filter(
        (e) => e.getBoundingClientRect().right > 361 && !e.closest("pre, .table-wrapper, table")).map(
        (e) => e.innerText || e.src) }};
  }})); }};
</script>"""


@BUILT
@pytest.mark.subprocess
@pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium")
def test_pages_fit_a_phone(tmp_path):
    names = [path for path in built() if path.stem not in ("genindex", "py-modindex", "search")]
    frames = "".join(f'<iframe src="{path.as_uri()}"></iframe>' for path in names)
    (tmp_path / "frames.html").write_text(FRAME.format(frames=frames))
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--allow-file-access-from-files",
         "--disable-web-security", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
         (tmp_path / "frames.html").as_uri()],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)[1]))
    assert len(found) == len(names) and min(page["text"] for page in found) > 200
    assert not [page for page in found if page["needs"] > 360 or page["wide"]]
