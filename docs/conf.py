"""The site: ``python -m sphinx -W --keep-going -b html docs docs/_build/html``. Nothing is fetched, now or by a reader."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert

sys.path.insert(0, str(Path(__file__).parent))
import gallery  # noqa: E402

project = "minibn"
author = project_copyright = "The minibn maintainers"
version = release = version_of("minibn")
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "sphinx_click"]
exclude_patterns = ["_build", "img"]
nitpicky = True

html_theme = "furo"
html_title = "minibn"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "special-members": "__call__"}
autodoc_preserve_defaults = True
autodoc_typehints = "none"  # types stand in the docstrings, with shapes
numpydoc_show_class_members = False  # autodoc shows them

html_math_renderer = "mathml"


def write_formula(translator, node):
    """Write a formula as MathML, which browsers draw by themselves."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    translator.body.append(convert(node.astext(), display=display))
    raise nodes.SkipNode


def setup(app):
    """Register the formulas, and draw the pictures of the gallery that are missing."""
    app.add_html_math_renderer("mathml", (write_formula, None), (write_formula, None))
    app.connect("builder-inited", lambda app: gallery.draw_missing())
