"""Cost against size on logarithmic axes, with the line of proportionality through the last point."""

from benchmarks.figures.canvas import COLOURS, MARKS, figure, save


def _draw_curve(axes, curve, i):
    errors = [[us - low for us, low in zip(curve["us"], curve["low"], strict=True)],
              [high - us for us, high in zip(curve["us"], curve["high"], strict=True)]]  # fmt: skip
    label = f"{curve['name']}, {curve['fixed']}: slope {curve['slope']:.2f}"
    axes.errorbar(curve["sizes"], curve["us"], errors, fmt=f"{MARKS[i]}-", color=COLOURS[i], markersize=4,
                  linewidth=1.2, label=label)  # fmt: skip
    last, top = curve["sizes"][-1], curve["us"][-1]
    axes.plot(
        curve["sizes"], [top * size / last for size in curve["sizes"]], ":", color=COLOURS[i], linewidth=1
    )


def draw(curves, path):
    """Write a panel per axis: rows, features or depth.

    Parameters
    ----------
    curves : list of dict
    path : Path
    """
    names = list(dict.fromkeys(curve["axis"] for curve in curves))
    made = figure(5.5 * len(names), 4.5)
    for axes, name in zip(made.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for i, curve in enumerate(curve for curve in curves if curve["axis"] == name):
            _draw_curve(axes, curve, i)
        axes.set(xscale="log", yscale="log", xlabel=name, ylabel="microseconds")
        axes.set_title(f"Cost against {name} (dotted: proportional)", loc="left", fontsize=10)
        axes.grid(color="0.92")
        axes.legend(fontsize=7, frameon=False)
    save(made, path)
