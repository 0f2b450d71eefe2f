"""A page in a real browser: themes, a phone, texts that stay in their charts, and a silent console."""

import html
import json
import re
import shutil
import subprocess

import pytest
from minibn_cli.page import page
from minibn_cli.palette import DARK, LIGHT
from reports import REPORT

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.subprocess,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium"),
]
THEMES = {"dark": (0, DARK), "light": (1, LIGHT)}  # numbers of Blink's preferredColorScheme
WIDTHS = (360, 1280)

# Headless windows are at least 500 pixels wide; a frame can be as narrow as a phone.
FRAMES = """<!DOCTYPE html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<style>body {{ margin: 0 }} iframe {{ border: 0; height: 4000px }}</style>
{frames}<pre id="found"></pre>
<script>
onload = () => {{
  const found = [...document.querySelectorAll("iframe")].map((frame) => {{
    const page = frame.contentDocument, view = frame.contentWindow, root = page.documentElement;
    const texts = [...page.querySelectorAll("svg text")].map((text) => {{
      const [own, all] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
      return {{ text: text.textContent, over: Math.max(all.left - own.left, own.right - all.right,
        all.top - own.top, own.bottom - all.bottom),
        size: parseFloat(view.getComputedStyle(text).fontSize) * all.width / text.ownerSVGElement.viewBox.baseVal.width }};
    }});
    return {{
      width: root.clientWidth, needs: root.scrollWidth, paper: view.getComputedStyle(page.body).backgroundColor,
      line: view.getComputedStyle(page.querySelector('path[style*="stroke: var(--with)"]')).stroke,
      title: page.title, texts,
      cut: [...page.querySelectorAll("h1, p, dd, figcaption, caption")].filter((e) => e.scrollWidth > e.clientWidth + 1
        && !e.closest("details:not([open])")).map((e) => e.textContent),
      wide: [...page.querySelectorAll("h1, h2, p, dd, figcaption, caption span")].filter((e) =>
        e.getBoundingClientRect().right > root.clientWidth).map((e) => e.textContent),
    }};
  }});
  document.getElementById("found").textContent = JSON.stringify(found);
}};
</script>"""


def _run(folder, theme, *arguments):
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
               f"--user-data-dir={folder / 'profile'}", f"--blink-settings=preferredColorScheme={THEMES[theme][0]}"]  # fmt: skip
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr, done.stderr
    return done.stdout


def _rgb(color):
    return "rgb({}, {}, {})".format(*(int(color[k : k + 2], 16) for k in (1, 3, 5)))


@pytest.fixture(scope="module", params=sorted(THEMES))
def shown(request, tmp_path_factory):
    """Return the colours of a theme, what the browser measured at each width, and a picture."""
    from matplotlib.image import imread

    folder = tmp_path_factory.mktemp("browser")
    text = html.escape(page(REPORT))
    frames = "".join(f'<iframe srcdoc="{text}" style="width: {width}px"></iframe>' for width in WIDTHS)
    (folder / "frames.html").write_text(FRAMES.format(frames=frames), encoding="utf-8")
    picture = folder / "frames.png"
    wanted = "--window-size=1640,4000", f"--screenshot={picture}", "--dump-dom"
    dump = _run(folder, request.param, *wanted, (folder / "frames.html").as_uri())
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', dump, re.DOTALL)[1]))
    return THEMES[request.param][1], dict(zip(WIDTHS, found, strict=True)), imread(picture)[..., :3]


def test_the_theme_is_the_readers(shown):
    colors, found, _ = shown
    for measured in found.values():
        assert (measured["paper"], measured["line"]) == (_rgb(colors["paper"]), _rgb(colors["with"]))


def test_a_picture_shows_the_theme(shown):
    colors, _, picture = shown
    ours = [int(colors["paper"][k : k + 2], 16) for k in (1, 3, 5)]
    pixels = (picture[:1500, : sum(WIDTHS)] * 255).round().astype(int)
    assert pixels[2, 2].tolist() == ours
    assert 0.02 < (pixels != ours).any(axis=2).mean() < 0.5


def test_the_page_is_as_wide_as_its_window(shown):
    for width, measured in shown[1].items():
        assert (measured["width"], measured["needs"]) == (width, width)
        assert not measured["cut"] + measured["wide"]


def test_texts_stay_in_their_charts(shown):
    for measured in shown[1].values():
        assert len(measured["texts"]) > 50
        assert not [text for text in measured["texts"] if text["over"] > 1]


def test_texts_of_charts_can_be_read_on_a_phone(shown):
    assert min(text["size"] for text in shown[1][360]["texts"]) >= 7
