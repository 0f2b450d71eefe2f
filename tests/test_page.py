"""The page of a report: what it holds, what it keeps out, that it repeats, and how a browser shows it."""

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from command import run_json
from minibn_cli.charts import figure_of
from minibn_cli.page import page, write_page
from reports import CELLS, DATA, LOSSES, REPORT, SCRIPT

from minibn.lab import Report, Table

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Parsed(HTMLParser):
    """Elements in order, with their attributes and texts; a tag left open or closed twice is an error."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"left open: {[tag for tag, _ in self.open]}"

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"{tag} repeats an attribute"
        element = {"tag": tag, **dict(attrs), "text": ""}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append((tag, element))

    def handle_startendtag(self, tag, attrs):
        self.elements.append({"tag": tag, **dict(attrs), "text": ""})

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        for _, element in self.open:
            element["text"] += data

    def all(self, tag):
        return [element for element in self.elements if element["tag"] == tag]

    def shown(self, tag):
        return [element["text"] for element in self.all(tag)]


@pytest.fixture(scope="module")
def text():
    return page(REPORT)


@pytest.fixture(scope="module")
def parsed(text):
    return Parsed(text)


def test_the_same_report_gives_the_same_bytes(text, tmp_path):
    written = write_page(REPORT, tmp_path)
    assert written.name == "report.html"
    assert written.read_text(encoding="utf-8") == text
    assert str(tmp_path) not in text


@pytest.mark.subprocess
def test_other_processes_write_the_same_bytes_quietly(python, text, tmp_path):
    program = (
        "import sys, warnings; sys.path.insert(0, sys.argv[1]); warnings.simplefilter('error', UserWarning)\n"
        "from pathlib import Path\nfrom reports import REPORT\n"
        "from minibn_cli.page import write_page\nwrite_page(REPORT, Path('.'))"
    )
    for seed in ("1", "2"):
        python(program, Path(__file__).parent, PYTHONHASHSEED=seed, TZ="Asia/Tokyo", LC_ALL="C")
        assert (tmp_path / "report.html").read_bytes() == text.encode()


def test_structure(parsed):
    assert parsed.all("html")[0]["lang"] == "en"
    assert parsed.shown("h1") == [REPORT.title]
    assert [len(parsed.all(tag)) for tag in ("main", "header", "footer", "title")] == [1, 1, 1, 1]
    assert parsed.shown("h2") == ["Verdict helps", "Charts", "Tables", "Conditions", "Numbers as JSON"]
    assert not [c for c, n in Counter(e["id"] for e in parsed.elements if "id" in e).items() if n > 1]


def test_nothing_is_loaded_and_nothing_runs(text, parsed):
    assert not {"script", "link", "img", "iframe", "object", "image"} & {e["tag"] for e in parsed.elements}
    assert not re.search(r"@import|url\((?!#)|<\?xml|<!DOCTYPE svg|xlink|xmlns", text)
    ids = {element.get("id") for element in parsed.elements}
    for element in parsed.elements:
        assert not [name for name in element if name.startswith("on") or name in ("src", "action", "srcset")]
        assert element.get("href", "#").startswith("#")
        for name, value in element.items():
            if name not in ("text", "content", "aria-label"):
                assert "http" not in value or name == "http-equiv"
                assert {a or b for a, b in re.findall(r"url\(#([^)]+)\)|^#(.+)$", value)} <= ids
    policy = next(
        e["content"] for e in parsed.all("meta") if e.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")


def test_texts_stand_as_they_were_given(text, parsed):
    assert SCRIPT not in text
    assert parsed.shown("p")[:4] == ["minibn compare", REPORT.question, *REPORT.statements]
    conditions = dict(zip(parsed.shown("dt"), parsed.shown("dd"), strict=True))
    assert conditions == {
        "data": DATA, "seeds": "0, 1, 2", "rates": "with bn 0.1, tuned no", "scale": "none", "source": REPORT.source,
    }  # fmt: skip


def test_control_characters_and_broken_ones_are_replaced():
    hostile = replace(REPORT, title="a\x00b\ud800c\x1b[31m", charts=(replace(LOSSES, x_label="\x00\x07"),))
    shown = page(hostile).encode().decode()
    assert not re.search("[\x00-\x08\x0e-\x1f]", shown)
    assert "a\ufffdb\ufffdc\ufffd[31m" in Parsed(shown).shown("h1")


def test_every_table_is_there(parsed):
    captions = parsed.shown("caption")
    assert captions[-2:] == [table.title for table in REPORT.tables]
    assert {e["scope"] for e in parsed.all("th")} == {"col", "row"}
    cells = [e["text"] for e in parsed.elements if e["tag"] in ("th", "td")]
    loss = [
        "epoch",
        "with",
        "without",
        "interval",
        "1",
        "1.2346",
        "2.0000",
        "[-0.03, +0.01]",
        "10",
        "3e-07",
        "-",
        "-",
    ]
    recall = ["", "recall", "ok", "why", f"class {SCRIPT}", "nan", "yes", REPORT.tables[1].rows[0][3]]
    assert cells[-len(loss + recall) :] == loss + recall


def test_figures_line_up_and_words_do_not(parsed):
    heads = {e["text"]: e.get("class") for e in parsed.all("th") if e.get("scope") == "col"}
    expected = {
        "epoch": "number",
        "without": "number",
        "interval": "number",
        "recall": "number",
        "ok": None,
        "why": "long",
    }
    assert {name: heads[name] for name in expected} == expected


def test_every_chart_is_there_in_words_too(parsed):
    drawn = parsed.all("svg")
    assert len(drawn) == len(REPORT.charts) == len(parsed.all("figure"))
    for element, chart in zip(drawn, REPORT.charts, strict=True):
        assert element["role"] == "img"
        assert chart.title in element["aria-label"]
    assert "with batch norm: from 1.2 at 1 to 0.31 at 3." in drawn[0]["aria-label"]
    assert "without batch norm: from 1.3 at 1 to 1.3 at 1." in drawn[0]["aria-label"]
    for shown in (LOSSES.x_label, LOSSES.y_label, "chance & more", *(s.label for s in LOSSES.series)):
        assert shown in parsed.shown("text")
    for value in ("-3.2", "+0.5", "+12.8", "-0.1", "+44.0"):
        assert value in parsed.shown("text")


def test_a_heat_map_is_a_table_too(parsed):
    cells = [e["text"] for e in parsed.elements if e["tag"] in ("th", "td")]
    assert cells[:4] == ["classes \\ learning rate", "0.01", "0.1", "1"]
    assert cells[4:8] == ["few", "-3.2500", "(0.5000)", "12.7500"]
    assert cells[8:12] == [CELLS.y[1], "-", "(-0.1250)", "44.0000"]


def test_what_is_grey_is_said_once(parsed):
    captions = parsed.shown("figcaption")
    assert [("Grey cells" in caption) for caption in captions] == [False, False, True, False]
    told = replace(CELLS, title="grey: not significant", y_label="")
    assert "Grey cells" not in page(replace(REPORT, charts=(told,)))


def test_the_numbers_are_json(parsed):
    assert json.loads(parsed.shown("pre")[0]) == REPORT.numbers | {"bad": None}


def test_versions_are_named(parsed):
    import numba
    import numpy

    import minibn

    named = f"minibn {minibn.__version__}, numpy {numpy.__version__}, numba {numba.__version__}"
    assert parsed.shown("footer") == [f"Made with {named}."]


def test_a_report_of_nothing_but_an_answer():
    short = Parsed(page(Report("study", "Title", "Why?", "cannot tell")))
    assert short.shown("h2") == ["Verdict cannot tell"]


@pytest.mark.parametrize(
    ("verdict", "tone"),
    [("yes", "good"), ("helps", "good"), ("healthy", "good"), ("no", "bad"), ("hurts", "bad"), ("2 faults", "bad"),
     ("1 fault", "bad"), ("tuned: hurts", "bad"), ("helps in places", "good"),
     ("cannot tell", "unsure"), ("no difference", "even"), ("something else", "even")],
)  # fmt: skip
def test_a_verdict_has_a_colour_and_words(verdict, tone):
    badge = Parsed(page(replace(REPORT, verdict=verdict, charts=()))).all("strong")[0]
    assert (badge["text"], badge["class"]) == (verdict, f"verdict {tone}")


def test_two_verdicts_have_a_colour_each():
    badges = Parsed(page(replace(REPORT, verdict="helps; tuned: cannot tell", charts=()))).all("strong")
    assert [(b["text"], b["class"].split()[-1]) for b in badges] == [
        ("helps", "good"),
        ("tuned: cannot tell", "unsure"),
    ]


@pytest.mark.parametrize(
    ("column", "kind"),
    [([1, 2.5, None], "number"), (["-0.3 to +0.7", ""], "number"), (["19/20", "0.5 ± 0.1"], "number"),
     (["1e-05", "5.88e+17"], "number"), (["[-1, 2]"], "number"), (["64 units"], ""), ([True], ""), ([None], ""),
     (["words", 1], ""), (["a sentence that is much longer than a cell"], "long")],
)  # fmt: skip
def test_a_column_of_figures_is_told_from_words(column, kind):
    report = Report(
        "study", "Title", "Why?", "yes", tables=(Table("t", ("a", "b"), tuple(("x", v) for v in column)),)
    )
    assert Parsed(page(report)).all("td")[0].get("class", "") == kind


@pytest.mark.subprocess
def test_compare_writes_the_same_page_into_any_folder(tmp_path):
    pages = []
    for folder in ("one", "two"):
        files = run_json("compare", "--seeds", 2, "--epochs", 1, "--report", "--out", folder, cwd=tmp_path)[
            "files"
        ]
        assert files["page"] == f"{folder}/report.html"
        pages.append((tmp_path / files["page"]).read_text(encoding="utf-8"))
    assert pages[0] == pages[1]
    shown = Parsed(pages[0])
    assert dict(zip(shown.shown("dt"), shown.shown("dd"), strict=True))["seeds"] == "0 to 1"
    assert len(shown.all("svg")) == 2
    assert (
        "page"
        not in run_json("compare", "--seeds", 2, "--epochs", 1, "--out", "one", "--overwrite", cwd=tmp_path)[
            "files"
        ]
    )
    assert not (tmp_path / "one/report.html").exists()


def test_files_show_texts_as_they_are_too():
    axis = figure_of([LOSSES]).axes[0]
    assert axis.get_legend().get_texts()[2].get_text() == LOSSES.series[2].label
    assert not axis.title.get_text().startswith("$")


def test_charts_take_their_colours_from_the_theme(parsed):
    styles = " ".join(e["style"] for e in parsed.elements if "style" in e)
    assert not re.search(r"#[0-9a-f]{3}", styles)
    assert set(re.findall(r"var\(--([\w-]+)\)", styles)) >= {
        "with",
        "without",
        "ink",
        "muted",
        "grid",
        "above",
        "cell",
    }


def test_no_style_sheet_for_the_other_files(tmp_path):
    """A drawing in a file of its own has no page to take colours from."""
    from minibn_cli.charts import draw

    files = draw([LOSSES, CELLS], tmp_path, "plot", "title")
    assert "var(" not in files["plot_svg"].read_text()
    before = {path: path.read_bytes() for path in files.values()}
    draw([LOSSES, CELLS], tmp_path, "plot", "title")
    assert {path: path.read_bytes() for path in files.values()} == before
