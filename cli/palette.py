"""The colours of charts and pages, in a light and a dark theme.

Texts keep a contrast of 4.5 to what they stand on and lines one of 3, as the Web Content Accessibility Guidelines 2.2
ask for (criteria 1.4.3 and 1.4.11).
"""

LIGHT = {
    "paper": "#ffffff",
    "panel": "#f5f6f7",
    "rule": "#d8dce0",
    "ink": "#1c2024",
    "muted": "#59626b",
    "grid": "#e2e5e9",
    "mark": "#6d757d",
    "good": "#17713f",
    "bad": "#b3261e",
    "unsure": "#855b00",
    "even": "#48525c",
    "with": "#0b6e99",
    "without": "#c4501b",
    "other0": "#5b7f2b",
    "other1": "#7a4fa3",
    "other2": "#a87e00",
    "other3": "#3b6ea5",
    "other4": "#a33b5b",
    "other5": "#4a8985",
    "other6": "#8a6d3b",
    "other7": "#555577",
    "above": "#0b5f86",
    "below": "#a93f0e",
    "cell": "#dfe2e6",
    "on-cell": "#555c64",
    "on-pale": "#000001",
    "on-deep": "#fffffe",
}
"""Colours by what they are for. No two are the same, so that a colour in a drawing tells what it is for."""

DARK = {
    "paper": "#15181b",
    "panel": "#1d2125",
    "rule": "#3a4148",
    "ink": "#e4e7ea",
    "muted": "#a3abb3",
    "grid": "#2c3238",
    "mark": "#8b939b",
    "good": "#5cc08f",
    "bad": "#f28b82",
    "unsure": "#e0ad48",
    "even": "#b4bcc4",
    "with": "#4fb3e0",
    "without": "#f0854e",
    "other0": "#9cc46a",
    "other1": "#b794e0",
    "other2": "#dcb13c",
    "other3": "#86aee0",
    "other4": "#e07f9d",
    "other5": "#7cc4bf",
    "other6": "#c9a876",
    "other7": "#a8a8d0",
    "above": "#1575a3",
    "below": "#b84c1a",
    "cell": "#2b3036",
    "on-cell": "#a3abb3",
    "on-pale": "#f5f7f8",
    "on-deep": "#ffffff",
}

ARMS = {"with batch norm": LIGHT["with"], "without batch norm": LIGHT["without"]}
OTHERS = tuple(color for name, color in LIGHT.items() if name.startswith("other"))


def contrast(one, other):
    """Return the contrast ratio of two colours, from 1 to 21.

    Parameters
    ----------
    one, other : str
        ``#rrggbb``.

    References
    ----------
    WCAG 2.2, "contrast ratio" and "relative luminance".
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def blend(color, ground, share):
    """Return the colour that ``share`` of a colour gives on a ground."""
    mixed = (round(share * c + (1 - share) * g) for c, g in zip(_rgb(color), _rgb(ground), strict=True))
    return "#" + "".join(f"{value:02x}" for value in mixed)


def _rgb(color):
    return [int(color[k : k + 2], 16) for k in (1, 3, 5)]


def _luminance(color):
    red, green, blue = (_linear(value / 255) for value in _rgb(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value):
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
