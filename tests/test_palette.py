"""Colours that can be read, by calculation."""

import pytest
from minibn_cli.palette import DARK, LIGHT, blend, contrast


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21), ("#767676", "#ffffff", 4.54), ("#ffffff", "#777777", 4.48)],
)
def test_contrast_itself(one, other, ratio):
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_can_be_read(theme):
    texts = [
        (name, ground)
        for name in ("ink", "muted", "good", "bad", "unsure", "even")
        for ground in ("paper", "panel")
    ]
    for name, ground in [*texts, ("on-cell", "cell")]:
        assert contrast(theme[name], theme[ground]) >= 4.5, (name, ground)
    for name in ("with", "without", "mark", *(name for name in theme if name.startswith("other"))):
        assert contrast(theme[name], theme["paper"]) >= 3, name


@pytest.mark.parametrize("side", ["above", "below"])
@pytest.mark.parametrize("share", [k / 20 for k in range(21)])
def test_cells_can_be_read_in_both_themes(side, share):
    shown = blend(LIGHT[side], LIGHT["paper"], share)
    name = max(("on-pale", "on-deep"), key=lambda name: contrast(LIGHT[name], shown))
    assert contrast(LIGHT[name], shown) >= 4.5
    assert contrast(DARK[name], blend(DARK[side], DARK["paper"], share)) >= 4.5


def test_themes_name_the_same_colours_and_light_ones_differ():
    assert LIGHT.keys() == DARK.keys()
    assert len(set(LIGHT.values())) == len(LIGHT)
