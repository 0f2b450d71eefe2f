"""The table that describes a network."""


def _row(position, layer, columns):
    trained = sum(t.data.size for t in layer.parameters().values())
    state = sum(b.size for b in layer.buffers().values())
    return (f"{position}", repr(layer), f"(N, {columns})" if columns else "(N, ?)", f"{trained}", f"{state}")


def summary_text(layers):
    """Return a table of layers, output shapes, trained parameters and batch-norm state.

    Parameters
    ----------
    layers : sequence of Layer

    Returns
    -------
    str
        Batch-norm state is running mean, running variance and the number of batches: kept, not trained.
    """
    rows, columns = [("", "layer", "output", "parameters", "batch-norm state")], None
    for position, layer in enumerate(layers):
        columns = layer.config().get("out_features") or layer.config().get("features") or columns
        rows.append(_row(position, layer, columns))
    totals = [sum(int(row[k]) for row in rows[1:]) for k in (3, 4)]
    rows.append(("", "total", "", *map(str, totals)))
    widths = [max(len(row[k]) for row in rows) for k in range(5)]
    aligned = [
        "  ".join(
            cell.rjust(w) if k > 2 else cell.ljust(w)
            for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(aligned)
