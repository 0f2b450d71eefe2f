"""A chart as SVG that lives inside a page: its text in the page's font, its colours those of the page's theme."""

import re
from html import escape
from io import BytesIO
from xml.etree import ElementTree

from .charts import figure_of, printable, save
from .palette import LIGHT

_SHRINK = 0.85  # of a chart in a file: two stand beside each other, and one fits a phone at its own size
_SMALLEST = (
    0.8  # of its own size, below which a chart is scrolled instead of shrunk: its digits are 9 units high
)
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
_VARIABLES = {color: f"var(--{name})" for name, color in LIGHT.items()}
_DROPPED = {"metadata", "style", "title"}
_KEPT = ("d", "style", "x", "y", "width", "height", "transform", "clip-path", "href")


def inline_svg(chart, label, prefix, limits=None):
    """Draw a chart as an SVG element for a page of HTML.

    Parameters
    ----------
    chart : Lines or HeatMap
        Drawn without its title, which belongs into the page.
    label : str
        What the chart shows, for those who do not see it.
    prefix : str
        Of every id in the element: unique in the page.
    limits : dict, optional
        Of the page's heat maps, see :func:`minibn_cli.charts.colour_limits`; the chart's own where None.

    Returns
    -------
    str
        The same for the same chart.
    """
    root = ElementTree.fromstring(_drawn(chart, limits))
    ids = _referenced(root, prefix)
    width, height = (_short(part) for part in root.attrib["viewBox"].split()[2:])
    body = "".join(_written(child, ids) for child in root)
    return (
        f'<svg role="img" aria-label="{escape(printable(label))}" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" style="min-width: {_SMALLEST * float(width):.0f}px">{body}</svg>'
    )


def _drawn(chart, limits):
    """Return matplotlib's SVG, its texts as texts."""
    import matplotlib

    figure = figure_of([chart], limits=limits)
    figure.axes[0].set_title("")
    figure.set_size_inches(figure.get_size_inches() * _SHRINK)
    target = BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        save(figure, target, "svg", metadata=_NO_METADATA, transparent=True)
    return target.getvalue()


def _referenced(root, prefix):
    """Return a new name for each id that something refers to, numbered as they appear."""
    text = ElementTree.tostring(root, encoding="unicode")
    names = dict.fromkeys(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))
    return {a or b: f"{prefix}-{k}" for k, (a, b) in enumerate(names, 1)}


def _local(name):
    return name.rpartition("}")[2]


def _written(element, ids):
    """Return an element and what it holds, without what a page does not need."""
    tag = _local(element.tag)
    if tag in _DROPPED:
        return ""
    inner = escape(element.text or "", quote=False) if tag in ("text", "tspan") else ""
    inner += "".join(_written(child, ids) for child in element)
    attributes = _attributes(element, ids)
    if tag == "g" and not (inner and attributes):
        return inner
    if element.get("style") == "fill: none" or not (inner or attributes):
        return ""
    return f"<{tag}{attributes}>{inner}</{tag}>" if inner else f"<{tag}{attributes}/>"


def _attributes(element, ids):
    found = {_local(name): value for name, value in element.attrib.items()}
    kept = [("id", ids.get(found.get("id"))), *((name, found.get(name)) for name in _KEPT)]
    written = [(name, _value(name, value, ids)) for name, value in kept if value]
    return "".join(f' {name}="{escape(value)}"' for name, value in written if value)


def _value(name, value, ids):
    if name == "style":
        return "; ".join(filter(None, (_declaration(part) for part in value.split(";"))))
    if name == "href":
        return "#" + ids[value[1:]]
    if name == "clip-path":
        return f"url(#{ids[value[5:-1]]})"
    if name == "transform" and value.startswith("rotate(-0 "):
        return ""
    return value if name == "id" else _rounded(" ".join(value.split()))


def _declaration(text):
    """Return a CSS declaration with the theme's colour in it and the page's font; None where nothing is left."""
    name, _, value = (part.strip() for part in text.partition(":"))
    if name == "font":
        return "font-size: " + re.search(r"[\d.]+px", value)[0]
    if name == "font-family":
        return None
    return f"{name}: {_VARIABLES.get(value, _rounded(value))}" if name else None


def _rounded(text):
    """Return a text with its numbers cut to hundredths of a unit, finer than any screen shows."""
    return re.sub(r"-?\d+\.\d+", lambda match: _short(match[0]), text)


def _short(number):
    return f"{round(float(number), 2):g}"
