"""The style sheet of a page: two themes, a phone, a screen, paper."""

from .palette import DARK, LIGHT


def style_sheet():
    """Return the CSS of a page, colours first."""
    return f"""\
:root {{ color-scheme: light dark; {_variables(LIGHT)} }}
@media screen and (prefers-color-scheme: dark) {{
  :root {{ {_variables(DARK)} }}
}}
{_RULES}"""


def _variables(colors):
    return " ".join(f"--{name}: {color};" for name, color in colors.items())


_RULES = """\
@media (forced-colors: active) {
  :root { --paper: Canvas; --panel: Canvas; --ink: CanvasText; --muted: CanvasText; --mark: CanvasText; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: break-word;
}
main, footer { max-width: 62rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 2.5rem; }
h1, h2 { line-height: 1.2; letter-spacing: -0.01em; text-wrap: balance; }
h1 { margin: 0.25rem 0 0.5rem; font-size: 1.75rem; font-weight: 650; }
h2 { margin: 2.75rem 0 0.75rem; font-size: 1.1875rem; font-weight: 650; }
.kind { margin: 0; color: var(--muted); font-size: 0.875rem; }
.question { margin: 0; text-wrap: pretty; max-width: 48rem; color: var(--muted); font-size: 1.125rem; }
.answer { margin-top: 1.5rem; padding: 1rem 1.25rem; background: var(--panel); border-radius: 0.5rem; }
.answer h2 { margin: 0; font-size: 1rem; font-weight: 400; line-height: 1.9; color: var(--muted); }
.answer p { margin: 0.5rem 0 0; max-width: 48rem; }
.verdict {
  display: inline-block; margin-left: 0.25rem; padding: 0.1rem 0.7rem; border: 1.5px solid; border-radius: 1rem;
  font-weight: 650;
}
.good { color: var(--good); } .bad { color: var(--bad); }
.unsure { color: var(--unsure); } .even { color: var(--even); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 2rem; }
figure { margin: 0; min-width: 0; }
figure.wide { grid-column: 1 / -1; }
figcaption, caption { padding: 0 0 0.5rem; text-align: left; font-weight: 600; font-size: 0.9375rem; }
figcaption::first-letter, caption span::first-letter { text-transform: uppercase; }
figcaption small { display: block; color: var(--muted); font-weight: 400; font-size: 0.8125rem; }
svg { display: block; width: 100%; height: auto; max-width: 34rem; overflow: visible; }
svg * { stroke-linejoin: round; stroke-linecap: butt; }
svg text[style*="--ink"], svg text[style*="--muted"] { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
figure.wide svg { max-width: none; }
.scroll { overflow-x: auto; }
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--with); outline-offset: 2px; }
.table + .table { margin-top: 2rem; }
table { border-collapse: collapse; font-size: 0.9375rem; }
caption span { display: inline-block; position: sticky; left: 0; max-width: calc(100vw - 2rem); }
th, td { padding: 0.375rem 0.875rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { padding-left: 0; }
thead th, thead td { color: var(--muted); font-weight: 500; vertical-align: bottom; border-bottom: 1.5px solid var(--mark); }
tbody th { font-weight: 400; }
th, td { white-space: nowrap; }
.number { text-align: right; }
.long { min-width: 13rem; max-width: 32rem; white-space: normal; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: 0.25rem 1.5rem; margin: 0; font-size: 0.9375rem; }
dt { color: var(--muted); }
dd { margin: 0; min-width: 0; }
details { margin-top: 0.5rem; }
summary { width: fit-content; cursor: pointer; color: var(--muted); font-size: 0.875rem; }
summary h2 { display: inline; margin: 0; color: var(--ink); }
details.numbers { margin-top: 2.75rem; }
pre {
  margin: 0.75rem 0 0; padding: 1rem; max-height: 32rem; overflow: auto; background: var(--panel); border-radius: 0.5rem;
  font: 0.8125rem/1.5 ui-monospace, "Liberation Mono", monospace;
}
footer { margin-top: 3rem; padding-top: 1rem; padding-bottom: 2rem; color: var(--muted); font-size: 0.8125rem; }
footer p { margin: 0; padding-top: 1rem; border-top: 1px solid var(--rule); }
@media (max-width: 36rem) {
  header { padding-top: 1.5rem; }
  h1 { font-size: 1.5rem; }
  .answer { padding: 0.875rem 1rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 0.5rem; }
}
@media print {
  html { font-size: 9.5pt; }
  details { display: none; }
  figure, tr, .answer { break-inside: avoid; }
  h2, caption, figcaption { break-after: avoid; }
  .scroll { overflow: visible; }
  svg text[style*="--ink"], svg text[style*="--muted"] { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
figure.wide svg { min-width: 0; }
  .answer { border: 1px solid var(--rule); }
}
"""
