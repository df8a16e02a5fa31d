"""Checkpoints (see `lyrics.checkpoint`), and the histories of training as CSV and curves."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from lyrics.checkpoint import STATE, pack, read_facts, unpack
from lyrics.model_files import write_whole

__all__ = ["STATE", "pack", "read_facts", "unpack", "write_history", "write_whole"]


def write_history(folder: Path, stage: str, rows: Sequence[Mapping[str, float]], *, draw: bool = True) -> None:
    """Write the metrics of a stage, a row per epoch, as CSV, and as curves if they are to be drawn."""
    names = list(rows[-1])
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: round(row[name], 6) for name in names} for row in rows)
    write_whole(folder / f"{stage}.csv", text.getvalue().encode())
    if draw:
        write_whole(folder / f"{stage}.png", _curves(stage, rows))


def _curves(stage: str, rows: Sequence[Mapping[str, float]]) -> bytes:
    """Draw one small panel per metric; the metrics that share a panel have names that end alike after a colon."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    x, *names = rows[-1]
    panels: dict[str, list[str]] = {}
    for name in names:
        panels.setdefault(name.rpartition(": ")[2], []).append(name)
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(4 * columns, 2.8 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel, (title, members) in zip(axes, panels.items(), strict=False):
        for name in members:
            label = name.rpartition(": ")[0] or None
            panel.plot([row[x] for row in rows], [row[name] for row in rows], marker=".", label=label)
        panel.set_title(title, fontsize=9)
        panel.set_xlabel(x, fontsize=8)
        panel.tick_params(labelsize=8)
        if len(members) > 1:
            panel.legend(fontsize=7)
    for panel in axes[len(panels) :]:
        panel.remove()
    figure.suptitle(stage, fontsize=10)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100, metadata={"Software": None})
    return content.getvalue()
